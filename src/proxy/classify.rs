//! From what went wrong with an attempt to a [`Failure`]: the data that all decisions are made from. Pure.

use std::io;

use actix_web::http::header::HeaderMap;
use awc::error::{ConnectError, SendRequestError};

use super::no_model::{Asked, names_no_model, own_words, says_no_model};
use super::told::Told;
use super::{headers, learn};
use crate::types::{Failure, FailureClass, Now, Phase};

/// Codes and types of a moderator's verdict on what the client wrote.
const MODERATED: [&str; 5] =
    ["content_policy_violation", "content_filter", "content_moderation", "moderation", "moderation_blocked"];

/// What a 403 says that judges the content. A client that has these words quoted harms itself alone.
const JUDGES_CONTENT: [&str; 12] = [
    "violates",
    "usage guidelines",
    "usage polic",
    "usage_polic",
    "content policy",
    "content_policy",
    "content_filter",
    "moderation",
    "flagged",
    "safety_check",
    "safety check",
    "safety system",
];

/// What a 403 says that judges the account. What is quoted does not count: a client could have written it.
const JUDGES_ACCOUNT: [&str; 8] = [
    "your account",
    "your organization",
    "your project",
    "your api key",
    "account has been",
    "suspended",
    "banned",
    "deactivated",
];

/// What it says besides of who asks, and not of what is asked.
const JUDGES_KEY: [&str; 5] = ["api key", "api_key", "authentication", "unregistered callers", "country, region"];

/// What says that the key is none.
const NO_KEY: [&str; 4] = ["invalid_api_key", "invalid api key", "incorrect api key", "virtual key expected"];

/// What says of a key that it may not do just this, and so that it is one.
const JUDGES_PERMISSION: [&str; 6] = ["model", "模型", "无权", "scope", "permissions for this", "permission to "];

/// What a 403 says of an account that has nothing left: a 402, by rights.
const UNPAID: [&str; 5] = ["quota", "balance", "billing", "credit", "key limit"];

/// What a 400 does.
const UNPAID_400: [&str; 4] = ["billing_hard_limit", "budget_exceeded", "arrearage", "credit balance is too low"];

/// What a 400 says of where we stand: at Google's.
const JUDGES_PLACE: [&str; 1] = ["user location is not supported"];

/// What a 403 says that is a 429, by rights.
const TOO_OFTEN: [&str; 3] = ["rate limit", "rate_limit", "call volume"];

/// What a 403 says that judges the model for what was asked of it, and not the key: how a message begins, which is no client's.
const JUDGES_USE: [&str; 2] = ["You are not allowed to generate", "You are not allowed to sample"];

/// How a refusal begins of what no waiting makes fit: at OpenAI's with 429, at Groq's with 413.
const TOO_LARGE: &str = "Request too large";

/// Google's reasons for a key, or its project, that is not served; its status is often a 400.
const KEY_REFUSED: [&str; 5] =
    ["API_KEY_INVALID", "API_KEY_EXPIRED", "API_KEY_SERVICE_BLOCKED", "SERVICE_DISABLED", "CONSUMER_SUSPENDED"];

/// Google's reason for a limit that is reached.
const RATE_LIMIT: &str = "RATE_LIMIT_EXCEEDED";

/// What a word in the code or the type of an error means that came with no status of its own: the first row that holds. All others
/// are the server's fault.
const WORDS: [(&str, FailureClass); 5] = [
    ("rate_limit", FailureClass::RateLimited),
    ("quota", FailureClass::RateLimited),
    ("overloaded", FailureClass::Overloaded),
    ("invalid_request", FailureClass::Rejected),
    ("badrequest", FailureClass::Rejected),
];

/// The caller's own mistakes, which pass with the status that they should have had.
const CALLERS: [(FailureClass, u16); 2] = [(FailureClass::Rejected, 400), (FailureClass::ModelNotFound, 404)];

