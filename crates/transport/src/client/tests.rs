//! Hosts and paths of requests.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};

use actix_rt::Runtime;

use super::*;

fn client(base: &str, tls: bool) -> UpstreamClient {
    UpstreamClient::new(Target {
        id: "a".to_owned(),
        base: base.to_owned(),
        tls,
        http2: true,
        proxy: None,
        headers: vec![(header::AUTHORIZATION, HeaderValue::from_static("Bearer k"))],
        connect_timeout: Duration::from_secs(1),
    })
}

#[test]
fn a_request_names_the_host_without_the_port_of_its_scheme() {
    Runtime::new().expect("a runtime").block_on(async {
        for (base, tls, host) in [
            ("http://x.example:80/v1/", false, "x.example"),
            ("http://x.example:443/v1/", true, "x.example"),
            ("http://x.example:443/v1/", false, "x.example:443"),
            ("http://x.example:8080/v1/", true, "x.example:8080"),
            ("http://[::1]:80/v1/", false, "[::1]"),
        ] {
            let request = client(base, tls).request(Method::POST, "chat/completions?a=b");
            assert_eq!(request.headers().get(header::HOST).expect("a host"), host, "{base}");
            assert_eq!(request.headers().get(header::AUTHORIZATION).expect("a key"), "Bearer k");
            assert_eq!(request.get_uri().path_and_query().expect("a path"), "/v1/chat/completions?a=b");
        }
    });
}

#[test]
fn paths_beyond_the_kept_ones_are_right_too() {
    Runtime::new().expect("a runtime").block_on(async {
        let client = client("http://x.example:80/p/v1/", false);
        for nth in (0..2 * MAX_KEPT_PATHS).chain(0..3) {
            let request = client.request(Method::GET, &format!("files/{nth}"));
            assert_eq!(request.get_uri().path(), format!("/p/v1/files/{nth}"));
        }
        assert_eq!(client.uris.borrow().len(), MAX_KEPT_PATHS);
    });
}

#[test]
fn no_query_takes_the_place_of_a_path() {
    Runtime::new().expect("a runtime").block_on(async {
        let client = client("http://x.example:80/v1/", false);
        let request = client.request(Method::GET, "files?a=%2f&b[]=%20");
        assert_eq!(request.get_uri().path_and_query().expect("a path"), "/v1/files?a=%2f&b[]=%20");
        assert!(client.uris.borrow().is_empty());
    });
}

/// Answers each request, without a body on a connection of its own, and tells what came.
fn listening() -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for mut socket in listener.incoming().map_while(Result::ok) {
            let (mut came, mut piece) = (Vec::new(), [0; 1_024]);
            while !came.ends_with(b"\r\n\r\n") {
                match socket.read(&mut piece) {
                    Ok(size @ 1..) => came.extend(piece.iter().take(size)),
                    Ok(0) | Err(_) => break,
                }
            }
            let _ = tell.send(String::from_utf8_lossy(&came).into_owned());
            let _ = socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
    (address, told)
}

#[test]
fn a_length_of_nothing_is_told_only_where_a_body_is_usual() {
    let (address, told) = listening();
    Runtime::new().expect("a runtime").block_on(async {
        let client = client(&format!("http://{address}/v1/"), false);
        for (method, has_length) in [
            (Method::GET, false),
            (Method::DELETE, false),
            (Method::HEAD, false),
            (Method::POST, true),
            (Method::PUT, true),
            (Method::PATCH, true),
        ] {
            let request = client.request(method.clone(), "files/file-1");
            client.send(request, Bytes::new(), &SentAt::default()).await.map_err(|_| "failed").expect("an answer");
            let head = told.recv_timeout(Duration::from_secs(5)).expect("a request");
            assert!(head.starts_with(&format!("{method} /v1/files/file-1 HTTP/1.1\r\n")), "{head}");
            assert_eq!(head.to_lowercase().contains("\r\ncontent-length: 0\r\n"), has_length, "{head}");
            assert_eq!(head.to_lowercase().matches("content-length").count(), usize::from(has_length), "{head}");
            assert!(!head.to_lowercase().contains("transfer-encoding"), "{head}");
        }
    });
}
