//! Paths with ids: a row says `files/{id}/content`, a client asks for `files/file-1/content`.
//!
//! 1. The path upstream is made from the row and the ids, never from what a client typed.
//! 2. An id has letters, digits and a few marks, and no more than [`LONGEST_ID`] bytes: it can leave its place in the path by no way
//!    of writing it.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use thiserror::Error;

use super::{ModelPlace, Route};

/// Stands for the id of an object in the path of a row.
const ID: &str = "{id}";

/// The longest id, in bytes.
const LONGEST_ID: usize = 256;

/// A row, and the path below `/v1/` by which a client called it.
#[derive(Debug, Clone)]
pub struct CalledRoute {
    /// The row.
    pub route: &'static Route,
    /// Below the base URL of an upstream.
    pub(crate) path: Cow<'static, str>,
    /// In the order of the path.
    pub(crate) ids: Vec<String>,
    /// The model, if it stands in the path.
    pub(crate) model: Option<String>,
}

/// An id that is none.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "an id in the path may have letters, digits, and the marks - _ . : @ = ~ only, and {LONGEST_ID} bytes: {0:?} is none"
)]
pub struct WrongId(String);

impl CalledRoute {
    /// Returns a row without ids.
    pub fn of_row(route: &'static Route) -> CalledRoute {
        CalledRoute { route, path: Cow::Borrowed(route.id.path()), ids: Vec::new(), model: None }
    }

    /// Returns the same with a model, if the row has the model in the path.
    pub(crate) fn for_model(self, model: &str) -> CalledRoute {
        let is_in_path = self.route.model == ModelPlace::Path;
        CalledRoute { model: is_in_path.then(|| model.to_owned()), ..self }
    }

    /// Returns a row with any path below `/v1/`, whose parts are written as ids are.
    ///
    /// # Errors
    /// When a part of the path is not.
    pub fn unknown(route: &'static Route, below: &str) -> Result<CalledRoute, WrongId> {
        let parts: Vec<String> = below.split('/').map(id_of).collect::<Result<_, _>>()?;
        Ok(CalledRoute { route, path: Cow::Owned(parts.join("/")), ids: Vec::new(), model: None })
    }

    /// Returns a row with the ids of a path below `/v1/` that fits.
    ///
    /// # Errors
    /// When one of the ids is none.
    pub fn read(route: &'static Route, below: &str) -> Result<CalledRoute, WrongId> {
        let row = route.id.path();
        if !row.contains('{') {
            return Ok(CalledRoute::of_row(route));
        }
        let mut path = String::with_capacity(below.len());
        let mut ids = Vec::new();
        for (part, typed) in row.split('/').zip(below.split('/')) {
            if !path.is_empty() {
                path.push('/');
            }
            if part.starts_with('{') {
                let id = id_of(typed)?;
                path.push_str(&id);
                if part == ID {
                    ids.push(id);
                }
            } else {
                path.push_str(part);
            }
        }
        Ok(CalledRoute { route, path: Cow::Owned(path), ids, model: None })
    }
}

/// Returns whether a path below `/v1/` is one of a row.
pub(super) fn fits(row: &str, below: &str) -> bool {
    let mut typed = below.split('/');
    let fits = row.split('/').all(|part| typed.next().is_some_and(|typed| is_meant(part, typed)));
    fits && typed.next().is_none()
}

fn is_meant(part: &str, typed: &str) -> bool {
    if part.starts_with('{') { !typed.is_empty() } else { part == typed }
}

fn id_of(typed: &str) -> Result<String, WrongId> {
    let wrong = || WrongId(typed.chars().take(LONGEST_ID).collect());
    let id = percent_decode_str(typed).decode_utf8().map_err(|_| wrong())?;
    let is_mark = |byte: u8| matches!(byte, b'-' | b'_' | b'.' | b':' | b'@' | b'=' | b'~');
    let is_sound = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || is_mark(byte));
    // Dots alone mean another folder.
    let is_id = !id.is_empty() && is_sound && id.len() <= LONGEST_ID && id.bytes().any(|byte| byte != b'.');
    if is_id { Ok(id.into_owned()) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::super::routes_at;
    use super::*;
    use crate::types::{Verb, WireFormat};

    fn read(verb: Verb, below: &str) -> Result<CalledRoute, WrongId> {
        let mut rows = routes_at(below, WireFormat::OpenAi);
        CalledRoute::read(rows.find(|row| row.id.verb() == verb).expect("a row"), below)
    }

    #[test]
    fn ids_stand_where_the_row_has_braces_and_in_no_other_form_than_their_own() {
        for (typed, path, ids) in [
            ("files/file-abc/content", "files/file-abc/content", &["file-abc"][..]),
            ("vector_stores/vs_1/files/file-2", "vector_stores/vs_1/files/file-2", &["vs_1", "file-2"]),
            ("files/file%2Dabc/content", "files/file-abc/content", &["file-abc"]),
            ("batches/a.b", "batches/a.b", &["a.b"]),
            // A version is one of its skill, and no object.
            ("skills/skill_1/versions/2", "skills/skill_1/versions/2", &["skill_1"]),
            ("models/ft:gpt-4o:org::1", "models/ft:gpt-4o:org::1", &["ft:gpt-4o:org::1"]),
            ("files", "files", &[]),
        ] {
            let verb = if typed.starts_with("models") { Verb::Delete } else { Verb::Get };
            let read = read(verb, typed).expect("sound");
            assert_eq!((&*read.path, read.ids.iter().map(String::as_str).collect::<Vec<_>>()), (path, ids.to_vec()));
        }
    }

    #[test]
    fn no_way_of_writing_an_id_leaves_its_place() {
        let long = format!("files/{}", "x".repeat(LONGEST_ID + 1));
        for typed in [
            "files/..",
            "files/.",
            "files/%2e%2e",
            "files/%2E./content",
            "files/a%2fb",
            "files/a%5cb",
            "files/a\\b",
            "files/a%3fb=c",
            "files/a%23b",
            "files/a%0d%0ab",
            "files/a%00",
            "files/%ff",
            "files/a;b",
            "files/a%20b",
            "files/ä",
            "files/%252e%252e",
            "files/a%",
            &long,
        ] {
            assert!(read(Verb::Get, typed).is_err(), "{typed}");
        }
        for typed in ["files/", "files//content", "files/a/b/c", "filesx/a", "files/a/content/"] {
            assert_eq!(routes_at(typed, WireFormat::OpenAi).count(), 0, "{typed}");
        }
    }

    #[test]
    fn a_fixed_part_comes_before_an_id_and_each_row_is_found_at_its_own_path() {
        for row in super::super::below_v1() {
            let below = row.id.path().replace("{id}", "x-1").replace("{version}", "2");
            let first = routes_at(&below, row.id.format()).find(|other| other.id.verb() == row.id.verb());
            assert_eq!(first.map(|first| first.id), Some(row.id));
        }
    }
}
