//! One page of a list of names, as Anthropic's and Google's clients ask for pages. Pure.
//!
//! A page begins behind a name, or ends before one. The name itself may be gone by then: the order of the names decides.

use std::borrow::Cow;
use std::sync::Arc;

use url::form_urlencoded;

/// The most entries of a page. Anthropic's and Google's own bound.
const MOST: usize = 1_000;

/// Which part of a list is asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct PageAsked {
    size: usize,
    after: Option<String>,
    before: Option<String>,
}

/// The names of a query's parameters, and how long a page is without one.
#[derive(Debug)]
pub(super) struct PageParameters {
    pub(super) size: &'static str,
    pub(super) after: &'static str,
    pub(super) before: Option<&'static str>,
    pub(super) usual: usize,
}

/// A part of a list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page<'a> {
    pub(super) names: &'a [Arc<str>],
    /// Is there more, in the direction that was asked for?
    pub(super) has_more: bool,
}

impl PageAsked {
    /// Reads a query.
    ///
    /// # Errors
    /// With the name of the parameter that is no size.
    pub(super) fn from_query(query: &str, parameters: &PageParameters) -> Result<PageAsked, &'static str> {
        let asked = |name: &str| {
            let (_, value) = form_urlencoded::parse(query.as_bytes()).find(|(found, _)| found == name)?;
            Some(value).filter(|value| !value.is_empty()).map(Cow::into_owned)
        };
        let size = match asked(parameters.size).map(|size| size.parse()) {
            None => parameters.usual,
            Some(Ok(0) | Err(_)) => return Err(parameters.size),
            Some(Ok(size)) => usize::min(size, MOST),
        };
        Ok(PageAsked { size, after: asked(parameters.after), before: parameters.before.and_then(asked) })
    }

    /// Returns the page of a sorted list.
    pub(super) fn of<'a>(&self, names: &'a [Arc<str>]) -> Page<'a> {
        let begin = self.after.as_deref().map_or(0, |after| names.partition_point(|name| &**name <= after));
        let end = self.before.as_deref().map_or(names.len(), |before| names.partition_point(|name| &**name < before));
        let between = names.get(begin..end).unwrap_or_default();
        let left_out = between.len().saturating_sub(self.size);
        let is_backward = self.before.is_some() && self.after.is_none();
        let page = if is_backward { between.get(left_out..) } else { between.get(..between.len() - left_out) };
        Page { names: page.unwrap_or_default(), has_more: left_out > 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARAMETERS: PageParameters =
        PageParameters { size: "limit", after: "after_id", before: Some("before_id"), usual: 2 };

    #[test]
    fn a_page_begins_behind_a_name_or_ends_before_one() {
        let names: Vec<Arc<str>> = ["a", "b", "c", "d/e"].map(Arc::from).to_vec();
        for (query, page, has_more) in [
            ("", "a b", true),
            ("limit=", "a b", true),
            ("limit=4", "a b c d/e", false),
            ("limit=99999", "a b c d/e", false),
            ("after_id=b", "c d/e", false),
            ("after_id=b&limit=1", "c", true),
            ("after_id=bb", "c d/e", false),
            ("after_id=d%2Fe", "", false),
            ("before_id=d/e", "b c", true),
            ("before_id=b", "a", false),
            ("before_id=a", "", false),
            ("after_id=a&before_id=d/e", "b c", false),
            ("after_id=d/e&before_id=a", "", false),
        ] {
            let asked = PageAsked::from_query(query, &PARAMETERS).expect("sound");
            let Page { names: shown, has_more: more } = asked.of(&names);
            assert_eq!((shown.join(" ").as_str(), more), (page, has_more), "{query}");
        }
        for query in ["limit=0", "limit=-1", "limit=x", "limit=1.5"] {
            assert_eq!(PageAsked::from_query(query, &PARAMETERS), Err("limit"), "{query}");
        }
    }
}
