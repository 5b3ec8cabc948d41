//! One stream, event by event: what the client is to see of it, what it cost, and whether it ended well. Pure.

use actix_web::web::Bytes;

use crate::dialect::SentRequest;
use crate::dialect::openai::error_body::ErrorBody;
use crate::dialect::openai::error_in_success;
use super::event::{self, Meaning};
use super::scrub::Watch;
use super::sse::{Piece, SseReader};
use crate::config::ApiKey;
use crate::types::{Failure, Operation, Usage, UsageSource};

/// One stream of events, from its bytes to what the client sees of it.
#[derive(Debug)]
pub struct EventStream {
    reader: SseReader,
    /// What the events meant so far.
    pub(super) meter: Meter,
}

impl EventStream {
    /// At the beginning of a stream. `strip_usage`: the proxy asked for the usage and the client did not.
    pub fn new(operation: Operation, strip_usage: bool) -> Self {
        EventStream { reader: SseReader::new(), meter: Meter::new(operation, strip_usage) }
    }

    /// The same, of an upstream that was asked thus, with this key taken out of what it tells.
    pub(super) fn told_by(mut self, model: &str, client: Bytes, key: ApiKey) -> Self {
        self.meter.upstream = Some(Upstream { model: model.to_owned(), client: Some(client), watch: Watch::new(key) });
        self
    }

    /// From here on it may take long: what the client wrote is let go.
    pub(super) fn committed(mut self) -> Self {
        if let Some(upstream) = &mut self.meter.upstream {
            upstream.client = None;
        }
        self
    }

    /// Takes in what arrived; appends what the client is to see of it. Behind an error that is nothing more.
    pub fn feed(&mut self, chunk: &[u8], shown: &mut impl Extend<Bytes>) {
        self.reader.push(chunk);
        while let Some(piece) = self.reader.next() {
            shown.extend(match piece {
                Piece::Event(event) => self.meter.event(event),
                Piece::LateLf(lf) => self.meter.late_lf(lf),
                Piece::Oversize(_) if self.meter.failed.is_some() => None,
                Piece::Oversize(part) => {
                    self.meter.began = true;
                    Some(part)
                }
            });
        }
    }

    /// The bytes behind the last whole event, when the stream has ended. A `[DONE]` without its blank line counts.
    pub fn finish(&mut self) -> Option<Bytes> {
        let rest = self.reader.rest();
        if rest.is_empty() { None } else { self.meter.event(rest) }
    }
}

/// Follows the meaning of one stream.
#[derive(Debug)]
pub(super) struct Meter {
    operation: Operation,
    /// The proxy asked for the usage and the client did not: take it out again.
    strip: bool,
    /// The last usage that was reported.
    usage: Option<Usage>,
    /// Tokens of the content so far, guessed.
    guessed_tokens: u64,
    began: bool,
    ended: bool,
    done: bool,
    /// The failure that the stream itself told.
    failed: Option<Fault>,
    dropped_last: bool,
    upstream: Option<Upstream>,
}

/// Who tells the stream.
#[derive(Debug)]
struct Upstream {
    /// Its own name for the model.
    model: String,
    /// What it was asked, as long as that is held.
    client: Option<Bytes>,
    /// The key that it knows us by: some quote that in their errors.
    watch: Watch,
}

/// A failure that a stream told.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) failure: Failure,
    /// The event that told it.
    pub(super) event: Bytes,
    /// Do clients take that event for an error?
    pub(super) is_plain: bool,
}

impl Meter {
    /// At the beginning of a stream.
    fn new(operation: Operation, strip: bool) -> Self {
        Meter {
            operation,
            strip,
            usage: None,
            guessed_tokens: 0,
            began: false,
            ended: false,
            done: false,
            failed: None,
            dropped_last: false,
            upstream: None,
        }
    }

