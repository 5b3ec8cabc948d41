//! What an OpenAI-format error says: from a refusal, or an error in a 200, to a [`Failure`]. Pure.
//!
//! 1. Status, code, type and `param` decide. Words decide only at the beginning of a message, in one table ([`MESSAGES`]). The
//!    table has a row for each meaning without a code, by provider.
//! 2. What is not known is not held for the client's fault. Only a 400, 413, 415 and 422 can be the caller's own mistake, and of these
//!    not the ones about the model, the account or the place.
//! 3. A failure is `certain` by a status or a code. An uncertain refusal may be about the request, and counts against the
//!    upstream only if another upstream serves the same request.
//! 4. Errors quote what clients write, so words never make a failure certain.

use super::error_body::ErrorBody;
use crate::types::{Failure, FailureClass, Phase};

/// A word in the code or type of an error, with its meaning for some statuses.
struct Code {
    word: &'static str,
    class: FailureClass,
    statuses: &'static [u16],
}

const fn code(word: &'static str, class: FailureClass, statuses: &'static [u16]) -> Code {
    Code { word, class, statuses }
}

/// The beginning of a message, with its meaning for one status.
struct Message {
    /// The author of the words.
    #[expect(dead_code, reason = "for the reader of the table")]
    provider: &'static str,
    status: u16,
    begins: &'static str,
    class: FailureClass,
}

const fn message(provider: &'static str, status: u16, begins: &'static str, class: FailureClass) -> Message {
    Message { provider, status, begins, class }
}

/// Codes and types for a missing model, whatever the status.
const MODEL_MISSING: [&str; 8] = [
    "unknown_model",
    "model_decommissioned",
    "model_not_found",
    "model_not_available",
    "model_not_supported",
    "invalid_model",
    "deploymentnotfound",
    "invalidendpointormodel.notfound",
];

/// Codes and types of a moderator's verdict on what the client wrote.
const MODERATED: [&str; 5] =
    ["content_policy_violation", "content_filter", "content_moderation", "moderation", "moderation_blocked"];

/// Google's reasons for a refused key or project. The status is often a 400.
const KEY_REFUSED: [&str; 5] =
    ["API_KEY_INVALID", "API_KEY_EXPIRED", "API_KEY_SERVICE_BLOCKED", "SERVICE_DISABLED", "CONSUMER_SUSPENDED"];

/// Google's reason for a reached limit.
const RATE_LIMIT: &str = "RATE_LIMIT_EXCEEDED";

/// Codes of the caller's own mistakes, in a 400 or 422 whose words may seem to be about the model.
const CALLERS_OWN: [&str; 8] = [
    "context_length_exceeded",
    "string_above_max_length",
    "unsupported_parameter",
    "unsupported_value",
    "unknown_parameter",
    "missing_required_parameter",
    "invalid_value",
    "invalid_type",
];

const CODES: [Code; 20] = [
    code("invalid_api_key", FailureClass::Unauthorized, &[400, 403]),
    code("account_", FailureClass::Unauthorized, &[403]),
    code("api_key", FailureClass::Unauthorized, &[400, 403]),
    code("authentication", FailureClass::Unauthorized, &[400, 403]),
    code("unsupported_country", FailureClass::Unauthorized, &[400, 403]),
    code("rate_limit", FailureClass::RateLimited, &[403]),
    code("quota", FailureClass::PaymentRequired, &[403]),
    code("balance", FailureClass::PaymentRequired, &[400, 403]),
    code("billing", FailureClass::PaymentRequired, &[400, 403]),
    code("credit", FailureClass::PaymentRequired, &[400, 403]),
    code("budget_exceeded", FailureClass::PaymentRequired, &[400, 403]),
    code("arrearage", FailureClass::PaymentRequired, &[400, 403]),
    code("model", FailureClass::Forbidden, &[401, 403]),
    code("permission", FailureClass::Forbidden, &[401, 403]),
    code("scope", FailureClass::Forbidden, &[401, 403]),
    // For errors in a 200 without a status.
    code("rate_limit", FailureClass::RateLimited, &[0]),
    code("quota", FailureClass::RateLimited, &[0]),
    code("overloaded", FailureClass::Overloaded, &[0]),
    code("invalid_request", FailureClass::Rejected, &[0]),
    code("badrequest", FailureClass::Rejected, &[0]),
];

