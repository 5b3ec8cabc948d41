//! What a stream has come to so far.

use std::sync::Arc;

use actix_web::web::Bytes;

use super::Shown;
use super::answer_length::AnswerLength;
use crate::config::ApiKey;
use crate::dialect::billed::billed_in;
use crate::dialect::echo_model::with_model;
use crate::dialect::event_meaning::{ContentLength, End, EventKind, EventMeaning, InBandError};
use crate::dialect::redact::{redacted, redacted_error};
use crate::dialect::routes::Route;
use crate::dialect::usage::{EstimatedUsage, ReportedUsage};
use crate::dialect::{SentRequest, StreamEvent, sse};
use crate::types::{BilledUnits, Failure, ObjectKey, Usage, UsageSource, WireFormat};

/// Follows the meaning of one stream.
#[derive(Debug)]
pub(crate) struct StreamProgress {
    route: &'static Route,
    /// Whether the proxy asked for the usage and the client did not: then no client sees the usage.
    strip: bool,
    /// What was reported so far.
    usage: ReportedUsage,
    /// What the events were billed by beside tokens, of the route's unit.
    billed: BilledUnits,
    /// Whether text has come behind the last report: then its count of the completion is too small.
    is_behind: bool,
    length: AnswerLength,
    began: bool,
    end: End,
    failed: Option<StreamFailure>,
    dropped_last: bool,
    /// The asked name of the model, if events are to have it.
    echo: Option<Arc<str>>,
    /// The objects that were shown and not taken.
    made: Vec<ObjectKey>,
    upstream: Option<Upstream>,
}

/// The upstream of a stream.
#[derive(Debug)]
pub(super) struct Upstream {
    /// The upstream's name for the model.
    pub(super) model: String,
    /// The client's request, as long as it is held.
    pub(super) client: Option<Bytes>,
    /// Is taken out of all events: some upstreams quote their keys.
    pub(super) key: ApiKey,
}

/// A failure in the words of the stream itself.
#[derive(Debug)]
pub(crate) struct StreamFailure {
    pub(crate) failure: Failure,
    /// The event with the failure.
    pub(crate) event: Bytes,
    /// Whether clients take the event for an error.
    pub(crate) is_plain: bool,
}

impl StreamProgress {
    pub(super) fn new(route: &'static Route, strip: bool) -> Self {
        StreamProgress {
            route,
            strip,
            usage: ReportedUsage::default(),
            billed: BilledUnits::default(),
            is_behind: false,
            length: AnswerLength::default(),
            began: false,
            end: End::Open,
            failed: None,
            dropped_last: false,
            echo: None,
            made: Vec::new(),
            upstream: None,
        }
    }

    pub(super) fn set_upstream(&mut self, upstream: Upstream) {
        self.upstream = Some(upstream);
    }

    pub(super) fn set_echo(&mut self, asked: Option<Arc<str>>) {
        self.echo = asked;
    }

    pub(super) fn forget_request(&mut self) {
        if let Some(upstream) = &mut self.upstream {
            upstream.client = None;
        }
    }

    /// Takes in one event. Returns what the client is to see of it.
    pub(super) fn event(&mut self, event: &[u8]) -> Shown {
        let shown = if self.failed.is_some() { Shown::Nothing } else { self.read(event) };
        let shown = match &self.echo {
            Some(asked) => echoed(shown, event, asked),
            None => shown,
        };
        self.dropped_last = matches!(shown, Shown::Nothing);
        shown
    }

    fn read(&mut self, event: &[u8]) -> Shown {
        let is_plain = self.began && self.length.is_measured();
        let EventMeaning { kind, end, usage, usage_at } = {
            let event = StreamEvent { kind: self.route.reply, bytes: event, is_plain };
            self.route.dialect.event(event, self.sent())
        };
        if let Some(unit) = self.route.billed {
            self.billed.add(unit, billed_in(unit, &sse::data(event).unwrap_or_default()));
        }
        if self.route.reply.has_objects() {
            self.route.dialect.made_by_event(event, &mut self.made);
        }
        self.end = self.end.max(end);
        self.usage.update(usage);
        self.is_behind &= usage.is_empty();
        match kind {
            EventKind::Content(length) => {
                self.began = true;
                let has_text = matches!(length, ContentLength::LikeBefore | ContentLength::Bytes(1..));
                self.is_behind |= has_text && usage.is_empty();
                self.length.add(event.len(), length);
            }
            EventKind::Error(error) => return self.error(*error, event),
            EventKind::Usage if self.strip => return Shown::Nothing,
            EventKind::Preamble | EventKind::Usage | EventKind::End => {}
        }
        let cut = usage_at.filter(|_| self.strip);
        let key = self.upstream.as_ref().map(|upstream| &upstream.key);
        match (key.filter(|key| key.find_in(event).is_some()), cut) {
            (None, None) => Shown::All,
            (None, Some(part)) => Shown::Without(part),
            (Some(key), cut) => {
                let part = cut.unwrap_or_default();
                let rest = [event.get(..part.start), event.get(part.end..)].map(Option::unwrap_or_default).concat();
                Shown::Instead(redacted(rest.into(), key))
            }
        }
    }

