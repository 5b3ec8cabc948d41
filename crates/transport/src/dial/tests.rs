//! Names with dead addresses, on real sockets.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};
use std::time::Instant;

use actix_http::{Method, StatusCode};
use actix_rt::Runtime;
use bytes::Bytes;
use clock::{SendProgress, SentAt};
use socket2::{Domain, Socket, Type};

use super::*;
use crate::connector::Connector;
use crate::testing::resolver;
use crate::tls::Alpn;
use crate::{SendErrorKind, Target, UpstreamClient};

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// How much later than the dead addresses cause a connection may be made on a busy machine.
const SLACK: Duration = Duration::from_millis(700);

/// An address without any reaction to an attempt: the listener's queue is full.
struct Dead {
    address: SocketAddr,
    listener: Socket,
    _queued: Vec<Socket>,
}

impl Dead {
    fn new(ip: IpAddr) -> Dead {
        let listener = Socket::new(Domain::for_address((ip, 0).into()), Type::STREAM, None).expect("a socket");
        listener.bind(&SocketAddr::from((ip, 0)).into()).expect("a free port");
        listener.listen(0).expect("listens");
        let address = listener.local_addr().expect("bound").as_socket().expect("an address");
        let mut queued = Vec::new();
        loop {
            let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).expect("a socket");
            let is_full = socket.connect_timeout(&address.into(), Duration::from_millis(100)).is_err();
            queued.push(socket);
            if is_full {
                return Dead { address, listener, _queued: queued };
            }
        }
    }
}

/// Serves `ok` to one request on each connection. Returns the address.
fn serving(ip: IpAddr) -> SocketAddr {
    let listener = TcpListener::bind((ip, 0)).expect("a free port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for mut socket in listener.incoming().map_while(Result::ok) {
            let _ = socket.read(&mut [0; 1_024]);
            let _ = socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
        }
    });
    address
}

/// Returns an address without a listener.
fn refusing(ip: IpAddr) -> SocketAddr {
    TcpListener::bind((ip, 0)).expect("a free port").local_addr().expect("bound")
}

fn target(base: &str, connect_timeout: Duration) -> Target {
    Target {
        id: "a".to_owned(),
        base: base.to_owned(),
        tls: false,
        http2: false,
        proxy: None,
        headers: Vec::new(),
        connect_timeout,
    }
}

fn connector(addresses: &[SocketAddr]) -> Connector {
    Connector::to(&target("http://upstream.example:80/", Duration::MAX), resolver(addresses))
}

