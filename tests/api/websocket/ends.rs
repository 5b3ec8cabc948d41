//! How connections end, from either side.

use std::time::{Duration, Instant};

use serde_json::json;

use super::pool;
use crate::helpers::websocket::{CLOSE, PING, PONG, TEXT, WsClient, WsFrame, WsUpstream, completed, created, delta};
use crate::helpers::{App, config_at, eventually, within};

/// Begins each answer, and ends it when a message comes that is no `response.create`.
fn holding() -> WsUpstream {
    WsUpstream::start(|served, frame| match frame.code {
        TEXT if frame.json()["type"] == "response.create" => {
            served.send_json(&created("r")) && served.send_json(&delta("some words"))
        }
        TEXT => served.send_json(&completed("r")),
        _ => false,
    })
}

/// A connection in the middle of an answer.
fn answering(app: &App) -> WsClient {
    let mut client = WsClient::to(app);
    client.create();
    assert_eq!(client.event()["type"], "response.created");
    assert_eq!(client.event()["type"], "response.output_text.delta");
    client
}

#[test]
fn a_create_during_an_answer_waits_and_other_messages_do_not() {
    let upstream = holding();
    let app = pool(&[&upstream]);
    let mut client = answering(&app);
    client.create();
    client.send_json(&json!({ "type": "anything" }));
    assert_eq!(client.response().1["type"], "response.completed");
    assert_eq!(client.event()["type"], "response.created", "the second one's turn");
    let types: Vec<_> = upstream.messages().into_iter().map(|(_, message)| message["type"].clone()).collect();
    assert_eq!(types, ["response.create", "anything", "response.create"]);
}

#[test]
fn a_client_that_leaves_stops_the_upstream_within_a_second() {
    for with_close in [false, true] {
        let upstream = holding();
        let app = pool(&[&upstream]);
        let mut client = answering(&app);
        let before = upstream.ended();
        if with_close {
            client.send(&WsFrame::close(1001));
            assert_eq!(client.closed(), 1001);
            assert!(client.next().is_none(), "and the connection ends");
        }
        drop(client);
        within(Duration::from_secs(1), "the upstream is let go", || upstream.ended() > before);
        app.logged("(the client left)");
        // The words so far are estimated.
        let stats = app.client().get("/v1/token/stats").json();
        assert!(stats["summary"]["totalTokens"].as_u64() > Some(0), "{stats}");
        assert_eq!(app.status_of("a")["inFlight"].as_u64().unwrap_or_default(), 0);
    }
}

#[test]
fn a_close_of_the_client_is_answered_and_passed_on() {
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let told = seen.clone();
    let upstream = WsUpstream::start(move |served, frame| {
        told.lock().expect("whole").extend(frame.close_code().filter(|_| served.nth > 0));
        frame.code == TEXT && served.respond("r")
    });
    let app = pool(&[&upstream]);
    for code in [1000, 1001, 4000] {
        let mut client = WsClient::to(&app);
        client.create();
        client.response();
        client.send(&WsFrame::close(code));
        let asked = Instant::now();
        assert_eq!(client.closed(), code);
        assert!(client.next().is_none());
        assert!(asked.elapsed() < Duration::from_millis(500), "{:?}", asked.elapsed());
        eventually("it is passed on", || seen.lock().expect("whole").last() == Some(&code));
    }
}

#[test]
fn the_end_of_the_upstream_is_passed_on_with_its_code() {
    for (code, seen) in [(Some(1001), 1001), (Some(4001), 4001), (None, 1011)] {
        let upstream = WsUpstream::start(move |served, _| {
            served.respond("r");
            if let Some(code) = code {
                served.send(&WsFrame::close(code));
            }
            false
        });
        let app = pool(&[&upstream]);
        let mut client = WsClient::to(&app);
        client.create();
        assert_eq!(client.response().1["type"], "response.completed");
        assert_eq!(client.closed(), seen);
    }
}

