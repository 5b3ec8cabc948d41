//! A connection as the body of a response: what is polled by the client's own connection, and ends with it.
//!
//! The future of the connection runs only when the client's connection wants bytes. So a client that does not read stops all of
//! the connection, the upstream's reading too, and the deadline for writing ends it.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header::HeaderMap;
use actix_web::web::{Bytes, Payload};

use super::SocketHost;
use super::client_side::{ClientSide, Outbox};
use super::connection::{SocketConnection, Upgrade};
use crate::dialect::SocketRoute;
use crate::proxy::pool::Pool;

/// A client's side of an upgrade.
pub struct ClientSocket {
    /// What the messages mean.
    pub route: SocketRoute,
    /// The headers of the upgrade.
    pub headers: HeaderMap,
    /// The query of the upgrade.
    pub query: String,
    /// The client's bytes.
    pub payload: Payload,
}

/// Returns the body that serves a connection.
pub fn serve<H: SocketHost>(pool: Rc<Pool>, host: H, socket: ClientSocket) -> impl MessageBody + 'static {
    let outbox = Rc::new(Outbox::default());
    let largest = host.config().server.body_limit;
    let ClientSocket { route, headers, query, payload } = socket;
    let client = ClientSide::new(Box::pin(payload), outbox.clone(), largest, host.hold());
    let upgrade = Upgrade { route, headers, query };
    let connection = SocketConnection::new(pool, host, client, upgrade);
    SocketBody::new(connection.run(), outbox)
}

/// The body of a connection's answer.
pub(super) struct SocketBody {
    /// `None` when the connection has ended.
    connection: Option<Pin<Box<dyn Future<Output = ()>>>>,
    outbox: Rc<Outbox>,
}

impl SocketBody {
    /// Creates the body of this connection, which writes to the outbox.
    pub(super) fn new(connection: impl Future<Output = ()> + 'static, outbox: Rc<Outbox>) -> Self {
        SocketBody { connection: Some(Box::pin(connection)), outbox }
    }
}

impl MessageBody for SocketBody {
    type Error = actix_web::Error;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.get_mut();
        if this.outbox.is_empty()
            && let Some(connection) = &mut this.connection
            && connection.as_mut().poll(cx).is_ready()
        {
            this.connection = None;
        }
        match (this.outbox.take(), &this.connection) {
            (Some(bytes), _) => Poll::Ready(Some(Ok(bytes))),
            (None, Some(_)) => Poll::Pending,
            (None, None) => Poll::Ready(None),
        }
    }
}
