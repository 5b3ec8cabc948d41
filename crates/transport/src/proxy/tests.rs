//! Scripted proxies on real sockets.

mod http;
mod socks;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actix_http::{Method, StatusCode};
use actix_rt::Runtime;
use actix_tls::connect::ResolverService;
use bytes::Bytes;
use clock::{SendProgress, SentAt};
use tokio::io::AsyncReadExt;

use super::Proxy;
use crate::connector::Connector;
use crate::stream::Stream;
use crate::tls::Alpn;
use crate::{SendError, SendErrorKind, Target, UpstreamClient};

/// No test's proxy is slower.
const CONNECT: Duration = Duration::from_secs(10);

/// How long the tests with a silent proxy wait.
const SHORT: Duration = Duration::from_millis(150);

/// A proxy, and what was sent to it on its connections.
struct Scripted {
    address: SocketAddr,
    received: Arc<Mutex<Vec<u8>>>,
    connections: Arc<AtomicUsize>,
}

impl Scripted {
    /// Runs `script` for each connection, one after the other.
    fn start(script: impl Fn(&mut Peer) + Send + 'static) -> Scripted {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("bound");
        let received = Arc::<Mutex<Vec<u8>>>::default();
        let connections = Arc::<AtomicUsize>::default();
        let (kept, counted) = (received.clone(), connections.clone());
        std::thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                socket.set_nodelay(true).expect("set");
                let nth = counted.fetch_add(1, Ordering::SeqCst);
                script(&mut Peer { socket, received: kept.clone(), nth });
            }
        });
        Scripted { address, received, connections }
    }

    fn received(&self) -> String {
        String::from_utf8_lossy(&self.received.lock().expect("whole")).into_owned()
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// The client, as a proxy sees it.
struct Peer {
    socket: TcpStream,
    received: Arc<Mutex<Vec<u8>>>,
    /// How many connections there were before.
    nth: usize,
}

impl Peer {
    /// Reads as many bytes. Less if the client leaves.
    fn take(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        let mut filled = 0;
        while filled < length {
            let Ok(n @ 1..) = self.socket.read(&mut bytes[filled..]) else { break };
            filled += n;
        }
        bytes.truncate(filled);
        self.received.lock().expect("whole").extend_from_slice(&bytes);
        bytes
    }

    /// Reads up to the end of a head. Returns whether one came.
    fn take_head(&mut self) -> bool {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match self.take(1).first() {
                Some(byte) => head.push(*byte),
                None => return false,
            }
        }
        true
    }

    fn say(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.socket.write_all(bytes.as_ref());
    }

    /// Says the two parts of `bytes` in two packets.
    fn say_split(&mut self, bytes: &[u8], at: usize) {
        self.say(&bytes[..at]);
        std::thread::sleep(Duration::from_millis(1));
        self.say(&bytes[at..]);
    }

    /// Says nothing until the client leaves.
    fn be_silent(&mut self) {
        while self.take(1).len() == 1 {}
    }

    /// Answers requests as an upstream would, on the same connection.
    fn serve(&mut self) {
        while self.take_head() {
            self.say("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        }
    }
}

fn resolver(addresses: &[&str]) -> ResolverService {
    let addresses: Vec<SocketAddr> = addresses.iter().map(|address| address.parse().expect("an address")).collect();
    crate::testing::resolver(&addresses)
}

fn target(url: &str, proxy: &str, connect_timeout: Duration) -> Target {
    Target {
        id: "a".to_owned(),
        base: url.to_owned(),
        tls: false,
        http2: false,
        proxy: Some(Arc::new(Proxy::parse(proxy).expect("a proxy"))),
        headers: Vec::new(),
        connect_timeout,
    }
}

/// Connects to `http://upstream.example:81/` through a proxy.
async fn connected(proxy: &str, resolver: ResolverService) -> Result<Stream, String> {
    let connector = Connector::to(&target("http://upstream.example:81/", proxy, CONNECT), resolver);
    let made = connector.connect(Alpn::Http1).await;
    made.map(|(stream, _)| stream).map_err(|error| SendError::from(error).detail)
}

async fn read_all(mut stream: Stream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).await.expect("reads");
    text
}

/// Makes a request through a proxy to an upstream whose name nobody here resolves.
async fn asked(client: &UpstreamClient) -> (Result<StatusCode, SendError>, SendProgress) {
    let sent_at = SentAt::default();
    let response = client.send(client.request(Method::GET, "models"), Bytes::new(), &sent_at).await;
    let status = match response {
        Ok(response) => {
            let status = response.head.status();
            // Read to its end, so that the connection is free again.
            let mut body = response.body;
            while futures_util::StreamExt::next(&mut body).await.is_some_and(|piece| piece.is_ok()) {}
            Ok(status)
        }
        Err(error) => Err(error),
    };
    (status, sent_at.read())
}

fn client(proxy: &str, connect_timeout: Duration) -> UpstreamClient {
    UpstreamClient::resolving(resolver(&[]), target("http://upstream.example:81/v1/", proxy, connect_timeout))
}

/// Asserts that no connection was made, that nothing was sent, and that the words hold neither user nor password.
fn assert_refused((result, progress): (Result<StatusCode, SendError>, SendProgress), words: &str) {
    let error = result.expect_err(words);
    assert_eq!(error.kind, SendErrorKind::Connect, "{error}");
    assert!(error.detail.contains(words), "{error} has no {words}");
    assert!(error.detail.starts_with("by its proxy "), "{error}");
    assert_eq!(progress, SendProgress::NotStarted, "{error}");
    assert!(!error.detail.contains("geheim") && !error.detail.contains("anna"), "{error}");
}

#[test]
fn a_tunnel_is_kept_for_further_requests_and_a_closed_one_is_found_stale() {
    Runtime::new().expect("a runtime").block_on(async {
        // One request on the first tunnel is not answered any more.
        let proxy = Scripted::start(|peer| {
            peer.take_head();
            peer.say("HTTP/1.1 200 OK\r\n\r\n");
            if peer.nth > 0 {
                return peer.serve();
            }
            for _ in 0..2 {
                peer.take_head();
                peer.say("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
            }
            peer.take_head();
        });
        let client = client(&format!("http://{}", proxy.address), CONNECT);
        for _ in 0..2 {
            let (status, progress) = asked(&client).await;
            assert_eq!(status, Ok(StatusCode::OK));
            assert!(matches!(progress, SendProgress::Done(_)));
        }
        assert_eq!(proxy.connections(), 1);
        let error = asked(&client).await.0.expect_err("the tunnel ended");
        assert_eq!(error.kind, SendErrorKind::StaleConnection);
        assert_eq!(asked(&client).await.0, Ok(StatusCode::OK));
        assert_eq!(proxy.connections(), 2);
    });
}

#[test]
fn a_proxy_that_is_not_there_is_named() {
    Runtime::new().expect("a runtime").block_on(async {
        let address = TcpListener::bind(("127.0.0.1", 0)).expect("a free port").local_addr().expect("bound");
        for scheme in ["http", "socks5h"] {
            let client = client(&format!("{scheme}://anna:geheim@{address}"), CONNECT);
            assert_refused(asked(&client).await, "it can't be reached (Connection refused");
            assert_refused(asked(&client).await, &format!("by its proxy {scheme}://***@{address}: "));
        }
    });
}

#[test]
fn a_silent_proxy_costs_the_time_to_connect_and_no_more() {
    Runtime::new().expect("a runtime").block_on(async {
        let proxy = Scripted::start(Peer::be_silent);
        for scheme in ["http", "socks5", "socks5h"] {
            let started = Instant::now();
            let target = target("http://upstream.example:81/v1/", &format!("{scheme}://{}", proxy.address), SHORT);
            let client = UpstreamClient::resolving(resolver(&["192.0.2.1:81"]), target);
            assert_refused(asked(&client).await, "no connection in time");
            assert!(started.elapsed() >= SHORT && started.elapsed() < CONNECT, "{:?}", started.elapsed());
        }
    });
}
