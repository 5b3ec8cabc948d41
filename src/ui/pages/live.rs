//! The last requests, without what was asked and answered.

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use maud::{Markup, html};

use crate::error::{ApiError, ERRORS};
use crate::records::{
    AttemptResult, GetRecent, KEPT_REQUESTS, RecentFilter, RecentRequest, RecentRequests, RequestEnd, RequestRecord,
    StatusLabel,
};
use crate::types::{FailureClass, Usage, UsageSource};
use crate::ui::format::{count, money, seconds, span};
use crate::ui::page::PageRequest;
use crate::ui::view::{Facts, View, address};
use crate::ui::widgets::{empty_row, head, number};

/// Requests of a page that is kept up to date.
const USUAL: usize = 50;

/// The fields of the query that choose requests.
const FILTERS: [&str; 8] = ["key", "api", "model", "app", "status", "class", "refused", "id"];

/// The columns.
const WORDS: [&str; 6] = ["live.time", "live.status", "live.key", "live.app", "live.model", "live.api"];

/// The columns of numbers.
const NUMBERS: [&str; 4] = ["live.first", "live.total", "live.tokens", "live.cost"];

struct LiveFacts {
    recent: Box<RecentRequests>,
    most: usize,
    fields: Vec<(String, String)>,
}

pub(in crate::ui) fn load(asked: PageRequest) -> LocalBoxFuture<'static, Result<Box<dyn Facts>, ApiError>> {
    async move {
        let most = asked.field("most").and_then(|most| most.parse().ok()).unwrap_or(USUAL).clamp(1, KEPT_REQUESTS);
        let field = |name: &str| asked.field(name).map(|value| value.trim().to_owned());
        let filter = RecentFilter {
            key: field("key"),
            api: field("api"),
            model: field("model"),
            app: field("app"),
            status: field("status").and_then(|name| StatusLabel::ALL.into_iter().find(|label| label.as_str() == name)),
            class: field("class").and_then(|name| FailureClass::ALL.into_iter().find(|class| class.as_str() == name)),
            refused: field("refused").and_then(|name| codes().into_iter().find(|code| *code == name)),
            id: field("id"),
            failed: asked.field("failed").is_some(),
        };
        let recent = asked.worker.recorder_actor.send(GetRecent { after: None, filter, most }).await;
        let recent = recent.map_err(|_| ApiError::Stopping)?;
        let fields = asked.query.0.iter().filter(|(_, value)| !value.is_empty()).cloned().collect();
        Ok(Box::new(LiveFacts { recent, most, fields }) as Box<dyn Facts>)
    }
    .boxed_local()
}

impl Facts for LiveFacts {
    fn render(&self, view: &View) -> Markup {
        html! {
            (self.filters(view))
            @if self.most <= USUAL {
                (view.piece("requests", "scroll", self.table(view)))
            } @else {
                div class="scroll" tabindex="0" { (self.table(view)) }
            }
            @if self.recent.has_more && self.most < KEPT_REQUESTS {
                p { a href=(self.with_most()) { (view.tr("live.more", &[("most", &count(KEPT_REQUESTS as u64))])) } }
            }
        }
    }
}

