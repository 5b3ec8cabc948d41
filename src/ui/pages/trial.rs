//! A chat that an admin tries: what the model says, who served, how fast, for how much.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use maud::{Markup, html};

use super::live::status;
use crate::error::ApiError;
use crate::http::Worker;
use crate::proxy::own_chat::{OwnAnswer, OwnChat, TestFailure};
use crate::records::{AttemptResult, RequestRecord};
use crate::scheduler::GetModels;
use crate::types::{WireFormat, sorted};
use crate::ui::format::{count, money, span};
use crate::ui::forms::{ActionOutcome, NextPage, SentForm};
use crate::ui::notices::Notice;
use crate::ui::page::PageRequest;
use crate::ui::view::{Facts, View, account_page};

/// Models that are offered while a name is typed.
const MOST_OFFERED: usize = 500;

/// What is asked until somebody types something else.
const FIRST_MESSAGE: &str = "Say hello in one short sentence.";

#[derive(Default)]
struct TrialFacts {
    /// The formats that an account speaks, with the models of each.
    served: Vec<(WireFormat, Vec<Arc<str>>)>,
    model: String,
    message: String,
    format: Option<WireFormat>,
    result: TrialResult,
}

#[derive(Default)]
enum TrialResult {
    #[default]
    None,
    /// Nothing could be asked: the name of the words.
    Refused(&'static str),
    Ended(Box<EndedTrial>),
}

/// A chat that has ended.
pub(in crate::ui) struct EndedTrial {
    pub(in crate::ui) answer: OwnAnswer,
    pub(in crate::ui) failure: Option<TestFailure>,
}

pub(in crate::ui) fn load(asked: PageRequest) -> LocalBoxFuture<'static, Result<Box<dyn Facts>, ApiError>> {
    async move {
        let served = served(&asked.worker).await?;
        let model = asked.field("model").unwrap_or_default().to_owned();
        let facts = TrialFacts { served, model, message: FIRST_MESSAGE.to_owned(), ..TrialFacts::default() };
        Ok(Box::new(facts) as Box<dyn Facts>)
    }
    .boxed_local()
}

/// Returns the models of each format that an account speaks.
async fn served(worker: &Worker) -> Result<Vec<(WireFormat, Vec<Arc<str>>)>, ApiError> {
    let config = worker.config();
    let mut served = Vec::new();
    for format in WireFormat::ALL {
        if config.apis.iter().any(|api| api.enabled && api.offers(format)) {
            let asked = GetModels { format, apis: None };
            served.push((format, worker.supervisor.send(asked).await.map_err(|_| ApiError::Stopping)?));
        }
    }
    Ok(served)
}

/// Returns the chat that a form asks for, or the name of the words that say what is missing.
pub(in crate::ui) async fn chat_of(form: &SentForm) -> Result<OwnChat, &'static str> {
    let (Some(model), Some(message)) = (form.field("model"), form.field("message")) else { return Err("try.missing") };
    let format = match format_of(form) {
        Some(format) => format,
        None => suited(&served(&form.worker).await.unwrap_or_default(), model),
    };
    Ok(OwnChat::of_message(format, model, message))
}

fn format_of(form: &SentForm) -> Option<WireFormat> {
    WireFormat::ALL.into_iter().find(|format| form.field("format") == Some(format.as_str()))
}

/// Returns the first format in which a model is served, else the first of all.
fn suited(served: &[(WireFormat, Vec<Arc<str>>)], model: &str) -> WireFormat {
    let has = |(_, models): &&(WireFormat, Vec<Arc<str>>)| models.iter().any(|name| **name == *model);
    served.iter().find(has).or(served.first()).map_or(WireFormat::OpenAi, |(format, _)| *format)
}

/// Asks, and answers with the page and the whole answer: for browsers without scripts.
pub(in crate::ui) fn send(form: SentForm) -> LocalBoxFuture<'static, ActionOutcome> {
    async move {
        let (is_good, result) = match chat_of(&form).await {
            Err(words) => (false, TrialResult::Refused(words)),
            Ok(chat) => {
                let client = form.worker.own_client(form.client);
                let answer = client.ask(chat).await;
                let failure = client.failure(&answer);
                (true, TrialResult::Ended(Box::new(EndedTrial { answer, failure })))
            }
        };
        let typed = |name: &str| form.field(name).unwrap_or_default().to_owned();
        let facts = TrialFacts {
            served: served(&form.worker).await.unwrap_or_default(),
            model: typed("model"),
            message: typed("message"),
            format: format_of(&form),
            result,
        };
        let notice = Notice { is_good, text: String::new(), secret: None, link: None };
        ActionOutcome { notice, what: None, detail: None, next: NextPage::Again(Box::new(facts)) }
    }
    .boxed_local()
}

