//! One connection, from the upgrade to the close: waits for messages, and gives turns their place.

use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::HeaderMap;
use tokio::time::{Instant, sleep_until, timeout};
use transport::{SocketClose, SocketMessage};

use super::SocketHost;
use super::client_message::{Asked, asked};
use super::client_side::ClientSide;
use super::closing::close_both;
use super::ending::{Ending, code, event, event_of};
use super::upstream_side::{FromUpstream, UpstreamSide};
use crate::config::KeyConfig;
use crate::dialect::SocketRoute;
use crate::error::ApiError;
use crate::proxy::client_request::ClientRequest;
use crate::proxy::dispatch::refuse;
use crate::proxy::pool::Pool;
use crate::records::OpenRecord;

/// How long a connection may stay without a turn.
const LONGEST_IDLE: Duration = Duration::from_secs(3_600);

/// What the client asked for with the upgrade.
pub(super) struct Upgrade {
    pub(super) route: SocketRoute,
    pub(super) headers: HeaderMap,
    pub(super) query: String,
}

/// One connection.
pub(super) struct SocketConnection<H: SocketHost> {
    pub(super) pool: Rc<Pool>,
    pub(super) host: H,
    pub(super) client: ClientSide<H::Memory>,
    pub(super) upgrade: Upgrade,
    /// The upstream's connection, if there is one.
    pub(super) upstream: Option<UpstreamSide>,
    /// A turn has succeeded there: all others go there.
    pub(super) is_chosen: bool,
}

/// What a connection waits for between two turns.
enum Waited {
    Client(SocketMessage),
    Upstream(FromUpstream),
    Draining,
    Idle,
}

impl<H: SocketHost> SocketConnection<H> {
    pub(super) fn new(pool: Rc<Pool>, host: H, client: ClientSide<H::Memory>, upgrade: Upgrade) -> Self {
        SocketConnection { pool, host, client, upgrade, upstream: None, is_chosen: false }
    }

    /// Serves the connection to its end.
    pub(super) async fn run(mut self) {
        let mut over = pin!(self.host.over());
        let ending = tokio::select! {
            biased;
            () = &mut over => {
                // The turn that ran was dropped, which settled it.
                self.client.queue(&SocketMessage::Text(event_of(&ApiError::Stopping)));
                Ending::Ours(SocketClose::new(code::GOING_AWAY, "the server is stopping"))
            }
            ending = self.serve() => ending,
        };
        close_both(&mut self.client, self.upstream.take(), ending).await;
    }

    async fn serve(&mut self) -> Ending {
        let mut draining = pin!(self.host.draining());
        let mut idle_until = Instant::now() + LONGEST_IDLE;
        loop {
            let waited = match self.wait(draining.as_mut(), idle_until).await {
                Ok(waited) => waited,
                Err(ending) => return ending,
            };
            let done = match waited {
                Waited::Client(message) => {
                    let done = self.handle(message).await;
                    idle_until = Instant::now() + LONGEST_IDLE;
                    done
                }
                Waited::Upstream(FromUpstream::Data(message)) => {
                    self.client.send(&message).await;
                    Ok(())
                }
                Waited::Upstream(FromUpstream::Closed(close)) => Err(Ending::Upstream(close)),
                Waited::Upstream(FromUpstream::Lost(_)) => Err(Ending::upstream_lost()),
                Waited::Draining => Err(Ending::Ours(SocketClose::new(code::GOING_AWAY, "the server is stopping"))),
                Waited::Idle => Err(Ending::Ours(SocketClose::new(code::GOING_AWAY, "nothing was asked for long"))),
            };
            if let Err(ending) = done {
                return ending;
            }
        }
    }

    async fn wait(
        &mut self,
        draining: Pin<&mut impl Future<Output = ()>>,
        idle_until: Instant,
    ) -> Result<Waited, Ending> {
        let from_upstream = async {
            match &mut self.upstream {
                Some(upstream) => upstream.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = draining => Ok(Waited::Draining),
            message = self.client.next() => message.map(Waited::Client),
            event = from_upstream => Ok(Waited::Upstream(event)),
            () = sleep_until(idle_until) => Ok(Waited::Idle),
        }
    }

    /// Handles a message between two turns.
    async fn handle(&mut self, message: SocketMessage) -> Result<(), Ending> {
        let creates = self.upgrade.route.turns.creates;
        match (asked(&message, creates), &message, &mut self.upstream) {
            (Asked::Response { generates }, SocketMessage::Text(text), _) => self.turn(text.clone(), generates).await,
            (Asked::Other, _, Some(upstream)) => {
                upstream.queue(&message);
                let flushed = self.client.beside(timeout(upstream.endpoint.timeouts.idle, upstream.flush())).await?;
                if matches!(flushed, Ok(Ok(()))) { Ok(()) } else { Err(Ending::upstream_lost()) }
            }
            (Asked::Other, _, None) => self.refuse(format!("the first message must be a {creates}")).await,
            (Asked::Unclear | Asked::Response { .. }, ..) => {
                self.refuse("a message must be a text: a JSON object with one type".to_owned()).await
            }
        }
    }

    /// Refuses a message. The connection goes on.
    async fn refuse(&mut self, message: String) -> Result<(), Ending> {
        self.client.send_text(event_of(&ApiError::Invalid { message, param: Some("type") })).await;
        Ok(())
    }

    /// Admits a turn by the limits of the client's key, or sends the refusal. Returns whether the turn is admitted.
    pub(super) async fn admit_by_key(
        &mut self,
        key: &Arc<KeyConfig>,
        request: &ClientRequest,
        record: &mut OpenRecord,
    ) -> Result<bool, Ending> {
        let host = &self.host;
        match self.client.beside(host.admit_key(key, &request.profile)).await? {
            Ok(permit) => {
                record.admitted_by_key(permit);
                Ok(true)
            }
            Err(refused) => {
                let response = refuse(refused.into(), record);
                self.client.send_text(event(response)).await;
                Ok(false)
            }
        }
    }
}