/// The failure that an error tells of which came with this status, or names it in a 200.
fn failure_of(status: Option<u16>, told: &Told, asked: Asked<'_>, detail: String) -> Failure {
    let failure = Failure { status, ..Failure::new(class_of(status, told, asked), Phase::Head, detail) };
    // Of a 400 or 403, its code alone is certain: its words may be what the client wrote, however changed.
    let of_account = matches!(failure.class, FailureClass::Unauthorized | FailureClass::PaymentRequired);
    let certain = if of_account && matches!(status, Some(400 | 403)) {
        let lists: [&[&str]; 5] = [&JUDGES_ACCOUNT, &JUDGES_KEY, &NO_KEY, &UNPAID, &UNPAID_400];
        KEY_REFUSED.contains(&told.reason.as_str()) || lists.iter().any(|words| told.is_coded(words))
    } else if failure.class == FailureClass::ModelNotFound {
        status == Some(410) || says_no_model(told)
    } else {
        failure.certain
    };
    Failure { certain, ..failure }
}

/// What an error means: by its status, if it has one, and by its own words.
fn class_of(status: Option<u16>, told: &Told, asked: Asked<'_>) -> FailureClass {
    let word = |row: &&(&str, FailureClass)| told.is_coded(&[row.0]);
    let says = |words: &[&str]| says_itself(told, asked, words);
    match status {
        _ if KEY_REFUSED.contains(&told.reason.as_str()) => FailureClass::Unauthorized,
        Some(413 | 429) if told.message.starts_with(TOO_LARGE) => FailureClass::TooLarge,
        Some(401) if mentions(told, &JUDGES_PERMISSION) && !says(&NO_KEY) => FailureClass::Forbidden,
        // These are about the account, whatever else they say.
        Some(status @ (401 | 402 | 429)) => class_of_status(status),
        _ if says_no_model(told) => FailureClass::ModelNotFound,
        None | Some(400 | 403 | 404 | 422) if names_no_model(told, asked) => FailureClass::ModelNotFound,
        // No route names anything that an upstream stores: its address or its models are not as we think.
        Some(404 | 405 | 410) => FailureClass::ModelNotFound,
        None if told.moderated || told.says(&MODERATED) => FailureClass::Rejected,
        Some(400) if says(&UNPAID_400) => FailureClass::PaymentRequired,
        Some(400) if says(&NO_KEY) || says(&JUDGES_PLACE) => FailureClass::Unauthorized,
        // The key is right.
        Some(403) if told.moderated || judges_use(told) || judges_content(told, asked) => FailureClass::Rejected,
        // A firewall's page, most likely: it says nothing of the key.
        Some(403) if told.unread => FailureClass::ServerError,
        Some(403) if told.reason == RATE_LIMIT || says(&TOO_OFTEN) => FailureClass::RateLimited,
        Some(403) if says(&UNPAID) => FailureClass::PaymentRequired,
        Some(403) if mentions(told, &JUDGES_PERMISSION) && !says(&NO_KEY) => FailureClass::Forbidden,
        Some(status) => class_of_status(status),
        None => WORDS.iter().find(word).map_or(FailureClass::ServerError, |row| row.1),
    }
}

/// Is this 403 a verdict on what the model was asked for?
fn judges_use(told: &Told) -> bool {
    JUDGES_USE.iter().any(|said| told.message.starts_with(said))
}

/// Is this 403 a verdict on what the client wrote, and not on whose key it is?
fn judges_content(told: &Told, asked: Asked<'_>) -> bool {
    mentions(told, &JUDGES_CONTENT) && !says_itself(told, asked, &JUDGES_ACCOUNT)
}

/// Does an error say one of these, be they its own words or the client's? Enough for what is milder than what it would mean otherwise.
fn mentions(told: &Told, words: &[&str]) -> bool {
    let message = told.message.to_ascii_lowercase();
    told.is_coded(words) || words.iter().any(|word| message.contains(word))
}

/// Does an error say one of these in its code or type, or in words that it does not quote, and that the client had not written?
fn says_itself(told: &Told, asked: Asked<'_>, words: &[&str]) -> bool {
    let own = own_words(&told.message.to_ascii_lowercase(), "");
    told.is_coded(words) || words.iter().any(|word| own.contains(word) && !asked.wrote(word))
}

