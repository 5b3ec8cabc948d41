//! What health learns of an attempt, whatever the dialect or the status.

use std::time::Duration;

/// The meaning of an attempt's end, or of the beginning of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// The upstream answered. `whole`: to the end; otherwise the answer has begun.
    Success {
        /// The answer is complete.
        whole: bool,
    },
    /// The upstream is in trouble.
    Failure,
    /// A limit of the upstream's own is reached.
    Limited {
        /// How long the upstream asks to be left alone, if at all.
        wait: Option<Duration>,
        /// The limit is of the model alone.
        of_model: bool,
    },
    /// The key is refused, or the account: beyond doubt, by a code or a status.
    KeyRefused {
        /// The account has no money left.
        unpaid: bool,
    },
    /// The model is refused by this route: beyond doubt, by a code or a status.
    ModelRefused,
    /// Nothing about the upstream, or nothing yet: a refusal in words may be about the request.
    Nothing,
}
