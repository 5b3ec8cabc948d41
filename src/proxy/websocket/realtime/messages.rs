//! The messages of an open connection, from either side.

use actix_web::web::Bytes;
use transport::SocketMessage;

use super::admission::{NotAdmitted, realtime_event};
use super::leaving::{cancel, expect_rest};
use super::relay::{Decision, Held, Relay};
use super::responses::Reserved;
use crate::dialect::openai::realtime::{RealtimeEvent, RealtimeQuestion, read_question};
use crate::dialect::{RealtimeUnit, SocketUse};
use crate::error::ApiError;
use crate::proxy::websocket::SocketHost;
use crate::proxy::websocket::answer::broken_off;
use crate::proxy::websocket::ending::Ending;
use crate::proxy::websocket::receive::lost;
use crate::proxy::websocket::upstream_side::FromUpstream;
use crate::scheduler::AdmissionError;
use crate::types::Outcome;

impl<H: SocketHost> Relay<H> {
    /// Admits the connection itself, where there are no responses.
    ///
    /// # Errors
    /// When there is no room any more.
    pub(super) async fn count_connection(&mut self) -> Result<(), Ending> {
        let counts_itself = match &self.admission.request.route.websocket {
            Some(SocketUse::Realtime(unit)) => *unit == RealtimeUnit::Connection,
            Some(SocketUse::Turns(_)) | None => false,
        };
        if !counts_itself {
            return Ok(());
        }
        match self.admission.admit(0, None).await.and_then(in_time) {
            Ok(reserved) => {
                self.responses.begin_connection(reserved);
                Ok(())
            }
            Err(refused) => Err(self.end_refused(refused.event).await),
        }
    }

    /// Passes a message of the client on, or admits the response that the message asks for.
    pub(super) async fn of_client(&mut self, message: SocketMessage) -> Result<(), Ending> {
        let asked = match &message {
            SocketMessage::Text(text) => read_question(text),
            SocketMessage::Binary(_) | SocketMessage::Ping(_) | SocketMessage::Pong(_) | SocketMessage::Close(_) => {
                RealtimeQuestion::Other
            }
        };
        match asked {
            RealtimeQuestion::Response(_) if self.drains => self.refuse(ApiError::Stopping).await,
            RealtimeQuestion::Response(_) if self.responses.is_full() => {
                self.refuse(ApiError::Overloaded("too many responses of this connection are under way")).await;
            }
            RealtimeQuestion::Response(event_id) => self.admit(Held::Asked(message, event_id)),
            RealtimeQuestion::Transcriber(model) => {
                self.transcriber = Some(model.into());
                self.send_up(&message);
            }
            RealtimeQuestion::Other => self.send_up(&message),
        }
        Ok(())
    }

    async fn refuse(&mut self, error: ApiError) {
        self.client.send_text(NotAdmitted::of(&error).event).await;
    }

    /// Hands a message to the upstream: it is written beside other things.
    fn send_up(&mut self, message: &SocketMessage) {
        if let Some(upstream) = &mut self.upstream {
            upstream.queue(message);
        }
    }

    /// Passes a message of the upstream on, and sees the responses there.
    pub(super) async fn of_upstream(&mut self, message: FromUpstream) -> Result<(), Ending> {
        let message = match message {
            FromUpstream::Data(message) => message,
            FromUpstream::Closed(close) => {
                self.upstream = None;
                self.responses.lose(&lost(&format!("it closed the connection ({})", close.code)));
                return Err(Ending::Upstream(close));
            }
            FromUpstream::Lost(why) => {
                self.upstream = None;
                let failure = lost(&why);
                if self.responses.lose(&failure) {
                    self.client.send_text(realtime_event(broken_off(failure.class))).await;
                }
                return Err(Ending::upstream_lost());
            }
        };
        match self.admission.read(&message) {
            RealtimeEvent::Created(id) => {
                if !self.responses.is_open(&id) && !self.responses.begin_asked(&id) {
                    self.admit(Held::Begun(message, id));
                    return Ok(());
                }
            }
            RealtimeEvent::Content(id) => self.responses.has_content(&id),
            RealtimeEvent::Done(end) => self.responses.end(end, Outcome::Completed),
            RealtimeEvent::Refused(event_id) => self.responses.refuse(event_id.as_deref()),
            RealtimeEvent::Transcribed(usage) if self.only_transcribes() => {
                self.admit(Held::Transcribed(message, usage));
                return Ok(());
            }
            // The response to what was said is the request.
            RealtimeEvent::Transcribed(Some(usage)) => self.admission.record_spent(self.transcriber.as_ref(), usage),
            RealtimeEvent::Transcriber(model) => self.transcriber = Some(model.into()),
            RealtimeEvent::Transcribed(None) | RealtimeEvent::Other => {}
        }
        self.client.send(&message).await;
        Ok(())
    }

    /// Returns whether the session has no responses: what is written down is the answer.
    fn only_transcribes(&self) -> bool {
        self.admission.request.query.split('&').any(|part| part == "intent=transcription")
    }

    /// Goes on with a message whose response is admitted, or refused.
    pub(super) async fn admitted(&mut self, admitted: Decision<H::Slot>) -> Result<(), Ending> {
        let Some((held, _)) = self.admitting.take() else { return Ok(()) };
        let admitted = admitted.and_then(in_time);
        if self.rest.is_none() {
            self.rest = Some(expect_rest());
        }
        match (held, admitted) {
            (Held::Asked(message, event_id), Ok(reserved)) => {
                self.send_up(&message);
                self.responses.asked(event_id, reserved);
                Ok(())
            }
            (Held::Begun(message, id), Ok(reserved)) => {
                self.responses.begin(id, reserved);
                self.client.send(&message).await;
                Ok(())
            }
            (Held::Transcribed(message, usage), Ok(reserved)) => {
                self.responses.transcribed(reserved, usage);
                self.client.send(&message).await;
                Ok(())
            }
            (Held::Asked(..), Err(NotAdmitted { event, is_final })) => {
                // What is under way may end.
                self.is_refused |= is_final;
                self.client.send_text(event).await;
                Ok(())
            }
            (Held::Transcribed(..), Err(refused)) => Err(self.end_refused(refused.event).await),
            (Held::Begun(_, id), Err(refused)) => {
                self.send_up(&cancel(&id));
                self.cancelled = Some(id);
                Err(self.end_refused(refused.event).await)
            }
        }
    }

    async fn end_refused(&mut self, event: Bytes) -> Ending {
        self.client.send_text(event).await;
        Ending::no_room()
    }
}

/// Begins a response, if there is still time.
fn in_time<S>(reserved: Reserved<S>) -> Decision<S> {
    let late = || NotAdmitted::of(&ApiError::from(AdmissionError::NotInTime));
    if reserved.begin() { Ok(reserved) } else { Err(late()) }
}