/// The class of a status that is no success.
pub(super) fn class_of_status(status: u16) -> FailureClass {
    match status {
        401 | 403 => FailureClass::Unauthorized,
        402 => FailureClass::PaymentRequired,
        408 => FailureClass::Timeout,
        429 => FailureClass::RateLimited,
        400..=499 => FailureClass::Rejected,
        503 | 529 => FailureClass::Overloaded,
        500..=599 => FailureClass::ServerError,
        // A redirect is not followed, and anything else is no answer.
        _ => FailureClass::Protocol,
    }
}

/// An answer whose status is no success.
pub(super) struct Refusal<'a> {
    pub(super) status: u16,
    pub(super) headers: &'a HeaderMap,
    /// As much of it as is there.
    pub(super) body: &'a [u8],
}

impl Refusal<'_> {
    /// What went wrong, by its status, by what its headers say of coming back, and by its body.
    pub(super) fn failure(&self, asked: Asked<'_>, now: Now) -> Failure {
        let after = headers::retry_after(self.headers, now.wall);
        let (told, detail) = (Told::in_refusal(self.body), format!("status {}", self.status));
        let failure = failure_of(Some(self.status), &told, asked, detail);
        let failure = Failure { retry_after: after, ..failure };
        if failure.class != FailureClass::RateLimited {
            return failure;
        }
        let (limit, told) = learn::limit_in(self.body, &told, asked);
        let closed = learn::closed_for(&headers::rate_limits(self.headers), || now.wall);
        Failure { limit, retry_after: after.or(closed).or(told), ..failure }
    }
}

/// The failure of an error that came with a 200, or as an event.
pub(super) fn error_in_200(told: &Told, asked: Asked<'_>) -> Failure {
    let number = told.number.filter(|number| (400..=599).contains(number));
    let failure = failure_of(number, told, asked, "an error in a 200".to_owned());
    let status = number.or_else(|| CALLERS.iter().find(|(of, _)| *of == failure.class).map(|(_, status)| *status));
    Failure { status, phase: Phase::Body, ..failure }
}

/// The failure of an exchange that got no head.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "awc's errors are open-ended; the rest tell no more than their text"
)]
pub(super) fn send_error(error: &SendRequestError, stale: bool) -> Failure {
    if stale {
        let detail = "a kept-alive connection was closed by the upstream";
        return Failure::new(FailureClass::StaleConnection, Phase::Head, detail);
    }
    match error {
        SendRequestError::Connect(ConnectError::Disconnected) => {
            Failure::new(FailureClass::Protocol, Phase::Head, "the connection was closed before an answer")
        }
        SendRequestError::Connect(error) => {
            let class = if is_ours(error) { FailureClass::NoSocket } else { FailureClass::Connect };
            Failure::new(class, Phase::Connect, connect_error(error))
        }
        SendRequestError::H2(error) if error.reason() == Some(h2::Reason::REFUSED_STREAM) => {
            Failure::new(FailureClass::Overloaded, Phase::Head, "it turns requests away (REFUSED_STREAM)")
        }
        SendRequestError::Timeout => Failure::new(FailureClass::Timeout, Phase::Head, "no answer in time"),
        SendRequestError::Send(error) => broken(Phase::Head, error),
        other => Failure::new(FailureClass::Protocol, Phase::Head, format!("no valid answer ({other})")),
    }
}

/// A connection that broke.
pub(super) fn broken(phase: Phase, error: &io::Error) -> Failure {
    Failure::new(FailureClass::Protocol, phase, format!("the connection broke ({error})"))
}

/// Did this machine give no socket, and nobody was asked?
fn is_ours(error: &ConnectError) -> bool {
    /// `ENFILE` and `EMFILE`: too many open files, in the system or in the process.
    const NO_FILE: [i32; 2] = [23, 24];
    matches!(error, ConnectError::Io(error) if error.raw_os_error().is_some_and(|code| NO_FILE.contains(&code)))
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "awc's errors are open-ended; the rest tell no more than their text"
)]
fn connect_error(error: &ConnectError) -> String {
    match error {
        ConnectError::Timeout => "no connection in time".to_owned(),
        ConnectError::Resolver(why) => format!("its host name can't be resolved ({why})"),
        ConnectError::NoRecords => "its host name has no address".to_owned(),
        other => format!("no connection ({other})"),
    }
}

#[cfg(test)]
mod tests;
