//! The sessions of all visitors. Pure: state, and changes of the state. Times are ms of the monotonic clock.

use std::collections::HashMap;

use super::notices::WaitingNotices;
use super::visitor::Visitor;
use crate::config::ApiKey;

/// A session ends after so long without a request: 12 hours.
pub(super) const IDLE: u64 = 12 * 60 * 60 * 1_000;

/// The most sessions at the same time. A further session ends the session with the oldest last request.
const MOST_SESSIONS: usize = 1_000;

/// The most sessions of one key. A further session ends the key's session with the oldest last request.
const MOST_OF_ONE: usize = 20;

/// A log-in.
#[derive(Debug)]
pub(super) struct OpenSession {
    /// The key of the log-in. Each change of the configuration checks the key again.
    pub(super) key: ApiKey,
    pub(super) visitor: Visitor,
    /// The token in each form of the session. Pages of other sites can't know the token.
    pub(super) form_token: String,
    /// The notices for pages of the session.
    pub(super) notices: WaitingNotices,
    last_request: u64,
}

/// All sessions, by the cookie's value.
#[derive(Debug, Default)]
pub(super) struct Sessions(HashMap<String, OpenSession>);

impl Sessions {
    /// Begins a session.
    pub(super) fn begin(&mut self, cookie: String, session: (ApiKey, Visitor, String), now: u64) {
        self.0.retain(|_, session| session.last_request + IDLE > now);
        let (key, visitor, form_token) = session;
        let own = self.0.values().filter(|session| session.visitor.name == visitor.name).count();
        if own >= MOST_OF_ONE || self.0.len() >= MOST_SESSIONS {
            let may_end = |session: &OpenSession| own < MOST_OF_ONE || session.visitor.name == visitor.name;
            let idlest = self.0.iter().filter(|(_, session)| may_end(session));
            let idlest = idlest.min_by_key(|(_, session)| session.last_request).map(|(cookie, _)| cookie.clone());
            idlest.map(|cookie| self.0.remove(&cookie));
        }
        self.0.insert(
            cookie,
            OpenSession { key, visitor, form_token, notices: WaitingNotices::default(), last_request: now },
        );
    }

    /// Returns the session of a request. The request counts for the end of the session.
    pub(super) fn of_request(&mut self, cookie: &str, now: u64) -> Option<&mut OpenSession> {
        if self.peek(cookie, now).is_none() {
            self.0.remove(cookie);
            return None;
        }
        let session = self.0.get_mut(cookie)?;
        session.last_request = now;
        Some(session)
    }

    /// Returns a session without a request. An open page does not count: nobody may be in front of the screen.
    pub(super) fn peek(&self, cookie: &str, now: u64) -> Option<&OpenSession> {
        self.0.get(cookie).filter(|session| session.last_request + IDLE > now)
    }

    /// Ends a session.
    pub(super) fn end(&mut self, cookie: &str) {
        self.0.remove(cookie);
    }

    /// Checks the rights of each key again, and ends the sessions of keys without rights.
    pub(super) fn review(&mut self, rights_of: impl Fn(&ApiKey) -> Option<Visitor>) {
        self.0.retain(|_, session| match rights_of(&session.key) {
            Some(visitor) => {
                session.visitor = visitor;
                true
            }
            None => false,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::KeyName;
    use crate::ui::visitor::Rights;

    fn visitor(rights: Rights) -> Visitor {
        Visitor { name: KeyName::from("ops"), rights }
    }

    fn begin(sessions: &mut Sessions, cookie: &str, now: u64) {
        let session = (ApiKey::new("sk-operator-0123"), visitor(Rights::Admin), "token".to_owned());
        sessions.begin(cookie.to_owned(), session, now);
    }

    #[test]
    fn a_session_ends_after_twelve_hours_without_a_request() {
        let mut sessions = Sessions::default();
        begin(&mut sessions, "a", 0);
        assert!(sessions.of_request("a", IDLE - 1).is_some());
        assert!(sessions.peek("a", 2 * IDLE - 2).is_some(), "the request counted");
        assert!(sessions.of_request("a", 2 * IDLE - 1).is_none());
        assert!(sessions.of_request("a", 2 * IDLE - 1).is_none() && sessions.0.is_empty());
    }

    #[test]
    fn an_open_page_keeps_no_session_going() {
        let mut sessions = Sessions::default();
        begin(&mut sessions, "a", 0);
        assert!(sessions.peek("a", IDLE - 1).is_some());
        assert!(sessions.of_request("a", IDLE).is_none());
    }

    #[test]
    fn a_key_that_left_the_configuration_ends_its_sessions_and_other_rights_hold_at_once() {
        let mut sessions = Sessions::default();
        begin(&mut sessions, "a", 0);
        sessions.review(|_| Some(visitor(Rights::Viewer)));
        assert_eq!(sessions.peek("a", 0).map(|session| session.visitor.is_admin()), Some(false));
        sessions.review(|_| None);
        assert!(sessions.peek("a", 0).is_none());
    }

    #[test]
    fn the_number_of_sessions_is_bounded_and_no_key_ends_those_of_others() {
        let mut sessions = Sessions::default();
        begin(&mut sessions, "of ops", 0);
        for at in 0..MOST_SESSIONS {
            let team = Visitor { name: KeyName::from(format!("team-{}", at % 100).as_str()), rights: Rights::Client };
            let session = (ApiKey::new("sk-team-0123456789"), team, "token".to_owned());
            sessions.begin(at.to_string(), session, 1 + at as u64);
        }
        assert_eq!(sessions.0.len(), MOST_SESSIONS);
        let mut sessions = Sessions::default();
        begin(&mut sessions, "of ops", 0);
        for at in 0..100 {
            let team = Visitor { name: KeyName::from("team"), rights: Rights::Client };
            let session = (ApiKey::new("sk-team-0123456789"), team, "token".to_owned());
            sessions.begin(at.to_string(), session, 1 + at);
        }
        assert!(sessions.peek("of ops", 200).is_some() && sessions.peek("99", 200).is_some());
        assert_eq!(sessions.0.len(), 1 + MOST_OF_ONE);
    }
}
