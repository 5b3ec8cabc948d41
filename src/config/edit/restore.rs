//! Masks that come back: each at its place means the value that stood there. Pure.

use std::collections::HashMap;

use super::mask::{Numbers, Secret, has_mask, secrets};
use super::place::{SecretPlace, shown_path};
use crate::config::problem::Problem;
use crate::text::json::{JsonError, Leaf, leaves, read};

/// Said of a mask at another place.
const MISPLACED: &str =
    "has a masked value that did not stand here; leave masked values as they are, or type the value itself";

/// Returns the new text with the values of the old one in the place of masks.
///
/// # Errors
/// With the places of masks that stand elsewhere than in the old text; or when a text is no JSON.
pub(super) fn restored(new: &str, old: &str) -> Result<Result<String, Vec<Problem>>, JsonError> {
    let document = read(new)?;
    let masks: Vec<Leaf> = leaves(new)?.into_iter().filter(|leaf| leaf.value.as_str().is_some_and(has_mask)).collect();
    if masks.is_empty() {
        return Ok(Ok(new.to_owned()));
    }
    let secrets = secrets(old, &mut Numbers::default())?;
    let known: HashMap<(&SecretPlace, &str), &Secret> =
        secrets.iter().map(|secret| ((&secret.place, &*secret.shown), secret)).collect();
    let (mut text, mut end, mut problems) = (String::with_capacity(new.len()), 0, Vec::new());
    for Leaf { path, at, value } in masks {
        let shown = value.as_str().unwrap_or_default();
        let places = [SecretPlace::of(&document, &path), SecretPlace::before_renames(&document, &path)];
        let Some(secret) = places.iter().find_map(|place| known.get(&(place, shown))) else {
            problems.push(Problem::new(&shown_path(&path), MISPLACED));
            continue;
        };
        text.push_str(new.get(end..at.start).unwrap_or_default());
        text.push_str(old.get(secret.at.clone()).unwrap_or_default());
        end = at.end;
    }
    text.push_str(new.get(end..).unwrap_or_default());
    Ok(if problems.is_empty() { Ok(text) } else { Err(problems) })
}
