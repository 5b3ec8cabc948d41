//! A document as typed values, part by part: what is wrong in one part hides no problem of another.

use serde::de::DeserializeOwned;
use serde_json::Value;

use std::collections::BTreeMap;

use super::file::{
    ActorsFile, AffinityFile, AlertFile, ApiFile, GroupFile, KeyFile, OneOrMany, PricesFile, QueueFile, RetryFile,
    ServerFile, StoreFile, TimeoutsFile,
};
use super::problem::Problem;

/// The sound parts of a configuration file.
pub(super) struct SoundParts {
    pub(super) server: ServerFile,
    /// With the place of each in the list.
    pub(super) apis: Vec<(usize, ApiFile)>,
    /// With the place of each in the list.
    pub(super) keys: Vec<(usize, KeyFile)>,
    pub(super) aliases: BTreeMap<String, OneOrMany>,
    pub(super) retry: RetryFile,
    pub(super) timeouts: TimeoutsFile,
    pub(super) queue: QueueFile,
    pub(super) groups: BTreeMap<String, GroupFile>,
    pub(super) store: Option<StoreFile>,
    pub(super) actors: ActorsFile,
    pub(super) affinity: AffinityFile,
    pub(super) prices: PricesFile,
    /// With the place of each in the list.
    pub(super) alerts: Vec<(usize, AlertFile)>,
}

impl SoundParts {
    /// Takes a document apart. Fields with known problems are left out: if nothing else is wrong with a part, the other fields
    /// can still be judged.
    pub(super) fn parse_sound_parts(mut document: Value, problems: &mut Vec<Problem>) -> SoundParts {
        SoundParts {
            server: typed(&mut document, "server", problems).unwrap_or_default(),
            aliases: typed(&mut document, "aliases", problems).unwrap_or_default(),
            retry: typed(&mut document, "retry", problems).unwrap_or_default(),
            timeouts: typed(&mut document, "timeouts", problems).unwrap_or_default(),
            queue: typed(&mut document, "queue", problems).unwrap_or_default(),
            groups: typed(&mut document, "quotaGroups", problems).unwrap_or_default(),
            store: typed(&mut document, "store", problems),
            actors: typed(&mut document, "actors", problems).unwrap_or_default(),
            affinity: typed(&mut document, "affinity", problems).unwrap_or_default(),
            prices: typed(&mut document, "prices", problems).unwrap_or_default(),
            apis: entries(&mut document, "apis", problems),
            keys: entries(&mut document, "keys", problems),
            alerts: entries(&mut document, "alerts", problems),
        }
    }
}

fn taken(document: &mut Value, name: &str) -> Value {
    document.get_mut(name).map(Value::take).unwrap_or_default()
}

/// Returns the sound entries of a list, each with its place.
fn entries<T: DeserializeOwned>(document: &mut Value, list: &str, problems: &mut Vec<Problem>) -> Vec<(usize, T)> {
    let entries = match taken(document, list) {
        Value::Array(entries) => entries,
        // Missing, or no list: `problems` says so.
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => Vec::new(),
    };
    let sound = |(i, entry)| Some((i, parsed(&format!("{list}[{i}]"), entry, problems)?));
    entries.into_iter().enumerate().filter_map(sound).collect()
}

fn typed<T: DeserializeOwned>(document: &mut Value, name: &str, problems: &mut Vec<Problem>) -> Option<T> {
    parsed(name, taken(document, name), problems)
}

fn parsed<T: DeserializeOwned>(at: &str, mut part: Value, problems: &mut Vec<Problem>) -> Option<T> {
    if part.is_null() {
        return None;
    }
    let mut spoiled = false;
    for problem in problems.iter().filter_map(|problem| problem.at().strip_prefix(at)) {
        let field = problem.trim_start_matches('.').split(['.', '[']).next().unwrap_or_default();
        if let Some(fields) = part.as_object_mut() {
            fields.remove(field);
        }
        spoiled = true;
    }
    match serde_json::from_value(part) {
        Ok(typed) => Some(typed),
        Err(_) if spoiled => None,
        // The schema, made from the same types, knows the bounds. The error would quote the value, perhaps a key.
        Err(_) => {
            problems.push(Problem::new(at, "has a value that `api-together schema` does not allow"));
            None
        }
    }
}