const MESSAGES: [Message; 15] = [
    message("openai", 429, "Request too large", FailureClass::TooLarge),
    message("groq", 413, "Request too large", FailureClass::TooLarge),
    message("openai", 401, "You have insufficient permissions", FailureClass::Forbidden),
    message("openai", 403, "You are not allowed to generate", FailureClass::Rejected),
    message("openai", 403, "You are not allowed to sample", FailureClass::Rejected),
    message("openai", 403, "Your request was rejected as a result of our safety system", FailureClass::Rejected),
    message("xai", 403, "Content violates usage guidelines", FailureClass::Rejected),
    message("xai", 403, "Your newly created team doesn't have any credits", FailureClass::PaymentRequired),
    message("xai", 400, "Incorrect API key provided", FailureClass::Unauthorized),
    message("openrouter", 403, "Key limit exceeded", FailureClass::PaymentRequired),
    message("siliconflow", 403, "Sorry, your account balance is insufficient", FailureClass::PaymentRequired),
    message("google", 400, "User location is not supported", FailureClass::Unauthorized),
    message("anthropic", 400, "Your credit balance is too low", FailureClass::PaymentRequired),
    message("azure", 403, "Out of call volume quota", FailureClass::RateLimited),
    message("github", 403, "You have exceeded a secondary rate limit", FailureClass::RateLimited),
];

/// Words in a 400 or 422 with doubt about the model at this upstream, the account or the place. Another upstream is asked. The
/// words alone rest nobody.
const MAYBE_OURS: [&str; 18] = [
    "model",
    "deployment",
    "endpoint",
    "account",
    "api key",
    "api_key",
    "token is invalid",
    "quota",
    "billing",
    "credit",
    "balance",
    "location",
    "region",
    "country",
    "organization",
    "permission",
    "subscription",
    "access",
];

/// Words in a 401 about less than the key, perhaps. With these words the refusal of the key is not certain.
const LESS_THAN_THE_KEY: [&str; 4] = ["model", "scope", "permission", "模型"];

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
    let failure = Failure { status, ..Failure::new(class, Phase::Head, String::new()) };
    // Of a refusal, the code or the words decide; of all else, the class alone.
    if class.is_refusal() { Failure { certain, ..failure } } else { failure }
}

/// Returns the meaning of an error in a 200, or in an event.
pub(super) fn in_success(error: &ErrorBody, model: &str) -> Failure {
    let named = error.status_code.filter(|status| (400..=599).contains(status));
    let failure = failure(named, error, model);
    let meant = if failure.class == FailureClass::ModelNotFound { Some(404) } else { None };
    let meant = if failure.class == FailureClass::Rejected { Some(400) } else { meant };
    Failure { status: named.or(meant), phase: Phase::Body, ..failure }
}

fn verdict(status: Option<u16>, error: &ErrorBody, model: &str) -> Verdict {
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
    if let Some(row) = MESSAGES.iter().find(|row| Some(row.status) == status && error.message.starts_with(row.begins)) {
        return uncertain(row.class);
    }
    if status == Some(403) && error.reason == RATE_LIMIT {
        return certain(FailureClass::RateLimited);
    }
    by_account_code(status, error).unwrap_or_else(|| by_status(status, error, model))
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
        400 | 422 if may_be_ours(error, model) => uncertain(FailureClass::ModelNotFound),
        400 | 413 | 415 | 422 => certain(FailureClass::Rejected),
        // Busy servers and proxies answer with these, too.
        420 | 424 | 430 | 498 | 499 | 503 | 529 => certain(FailureClass::Overloaded),
        400..=599 => certain(FailureClass::ServerError),
        // A redirect is not followed, and anything else is no answer.
        _ => certain(FailureClass::Protocol),
    }
}

/// Returns whether a 400 or 422 may be about the model at this upstream, the account or the place, and not about the request.
fn may_be_ours(error: &ErrorBody, model: &str) -> bool {
    if error.param == "model" {
        return true;
    }
    let names_another_field = !matches!(error.param.as_str(), "" | "None");
    if names_another_field || error.is_code(&CALLERS_OWN) {
        return false;
    }
    error.code_contains("model") || error.mentions(&MAYBE_OURS) || names(&error.message, model)
}

/// Returns whether a message holds this name by itself, and not as a part of another word.
fn names(message: &str, name: &str) -> bool {
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
