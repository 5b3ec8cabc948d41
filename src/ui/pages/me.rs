//! What the holder of a client's key sees: its own limits and budgets, and nothing of others.

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use maud::{Markup, html};

use crate::error::ApiError;
use crate::http::KeyReport;
use crate::ui::page::{Facts, PageRequest};
use crate::ui::view::View;

struct OwnFacts {
    report: Option<KeyReport>,
}

pub(in crate::ui) fn load(asked: PageRequest) -> LocalBoxFuture<'static, Result<Box<dyn Facts>, ApiError>> {
    async move {
        let config = asked.worker.config();
        let key = config.keys.iter().find(|key| key.name == asked.visitor.name);
        let report = match key {
            Some(key) => KeyReport::of(&asked.worker, Some(key)).await.pop(),
            None => None,
        };
        Ok(Box::new(OwnFacts { report }) as Box<dyn Facts>)
    }
    .boxed_local()
}

impl Facts for OwnFacts {
    fn render(&self, view: &View) -> Markup {
        let Some(report) = &self.report else { return html! { p { (view.t("me.gone")) } } };
        html! {
            p { (report.key.name) }
        }
    }
}
