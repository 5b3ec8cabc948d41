//! What a visitor looks for in a long list: a part of a name, and a state. Both stand in the address, so a link leads to the same.

use maud::{Markup, html};

use super::page::PageRequest;
use super::view::{View, address};

/// What is looked for on a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Search {
    path: &'static str,
    /// A part of a name, in small letters. Empty: any.
    find: String,
    /// The name of a state. Empty: any.
    state: String,
}

impl Search {
    /// Reads what a request looks for.
    pub(super) fn of(path: &'static str, asked: &PageRequest) -> Search {
        let field = |name: &str| asked.field(name).unwrap_or_default().trim().to_lowercase();
        Search { path, find: field("find"), state: field("state") }
    }

    /// Returns whether an entry with these names, in this state, is looked for.
    pub(super) fn admits(&self, names: &[&str], state: &str) -> bool {
        let has_name = || names.iter().any(|name| name.to_lowercase().contains(&self.find));
        (self.state.is_empty() || self.state == state) && (self.find.is_empty() || has_name())
    }

    /// Returns whether everything is looked for.
    pub(super) fn is_any(&self) -> bool {
        self.find.is_empty() && self.state.is_empty()
    }

    /// Returns the address of the page with these fields beside what is looked for.
    pub(super) fn with(&self, more: &[(&str, &str)]) -> String {
        let mut fields = vec![("find", self.find.as_str()), ("state", self.state.as_str())];
        fields.retain(|(name, value)| !value.is_empty() && !more.iter().any(|(other, _)| other == name));
        fields.extend(more.iter().filter(|(_, value)| !value.is_empty()));
        address(self.path, &fields)
    }

    /// Makes the field for a part of a name. `label`: the name of the words.
    pub(super) fn form(&self, label: &str, view: &View) -> Markup {
        html! {
            form method="get" action=(self.path) class="filters" role="search" {
                label { (view.t(label)) input type="search" name="find" value=(self.find) size="28"; }
                @if !self.state.is_empty() { input type="hidden" name="state" value=(self.state); }
                button type="submit" { (view.t("search.find")) }
                @if !self.is_any() { a href=(self.path) { (view.t("live.all")) } }
            }
        }
    }

    /// Makes a link for each state that occurs, with how often.
    pub(super) fn states(&self, counts: &[(&str, usize)], view: &View) -> Markup {
        let all: usize = counts.iter().map(|(_, times)| times).sum();
        let link = |state: &str, words: &str, times: usize| {
            let current = (self.state == state).then_some("true");
            html! { li { a href=(self.with(&[("state", state)])) aria-current=[current] { (words) " " (times) } } }
        };
        html! {
            (link("", view.t("now.all"), all))
            @for (state, times) in counts.iter().filter(|(_, times)| *times > 0) {
                (link(state, view.t(&format!("state.{state}")), *times))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(find: &str, state: &str) -> Search {
        Search { path: "/ui/keys", find: find.to_owned(), state: state.to_owned() }
    }

    #[test]
    fn an_entry_is_found_by_a_part_of_any_name_and_by_its_state() {
        for (find, state, found) in [
            ("", "", true),
            ("team", "", true),
            ("büro", "", true),
            ("other", "", false),
            ("", "active", true),
            ("", "disabled", false),
            ("team", "disabled", false),
        ] {
            assert_eq!(search(find, state).admits(&["Team-A", "BÜRO"], "active"), found, "{find} {state}");
        }
    }

    #[test]
    fn a_link_keeps_what_else_is_looked_for() {
        let of = search("a&b", "active");
        assert_eq!(of.with(&[("state", "disabled")]), "/ui/keys?find=a%26b&state=disabled");
        assert_eq!(of.with(&[("state", "")]), "/ui/keys?find=a%26b");
        assert_eq!(of.with(&[("all", "1")]), "/ui/keys?find=a%26b&state=active&all=1");
        assert_eq!(search("", "").with(&[]), "/ui/keys");
    }
}
