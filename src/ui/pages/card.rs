//! The card of an account.

use std::collections::HashMap;

use maud::{Markup, html};

use crate::records::{AttemptResult, RecentRequest};
use crate::scheduler::ApiReport;
use crate::types::{ApiId, sorted};
use crate::ui::format::{count, span, time};
use crate::ui::limits::LimitLine;
use crate::ui::view::{View, account_page};
use crate::upstream::split_mend;

/// Returns whether an account takes requests now.
pub(super) fn can_serve(api: &ApiReport) -> bool {
    api.status.refusal.is_none() && api.models.is_some()
}

/// Makes the card of an account. `firsts`: how long the last answers took to their first token, in ms, in order.
pub(super) fn card(api: &ApiReport, firsts: &[u64], view: &View) -> Markup {
    let status = &api.status;
    let id = &status.config.id;
    let (state, _) = state(api);
    let own = |line: &LimitLine| line.of_model.is_none();
    let lines: Vec<LimitLine> = status.quotas.iter().flat_map(LimitLine::of).filter(own).collect();
    let content = html! {
        h2 {
            a href=(account_page(id.as_str())) { (status.config.name) }
            span class={ "state " (state) } { (view.t(&format!("state.{state}"))) }
        }
        @let why = why(api, view);
        @if !why.0.is_empty() { p class="why" { (why) } }
        @for line in lines { (line.render(view)) }
        dl class="figures" {
            div { dt { (view.t("now.in_flight")) } dd { (count(status.in_flight.into())) } }
            div {
                dt { (view.t("now.first_token")) " p50 / p95" }
                dd { (share(firsts, 50)) " / " (share(firsts, 95)) }
            }
        }
        @if let Some((at, class, detail)) = &status.last_failure {
            @let (words, mend) = split_mend(detail);
            p class="last-error" {
                (time(*at)) " " span class="class" { (view.language.class(class.as_str())) } " " bdi { (words) }
                @if let Some(mend) = mend { (view.t("now.mend")) (view.language.mend(mend)) }
            }
        }
    };
    view.piece(&format!("api-{id}"), "card", content)
}

/// Says why an account takes no request, and until when.
pub(super) fn why(api: &ApiReport, view: &View) -> Markup {
    let (_, reason) = state(api);
    html! {
        @if !reason.is_empty() {
            (view.reason(&reason))
            @if let Some((_, Some(until))) = &api.status.refusal { " · " (view.t("now.until")) " " (time(*until)) }
        }
    }
}

/// Returns how long the last answers of each account took to their first token, in ms, in order.
pub(super) fn first_tokens(recent: &[RecentRequest]) -> HashMap<ApiId, Vec<u64>> {
    let mut firsts: HashMap<ApiId, Vec<u64>> = HashMap::new();
    for RecentRequest { record, .. } in recent {
        let serving = record.attempts.iter().find(|attempt| matches!(attempt.result, AttemptResult::Served));
        if let (Some(serving), Some(first)) = (serving, record.first_token) {
            firsts.entry(serving.api.clone()).or_default().push(first.as_millis() as u64);
        }
    }
    firsts.values_mut().for_each(sorted::sort);
    firsts
}

/// Returns a percentile of sorted numbers.
fn share(sorted: &[u64], percent: usize) -> String {
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).map_or("–".to_owned(), |ms| span(*ms))
}

/// Returns the name of an account's state, and of the reason.
pub(super) fn state(api: &ApiReport) -> (&'static str, String) {
    let status = &api.status;
    match &status.refusal {
        _ if !status.config.enabled => ("disabled", String::new()),
        Some((refusal, _)) if refusal.is_limit() => ("full", refusal.to_string()),
        Some((refusal, _)) => ("resting", refusal.to_string()),
        None if api.models.is_none() => ("unknown", "models_unknown".to_owned()),
        None => ("able", String::new()),
    }
}
