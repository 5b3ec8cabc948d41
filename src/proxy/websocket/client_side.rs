//! The client's side of a connection: reads messages, and hands out what is written.
//!
//! 1. Pings are answered at once, also while an upstream is waited for.
//! 2. What comes during a wait is set aside, in order. Beyond the bounds no more is read.
//! 3. A client that sends nothing for [`PING_EVERY`] is pinged. One that answers no ping for [`GONE_AFTER`] is gone.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use actix_web::error::PayloadError;
use actix_web::web::{Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::stream::LocalBoxStream;
use tokio::time::{Instant, timeout_at};
use transport::{SocketClose, SocketCodec, SocketMessage};

use super::RequestMemory;
use super::ending::{Ending, code, sendable};
use crate::error::ApiError;

/// So many messages may wait for a turn to end.
pub(super) const MOST_WAITING: usize = 32;

/// So many bytes of a client are not counted.
const UNCOUNTED: usize = 64 << 10;

/// After so long a silence the client is pinged.
const PING_EVERY: Duration = Duration::from_secs(30);

/// A client without any sign of life is gone. Some clients answer pings only while they wait for an event, and a tool may run for
/// minutes.
const GONE_AFTER: Duration = Duration::from_secs(600);

/// What is to be written to the client.
#[derive(Default)]
pub(super) struct Outbox(RefCell<BytesMut>);

impl Outbox {
    pub(super) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// Appends what `write` writes.
    pub(super) fn fill(&self, write: impl FnOnce(&mut BytesMut)) {
        write(&mut self.0.borrow_mut());
    }

    /// Takes all that is to be written.
    pub(super) fn take(&self) -> Option<Bytes> {
        Some(self.0.borrow_mut().split().freeze()).filter(|bytes| !bytes.is_empty())
    }
}

/// What comes from a client.
pub(super) type ClientBytes = LocalBoxStream<'static, Result<Bytes, PayloadError>>;

/// The client's side of a connection.
pub(super) struct ClientSide<M> {
    payload: ClientBytes,
    codec: SocketCodec,
    came: BytesMut,
    outbox: Rc<Outbox>,
    /// Messages that wait for a turn to end.
    waiting: VecDeque<SocketMessage>,
    /// Their bytes.
    waiting_bytes: usize,
    largest: usize,
    /// For all bytes of the client that are held here.
    memory: M,
    heard_at: Instant,
    pinged_at: Instant,
}

impl<M: RequestMemory> ClientSide<M> {
    /// `largest`: the largest message, in bytes. `memory`: nothing is held yet.
    pub(super) fn new(payload: ClientBytes, outbox: Rc<Outbox>, largest: usize, memory: M) -> Self {
        let now = Instant::now();
        ClientSide {
            payload,
            codec: SocketCodec::of_server(largest),
            came: BytesMut::new(),
            outbox,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            largest,
            memory,
            heard_at: now,
            pinged_at: now,
        }
    }

    /// Returns the next message: one that was set aside, or one that comes.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub(super) async fn next(&mut self) -> Result<SocketMessage, Ending> {
        match self.waiting.pop_front() {
            Some(message) => {
                self.waiting_bytes = self.waiting_bytes.saturating_sub(message.len());
                Ok(message)
            }
            None => self.read().await,
        }
    }

    /// Returns the next message that comes, a text or bytes. While too much is set aside, waits for ever.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub(super) async fn read(&mut self) -> Result<SocketMessage, Ending> {
        loop {
            if self.waiting.len() >= MOST_WAITING || self.waiting_bytes > self.largest {
                return std::future::pending().await;
            }
            match self.codec.decode(&mut self.came) {
                Ok(Some(data @ (SocketMessage::Text(_) | SocketMessage::Binary(_)))) => {
                    self.account()?;
                    return Ok(data);
                }
                Ok(Some(SocketMessage::Ping(bytes))) => self.queue(&SocketMessage::Pong(bytes)),
                Ok(Some(SocketMessage::Pong(_))) => {}
                Ok(Some(SocketMessage::Close(close))) => return Err(Ending::Client(sendable(close))),
                Ok(None) => self.receive().await?,
                Err(bad) => return Err(Ending::Client(SocketClose::new(bad.close_code(), &bad.to_string()))),
            }
        }
    }

    /// Waits for bytes. Pings a silent client.
    async fn receive(&mut self) -> Result<(), Ending> {
        let ping_at = self.heard_at.max(self.pinged_at) + PING_EVERY;
        match timeout_at(ping_at, self.payload.next()).await {
            Ok(Some(Ok(piece))) => {
                self.heard_at = Instant::now();
                self.came.extend_from_slice(&piece);
                self.account()
            }
            Ok(Some(Err(_)) | None) => Err(Ending::ClientGone),
            Err(_) if self.heard_at.elapsed() >= GONE_AFTER => {
                Err(Ending::Ours(SocketClose::new(code::GOING_AWAY, "no pong came")))
            }
            Err(_) => {
                self.pinged_at = Instant::now();
                self.queue(&SocketMessage::Ping(Bytes::new()));
                Ok(())
            }
        }
    }

    /// Accounts for what is held of the client. A client beyond the bound has to come again.
    fn account(&mut self) -> Result<(), Ending> {
        let held = self.came.len() + self.codec.held() + self.waiting_bytes;
        // Small messages cost no look at what all threads share.
        let counted = if held < UNCOUNTED { 0 } else { held };
        let overloaded = |error: ApiError| Ending::Ours(SocketClose::new(code::TRY_AGAIN, &error.to_string()));
        self.memory.resize(counted).map_err(overloaded)
    }

    /// Sets a message aside until the turn is over.
    pub(super) fn set_aside(&mut self, message: SocketMessage) {
        self.waiting_bytes += message.len();
        self.waiting.push_back(message);
    }

    /// Waits for something, and sets aside what the client sends meanwhile.
    ///
    /// # Errors
    /// When the client ends the connection.
    pub(super) async fn beside<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Ending> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return Ok(done),
                message = self.read() => {
                    let message = message?;
                    self.set_aside(message);
                }
            }
        }
    }

    /// Hands a message to the client, and waits until the connection took it.
    pub(super) async fn send(&mut self, message: &SocketMessage) {
        self.queue(message);
        poll_fn(|_| if self.outbox.is_empty() { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    /// Hands an event to the client, and waits until the connection took it.
    pub(super) async fn send_text(&mut self, text: Bytes) {
        self.send(&SocketMessage::Text(text)).await;
    }

    /// Hands a message over.
    pub(super) fn queue(&self, message: &SocketMessage) {
        self.outbox.fill(|into| self.codec.encode(message, into));
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;
    use crate::testing;

    struct Endless;

    impl RequestMemory for Endless {
        fn resize(&mut self, _: usize) -> Result<(), ApiError> {
            Ok(())
        }
    }

    fn client(bytes: ClientBytes) -> (ClientSide<Endless>, Rc<Outbox>) {
        let outbox = Rc::new(Outbox::default());
        (ClientSide::new(bytes, outbox.clone(), 1_000, Endless), outbox)
    }

    #[test]
    fn a_client_without_a_sign_of_life_is_pinged_and_then_gone() {
        testing::on_paused_clock(async {
            let (mut client, outbox) = client(Box::pin(stream::pending()));
            let since = Instant::now();
            assert!(matches!(client.read().await, Err(Ending::Ours(close)) if close.code == code::GOING_AWAY));
            assert_eq!(since.elapsed().as_secs(), GONE_AFTER.as_secs());
            let pings = outbox.take().expect("pings");
            assert_eq!(*pings, [0x89, 0].repeat((GONE_AFTER.as_secs() / PING_EVERY.as_secs()) as usize - 1));
        });
    }

    #[test]
    fn a_pong_is_a_sign_of_life() {
        testing::on_paused_clock(async {
            let pong = || Bytes::from_static(&[0x8a, 0x80, 0, 0, 0, 0]);
            let pongs = stream::unfold((), move |()| async move {
                tokio::time::sleep(GONE_AFTER / 2).await;
                Some((Ok(pong()), ()))
            });
            let (mut client, _) = client(Box::pin(pongs));
            let within = tokio::time::timeout(10 * GONE_AFTER, client.read());
            assert!(within.await.is_err(), "it is there, and says nothing");
        });
    }

    #[test]
    fn beyond_the_bound_no_more_is_set_aside() {
        testing::on_paused_clock(async {
            let text = Bytes::from_static(&[0x81, 0x81, 0, 0, 0, 0, b'x']);
            let (mut client, _) = client(Box::pin(stream::repeat_with(move || Ok(text.clone()))));
            let work = client.beside(tokio::time::sleep(Duration::from_secs(5)));
            assert!(work.await.is_ok());
            assert_eq!(client.waiting.len(), MOST_WAITING);
            for _ in 0..2 * MOST_WAITING {
                assert!(client.next().await.is_ok(), "what was set aside comes first, and then the rest");
            }
        });
    }
}
