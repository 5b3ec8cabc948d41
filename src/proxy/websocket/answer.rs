//! The answer of a turn on its way to the client. It owns the permit, and settles it at any end.

use std::collections::VecDeque;

use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use actix_web::{HttpResponse, body::BoxBody};
use tokio::time::Instant;
use transport::{SocketClose, SocketMessage};

use super::SocketHost;
use super::connection::SocketConnection;
use super::ending::{Ending, code, event};
use super::receive::Received;
use crate::dialect::{EventStream, Route};
use crate::error::abort_error;
use crate::proxy::client_request::ClientRequest;
use crate::proxy::pool::Upstreams;
use crate::proxy::response::made_objects::MadeObjects;
use crate::proxy::response::settle::SettleOnDrop;
use crate::proxy::response::stalled;
use crate::records::OpenRecord;
use crate::types::{Failure, FailureClass, Outcome, Usage, UsageSource, WireFormat};
use crate::upstream::{Endpoint, Permit};

/// The events of a turn, read as those of a stream: the JSON of a message is what the data of an event is there.
pub(super) struct TurnEvents {
    stream: EventStream,
    /// An event as a stream has it.
    event: Vec<u8>,
    /// What came before the first content.
    pub(super) held: VecDeque<SocketMessage>,
    held_bytes: usize,
    /// Whether the turn is to make an answer.
    generates: bool,
    prompt_bytes: usize,
}

/// What the client would see of a stream. A message is passed on as it came.
struct Unused;

impl Extend<Bytes> for Unused {
    fn extend<I: IntoIterator<Item = Bytes>>(&mut self, pieces: I) {
        pieces.into_iter().for_each(drop);
    }
}

impl TurnEvents {
    pub(super) fn new(route: &'static Route, request: &ClientRequest, endpoint: &Endpoint, generates: bool) -> Self {
        let model = endpoint.upstream_model(&request.profile.model).unwrap_or(&request.profile.model);
        let stream = EventStream::new(route, false).of_upstream(model, request.json().clone(), endpoint.key.clone());
        TurnEvents {
            stream,
            event: Vec::new(),
            held: VecDeque::new(),
            held_bytes: 0,
            generates,
            prompt_bytes: request.json().len(),
        }
    }

    /// Takes in an event, and holds it.
    pub(super) fn take(&mut self, text: Bytes) {
        self.read(&text);
        self.hold(SocketMessage::Text(text));
    }

    /// Holds a message.
    pub(super) fn hold(&mut self, message: SocketMessage) {
        self.held_bytes += message.len();
        self.held.push_back(message);
    }

    fn read(&mut self, text: &[u8]) {
        self.event.clear();
        self.event.extend_from_slice(b"data: ");
        // Line ends are white space in JSON, and the ends of fields in a stream.
        self.event.extend(text.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }));
        self.event.extend_from_slice(b"\n\n");
        self.stream.feed(&self.event, &mut Unused);
    }

    /// Returns whether what has come is for the client: no other upstream is asked any more.
    pub(super) fn is_committed(&self, most_held: usize) -> bool {
        self.stream.progress.began() || self.has_ended() || self.held_bytes > most_held
    }

    /// Returns whether nothing more comes.
    fn has_ended(&self) -> bool {
        self.stream.progress.closed() || self.stream.progress.failed().is_some()
    }

    /// Returns the failure of an answer that has not begun.
    pub(super) fn failed_before_content(&self) -> Option<Failure> {
        let failed = self.stream.progress.failed().filter(|_| !self.stream.progress.began());
        failed.map(|failed| failed.failure.clone())
    }

    /// Returns whether the answer ended without content, although one was asked for.
    pub(super) fn is_empty(&self) -> bool {
        let progress = &self.stream.progress;
        self.generates && progress.closed() && !progress.began() && !progress.generated()
    }

    fn usage(&self) -> Option<Usage> {
        let none = Usage::new(0, 0, 0, UsageSource::Reported);
        self.stream.progress.usage(self.prompt_bytes).or_else(|| (!self.generates).then_some(none))
    }
}

