//! Limits and budgets hold while a connection is open.

use serde_json::{Value, json};

use super::{asked, connect, create, created, done, event, pool, pool_with, speaking};
use crate::helpers::websocket::{TEXT, WsClient, WsUpstream};
use crate::helpers::{App, config_at, eventually};
use crate::key_budgets::no_midnight_near;

const TEAM: &str = "sk-of-the-team-0123456789abcdef";

/// A pool of one upstream, with a key of these fields.
fn with_key(upstream: &WsUpstream, fields: &Value) -> App {
    let mut config = config_at(&[upstream.url()]);
    config["apis"][0]["prices"] = json!({ "m": { "input": 1_000, "output": 1_000 } });
    let mut key = json!({ "name": "team", "key": TEAM, "reset": no_midnight_near() });
    key.as_object_mut().expect("fields").extend(fields.as_object().expect("fields").clone());
    config["keys"] = json!([key]);
    App::start(&config)
}

fn of_team(app: &App) -> WsClient {
    asked(app, "model=m", &format!("authorization: Bearer {TEAM}\r\n"))
}

fn creates(upstream: &WsUpstream) -> usize {
    upstream.messages().iter().filter(|(_, message)| message["type"] == "response.create").count()
}

#[test]
fn a_response_beyond_the_accounts_limit_is_refused_by_an_event_and_not_sent_up() {
    let upstream = speaking();
    let app = pool_with(&upstream, &json!({ "rpd": 2 }));
    let mut client = connect(&app, "model=m");
    for _ in 0..2 {
        client.send_json(&create());
        event(&mut client, "response.done");
    }
    for _ in 0..2 {
        client.send_json(&create());
        let told = client.event();
        assert_eq!((&told["type"], &told["status"]), (&json!("error"), &json!(429)), "{told}");
        assert!(told["event_id"].is_string() && told["error"]["message"].is_string(), "{told}");
    }
    client.send_json(&json!({ "type": "session.update" }));
    assert_eq!(client.event()["type"], "session.update", "the connection goes on");
    assert_eq!(creates(&upstream), 2);
    assert_eq!(app.usage_of("a").1, 2);
}

#[test]
fn a_response_that_begins_by_itself_beyond_the_limit_is_cancelled_and_ends_the_connection() {
    let upstream = speaking();
    let app = pool_with(&upstream, &json!({ "rpd": 1 }));
    let mut client = connect(&app, "model=m");
    client.send_json(&json!({ "type": "input_audio_buffer.commit" }));
    event(&mut client, "response.done");
    client.send_json(&json!({ "type": "input_audio_buffer.commit" }));
    let told = client.event();
    assert_eq!((&told["type"], &told["status"]), (&json!("error"), &json!(429)), "{told}");
    assert_eq!(client.closed(), 1008);
    eventually("the response is cancelled", || {
        upstream
            .messages()
            .iter()
            .any(|(_, message)| message["type"] == "response.cancel" && message["response_id"] == "resp_2")
    });
    assert_eq!(app.usage_of("a").1, 1);
    let again = asked(&app, "model=m", &format!("authorization: Bearer {}\r\n", crate::helpers::KEY));
    assert!(again.head.starts_with("http/1.1 429"), "{}", again.head);
}

#[test]
fn a_spent_budget_ends_the_connection_with_an_event() {
    let upstream = speaking();
    // One response costs 70 tokens of a tenth of a cent, and sets 512 aside before the first one has ended.
    let app = with_key(&upstream, &json!({ "budgets": [{ "usd": 0.6, "per": "day" }] }));
    let mut client = of_team(&app);
    assert!(client.head.starts_with("http/1.1 101"), "{}", client.head);
    let mut served = 0;
    let told = loop {
        client.send_json(&create());
        let mut next = client.event();
        while !["response.done", "error"].contains(&next["type"].as_str().expect("a type")) {
            next = client.event();
        }
        if next["type"] == "error" {
            break next;
        }
        served += 1;
    };
    assert_eq!((&told["status"], &told["error"]["code"]), (&json!(402), &json!("insufficient_quota")), "{told}");
    assert_eq!(client.closed(), 1008);
    assert!((4..=8).contains(&served), "{served} for 0.60 $ at 0.07 $ each");
    assert_eq!(creates(&upstream), served);
}

#[test]
fn a_keys_limit_on_requests_holds_over_its_connections() {
    let upstream = speaking();
    let app = with_key(&upstream, &json!({ "rpm": 3 }));
    let mut clients: Vec<WsClient> = (0..3).map(|_| of_team(&app)).collect();
    let mut served = 0;
    for nth in 0..9 {
        let client = &mut clients[nth % 3];
        client.send_json(&create());
        loop {
            let event = client.event();
            match event["type"].as_str() {
                Some("response.done") => served += 1,
                Some("error") => assert_eq!(event["error"]["code"], "key_rpm", "{event}"),
                _ => continue,
            }
            break;
        }
    }
    assert_eq!((served, creates(&upstream)), (3, 3));
}

