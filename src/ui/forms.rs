//! Forms, and the outcomes of forms.

use std::net::IpAddr;

use futures_util::future::LocalBoxFuture;

use super::messages::CurrentSession;
use super::notices::{Notice, NoticeLink};
use super::text::Language;
use super::view::Facts;
use crate::http::Worker;

/// A form's effect. For admins alone.
pub(super) struct Action {
    pub(super) path: &'static str,
    pub(super) run: Run,
    /// Nothing is done unless the box [`super::view::TICK`] is ticked.
    pub(super) needs_tick: bool,
}

pub(super) const fn action(path: &'static str, run: Run) -> Action {
    Action { path, run, needs_tick: false }
}

impl Action {
    pub(super) const fn ticked(self) -> Action {
        Action { needs_tick: true, ..self }
    }
}

/// Does what a form asks for.
pub(super) type Run = fn(SentForm) -> LocalBoxFuture<'static, ActionOutcome>;

/// A form from a browser.
#[derive(Clone)]
pub(super) struct SentForm {
    pub(super) worker: Worker,
    pub(super) language: Language,
    /// The name of the admin's key.
    pub(super) by: String,
    /// Where the admin is.
    pub(super) client: Option<IpAddr>,
    pub(super) fields: Vec<(String, String)>,
}

/// How an action ended.
pub(super) struct ActionOutcome {
    pub(super) notice: Notice,
    /// The line of the audit log, in English and without secrets. `None`: the form changes nothing.
    pub(super) what: Option<String>,
    /// For the audit log: how long, or which fields.
    pub(super) detail: Option<String>,
    pub(super) next: NextPage,
}

/// What is shown after an action.
pub(super) enum NextPage {
    /// Another page, with the notice.
    At(String),
    /// The form's own page again, with the typed values.
    Again(Box<dyn Facts>),
}

impl SentForm {
    /// Returns a field, without spaces around. An empty field counts as none.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.trim());
        found.filter(|value| !value.is_empty())
    }
}

impl SentForm {
    /// Returns the account or the key that the form is about.
    pub(super) fn subject(&self) -> Option<&str> {
        ["api", "name", "id", "provider"].into_iter().find_map(|name| self.field(name))
    }
}

impl ActionOutcome {
    pub(super) fn good(what: impl Into<String>, text: String, to: impl Into<String>) -> ActionOutcome {
        ActionOutcome::said(true, what.into(), text, to.into())
    }

    pub(super) fn bad(what: impl Into<String>, text: String, to: impl Into<String>) -> ActionOutcome {
        ActionOutcome::said(false, what.into(), text, to.into())
    }

    /// Lets the next page lead on.
    pub(super) fn linked(mut self, to: impl Into<String>, words: &'static str) -> ActionOutcome {
        self.notice.link = Some(NoticeLink { to: to.into(), words });
        self
    }

    /// Says for the audit log how long, or which fields.
    pub(super) fn detailed(self, detail: String) -> ActionOutcome {
        ActionOutcome { detail: Some(detail).filter(|detail| !detail.is_empty()), ..self }
    }

    /// Leads elsewhere where the action is done.
    pub(super) fn then_at(mut self, to: impl Into<String>) -> ActionOutcome {
        if self.notice.is_good {
            self.next = NextPage::At(to.into());
        }
        self
    }

    fn said(is_good: bool, what: String, text: String, to: String) -> ActionOutcome {
        ActionOutcome {
            notice: Notice { is_good, text, secret: None, link: None },
            what: Some(what),
            detail: None,
            next: NextPage::At(to),
        }
    }
}

/// Returns whether a form came from a page of this session.
pub(super) fn is_token_right(session: &CurrentSession, fields: &[(String, String)]) -> bool {
    use subtle::ConstantTimeEq;
    let token = fields.iter().find(|(field, _)| field == "token").map(|(_, value)| value.as_bytes());
    let right = session.form_token.as_bytes();
    !right.is_empty() && token.is_some_and(|token| token.ct_eq(right).into())
}
