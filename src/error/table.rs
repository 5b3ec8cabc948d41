//! The table of our own errors: status, type, code, and when each comes. docs/api.md is made from the same rows.

use actix_web::http::StatusCode;

/// A row of the table.
#[derive(Debug)]
pub struct ErrorRow {
    /// The HTTP status.
    pub status: StatusCode,
    /// `error.type`.
    pub kind: &'static str,
    /// `error.code`.
    pub code: &'static str,
    /// What clients are told about another try.
    pub again: Again,
    /// When the error comes, for the documentation.
    pub when: &'static str,
}

/// What clients are told about another try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// Nothing: clients decide by the status.
    ByStatus,
    /// `x-should-retry: false`. The same request would get the same answer.
    Never,
    /// A time, in `retry-after` and `retry-after-ms`, as far as one is known.
    Later,
    /// A short time, and `x-should-retry: false`: the pool's own tries are used up, and the client's would come on top.
    Spent,
    /// A time, and `x-should-retry: false`: the time is far off, or nobody should ask before.
    NotBefore,
}

impl Again {
    /// Returns the sentence for the documentation.
    pub fn as_headers(self) -> &'static str {
        match self {
            Again::ByStatus => "",
            Again::Never => "`x-should-retry: false`",
            Again::Later => "`retry-after`",
            Again::Spent | Again::NotBefore => "`retry-after`, `x-should-retry: false`",
        }
    }
}

const INVALID: &str = "invalid_request_error";
const KEY: &str = "authentication_error";
const PERMISSION: &str = "permission_error";
const LIMIT: &str = "rate_limit_error";
const SERVER: &str = "server_error";
const UPSTREAM: &str = "upstream_error";

macro_rules! table {
    ($($name:ident: $status:ident, $kind:expr, $code:literal, $again:ident, $when:literal;)*) => {
        $(pub(super) static $name: ErrorRow = ErrorRow {
            status: StatusCode::$status, kind: $kind, code: $code, again: Again::$again, when: $when,
        };)*
        /// Every row.
        pub static ERRORS: &[&ErrorRow] = &[$(&$name),*];
    };
}

