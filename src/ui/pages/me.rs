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
use crate::ui::page::PageRequest;
use crate::ui::view::{Facts, View, address};
use crate::ui::widgets::{empty_row, head, number};
use crate::usage::UsageRow;

/// How far back the usage is summed up, in ms: thirty days.
const REACH: i64 = 29 * 86_400_000;

/// The columns of numbers.
const COLUMNS: [&str; 4] = ["usage.requests", "usage.input", "usage.output", "usage.cost"];

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
                    (head(view, &["models.model"], &COLUMNS))
                    tbody {
                        @for row in &self.rows {
                            @let [_, _, model, _] = &row.names;
                            @let counts = &row.counts;
                            tr {
                                td class="wrap" { (model.as_deref().unwrap_or_default()) }
                                (number(count(counts.requests)))
                                (number(short(counts.tokens.prompt())))
                                (number(short(counts.tokens.completion())))
                                (number(money(counts.cost)))
                            }
                        }
                        @if self.rows.is_empty() { (empty_row(COLUMNS.len() + 1, view.t("usage.none"))) }
                    }
                }
            }))
        }
    }
}
