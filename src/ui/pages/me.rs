//! What the holder of a client's key sees: the key's own limits, budgets and usage, and nothing of others.

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use maud::{Markup, html};

use super::key_card::key_card;
use crate::error::ApiError;
use crate::http::usage_answer;
use crate::keys::KeyStatus;
use crate::types::Now;
use crate::ui::format::{count, money, short};
use crate::ui::page::{Facts, PageRequest};
use crate::ui::view::{View, address};
use crate::usage::UsageRow;

/// How far back the usage is summed up, in ms: thirty days.
const REACH: i64 = 29 * 86_400_000;

struct OwnFacts {
    status: Option<KeyStatus>,
    rows: Vec<UsageRow>,
}

pub(in crate::ui) fn load(asked: PageRequest) -> LocalBoxFuture<'static, Result<Box<dyn Facts>, ApiError>> {
    async move {
        let name = asked.visitor.name;
        let status = asked.worker.keys.status(Some(name.clone())).await.pop();
        let from = ((Now::read().wall - REACH) / 1_000).to_string();
        let query = address("", &[("from", &from), ("by", "month"), ("group", "model"), ("key", name.as_str())]);
        let (rows, _) = usage_answer(&asked.worker, query.trim_start_matches('?')).await?.sum.rows();
        Ok(Box::new(OwnFacts { status, rows }) as Box<dyn Facts>)
    }
    .boxed_local()
}

impl Facts for OwnFacts {
    fn render(&self, view: &View) -> Markup {
        let Some(status) = &self.status else { return html! { p { (view.t("me.gone")) } } };
        html! {
            (view.piece("own-key", "card", key_card(status, view)))
            (view.piece("own-usage", "scroll", html! {
                table {
                    caption { (view.t("me.usage")) }
                    thead { tr { th { (view.t("models.model")) } th class="right" { (view.t("usage.requests")) } th class="right" { (view.t("usage.input")) } th class="right" { (view.t("usage.output")) } th class="right" { (view.t("usage.cost")) } } }
                    tbody {
                        @for row in &self.rows {
                            @let [_, _, model, _] = &row.names;
                            tr {
                                td class="wrap" { (model.as_deref().unwrap_or_default()) }
                                td class="right" { (count(row.counts.requests)) }
                                td class="right" { (short(row.counts.tokens.prompt())) } td class="right" { (short(row.counts.tokens.completion())) }
                                td class="right" { (money(row.counts.cost)) }
                            }
                        }
                        @if self.rows.is_empty() { tr { td colspan="5" class="faint" { (view.t("usage.none")) } } }
                    }
                }
            }))
        }
    }
}
