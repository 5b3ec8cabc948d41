//! A new key. The name and a budget stand first: what else a key can have is one press away.

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use maud::{Markup, html};
use serde_json::{Map, Value, json};

use super::limits::{self, NUMBERS};
use super::secret::{NewSecret, with_secret};
use crate::config::{ApiKey, ClientKey, ConfigEdit};
use crate::ui::edit::{FormsText, entry_fields, to_again, typed, with_changes};
use crate::ui::forms::{ActionOutcome, SentForm};
use crate::ui::view::View;

/// The fields that are folded while nothing is typed there.
const MORE: [&str; 3] = ["models", "apis", "expires"];

/// Makes the form.
pub(super) fn make_form(text: &FormsText, view: &View) -> Markup {
    let input = |name: &str, label: &str, kind: &str| {
        html! {
            label { (label) input name=(name) type=(kind) value=(typed(view, name, "")); }
        }
    };
    let is_typed = MORE.iter().chain(&NUMBERS).any(|name| view.asked(name).is_some());
    html! {
        div class="panel" id="make" {
            h2 { (view.t("keys.make")) }
            (text.problem(view))
            form method="post" action="/ui/keys/make" class="stacked wide" {
                (view.token_field())
                input type="hidden" name="seen" value=(text.seen());
                div class="row" {
                    label {
                        (view.t("keys.name"))
                        input name="name" required autocomplete="off" size="24" value=(typed(view, "name", ""));
                    }
                    (limits::budget_row(["usd", "per"], ["", "day"], view))
                    button type="submit" class="main" { (view.t("keys.make")) }
                }
                details open[is_typed] {
                    summary { (view.t("keys.more_fields")) }
                    div class="row" { @for name in NUMBERS { (input(name, name, "number")) } }
                    div class="row" {
                        (input("models", view.t("keys.models_list"), "text"))
                        (input("apis", view.t("keys.apis_list"), "text"))
                        (input("expires", view.t("keys.last_day"), "date"))
                    }
                }
            }
        }
    }
}

/// Makes a key.
pub(in crate::ui) fn make(form: SentForm) -> LocalBoxFuture<'static, ActionOutcome> {
    async move {
        let key = ApiKey::generate();
        let mut entry = entry_fields(&form, &NUMBERS, &["models", "apis"], &["name", "expires"]);
        if let Some(usd) = form.field("usd") {
            let budget = json!({ "usd": limits::dollars(usd), "per": form.field("per").unwrap_or("day") });
            entry.insert("budgets".to_owned(), json!([budget]));
        }
        entry.retain(|_, value| !value.is_null());
        let name = form.field("name").unwrap_or_default();
        let is_taken = form.worker.config().keys.iter().any(|key| key.name.as_str() == name);
        if is_taken {
            let text = form.language.filled("keys.taken", &[("name", name)]);
            return ActionOutcome::bad(format!("make a key {name:?}"), text, to_again(&form, "/ui/keys") + "#make");
        }
        // The name first, then the digest, as `keys new` writes an entry.
        let mut whole = Map::new();
        whole.extend(entry.remove_entry("name"));
        whole.insert("key".to_owned(), json!(ClientKey::digest_of(&key)));
        whole.extend(entry.clone());
        let by_hand = Value::Object(whole);
        let new = NewSecret { key, change: ConfigEdit::PutKey(by_hand.clone()), by_hand };
        with_changes(with_secret(&form, new, ("/ui/keys", "keys.made")).await, &Map::new(), &entry)
    }
    .boxed_local()
}
