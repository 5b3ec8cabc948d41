//! The view of a page: language, colours, visitor, address, notices, and the pieces of the page.

use std::cell::RefCell;

use maud::{Markup, Render, html};
use url::form_urlencoded;

use super::notices::Notice;
use super::text::Language;
use super::visitor::Visitor;

/// The field of the box that is ticked before something is done that takes something away.
pub(super) const TICK: &str = "sure";

/// How colours are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Theme {
    /// The colours of the visitor's system.
    System,
    Light,
    Dark,
}

impl Theme {
    pub(super) const ALL: [Theme; 3] = [Theme::System, Theme::Light, Theme::Dark];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Theme::System => "system",
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }

    pub(super) fn of_name(name: &str) -> Option<Theme> {
        Theme::ALL.into_iter().find(|theme| theme.name() == name)
    }
}

/// One making of a page.
#[derive(Debug)]
pub(super) struct View {
    pub(super) language: Language,
    pub(super) theme: Theme,
    pub(super) visitor: Visitor,
    /// For forms. Empty in an update: forms are no pieces.
    pub(super) form_token: String,
    /// The notices at the top of the page.
    pub(super) notices: Vec<Notice>,
    /// The address of the request, with the query.
    pub(super) url: String,
    pieces: RefCell<Vec<Piece>>,
}

/// What a page shows.
pub(super) trait Facts: Send {
    /// Makes the page's content.
    fn render(&self, view: &View) -> Markup;

    /// Returns whether the thing behind the address exists.
    fn is_there(&self) -> bool {
        true
    }

    /// Returns the page's title. `None`: the title of the row.
    fn about(&self) -> Option<String> {
        None
    }
}

/// A part of a page that an update may replace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    /// The element's id.
    pub(super) id: String,
    /// The whole element.
    pub(super) html: String,
}

/// The values that a view begins with.
#[derive(Debug, Clone)]
pub(super) struct ViewStart {
    pub(super) language: Language,
    pub(super) theme: Theme,
    pub(super) visitor: Visitor,
    pub(super) url: String,
}

impl View {
    pub(super) fn new(start: ViewStart, form_token: String, notices: impl IntoIterator<Item = Notice>) -> View {
        let ViewStart { language, theme, visitor, url } = start;
        let notices = notices.into_iter().collect();
        View { language, theme, visitor, form_token, notices, url, pieces: RefCell::default() }
    }

    /// Returns the words of a name.
    pub(super) fn t(&self, name: &str) -> &'static str {
        self.language.text(name)
    }

    /// Returns the words of a name, with values.
    pub(super) fn tr(&self, name: &str, values: &[(&str, &str)]) -> String {
        self.language.filled(name, values)
    }

    /// Makes a piece: a `div` with an id. An update replaces the `div` when the content differs. A piece holds no other piece.
    pub(super) fn piece(&self, id: &str, class: &str, content: Markup) -> Markup {
        // What is wider than the window is moved with the keyboard, too.
        let tab = (class == "scroll").then_some("0");
        let whole = html! { div id=(id) class=(class) tabindex=[tab] data-piece { (content) } };
        self.pieces.borrow_mut().push(Piece { id: id.to_owned(), html: whole.clone().into_string() });
        whole
    }

    /// Removes and returns the pieces made so far.
    pub(super) fn take_pieces(&self) -> Vec<Piece> {
        self.pieces.take()
    }

    /// Returns the words of a reason of `/v1/status`. A reason without words is a text for people already.
    pub(super) fn reason(&self, reason: &str) -> String {
        let (word, cause) = reason.split_once(": ").map_or((reason, None), |(word, cause)| (word, Some(cause)));
        let words = self.language.text_or(&format!("reason.{word}"), self.language.class(word));
        cause.map_or(words.to_owned(), |cause| format!("{words} ({})", self.language.class(cause)))
    }

    /// Returns the hidden field with the session's token, for each form.
    pub(super) fn token_field(&self) -> Markup {
        html! { input type="hidden" name="token" value=(self.form_token); }
    }

    /// Returns the value of a field of the query.
    pub(super) fn asked(&self, name: &str) -> Option<String> {
        let query = self.url.split_once('?').map(|(_, query)| query).unwrap_or_default();
        form_urlencoded::parse(query.as_bytes()).find(|(field, _)| field == name).map(|(_, value)| value.into_owned())
    }

    /// Returns a form that does one thing at a press of a button.
    pub(super) fn button(&self, action: &str, label: &str, fields: &[(&str, &str)]) -> Markup {
        html! {
            form method="post" action=(action) class="inline" {
                (self.token_field())
                @for (name, value) in fields { input type="hidden" name=(name) value=(value); }
                button type="submit" { (label) }
            }
        }
    }

    /// Returns a form that takes something away at a press of a button, once a box is ticked. `said`: on the button, and beside the box.
    pub(super) fn ticked(&self, action: &str, said: [&str; 2], fields: &[(&str, &str)]) -> Markup {
        let [label, consequence] = said;
        html! {
            form method="post" action=(action) class="ticked" {
                (self.token_field())
                @for (name, value) in fields { input type="hidden" name=(name) value=(value); }
                label class="tick" { input type="checkbox" name=(TICK) value="1" required; span { (consequence) } }
                button type="submit" class="danger" { (label) }
            }
        }
    }

    /// Returns a link to a page of operators, or the text alone for a client.
    pub(super) fn operators_link(&self, page: &str, text: &str) -> Markup {
        html! {
            @if self.visitor.is_operator() { a href=(page) { (text) } }
            @else { span { (text) } }
        }
    }

    /// Returns a link, with a query.
    pub(super) fn link(&self, path: &str, query: &[(&str, &str)], text: impl Render) -> Markup {
        html! { a href=(address(path, query)) { (text) } }
    }
}

/// Returns a path with a query.
pub(super) fn address(path: &str, query: &[(&str, &str)]) -> String {
    if query.is_empty() {
        return path.to_owned();
    }
    let mut encoded = form_urlencoded::Serializer::new(String::new());
    encoded.extend_pairs(query);
    format!("{path}?{}", encoded.finish())
}

/// Returns the address of an account's page.
pub(super) fn account_page(id: &str) -> String {
    page_of("/ui/accounts/", id)
}

/// Returns the address of the page of a client's key.
pub(super) fn key_page(name: &str) -> String {
    page_of("/ui/keys/", name)
}

fn page_of(begin: &str, name: &str) -> String {
    // A name may hold what an address may not.
    let encoded = address("", &[("", name)]);
    format!("{begin}{}", encoded.trim_start_matches("?=").replace('+', "%20"))
}
