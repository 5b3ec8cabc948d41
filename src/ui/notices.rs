//! Notices: pages say once how an action ended. Pure.
//!
//! A notice waits for the page behind the action. Of too many notices one without a secret is removed first: a new key is shown once,
//! and a second press of a button must not hide the key.

use crate::config::ApiKey;

/// The most waiting notices of one session.
const MOST_WAITING: usize = 3;

/// How an action ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Notice {
    pub(super) is_good: bool,
    /// The text in the visitor's language.
    pub(super) text: String,
    /// A new key, shown this once.
    pub(super) secret: Option<ApiKey>,
    pub(super) link: Option<NoticeLink>,
}

/// Where a notice leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NoticeLink {
    pub(super) to: String,
    /// The name of the words.
    pub(super) words: &'static str,
}

/// The waiting notices of a session with the paths of their pages, the oldest first.
#[derive(Debug, Default)]
pub(super) struct WaitingNotices(Vec<(String, Notice)>);

impl WaitingNotices {
    /// Keeps a notice for a page.
    pub(super) fn put(&mut self, to: &str, notice: Notice) {
        self.0.push((path_of(to).to_owned(), notice));
        if self.0.len() > MOST_WAITING {
            let without_secret = self.0.iter().position(|(_, notice)| notice.secret.is_none());
            self.0.remove(without_secret.unwrap_or_default());
        }
    }

    /// Removes and returns the notices for a page.
    pub(super) fn take(&mut self, page: &str) -> Vec<Notice> {
        let (taken, kept) = std::mem::take(&mut self.0).into_iter().partition(|(to, _)| to == path_of(page));
        self.0 = kept;
        let taken: Vec<(String, Notice)> = taken;
        taken.into_iter().map(|(_, notice)| notice).collect()
    }
}

/// Returns an address without the query and the place on the page.
fn path_of(address: &str) -> &str {
    address.split(['?', '#']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(text: &str, secret: Option<&str>) -> Notice {
        Notice { is_good: true, text: text.to_owned(), secret: secret.map(ApiKey::new), link: None }
    }

    #[test]
    fn a_notice_waits_for_its_own_page() {
        let mut waiting = WaitingNotices::default();
        waiting.put("/ui/keys?name=a#make", notice("one", None));
        assert_eq!(waiting.take("/ui/"), []);
        assert_eq!(waiting.take("/ui/keys?find=x"), [notice("one", None)]);
        assert_eq!(waiting.take("/ui/keys"), []);
    }

    #[test]
    fn of_too_many_notices_one_without_a_secret_goes_first() {
        let mut waiting = WaitingNotices::default();
        waiting.put("/ui/keys", notice("made", Some("sk-at-new")));
        for at in 0..2 * MOST_WAITING {
            waiting.put("/ui/keys", notice(&at.to_string(), None));
        }
        let told = waiting.take("/ui/keys");
        assert_eq!(told.len(), MOST_WAITING);
        assert_eq!(told.first(), Some(&notice("made", Some("sk-at-new"))));
        assert_eq!(told.last(), Some(&notice("5", None)));
    }
}
