//! What an admin changes of an account in the file: on and off, weight, limits, key; and a new account from a preset.

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use maud::{Markup, html};
use serde_json::{Map, Value, json};

use crate::config::{ApiConfig, ConfigEdit, Providers};
use crate::error::ApiError;
use crate::types::Limit;
use crate::ui::edit::{FormsText, SHOWN, changed_fields, config_text, edit, entry_fields, typed, with_changes};
use crate::ui::forms::{ActionOutcome, SentForm};
use crate::ui::page::PageRequest;
use crate::ui::view::{Facts, View, account_page};

/// The numbers of an account's form.
const NUMBERS: [&str; 6] = ["weight", "priority", "rpm", "rpd", "tpm", "tpd"];

/// The limits of the form for a new account.
const LIMITS: [&str; 4] = ["rpm", "rpd", "tpm", "tpd"];

/// Makes the forms of an account.
pub(super) fn settings(api: &ApiConfig, text: &FormsText, view: &View) -> Markup {
    let seen = text.seen();
    let id = api.id.as_str();
    let of = [("api", id), ("seen", seen.as_str())];
    let limits = &api.quota.limits;
    let bound = |limit: Limit| limit.bound().map(|bound| bound.to_string()).unwrap_or_default();
    let holds = [
        api.weight.to_string(),
        api.priority.to_string(),
        bound(limits.rpm),
        bound(limits.rpd),
        bound(limits.tpm),
        bound(limits.tpd),
    ];
    html! {
        div class="panel" {
            h2 { (view.t("settings.in_the_file")) }
            (text.problem(view))
            @if !api.enabled { div class="row" { (view.button("/ui/accounts/enable", view.t("keys.enable"), &of)) } }
            form method="post" action="/ui/accounts/set" class="stacked" {
                (view.token_field())
                @for (name, value) in of { input type="hidden" name=(name) value=(value); }
                div class="row" { @for (name, holds) in NUMBERS.iter().zip(&holds) {
                    input type="hidden" name={ (SHOWN) (name) } value=(holds);
                    label { (name) input name=(name) type="number" size="8" value=(typed(view, name, holds)); }
                } }
                div { button type="submit" { (view.t("settings.save")) } }
            }
            form method="post" action="/ui/accounts/key" class="stacked" autocomplete="off" {
                (view.token_field())
                @for (name, value) in of { input type="hidden" name=(name) value=(value); }
                label { (view.t("settings.new_key")) input name="key" type="password" required autocomplete="off"; }
                p class="faint" { (view.t("settings.key_hint")) }
                div { button type="submit" { (view.t("settings.replace_key")) } }
            }
        }
        div class="panel" {
            h2 { (view.t("settings.dangers")) }
            @if api.enabled {
                (view.ticked("/ui/accounts/disable", [view.t("keys.disable"), view.t("settings.disable_means")], &of))
            }
            (view.ticked("/ui/accounts/remove", [view.t("settings.remove"), view.t("settings.remove_means")], &of))
        }
    }
}

/// Puts those numbers of the form into the entry that are others than before.
pub(in crate::ui) fn set(form: SentForm) -> LocalBoxFuture<'static, ActionOutcome> {
    async move {
        let fields = changed_fields(&form, entry_fields(&form, &NUMBERS, &[], &[]));
        let id = form.field("api").unwrap_or_default();
        let entry = config_text(&form.worker).await.ok().and_then(|text| text.api(id));
        with_changes(change(&form, fields.clone(), "settings.saved").await, &entry.unwrap_or_default(), &fields)
    }
    .boxed_local()
}

/// Gives the account another key. A key file is no longer named then.
pub(in crate::ui) fn key(form: SentForm) -> LocalBoxFuture<'static, ActionOutcome> {
    async move {
        let key = form.field("key").unwrap_or_default();
        let fields = [("apiKey".to_owned(), json!(key)), ("apiKeyFile".to_owned(), Value::Null)];
        change(&form, fields.into_iter().collect(), "settings.key_replaced").await
    }
    .boxed_local()
}

