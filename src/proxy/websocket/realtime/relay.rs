//! An open connection: passes messages both ways, and sees the responses among them.

use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::ResponseError;
use futures_util::future::LocalBoxFuture;
use tokio::time::{Instant, sleep_until};
use transport::{SocketClose, SocketMessage};

use super::admission::{ConnectionGate, NotAdmitted, realtime_event};
use super::leaving::{Leaving, LeavingSender};
use super::responses::{Reserved, Responses};
use crate::error::ApiError;
use crate::proxy::websocket::SocketHost;
use crate::proxy::websocket::client_side::ClientSide;
use crate::proxy::websocket::closing::close_both;
use crate::proxy::websocket::ending::{Ending, code};
use crate::proxy::websocket::upstream_side::{FromUpstream, UpstreamSide};
use crate::types::Usage;

/// How long a connection may stay without a message.
pub(super) const LONGEST_IDLE: Duration = Duration::from_secs(3_600);

/// A message that waits for the admission of a response.
pub(super) enum Held {
    /// The client asks for the response.
    Asked(SocketMessage, Option<String>),
    /// The upstream has begun the response with this id.
    Begun(SocketMessage, String),
    /// The upstream has written down what was said.
    Transcribed(SocketMessage, Option<Usage>),
}

pub(super) type Decision<S> = Result<Reserved<S>, NotAdmitted>;

/// What a connection waits for.
enum RelayStep<S> {
    Admitted(Decision<S>),
    Client(SocketMessage),
    Upstream(FromUpstream),
    /// The upstream takes more again.
    HasRoom,
    Draining,
    ConfigChanged,
    Idle,
}

/// An open connection.
pub(super) struct Relay<H: SocketHost> {
    pub(super) client: ClientSide<H::Memory>,
    /// `None` when the upstream has ended the connection.
    pub(super) upstream: Option<UpstreamSide>,
    pub(super) admission: Rc<ConnectionGate<H>>,
    pub(super) responses: Responses<H::Slot>,
    pub(super) admitting: Option<(Held, LocalBoxFuture<'static, Decision<H::Slot>>)>,
    /// The server takes no more connections.
    pub(super) drains: bool,
    /// A response was refused for good: the connection ends as soon as none is under way.
    pub(super) is_refused: bool,
    /// A response that the upstream began and that is not admitted, until the upstream tells of its end.
    pub(super) cancelled: Option<String>,
    /// The model that writes down what is said, if the session names one.
    pub(super) transcriber: Option<Arc<str>>,
    /// Where the rest goes; `None` before the first response.
    pub(super) rest: Option<LeavingSender<H>>,
}

impl<H: SocketHost> Drop for Relay<H> {
    fn drop(&mut self) {
        self.leave(Ending::ClientGone.for_upstream());
    }
}

impl<H: SocketHost> Relay<H> {
    pub(super) fn new(client: ClientSide<H::Memory>, upstream: UpstreamSide, admission: ConnectionGate<H>) -> Self {
        Relay {
            client,
            upstream: Some(upstream),
            admission: Rc::new(admission),
            responses: Responses::new(),
            admitting: None,
            drains: false,
            is_refused: false,
            cancelled: None,
            transcriber: None,
            rest: None,
        }
    }

    /// Serves the connection to its end.
    pub(super) async fn run(mut self) {
        let mut over = pin!(self.admission.host.over());
        let ending = tokio::select! {
            biased;
            () = &mut over => {
                self.client.queue(&SocketMessage::Text(realtime_event(ApiError::Stopping.error_response())));
                Ending::Ours(SocketClose::new(code::GOING_AWAY, "the server is stopping"))
            }
            ending = self.serve() => {
                self.leave(ending.for_upstream());
                ending
            }
        };
        self.responses.end_connection();
        // Settles what is under way.
        self.responses = Responses::new();
        close_both(&mut self.client, self.upstream.take(), ending).await;
    }

