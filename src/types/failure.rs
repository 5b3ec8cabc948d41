//! Why an attempt failed, as data for decisions.

use std::fmt;
use std::time::Duration;

/// The kind of a failure. The class decides what rests, for how long, and whether another upstream is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureClass {
    /// 429: a limit of the upstream's own.
    RateLimited,
    /// 401 or 403: the key is refused.
    Unauthorized,
    /// 401 or 403 about the model or a permission: the key may do other things.
    Forbidden,
    /// 402: the account has no money left.
    PaymentRequired,
    /// 503 or 529: the upstream is too busy.
    Overloaded,
    /// Another 5xx.
    ServerError,
    /// 408, or a deadline of ours passed.
    Timeout,
    /// No connection: DNS, TCP or TLS failed, and nothing was sent.
    Connect,
    /// This machine has no socket left (too many files are open): the upstream was not asked.
    LocalSocketLimit,
    /// The connection broke, or the bytes are no whole answer of the protocol.
    Protocol,
    /// 200 with nothing inside.
    EmptyResponse,
    /// 200 in the wrong form: events in the place of one object, or the reverse.
    WrongForm,
    /// A kept connection was closed before any answer: nothing about the upstream.
    StaleConnection,
    /// The upstream does not serve the model, or not to this account, or has no such endpoint.
    ModelNotFound,
    /// The request alone exceeds the upstream's limit, at any time. Another upstream's limit may be larger.
    TooLarge,
    /// An object that the request names is unknown here: another account may have made the object.
    ObjectNotHere,
    /// The request itself was refused (400, 413, 415, 422): the caller's own mistake.
    Rejected,
}

/// The consequences of a class.
struct Traits {
    name: &'static str,
    is_unhealthy: bool,
    is_certain: bool,
    consumed_nothing: bool,
}

/// A row of the table of classes, in the order of the fields of [`Traits`].
const fn row(name: &'static str, is_unhealthy: bool, is_certain: bool, consumed_nothing: bool) -> Traits {
    Traits { name, is_unhealthy, is_certain, consumed_nothing }
}

impl FailureClass {
    /// Every class.
    pub const ALL: [FailureClass; 17] = [
        FailureClass::RateLimited,
        FailureClass::Unauthorized,
        FailureClass::Forbidden,
        FailureClass::PaymentRequired,
        FailureClass::Overloaded,
        FailureClass::ServerError,
        FailureClass::Timeout,
        FailureClass::Connect,
        FailureClass::LocalSocketLimit,
        FailureClass::Protocol,
        FailureClass::EmptyResponse,
        FailureClass::WrongForm,
        FailureClass::StaleConnection,
        FailureClass::ModelNotFound,
        FailureClass::TooLarge,
        FailureClass::ObjectNotHere,
        FailureClass::Rejected,
    ];

    const fn traits(self) -> Traits {
        match self {
            //                                           name, unhealthy, certain, consumed nothing
            FailureClass::RateLimited => row("rate_limited", false, true, true),
            FailureClass::Unauthorized => row("unauthorized", false, true, true),
            FailureClass::Forbidden => row("forbidden", false, false, true),
            FailureClass::PaymentRequired => row("payment_required", false, true, true),
            FailureClass::Overloaded => row("overloaded", true, true, true),
            FailureClass::ServerError => row("server_error", true, false, false),
            FailureClass::Timeout => row("timeout", true, false, false),
            FailureClass::Connect => row("connect", true, true, true),
            FailureClass::LocalSocketLimit => row("no_socket", false, true, true),
            FailureClass::Protocol => row("protocol", true, false, false),
            FailureClass::EmptyResponse => row("empty_answer", true, false, false),
            FailureClass::WrongForm => row("wrong_form", false, false, false),
            FailureClass::StaleConnection => row("stale_connection", false, true, true),
            FailureClass::ModelNotFound => row("model_not_found", false, false, true),
            FailureClass::TooLarge => row("too_large", false, false, true),
            FailureClass::ObjectNotHere => row("object_not_here", false, true, true),
            FailureClass::Rejected => row("rejected", false, false, true),
        }
    }

    /// Returns the name in logs, in `retry.retryOn` and in `/v1/status`.
    pub const fn as_str(self) -> &'static str {
        self.traits().name
    }

    /// Returns whether the upstream is in trouble. Such failures count for the health, and moving on is paid from the retry
    /// budget. The other classes are about a limit, a key, a model or the request.
    pub const fn counts_as_unhealthy(self) -> bool {
        self.traits().is_unhealthy
    }

    /// Returns whether the upstream turned the request away before any work.
    pub const fn consumed_nothing(self) -> bool {
        self.traits().consumed_nothing
    }

    /// Returns whether the class is about one model by one route alone.
    pub const fn is_model_scoped(self) -> bool {
        matches!(self, FailureClass::ModelNotFound | FailureClass::Forbidden)
    }

    /// Returns whether the class is a refusal of the key, the account or the model.
    pub const fn is_refusal(self) -> bool {
        matches!(self, FailureClass::Unauthorized | FailureClass::PaymentRequired) || self.is_model_scoped()
    }
}

