//! A new secret of a key: the digest into the file, the secret on one page, once.

use serde_json::Value;

use crate::config::{ApiKey, ConfigEdit, EditError};
use crate::ui::edit::{ask, edit};
use crate::ui::forms::{ActionOutcome, SentForm};
use crate::ui::view::address;

/// A secret that an edit puts into the file.
pub(super) struct NewSecret {
    pub(super) key: ApiKey,
    pub(super) change: ConfigEdit,
    /// What is to be put into a file that nobody can write here.
    pub(super) by_hand: Value,
}

/// Does an edit that puts the digest of a new key into the file. Where nobody can write the file here, the page shows what to put
/// there by hand. `done`: the page that says so, and the name of the words.
pub(super) async fn with_secret(form: &SentForm, new: NewSecret, done: (&str, &str)) -> ActionOutcome {
    let NewSecret { key, change, by_hand } = new;
    let (to, _) = done;
    if let Err(EditError::ReadOnly { why, .. }) = ask(form, change.clone(), true).await {
        let lines = serde_json::to_string_pretty(&by_hand).unwrap_or_default();
        let text = format!("{}\n{why}\n\n{lines}", form.language.text("keys.by_hand"));
        let mut outcome = ActionOutcome::bad(change.to_string(), text, to);
        outcome.notice.secret = Some(key);
        return outcome;
    }
    let mut outcome = edit(form, change, done).await;
    if !outcome.notice.is_good {
        return outcome;
    }
    outcome.notice.secret = Some(key);
    let name = form.field("name").unwrap_or_default();
    outcome.linked(address("/ui/recipes", &[("key", name)]), "recipes.link")
}
