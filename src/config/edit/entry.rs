//! Where an edit's entry stands in its list. Pure.
//!
//! An entry is found by its id (an API) or its name (a key). A variable in either counts with its value, as for the loader. An API
//! without an id is found by its name.

use serde_json::{Map, Value};
use thiserror::Error;

use crate::config::variables::expand;

/// A list of named entries.
#[derive(Debug, Clone, Copy)]
pub(super) struct List {
    /// The member of the document.
    field: &'static str,
    /// The fields that name an entry, the first one there.
    names: &'static [&'static str],
}

/// Why an entry can't be edited.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum EntryError {
    /// There is none.
    #[error("has no entry with this {field}")]
    NotFound { list: &'static str, field: &'static str },
    /// The name is not the entry's alone.
    #[error("{list}[{first}] and {list}[{second}] have the same {field}; give one of them another")]
    Twice { list: &'static str, field: &'static str, first: usize, second: usize },
    /// There is one already.
    #[error("{list}[{at}] has this {field} already; take another one")]
    Taken { list: &'static str, field: &'static str, at: usize },
    /// A new entry can't be found again.
    #[error("a new entry needs a {field}")]
    Nameless { list: &'static str, field: &'static str },
    /// The place holds something else.
    #[error("holds something else than expected")]
    NoList(&'static str),
}

impl EntryError {
    /// Returns the place.
    pub(super) fn list(&self) -> &'static str {
        match self {
            EntryError::NotFound { list, .. }
            | EntryError::Twice { list, .. }
            | EntryError::Taken { list, .. }
            | EntryError::Nameless { list, .. }
            | EntryError::NoList(list) => list,
        }
    }
}

impl List {
    /// The accounts.
    pub(super) const APIS: List = List { field: "apis", names: &["id", "name"] };
    /// The clients' keys.
    pub(super) const KEYS: List = List { field: "keys", names: &["name"] };

    /// Returns the name of an entry, as typed.
    pub(super) fn name_of<'a>(&self, entry: &'a Value) -> Option<&'a str> {
        self.names.iter().find_map(|name| entry.get(name)).and_then(Value::as_str)
    }

    /// Returns the fields of an entry.
    pub(super) fn entry<'a>(
        &self,
        document: &'a mut Map<String, Value>,
        name: &str,
    ) -> Result<&'a mut Map<String, Value>, EntryError> {
        let entries = self.entries(document)?;
        let at = self.position(entries, name)?.ok_or(self.not_found())?;
        entries.get_mut(at).and_then(Value::as_object_mut).ok_or(self.not_found())
    }

    /// Adds an entry with a new name.
    pub(super) fn add(&self, document: &mut Map<String, Value>, entry: &Value) -> Result<(), EntryError> {
        let name = self.name_of(entry).ok_or(EntryError::Nameless { list: self.field, field: self.naming() })?;
        let entries = self.entries(document)?;
        if let Some(at) = self.position(entries, name)? {
            return Err(EntryError::Taken { list: self.field, field: self.naming(), at });
        }
        entries.push(entry.clone());
        Ok(())
    }

    /// Adds an entry, or puts the entry in the place of the one with the same name.
    pub(super) fn put(&self, document: &mut Map<String, Value>, entry: &Value) -> Result<(), EntryError> {
        let name = self.name_of(entry).ok_or(EntryError::Nameless { list: self.field, field: self.naming() })?;
        let entries = self.entries(document)?;
        match self.position(entries, name)?.and_then(|at| entries.get_mut(at)) {
            Some(old) => *old = entry.clone(),
            None => entries.push(entry.clone()),
        }
        Ok(())
    }

    /// Removes an entry. A list goes with its last entry: the loader takes no empty ones.
    pub(super) fn remove(&self, document: &mut Map<String, Value>, name: &str) -> Result<(), EntryError> {
        let entries = self.entries(document)?;
        let at = self.position(entries, name)?.ok_or(self.not_found())?;
        entries.remove(at);
        if entries.is_empty() {
            document.shift_remove(self.field);
        }
        Ok(())
    }

    fn entries<'a>(&self, document: &'a mut Map<String, Value>) -> Result<&'a mut Vec<Value>, EntryError> {
        let list = document.entry(self.field).or_insert_with(|| Value::Array(Vec::new()));
        list.as_array_mut().ok_or(EntryError::NoList(self.field))
    }

    fn position(&self, entries: &[Value], name: &str) -> Result<Option<usize>, EntryError> {
        let is_meant =
            |entry: &Value| self.name_of(entry).is_some_and(|typed| typed == name || expanded(typed) == name);
        let mut found = entries.iter().enumerate().filter(|(_, entry)| is_meant(entry)).map(|(at, _)| at);
        match (found.next(), found.next()) {
            (Some(first), Some(second)) => {
                Err(EntryError::Twice { list: self.field, field: self.naming(), first, second })
            }
            (found, _) => Ok(found),
        }
    }

    fn naming(&self) -> &'static str {
        self.names.first().copied().unwrap_or_default()
    }

    fn not_found(&self) -> EntryError {
        EntryError::NotFound { list: self.field, field: self.naming() }
    }
}

/// Returns a name with the values of its variables.
fn expanded(typed: &str) -> String {
    expand(typed, |name| std::env::var(name).ok()).unwrap_or_default()
}
