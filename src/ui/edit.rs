//! Edits of the configuration's file by a form: a message to the [`crate::config::ConfigActor`], and the words for the answer.

use std::time::Duration;

use maud::{Markup, html};
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use super::forms::{ActionOutcome, SentForm};
use super::page::{Making, PageRequest};
use super::view::{TICK, View, address};
use crate::config::{
    ConfigEdit, EditConfig, EditError, EditedConfig, GetConfigText, MaskedConfig, TextHash, begins_like_key,
};
use crate::http::Worker;

/// How long an edit may take: the new text is checked, and written to the disk.
const WITHIN: Duration = Duration::from_secs(20);

/// So much of a value stands in the audit log, in characters.
const LONGEST_VALUE: usize = 200;

/// The beginning of the names of hidden fields. Such a field holds the first value of an input.
pub(super) const SHOWN: &str = "shown-";

/// Returns the file's text without secrets.
pub(super) async fn config_text(worker: &Worker) -> Result<MaskedConfig, String> {
    match timeout(WITHIN, worker.config_actor.send(GetConfigText)).await {
        Ok(Ok(answer)) => answer.map_err(|why| why.to_string()),
        Ok(Err(_)) | Err(_) => Err("the server is stopping".to_owned()),
    }
}

/// The file's text, as far as forms that edit the file need the text.
pub(super) struct FormsText(Option<Result<MaskedConfig, String>>);

impl FormsText {
    /// Reads and masks the file where a page has such forms: for an admin, and not for an update.
    pub(super) async fn of(asked: &PageRequest) -> FormsText {
        let has_forms = asked.visitor.is_admin() && asked.making == Making::Whole;
        FormsText(if has_forms { Some(config_text(&asked.worker).await) } else { None })
    }

    /// Returns the hash of the text. A form sends the hash along, and so names the text that the admin saw.
    pub(super) fn seen(&self) -> String {
        let text = self.0.as_ref().and_then(|text| text.as_ref().ok());
        text.map(|text| text.hash.to_string()).unwrap_or_default()
    }

    /// Returns the entry of a client's key as written.
    pub(super) fn client_key(&self, name: &str) -> Map<String, Value> {
        let text = self.0.as_ref().and_then(|text| text.as_ref().ok());
        text.and_then(|text| text.client_key(name)).unwrap_or_default()
    }

    /// Says why the file can't be edited, if so.
    pub(super) fn problem(&self, view: &View) -> Markup {
        html! {
            @match &self.0 {
                Some(Err(why)) => p class="problem" { (why) },
                Some(Ok(MaskedConfig { read_only: Some(why), .. })) => {
                    p class="problem" { (view.t("edit.read_only")) " " (why) }
                }
                Some(Ok(_)) | None => {},
            }
        }
    }
}

/// Asks for an edit of the text on the form's page.
pub(super) async fn ask(form: &SentForm, edit: ConfigEdit, dry_run: bool) -> Result<EditedConfig, EditError> {
    let seen: TextHash = match form.field("seen").unwrap_or_default().parse() {
        Ok(seen) => seen,
        // The page could not show any text: the file could not be read.
        Err(_) => return Err(config_text(&form.worker).await.map_or_else(EditError::Io, |_| EditError::Changed)),
    };
    let asked = EditConfig { edit, seen, dry_run, by: form.by.clone() };
    match timeout(WITHIN, form.worker.config_actor.send(asked)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) | Err(_) => Err(EditError::Io(form.language.text("edit.unknown").to_owned())),
    }
}

/// Does an edit. `done`: the next page, and the name of the words there.
pub(super) async fn edit(form: &SentForm, edit: ConfigEdit, done: (&str, &str)) -> ActionOutcome {
    let what = edit.to_string();
    let (to, words) = done;
    let before = form.worker.config();
    match ask(form, edit, false).await {
        Ok(edited) => {
            // What the configuration warned of before is not this edit's.
            let is_new = |warning: &&String| !before.warnings.contains(warning);
            let warnings =
                edited.warnings.iter().filter(is_new).map(|warning| format!(" {warning}.")).collect::<String>();
            let text = form.language.filled(words, &[("hash", edited.hash.get(..8).unwrap_or(&edited.hash))]);
            ActionOutcome::good(what, text + &warnings, to)
        }
        Err(why) => ActionOutcome::bad(what, said(&why, form), to_again(form, to)),
    }
}

