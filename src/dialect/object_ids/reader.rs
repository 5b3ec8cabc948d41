//! Reads any JSON for ids, in one pass.

use std::fmt;
use std::ops::Range;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::types::ObjectKey;

/// The longest id, in bytes.
const LONGEST_ID: usize = 256;

/// What is looked for.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    pub(super) fields: [&'static [&'static str]; 2],
    pub(super) prefixed: &'static [(&'static str, &'static str)],
    pub(super) skipped: &'static [&'static str],
    /// The most different ids.
    pub(super) most: usize,
}

/// A place where an id stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IdPlace {
    /// The object with the id.
    pub(crate) object: ObjectKey,
    /// Between the quotes. `None`: the id is written with escapes, or names a file beside a type.
    pub(crate) at: Option<Range<usize>>,
}

/// The ids of a JSON.
#[derive(Debug, Default)]
pub(super) struct FoundIds {
    /// Each object once.
    pub(super) keys: Vec<ObjectKey>,
    /// Each place of these objects.
    pub(super) places: Vec<IdPlace>,
}

impl Wanted {
    /// Returns how ids begin in a member with this name, if there are any.
    fn begin_in(&self, name: &str) -> Option<&'static str> {
        if self.fields.iter().any(|fields| fields.contains(&name)) {
            return Some("");
        }
        self.prefixed.iter().find(|(field, _)| *field == name).map(|(_, begin)| *begin)
    }
}

/// Returns the ids in JSON.
pub(super) fn ids_in(json: &[u8], wanted: Wanted) -> FoundIds {
    let mut found = FoundIds::default();
    let mut reader = serde_json::Deserializer::from_slice(json);
    let start = json.as_ptr().addr();
    // What was found before an error in the JSON counts all the same.
    let _ = Ids { wanted, start, begin: None, is_kept: false, found: &mut found }.deserialize(&mut reader);
    found
}

/// Returns whether a text may be an id.
pub(super) fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST_ID
}

/// Reads one value. Returns the text of a string, if the text is to be kept.
struct Ids<'a> {
    wanted: Wanted,
    /// The address of the first byte of the JSON.
    start: usize,
    /// How an id begins, if the value stands where an id does.
    begin: Option<&'static str>,
    is_kept: bool,
    found: &'a mut FoundIds,
}

impl Ids<'_> {
    fn add(&mut self, id: &str, at: Option<Range<usize>>) {
        if !is_id(id) {
            return;
        }
        let object = ObjectKey::of_id(id);
        if !self.found.keys.contains(&object) {
            if self.found.keys.len() >= self.wanted.most {
                return;
            }
            self.found.keys.push(object);
        }
        self.found.places.push(IdPlace { object, at });
    }

    fn read(mut self, text: &str, at: Option<Range<usize>>) -> Option<String> {
        if self.begin.is_some_and(|begin| text.starts_with(begin)) {
            self.add(text, at);
        }
        (self.is_kept && is_id(text)).then(|| text.to_owned())
    }
}

impl<'de> DeserializeSeed<'de> for Ids<'_> {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<Option<String>, D::Error> {
        value.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Ids<'_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Option<String>, E> {
        // A text without escapes is a part of the JSON.
        let from = text.as_ptr().addr().checked_sub(self.start);
        Ok(self.read(text, from.map(|from| from..from + text.len())))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Option<String>, E> {
        Ok(self.read(text, None))
    }

    fn visit_unit<E: Error>(self) -> Result<Option<String>, E> {
        Ok(None)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Option<String>, E> {
        Ok(None)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Option<String>, E> {
        Ok(None)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Option<String>, E> {
        Ok(None)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Option<String>, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Option<String>, A::Error> {
        let Ids { wanted, start, begin, found, .. } = self;
        while items.next_element_seed(Ids { wanted, start, begin, is_kept: false, found: &mut *found })?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<Option<String>, A::Error> {
        // An evaluation names the file of its data so: `{"type": "file_id", "id": "file-1"}`.
        let (mut own_id, mut is_file) = (None, false);
        while let Some(name) = members.next_key::<String>()? {
            let (wanted, start) = (self.wanted, self.start);
            if wanted.skipped.contains(&name.as_str()) {
                members.next_value::<IgnoredAny>()?;
                continue;
            }
            let begin = wanted.begin_in(&name).or(self.begin.filter(|_| name == "id"));
            let is_kept = matches!(name.as_str(), "id" | "type");
            let text = members.next_value_seed(Ids { wanted, start, begin, is_kept, found: &mut *self.found })?;
            match name.as_str() {
                "id" => own_id = text,
                "type" => is_file = text.is_some_and(|kind| wanted.begin_in(&kind) == Some("")),
                _ => {}
            }
        }
        if let Some(id) = own_id.filter(|_| is_file) {
            self.add(&id, None);
        }
        Ok(None)
    }
}
