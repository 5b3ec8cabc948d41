//! What an OpenAI-format error says: from a refusal, or an error in a 200, to a [`Failure`]. Pure.
//!
//! 1. Status, code, type and `param` decide. Words decide only at the beginning of a message, in one table ([`tables::MESSAGES`]). The
//!    table has a row for each meaning without a code, by provider.
//! 2. What is not known is not held for the client's fault. Only a 400, 413, 415 and 422 can be the caller's own mistake, and of these
//!    only an API's error with a message, and with nothing that points to the model, the account, the place or a server in trouble.
//! 3. A failure is `certain` by a status or a code. An uncertain refusal may be about the request, and counts against the
//!    upstream only if another upstream serves the same request. An uncertain 400 or 422 never counts, unless a row of
//!    [`tables::MESSAGES`] says that it is about the account, in words that the client did not write.
//! 4. Errors quote what clients write, so words never make a failure certain.

mod tables;

use self::tables::{
    CALLERS_OWN, CODES, CONTEXT_EXCEEDED, CONTEXT_MESSAGES, INVALID_REQUEST, KEY_REFUSED, LESS_THAN_THE_KEY,
    MAYBE_OURS, MESSAGES, MODEL_MISSING, MODERATED, OBJECT_MESSAGES, OBJECT_STATUSES, RATE_LIMIT, REQUEST_STATUSES,
};
use super::error_body::ErrorBody;
use crate::types::{Failure, FailureClass, Phase};

/// A failure class, and whether a status or code says so.
struct Verdict {
    class: FailureClass,
    certain: bool,
}

const fn certain(class: FailureClass) -> Verdict {
    Verdict { class, certain: true }
}

const fn uncertain(class: FailureClass) -> Verdict {
    Verdict { class, certain: false }
}

/// Returns the meaning of an error. `status`: of the response, or named by an error in a 200. `model`: by the upstream's own name.
pub(super) fn failure(status: Option<u16>, error: &ErrorBody, model: &str) -> Failure {
    let Verdict { class, certain } = verdict(status, error, model);
    let context_exceeded = says_context_exceeded(error) || status == Some(413) && class == FailureClass::Rejected;
    let moderated = error.moderated || error.is_code(&MODERATED);
    let failure = Failure { status, context_exceeded, moderated, ..Failure::new(class, Phase::Head, String::new()) };
    // Of a refusal, the code or the words decide; of all else, the class alone.
    if class.is_refusal() { Failure { certain, ..failure } } else { failure }
}

/// Returns the meaning of an error in a 200, or in an event.
pub(super) fn in_success(error: &ErrorBody, model: &str) -> Failure {
    let named = error.status_code.filter(|status| (400..=599).contains(status));
    let failure = failure(named, error, model);
    let meant = if failure.class == FailureClass::ModelNotFound { Some(404) } else { None };
    let is_of_request = matches!(failure.class, FailureClass::Rejected | FailureClass::ObjectNotHere);
    let meant = if is_of_request { Some(400) } else { meant };
    Failure { status: named.or(meant), phase: Phase::Body, ..failure }
}

fn verdict(status: Option<u16>, error: &ErrorBody, model: &str) -> Verdict {
    // A status in the body is nearer to the cause than a 400 around.
    let around = status.filter(|status| REQUEST_STATUSES.contains(status));
    let within = error.status_code.filter(|within| (400..=599).contains(within) && !REQUEST_STATUSES.contains(within));
    let status = around.and(within).or(status);
    if KEY_REFUSED.contains(&error.reason.as_str()) {
        return certain(FailureClass::Unauthorized);
    }
    // About the account, whatever else is said.
    if !matches!(status, Some(401 | 402 | 429)) && says_model_missing(error) {
        return certain(FailureClass::ModelNotFound);
    }
    if matches!(status, None | Some(400 | 403)) && (error.moderated || error.is_code(&MODERATED)) {
        return by_account_code(status, error).unwrap_or(certain(FailureClass::Rejected));
    }
    if OBJECT_STATUSES.contains(&status) && OBJECT_MESSAGES.iter().any(|begins| error.message.starts_with(begins)) {
        return uncertain(FailureClass::ObjectNotHere);
    }
    if let Some(row) = MESSAGES.iter().find(|row| Some(row.status) == status && error.message.starts_with(row.begins)) {
        return uncertain(row.class);
    }
    if status == Some(403) && error.reason == RATE_LIMIT {
        return certain(FailureClass::RateLimited);
    }
    by_account_code(status, error).unwrap_or_else(|| by_status(status, error, model))
}

