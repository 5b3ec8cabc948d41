//! A page of one account's list.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// An object of a list.
#[derive(Debug)]
pub(super) struct ListedObject {
    /// When it was made, in ms since the Unix epoch; 0 if the object does not say so.
    pub(super) created: i64,
    pub(super) id: String,
    /// As the account wrote it.
    pub(super) json: Box<RawValue>,
}

/// A page as an account writes it.
#[derive(Debug, Deserialize)]
pub(super) struct AccountPage {
    data: Vec<Box<RawValue>>,
    #[serde(default)]
    has_more: Option<bool>,
    #[serde(default)]
    next_page: Option<String>,
}

/// Where the next page of an account begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AccountCursor {
    /// Behind the object with this id.
    Behind(String),
    /// Where this mark of the account's says.
    At(String),
}

/// What of an object is looked at.
#[derive(Deserialize)]
struct ObjectFacts {
    id: String,
    #[serde(default)]
    created_at: Value,
    #[serde(default)]
    created: Value,
}

impl AccountPage {
    /// Returns the objects with an id, and where the next page begins, if there is one.
    pub(super) fn read(body: &[u8]) -> Option<(Vec<ListedObject>, Option<AccountCursor>)> {
        let page: AccountPage = serde_json::from_slice(body).ok()?;
        let mark = page.next_page.filter(|mark| !mark.is_empty());
        let items = page.data.into_iter().filter_map(|json| {
            let facts: ObjectFacts = serde_json::from_str(json.get()).ok()?;
            let created = moment(&facts.created_at).or_else(|| moment(&facts.created)).unwrap_or(0);
            Some(ListedObject { created, id: facts.id, json })
        });
        let items: Vec<ListedObject> = items.collect();
        let last = items.last().filter(|_| page.has_more.unwrap_or(false));
        let next = mark.map(AccountCursor::At).or_else(|| Some(AccountCursor::Behind(last?.id.clone())));
        Some((items, next))
    }
}

/// Reads a moment: Unix seconds (OpenAI), or a date with a time (Anthropic).
fn moment(value: &Value) -> Option<i64> {
    match value {
        Value::Number(seconds) => seconds.as_f64().map(|seconds| (seconds * 1_000.0) as i64),
        Value::String(text) => text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_in_either_form_and_an_object_without_an_id_is_none() {
        let body = br#"{"data":[{"id":"a","created_at":7},{"id":"b","created":8.5},{"id":"c","created_at":"1970-01-01T00:00:09Z"},
            {"id":"d"},{"name":"none"}],"has_more":true}"#;
        let (items, next) = AccountPage::read(body).expect("a page");
        let facts: Vec<_> = items.iter().map(|item| (item.id.as_str(), item.created)).collect();
        assert_eq!(facts, [("a", 7_000), ("b", 8_500), ("c", 9_000), ("d", 0)]);
        assert_eq!(next, Some(AccountCursor::Behind("d".into())));
        let marked = br#"{"data":[{"id":"a"}],"has_more":true,"next_page":"page_2"}"#;
        assert_eq!(AccountPage::read(marked).expect("a page").1, Some(AccountCursor::At("page_2".into())));
        for last in [r#"{"data":[{"id":"a"}],"next_page":null}"#, r#"{"data":[],"has_more":true}"#] {
            assert_eq!(AccountPage::read(last.as_bytes()).expect("a page").1, None, "{last}");
        }
        assert!(AccountPage::read(b"{}").is_none());
    }
}