    /// Takes in one event. Returns what the client is to see of it, if anything.
    fn event(&mut self, mut event: Bytes) -> Option<Bytes> {
        if self.failed.is_some() {
            self.dropped_last = true;
            return None;
        }
        let completes = event::completes(self.operation, &event);
        self.ended |= completes;
        let mut tells_error = false;
        // An end can be a failure in other words than "error".
        let begun = self.began && !(completes && self.operation == Operation::Responses);
        match event::meaning(&event, begun) {
            Meaning::Content => {
                self.began = true;
                self.guessed_tokens = self.guessed_tokens.saturating_add(event::guessed_tokens(&event));
            }
            Meaning::Error(told) => {
                tells_error = true;
                event = self.fault(&told, event);
            }
            Meaning::Done => (self.ended, self.done) = (true, true),
            Meaning::Preamble => {}
        }
        if let Some(Upstream { watch, .. }) = &self.upstream {
            event = watch.passed(event);
        }
        let shown = self.usage_taken_out(event, tells_error);
        self.dropped_last = shown.is_none();
        shown
    }

    /// Takes in an error: a failure of the stream, unless all of it has come. Returns what may be seen of its event.
    fn fault(&mut self, told: &ErrorBody, mut event: Bytes) -> Bytes {
        let upstream = self.upstream.as_ref();
        let client = upstream.and_then(|upstream| upstream.client.as_deref());
        let none = ApiKey::new("");
        let sent = SentRequest { upstream_model: upstream.map_or("", |upstream| &upstream.model), body: client.unwrap_or_default(), key: upstream.map_or(&none, |upstream| upstream.watch.key()) };
        let failure = error_in_success(told, sent);
        if let Some(Upstream { watch, .. }) = &self.upstream {
            event = watch.scrubbed(event);
        }
        // The Responses API has a form of its own.
        let is_plain = told.is_openai_shaped || self.operation == Operation::Responses;
        if !self.done {
            self.failed = Some(Fault { failure, event: event.clone(), is_plain });
        }
        event
    }

    /// A line's end that came late: belongs to the event before.
    fn late_lf(&self, lf: Bytes) -> Option<Bytes> {
        (!self.dropped_last).then_some(lf)
    }

    /// Has a part of the answer come?
    pub(super) fn began(&self) -> bool {
        self.began
    }

    /// Is the stream whole, now that it has ended without an error? Upstreams end with `[DONE]`, or at least with a
    /// reason to finish.
    pub(super) fn is_whole(&self) -> bool {
        self.ended || (!self.ends_with_mark() && self.began)
    }

    /// Has `[DONE]` come? Whatever happens behind it happens to a complete answer.
    pub(super) fn done(&self) -> bool {
        self.done
    }

    /// Did the upstream report that it generated something? Then an answer without a word is an answer.
    pub(super) fn generated(&self) -> bool {
        self.usage.is_some_and(|usage| usage.completion > 0)
    }

    /// The failure that the stream itself told.
    pub(super) fn failed(&self) -> Option<&Fault> {
        self.failed.as_ref()
    }

    /// What it cost: as reported, or as guessed from its events and the length of the request. What was reported before the end
    /// (by those who report with each event) is no more than a good guess.
    pub(super) fn usage(&self, prompt_bytes: usize) -> Option<Usage> {
        let guess = || Usage::estimate(prompt_bytes, self.guessed_tokens);
        let is_all = self.ended || !self.ends_with_mark();
        let source = if is_all { UsageSource::Reported } else { UsageSource::Estimated };
        let reported = self.usage.map(|usage| Usage { source, ..usage });
        reported.or_else(|| self.began.then(guess))
    }

    fn ends_with_mark(&self) -> bool {
        match self.operation {
            Operation::ChatCompletions | Operation::Completions | Operation::Responses => true,
            Operation::Embeddings | Operation::Moderations | Operation::ImagesGenerations | Operation::AudioSpeech => {
                false
            }
        }
    }

    /// Reads the usage out of an event, and takes it out of what the client sees if it did not ask for it. An error is
    /// always seen, whatever stands beside it.
    fn usage_taken_out(&mut self, event: Bytes, tells_error: bool) -> Option<Bytes> {
        let told = event::usage(&event);
        self.usage = told.usage.or(self.usage);
        match told.null_at {
            _ if !self.strip || tells_error => Some(event),
            _ if told.is_extra && !event::is_error(&event) => None,
            Some(null) => {
                let (before, after) = (event.get(..null.start), event.get(null.end..));
                Some([before.unwrap_or_default(), after.unwrap_or_default()].concat().into())
            }
            None => Some(event),
        }
    }
}

#[cfg(test)]
mod tests;
