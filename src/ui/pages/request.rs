//! One request: its attempts on a time line, and how it ended.

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use maud::{Markup, html};

use super::live::status;
use crate::error::ApiError;
use crate::records::{AttemptRecord, AttemptResult, FindRecent, RecentRequest, RequestEnd, RequestRecord};
use crate::ui::format::{count, money, seconds, span};
use crate::ui::page::PageRequest;
use crate::ui::view::{Facts, View, account_page, key_page};

struct RequestFacts {
    id: String,
    found: Option<Box<RecentRequest>>,
}

pub(in crate::ui) fn load(asked: PageRequest) -> LocalBoxFuture<'static, Result<Box<dyn Facts>, ApiError>> {
    async move {
        let id = asked.name.unwrap_or_default();
        let found = asked.worker.recorder_actor.send(FindRecent(id.clone())).await.map_err(|_| ApiError::Stopping)?;
        Ok(Box::new(RequestFacts { id, found }) as Box<dyn Facts>)
    }
    .boxed_local()
}

impl Facts for RequestFacts {
    fn is_there(&self) -> bool {
        self.found.is_some()
    }

    fn about(&self) -> Option<String> {
        Some(self.id.clone())
    }

    fn render(&self, view: &View) -> Markup {
        let Some(request) = &self.found else {
            return html! { p { (view.t("request.gone")) } p { a href="/ui/live" { (view.t("page.live")) } } };
        };
        let record = &request.record;
        html! {
            p { (seconds(request.ended_at)) " · " code { (record.method) " " (record.path) } " · " (status(record, view)) }
            @match &record.end {
                RequestEnd::Refused { reason, .. } => { p class="problem" { (reason) } },
                RequestEnd::Failed(reason) => { p class="problem" { (reason) } },
                RequestEnd::Answered | RequestEnd::ClientLeft | RequestEnd::Stopped | RequestEnd::Defect => {},
            }
            div class="panel" {
                h2 { (view.t("request.attempts")) }
                @for attempt in &record.attempts { (line(attempt, record, view)) }
                @if record.attempts.is_empty() { p class="faint" { (view.t("request.no_attempt")) } }
            }
            (facts(record, view))
        }
    }
}

/// Makes an attempt's line: a bar from its begin to its end within the whole request.
fn line(attempt: &AttemptRecord, record: &RequestRecord, view: &View) -> Markup {
    let whole = record.total.as_secs_f64().max(f64::MIN_POSITIVE);
    let from = attempt.began.as_secs_f64() / whole * 100.0;
    let long = (attempt.took.as_secs_f64() / whole * 100.0).clamp(0.5, 100.0);
    let (class, word, words) = match &attempt.result {
        AttemptResult::Served => ("bar", view.t("request.served"), ""),
        AttemptResult::Open => ("bar near", view.t("request.given_up"), ""),
        AttemptResult::Failed(failure) => ("bar full", view.language.class(failure.class.as_str()), &*failure.detail),
    };
    let [began, took] = [attempt.began, attempt.took].map(|time| span(time.as_millis() as u64));
    let times = format!("+{began} · {took}");
    html! {
        div class="limit attempt" {
            span class="limit-name" { (view.operators_link(&account_page(attempt.api.as_str()), attempt.api.as_str())) }
            svg class=(class) viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label=(times) {
                rect class="track" width="100" height="6" rx="1" {}
                rect class="used" x=(format!("{from:.2}")) width=(format!("{long:.2}")) height="6" rx="1" {}
            }
            span class="limit-amounts" { (times) " · " (word) }
            @if !words.is_empty() { span class="limit-note" { (words) } }
        }
    }
}

fn facts(record: &RequestRecord, view: &View) -> Markup {
    let tokens = record.tokens();
    let kinds = tokens
        .by_name()
        .into_iter()
        .filter(|(_, tokens)| *tokens > 0)
        .map(|(name, tokens)| format!("{name} {}", count(tokens)));
    let billed = record.billed();
    let units = billed
        .present()
        .map(|(unit, number)| format!("{} {}", view.t(&format!("usage.{}", unit.field)), count(number)));
    let kinds = kinds.chain(units);
    let rows: [(&str, String); 8] = [
        ("live.app", record.app.as_str().to_owned()),
        ("live.model", record.model.as_deref().unwrap_or_default().to_owned()),
        ("request.client", record.client.map(|client| client.to_string()).unwrap_or_default()),
        ("request.upstream_id", record.upstream_id.clone().unwrap_or_default()),
        ("live.first", record.first_token.map(|first| span(first.as_millis() as u64)).unwrap_or_default()),
        ("live.total", span(record.total.as_millis() as u64)),
        ("live.tokens", kinds.collect::<Vec<_>>().join(" · ")),
        ("live.cost", money(record.cost())),
    ];
    html! {
        div class="scroll" tabindex="0" { table { tbody {
            @if let Some(key) = &record.key {
                tr { th scope="row" { (view.t("live.key")) } td class="wrap" { (view.operators_link(&key_page(key.as_str()), key.as_str())) } }
            }
            @for (name, value) in rows {
                @if !value.is_empty() { tr { th scope="row" { (view.t(name)) } td class="wrap" { (value) } } }
            }
        } } }
    }
}