    /// Leaves the account's side to the task that listens, if anything is under way there.
    fn leave(&mut self, close: SocketClose) {
        let Some(rest) = self.rest.take().filter(|_| !self.responses.is_idle() || self.cancelled.is_some()) else {
            return;
        };
        let left = rest.send(Leaving {
            upstream: self.upstream.take(),
            admission: self.admission.clone(),
            responses: std::mem::replace(&mut self.responses, Responses::new()),
            cancelled: self.cancelled.take(),
            close,
        });
        // Where nobody listens any more, the drop settles all.
        drop(left);
    }

    async fn serve(&mut self) -> Ending {
        if let Err(ending) = self.count_connection().await {
            return ending;
        }
        let mut draining = pin!(self.admission.host.draining());
        let mut idle_until = Instant::now() + LONGEST_IDLE;
        loop {
            if let Some(ending) = self.is_over().await {
                return ending;
            }
            let drains = self.drains;
            let admission = self.admission.clone();
            let step = tokio::select! {
                biased;
                () = &mut draining, if !drains => RelayStep::Draining,
                () = admission.host.config_changed() => RelayStep::ConfigChanged,
                step = self.next() => match step {
                    Ok(step) => step,
                    Err(ending) => return ending,
                },
                () = sleep_until(idle_until) => RelayStep::Idle,
            };
            let done = match step {
                RelayStep::Admitted(admitted) => self.admitted(admitted).await,
                RelayStep::Client(message) => self.of_client(message).await,
                RelayStep::Upstream(message) => self.of_upstream(message).await,
                RelayStep::Draining => {
                    self.drains = true;
                    continue;
                }
                RelayStep::ConfigChanged | RelayStep::HasRoom => continue,
                RelayStep::Idle => Err(Ending::Ours(SocketClose::new(code::GOING_AWAY, "nothing was said for long"))),
            };
            if let Err(ending) = done {
                return ending;
            }
            idle_until = Instant::now() + LONGEST_IDLE;
        }
    }

    /// Returns the end of a connection that may not go on, once no response is under way.
    async fn is_over(&mut self) -> Option<Ending> {
        if !self.responses.is_idle() || self.admitting.is_some() {
            return None;
        }
        if self.drains {
            return Some(Ending::Ours(SocketClose::new(code::GOING_AWAY, "the server is stopping")));
        }
        if self.is_refused {
            return Some(Ending::no_room());
        }
        let error = self.admission.is_over()?;
        self.client.send_text(realtime_event(error.error_response())).await;
        let is_of_key = error.status().is_client_error();
        let (code, why) = match is_of_key {
            true => (code::POLICY, "the key of this connection may not go on"),
            false => (code::GOING_AWAY, "the API behind this connection has left the configuration"),
        };
        Some(Ending::Ours(SocketClose::new(code, why)))
    }

    /// Returns what comes next from either side. A side is not read while one of its messages waits, or while the other side does not
    /// take.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    async fn next(&mut self) -> Result<RelayStep<H::Slot>, Ending> {
        let Some(upstream) = &mut self.upstream else { return Err(Ending::upstream_lost()) };
        let (reads_client, reads_upstream) = match &self.admitting {
            None => (upstream.has_room(), true),
            Some((Held::Asked(..), _)) => (false, true),
            Some((Held::Begun(..) | Held::Transcribed(..), _)) => (false, false),
        };
        let admitting = &mut self.admitting;
        let admitted = async {
            match admitting {
                Some((_, admission)) => admission.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            admitted = admitted => Ok(RelayStep::Admitted(admitted)),
            message = self.client.read(), if reads_client => message.map(RelayStep::Client),
            message = upstream.next_or_room(), if reads_upstream => {
                Ok(message.map_or(RelayStep::HasRoom, RelayStep::Upstream))
            }
        }
    }

    /// Asks for the admission of a response. The message waits.
    pub(super) fn admit(&mut self, held: Held) {
        let (admission, prompt) = (self.admission.clone(), self.responses.likely_prompt());
        let transcriber = match &held {
            Held::Transcribed(..) => self.transcriber.clone(),
            Held::Asked(..) | Held::Begun(..) => None,
        };
        self.admitting = Some((held, Box::pin(async move { admission.admit(prompt, transcriber.as_ref()).await })));
    }
}