/// A set of classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClassSet(u32);

impl ClassSet {
    /// The classes with a chance elsewhere: not the caller's own mistake, and not a lack of this machine.
    pub const ELSEWHERE: ClassSet =
        ClassSet(!(1 << FailureClass::Rejected as u32 | 1 << FailureClass::LocalSocketLimit as u32));

    /// Returns whether the class is in the set.
    pub fn contains(self, class: FailureClass) -> bool {
        self.0 & (1 << class as u32) != 0
    }
}

impl FromIterator<FailureClass> for ClassSet {
    fn from_iter<I: IntoIterator<Item = FailureClass>>(classes: I) -> Self {
        ClassSet(classes.into_iter().fold(0, |set, class| set | 1 << class as u32))
    }
}

/// The phase of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Connecting.
    Connect,
    /// In wait for the response's head, or for the first content of a stream.
    Head,
    /// In the response's body.
    Body,
}

/// The span of a limit of the upstream's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitSpan {
    /// The limit frees within a minute.
    Minute,
    /// The limit frees when the day ends (or when somebody pays).
    Day,
}

/// One failed attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The kind.
    pub class: FailureClass,
    /// How far the attempt had come.
    pub phase: Phase,
    /// The upstream's status, if there was one.
    pub status: Option<u16>,
    /// The wait that the upstream asks for.
    pub retry_after: Option<Duration>,
    /// Which limit was reached, if the upstream says.
    pub limit: Option<LimitSpan>,
    /// Whether the limit is of the model alone or of the account, if the upstream says.
    pub limit_of_model: Option<bool>,
    /// A code or a status says so, and the request can't be the cause. Words prove nothing: they may be the client's.
    pub certain: bool,
    /// The failure counts for the upstream's health. The exceptions: an earlier attempt of the same request had failed
    /// ambiguously, or another request of the same connection counted already.
    pub counted: bool,
    /// The request's text is too long for the model. Another model may have room.
    pub context_exceeded: bool,
    /// A moderator refused what the client wrote.
    pub moderated: bool,
    /// A connection with other requests broke: the same upstream may be asked again once.
    pub connection_lost: bool,
    /// The event in words, for the log and the status, without a key or a body.
    pub detail: String,
}

impl Failure {
    /// Creates a failure with what the class implies.
    pub fn new(class: FailureClass, phase: Phase, detail: impl Into<String>) -> Self {
        Failure {
            class,
            phase,
            status: None,
            retry_after: None,
            limit: None,
            limit_of_model: None,
            certain: class.traits().is_certain,
            counted: true,
            context_exceeded: false,
            moderated: false,
            connection_lost: false,
            detail: detail.into(),
        }
    }

    /// Returns whether the failure is about the upstream's health, although the request may have caused it.
    pub fn is_ambiguous(&self) -> bool {
        self.class.counts_as_unhealthy() && !self.certain
    }

    /// Returns whether the failure is a refusal of the key, the account or the model without a proof: nothing by itself.
    pub fn is_doubtful(&self) -> bool {
        !self.certain && self.class.is_refusal()
    }

    /// Returns whether the failure counts when another upstream serves the same request: a doubtful refusal whose status is the
    /// upstream's own deed, or whose words about the account are a provider's own. Another 400 or 422 in doubt never counts, since
    /// the words may be the client's, and the other upstream larger.
    pub fn needs_confirmation(&self) -> bool {
        self.is_doubtful() && self.counted && (self.is_of_the_account() || matches!(self.status, Some(401..=405 | 410)))
    }

    /// Returns whether the failure is a refusal of the key or the account as a whole.
    pub fn is_of_the_account(&self) -> bool {
        matches!(self.class, FailureClass::Unauthorized | FailureClass::PaymentRequired)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.class.as_str(), self.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_into_it() {
        let set: ClassSet = [FailureClass::RateLimited, FailureClass::Rejected].into_iter().collect();
        for class in FailureClass::ALL {
            assert_eq!(set.contains(class), matches!(class, FailureClass::RateLimited | FailureClass::Rejected));
            assert_eq!(
                ClassSet::ELSEWHERE.contains(class),
                !matches!(class, FailureClass::Rejected | FailureClass::LocalSocketLimit),
                "{class:?}"
            );
        }
    }
}