#[test]
fn an_answer_that_breaks_off_ends_in_an_error_and_1011() {
    let upstream = WsUpstream::start(|served, _| {
        served.send_json(&created("r"));
        served.send_json(&delta("some words"));
        false
    });
    let app = pool(&[&upstream]);
    let mut client = answering(&app);
    let (_, told) = client.response();
    assert_eq!((&told["status"], &told["error"]["code"]), (&json!(502), &json!("upstream_failed")), "{told}");
    assert_eq!(client.closed(), 1011);
    app.logged("protocol: the connection ended");
}

#[test]
fn an_answer_that_stalls_ends_in_an_error() {
    let upstream = holding();
    let mut config = config_at(&[upstream.url()]);
    config["apis"][0]["timeouts"] = json!({ "idleMs": 300 });
    let app = App::start(&config);
    let mut client = answering(&app);
    let (_, told) = client.response();
    assert_eq!((&told["status"], &told["error"]["code"]), (&json!(504), &json!("upstream_timeout")), "{told}");
    assert_eq!(client.closed(), 1011);
}

#[test]
fn pings_are_answered_on_both_sides_also_during_an_answer() {
    let upstream = WsUpstream::start(|served, frame| {
        frame.code == TEXT && served.send(&WsFrame::new(PING, b"up")) && served.send_json(&delta("x"))
    });
    let app = pool(&[&upstream]);
    let mut client = WsClient::to(&app);
    for payload in ["", "abc"] {
        client.send(&WsFrame::new(PING, payload));
        assert_eq!(client.next(), Some(WsFrame::new(PONG, payload)));
    }
    client.create();
    assert_eq!(client.event()["type"], "response.output_text.delta");
    client.send(&WsFrame::new(PING, b"p"));
    assert_eq!(client.next(), Some(WsFrame::new(PONG, b"p")));
}

#[test]
fn a_stop_lets_the_answer_end_and_then_says_1001() {
    let upstream = holding();
    let mut app = pool(&[&upstream]);
    let mut idle = WsClient::to(&app);
    let mut client = answering(&app);
    app.signal("TERM");
    assert_eq!(idle.closed(), 1001);
    client.send_json(&json!({ "type": "anything" }));
    assert_eq!(client.response().1["type"], "response.completed");
    let frame = client.next().expect("a close");
    assert_eq!((frame.code, frame.close_code()), (CLOSE, Some(1001)));
    drop((client, idle));
    assert!(app.wait().success());
    assert!(app.log().contains("status=200"), "{}", app.log());
}

#[test]
fn an_answer_that_does_not_end_in_time_ends_with_the_server() {
    let upstream = holding();
    let mut config = config_at(&[upstream.url()]);
    config["server"]["shutdownTimeoutSec"] = json!(1);
    let mut app = App::start(&config);
    let mut client = answering(&app);
    app.signal("TERM");
    let (_, told) = client.response();
    assert_eq!((&told["status"], &told["error"]["code"]), (&json!(503), &json!("server_stopping")), "{told}");
    assert_eq!(client.closed(), 1001);
    assert!(app.wait().success());
    assert!(app.log().contains("the server stopped and cut the answer off"), "{}", app.log());
}

#[test]
fn a_connection_whose_account_has_left_the_configuration_ends_with_its_next_request() {
    let (leaving, staying) = (holding(), WsUpstream::answering());
    let mut config = config_at(&[leaving.url(), staying.url()]);
    config["apis"][1]["priority"] = json!(1);
    config["apis"][0]["priority"] = json!(0);
    let app = App::start(&config);
    let mut client = answering(&app);
    config["apis"].as_array_mut().expect("a list").remove(0);
    std::fs::write(app.config_file(), config.to_string()).expect("writes");
    app.logged("a: retired");
    client.send_json(&json!({ "type": "anything" }));
    assert_eq!(client.response().1["type"], "response.completed", "an answer goes on to its end");
    client.create();
    let (_, told) = client.response();
    assert_eq!(told["status"], 503, "{told}");
    assert_eq!(client.closed(), 1001);
    let mut client = WsClient::to(&app);
    client.create();
    assert_eq!(client.response().1["response"]["id"], "resp_1");
}
