//! Sizes, fragments, slow clients.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;

use super::{pool, pool_with};
use crate::helpers::websocket::{BINARY, TEXT, WsClient, WsFrame, WsUpstream, completed, delta};
use crate::helpers::{App, config_at, eventually};

#[test]
fn fragments_are_put_together() {
    let upstream = WsUpstream::answering();
    let app = pool(&[&upstream]);
    let mut client = WsClient::to(&app);
    let text = json!({ "type": "response.create", "model": "m", "input": "é".repeat(40_000) }).to_string();
    let pieces: Vec<&[u8]> = text.as_bytes().chunks(9_999).collect();
    for (nth, piece) in pieces.iter().enumerate() {
        let frame = WsFrame::new(if nth == 0 { TEXT } else { 0 }, piece);
        client.send(&if nth + 1 < pieces.len() { frame.unfinished() } else { frame });
    }
    assert_eq!(client.response().1["type"], "response.completed");
    assert_eq!(upstream.messages()[0].1["input"], "é".repeat(40_000));
}

#[test]
fn large_messages_pass_both_ways_and_too_large_ones_end_the_connection() {
    let upstream = WsUpstream::start(|served, frame| {
        frame.code == TEXT
            && served.send_json(&delta(&"x".repeat(frame.bytes.len())))
            && served.send_json(&completed("r"))
    });
    let mut config = config_at(&[upstream.url()]);
    config["server"]["bodyLimitMb"] = json!(4);
    let app = App::start(&config);
    let mut client = WsClient::to(&app);
    client.send_json(&json!({ "type": "response.create", "model": "m", "input": "x".repeat(3 << 20) }));
    assert!(client.event()["delta"].as_str().expect("text").len() > 3 << 20);
    assert_eq!(client.response().1["type"], "response.completed");
    client.send(&WsFrame::new(TEXT, "x".repeat((4 << 20) + 100)));
    assert_eq!(client.closed(), 1009);
    let mut client = WsClient::to(&app);
    for _ in 0..5 {
        client.send(&WsFrame::new(BINARY, "x".repeat(1 << 20)).unfinished());
    }
    assert!(client.next().is_some_and(|frame| frame.close_code() == Some(1009) || frame.close_code() == Some(1002)));
}

#[test]
fn what_breaks_the_protocol_ends_the_connection() {
    let upstream = WsUpstream::answering();
    let app = pool(&[&upstream]);
    for (bytes, code) in [(&b"\x81\x01x"[..], 1002), (b"\xc1\x80\0\0\0\0", 1002), (b"\x81\x81\0\0\0\0\xff", 1007)] {
        let mut client = WsClient::to(&app);
        std::io::Write::write_all(&mut client.stream, bytes).expect("writes");
        assert_eq!(client.closed(), code, "{bytes:?}");
        assert!(client.next().is_none());
    }
}

#[test]
fn a_client_that_does_not_read_stops_the_reading_of_the_upstream() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = sent.clone();
    let upstream = WsUpstream::start(move |served, _| {
        for _ in 0..2_000 {
            if !served.send_json(&delta(&"x".repeat(50_000))) {
                return false;
            }
            counted.fetch_add(1, Ordering::SeqCst);
        }
        served.send_json(&completed("r"))
    });
    let app = pool_with(&upstream, &json!({ "timeouts": { "idleMs": 60_000 } }));
    let mut client = WsClient::to(&app);
    client.create();
    eventually("it begins", || sent.load(Ordering::SeqCst) > 0);
    let mut before = usize::MAX;
    eventually("the upstream waits", || {
        std::thread::sleep(Duration::from_millis(200));
        std::mem::replace(&mut before, sent.load(Ordering::SeqCst)) == before
    });
    // 100 MB are to come. What the sockets of this machine hold is no memory of the program.
    assert!(before < 600, "{before} events were taken");
    let (types, _) = client.response();
    assert_eq!(types.len(), 2_001);
}

#[test]
fn a_client_that_never_reads_is_let_go() {
    let upstream = WsUpstream::start(|served, _| {
        while served.send_json(&delta(&"x".repeat(50_000))) {}
        false
    });
    let mut config = config_at(&[upstream.url()]);
    config["server"]["writeTimeoutMs"] = json!(500);
    let app = App::start(&config);
    let mut client = WsClient::to(&app);
    client.create();
    app.logged("(the client left)");
    eventually("the upstream is let go", || upstream.ended() == 2);
    let mut rest = Vec::new();
    let _ = client.stream.read_to_end(&mut rest);
}

#[test]
fn an_idle_connection_takes_no_place_among_the_requests() {
    let upstream = WsUpstream::start(|served, frame| {
        if frame.code != TEXT {
            return false;
        }
        served.send_json(&delta("x"))
    });
    let mut config = config_at(&[upstream.url()]);
    config["server"]["maxRequests"] = json!(1);
    let app = App::start(&config);
    let mut clients = [WsClient::to(&app), WsClient::to(&app), WsClient::to(&app)];
    let [first, second, _] = &mut clients;
    first.create();
    assert_eq!(first.event()["type"], "response.output_text.delta");
    second.create();
    let (_, told) = second.response();
    assert_eq!((&told["status"], &told["error"]["code"]), (&json!(503), &json!("server_overloaded")), "{told}");
}

#[test]
fn the_bytes_of_all_clients_have_one_bound() {
    let upstream = WsUpstream::answering();
    let mut config = config_at(&[upstream.url()]);
    config["server"]["bodyLimitMb"] = json!(3);
    config["server"]["bodiesInFlightMb"] = json!(4);
    let app = App::start(&config);
    let half = || {
        let mut client = WsClient::to(&app);
        client.send(&WsFrame::new(BINARY, "x".repeat(5 << 19)).unfinished());
        client
    };
    let (first, mut second) = (half(), half());
    assert_eq!(second.closed(), 1013);
    drop(first);
    eventually("the first one's share is free", || {
        let mut third = half();
        third.send(&WsFrame::new(crate::helpers::websocket::PING, b"p"));
        third.next().expect("a frame").close_code().is_none()
    });
}
