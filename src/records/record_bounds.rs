//! The bounds of a record that is kept: what a client or an upstream writes is cut to a length for people.

use std::borrow::Cow;
use std::sync::Arc;

use super::request_end::RequestEnd;
use super::request_record::{AttemptResult, RequestRecord};

/// The longest path, id and name of a model that is kept, in bytes.
const LONGEST_NAME: usize = 512;

/// The longest reason that is kept, in bytes.
const LONGEST_REASON: usize = 1_024;

/// So many attempts of one request are kept: the first, and the last ones.
const MOST_ATTEMPTS: usize = 20;

/// Stands where something was cut off.
const CUT: &str = "…";

impl RequestRecord {
    /// Returns the record with everything cut to its bound: some 40 KB at most. A usual one is within, and nothing is copied.
    pub(super) fn bounded(mut self: Box<Self>) -> Box<Self> {
        if self.path.len() > LONGEST_NAME {
            self.path = Cow::Owned(cut(&self.path, LONGEST_NAME));
        }
        bound_name(&mut self.model);
        if let Some(id) = &mut self.upstream_id {
            bound(id, LONGEST_NAME);
        }
        match &mut self.end {
            RequestEnd::Refused { reason, .. } | RequestEnd::Failed(reason) => bound(reason, LONGEST_REASON),
            RequestEnd::Answered | RequestEnd::ClientLeft | RequestEnd::Stopped | RequestEnd::Defect => {}
        }
        let beyond = self.attempts.len().saturating_sub(MOST_ATTEMPTS);
        if beyond > 0 {
            self.attempts.drain(1..=beyond);
            self.attempts.shrink_to_fit();
        }
        for attempt in &mut self.attempts {
            bound_name(&mut attempt.model);
            match &mut attempt.result {
                AttemptResult::Failed(failure) => bound(&mut failure.detail, LONGEST_REASON),
                AttemptResult::Open | AttemptResult::Served => {}
            }
        }
        self
    }
}

fn bound(text: &mut String, most: usize) {
    // A text that was cut short elsewhere may have the room of a long one.
    if text.len() > most || text.capacity() > 2 * most {
        *text = cut(text, most);
    }
}

fn bound_name(name: &mut Option<Arc<str>>) {
    if let Some(long) = name.as_ref().filter(|name| name.len() > LONGEST_NAME) {
        *name = Some(cut(long, LONGEST_NAME).into());
    }
}

/// Returns the begin of a text, of at most so many bytes.
fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(most.saturating_sub(CUT.len()));
    [text.get(..end).unwrap_or_default(), CUT].concat()
}