impl LiveFacts {
    fn field(&self, name: &str) -> &str {
        self.fields.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value)
    }

    fn with_most(&self) -> String {
        let most = KEPT_REQUESTS.to_string();
        let chosen = self.fields.iter().filter(|(name, _)| name != "most");
        let mut fields: Vec<(&str, &str)> = chosen.map(|(name, value)| (name.as_str(), value.as_str())).collect();
        fields.push(("most", &most));
        address("/ui/live", &fields)
    }

    fn filters(&self, view: &View) -> Markup {
        let choice = |name: &str, values: &[&'static str]| {
            html! {
                select name=(name) {
                option value="" { (view.t("live.any")) }
                @for value in values {
                    option value=(value) selected[self.field(name) == *value] { (view.language.class(value)) }
                }
            }
            }
        };
        let classes = FailureClass::ALL.map(FailureClass::as_str);
        let statuses = StatusLabel::ALL.map(StatusLabel::as_str);
        let codes = codes();
        html! {
            form method="get" action="/ui/live" class="filters" {
                @for name in FILTERS {
                    label { (view.t(&format!("filter.{name}")))
                        @match name {
                            "status" => (choice(name, &statuses)),
                            "class" => (choice(name, &classes)),
                            "refused" => (choice(name, &codes)),
                            _ => input name=(name) value=(self.field(name)) size="12";,
                        }
                    }
                }
                label {
                    (view.t("live.failed"))
                    input type="checkbox" name="failed" value="1" checked[!self.field("failed").is_empty()];
                }
                button type="submit" { (view.t("live.filter")) }
                @if !self.fields.is_empty() { a href="/ui/live" { (view.t("live.all")) } }
                button type="button" data-pause=(view.t("live.pause")) data-resume=(view.t("live.resume")) hidden {
                    (view.t("live.pause"))
                }
            }
        }
    }

    fn table(&self, view: &View) -> Markup {
        html! {
            table {
                (head(view, &WORDS, &NUMBERS))
                tbody {
                    @for request in &self.recent.requests { (row(request, view)) }
                    @if self.recent.requests.is_empty() {
                        (empty_row(WORDS.len() + NUMBERS.len(), view.t("live.none")))
                    }
                }
            }
        }
    }
}

/// Returns the codes of our own errors, each once.
fn codes() -> Vec<&'static str> {
    let mut codes = Vec::new();
    for row in ERRORS {
        if !codes.contains(&row.code) {
            codes.push(row.code);
        }
    }
    codes
}

fn row(request: &RecentRequest, view: &View) -> Markup {
    let record = &request.record;
    let serving = record
        .attempts
        .iter()
        .rfind(|attempt| matches!(attempt.result, AttemptResult::Served))
        .or(record.attempts.last());
    let tokens = record.usage.and_then(Usage::of_tokens);
    let mark = if tokens.is_some_and(|usage| usage.source == UsageSource::Estimated) { "≈ " } else { "" };
    let model = record.model.as_deref().unwrap_or(&record.path);
    let first = record.first_token.map_or("–".to_owned(), |first| span(first.as_millis() as u64));
    html! {
        tr {
            td { a href=(format!("/ui/requests/{}", record.id.as_str())) { (seconds(request.ended_at)) } }
            td { (status(record, view)) }
            td { (record.key.as_ref().map_or("", |key| key.as_str())) }
            td { (record.app.as_str()) }
            td class="wrap" {
                (model)
                @if let Some(own) = serving.and_then(|attempt| attempt.model.as_ref()) { span class="faint" { " → " (own) } }
            }
            td {
                (serving.map_or("", |attempt| attempt.api.as_str()))
                @if record.attempts.len() > 1 { " " span class="faint" { "×" (record.attempts.len()) } }
            }
            (number(first))
            (number(span(record.total.as_millis() as u64)))
            (number(format!("{mark}{}", tokens.map_or("–".to_owned(), |usage| count(usage.total)))))
            (number(format!("{mark}{}", money(record.cost()))))
        }
    }
}

/// Makes the status and, where something went wrong, what.
pub(super) fn status(record: &RequestRecord, view: &View) -> Markup {
    let code = record.status.map_or("–".to_owned(), |status| status.as_u16().to_string());
    let (class, what) = match &record.end {
        RequestEnd::Answered => ("ok", ""),
        RequestEnd::Refused { code, .. } => ("near", view.language.class(code)),
        RequestEnd::Failed(_) => ("bad", last_class(record, view).unwrap_or(view.t("end.failed"))),
        RequestEnd::ClientLeft => ("near", view.t("end.client_left")),
        RequestEnd::Stopped => ("bad", view.t("end.stopped")),
        RequestEnd::Defect => ("bad", view.t("end.defect")),
    };
    let is_fine = class == "ok" && StatusLabel::of(record.status) == StatusLabel::Fine;
    let class = if class == "ok" && !is_fine { "near" } else { class };
    html! { span class={ "state " (class) } { (code) @if !what.is_empty() { " " (what) } } }
}

/// Returns the class of the last attempt's failure.
fn last_class(record: &RequestRecord, view: &View) -> Option<&'static str> {
    match &record.attempts.last()?.result {
        AttemptResult::Failed(failure) => Some(view.language.class(failure.class.as_str())),
        AttemptResult::Served | AttemptResult::Open => None,
    }
}