    /// Takes in an error: a failure of the stream, unless all of the stream has come.
    fn error(&mut self, error: InBandError, event: &[u8]) -> Shown {
        let mut shown = Bytes::copy_from_slice(event);
        if let Some(Upstream { key, .. }) = &self.upstream {
            shown = redacted_error(shown, key);
        }
        if self.end != End::Closed {
            let InBandError { failure, is_plain, .. } = error;
            self.failed = Some(StreamFailure { failure, event: shown.clone(), is_plain });
        }
        if error.is_readable { Shown::Instead(shown) } else { Shown::Nothing }
    }

    /// Takes in a part of an event beyond the longest one.
    pub(super) fn oversize(&mut self) -> Shown {
        if self.failed.is_some() {
            return Shown::Nothing;
        }
        self.began = true;
        Shown::All
    }

    /// Returns whether the client saw nothing of the last event.
    pub(super) fn dropped_last(&self) -> bool {
        self.dropped_last
    }

    fn sent(&self) -> SentRequest<'_> {
        let upstream = self.upstream.as_ref();
        SentRequest {
            upstream_model: upstream.map_or("", |upstream| &upstream.model),
            body: upstream.and_then(|upstream| upstream.client.as_deref()),
            key: upstream.map(|upstream| &upstream.key),
        }
    }

    pub(super) fn format(&self) -> WireFormat {
        self.route.id.format()
    }

    /// Takes the objects that the events have shown.
    pub(crate) fn take_made(&mut self) -> Vec<ObjectKey> {
        std::mem::take(&mut self.made)
    }

    /// Returns whether a part of the answer has come.
    pub(crate) fn began(&self) -> bool {
        self.began
    }

    /// Returns whether the stream is whole, if its bytes have ended without an error. Upstreams end streams with a mark,
    /// or at least with a reason to finish.
    pub(crate) fn is_whole(&self) -> bool {
        self.end != End::Open || (!self.route.reply.generates_text() && self.began)
    }

    /// Returns whether the end of the stream has come. A failure behind the end concerns a complete answer.
    pub(crate) fn closed(&self) -> bool {
        self.end == End::Closed
    }

    /// Returns whether a client has all of its answer, even if the client hangs up now.
    pub(crate) fn has_answered(&self) -> bool {
        self.closed() || self.end == End::Finished && !self.usage.is_empty()
    }

    /// Returns whether the upstream reported generated tokens: then an answer without a word is an answer.
    pub(crate) fn generated(&self) -> bool {
        self.usage.has_completion()
    }

    /// Returns the failure in the words of the stream itself.
    pub(crate) fn failed(&self) -> Option<&StreamFailure> {
        self.failed.as_ref()
    }

    /// Returns what the stream cost, by its tokens and by the events of the route's unit.
    pub(crate) fn usage(&self, prompt_bytes: usize) -> Option<Usage> {
        Usage::and_billed(self.tokens(prompt_bytes), self.billed)
    }

    /// Returns what the stream cost in tokens: as reported, completed by estimates from the lengths of stream and request. A report
    /// before the end (some upstreams report with each event) is an estimate as well; behind more text, the larger count
    /// holds.
    fn tokens(&self, prompt_bytes: usize) -> Option<Usage> {
        if self.usage.is_empty() && !self.began {
            return None;
        }
        let estimate = self.length.tokens();
        let is_too_small = self.is_behind && self.usage.completion.is_none_or(|completion| completion < estimate);
        let reported = match is_too_small {
            true => ReportedUsage { completion: None, total: None, ..self.usage },
            false => self.usage,
        };
        let usage = reported.completed(EstimatedUsage::new(prompt_bytes, estimate));
        let usage = usage.with_total_of(self.usage.total.unwrap_or_default());
        let is_all = self.end != End::Open || !self.route.reply.generates_text();
        Some(if is_all { usage } else { Usage { source: UsageSource::Estimated, ..usage } })
    }
}

/// Returns what the client is to see of an event, with this name of the model.
fn echoed(shown: Shown, event: &[u8], asked: &str) -> Shown {
    let bytes = match shown {
        Shown::All => Bytes::copy_from_slice(event),
        Shown::Without(part) => {
            [event.get(..part.start), event.get(part.end..)].map(Option::unwrap_or_default).concat().into()
        }
        Shown::Instead(bytes) => bytes,
        Shown::Nothing => return Shown::Nothing,
    };
    Shown::Instead(with_model(bytes, asked))
}
