//! What can serve now, what runs out next, and what failed.

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use maud::{Markup, html};

use crate::error::ApiError;
use crate::scheduler::{ApiReport, GetReports};
use crate::ui::format::{count, span, time};
use crate::ui::limits::LimitLine;
use crate::ui::page::{Facts, PageRequest};
use crate::ui::view::{View, address};

struct NowFacts {
    apis: Vec<ApiReport>,
}

pub(in crate::ui) fn load(asked: PageRequest) -> LocalBoxFuture<'static, Result<Box<dyn Facts>, ApiError>> {
    async move {
        let apis = asked.worker.supervisor.send(GetReports).await.map_err(|_| ApiError::Stopping)?;
        Ok(Box::new(NowFacts { apis }) as Box<dyn Facts>)
    }
    .boxed_local()
}

impl Facts for NowFacts {
    fn render(&self, view: &View) -> Markup {
        html! {
            (view.piece("health", "health", self.health(view)))
            div class="cards" {
                @for api in &self.apis { (card(api, view)) }
            }
        }
    }
}

impl NowFacts {
    fn health(&self, view: &View) -> Markup {
        let able = self.apis.iter().filter(|api| can_serve(api)).count();
        let of_all = [("able", able.to_string()), ("all", self.apis.len().to_string())];
        let values: Vec<(&str, &str)> = of_all.iter().map(|(name, value)| (*name, value.as_str())).collect();
        html! {
            p class=(if able == 0 { "headline bad" } else { "headline" }) { (view.tr("now.can_serve", &values)) }
            @if let Some((api, line, at)) = self.next_out() {
                p { (view.t("now.next_out")) " " a href=(format!("/ui/accounts/{}", api.status.config.id)) { (api.status.config.id) } " " (line.name) ", " (time(at)) }
            }
        }
    }

    /// Returns the limit that is spent first at the present rates.
    fn next_out(&self) -> Option<(&ApiReport, LimitLine, i64)> {
        let lines = self.apis.iter().flat_map(|api| {
            let lines = api.status.quotas.iter().flat_map(LimitLine::of);
            lines.filter_map(move |line| line.exhausted_at().map(|at| (api, line, at)))
        });
        lines.min_by_key(|(_, _, at)| *at)
    }
}

fn can_serve(api: &ApiReport) -> bool {
    api.status.refusal.is_none() && api.models.is_some()
}

/// Makes the card of an account.
pub(super) fn card(api: &ApiReport, view: &View) -> Markup {
    let status = &api.status;
    let id = &status.config.id;
    let (state, reason) = state(api);
    let reason_name = format!("reason.{reason}");
    let content = html! {
        h2 { a href=(address(&format!("/ui/accounts/{id}"), &[])) { (status.config.name) } " " span class={ "state " (state) } { (view.t(&format!("state.{state}"))) } }
        @if !reason.is_empty() {
            p class="why" {
                (view.language.text_or(&reason_name, &reason))
                @if let Some((_, Some(until))) = &status.refusal { " · " (view.t("now.until")) " " (time(*until)) }
            }
        }
        @for line in status.quotas.iter().flat_map(LimitLine::of) { (line.render(view)) }
        dl class="figures" {
            div { dt { (view.t("now.in_flight")) } dd { (count(status.in_flight.into())) } }
            div { dt { (view.t("now.first_token")) } dd { (status.latency_ms.0.map_or("–".to_owned(), span)) } }
        }
        @if let Some((at, class, detail)) = &status.last_failure {
            p class="last-error" { (time(*at)) " " span class="class" { (class.as_str()) } " " (detail) }
        }
    };
    view.piece(&format!("api-{id}"), "card", content)
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
