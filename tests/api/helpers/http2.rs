//! An upstream that speaks HTTP/2 over TLS, and nothing else.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::net::TcpListener;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;

use actix_web::web::Bytes;
use h2::server::{Builder, Connection, SendResponse};
use h2::{Reason, RecvStream, SendStream};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::{Identity, config_at};

type Served = Pin<Box<dyn Future<Output = ()> + Send>>;
type Script = dyn Fn(Ask) -> Served + Send + Sync;

/// One request, and the way to answer it.
pub struct Ask {
    pub request: http::Request<RecvStream>,
    respond: SendResponse<Bytes>,
    /// How many requests its connection had served before.
    pub nth: usize,
    goodbye: mpsc::UnboundedSender<()>,
    /// Turns true when [`Http2::release`] is called.
    released: watch::Receiver<bool>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    connections: AtomicUsize,
    /// Those that have not ended.
    open: AtomicUsize,
    asked: AtomicUsize,
    resets: AtomicUsize,
    sent: AtomicUsize,
    heads: Mutex<VecDeque<http::Request<()>>>,
}

impl Ask {
    /// The request's body.
    pub async fn body(&mut self) -> Vec<u8> {
        let body = self.request.body_mut();
        let mut all = Vec::new();
        while let Some(Ok(piece)) = body.data().await {
            body.flow_control().release_capacity(piece.len()).expect("it came");
            all.extend_from_slice(&piece);
        }
        all
    }

    pub async fn json(&mut self) -> Value {
        serde_json::from_slice(&self.body().await).expect("JSON")
    }

    pub async fn held(&mut self) {
        let _ = self.released.wait_for(|released| *released).await;
    }

    /// Says that the connection takes no more requests.
    pub fn say_goodbye(&self) {
        let _ = self.goodbye.send(());
    }

    /// A head; the body is to follow.
    pub fn begin(&mut self, status: u16, content_type: &str) -> SendStream<Bytes> {
        let head = http::Response::builder().status(status).header("content-type", content_type);
        self.respond.send_response(head.body(()).expect("a head"), false).expect("sent")
    }

    /// A whole answer.
    pub fn answer(&mut self, status: u16, body: &Value) {
        let mut sender = self.begin(status, "application/json");
        sender.send_data(body.to_string().into(), true).expect("sent");
    }

