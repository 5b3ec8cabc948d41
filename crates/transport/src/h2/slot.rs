//! One stream's place on a connection, and what the stream learns of the connection.

use std::rc::Rc;

use bytes::Bytes;
use h2::SendStream;
use h2::client::{ResponseFuture, SendRequest};
use tokio::time::Instant;

use super::connection::{Connection, SILENT_MS};
use crate::error::ConnectionLost;
use crate::trace::ExchangeTrace;

/// A place for one stream on a connection, free again when dropped.
pub(super) struct StreamSlot {
    connection: Rc<Connection>,
    sender: Option<SendRequest<Bytes>>,
    stream: Option<u32>,
    ended: bool,
}

impl StreamSlot {
    pub(super) fn new(connection: Rc<Connection>, sender: SendRequest<Bytes>) -> Self {
        StreamSlot { connection, sender: Some(sender), stream: None, ended: false }
    }

    /// Returns whether the connection has brought a response before.
    pub(super) fn is_reused(&self) -> bool {
        self.connection.answered.get()
    }

    /// Returns whether anything has come since the connection was idle last. If not, the upstream may have closed the
    /// idle connection.
    pub(super) fn was_alive(&self) -> bool {
        self.connection.observer.reads() > self.connection.reads_when_idle.get()
    }

    /// Records the end of the connection. Returns how to count the end, if other streams are on the connection.
    pub(super) fn mark_broken(&self) -> Option<ConnectionLost> {
        if self.connection.broken.replace(true) {
            Some(ConnectionLost::AlreadyCounted)
        } else {
            (self.connection.active.get() > 1).then_some(ConnectionLost::First)
        }
    }

    /// Opens the stream.
    ///
    /// # Errors
    /// When nothing was handed over.
    pub(super) fn open(
        &mut self,
        head: http::Request<()>,
        no_body: bool,
        trace: &ExchangeTrace,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
        // A slot has one stream, and so the sender is there.
        let mut sender = self.sender.take().ok_or(h2::Error::from(h2::Reason::INTERNAL_ERROR))?;
        let (response, body) = sender.send_request(head, no_body)?;
        let stream = response.stream_id().as_u32();
        self.stream = Some(stream);
        self.connection.observer.begin(stream, trace);
        Ok((response, body))
    }

    /// Returns whether the head of the request was written.
    pub(super) fn is_head_written(&self) -> bool {
        self.stream.is_some_and(|stream| self.connection.observer.is_head_written(stream))
    }

    /// Returns whether all of the request was written.
    pub(super) fn is_written(&self) -> bool {
        self.stream.is_some_and(|stream| self.connection.observer.is_written(stream))
    }

    pub(super) fn note_answered(&self) {
        self.connection.answered.set(true);
    }

    /// Records the proper end of the response.
    pub(super) fn note_end(&mut self) {
        self.ended = true;
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }
}

impl Drop for StreamSlot {
    fn drop(&mut self) {
        let connection = &self.connection;
        if let Some(stream) = self.stream {
            connection.observer.forget(stream);
            if !self.ended && connection.observer.silent_for() >= SILENT_MS {
                connection.retire();
            }
        }
        connection.active.set(connection.active.get().saturating_sub(1));
        if connection.active.get() == 0 {
            connection.idle_since.set(Instant::now());
        }
    }
}
