//! The secrets of a configuration's text, and the masks in their place. Pure.
//!
//! 1. A field whose name speaks of a key, a token, a secret or a password is a secret, and so is each value below `headers`.
//! 2. Of a URL the user's part and the query are secrets; of a webhook the path as well.
//! 3. A text that begins like a provider's key is a secret wherever it stands.
//! 4. A variable (`${NAME}`) is no secret. A variable's default is one.
//!
//! A mask too many does no harm, as a mask that comes back means the value. A mask has the number of its value, so that two values
//! never have one mask.

use std::collections::HashMap;
use std::ops::Range;

use serde_json::Value;

use super::place::SecretPlace;
use super::secret_parts::{is_reference, looks_like_key, without_secret_parts};
use crate::config::secret::ClientKey;
use crate::text::json::{JsonError, Leaf, Step, leaves, read};

/// What a mask begins with.
const MASK: &str = "[masked ";

/// The fields that hold keys, whatever stands there. In `keys` each entry has such a field of its own.
const KEY_FIELDS: [&str; 5] = ["apiKey", "apiKeys", "key", "adminKeys", "viewerKeys"];

/// What names of secrets speak of, in lower case.
const SECRET_WORDS: [&str; 7] = ["key", "token", "secret", "password", "passwd", "authorization", "credential"];

/// The longest number that is seen in a field whose name speaks of keys (`actors.mailboxes.keys`), in digits.
const LONGEST_NUMBER: usize = 8;

/// A secret of a text.
#[derive(Debug)]
pub(super) struct Secret {
    pub(super) place: SecretPlace,
    /// In bytes of the text, with the quotation marks.
    pub(super) at: Range<usize>,
    /// What people see in the value's place.
    pub(super) shown: String,
}

/// The numbers of secrets, by value: the same in all texts that are shown together.
#[derive(Debug, Default)]
pub(super) struct Numbers(HashMap<String, usize>);

impl Numbers {
    fn of(&mut self, secret: &str) -> usize {
        let next = self.0.len() + 1;
        *self.0.entry(secret.to_owned()).or_insert(next)
    }
}

/// Returns a text with masks in the place of secrets.
pub(super) fn masked(text: &str, numbers: &mut Numbers) -> Result<String, JsonError> {
    let (mut shown, mut end) = (String::with_capacity(text.len()), 0);
    for secret in secrets(text, numbers)? {
        shown.push_str(text.get(end..secret.at.start).unwrap_or_default());
        shown.push_str(&Value::from(secret.shown).to_string());
        end = secret.at.end;
    }
    shown.push_str(text.get(end..).unwrap_or_default());
    Ok(shown)
}

/// Returns the secrets in the order of the text.
pub(super) fn secrets(text: &str, numbers: &mut Numbers) -> Result<Vec<Secret>, JsonError> {
    let document = read(text)?;
    let secret = |leaf: Leaf| {
        let shown = shown(&leaf, numbers)?;
        Some(Secret { place: SecretPlace::of(&document, &leaf.path), at: leaf.at, shown })
    };
    Ok(leaves(text)?.into_iter().filter_map(secret).collect())
}

/// Returns whether a text has a mask in it.
pub(super) fn has_mask(text: &str) -> bool {
    text.match_indices(MASK).any(|(at, _)| text.get(at + MASK.len()..).is_some_and(|rest| rest.starts_with(is_digit)))
}

fn is_digit(c: char) -> bool {
    c.is_ascii_digit()
}

/// Returns what people see in the place of a value; `None` where the value itself may be seen.
fn shown(leaf: &Leaf, numbers: &mut Numbers) -> Option<String> {
    let names: Vec<&str> = leaf.path.iter().filter_map(member).collect();
    let holds_key = names.iter().any(|name| KEY_FIELDS.contains(name)) && names.last() != Some(&"name");
    let Some(text) = leaf.value.as_str() else {
        let number = leaf.value.to_string();
        let is_long =
            number.len() > LONGEST_NUMBER && names.last().is_some_and(|name| name.to_lowercase().contains("key"));
        return (leaf.value.is_number() && (holds_key || is_long)).then(|| mask(numbers, &number, None));
    };
    if text.is_empty() || is_reference(text) {
        return None;
    }
    if holds_key || is_below_headers(&names) || looks_like_key(text) || has_secret_name(&names, text) {
        return Some(mask(numbers, text, Some(text)));
    }
    let hides_path = names.first() == Some(&"alerts");
    without_secret_parts(text, hides_path).map(|parts| parts.join(&mask(numbers, text, None)))
}

fn member(step: &Step) -> Option<&str> {
    match step {
        Step::Member(name) => Some(name),
        Step::Entry(_) => None,
    }
}

fn is_below_headers(names: &[&str]) -> bool {
    names.split_last().is_some_and(|(_, above)| above.contains(&"headers"))
}

/// Returns whether the name of the field speaks of a secret. The path of a file with a key is none, but people put keys there.
fn has_secret_name(names: &[&str], text: &str) -> bool {
    let Some(name) = names.last() else { return false };
    let is_path = name.ends_with("File") && (text.contains(['/', '\\']) || text.contains('.'));
    let name = name.to_lowercase();
    !is_path && SECRET_WORDS.iter().any(|word| name.contains(word))
}

/// Returns the mask of a secret, with the key's beginning and end where the secret is long enough.
fn mask(numbers: &mut Numbers, secret: &str, key: Option<&str>) -> String {
    let number = numbers.of(secret);
    let hint = key.and_then(ClientKey::parse).map(|key| key.to_string()).filter(|hint| hint.contains('…'));
    hint.map_or_else(|| format!("{MASK}{number}]"), |hint| format!("{MASK}{number}: {hint}]"))
}