/// Returns whether an error says that the prompt is too long for the model. The verdict rests nobody. With an alias, the next model is
/// asked, so that words at the beginning of the message will do where there is no code.
fn says_context_exceeded(error: &ErrorBody) -> bool {
    error.is_code(&CONTEXT_EXCEEDED) || CONTEXT_MESSAGES.iter().any(|begins| error.message.starts_with(begins))
}

/// Returns whether a code says that the model is missing. An error about another field does not.
fn says_model_missing(error: &ErrorBody) -> bool {
    error.is_code(&MODEL_MISSING) && matches!(error.param.as_str(), "" | "None" | "model")
}

/// Returns what the error's code or type says with this status.
fn by_account_code(status: Option<u16>, error: &ErrorBody) -> Option<Verdict> {
    let status = status.unwrap_or(0);
    let row = CODES.iter().find(|row| row.statuses.contains(&status) && error.code_contains(row.word))?;
    Some(Verdict { class: row.class, certain: row.class != FailureClass::Forbidden })
}

fn by_status(status: Option<u16>, error: &ErrorBody, model: &str) -> Verdict {
    let Some(status) = status else { return certain(FailureClass::ServerError) };
    match status {
        401 if error.mentions(&LESS_THAN_THE_KEY) => uncertain(FailureClass::Forbidden),
        401 => certain(FailureClass::Unauthorized),
        402 => certain(FailureClass::PaymentRequired),
        // A firewall's page, most likely.
        403 if error.unparsed => certain(FailureClass::ServerError),
        403 => uncertain(FailureClass::Unauthorized),
        // Nothing may be at the place because the base URL is wrong, or for as long as a server is being repaired.
        404 | 405 => uncertain(FailureClass::ModelNotFound),
        408 => certain(FailureClass::Timeout),
        // A model at its end of life.
        410 => certain(FailureClass::ModelNotFound),
        429 => certain(FailureClass::RateLimited),
        400 | 413 | 415 | 422 if is_about_the_request(error, model) => certain(FailureClass::Rejected),
        // The query and the headers are the client's, too.
        413 | 414 | 431 => uncertain(FailureClass::TooLarge),
        400 | 406 | 409 | 411 | 412 | 415..=417 | 422 => uncertain(FailureClass::ModelNotFound),
        // Busy servers and proxies answer with these, too.
        420 | 424 | 430 | 498 | 499 | 503 | 529 => certain(FailureClass::Overloaded),
        400..=599 => certain(FailureClass::ServerError),
        // A redirect is not followed, and anything else is no answer.
        _ => certain(FailureClass::Protocol),
    }
}

/// Returns whether a 400, 413, 415 or 422 is an API's error about the request, as far as anything can tell. What is not known, no JSON,
/// and an error without a message may be of another server in the place of the API.
fn is_about_the_request(error: &ErrorBody, model: &str) -> bool {
    let names_a_field = !matches!(error.param.as_str(), "" | "None");
    if names_a_field || error.is_code_with(&CALLERS_OWN) {
        return error.param != "model";
    }
    let is_coded = !error.code.is_empty() || !error.error_type.is_empty();
    let says_so = !is_coded || error.is_code_with(&INVALID_REQUEST);
    let is_worded = !error.unparsed && !error.message.is_empty();
    let points_elsewhere = error.code_contains("model") || error.mentions(&MAYBE_OURS) || names(&error.message, model);
    is_worded && says_so && !points_elsewhere
}

/// Returns whether a message holds this name by itself, and not as a part of another word.
pub(super) fn names(message: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
    !name.is_empty()
        && message.match_indices(name).any(|(at, _)| {
            let before = message.get(..at).unwrap_or_default();
            let behind = message.get(at + name.len()..).unwrap_or_default();
            !before.ends_with(is_word) && !behind.starts_with(is_word)
        })
}

#[cfg(test)]
mod tests;