/// Takes an account out of use.
pub(in crate::ui) fn disable(form: SentForm) -> LocalBoxFuture<'static, ActionOutcome> {
    async move { change(&form, [("enabled".to_owned(), json!(false))].into_iter().collect(), "settings.saved").await }
        .boxed_local()
}

/// Takes an account into use again.
pub(in crate::ui) fn enable(form: SentForm) -> LocalBoxFuture<'static, ActionOutcome> {
    async move { change(&form, [("enabled".to_owned(), Value::Null)].into_iter().collect(), "settings.saved").await }
        .boxed_local()
}

/// Takes an account out of the file.
pub(in crate::ui) fn remove(form: SentForm) -> LocalBoxFuture<'static, ActionOutcome> {
    async move {
        let id = form.field("api").unwrap_or_default();
        let done = (&*account_page(id), "settings.removed");
        edit(&form, ConfigEdit::RemoveApi(id.to_owned()), done).await.then_at("/ui/")
    }
    .boxed_local()
}

async fn change(form: &SentForm, fields: Map<String, Value>, words: &str) -> ActionOutcome {
    let id = form.field("api").unwrap_or_default().to_owned();
    let to = account_page(&id);
    edit(form, ConfigEdit::SetApi { id, fields }, (&to, words)).await
}

struct NewAccountFacts {
    text: FormsText,
    providers: Vec<(String, String)>,
}

/// Loads the form for a new account.
pub(in crate::ui) fn load(asked: PageRequest) -> LocalBoxFuture<'static, Result<Box<dyn Facts>, ApiError>> {
    async move {
        let text = FormsText::of(&asked).await;
        let known = Providers::embedded().list().iter();
        let providers = known.map(|provider| (provider.id.clone(), provider.name.clone())).collect();
        Ok(Box::new(NewAccountFacts { text, providers }) as Box<dyn Facts>)
    }
    .boxed_local()
}

impl Facts for NewAccountFacts {
    fn render(&self, view: &View) -> Markup {
        let input =
            |name: &str, label: &str| html! { label { (label) input name=(name) value=(typed(view, name, "")); } };
        html! {
            (self.text.problem(view))
            form method="post" action="/ui/accounts/add" class="stacked panel" autocomplete="off" {
                (view.token_field())
                input type="hidden" name="seen" value=(self.text.seen());
                label { (view.t("add.provider"))
                    select name="provider" {
                        option value="" { (view.t("add.other")) }
                        @for (id, name) in &self.providers {
                            option value=(id) selected[view.asked("provider").as_deref() == Some(id)] { (name) }
                        }
                    }
                }
                (input("id", view.t("add.id")))
                (input("baseUrl", view.t("add.base_url")))
                label { (view.t("settings.new_key")) input name="key" type="password" autocomplete="off"; }
                p class="faint" { (view.t("settings.key_hint")) }
                (input("models", view.t("add.models")))
                div class="row" { @for name in LIMITS {
                    label { (name) input name=(name) type="number" value=(typed(view, name, "")); }
                } }
                div { button type="submit" class="main" { (view.t("add.add")) } }
            }
        }
    }
}

/// Adds an account.
pub(in crate::ui) fn add(form: SentForm) -> LocalBoxFuture<'static, ActionOutcome> {
    async move {
        let limits = entry_fields(&form, &LIMITS, &[], &[]);
        let mut fields = entry_fields(&form, &LIMITS, &["models"], &["id", "provider", "baseUrl"]);
        let id = form.field("id").or(form.field("provider")).unwrap_or_default().to_owned();
        fields.insert("id".to_owned(), json!(id));
        if let Some(key) = form.field("key") {
            fields.insert("apiKey".to_owned(), json!(key));
        }
        fields.retain(|_, value| !value.is_null());
        // As people write an entry: who and where first, the limits last.
        let mut entry = Map::new();
        for name in ["id", "provider", "baseUrl", "apiKey", "models"] {
            entry.extend(fields.remove_entry(name));
        }
        entry.extend(fields);
        let edit = edit(&form, ConfigEdit::AddApi(Value::Object(entry)), ("/ui/add", "add.added"));
        with_changes(edit.await, &Map::new(), &limits).then_at(account_page(&id))
    }
    .boxed_local()
}
