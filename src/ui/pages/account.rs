//! One account: its limits, models and failures, and what an admin may do with it.

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use maud::{Markup, html};

use super::card::{card, first_tokens};
use super::settings::settings;
use crate::error::ApiError;
use crate::records::{GetRecent, KEPT_REQUESTS, RecentFilter, RecentRequest};
use crate::scheduler::{ApiReport, GetReports};
use crate::ui::edit::FormsText;
use crate::ui::format::time;
use crate::ui::limits::LimitLine;
use crate::ui::page::PageRequest;
use crate::ui::view::{Facts, View};

/// How long an account may be let rest by one press, in hours.
const RESTS: [u32; 4] = [1, 4, 12, 24];

/// Models that are offered while a name is typed.
const MOST_OFFERED: usize = 500;

struct AccountFacts {
    name: String,
    api: Option<ApiReport>,
    recent: Vec<RecentRequest>,
    text: FormsText,
}

pub(in crate::ui) fn load(asked: PageRequest) -> LocalBoxFuture<'static, Result<Box<dyn Facts>, ApiError>> {
    async move {
        let apis = asked.worker.supervisor.send(GetReports).await.map_err(|_| ApiError::Stopping)?;
        let text = FormsText::of(&asked).await;
        let name = asked.name.unwrap_or_default();
        let api = apis.into_iter().find(|api| api.status.config.id.as_str() == name);
        let filter = RecentFilter { api: Some(name.clone()), ..RecentFilter::default() };
        let recent = GetRecent { after: None, filter, most: KEPT_REQUESTS };
        let recent = asked.worker.recorder_actor.send(recent).await.map_err(|_| ApiError::Stopping)?.requests;
        Ok(Box::new(AccountFacts { name, api, recent, text }) as Box<dyn Facts>)
    }
    .boxed_local()
}

impl Facts for AccountFacts {
    fn is_there(&self) -> bool {
        self.api.is_some()
    }

    fn about(&self) -> Option<String> {
        Some(self.name.clone())
    }

    fn render(&self, view: &View) -> Markup {
        let Some(api) = &self.api else { return html! { p { (view.t("account.gone")) } } };
        let firsts = first_tokens(&self.recent).remove(&api.status.config.id).unwrap_or_default();
        html! {
            div class="columns" {
                div {
                    (card(api, &firsts, view))
                    (view.piece("of-models", "panel", of_models(api, view)))
                    (view.piece("absent", "panel", absent(api, view)))
                    p {
                        (view.link("/ui/live", &[("api", &self.name)], view.t("account.requests"))) " · "
                        (view.link("/ui/usage", &[("api", &self.name), ("group", "model")], view.t("page.usage")))
                    }
                }
                @if view.visitor.is_admin() {
                    div {
                        @if api.status.config.enabled { (self.steering(view)) }
                        (settings(&api.status.config, &self.text, view))
                    }
                }
            }
        }
    }
}

impl AccountFacts {
    /// Returns the models to choose from for a test.
    fn models(&self) -> impl Iterator<Item = &str> {
        let served = self.api.iter().filter_map(|api| api.models.as_ref());
        served.flat_map(|models| models.exact.iter()).map(|name| &**name).take(MOST_OFFERED)
    }

    fn steering(&self, view: &View) -> Markup {
        html! {
            div class="panel row" {
                form method="post" action="/ui/accounts/rest" class="inline" {
                    (view.token_field())
                    input type="hidden" name="api" value=(self.name);
                    label {
                        (view.t("account.rest_for")) " "
                        select name="hours" { @for hours in RESTS { option value=(hours) { (hours) " h" } } }
                    }
                    label {
                        (view.t("account.rest_until")) " (" span data-zone { "UTC" } ") "
                        input type="datetime-local" name="until" data-utc;
                    }
                    button type="submit" { (view.t("account.rest")) }
                }
                (view.button("/ui/accounts/wake", view.t("account.wake"), &[("api", &self.name)]))
                form method="post" action="/ui/accounts/test" class="inline" {
                    (view.token_field())
                    input type="hidden" name="api" value=(self.name);
                    label { (view.t("account.test_with")) " " input name="model" list="of-account" autocomplete="off"; }
                    datalist id="of-account" { @for model in self.models() { option value=(model) {} } }
                    button type="submit" { (view.t("account.test")) }
                }
            }
        }
    }
}

/// Makes the limits of single models.
fn of_models(api: &ApiReport, view: &View) -> Markup {
    let lines = api.status.quotas.iter().flat_map(LimitLine::of);
    let lines: Vec<LimitLine> = lines.filter(|line| line.of_model.is_some()).collect();
    html! {
        @if !lines.is_empty() { h2 { (view.t("account.model_limits")) } }
        @for line in lines {
            p class="faint" { code { (line.of_model.as_deref().unwrap_or_default()) } }
            (line.render(view))
        }
    }
}

fn absent(api: &ApiReport, view: &View) -> Markup {
    html! {
        @if !api.status.absent_models.is_empty() { h2 { (view.t("account.absent_models")) } }
        @for absent in &api.status.absent_models {
            p {
                code { (absent.model) } " "
                span class="class" { (view.language.class(absent.reason.as_str())) } " "
                (view.t("now.until")) " " (time(absent.until))
            }
        }
    }
}
