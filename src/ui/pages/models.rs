//! The models of the pool: the accounts that serve each model, and the route of a request.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use maud::{Markup, html};
use serde_json::Value;

use crate::config::Config;
use crate::error::ApiError;
use crate::http::explain;
use crate::scheduler::{ApiReport, GetReports};
use crate::types::ApiId;
use crate::ui::page::PageRequest;
use crate::ui::view::{Facts, View, account_page};
use crate::ui::widgets::{head, number};

/// The most models in the list. A visitor finds further models by name.
const MOST_LISTED: usize = 500;

struct ModelsFacts {
    config: Arc<Config>,
    apis: Vec<ApiReport>,
    /// The model whose route is shown.
    asked: Option<String>,
}

pub(in crate::ui) fn load(asked: PageRequest) -> LocalBoxFuture<'static, Result<Box<dyn Facts>, ApiError>> {
    async move {
        let apis = asked.worker.supervisor.send(GetReports).await.map_err(|_| ApiError::Stopping)?;
        let config = (*asked.worker.config()).clone();
        let asked = asked.field("model").map(str::to_owned);
        Ok(Box::new(ModelsFacts { config, apis, asked }) as Box<dyn Facts>)
    }
    .boxed_local()
}

impl Facts for ModelsFacts {
    fn render(&self, view: &View) -> Markup {
        html! {
            form method="get" action="/ui/models" class="filters" {
                label {
                    (view.t("models.name"))
                    input name="model" value=(self.asked.as_deref().unwrap_or_default()) list="names" required;
                }
                button type="submit" { (view.t("models.explain")) }
                datalist id="names" { @for name in self.served().keys().take(MOST_LISTED) { option value=(name) {} } }
            }
            @if let Some(model) = &self.asked {
                (view.piece("route", "panel", self.route(model, view)))
            }
            (view.piece("models", "scroll", self.list(view)))
        }
    }
}

impl ModelsFacts {
    /// Returns the accounts of each model, by the model's name for clients.
    fn served(&self) -> BTreeMap<Arc<str>, Vec<ApiId>> {
        let mut served: BTreeMap<Arc<str>, Vec<ApiId>> = BTreeMap::new();
        for api in self.apis.iter().filter(|api| api.status.config.enabled) {
            for name in api.models.iter().flat_map(|models| models.exact.iter()) {
                served.entry(name.clone()).or_default().push(api.status.config.id.clone());
            }
        }
        served
    }

    fn list(&self, view: &View) -> Markup {
        let served = self.served();
        let aliases = self.config.aliases.iter();
        html! {
            table {
                (head(view, &["models.model", "models.accounts"], &[]))
                tbody {
                    @for (alias, models) in aliases {
                        tr {
                            td {
                                (view.link("/ui/models", &[("model", alias)], alias)) " "
                                span class="state" { (view.t("models.alias")) }
                            }
                            td { (models.join(" → ")) }
                        }
                    }
                    @for (name, apis) in served.iter().take(MOST_LISTED) {
                        tr {
                            td { (view.link("/ui/models", &[("model", name)], name)) }
                            td {
                                @for (at, id) in apis.iter().enumerate() {
                                    @if at > 0 { ", " }
                                    a href=(account_page(id.as_str())) { (id) }
                                }
                            }
                        }
                    }
                }
            }
            @if served.len() > MOST_LISTED { p class="faint" { (view.t("models.more")) } }
        }
    }

    /// Makes the route of a request: each account with a share of the requests, or with the reason against the account.
    fn route(&self, model: &str, view: &View) -> Markup {
        let explained = explain(model, None, &self.config, &self.apis);
        let text = |of: &Value, field: &str| of.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let apis = explained.get("apis").and_then(Value::as_array).cloned().unwrap_or_default();
        html! {
            h2 { (model) }
            @if let Some(refusal) = explained.get("refusal").filter(|refusal| !refusal.is_null()) {
                p class="problem" { (text(refusal, "message")) }
            }
            table {
                (head(view, &["models.account", "models.why_not"], &["models.share"]))
                tbody {
                    @for api in &apis {
                        @let share = api.get("share").and_then(Value::as_f64).unwrap_or_default();
                        @let reason = text(api, "reason");
                        tr {
                            td { (text(api, "id")) }
                            td { (view.reason(&reason)) }
                            (number(if share > 0.0 { format!("{:.0} %", share * 100.0) } else { "–".to_owned() }))
                        }
                    }
                }
            }
        }
    }
}
