//! Events that are odd, late, repeated or broken.

use serde_json::{Value, json};

use super::{connect, create, created, done, event, pool, pool_with};
use crate::helpers::websocket::{BINARY, PING, TEXT, WsFrame, WsUpstream};
use crate::helpers::{App, eventually};

/// Sends back what stands in the member `say` of each message, one after the other.
fn saying() -> WsUpstream {
    WsUpstream::start(|served, frame| {
        let say = if frame.code == TEXT { frame.json()["say"].clone() } else { Value::Null };
        frame.code != 8 && say.as_array().into_iter().flatten().all(|event| served.send_json(event))
    })
}

fn asks(events: &[Value]) -> Value {
    json!({ "type": "response.create", "say": events })
}

fn total(app: &App) -> Value {
    app.client().get("/v1/token/stats").json()["summary"]["totalTokens"].clone()
}

#[test]
fn a_done_without_an_id_ends_the_only_response() {
    for broken in
        [json!({ "usage": { "input_tokens": 3, "output_tokens": 4 } }), json!({ "id": 7 }), json!(null), json!("r")]
    {
        let upstream = saying();
        let app = pool_with(&upstream, &json!({ "maxConcurrent": 1 }));
        let mut client = connect(&app, "model=m");
        client.send_json(&asks(&[created("r"), json!({ "type": "response.done", "response": broken })]));
        event(&mut client, "response.done");
        eventually("the place is free", || app.status_of("a")["inFlight"] == 0);
        let told = if broken["usage"].is_object() { 7 } else { 0 };
        assert_eq!(total(&app), told, "{broken}");
        client.send_json(&asks(&[created("r2"), done("r2")]));
        event(&mut client, "response.done");
        eventually("the next one counts", || total(&app) == told + 70);
    }
}

#[test]
fn what_is_told_twice_counts_once() {
    let upstream = saying();
    let app = pool_with(&upstream, &json!({ "rpd": 2 }));
    let mut client = connect(&app, "model=m");
    client.send_json(&asks(&[
        created("r"),
        created("r"),
        done("r"),
        done("r"),
        done("never"),
        json!({ "type": "last" }),
    ]));
    while client.event()["type"] != "last" {}
    eventually("it is settled", || app.usage_of("a").1 == 1 && app.status_of("a")["inFlight"] == 0);
    assert_eq!(total(&app), 70);
}

#[test]
fn an_error_about_another_message_takes_no_response_away() {
    let upstream = saying();
    let app = pool_with(&upstream, &json!({ "rpd": 1 }));
    let mut client = connect(&app, "model=m");
    client.send_json(&asks(&[]));
    let error =
        json!({ "type": "invalid_request_error", "code": "invalid_value", "param": "session.voice", "event_id": null });
    let told = json!({ "type": "error", "event_id": "e", "error": error });
    client.send_json(&json!({ "type": "session.update", "session": { "voice": "x" }, "say": [told] }));
    assert_eq!(client.event()["type"], "error");
    client.send_json(&json!({ "type": "go", "say": [created("r"), done("r")] }));
    event(&mut client, "response.done");
    eventually("it is one request", || app.usage_of("a").1 == 1 && total(&app) == 70);
}

#[test]
fn odd_usage_counts_as_far_as_it_tells() {
    for (usage, tokens) in [
        (json!({ "input_tokens": 3, "output_tokens": 4 }), 7),
        (json!({ "total_tokens": 9 }), 9),
        (json!({ "output_tokens": 4 }), 4),
        (json!({ "input_tokens": "3", "output_tokens": 4, "total_tokens": null }), 7),
        (json!({ "input_tokens": -3, "output_tokens": 1e30, "total_tokens": 9 }), 9),
        (json!({ "input_tokens": 3, "output_tokens": 4, "total_tokens": 7, "input_token_details": 5 }), 7),
        (json!([]), 0),
        (json!(null), 0),
    ] {
        let upstream = saying();
        let app = pool(&[&upstream]);
        let mut client = connect(&app, "model=m");
        for status in ["completed", "cancelled", "incomplete"] {
            let end = json!({ "type": "response.done", "response": { "id": "r", "status": status, "usage": usage } });
            client.send_json(&asks(&[created("r"), end]));
            event(&mut client, "response.done");
        }
        eventually("all are settled", || app.usage_of("a") == (3, 3) && app.status_of("a")["inFlight"] == 0);
        eventually(&format!("{usage} is counted"), || total(&app) == tokens * 3);
    }
}

