//! One account: its limits, models and failures, and what an admin may do with it.

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use maud::{Markup, html};

use super::card::{card, state};
use crate::error::ApiError;
use crate::scheduler::{ApiReport, GetReports};
use crate::ui::format::time;
use crate::ui::page::{Facts, PageRequest};
use crate::ui::view::View;

struct AccountFacts {
    name: String,
    api: Option<ApiReport>,
}

pub(in crate::ui) fn load(asked: PageRequest) -> LocalBoxFuture<'static, Result<Box<dyn Facts>, ApiError>> {
    async move {
        let apis = asked.worker.supervisor.send(GetReports).await.map_err(|_| ApiError::Stopping)?;
        let name = asked.name.unwrap_or_default();
        let api = apis.into_iter().find(|api| api.status.config.id.as_str() == name);
        Ok(Box::new(AccountFacts { name, api }) as Box<dyn Facts>)
    }
    .boxed_local()
}

impl Facts for AccountFacts {
    fn about(&self) -> Option<String> {
        Some(self.name.clone())
    }

    fn render(&self, view: &View) -> Markup {
        let Some(api) = &self.api else { return html! { p { (view.t("account.gone")) } } };
        html! {
            (card(api, Vec::new(), view))
            (view.piece("absent", "panel", absent(api, view)))
        }
    }
}

fn absent(api: &ApiReport, view: &View) -> Markup {
    let (name, _) = state(api);
    html! {
        h2 { (view.t("account.absent_models")) }
        @if api.status.absent_models.is_empty() { p class="faint" { (view.t("account.none_absent")) " (" (view.t(&format!("state.{name}"))) ")" } }
        @for absent in &api.status.absent_models {
            p { code { (absent.model) } " " span class="class" { (absent.reason.as_str()) } " " (view.t("now.until")) " " (time(absent.until)) }
        }
    }
}