/// Returns what to say of a refused edit.
pub(super) fn said(why: &EditError, form: &SentForm) -> String {
    match why {
        EditError::Changed => form.language.text("edit.changed").to_owned(),
        EditError::ReadOnly { why, diff } => format!("{}\n{why}\n\n{diff}", form.language.text("edit.read_only")),
        EditError::Invalid(_) | EditError::NotFound(_) | EditError::Io(_) => why.to_string(),
    }
}

/// Returns the page to go back to, with what was typed: nothing is lost to a mistake. Secrets are not in an address.
pub(super) fn to_again(form: &SentForm, to: &str) -> String {
    let is_kept = |(name, value): &&(String, String)| {
        !["token", "seen", "key", "api", TICK].contains(&name.as_str())
            && !name.starts_with(SHOWN)
            // What was emptied stays empty.
            && (!value.is_empty() || form.field(&format!("{SHOWN}{name}")).is_some())
            && !may_hold_secret(value)
    };
    let fields: Vec<(&str, &str)> =
        form.fields.iter().filter(is_kept).map(|(name, value)| (name.as_str(), value.as_str())).collect();
    address(to, &fields)
}

/// Returns whether a value could be a key, or an address with a password or a key.
fn may_hold_secret(value: &str) -> bool {
    begins_like_key(value.trim()) || (value.contains(':') && value.contains(['@', '?']))
}

/// Keeps the fields that somebody has changed in the form: other fields of the entry are not written.
pub(super) fn changed_fields(form: &SentForm, mut fields: Map<String, Value>) -> Map<String, Value> {
    fields.retain(|name, _| form.field(name) != form.field(&format!("{SHOWN}{name}")));
    fields
}

/// Says for the audit log what an edit has changed of an entry: `rpm 10 → 20`. `held`: the entry before.
///
/// Of a refused edit the log has the names of the fields alone: what was typed may be anything.
pub(super) fn with_changes(
    outcome: ActionOutcome,
    held: &Map<String, Value>,
    fields: &Map<String, Value>,
) -> ActionOutcome {
    let change = |(name, value): (&String, &Value)| match outcome.notice.is_good {
        true => format!("{name} {} → {}", in_words(held.get(name)), in_words(Some(value))),
        false => name.clone(),
    };
    let is_changed = |(name, value): &(&String, &Value)| held.get(*name).unwrap_or(&Value::Null) != *value;
    let changes: Vec<String> = fields.iter().filter(is_changed).map(change).collect();
    outcome.detailed(changes.join(", "))
}

/// Returns a value of an entry in words, up to [`LONGEST_VALUE`]: of a budget `usd 5 per day`.
fn in_words(value: Option<&Value>) -> String {
    let words = match value {
        None | Some(Value::Null) => "–".to_owned(),
        Some(Value::String(text)) if may_hold_secret(text) => "***".to_owned(),
        Some(Value::Array(list)) => list.iter().map(|of| in_words(Some(of))).collect::<Vec<_>>().join(", "),
        Some(Value::Object(fields)) => {
            let field = |(name, of): (&String, &Value)| format!("{name} {}", in_words(Some(of)));
            fields.iter().map(field).collect::<Vec<_>>().join(" ")
        }
        Some(other) => written(Some(other)),
    };
    words.chars().take(LONGEST_VALUE).collect()
}

/// Reads fields of a form as fields of an entry. An empty field removes the field from the entry.
pub(super) fn entry_fields(form: &SentForm, numbers: &[&str], lists: &[&str], texts: &[&str]) -> Map<String, Value> {
    let mut fields = Map::new();
    for name in numbers {
        // The loader refuses other values than numbers, and names the place.
        let value = form.field(name).map(|typed| typed.parse::<i64>().map_or(json!(typed), Value::from));
        fields.insert((*name).to_owned(), value.unwrap_or(Value::Null));
    }
    for name in lists {
        let value =
            form.field(name).map(|typed| typed.split(',').map(str::trim).filter(|name| !name.is_empty()).collect());
        fields.insert((*name).to_owned(), value.unwrap_or(Value::Null));
    }
    for name in texts {
        fields.insert((*name).to_owned(), form.field(name).map_or(Value::Null, Value::from));
    }
    fields
}

/// Returns the value of an input: what was typed before a mistake, or else what holds.
pub(super) fn typed(view: &View, name: &str, holds: &str) -> String {
    view.asked(name).unwrap_or_else(|| holds.to_owned())
}

/// Returns a value of an entry as an input shows the value: a list with commas.
pub(super) fn written(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(list)) => list.iter().map(|of| written(Some(of))).collect::<Vec<_>>().join(", "),
        Some(other) => other.to_string(),
    }
}