    /// A chat completion that says `text`.
    pub fn chat(&mut self, text: &str) {
        self.answer(
            200,
            &json!({
                "choices": [{ "index": 0, "message": { "role": "assistant", "content": text }, "finish_reason": "stop" }],
                "usage": { "prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7 },
            }),
        );
    }

    /// Waits until the client has reset the stream that has no answer yet.
    pub async fn until_left(&mut self) {
        let reset = poll_fn(|cx| self.respond.poll_reset(cx)).await;
        if reset.is_ok_and(|reason| reason == Reason::CANCEL) {
            self.counts.resets.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Waits until the client has reset the stream.
    pub async fn until_reset(&mut self, sender: &mut SendStream<Bytes>) {
        let reset = poll_fn(|cx| sender.poll_reset(cx)).await;
        if reset.is_ok_and(|reason| reason == Reason::CANCEL) {
            self.counts.resets.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Sends all of this, and ends the stream.
    pub async fn send(&mut self, sender: &mut SendStream<Bytes>, mut rest: Bytes) {
        while !rest.is_empty() {
            sender.reserve_capacity(rest.len());
            let Some(Ok(room)) = poll_fn(|cx| sender.poll_capacity(cx)).await else { return };
            let piece = rest.split_to(room.min(rest.len()));
            if sender.send_data(piece, rest.is_empty()).is_err() {
                return;
            }
        }
    }

    /// Sends the same piece again and again, as fast as the client takes it, until it has reset the stream.
    pub async fn flood(&mut self, sender: &mut SendStream<Bytes>, piece: &Bytes) {
        loop {
            sender.reserve_capacity(piece.len());
            let Some(Ok(room)) = poll_fn(|cx| sender.poll_capacity(cx)).await else { return };
            let piece = piece.slice(..room.min(piece.len()));
            self.counts.sent.fetch_add(piece.len(), Ordering::SeqCst);
            if sender.send_data(piece, false).is_err() {
                return;
            }
        }
    }
}

/// An upstream that speaks HTTP/2.
pub struct Http2 {
    port: u16,
    counts: Arc<Counts>,
    release: watch::Sender<bool>,
}

impl Http2 {
    pub fn start<F: Future<Output = ()> + Send + 'static>(
        identity: &Identity,
        script: impl Fn(Ask) -> F + Send + Sync + 'static,
    ) -> Http2 {
        Http2::taking(100, identity, script)
    }

    /// One that takes so many requests at once on a connection.
    pub fn taking<F: Future<Output = ()> + Send + 'static>(
        streams: u32,
        identity: &Identity,
        script: impl Fn(Ask) -> F + Send + Sync + 'static,
    ) -> Http2 {
        let acceptor = TlsAcceptor::from(identity.config());
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        listener.set_nonblocking(true).expect("non-blocking");
        let (release, released) = watch::channel(false);
        let counts = Arc::<Counts>::default();
        let counting = counts.clone();
        let script: Arc<Script> = Arc::new(move |ask| Box::pin(script(ask)));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                while let Ok((socket, _)) = listener.accept().await {
                    let (acceptor, script, counts) = (acceptor.clone(), script.clone(), counting.clone());
                    let released = released.clone();
                    let _ = socket.set_nodelay(true);
                    tokio::spawn(async move {
                        let Ok(session) = acceptor.accept(socket).await else { return };
                        if session.get_ref().1.alpn_protocol() != Some(b"h2") {
                            return;
                        }
                        counts.connections.fetch_add(1, Ordering::SeqCst);
                        counts.open.fetch_add(1, Ordering::SeqCst);
                        let mut builder = Builder::new();
                        builder.max_concurrent_streams(streams).initial_window_size(1 << 20);
                        if let Ok(connection) = builder.handshake(session).await {
                            serve(connection, &script, &counts, &released).await;
                        }
                        counts.open.fetch_sub(1, Ordering::SeqCst);
                    });
                }
            });
        });
        Http2 { port, counts, release }
    }

    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    /// A configuration of this one alone, on one thread.
    pub fn config(&self) -> Value {
        let mut config = config_at(&[self.url()]);
        config["actors"] = json!({ "workers": 1 });
        config
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.counts.connections.load(Ordering::SeqCst)
    }

    /// Connections that have not ended.
    pub fn open(&self) -> usize {
        self.counts.open.load(Ordering::SeqCst)
    }

    /// Requests so far.
    pub fn calls(&self) -> usize {
        self.counts.asked.load(Ordering::SeqCst)
    }

    /// Streams that the client cancelled while [`Ask::until_reset`] waited for it.
    pub fn resets(&self) -> usize {
        self.counts.resets.load(Ordering::SeqCst)
    }

    /// Bytes that [`Ask::flood`] could send.
    pub fn sent(&self) -> usize {
        self.counts.sent.load(Ordering::SeqCst)
    }

    /// The head of the oldest request that nobody has taken.
    pub fn head(&self) -> http::Request<()> {
        self.counts.heads.lock().expect("whole").pop_front().expect("a request")
    }

    /// Lets every held answer go on.
    pub fn release(&self) {
        self.release.send_replace(true);
    }
}

async fn serve(
    mut connection: Connection<TlsStream<tokio::net::TcpStream>, Bytes>,
    script: &Arc<Script>,
    counts: &Arc<Counts>,
    released: &watch::Receiver<bool>,
) {
    let (goodbye, mut goodbyes) = mpsc::unbounded_channel();
    let mut served = 0;
    loop {
        let accepted = poll_fn(|cx| {
            while let Poll::Ready(Some(())) = goodbyes.poll_recv(cx) {
                connection.graceful_shutdown();
            }
            connection.poll_accept(cx)
        });
        let Some(Ok((request, respond))) = accepted.await else { return };
        counts.asked.fetch_add(1, Ordering::SeqCst);
        let mut head = http::Request::new(());
        *head.uri_mut() = request.uri().clone();
        *head.method_mut() = request.method().clone();
        *head.headers_mut() = request.headers().clone();
        counts.heads.lock().expect("whole").push_back(head);
        let (goodbye, released, counts) = (goodbye.clone(), released.clone(), counts.clone());
        tokio::spawn(script(Ask { request, respond, nth: served, goodbye, released, counts }));
        served += 1;
    }
}
