//! What can be done to a configuration, as data. Pure.

use std::fmt;

use serde_json::{Map, Value};

use super::entry::{EntryError, List};
use crate::config::problem::shown_name;

/// An edit of the configuration's text. The values may hold keys, and are not printed.
#[derive(Clone, PartialEq)]
pub enum ConfigEdit {
    /// Sets fields of the account with this id. A field of `null` is removed, all else of the entry stays.
    SetApi {
        /// The account.
        id: String,
        /// By name.
        fields: Map<String, Value>,
    },
    /// Adds an account behind the others.
    AddApi(Value),
    /// Removes the account with this id.
    RemoveApi(String),
    /// Puts a client's key in the place of the one of the same name, or behind the others.
    PutKey(Value),
    /// Sets fields of the client's key with this name, as `SetApi`.
    SetKey {
        /// The key.
        name: String,
        /// By name.
        fields: Map<String, Value>,
    },
    /// Adds a secret to the client's key with this name, behind the others: these stay as they are written.
    AddKeySecret {
        /// The key.
        name: String,
        /// As the file has it: a digest.
        secret: String,
    },
    /// Removes all secrets but the last one of the client's key with this name.
    KeepLastSecret(String),
    /// Removes the client's key with this name.
    RemoveKey(String),
    /// Sets fields of `server`, as `SetApi`.
    SetServer(Map<String, Value>),
    /// Sets fields of the document itself (`retry`, `aliases`, `alerts`, …), as `SetApi`.
    SetDocument(Map<String, Value>),
    /// Puts a whole text in the text's place. Masked values at their places mean the values themselves.
    Replace(String),
}

impl ConfigEdit {
    /// Makes a document say what it says after the edit. A whole text is no matter of values, and changes nothing here.
    pub(super) fn apply_to(&self, document: &mut Value) -> Result<(), EntryError> {
        let document = document.as_object_mut().ok_or(EntryError::NoList("the document"))?;
        match self {
            ConfigEdit::SetApi { id, fields } => set(List::APIS.entry(document, id)?, fields),
            ConfigEdit::AddApi(entry) => List::APIS.add(document, entry)?,
            ConfigEdit::RemoveApi(id) => List::APIS.remove(document, id)?,
            ConfigEdit::PutKey(entry) => List::KEYS.put(document, entry)?,
            ConfigEdit::SetKey { name, fields } => set(List::KEYS.entry(document, name)?, fields),
            ConfigEdit::AddKeySecret { name, secret } => {
                let key = List::KEYS.entry(document, name)?;
                let mut secrets = secrets_of(key);
                secrets.push(Value::from(secret.as_str()));
                put_secrets(key, secrets);
            }
            ConfigEdit::KeepLastSecret(name) => {
                let key = List::KEYS.entry(document, name)?;
                let last = secrets_of(key).pop().into_iter().collect();
                put_secrets(key, last);
            }
            ConfigEdit::RemoveKey(name) => List::KEYS.remove(document, name)?,
            ConfigEdit::SetServer(fields) => {
                let server = document.entry("server").or_insert_with(|| Value::Object(Map::new()));
                set(server.as_object_mut().ok_or(EntryError::NoList("server"))?, fields);
            }
            ConfigEdit::SetDocument(fields) => set(document, fields),
            ConfigEdit::Replace(_) => {}
        }
        Ok(())
    }

    /// Returns the fields that are set, for people.
    fn fields(&self) -> Option<&Map<String, Value>> {
        match self {
            ConfigEdit::SetApi { fields, .. } | ConfigEdit::SetKey { fields, .. } => Some(fields),
            ConfigEdit::SetServer(fields) | ConfigEdit::SetDocument(fields) => Some(fields),
            ConfigEdit::AddApi(entry) | ConfigEdit::PutKey(entry) => entry.as_object(),
            ConfigEdit::RemoveApi(_) | ConfigEdit::RemoveKey(_) | ConfigEdit::Replace(_) => None,
            ConfigEdit::AddKeySecret { .. } | ConfigEdit::KeepLastSecret(_) => None,
        }
    }
}

/// What is done and to which entry and fields, without a value: for the log and the audit.
impl fmt::Display for ConfigEdit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name_of = |entry: &Value, list: List| list.name_of(entry).unwrap_or("without a name").to_owned();
        match self {
            ConfigEdit::SetApi { id, .. } => write!(f, "set API {id:?}")?,
            ConfigEdit::AddApi(entry) => write!(f, "add API {:?}", name_of(entry, List::APIS))?,
            ConfigEdit::RemoveApi(id) => write!(f, "remove API {id:?}")?,
            ConfigEdit::PutKey(entry) => write!(f, "put key {:?}", name_of(entry, List::KEYS))?,
            ConfigEdit::SetKey { name, .. } => write!(f, "set key {name:?}")?,
            ConfigEdit::AddKeySecret { name, .. } => write!(f, "add a secret to key {name:?}")?,
            ConfigEdit::KeepLastSecret(name) => write!(f, "end the older secrets of key {name:?}")?,
            ConfigEdit::RemoveKey(name) => write!(f, "remove key {name:?}")?,
            ConfigEdit::SetServer(_) => f.write_str("set server")?,
            ConfigEdit::SetDocument(_) => f.write_str("set fields of the configuration")?,
            ConfigEdit::Replace(_) => f.write_str("replace the text")?,
        }
        let names: Vec<&str> = self.fields().into_iter().flatten().map(|(name, _)| shown_name(name)).collect();
        if names.is_empty() { Ok(()) } else { write!(f, ": {}", names.join(", ")) }
    }
}

impl fmt::Debug for ConfigEdit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConfigEdit({self})")
    }
}

fn set(entry: &mut Map<String, Value>, fields: &Map<String, Value>) {
    for (name, value) in fields {
        if value.is_null() {
            entry.shift_remove(name);
        } else {
            entry.insert(name.clone(), value.clone());
        }
    }
}

/// Returns the secrets of a client's key, as written.
fn secrets_of(key: &Map<String, Value>) -> Vec<Value> {
    match key.get("key") {
        Some(Value::Array(secrets)) => secrets.clone(),
        Some(secret) => vec![secret.clone()],
        None => Vec::new(),
    }
}

/// Writes the secrets of a client's key: one of them without a list, as people do.
fn put_secrets(key: &mut Map<String, Value>, mut secrets: Vec<Value>) {
    let one = if secrets.len() == 1 { secrets.pop() } else { None };
    key.insert("key".to_owned(), one.unwrap_or(Value::Array(secrets)));
}
