//! A success, read up to the point where an answer is certain.

use std::collections::VecDeque;

use actix_web::http::header::{CONTENT_ENCODING, HeaderMap};
use actix_web::web::Bytes;
use serde::de::IgnoredAny;

use super::UpstreamResponse;
use crate::dialect::billed::billed_in;
use crate::dialect::echo_model::with_model;
use crate::dialect::first_bytes::{Shape, is_text, without_byte_order_mark};
use crate::dialect::large_answer::LargeAnswer;
use crate::dialect::redact::redacted;
use crate::dialect::{EventStream, ReplyKind, WholeAnswer, sse};
use crate::proxy::attempt_error::AttemptError;
use crate::proxy::headers;
use crate::proxy::response::{BodyReader, CommittedResponse};
use crate::types::{BilledUnit, BilledUnits, Failure, FailureClass, Phase, Usage};

/// How much of a JSON answer is held until its end. A larger one is passed on at once.
pub(super) const JSON_HELD: usize = 8 << 20;

/// How much of a stream is held before the first content.
const PREAMBLE_HELD: usize = 256 << 10;

/// How much of a possible error in JSON is held in place of sound.
const JSON_IN_SOUND_HELD: usize = 64 << 10;

impl UpstreamResponse<'_> {
    /// Waits until an answer, or a failure, is certain.
    pub(super) async fn success(mut self) -> Result<Box<CommittedResponse>, AttemptError> {
        let shape = self.shape().await?;
        match self.kind() {
            ReplyKind::Object => return self.object(shape).await,
            ReplyKind::File => return self.file().await,
            ReplyKind::Chat
            | ReplyKind::Completion
            | ReplyKind::Responses
            | ReplyKind::Messages
            | ReplyKind::Generation
            | ReplyKind::Json
            | ReplyKind::Bytes
            | ReplyKind::Transcript => {}
        }
        if headers::is_encoded(self.headers) {
            let looks_plain = matches!(shape, Shape::Events | Shape::Json);
            if !looks_plain || headers::is_encoded_without_mark(self.headers) {
                return self.bytes().await;
            }
        }
        let is_sound = matches!(self.kind(), ReplyKind::Bytes | ReplyKind::Transcript);
        match shape {
            Shape::Events if is_sound => self.events().await,
            _ if is_sound => self.sound(shape).await,
            Shape::Json if self.request.in_list && self.body.begins_with(b'[') => self.events().await,
            Shape::Events if self.request.in_list => Err(events_in_place_of_list()),
            Shape::Events if !self.request.stream => self.events_in_place_of_json().await,
            Shape::Events => self.events().await,
            Shape::Other | Shape::Unknown if self.request.stream && headers::is_event_stream(self.headers) => {
                self.events().await
            }
            Shape::Json | Shape::Other | Shape::Unknown => self.json().await,
        }
    }

    pub(super) fn whole<'a>(&self, body: &'a [u8]) -> WholeAnswer<'a> {
        WholeAnswer { kind: self.kind(), body, prompt_bytes: self.request.json().len() }
    }

    /// Returns what a whole answer is billed by beside tokens.
    fn billed_by(&self, body: &[u8]) -> BilledUnits {
        match self.request.route.billed {
            None => BilledUnits::default(),
            Some(BilledUnit::Character) => self.billed_by_text(),
            Some(unit) => BilledUnits::of(unit, billed_in(unit, without_byte_order_mark(body))),
        }
    }

    /// Returns the characters of a text to speak: the answer says nothing of them.
    fn billed_by_text(&self) -> BilledUnits {
        let characters = self.request.profile.estimate.billed.get(BilledUnit::Character);
        BilledUnits::of(BilledUnit::Character, characters)
    }

    pub(super) fn kind(&self) -> ReplyKind {
        self.request.route.reply
    }

    /// Reads on until the first bytes decide what the body is, and puts the bytes back.
    async fn shape(&mut self) -> Result<Shape, Failure> {
        let mut first = Bytes::new();
        while let Some(chunk) = self.body.next().await? {
            first = if first.is_empty() { chunk } else { [first, chunk].concat().into() };
            if Shape::of(&first) != Shape::Unknown || first.len() > PREAMBLE_HELD {
                break;
            }
        }
        let shape = Shape::of(&first);
        self.body.put_back(first);
        Ok(shape)
    }

    /// Returns a stream, held back until the first content.
    async fn events(mut self) -> Result<Box<CommittedResponse>, AttemptError> {
        let mut events = self.event_stream();
        let mut buffered: VecDeque<Bytes> = VecDeque::new();
        let mut size = 0;
        let mut has_ended = false;
        while !events.progress.began() && !events.progress.closed() && size <= PREAMBLE_HELD {
            match self.body.next().await? {
                Some(chunk) => {
                    size += chunk.len();
                    events.feed(&chunk, &mut buffered);
                }
                None => {
                    has_ended = true;
                    buffered.extend(events.finish());
                }
            }
            if !events.progress.began()
                && let Some(failed) = events.progress.failed()
            {
                let error = sse::payload(&failed.event).into_owned();
                return self.error_in_success(failed.failure.clone(), error.into());
            }
            if has_ended {
                break;
            }
        }
        let progress = &events.progress;
        let is_empty = !progress.began() && !progress.generated() && (has_ended || progress.closed());
        if is_empty || has_ended && !progress.is_whole() {
            return Err(Failure::new(FailureClass::EmptyResponse, Phase::Body, "a stream without content").into());
        }
        let mut answer = self.committed(self.status, buffered);
        answer.usage = Usage::and_billed(None, self.billed_by_text());
        self.label_events(&mut answer.headers);
        // After its end a body must not be read again: the connection may serve another request by now.
        answer.body = if has_ended { None } else { Some(self.body) };
        answer.reader = BodyReader::Events(Box::new(events.committed()));
        Ok(answer)
    }

    /// Returns the reader of this upstream's events.
    fn event_stream(&self) -> EventStream {
        let strip = self.permit.ask_usage && self.request.lacks_usage();
        let key = self.permit.endpoint().key.clone();
        let events = EventStream::new(self.request.route, strip).of_list(self.request.in_list);
        let events = events.of_upstream(self.upstream_model(), self.request.json().clone(), key);
        events.echoing(self.request.echo())
    }

    fn label_events(&self, headers: &mut HeaderMap) {
        headers::mark_stream(headers);
        headers::set_kind(headers, if self.request.in_list { headers::JSON } else { headers::EVENTS });
        headers.remove(CONTENT_ENCODING);
    }

    /// Handles events in place of one object: another upstream may know better. If none does, the client gets the object
    /// from the events.
    async fn events_in_place_of_json(mut self) -> Result<Box<CommittedResponse>, AttemptError> {
        let failure = Failure::new(FailureClass::WrongForm, Phase::Body, "events in the place of one JSON object");
        let (stream, is_whole) = self.body.collect(JSON_HELD).await?;
        if !is_whole {
            return Err(failure.into());
        }
        let mut events = self.event_stream();
        let mut shown: Vec<Bytes> = Vec::new();
        events.feed(&stream, &mut shown);
        shown.extend(events.finish());
        if let Some(failed) = events.progress.failed() {
            let error = sse::data(&failed.event).unwrap_or_default().into_owned();
            return self.error_in_success(failed.failure.clone(), error.into());
        }
        if !events.progress.is_whole() {
            return Err(Failure::new(FailureClass::Protocol, Phase::Body, "the stream broke off").into());
        }
        let Some(object) = self.request.route.dialect.as_object(self.whole(&stream)) else {
            return Err(failure.into());
        };
        let usage = match self.request.route.dialect.answer(self.whole(&object), self.sent()) {
            Ok(usage) => Usage::and_billed(usage, self.billed_by(&object)),
            Err(failure) => return self.error_in_success(failure, object),
        };
        let mut answer = self.committed(self.status, VecDeque::new());
        self.label_json(&mut answer.headers);
        answer.buffered.push_back(self.echoed(redacted(object, &self.permit.endpoint().key)));
        Err(AttemptError { usage: usage.map(Box::new), ..AttemptError::with_response(failure, answer) })
    }

    /// Returns a JSON answer, held back to the end.
    async fn json(mut self) -> Result<Box<CommittedResponse>, AttemptError> {
        let (body, is_whole) = self.body.collect(JSON_HELD).await?;
        let announced = headers::content_length(self.headers);
        let mut answer = self.committed(self.status, VecDeque::new());
        self.label_json(&mut answer.headers);
        let is_stream_due = self.request.stream && self.kind().generates_text();
        if !is_whole && is_stream_due {
            let failure =
                Failure::new(FailureClass::WrongForm, Phase::Body, "one large JSON object in the place of events");
            return Err(failure.into());
        }
        if !is_whole {
            answer.reader = BodyReader::Large(Box::new(LargeAnswer::new(self.request.route, &body)));
            answer.buffered.push_back(body);
            answer.body = Some(self.body);
            answer.length = announced;
            return Ok(answer);
        }
        if announced.is_some_and(|length| length != body.len() as u64) {
            return Err(Failure::new(FailureClass::Protocol, Phase::Body, "the answer was cut short").into());
        }
        answer.usage = match self.request.route.dialect.answer(self.whole(&body), self.sent()) {
            Ok(usage) => Usage::and_billed(usage, self.billed_by(&body)),
            Err(failure) => return self.error_in_success(failure, body),
        };
        answer.made = self.request.route.dialect.made_objects(self.whole(&body));
        let body = self.echoed(redacted(body.slice_ref(without_byte_order_mark(&body)), &self.permit.endpoint().key));
        let events = if self.request.in_list {
            Some([b"[", &*body, b"]"].concat().into())
        } else if self.request.stream {
            self.request.route.dialect.as_events(self.whole(&body), !self.request.lacks_usage())
        } else {
            None
        };
        let body = match events {
            Some(events) => {
                self.label_events(&mut answer.headers);
                events
            }
            None if is_stream_due => {
                let failure =
                    Failure::new(FailureClass::WrongForm, Phase::Body, "one JSON object in the place of events");
                return Err(failure.into());
            }
            None => body,
        };
        answer.length = Some(body.len() as u64);
        answer.buffered.push_back(body);
        Ok(answer)
    }

    /// Writes the asked name of the model into a whole answer, if that is wished for.
    fn echoed(&self, answer: Bytes) -> Bytes {
        match self.request.echo() {
            Some(asked) => with_model(answer, &asked),
            None => answer,
        }
    }

    pub(super) fn label_json(&self, headers: &mut HeaderMap) {
        headers::set_kind(headers, headers::JSON);
        headers.remove(CONTENT_ENCODING);
    }

    /// Returns sound or a text that was said, except an error in JSON, or a page for people.
    async fn sound(mut self, shape: Shape) -> Result<Box<CommittedResponse>, AttemptError> {
        let (head, is_whole) = match shape {
            Shape::Json => self.body.collect(JSON_IN_SOUND_HELD).await?,
            Shape::Events | Shape::Other | Shape::Unknown => (self.body.next().await?.unwrap_or_default(), false),
        };
        let is_json = is_whole && serde_json::from_slice::<IgnoredAny>(without_byte_order_mark(&head)).is_ok();
        let is_tagged = head.trim_ascii_start().starts_with(b"<");
        let is_page = if self.kind() == ReplyKind::Transcript {
            is_tagged && headers::is_of_kind(self.headers, headers::PAGE)
        } else {
            is_tagged || headers::is_of_kind(self.headers, headers::TEXT)
        };
        let is_error = !is_json && is_page && is_text(&head) && !head.is_empty();
        self.body.put_back(head);
        if is_error {
            return Err(Failure::new(FailureClass::Protocol, Phase::Body, "a text in the place of sound").into());
        }
        if is_json { self.json().await } else { self.bytes().await }
    }

    /// Returns sound, or a compressed answer, passed on at once after the first bytes.
    async fn bytes(mut self) -> Result<Box<CommittedResponse>, AttemptError> {
        let Some(first) = self.body.next().await? else {
            return Err(Failure::new(FailureClass::EmptyResponse, Phase::Body, "200 without a body").into());
        };
        let mut answer = self.committed(self.status, [first].into());
        answer.usage = Usage::and_billed(None, self.request.profile.estimate.billed);
        answer.length = headers::content_length(self.headers);
        answer.body = Some(self.body);
        Ok(answer)
    }
}

fn events_in_place_of_list() -> AttemptError {
    Failure::new(FailureClass::WrongForm, Phase::Body, "events in the place of a JSON list").into()
}
