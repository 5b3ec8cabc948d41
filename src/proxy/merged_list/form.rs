//! The query of a list, and the page that comes of it, in each format.

use url::form_urlencoded;

use super::page::{AccountCursor, ListedObject};
use crate::dialect::{ListOrder, Route};
use crate::error::ApiError;
use crate::types::WireFormat;

/// How many objects a page has, if the client says nothing: at OpenAI and at Anthropic.
const USUAL_LIMIT: usize = 20;

/// The most objects of a page.
const MOST: usize = 1_000;

/// How many objects an account is asked for where its list has to be walked.
const WALKED: usize = 100;

/// What a client asks of a list.
pub(super) struct ListQuery {
    pub(super) limit: usize,
    /// The id in front of the page.
    pub(super) after: Option<String>,
    /// The id behind the page.
    pub(super) before: Option<String>,
    pub(super) is_ascending: bool,
    /// The other parameters, as typed.
    rest: Vec<String>,
    names: CursorNames,
}

/// The names of the cursors.
struct CursorNames {
    after: &'static str,
    before: &'static str,
    /// Another name for `after`: the mark of a page, which an earlier page has as `next_page`.
    page: Option<&'static str>,
}

impl ListQuery {
    /// Reads a query.
    ///
    /// # Errors
    /// When the limit is none.
    pub(super) fn read(query: &str, route: &Route) -> Result<ListQuery, ApiError> {
        let names = match route.id.format() {
            WireFormat::OpenAi | WireFormat::Gemini => CursorNames { after: "after", before: "before", page: None },
            WireFormat::Anthropic => CursorNames { after: "after_id", before: "before_id", page: Some("page") },
        };
        let is_ascending = route.objects.list == Some(ListOrder::Ascending);
        let mut read =
            ListQuery { limit: USUAL_LIMIT, after: None, before: None, is_ascending, rest: Vec::new(), names };
        for part in query.split('&').filter(|part| !part.is_empty()) {
            let parsed = form_urlencoded::parse(part.as_bytes()).next();
            let (name, value) = parsed.map(|(name, value)| (name.into_owned(), value.into_owned())).unwrap_or_default();
            match name.as_str() {
                "limit" => read.limit = limit_of(&value)?,
                name if name == read.names.after || read.names.page == Some(name) => read.after = Some(value),
                name if name == read.names.before => read.before = Some(value),
                name => {
                    if name == "order" {
                        read.is_ascending = value == "asc";
                    }
                    read.rest.push(part.to_owned());
                }
            }
        }
        read.after = read.after.filter(|id| !id.is_empty());
        read.before = read.before.filter(|id| !id.is_empty());
        Ok(read)
    }

    /// Returns the query of one account's page: the first one, or this one.
    pub(super) fn of_account(&self, next: Option<&AccountCursor>) -> String {
        let is_walked = self.after.is_some() || self.before.is_some() || next.is_some();
        let limit = if is_walked { self.limit.max(WALKED) } else { self.limit };
        let mut query = self.rest.clone();
        query.push(format!("limit={limit}"));
        let cursor = next.map(|next| match next {
            AccountCursor::Behind(id) => (self.names.after, id),
            AccountCursor::At(mark) => ("page", mark),
        });
        if let Some((name, value)) = cursor {
            let value: String = form_urlencoded::byte_serialize(value.as_bytes()).collect();
            query.push(format!("{name}={value}"));
        }
        query.join("&")
    }

    /// Returns the cursor that decides, with its name.
    pub(super) fn cursor(&self) -> (&'static str, &str) {
        match (&self.after, &self.before) {
            (Some(after), _) => (self.names.after, after),
            (None, before) => (self.names.before, before.as_deref().unwrap_or_default()),
        }
    }
}

fn limit_of(value: &str) -> Result<usize, ApiError> {
    let limit = value.parse().ok().filter(|limit| (1..=MOST).contains(limit));
    let message = || format!("limit must be a number from 1 to {MOST}");
    limit.ok_or_else(|| ApiError::Invalid { message: message(), param: Some("limit") })
}

/// Returns a page as a client reads it.
pub(super) fn page_of(items: &[ListedObject], has_more: bool, format: WireFormat) -> String {
    let id = |item: Option<&ListedObject>| item.map_or(serde_json::Value::Null, |item| item.id.as_str().into());
    let data: Vec<&str> = items.iter().map(|item| item.json.get()).collect();
    let last = id(items.last());
    let (kind, next) = match format {
        WireFormat::OpenAi => (r#""object":"list","#, String::new()),
        WireFormat::Anthropic if has_more => ("", format!(r#","next_page":{last}"#)),
        WireFormat::Anthropic => ("", r#","next_page":null"#.to_owned()),
        WireFormat::Gemini => ("", String::new()),
    };
    format!(
        r#"{{{kind}"data":[{}],"first_id":{},"last_id":{last},"has_more":{has_more}{next}}}"#,
        data.join(","),
        id(items.first())
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::all_routes;

    fn read(query: &str, format: WireFormat) -> Result<ListQuery, ApiError> {
        let is_meant = |route: &&Route| route.objects.list.is_some() && route.id.format() == format;
        ListQuery::read(query, all_routes().find(is_meant).expect("a list"))
    }

    #[test]
    fn a_query_goes_to_each_account_without_the_cursors() {
        for (format, query, limit, after, sent) in [
            (WireFormat::OpenAi, "", 20, None, "limit=20"),
            (WireFormat::OpenAi, "purpose=a%20b&limit=2&x[]=1", 2, None, "purpose=a%20b&x[]=1&limit=2"),
            (WireFormat::OpenAi, "after=file-1&limit=2", 2, Some("file-1"), "limit=100"),
            (WireFormat::OpenAi, "limit=500&after=file%2D1", 500, Some("file-1"), "limit=500"),
            (WireFormat::Anthropic, "after_id=msg_1&after=x", 20, Some("msg_1"), "after=x&limit=100"),
            (WireFormat::Anthropic, "page=agent_1&limit=2", 2, Some("agent_1"), "limit=100"),
            (WireFormat::OpenAi, "page=x", 20, None, "page=x&limit=20"),
        ] {
            let read = read(query, format).expect("sound");
            assert_eq!((read.limit, read.after.as_deref(), read.of_account(None).as_str()), (limit, after, sent));
        }
        let openai = read("limit=3", WireFormat::OpenAi).expect("sound");
        assert_eq!(openai.of_account(Some(&AccountCursor::Behind("a&b".into()))), "limit=100&after=a%26b");
        assert_eq!(openai.of_account(Some(&AccountCursor::At("x=".into()))), "limit=100&page=x%3D");
        for wrong in ["limit=0", "limit=1001", "limit=x", "limit="] {
            assert!(read(wrong, WireFormat::OpenAi).is_err(), "{wrong}");
        }
        assert!(read("order=asc", WireFormat::OpenAi).expect("sound").is_ascending);
        assert!(!read("order=desc", WireFormat::OpenAi).expect("sound").is_ascending);
    }
}
