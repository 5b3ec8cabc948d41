//! Every error of our own that a client can see. In reading order: the errors with their texts, [`table`] (status, type and
//! code of each), [`mod@form`] (the bodies in each format), [`render`] (the responses).

mod cause;
mod form;
mod key_limits;
mod key_refusal;
mod missing_model;
mod refused_by;
mod render;
mod table;

use std::borrow::Cow;
use std::time::Duration;

use actix_web::http::StatusCode;
use thiserror::Error;

pub(crate) use self::form::error_event;
pub use self::form::{abort_error, upstream_said};
pub use self::key_refusal::KeyRefusal;
pub use self::missing_model::MissingModel;
use self::refused_by::{home_reasons, reasons, that_serves};
pub use self::render::Refused;
pub(crate) use self::render::X_SHOULD_RETRY;
pub use self::table::{ERRORS, ErrorRow};
use crate::keys::FullLimit;
use crate::scheduler::{AdmissionError, UnknownApi};
use crate::types::{ApiId, Failure, FailureClass, Now, RequestTarget};
use crate::upstream::Refusal;

/// From this wait on an answer asks clients not to retry by themselves: one SDK would sleep for hours, holding its caller.
pub const LONGEST_CLIENT_RETRY: Duration = Duration::from_secs(120);

/// The `Retry-After` (ms) of a wait of unknown length.
const SOON_MS: u64 = 1_000;

/// The `Retry-After` (ms) when all that were asked failed. Many programs come back after a fifth of a second otherwise.
const AFTER_FAILURE_MS: u64 = 2_000;

