//! The last words of an account: the usage of responses under way when a connection ends.
//!
//! 1. Responses under way are cancelled. The account has [`TOLD_WITHIN`] to report the end and the usage.
//! 2. A separate task listens: no client waits for the account, and the client and the connection may be gone. The task begins with the
//!    first response, as nothing may be spawned in a drop.

use std::rc::Rc;
use std::time::Duration;

use actix_web::web::Bytes;
use serde_json::json;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};
use transport::{SocketClose, SocketMessage};

use super::admission::ConnectionGate;
use super::responses::Responses;
use crate::dialect::openai::realtime::{RealtimeEnd, RealtimeEvent};
use crate::proxy::websocket::SocketHost;
use crate::proxy::websocket::upstream_side::{FromUpstream, UpstreamSide};
use crate::types::Outcome;

/// How long an account may take to tell what cancelled responses took.
pub(super) const TOLD_WITHIN: Duration = Duration::from_millis(400);

/// What is left of a connection at its end.
pub(super) struct Leaving<H: SocketHost> {
    pub(super) upstream: Option<UpstreamSide>,
    pub(super) admission: Rc<ConnectionGate<H>>,
    pub(super) responses: Responses<H::Slot>,
    /// A response that the upstream began without an admission, until the upstream reports the end.
    pub(super) cancelled: Option<String>,
    /// How the account's side ends.
    pub(super) close: SocketClose,
}

/// Where a connection that is dropped leaves its rest.
pub(super) type LeavingSender<H> = oneshot::Sender<Leaving<H>>;

/// Begins to wait for the rest of a connection.
pub(super) fn expect_rest<H: SocketHost>() -> LeavingSender<H> {
    let (rest, left) = oneshot::channel::<Leaving<H>>();
    actix_web::rt::spawn(async move {
        if let Ok(mut leaving) = left.await {
            leaving.hear().await;
            if let Some(upstream) = leaving.upstream.take() {
                upstream.close(leaving.close.clone()).await;
            }
        }
    });
    rest
}

impl<H: SocketHost> Leaving<H> {
    /// Cancels responses under way, and waits a moment for the usage.
    async fn hear(&mut self) {
        for id in self.responses.open_ids() {
            self.cancel(&id);
        }
        let until = Instant::now() + TOLD_WITHIN;
        while !self.responses.is_idle() || self.cancelled.is_some() {
            let Some(upstream) = &mut self.upstream else { return };
            let message = match timeout_at(until, upstream.next()).await {
                Ok(FromUpstream::Data(message)) => message,
                Ok(FromUpstream::Closed(_) | FromUpstream::Lost(_)) => {
                    self.upstream = None;
                    return;
                }
                Err(_) => return,
            };
            match self.admission.read(&message) {
                RealtimeEvent::Created(id) => {
                    if self.responses.begin_asked(&id) {
                        self.cancel(&id);
                    }
                }
                RealtimeEvent::Done(end) => self.ended(end),
                RealtimeEvent::Refused(event_id) => self.responses.refuse(event_id.as_deref()),
                RealtimeEvent::Content(_)
                | RealtimeEvent::Transcribed(_)
                | RealtimeEvent::Transcriber(_)
                | RealtimeEvent::Other => {}
            }
        }
    }

    fn cancel(&mut self, id: &str) {
        if let Some(upstream) = &mut self.upstream {
            upstream.queue(&cancel(id));
        }
    }

    fn ended(&mut self, end: RealtimeEnd) {
        if self.cancelled.is_none() || self.cancelled != end.id {
            return self.responses.end(end, Outcome::ClientClosed);
        }
        self.cancelled = None;
        if let Some(usage) = end.usage.filter(|usage| usage.total > 0) {
            self.admission.record_spent(None, usage);
        }
    }
}

/// Returns the message that ends a response.
pub(super) fn cancel(id: &str) -> SocketMessage {
    let cancel = json!({ "type": "response.cancel", "response_id": id });
    SocketMessage::Text(Bytes::from(cancel.to_string()))
}
