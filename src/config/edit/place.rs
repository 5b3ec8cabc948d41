//! Places of a document that stay when other entries come and go. Pure.

use serde_json::Value;

use crate::text::json::Step;

/// A place: an entry of a list counts by its id or name, and one without by nothing but its list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct SecretPlace(Vec<PlaceStep>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum PlaceStep {
    Member(String),
    Entry(Option<String>),
}

impl SecretPlace {
    /// Returns the place at the end of a path.
    pub(super) fn of(document: &Value, path: &[Step]) -> SecretPlace {
        SecretPlace::named_by(&["id", "name"], document, path)
    }

    /// Returns the place where the path's end was before entries got other ids.
    pub(super) fn before_renames(document: &Value, path: &[Step]) -> SecretPlace {
        SecretPlace::named_by(&["was", "id", "name"], document, path)
    }

    fn named_by(names: &[&str], document: &Value, path: &[Step]) -> SecretPlace {
        let mut at = Some(document);
        let step = |step: &Step| match step {
            Step::Member(name) => {
                at = at.and_then(|at| at.get(name));
                PlaceStep::Member(name.clone())
            }
            Step::Entry(index) => {
                at = at.and_then(|at| at.get(index));
                let name = names.iter().find_map(|name| at?.get(name)?.as_str());
                PlaceStep::Entry(name.map(str::to_owned))
            }
        };
        SecretPlace(path.iter().map(step).collect())
    }
}

/// Returns a path for people: `apis[2].apiKey`.
pub(super) fn shown_path(path: &[Step]) -> String {
    let step = |step: &Step| match step {
        Step::Member(name) => format!(".{name}"),
        Step::Entry(index) => format!("[{index}]"),
    };
    path.iter().map(step).collect::<String>().trim_start_matches('.').to_owned()
}
