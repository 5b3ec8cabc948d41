//! What health learns of an attempt, whatever its dialect or its status was.

use std::time::Duration;

/// The meaning of one attempt's end, or of the beginning of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// The upstream answered. `whole`: to the end; otherwise the answer has begun.
    Success {
        /// The answer came to its end.
        whole: bool,
    },
    /// The upstream is in trouble.
    Failure,
    /// A limit of the upstream's own is reached.
    Limited {
        /// How long the upstream asks to be left alone, if it says.
        wait: Option<Duration>,
    },
    /// The key is refused, or its account.
    KeyRefused {
        /// A code or a status says so that can't be the request's own doing.
        certain: bool,
        /// The account has no money left.
        unpaid: bool,
    },
    /// The model is refused for what was asked of it.
    ModelRefused {
        /// A code or a status says so that can't be the request's own doing.
        certain: bool,
    },
    /// Nothing about the upstream.
    Nothing,
}