table! {
    INVALID_REQUEST: BAD_REQUEST, INVALID, "invalid_request", ByStatus,
        "The body is no JSON object, has no `model`, or can be read in two ways; or a query is not understood.";
    NO_RESPONSES: BAD_REQUEST, INVALID, "responses_not_served", ByStatus,
        "A body with `input` and without `messages` came to `/v1/chat/completions` (Cursor), and no upstream that was asked \
         serves `/v1/responses`.";
    BODY_CUT: BAD_REQUEST, INVALID, "incomplete_body", ByStatus, "The body did not arrive whole.";
    MISSING_KEY: UNAUTHORIZED, KEY, "missing_api_key", Never, "No key came with the request.";
    WRONG_KEY: UNAUTHORIZED, KEY, "invalid_api_key", Never, "The key is not one of the server's.";
    BUDGET_SPENT: PAYMENT_REQUIRED, LIMIT, "insufficient_quota", NotBefore,
        "A budget of the key is spent. The message has the budget and the time at which there is room again. No upstream was \
         called.";
    KEY_EXPIRED: FORBIDDEN, PERMISSION, "key_expired", Never, "The key's `expires` is over.";
    KEY_DISABLED: FORBIDDEN, PERMISSION, "key_disabled", Never, "The key has `enabled: false`, or a limit of 0.";
    MODEL_NOT_ALLOWED: FORBIDDEN, PERMISSION, "model_not_allowed", Never,
        "The model is not among the key's `models`, or no API of the key's `apis` serves the model.";
    NOT_PERMITTED: FORBIDDEN, PERMISSION, "not_permitted", Never,
        "A client's key asks for the pool's state where that wants an operator's; a viewer's key resets; or an operator's key \
         asks for a model.";
    UNKNOWN_PATH: NOT_FOUND, INVALID, "unknown_url", Never,
        "There is nothing at this path. The message names a path that is near.";
    MODEL_NOT_FOUND: NOT_FOUND, INVALID, "model_not_found", Never,
        "No upstream lists the model, and all lists are known; or every upstream with the model has refused it by a code. \
         No upstream was called.";
    UNKNOWN_API: NOT_FOUND, INVALID, "unknown_api", Never, "`/v1/token/reset` names an id that does not exist.";
    WRONG_METHOD: METHOD_NOT_ALLOWED, INVALID, "method_not_allowed", ByStatus,
        "The path takes another method; `allow` says which.";
    BODY_SLOW: REQUEST_TIMEOUT, INVALID, "body_timeout", ByStatus,
        "The rest of the request's body did not come in time (`server.bodyTimeoutMs`).";
    TOO_LARGE: PAYLOAD_TOO_LARGE, INVALID, "request_too_large", ByStatus,
        "The body is larger than `server.bodyLimitMb`, or a form than `server.uploadLimitMb`.";
    NO_WEBSOCKET: UPGRADE_REQUIRED, INVALID, "websocket_not_served", ByStatus,
        "A WebSocket is asked for (`Upgrade: websocket`) at a path that serves none, or no upstream speaks \
         WebSockets (for the model: as an event in the connection). Agents go on by HTTP.";
    HOME_UNAVAILABLE: CONFLICT, "no_available_api", "object_home_unavailable", Later,
        "The request names an object (a response, an item, a conversation, encrypted reasoning) that lives on one API alone, and \
         that API rests, is disabled or does not serve the model. No other API knows the object. At a limit of that API: 429.";
    TWO_HOMES: CONFLICT, INVALID, "objects_of_two_apis", ByStatus,
        "The request names objects of two APIs (the message has both), and none knows the objects of the other. No upstream was called.";
    KEY_RPM: TOO_MANY_REQUESTS, LIMIT, "key_rpm", Later, "The key's `rpm` is used up. No upstream was called.";
    KEY_RPD: TOO_MANY_REQUESTS, LIMIT, "key_rpd", Later, "The key's `rpd` is used up.";
    KEY_TPM: TOO_MANY_REQUESTS, LIMIT, "key_tpm", Later, "The key's `tpm` leaves too little for the request.";
    KEY_TPD: TOO_MANY_REQUESTS, LIMIT, "key_tpd", Later, "The key's `tpd` leaves too little for the request.";
    KEY_LIMIT: TOO_MANY_REQUESTS, LIMIT, "key_limit", Later,
        "An entry of the key's `limits`, or its `burst`, leaves too little for the request.";
    KEY_PACED: TOO_MANY_REQUESTS, LIMIT, "key_paced", Later,
        "A limit or a budget of the key with `pacing: spread` is not spent, and the rest is for later in its period.";
    KEY_CONCURRENCY: TOO_MANY_REQUESTS, LIMIT, "key_concurrency", Later,
        "The key has `maxConcurrent` requests under way.";
    BUDGET_RESERVED: TOO_MANY_REQUESTS, LIMIT, "key_budget", Later,
        "A budget of the key is not spent, and requests under way have reserved the rest.";
    LIMITED: TOO_MANY_REQUESTS, LIMIT, "rate_limit_exceeded", Later,
        "No upstream that serves the model can take the request, and at least one of them is at a limit (ours or its own). \
         The message names each with its reason and time; `error.details` lists `api`, `reason` and `until`. Also an \
         upstream's 429 whose own text did not arrive.";
    SPENT: TOO_MANY_REQUESTS, LIMIT, "insufficient_quota", Later,
        "The same, and none frees within two minutes: agents stop and say so, where they would sleep for hours. An upstream's \
         429 with such a wait gets this code, too.";
    INTERNAL: INTERNAL_SERVER_ERROR, SERVER, "internal_error", ByStatus, "A defect of this program.";
    UPSTREAM_FAILED: BAD_GATEWAY, UPSTREAM, "upstream_failed", Spent,
        "All attempts failed, and the last upstream's error can't be passed on: `the upstream APIs failed; the last one \
         asked, a: …` names the upstream, the class and its words. With a 5xx of the upstream's: its text did not arrive.";
    NONE_AVAILABLE: SERVICE_UNAVAILABLE, "no_available_api", "no_available_api", Later,
        "Upstreams serve the model, but all of them rest or are disabled; or no upstream lists it, and one could not be asked \
         for its models yet. The message names each with its reason and time.";
    OVERLOADED: SERVICE_UNAVAILABLE, SERVER, "server_overloaded", Later,
        "Too many requests wait to be admitted (`actors.mailbox`) or are served (`maxRequests`), or their bodies hold too much \
         memory (`bodiesInFlightMb`) or disk (`spoolMb`), or too many connections (`maxConnections`) or files are open.";
    KEY_STORE: SERVICE_UNAVAILABLE, SERVER, "store_unavailable", Later,
        "The store can't record what a key with limits spends, so nothing is spent. Keys without limits are served.";
    ADMISSION_TIMEOUT: SERVICE_UNAVAILABLE, SERVER, "admission_timeout", ByStatus,
        "The disk or the machine is so slow that nothing could be admitted within 5 s.";
    STOPPING: SERVICE_UNAVAILABLE, SERVER, "server_stopping", ByStatus, "The server is stopping.";
    UPSTREAM_TIMEOUT: GATEWAY_TIMEOUT, UPSTREAM, "upstream_timeout", Spent,
        "As 502, and the last failure was a timeout; or the time is over that the client waits (`x-stainless-timeout`).";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::ERRORS;

    #[test]
    fn each_code_has_one_row() {
        // A spent budget and a limit that is spent for long have one code: agents stop at that code.
        let codes: BTreeSet<_> = ERRORS.iter().map(|row| (row.code, row.status)).collect();
        assert_eq!(codes.len(), ERRORS.len());
    }
}
