//! What an admin changes of a key in the file.

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use serde_json::{Map, Value, json};

use super::limits::{self, NUMBERS};
use super::secret::{NewSecret, with_secret};
use crate::config::{ApiKey, ClientKey, ConfigEdit};
use crate::ui::edit::{changed_fields, config_text, edit, entry_fields, with_changes};
use crate::ui::forms::{ActionOutcome, SentForm};
use crate::ui::view::key_page;

/// Secrets that a key may have by a form: the one in use, the new one, and one of somebody who is late.
pub(super) const MOST_SECRETS: usize = 3;

/// Puts what was changed in the form into the key's entry.
pub(in crate::ui) fn set(form: SentForm) -> LocalBoxFuture<'static, ActionOutcome> {
    async move {
        let mut fields = changed_fields(&form, entry_fields(&form, &NUMBERS, &["models", "apis"], &["expires"]));
        let entry = config_text(&form.worker).await.ok().and_then(|text| text.client_key(name_of(&form)));
        let entry = entry.unwrap_or_default();
        let budgets = limits::changed_budgets(&form, &entry);
        fields.extend(budgets.map(|budgets| ("budgets".to_owned(), budgets)));
        with_changes(set_fields(&form, fields.clone(), "settings.saved").await, &entry, &fields)
    }
    .boxed_local()
}

/// Refuses a key from now on.
pub(in crate::ui) fn disable(form: SentForm) -> LocalBoxFuture<'static, ActionOutcome> {
    async move { set_fields(&form, enabled(json!(false)), "keys.disabled").await }.boxed_local()
}

/// Lets a key in again.
pub(in crate::ui) fn enable(form: SentForm) -> LocalBoxFuture<'static, ActionOutcome> {
    async move { set_fields(&form, enabled(Value::Null), "keys.enabled").await }.boxed_local()
}

/// Gives a key another secret, shown once. The older ones hold until they are ended, and stay as they are written.
pub(in crate::ui) fn rotate(form: SentForm) -> LocalBoxFuture<'static, ActionOutcome> {
    async move {
        let name = name_of(&form).to_owned();
        let page = key_page(&name);
        let config = form.worker.config();
        let holds = config.keys.iter().find(|key| key.name.as_str() == name).map_or(0, |key| key.secrets.len());
        if holds >= MOST_SECRETS {
            let text = form.language.filled("keys.many_secrets", &[("most", &MOST_SECRETS.to_string())]);
            return ActionOutcome::bad(format!("add a secret to key {name:?}"), text, page);
        }
        let key = ApiKey::generate();
        let secret = ClientKey::digest_of(&key);
        let by_hand = json!(secret);
        let new = NewSecret { key, change: ConfigEdit::AddKeySecret { name, secret }, by_hand };
        with_secret(&form, new, (&page, "keys.rotated")).await
    }
    .boxed_local()
}

/// Ends all secrets of a key but the newest.
pub(in crate::ui) fn end_old(form: SentForm) -> LocalBoxFuture<'static, ActionOutcome> {
    async move {
        let name = name_of(&form);
        edit(&form, ConfigEdit::KeepLastSecret(name.to_owned()), (&key_page(name), "keys.ended")).await
    }
    .boxed_local()
}

/// Takes a key out of the file.
pub(in crate::ui) fn remove(form: SentForm) -> LocalBoxFuture<'static, ActionOutcome> {
    async move {
        let name = name_of(&form);
        let done = (&*key_page(name), "settings.removed");
        edit(&form, ConfigEdit::RemoveKey(name.to_owned()), done).await.then_at("/ui/keys")
    }
    .boxed_local()
}

fn name_of(form: &SentForm) -> &str {
    form.field("name").unwrap_or_default()
}

fn enabled(value: Value) -> Map<String, Value> {
    [("enabled".to_owned(), value)].into_iter().collect()
}

async fn set_fields(form: &SentForm, fields: Map<String, Value>, words: &str) -> ActionOutcome {
    let name = name_of(form).to_owned();
    let page = key_page(&name);
    edit(form, ConfigEdit::SetKey { name, fields }, (&page, words)).await
}
