//! What comes from both sides during a turn.

use tokio::time::{Instant, sleep_until};
use transport::{SocketClose, SocketMessage};

use super::SocketHost;
use super::client_message::{Asked, asked};
use super::connection::SocketConnection;
use super::ending::{Ending, code};
use super::upstream_side::FromUpstream;
use crate::types::{Failure, FailureClass, Phase};

/// What a turn receives next.
pub(super) enum Received {
    /// An event, or other data.
    Data(SocketMessage),
    /// The upstream's connection has ended: why, and the close for the client.
    Ended(Failure, SocketClose),
    /// Nothing came in time.
    Late,
}

/// Returns the failure of a lost connection.
pub(super) fn lost(why: &str) -> Failure {
    Failure::new(FailureClass::Protocol, Phase::Body, why)
}

impl<H: SocketHost> SocketConnection<H> {
    /// Returns what the upstream sends next. Meanwhile the client's messages are passed on, and requests for other responses wait
    /// for their turn.
    pub(super) async fn receive(&mut self, until: Instant) -> Result<Received, Ending> {
        loop {
            let Some(upstream) = &mut self.upstream else {
                return Ok(Received::Ended(lost("no connection"), SocketClose::new(code::INTERNAL, "")));
            };
            let has_room = upstream.has_room();
            let event = tokio::select! {
                event = upstream.next_or_room() => match event {
                    Some(event) => event,
                    // The client may be read again.
                    None => continue,
                },
                message = self.client.read(), if has_room => {
                    self.during_turn(message?);
                    continue;
                }
                () = sleep_until(until) => return Ok(Received::Late),
            };
            let (why, close) = match event {
                FromUpstream::Data(data) => return Ok(Received::Data(data)),
                FromUpstream::Closed(close) => (format!("it closed the connection ({})", close.code), close),
                FromUpstream::Lost(why) => (why, SocketClose::new(code::INTERNAL, "the upstream API was lost")),
            };
            self.upstream = None;
            return Ok(Received::Ended(lost(&why), close));
        }
    }

    fn during_turn(&mut self, message: SocketMessage) {
        let passes = asked(&message, self.upgrade.route.turns.creates) == Asked::Other;
        match &mut self.upstream {
            Some(upstream) if passes => upstream.queue(&message),
            Some(_) | None => self.client.set_aside(message),
        }
    }
}