/// An error of ours.
#[derive(Debug, Error)]
pub enum ApiError {
    /// No key came with the request.
    #[error("you didn't provide an API key; send it as `Authorization: Bearer YOUR_KEY` or `x-api-key: YOUR_KEY`")]
    MissingKey,
    /// The key is not one of ours.
    #[error("incorrect API key provided")]
    WrongKey,
    /// The key is one of an account's.
    #[error(
        "this is the key of an account behind this pool, not a key of the pool; send one of keys, server.apiKey or server.apiKeys"
    )]
    AccountKey,
    /// A limit or a budget of the key has no room.
    #[error("{}", key_limits::text(.0))]
    KeyLimit(FullLimit),
    /// The store of the key's counts does not answer.
    #[error("the store of the counts does not answer, so no key with limits can spend anything safely")]
    KeyStore {
        /// When the store is asked again (ms, monotonic).
        until: u64,
    },
    /// The key is known, and may not do this.
    #[error(transparent)]
    Key(#[from] KeyRefusal),
    /// The request can't be understood.
    #[error("{message}")]
    Invalid {
        /// What is wrong.
        message: String,
        /// With which field.
        param: Option<&'static str>,
    },
    /// The body has more bytes than this setting allows.
    #[error("the request body is larger than {0} bytes ({1})")]
    TooLarge(usize, &'static str),
    /// The body did not arrive whole.
    #[error("the request body could not be read to its end")]
    BodyCut,
    /// The next piece of the body did not come in time.
    #[error("the rest of the request body did not come in time (server.bodyTimeoutMs)")]
    BodySlow,
    /// There is nothing at this path.
    #[error("unknown request URL: {asked}; {hint}")]
    UnknownPath {
        /// Method and path, as sent.
        asked: String,
        /// What was probably meant, or what there is.
        hint: String,
    },
    /// The path takes another method.
    #[error("not allowed to {method} on {path}; use {allow}")]
    WrongMethod {
        /// As sent.
        method: String,
        /// As sent.
        path: String,
        /// What it takes.
        allow: Cow<'static, str>,
    },
    /// No upstream serves the model.
    #[error("{0}")]
    ModelNotFound(MissingModel),
    /// The model is served in another format than the request's.
    #[error("the model {model:?} is served at {served} only in this pool")]
    OtherFormat {
        /// As asked for.
        model: String,
        /// The path of the model's format.
        served: &'static str,
    },
    /// A body for the Responses API came to the path for chats, and no upstream has that API.
    #[error(
        "the body has input and no messages, as for the Responses API, and no API of this pool that was asked for {0:?} serves \
         /v1/responses; send messages, or add an API with the Responses API"
    )]
    NoResponses(String),
    /// All that list the model say themselves that they don't serve it, or not at this endpoint.
    #[error(
        "no API of this pool serves {0:?} at this endpoint, as each said itself; GET /v1/status has them under \"absentModels\""
    )]
    ModelAbsent(String),
    /// No upstream with the model can take the request: a 429 if a limit is among the reasons, else a 503.
    #[error("no API{} {}: {}", that_serves(.model), if *.limited { "has room for a request now" } else { "is available" }, reasons(.refusals))]
    NoneAvailable {
        /// As asked for.
        model: String,
        /// What each of them said.
        refusals: Vec<(ApiId, Refusal)>,
        /// A limit, ours or theirs, passes by itself: then 429 is the truth for the pool as a whole.
        limited: bool,
    },
    /// The request names objects of one upstream, which can't take the request. Nobody else knows the objects.
    #[error("the request names an object that lives on the API {api} alone, which {}", home_reasons(.refusals))]
    HomeUnavailable {
        /// The home.
        api: ApiId,
        /// What the home said. Empty if the home does not serve the model.
        refusals: Vec<(ApiId, Refusal)>,
    },
    /// The request names objects of two upstreams. No upstream knows both.
    #[error(
        "the request names objects of two APIs, {one} and {other}, and no API knows the objects of another one; name \
         objects of one API only"
    )]
    TwoHomes {
        /// The home of one.
        one: ApiId,
        /// The home of another.
        other: ApiId,
    },
    /// All upstreams that were asked failed; this is the last one, and its failure.
    #[error("the upstream APIs failed; the last one asked, {api}: {failure}")]
    UpstreamFailed {
        /// The last one.
        api: ApiId,
        /// What happened there.
        failure: Box<Failure>,
    },
    /// The client said how long it would wait, and that is over.
    #[error("no answer came within the time that the client waits (x-stainless-timeout)")]
    ClientTimeout,
    /// There is no upstream of this id.
    #[error(transparent)]
    UnknownApi(#[from] UnknownApi),
    /// The supervisor did not answer in time.
    #[error("no API could be admitted in time; the server's disk is slow, or it is overloaded")]
    AdmissionTimeout,
    /// A WebSocket is wished for, where none is served.
    #[error(
        "no WebSocket is served at this path, or by any API of this pool that could answer: send the same request by HTTP"
    )]
    NoWebSocket,
    /// There is more than the server may take, of this.
    #[error("the server is overloaded: {0}")]
    Overloaded(&'static str),
    /// The process is stopping.
    #[error("the server is stopping")]
    Stopping,
    /// A defect.
    #[error("internal error")]
    Internal,
}

impl ApiError {
    /// Returns the error for a request that no upstream of the target admits.
    pub fn of_target(refused: AdmissionError, target: &RequestTarget) -> ApiError {
        match (refused, target) {
            (AdmissionError::NoneAvailable { refusals, .. }, RequestTarget::Home(home))
                if refusals.iter().all(|(api, _)| api == home) =>
            {
                ApiError::HomeUnavailable { api: home.clone(), refusals }
            }
            (refused, RequestTarget::Any | RequestTarget::Home(_)) => ApiError::from(refused),
        }
    }