/// Connects with the offer of HTTP/2. Returns the winner, or the error, and the time taken.
async fn connected(connector: &Connector) -> (Result<SocketAddr, String>, Duration) {
    let started = Instant::now();
    let made = timeout(Duration::from_secs(3), connector.connect(Alpn::Http2)).await;
    let winner = match made {
        Ok(Ok((stream, _))) => Ok(stream.socket().expect("open").peer_addr().expect("connected")),
        Ok(Err(ConnectError::Io(error))) => Err(error.to_string()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("too late".to_owned()),
    };
    (winner, started.elapsed())
}

#[test]
fn a_dead_address_costs_a_quarter_of_a_second_and_its_family_only_once() {
    Runtime::new().expect("a runtime").block_on(async {
        for (dead, sound) in [(Dead::new(V6), serving(V4)), (Dead::new(V4), serving(V6))] {
            let connector = connector(&[dead.address, sound]);
            let (winner, took) = connected(&connector).await;
            assert_eq!(winner, Ok(sound));
            assert!(took >= ATTEMPT_DELAY && took < ATTEMPT_DELAY + SLACK, "{took:?}");
            let (winner, took) = connected(&connector).await;
            assert_eq!(winner, Ok(sound));
            assert!(took < ATTEMPT_DELAY, "{took:?}: the family that won goes first");
        }
    });
}

#[test]
fn several_dead_addresses_of_a_family_do_not_keep_the_other_family_waiting() {
    Runtime::new().expect("a runtime").block_on(async {
        let dead: Vec<Dead> = (0..5).map(|_| Dead::new(V6)).collect();
        let sound = serving(V4);
        let addresses: Vec<SocketAddr> = dead.iter().map(|dead| dead.address).chain([sound]).collect();
        let (winner, took) = connected(&connector(&addresses)).await;
        assert_eq!(winner, Ok(sound));
        assert!(took < ATTEMPT_DELAY + SLACK, "{took:?}: it is the second to be tried");
        let dead = [Dead::new(V4), Dead::new(V4)];
        let (winner, took) = connected(&connector(&[dead[0].address, dead[1].address, sound])).await;
        assert_eq!(winner, Ok(sound), "all of one family");
        assert!(took >= 2 * ATTEMPT_DELAY && took < 2 * ATTEMPT_DELAY + SLACK, "{took:?}");
    });
}

#[test]
fn a_refusing_address_costs_no_time() {
    Runtime::new().expect("a runtime").block_on(async {
        let sound = serving(V4);
        let (winner, took) = connected(&connector(&[refusing(V6), refusing(V4), refusing(V6), sound])).await;
        assert_eq!(winner, Ok(sound));
        assert!(took < ATTEMPT_DELAY, "{took:?}");
        let (failed, took) = connected(&connector(&[refusing(V4), refusing(V6)])).await;
        assert!(failed.expect_err("all refuse").contains("refused"));
        assert!(took < ATTEMPT_DELAY, "{took:?}");
    });
}

#[test]
fn a_slow_address_wins_while_later_ones_are_tried() {
    Runtime::new().expect("a runtime").block_on(async {
        let slow = Dead::new(V4);
        let others = [Dead::new(V6), Dead::new(V4)];
        let connector = connector(&[slow.address, others[0].address, others[1].address]);
        let accepting = async {
            tokio::time::sleep(2 * ATTEMPT_DELAY).await;
            let listener = slow.listener.try_clone().expect("open");
            std::thread::spawn(move || while listener.accept().is_ok() {});
        };
        // The system asks again after a second.
        let ((winner, took), ()) = tokio::join!(connected(&connector), accepting);
        assert_eq!(winner, Ok(slow.address), "{took:?}");
    });
}

#[test]
fn a_literal_address_is_neither_resolved_nor_raced() {
    Runtime::new().expect("a runtime").block_on(async {
        let sound = serving(V4);
        let connector = Connector::to(&target(&format!("http://{sound}/"), Duration::MAX), resolver(&[]));
        assert!(connector.connect(Alpn::Http1).await.is_ok());
    });
}

fn client(addresses: &[SocketAddr], connect_timeout: Duration) -> UpstreamClient {
    UpstreamClient::resolving(resolver(addresses), target("http://upstream.example:80/v1/", connect_timeout))
}

#[test]
fn a_request_is_served_in_under_a_second_though_its_first_address_is_dead() {
    Runtime::new().expect("a runtime").block_on(async {
        let (dead, started) = (Dead::new(V6), Instant::now());
        let client = client(&[dead.address, serving(V4)], Duration::from_secs(10));
        let sent_at = SentAt::default();
        let response = client.send(client.request(Method::GET, "models"), Bytes::new(), &sent_at).await;
        assert_eq!(response.expect("served").head.status(), StatusCode::OK);
        assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
        assert!(matches!(sent_at.read(), SendProgress::Done(_)));
    });
}

#[test]
fn a_request_fails_at_the_connect_timeout_when_all_addresses_are_dead() {
    Runtime::new().expect("a runtime").block_on(async {
        let dead = [Dead::new(V6), Dead::new(V4)];
        let started = Instant::now();
        let client = client(&[dead[0].address, dead[1].address], Duration::from_millis(600));
        let sent_at = SentAt::default();
        let sent = client.send(client.request(Method::GET, "models"), Bytes::new(), &sent_at).await;
        let error = sent.map(|_| ()).expect_err("all are dead");
        assert_eq!((error.kind, error.detail.as_str()), (SendErrorKind::Connect, "no connection in time"));
        assert!(started.elapsed() >= Duration::from_millis(600) && started.elapsed() < Duration::from_millis(1_500));
        assert_eq!(sent_at.read(), SendProgress::NotStarted);
    });
}

#[test]
fn addresses_alternate_between_the_families_in_the_order_of_the_system() {
    let parsed = |text: &str| -> Vec<SocketAddr> {
        text.split(' ').map(|address| address.parse().expect("an address")).collect()
    };
    let system = parsed("[::1]:1 [::2]:1 [::3]:1 1.0.0.1:1 1.0.0.2:1");
    let alternating = parsed("[::1]:1 1.0.0.1:1 [::2]:1 1.0.0.2:1 [::3]:1");
    assert_eq!(interleaved(system.clone(), None), alternating);
    assert_eq!(interleaved(system.clone(), Some(system[1])), alternating, "a winner's family, not the winner");
    let ipv4_first = parsed("1.0.0.1:1 [::1]:1 1.0.0.2:1 [::2]:1 [::3]:1");
    assert_eq!(interleaved(system.clone(), Some(system[4])), ipv4_first);
    let one_family = parsed("1.0.0.1:1 1.0.0.2:1");
    assert_eq!(interleaved(one_family.clone(), Some(system[0])), one_family);
}
