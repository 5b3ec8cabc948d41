//! What one event of a stream means, in any dialect.

use std::ops::Range;

use super::usage::ReportedUsage;
use crate::types::Failure;

/// What one event is, in any dialect.
#[derive(Debug)]
pub(crate) enum EventKind {
    /// Nothing of the answer: a comment, a role, "in progress".
    Preamble,
    /// A part of the answer.
    Content(ContentLength),
    /// A report of usage, and nothing else.
    Usage,
    /// The upstream failed.
    Error(Box<InBandError>),
    /// An end without content.
    End,
}

/// How much text an event holds.
#[derive(Debug)]
pub(crate) enum ContentLength {
    /// So many bytes.
    Bytes(usize),
    /// So many bytes, maybe a repetition of earlier events.
    MayRepeat(usize),
    /// The rest of the event without the frame of earlier ones.
    LikeBefore,
}

/// What an event ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    /// Nothing.
    Open,
    /// The answer, with a reason to finish. A usage may follow.
    Finished,
    /// The stream: nothing behind matters.
    Closed,
}

/// The whole meaning of one event.
#[derive(Debug)]
pub(crate) struct EventMeaning {
    pub(crate) kind: EventKind,
    pub(crate) end: End,
    pub(crate) usage: ReportedUsage,
    /// Where the usage stands in the event, to be cut out for a client without a wish for usage.
    pub(crate) usage_at: Option<Range<usize>>,
}

impl EventMeaning {
    /// Returns the meaning of an event without an end and without usage.
    pub(crate) fn of(kind: EventKind) -> Self {
        EventMeaning { kind, end: End::Open, usage: ReportedUsage::default(), usage_at: None }
    }

    /// Returns the meaning of an error.
    pub(crate) fn of_error(error: InBandError) -> Self {
        EventMeaning::of(EventKind::Error(Box::new(error)))
    }
}

/// A failure in one of a stream's events.
#[derive(Debug)]
pub(crate) struct InBandError {
    pub(crate) failure: Failure,
    /// Whether clients take the event for an error.
    pub(crate) is_plain: bool,
    /// Whether clients can read the event at all.
    pub(crate) is_readable: bool,
}
