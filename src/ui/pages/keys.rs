//! The keys of clients: what is used of each, and for admins how to make, change and end one.

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use maud::{Markup, html};
use serde_json::{Value, json};

use super::key_card::key_card;
use crate::config::{ApiKey, ClientKey, ConfigEdit, EditError, KeyConfig};
use crate::error::ApiError;
use crate::keys::KeyStatus;
use crate::ui::edit::{FormsText, ask, edit, entry_fields, to_again, typed};
use crate::ui::forms::{ActionOutcome, SentForm};
use crate::ui::page::PageRequest;
use crate::ui::view::{Facts, View, address};

/// The limits that a form has, in this order.
const NUMBERS: [&str; 5] = ["rpm", "rpd", "tpm", "tpd", "maxConcurrent"];

/// The periods of a budget.
const PERIODS: [&str; 3] = ["day", "week", "month"];

/// Secrets that a key may have by a form: the one in use, the new one, and one of somebody who is late.
const MOST_SECRETS: usize = 3;

/// Keys that a page shows at once. Beyond it, a name is to be typed.
const MOST_SHOWN: usize = 100;

struct KeysFacts {
    keys: Vec<KeyStatus>,
    text: FormsText,
    find: String,
}

pub(in crate::ui) fn load(asked: PageRequest) -> LocalBoxFuture<'static, Result<Box<dyn Facts>, ApiError>> {
    async move {
        let keys = asked.worker.keys.status(None).await;
        let text = FormsText::of(&asked).await;
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
            @if view.visitor.is_admin() { p { a href="#make" { "+ " (view.t("keys.make")) } } }
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
    /// Makes what can be done with a key.
    fn actions(&self, key: &KeyConfig, view: &View) -> Markup {
        let seen = self.text.seen();
        let of = [("name", key.name.as_str()), ("seen", seen.as_str())];
        html! {
            div class="row under" {
                @if key.enabled { (view.button("/ui/keys/disable", view.t("keys.disable"), &of)) }
                @else { (view.button("/ui/keys/enable", view.t("keys.enable"), &of)) }
                @if key.secrets.len() < MOST_SECRETS { (view.button("/ui/keys/rotate", view.t("keys.rotate"), &of)) }
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
                (self.text.problem(view))
                form method="post" action="/ui/keys/make" class="stacked" {
                    (view.token_field())
                    input type="hidden" name="seen" value=(self.text.seen());
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
            return ActionOutcome::bad(format!("make a key {name:?}"), text, to_again(&form, "/ui/keys") + "#make");
        }
        // The name first, then the digest, as `keys new` writes an entry.
        let mut whole = serde_json::Map::new();
        whole.extend(entry.remove_entry("name"));
        whole.insert("key".to_owned(), json!(ClientKey::digest_of(&key)));
        whole.extend(entry);
        let entry = Value::Object(whole);
        with_secret(&form, (ConfigEdit::PutKey(entry.clone()), key), entry, "keys.made").await
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

/// Gives a key another secret, shown once. The older ones hold until they are ended, and stay as they are written.
pub(in crate::ui) fn rotate(form: SentForm) -> LocalBoxFuture<'static, ActionOutcome> {
    async move {
        let name = form.field("name").unwrap_or_default().to_owned();
        let config = form.worker.config();
        let holds = config.keys.iter().find(|key| key.name.as_str() == name).map_or(0, |key| key.secrets.len());
        if holds >= MOST_SECRETS {
            let text = form.language.filled("keys.many_secrets", &[("most", &MOST_SECRETS.to_string())]);
            return ActionOutcome::bad(format!("add a secret to key {name:?}"), text, "/ui/keys");
        }
        let key = ApiKey::generate();
        let secret = ClientKey::digest_of(&key);
        let entry = json!(secret);
        let change = ConfigEdit::AddKeySecret { name, secret };
        with_secret(&form, (change, key), entry, "keys.rotated").await
    }
    .boxed_local()
}

/// Ends all secrets of a key but the newest.
pub(in crate::ui) fn end_old(form: SentForm) -> LocalBoxFuture<'static, ActionOutcome> {
    async move {
        let name = form.field("name").unwrap_or_default().to_owned();
        edit(&form, ConfigEdit::KeepLastSecret(name), ("/ui/keys", "keys.ended")).await
    }
    .boxed_local()
}

/// Does an edit that puts the digest of a new key into the file. Where nobody can write the file here, the page shows what to put
/// there by hand.
async fn with_secret(
    form: &SentForm,
    (change, key): (ConfigEdit, ApiKey),
    by_hand: Value,
    words: &str,
) -> ActionOutcome {
    if let Err(EditError::ReadOnly { why, .. }) = ask(form, change.clone(), true).await {
        let lines = serde_json::to_string_pretty(&by_hand).unwrap_or_default();
        let text = format!("{}\n{why}\n\n{lines}", form.language.text("keys.by_hand"));
        let mut outcome = ActionOutcome::bad(change.to_string(), text, "/ui/keys");
        outcome.notice.secret = Some(key);
        return outcome;
    }
    let outcome = edit(form, change, ("/ui/keys", words)).await;
    shown_once(outcome, key, form.field("name").unwrap_or_default())
}
