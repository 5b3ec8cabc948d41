//! How connections end, from either side, by a stop and by a change of the configuration.

use std::time::Duration;

use serde_json::json;

use super::{asked, connect, create, created, done, event, pool, speaking};
use crate::helpers::websocket::{CLOSE, TEXT, WsClient, WsFrame, WsUpstream};
use crate::helpers::{App, KEY, config_at, eventually, within};

/// Begins a response for each message, and ends it for one of the type `finish`.
fn holding() -> WsUpstream {
    WsUpstream::start(|served, frame| match frame.code {
        TEXT if frame.json()["type"] == "finish" => served.send_json(&done("r")),
        TEXT => served.send_json(&created("r")),
        _ => false,
    })
}

fn responding(app: &App) -> WsClient {
    let mut client = connect(app, "model=m");
    client.send_json(&create());
    event(&mut client, "response.created");
    client
}

fn finish(client: &mut WsClient) {
    client.send_json(&json!({ "type": "finish" }));
    event(client, "response.done");
}

#[test]
fn a_close_passes_with_its_code_and_reason_either_way() {
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let told = seen.clone();
    let upstream = WsUpstream::start(move |served, frame| {
        if frame.code == CLOSE {
            told.lock().expect("whole").push(frame);
            return false;
        }
        let close = frame.json();
        let code = u16::try_from(close["code"].as_u64().expect("a code")).expect("fits");
        served.send(&WsFrame::close_for(code, close["reason"].as_str().expect("a reason")));
        false
    });
    let app = pool(&[&upstream]);
    for (code, reason) in [(1000, ""), (1001, "bye"), (3000, "é"), (4001, "session expired")] {
        let close = WsFrame::close_for(code, reason);
        let mut client = connect(&app, "model=m");
        client.send(&close);
        assert_eq!(client.next(), Some(close.clone()));
        assert_eq!(client.next(), None);
        eventually("it is passed on", || seen.lock().expect("whole").contains(&close));
        let mut client = connect(&app, "model=m");
        client.send_json(&json!({ "code": code, "reason": reason }));
        assert_eq!(client.next(), Some(close));
    }
}

#[test]
fn a_client_that_leaves_settles_its_response_and_stops_the_upstream_within_a_second() {
    for with_close in [false, true] {
        let upstream = holding();
        let app = pool(&[&upstream]);
        let mut client = responding(&app);
        if with_close {
            client.send(&WsFrame::close(1000));
            assert_eq!(client.closed(), 1000);
        }
        drop(client);
        within(Duration::from_secs(1), "the upstream is let go", || upstream.ended() == 1);
        app.logged("(the client left)");
        eventually("the place is free", || app.status_of("a")["inFlight"] == 0);
        assert_eq!(app.usage_of("a").1, 1);
    }
}

#[test]
fn an_upstream_that_is_lost_ends_the_connection_with_an_event_if_a_response_was_under_way() {
    let upstream = WsUpstream::start(|served, frame| {
        frame.code == TEXT && frame.json()["type"] == "response.create" && served.send_json(&created("r"))
    });
    let app = pool(&[&upstream]);
    let mut client = responding(&app);
    client.send_json(&json!({ "type": "now" }));
    let told = client.event();
    assert_eq!((&told["status"], &told["error"]["code"]), (&json!(502), &json!("upstream_failed")), "{told}");
    assert_eq!(client.closed(), 1011);
    let mut client = connect(&app, "model=m");
    client.send_json(&json!({ "type": "now" }));
    assert_eq!(client.closed(), 1011);
}

#[test]
fn a_failed_response_is_held_against_the_account() {
    let upstream = WsUpstream::start(|served, frame| {
        let error = json!({ "type": "server_error", "code": "rate_limit_exceeded", "message": "slow down" });
        let response = json!({ "id": "r", "status": "failed", "status_details": { "type": "failed", "error": error } });
        frame.code == TEXT
            && served.send_json(&created("r"))
            && served.send_json(&json!({ "type": "response.done", "response": response }))
    });
    let app = pool(&[&upstream]);
    let mut client = connect(&app, "model=m");
    client.send_json(&create());
    assert_eq!(event(&mut client, "response.done")["response"]["status"], "failed");
    eventually("the account rests", || app.status_of("a")["available"] == false);
    client.send_json(&create());
    assert_eq!(client.event()["status"], 429);
}

#[test]
fn a_stop_lets_a_response_end_and_then_says_1001() {
    let upstream = holding();
    let mut config = config_at(&[upstream.url()]);
    // Another worker may learn of the stop a moment later.
    config["actors"] = json!({ "workers": 1 });
    let mut app = App::start(&config);
    let mut idle = connect(&app, "model=m");
    let mut client = responding(&app);
    app.signal("TERM");
    assert_eq!(idle.closed(), 1001);
    client.send_json(&create());
    assert_eq!(client.event()["error"]["code"], "server_stopping");
    finish(&mut client);
    assert_eq!(client.closed(), 1001);
    drop((client, idle));
    assert!(app.wait().success());
    assert!(app.log().contains("tokens=30+40=70"), "{}", app.log());
}

#[test]
fn a_response_that_does_not_end_in_time_ends_with_the_server() {
    let upstream = holding();
    let mut config = config_at(&[upstream.url()]);
    config["server"]["shutdownTimeoutSec"] = json!(1);
    let mut app = App::start(&config);
    let mut client = responding(&app);
    app.signal("TERM");
    assert_eq!(client.event()["error"]["code"], "server_stopping");
    assert_eq!(client.closed(), 1001);
    assert!(app.wait().success());
}

#[test]
fn a_connection_ends_when_its_account_or_its_key_leaves_the_configuration() {
    let (leaving, staying) = (holding(), speaking());
    let mut config = super::config_by_priority(&[&leaving, &staying]);
    config["keys"] = json!([{ "name": "team", "key": "sk-of-the-team-0123456789" }]);
    let app = App::start(&config);
    let mut idle = connect(&app, "model=m");
    let mut client = responding(&app);
    config["apis"].as_array_mut().expect("a list").remove(0);
    std::fs::write(app.config_file(), config.to_string()).expect("writes");
    let told = idle.event();
    assert_eq!((&told["type"], &told["status"]), (&json!("error"), &json!(503)), "{told}");
    assert_eq!(idle.closed(), 1001);
    finish(&mut client);
    assert_eq!(client.event()["status"], 503);
    assert_eq!(client.closed(), 1001, "a response goes on to its end");

    let team = "authorization: Bearer sk-of-the-team-0123456789\r\n";
    let mut of_team = asked(&app, "model=m", team);
    let mut other = connect(&app, "model=m");
    event(&mut of_team, "session.created");
    event(&mut other, "session.created");
    config.as_object_mut().expect("members").remove("keys");
    std::fs::write(app.config_file(), config.to_string()).expect("writes");
    assert_eq!(of_team.event()["status"], 401);
    assert_eq!(of_team.closed(), 1008);
    other.send_json(&create());
    event(&mut other, "response.done");
    assert!(asked(&app, "model=m", team).head.starts_with("http/1.1 401"));
    assert!(asked(&app, "model=m", &format!("authorization: Bearer {KEY}\r\n")).head.starts_with("http/1.1 101"));
}