/// An answer that has begun.
struct OpenAnswer {
    events: TurnEvents,
    /// Open until the turn is settled.
    settle: Option<SettleOnDrop>,
}

impl OpenAnswer {
    fn settle(&mut self, outcome: Outcome) {
        if let Some(settle) = self.settle.take() {
            if let Some(made) = &settle.made {
                made.remember(self.events.stream.progress.take_made());
            }
            settle.settle(Some(outcome), self.events.usage());
        }
    }

    /// Settles a turn whose last event has come.
    fn settle_if_ended(&mut self) {
        let progress = &self.events.stream.progress;
        let failure = progress.failed().map(|failed| failed.failure.clone());
        match failure {
            Some(failure) => self.settle(Outcome::Failed(failure)),
            None if progress.closed() => self.settle(Outcome::Completed),
            None => {}
        }
    }
}

impl Drop for OpenAnswer {
    /// Settles a turn without its end: the client left, or the server stops.
    fn drop(&mut self) {
        self.settle(if self.events.stream.progress.has_answered() {
            Outcome::Completed
        } else {
            Outcome::ClientClosed
        });
    }
}

impl<H: SocketHost> SocketConnection<H> {
    /// Passes the answer of a turn on, to its end.
    ///
    /// # Errors
    /// When the connection has to end.
    pub(super) async fn answer(
        &mut self,
        permit: Permit,
        mut record: OpenRecord,
        mut events: TurnEvents,
    ) -> Result<(), Ending> {
        record.answered(StatusCode::OK);
        permit.responded(true, None);
        let timeouts = permit.endpoint().timeouts;
        let total = Instant::now() + timeouts.stream_total.saturating_sub(permit.elapsed());
        let held = std::mem::take(&mut events.held);
        events.stream = events.stream.committed();
        let first_token = permit.elapsed();
        let made = Some(MadeObjects::new(self.pool.homes().clone(), permit.endpoint().api.clone()));
        let settle = SettleOnDrop { permit, record, outcome: Outcome::Completed, usage: None, first_token, made };
        let mut answer = OpenAnswer { events, settle: Some(settle) };
        answer.settle_if_ended();
        for message in held {
            self.client.send(&message).await;
        }
        while answer.settle.is_some() {
            match self.receive(total.min(Instant::now() + timeouts.idle)).await? {
                Received::Data(message) => {
                    if let SocketMessage::Text(text) = &message {
                        answer.events.read(text);
                        answer.settle_if_ended();
                    }
                    self.client.send(&message).await;
                }
                Received::Ended(failure, close) => {
                    return Err(self.break_off(answer, failure, Ending::Upstream(close)).await);
                }
                Received::Late => {
                    // What still comes would be taken for a part of the next turn.
                    let close = SocketClose::new(code::INTERNAL, "nothing more came in time");
                    return Err(self.break_off(answer, stalled(), Ending::Ours(close)).await);
                }
            }
        }
        Ok(())
    }

    /// Tells the client that the answer has broken off.
    async fn break_off(&mut self, mut answer: OpenAnswer, failure: Failure, ending: Ending) -> Ending {
        let told = event(broken_off(failure.class));
        answer.settle(Outcome::Failed(failure));
        self.client.send_text(told).await;
        ending
    }
}

/// Returns the error of an answer that has broken off.
pub(super) fn broken_off(class: FailureClass) -> HttpResponse<BoxBody> {
    let is_late = class == FailureClass::Timeout;
    let status = if is_late { StatusCode::GATEWAY_TIMEOUT } else { StatusCode::BAD_GATEWAY };
    HttpResponse::with_body(status, abort_error(WireFormat::OpenAi, class).to_string()).map_into_boxed_body()
}
