//! The keys of clients: what is used of each, and for admins how to make, change and end one.

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use maud::{Markup, html};
use serde_json::{Value, json};

use super::key_card::key_card;
use crate::config::{ApiKey, ClientKey, ConfigEdit, KeyConfig, MaskedConfig};
use crate::error::ApiError;
use crate::keys::KeyStatus;
use crate::ui::edit::{config_text, edit, entry_fields, typed};
use crate::ui::forms::{ActionOutcome, SentForm};
use crate::ui::page::{Facts, PageRequest};
use crate::ui::view::{View, address};

/// The limits that a form has, in this order.
const NUMBERS: [&str; 5] = ["rpm", "rpd", "tpm", "tpd", "maxConcurrent"];

/// The periods of a budget.
const PERIODS: [&str; 3] = ["day", "week", "month"];

/// Keys that a page shows at once. Beyond it, a name is to be typed.
const MOST_SHOWN: usize = 100;

struct KeysFacts {
    keys: Vec<KeyStatus>,
    text: Result<MaskedConfig, String>,
    find: String,
}

pub(in crate::ui) fn load(asked: PageRequest) -> LocalBoxFuture<'static, Result<Box<dyn Facts>, ApiError>> {
    async move {
        let keys = asked.worker.keys.status(None).await;
        let text = config_text(&asked.worker).await;
        let find = asked.field("find").unwrap_or_default().to_lowercase();
        Ok(Box::new(KeysFacts { keys, text, find }) as Box<dyn Facts>)
    }
    .boxed_local()
}

impl Facts for KeysFacts {
    fn render(&self, view: &View) -> Markup {
        let found: Vec<&KeyStatus> =
            self.keys.iter().filter(|key| key.config.name.as_str().to_lowercase().contains(&self.find)).collect();
        html! {
            form method="get" action="/ui/keys" class="filters" {
                label { (view.t("keys.find")) input name="find" value=(self.find); }
                button type="submit" { (view.t("live.filter")) }
            }
            div class="cards" {
                @for key in found.iter().take(MOST_SHOWN) {
                    div class="stack" {
                        (view.piece(&format!("key-{}", key.config.name), "card", key_card(key, view)))
                        @if view.visitor.is_admin() && !key.config.is_default() { (self.actions(&key.config, view)) }
                    }
                }
            }
            @if found.len() > MOST_SHOWN { p class="faint" { (view.t("keys.more")) } }
            @if view.visitor.is_admin() { (self.make(view)) }
        }
    }
}

impl KeysFacts {
    fn seen(&self) -> String {
        self.text.as_ref().map(|text| text.hash.to_string()).unwrap_or_default()
    }

    /// Makes what can be done with a key.
    fn actions(&self, key: &KeyConfig, view: &View) -> Markup {
        let seen = self.seen();
        let of = [("name", key.name.as_str()), ("seen", seen.as_str())];
        html! {
            div class="row under" {
                @if key.enabled { (view.button("/ui/keys/disable", view.t("keys.disable"), &of)) }
                @else { (view.button("/ui/keys/enable", view.t("keys.enable"), &of)) }
                (view.button("/ui/keys/rotate", view.t("keys.rotate"), &of))
                @if key.secrets.len() > 1 { (view.button("/ui/keys/end-old", view.t("keys.end_old"), &of)) }
            }
        }
    }