#[test]
fn fragments_with_pings_between_are_one_message_on_either_side() {
    let upstream = WsUpstream::start(|served, frame| {
        if frame.code != TEXT {
            return frame.code != 8;
        }
        assert_eq!(frame.json()["type"], "response.create");
        let text = done("r").to_string();
        let (one, two) = text.split_at(text.len() / 2);
        served.send_json(&created("r"))
            && served.send(&WsFrame::new(TEXT, one).unfinished())
            && served.send(&WsFrame::new(PING, "p"))
            && served.send(&WsFrame::new(0, two).unfinished())
            && served.send(&WsFrame::new(0, ""))
    });
    let app = pool(&[&upstream]);
    let mut client = connect(&app, "model=m");
    let text = create().to_string();
    let (one, two) = text.split_at(9);
    for frame in [WsFrame::new(TEXT, one).unfinished(), WsFrame::new(PING, "q"), WsFrame::new(0, two)] {
        client.send(&frame);
    }
    assert_eq!(client.next().expect("a pong").bytes, b"q");
    event(&mut client, "response.created");
    assert_eq!(event(&mut client, "response.done"), done("r"));
    eventually("it counts", || app.usage_of("a").1 == 1 && total(&app) == 70);
}

#[test]
fn what_breaks_the_protocol_ends_the_connection_with_its_code() {
    let upstream = saying();
    let mut config = crate::helpers::config_at(&[upstream.url()]);
    config["server"]["bodyLimitMb"] = json!(1);
    let app = App::start(&config);
    let mut reserved = WsFrame::new(TEXT, "{}");
    reserved.code |= 0x40;
    for (frames, code) in [
        (vec![WsFrame::new(BINARY, vec![0; 2 << 20])], 1009),
        (vec![WsFrame::new(BINARY, vec![0; 1 << 19]).unfinished(), WsFrame::new(0, vec![0; 1 << 20])], 1009),
        (vec![WsFrame::new(TEXT, [0xff, 0xfe])], 1007),
        (vec![WsFrame::new(0, "no begin")], 1002),
        (vec![WsFrame::new(PING, [0; 126])], 1002),
        (vec![reserved], 1002),
        (vec![WsFrame::new(8, [3])], 1002),
    ] {
        let mut client = connect(&app, "model=m");
        for frame in &frames {
            client.send(frame);
        }
        assert_eq!(client.closed(), code, "{:?}", frames.last().map(|frame| (frame.code, frame.bytes.len())));
    }
    let mut client = connect(&app, "model=m");
    client.send_json(&asks(&[created("r"), done("r")]));
    event(&mut client, "response.done");
}

#[test]
fn a_message_beyond_the_bound_of_an_account_ends_the_connection() {
    let upstream = WsUpstream::start(|served, frame| {
        frame.code == TEXT && served.send_json(&created("r")) && served.send(&WsFrame::new(BINARY, vec![0; 33 << 20]))
    });
    let app = pool(&[&upstream]);
    let mut client = connect(&app, "model=m");
    client.send_json(&create());
    event(&mut client, "response.created");
    assert_eq!(client.event()["error"]["code"], "upstream_failed");
    assert_eq!(client.closed(), 1011);
    eventually("the response is settled", || app.status_of("a")["inFlight"] == 0);
}
