//! The failure that a client gets if nobody serves the request.

use crate::proxy::attempt_error::AttemptError;
use crate::types::{ApiId, FailureClass};

/// The last failure, and its upstream.
pub(in crate::proxy) struct LastFailure {
    pub(in crate::proxy) api: ApiId,
    pub(in crate::proxy) error: AttemptError,
    /// The upstream was to be asked again, in the right way.
    pub(in crate::proxy) replayed: bool,
}

impl LastFailure {
    /// Returns whether an account did not know an object that the request names.
    pub(in crate::proxy) fn is_object_missing(&self) -> bool {
        self.error.failure.class == FailureClass::ObjectNotHere
    }

    /// Returns whether the client is to get this failure, although a later one has come.
    pub(in crate::proxy) fn is_better_than(&self, later: &AttemptError) -> bool {
        // An answer in another form than the one asked for is better than an error.
        let is_answer = self.error.has_answer() && !later.has_answer();
        // An account without the object says nothing of the account that failed.
        let is_missing_later = later.failure.class == FailureClass::ObjectNotHere;
        is_answer || is_missing_later && !self.is_object_missing()
    }
}