    fn make(&self, view: &View) -> Markup {
        let input = |name: &str, label: &str, kind: &str| {
            html! {
                label { (label) input name=(name) type=(kind) value=(typed(view, name, "")); }
            }
        };
        html! {
            div class="panel" id="make" {
                h2 { (view.t("keys.make")) }
                @if let Err(why) = &self.text { p class="problem" { (why) } }
                @if let Ok(MaskedConfig { read_only: Some(why), .. }) = &self.text {
                    p class="problem" { (view.t("edit.read_only")) " " (why) }
                }
                form method="post" action="/ui/keys/make" class="stacked" {
                    (view.token_field())
                    input type="hidden" name="seen" value=(self.seen());
                    label { (view.t("keys.name")) input name="name" required value=(typed(view, "name", "")); }
                    div class="row" {
                        (input("models", view.t("keys.models_list"), "text"))
                        (input("apis", view.t("keys.apis_list"), "text"))
                    }
                    div class="row" { @for name in NUMBERS { (input(name, name, "number")) } }
                    div class="row" {
                        label {
                            (view.t("keys.budget"))
                            input name="usd" inputmode="decimal" value=(typed(view, "usd", ""));
                        }
                        label {
                            (view.t("keys.per"))
                            select name="per" { @for per in PERIODS {
                                @let is_chosen = view.asked("per").as_deref() == Some(per);
                                option value=(per) selected[is_chosen] { (view.t(&format!("period.{per}"))) }
                            } }
                        }
                        label {
                            (view.t("keys.last_day"))
                            input name="expires" type="date" value=(typed(view, "expires", ""));
                        }
                    }
                    div { button type="submit" class="main" { (view.t("keys.make")) } }
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
            let usd = usd.trim_start_matches('$').parse::<f64>().map_or(json!(usd), Value::from);
            entry.insert("budgets".to_owned(), json!([{ "usd": usd, "per": form.field("per").unwrap_or("day") }]));
        }
        entry.retain(|_, value| !value.is_null());
        let name = form.field("name").unwrap_or_default();
        let is_taken = form.worker.config().keys.iter().any(|key| key.name.as_str() == name);
        if is_taken {
            let text = form.language.filled("keys.taken", &[("name", name)]);
            return ActionOutcome::bad(format!("make a key {name:?}"), text, "/ui/keys#make");
        }
        // The name first, then the digest, as `keys new` writes an entry.
        let mut whole = serde_json::Map::new();
        whole.extend(entry.remove_entry("name"));
        whole.insert("key".to_owned(), json!(ClientKey::digest_of(&key)));
        whole.extend(entry);
        let outcome = edit(&form, ConfigEdit::PutKey(Value::Object(whole)), ("/ui/keys", "keys.made")).await;
        shown_once(outcome, key, form.field("name").unwrap_or_default())
    }
    .boxed_local()
}

/// Shows a new key, if it is in the file.
fn shown_once(mut outcome: ActionOutcome, key: ApiKey, name: &str) -> ActionOutcome {
    if !outcome.notice.is_good {
        return outcome;
    }
    outcome.notice.secret = Some(key);
    outcome.linked(address("/ui/recipes", &[("key", name)]), "recipes.link")
}

/// Refuses a key from now on.
pub(in crate::ui) fn disable(form: SentForm) -> LocalBoxFuture<'static, ActionOutcome> {
    set(form, ("enabled", json!(false)), "keys.disabled")
}

/// Lets a key in again.
pub(in crate::ui) fn enable(form: SentForm) -> LocalBoxFuture<'static, ActionOutcome> {
    set(form, ("enabled", Value::Null), "keys.enabled")
}

fn set(form: SentForm, field: (&'static str, Value), words: &'static str) -> LocalBoxFuture<'static, ActionOutcome> {
    async move {
        let name = form.field("name").unwrap_or_default().to_owned();
        let fields = [(field.0.to_owned(), field.1)].into_iter().collect();
        edit(&form, ConfigEdit::SetKey { name, fields }, ("/ui/keys", words)).await
    }
    .boxed_local()
}

/// Gives a key a second secret, shown once. The older one holds until it is ended.
pub(in crate::ui) fn rotate(form: SentForm) -> LocalBoxFuture<'static, ActionOutcome> {
    async move {
        let key = ApiKey::generate();
        let mut digests = digests(&form);
        digests.push(ClientKey::digest_of(&key));
        let outcome = put_digests(&form, &digests, "keys.rotated").await;
        shown_once(outcome, key, form.field("name").unwrap_or_default())
    }
    .boxed_local()
}

/// Ends all secrets of a key but the newest.
pub(in crate::ui) fn end_old(form: SentForm) -> LocalBoxFuture<'static, ActionOutcome> {
    async move {
        let newest: Vec<String> = digests(&form).pop().into_iter().collect();
        put_digests(&form, &newest, "keys.ended").await
    }
    .boxed_local()
}

/// Returns the digests of a key's secrets, the newest last.
fn digests(form: &SentForm) -> Vec<String> {
    let config = form.worker.config();
    let key = config.keys.iter().find(|key| Some(key.name.as_str()) == form.field("name"));
    key.map(|key| key.secrets.iter().map(ClientKey::digest_text).collect()).unwrap_or_default()
}

async fn put_digests(form: &SentForm, digests: &[String], words: &str) -> ActionOutcome {
    let name = form.field("name").unwrap_or_default().to_owned();
    let value = if let [one] = digests { json!(one) } else { json!(digests) };
    let fields = [("key".to_owned(), value)].into_iter().collect();
    edit(form, ConfigEdit::SetKey { name, fields }, ("/ui/keys", words)).await
}
