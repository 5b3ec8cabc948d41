//! What a failure says of its upstream, as data: the class gives the signal, and the scope that a signal is about has a rule.
//!
//! | Scope | Explicit rests | Inferred rests |
//! |---|---|---|
//! | service | none | three failures in a row: 10 s, doubling up to 10 minutes |
//! | limit | as long as the upstream says, an hour at most | a 429 that names no time: 1 s, doubling up to a minute |
//! | key | refused: 10 minutes; an unpaid account: an hour | a confirmed refusal: 10 minutes |
//! | model by a route | refused by a code: 10 minutes | three confirmed refusals in a row: a minute |
//!
//! Pure.

use std::time::Duration;

use super::scope::Rule;
use crate::types::{Failure, FailureClass, LimitSpan, Now, Outcome, Settlement, Signal};

/// The upstream as a whole. Three failures in a row and 600 s are the original's numbers.
pub(super) const SERVICE: Rule = Rule { failures: 3, first_ms: 10_000, longest_ms: 600_000 };

/// A limit of the upstream's own whose end nobody named: a spike must not cost an hour.
pub(super) const LIMIT: Rule = Rule { failures: 1, first_ms: 1_000, longest_ms: 60_000 };

/// The key, refused in words that may be about one request.
pub(super) const KEY: Rule = Rule { failures: 1, first_ms: 600_000, longest_ms: 600_000 };

/// One model by one route, refused in words that may be about one request.
pub(super) const MODEL: Rule = Rule { failures: 3, first_ms: 60_000, longest_ms: 60_000 };

/// How long a key rests that is refused beyond doubt, in ms.
pub(super) const KEY_REFUSED_MS: u64 = 600_000;

/// How long an account rests that has no money left, in ms: somebody has to pay first.
pub(super) const UNPAID_MS: u64 = 3_600_000;

/// How long a model rests that is refused beyond doubt, in ms: lists of models are asked for as often.
pub(super) const MODEL_REFUSED_MS: u64 = 600_000;

/// The longest wait for a limit that frees within a minute.
const MINUTE: Duration = Duration::from_secs(60);

/// The shortest wait for a day's limit, where the day ends just now.
const SECOND: Duration = Duration::from_secs(1);

/// An attempt that was given up without an answer after so long is one of an upstream that hangs. Clients with less patience
/// say nothing of the upstream.
const HUNG_AFTER: Duration = Duration::from_secs(30);

/// Returns the failure that an abandoned attempt stands for, if it was silent for long enough.
pub(in crate::upstream) fn hung(settlement: &Settlement) -> Option<Failure> {
    let is_hung = settlement.outcome == Outcome::Abandoned && settlement.duration >= HUNG_AFTER;
    let detail = "no answer before the client gave up";
    is_hung.then(|| Failure::new(FailureClass::Timeout, crate::types::Phase::Head, detail))
}

/// Returns what a failure says of its upstream. `day_ends` is when a day's limit frees (ms, monotonic).
pub(in crate::upstream) fn signal(failure: &Failure, day_ends: u64, now: Now) -> Signal {
    if !failure.counted {
        return Signal::Nothing;
    }
    match failure.class {
        FailureClass::RateLimited => Signal::Limited { wait: limit_wait(failure, now.until(day_ends)) },
        FailureClass::Overloaded => match failure.retry_after {
            Some(wait) => Signal::Limited { wait: Some(wait) },
            None => Signal::Failure,
        },
        FailureClass::ServerError
        | FailureClass::Timeout
        | FailureClass::Connect
        | FailureClass::Protocol
        | FailureClass::Empty => Signal::Failure,
        FailureClass::Unauthorized => Signal::KeyRefused { certain: failure.certain, unpaid: false },
        FailureClass::PaymentRequired => Signal::KeyRefused { certain: failure.certain, unpaid: true },
        FailureClass::Forbidden | FailureClass::ModelNotFound => Signal::ModelRefused { certain: failure.certain },
        // The upstream did its work: the request was wrong.
        FailureClass::Rejected => Signal::Success { whole: true },
        FailureClass::NoSocket | FailureClass::StaleConnection | FailureClass::WrongForm | FailureClass::TooLarge => {
            Signal::Nothing
        }
    }
}

fn limit_wait(failure: &Failure, until_day_ends: Duration) -> Option<Duration> {
    match failure.limit {
        // Whatever shorter time it names: until the day ends nothing will change.
        Some(LimitSpan::Day) => Some(until_day_ends.max(SECOND)),
        Some(LimitSpan::Minute) => failure.retry_after.map(|wait| wait.min(MINUTE)),
        None => failure.retry_after,
    }
}

/// Returns what an operator can do about a failure of this class.
pub(in crate::upstream) fn mend(class: FailureClass) -> &'static str {
    match class {
        FailureClass::RateLimited => "give its entry the limits that the account has",
        FailureClass::Unauthorized => "check its apiKey",
        FailureClass::Forbidden => "check what its apiKey may use",
        FailureClass::PaymentRequired => "top up its account",
        FailureClass::Overloaded | FailureClass::ServerError | FailureClass::Empty => "see its provider's status page",
        FailureClass::Timeout => "see its provider's status page, and its timeouts",
        FailureClass::Connect => "check its baseUrl and the network",
        FailureClass::Protocol => "check its baseUrl, and what stands between",
        FailureClass::ModelNotFound => "check its baseUrl and its models",
        FailureClass::NoSocket => "raise this process's limit of open files",
        FailureClass::StaleConnection | FailureClass::WrongForm | FailureClass::TooLarge | FailureClass::Rejected => {
            "nothing"
        }
    }
}
