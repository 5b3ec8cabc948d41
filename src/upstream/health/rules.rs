//! From failures to rests, as data: a class gives a signal, a signal has a scope, and a scope has a rule.
//!
//! | Scope | Explicit rests | Inferred rests |
//! |---|---|---|
//! | service | none | three failures in a row: 10 s, doubling up to 10 minutes |
//! | limit, of the account or of a model by a route | as long as the upstream says, an hour at most | a 429 without a time: 1 s, doubling up to a minute |
//! | key | refused: 10 minutes; an unpaid account: an hour | none |
//! | model by a route | refused by a code: 10 minutes | three confirmed refusals in a row: a minute |
//!
//! A refusal in words is no signal of its own, whatever the words are about: see [`super::Health::confirmed`].
//!
//! Pure.

use std::time::Duration;

use super::scope::Rule;
use crate::config::LimitsPer;
use crate::types::{Failure, FailureClass, LimitSpan, Now, Outcome, Settlement, Signal};

/// The upstream as a whole. Three failures in a row and 600 s are the original's numbers.
pub(super) const SERVICE: Rule = Rule { failures: 3, first_ms: 10_000, longest_ms: 600_000 };

/// A limit of the upstream's own whose end nobody named: a spike must not cost an hour.
pub(super) const LIMIT: Rule = Rule { failures: 1, first_ms: 1_000, longest_ms: 60_000 };

/// The key: refused by a code or a status, or not at all.
pub(super) const KEY: Rule = Rule { failures: u32::MAX, first_ms: 0, longest_ms: 0 };

/// One model by one route, refused in words. The words may be about one request only.
pub(super) const MODEL: Rule = Rule { failures: 3, first_ms: 60_000, longest_ms: 60_000 };

/// The rest of a key after a certain refusal, in ms.
pub(super) const KEY_REFUSED_MS: u64 = 600_000;

/// The rest of an account without money, in ms: somebody has to pay first.
pub(super) const UNPAID_MS: u64 = 3_600_000;

/// The rest of a model after a certain refusal, in ms: lists of models are asked for as often.
pub(super) const MODEL_REFUSED_MS: u64 = 600_000;

/// The longest wait for a limit of a minute.
const MINUTE: Duration = Duration::from_secs(60);

/// The shortest wait for a day's limit, where the day ends just now.
const SECOND: Duration = Duration::from_secs(1);

/// A client's patience after which an attempt without an answer counts as a timeout. Less patience says nothing of the
/// upstream.
const HUNG_AFTER: Duration = Duration::from_secs(30);

/// Returns the timeout behind an abandoned attempt, if the silence was long enough.
pub(in crate::upstream) fn hung(settlement: &Settlement) -> Option<Failure> {
    let is_hung = settlement.outcome == Outcome::Abandoned && settlement.duration >= HUNG_AFTER;
    let detail = "no answer before the client gave up";
    is_hung.then(|| Failure::new(FailureClass::Timeout, crate::types::Phase::Head, detail))
}

/// Returns the signal of a failure. `day_ends` is when a day's limit frees (ms, monotonic). `limits_per`: what a limit is about
/// of which the failure does not say so.
pub(in crate::upstream) fn signal(failure: &Failure, day_ends: u64, now: Now, limits_per: LimitsPer) -> Signal {
    let of_model = failure.limit_of_model.unwrap_or(limits_per == LimitsPer::Model);
    if !failure.counted || failure.is_doubtful() {
        return Signal::Nothing;
    }
    match failure.class {
        FailureClass::RateLimited => Signal::Limited { wait: limit_wait(failure, now.until(day_ends)), of_model },
        FailureClass::Overloaded => match failure.retry_after {
            Some(wait) => Signal::Limited { wait: Some(wait), of_model },
            None => Signal::Failure,
        },
        FailureClass::ServerError
        | FailureClass::Timeout
        | FailureClass::Connect
        | FailureClass::Protocol
        | FailureClass::EmptyResponse => Signal::Failure,
        FailureClass::Unauthorized => Signal::KeyRefused { unpaid: false },
        FailureClass::PaymentRequired => Signal::KeyRefused { unpaid: true },
        FailureClass::Forbidden | FailureClass::ModelNotFound => Signal::ModelRefused,
        // The upstream did the work: the request was wrong.
        FailureClass::Rejected => Signal::Success { whole: true },
        FailureClass::LocalSocketLimit
        | FailureClass::StaleConnection
        | FailureClass::WrongForm
        | FailureClass::TooLarge
        | FailureClass::ObjectNotHere => Signal::Nothing,
    }
}

fn limit_wait(failure: &Failure, until_day_ends: Duration) -> Option<Duration> {
    match failure.limit {
        // Until the day ends nothing will change, whatever shorter time the upstream names.
        Some(LimitSpan::Day) => Some(until_day_ends.max(SECOND)),
        Some(LimitSpan::Minute) => failure.retry_after.map(|wait| wait.min(MINUTE)),
        None => failure.retry_after,
    }
}