    /// Returns the row of the table.
    fn row(&self) -> &'static ErrorRow {
        match self {
            ApiError::MissingKey => &table::MISSING_KEY,
            ApiError::WrongKey | ApiError::AccountKey => &table::WRONG_KEY,
            ApiError::Key(refusal) => refusal.row(),
            ApiError::KeyLimit(full) => key_limits::row(full),
            ApiError::KeyStore { .. } => &table::KEY_STORE,
            ApiError::Invalid { .. } => &table::INVALID_REQUEST,
            ApiError::TooLarge(..) => &table::TOO_LARGE,
            ApiError::NoResponses(_) => &table::NO_RESPONSES,
            ApiError::BodyCut => &table::BODY_CUT,
            ApiError::NoWebSocket => &table::NO_WEBSOCKET,
            ApiError::BodySlow => &table::BODY_SLOW,
            ApiError::UnknownPath { .. } => &table::UNKNOWN_PATH,
            ApiError::WrongMethod { .. } => &table::WRONG_METHOD,
            ApiError::ModelNotFound(_) | ApiError::OtherFormat { .. } | ApiError::ModelAbsent(_) => {
                &table::MODEL_NOT_FOUND
            }
            ApiError::NoneAvailable { limited: true, .. } if self.is_long_wait() => &table::SPENT,
            ApiError::NoneAvailable { limited: true, .. } => &table::LIMITED,
            ApiError::NoneAvailable { limited: false, .. } => &table::NONE_AVAILABLE,
            ApiError::HomeUnavailable { refusals, .. } if !refusals.iter().any(|(_, refusal)| refusal.is_limit()) => {
                &table::HOME_UNAVAILABLE
            }
            ApiError::HomeUnavailable { .. } if self.is_long_wait() => &table::SPENT,
            ApiError::HomeUnavailable { .. } => &table::LIMITED,
            ApiError::TwoHomes { .. } => &table::TWO_HOMES,
            ApiError::UpstreamFailed { failure, .. } if failure.class == FailureClass::Timeout => {
                &table::UPSTREAM_TIMEOUT
            }
            ApiError::ClientTimeout => &table::UPSTREAM_TIMEOUT,
            ApiError::UpstreamFailed { .. } => &table::UPSTREAM_FAILED,
            ApiError::UnknownApi(_) => &table::UNKNOWN_API,
            ApiError::AdmissionTimeout => &table::ADMISSION_TIMEOUT,
            ApiError::Overloaded(_) => &table::OVERLOADED,
            ApiError::Stopping => &table::STOPPING,
            ApiError::Internal => &table::INTERNAL,
        }
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.row().status
    }

    /// Returns the error's code, as the client sees it.
    pub fn code(&self) -> &'static str {
        self.row().code
    }

    /// Returns why, for the log: where upstreams refused, their reasons and until when.
    pub fn reason(&self) -> String {
        match (self, self.refusals()) {
            (ApiError::UpstreamFailed { api, failure }, _) => format!("{api}: {failure}"),
            (_, Some(refusals)) => reasons(refusals),
            (_, None) => self.to_string(),
        }
    }

    /// Returns how long until it is worth trying again, in ms.
    pub fn wait_ms(&self) -> Option<u64> {
        if let ApiError::Overloaded(_) = self {
            return Some(SOON_MS);
        }
        if let ApiError::KeyLimit(full) = self {
            return key_limits::wait_ms(full);
        }
        let now = Now::read().mono;
        if let ApiError::KeyStore { until } = self {
            return Some(until.saturating_sub(now));
        }
        let wait = |refusal: &Refusal| match refusal.retry_at_in_panic() {
            Some(at) => Some(at.saturating_sub(now)),
            // When one of those ends that are on the way.
            None => refusal.is_limit().then_some(SOON_MS),
        };
        self.refusals()?.iter().filter_map(|(_, refusal)| wait(refusal)).min()
    }

    /// Returns whether a client should not wait for this.
    fn is_long_wait(&self) -> bool {
        self.wait_ms().is_some_and(is_long)
    }

    /// What each upstream said, if it was asked for room.
    fn refusals(&self) -> Option<&[(ApiId, Refusal)]> {
        if let ApiError::NoneAvailable { refusals, .. } | ApiError::HomeUnavailable { refusals, .. } = self {
            Some(refusals)
        } else {
            None
        }
    }
}

fn is_long(wait_ms: u64) -> bool {
    Duration::from_millis(wait_ms) > LONGEST_CLIENT_RETRY
}