impl Facts for TrialFacts {
    fn render(&self, view: &View) -> Markup {
        html! {
            p class="faint" { (view.t("try.about")) }
            p { a href="/ui/recipes" { (view.t("recipes.link")) } }
            div class="columns" {
                div { (self.form(view)) }
                section class="panel" aria-labelledby="answer-title" {
                    h2 id="answer-title" { (view.t("try.answer")) }
                    div id="trial-answer" class="answer" role="group" aria-labelledby="answer-title"
                        aria-live="polite" tabindex="0" {
                        (self.result(view))
                    }
                }
            }
        }
    }
}

impl TrialFacts {
    fn form(&self, view: &View) -> Markup {
        let models = sorted::set(self.served.iter().flat_map(|(_, models)| models));
        html! {
            form method="post" action="/ui/try/send" data-stream="/ui/try/stream" class="panel stacked wide" {
                (view.token_field())
                label {
                    (view.t("models.model"))
                    input name="model" list="models" value=(self.model) required autocomplete="off";
                }
                datalist id="models" { @for model in models.into_iter().take(MOST_OFFERED) { option value=(model) {} } }
                label {
                    (view.t("try.message"))
                    textarea name="message" class="prose" rows="5" required { "\n" (self.message) }
                }
                div class="row" {
                    @if self.served.len() > 1 {
                        label { (view.t("try.format")) select name="format" {
                            option value="" { (view.t("try.suited")) }
                            @for (format, _) in &self.served {
                                @let is_chosen = self.format == Some(*format);
                                option value=(format.as_str()) selected[is_chosen] { (format.title()) }
                            }
                        } }
                    }
                    button type="submit" class="main" { (view.t("try.send")) }
                }
            }
        }
    }

    fn result(&self, view: &View) -> Markup {
        match &self.result {
            TrialResult::None => html! {},
            TrialResult::Refused(words) => refused(words, view),
            TrialResult::Ended(ended) => html! { (ended.answer.text) (ended.facts(view)) },
        }
    }
}

pub(in crate::ui) fn refused(words: &str, view: &View) -> Markup {
    html! { p class="problem" role="alert" { (view.t(words)) } }
}

impl EndedTrial {
    /// Makes what is known of the chat, to stand below the answer.
    pub(in crate::ui) fn facts(&self, view: &View) -> Markup {
        html! {
            @if let Some(TestFailure { reason, words, .. }) = &self.failure {
                p class="problem" role="alert" { span class="class" { (view.language.class(reason)) } @if !words.is_empty() { " " (words) } }
            }
            @match &self.answer.request {
                None => p class="faint" { (view.t("request.gone")) },
                Some(request) => {
                    (figures(&request.record, view))
                    p { a href={ "/ui/requests/" (self.answer.id) } { (view.t("try.request")) } }
                },
            }
        }
    }
}

fn figures(record: &RequestRecord, view: &View) -> Markup {
    let served = record.attempts.iter().rev().find(|attempt| matches!(attempt.result, AttemptResult::Served));
    let first = record.first_token.map_or("–".to_owned(), |first| span(first.as_millis() as u64));
    let tokens = record.usage.map(|usage| format!("{} → {}", count(usage.prompt), count(usage.completion)));
    html! {
        dl class="figures" {
            div { dt { (view.t("try.served_by")) } dd { @match served {
                Some(attempt) => a href=(account_page(attempt.api.as_str())) { (attempt.api) },
                None => "–",
            } } }
            div { dt { (view.t("live.status")) } dd { (status(record, view)) } }
            div { dt { (view.t("live.first")) } dd { (first) } }
            div { dt { (view.t("live.total")) } dd { (span(record.total.as_millis() as u64)) } }
            @if let Some(tokens) = tokens { div { dt { (view.t("live.tokens")) } dd { (tokens) } } }
            div { dt { (view.t("live.cost")) } dd { (money(record.cost())) } }
        }
    }
}