#[test]
fn tokens_are_set_aside_for_a_response_and_corrected_by_its_usage() {
    let upstream = WsUpstream::start(|served, frame| match frame.code {
        TEXT if frame.json()["type"] == "finish" => served.send_json(&done("r")),
        TEXT => served.send_json(&created("r")),
        _ => false,
    });
    let app = pool_with(&upstream, &json!({ "tpm": 1_000 }));
    let tokens = || app.status_of("a")["quota"]["tpm"].clone();
    let mut client = connect(&app, "model=m");
    client.send_json(&create());
    event(&mut client, "response.created");
    client.send_json(&json!({ "type": "finish" }));
    event(&mut client, "response.done");
    eventually("the usage counts", || tokens()["used"] == 70 || app.usage_of("a") == (1, 1));
    assert_eq!(app.client().get("/v1/token/stats").json()["summary"]["totalTokens"], 70);
}

#[test]
fn a_place_among_the_requests_is_held_by_a_response_and_not_by_a_connection() {
    let upstream = WsUpstream::start(|served, frame| frame.code == TEXT && served.send_json(&created("r")));
    let mut config = config_at(&[upstream.url()]);
    config["server"]["maxRequests"] = json!(1);
    let app = App::start(&config);
    let mut clients = [connect(&app, "model=m"), connect(&app, "model=m"), connect(&app, "model=m")];
    let [first, second, _] = &mut clients;
    first.send_json(&create());
    event(first, "response.created");
    second.send_json(&create());
    let told = second.event();
    assert_eq!((&told["status"], &told["error"]["code"]), (&json!(503), &json!("server_overloaded")), "{told}");
}

#[test]
fn so_many_responses_of_one_connection_may_be_under_way() {
    let upstream = WsUpstream::start(|_, frame| frame.code == TEXT);
    let app = pool(&[&upstream]);
    let mut client = connect(&app, "model=m");
    for _ in 0..33 {
        client.send_json(&create());
    }
    let told = client.event();
    assert_eq!((&told["status"], &told["error"]["code"]), (&json!(503), &json!("server_overloaded")), "{told}");
    eventually("the others are sent", || creates(&upstream) == 32);
}

#[test]
fn a_transcription_is_a_request_where_there_are_no_responses() {
    let upstream = WsUpstream::start(|served, frame| {
        let usage = json!({ "type": "tokens", "input_tokens": 20, "output_tokens": 5, "total_tokens": 25 });
        let kind = "conversation.item.input_audio_transcription.completed";
        frame.code == TEXT && served.send_json(&json!({ "type": kind, "transcript": "hi", "usage": usage }))
    });
    let app = pool_with(&upstream, &json!({ "rpd": 2 }));
    let mut client = connect(&app, "intent=transcription&model=m");
    let audio = json!({ "type": "input_audio_buffer.commit" });
    for nth in 1..=2 {
        client.send_json(&audio);
        assert_eq!(client.event()["transcript"], "hi");
        eventually("it counts", || app.usage_of("a").1 == nth);
    }
    client.send_json(&audio);
    assert_eq!(client.event()["status"], 429);
    assert_eq!(client.closed(), 1008);
    assert_eq!(app.client().get("/v1/token/stats").json()["summary"]["totalTokens"], 50);
    // In a conversation the response counts.
    let upstream = WsUpstream::start(|served, _| {
        let kind = "conversation.item.input_audio_transcription.completed";
        served.send_json(&json!({ "type": kind, "usage": { "total_tokens": 25 } }))
    });
    let app = pool(&[&upstream]);
    let mut client = connect(&app, "model=m");
    client.send_json(&audio);
    client.event();
    assert_eq!(app.usage_of("a").1, 0);
}

#[test]
fn a_translation_is_one_request_from_its_begin() {
    let upstream = speaking();
    let app = pool_with(&upstream, &json!({ "rpd": 1 }));
    let key = format!("authorization: Bearer {}\r\n", crate::helpers::KEY);
    let open = || WsClient::at(&app, "/v1/realtime/translations?model=m", &key);
    let mut first = open();
    assert_eq!(first.event()["type"], "session.created");
    first.send_json(&json!({ "type": "session.input_audio_buffer.append" }));
    first.event();
    assert_eq!(app.usage_of("a").1, 1);
    assert!(open().head.starts_with("http/1.1 429"));
    drop(first);
    app.logged("WS /v1/realtime/translations m → a from 127.0.0.1 attempts=1 status=200");
    eventually("it ends", || app.status_of("a")["inFlight"] == 0);
    assert_eq!(app.usage_of("a").1, 1);
}
