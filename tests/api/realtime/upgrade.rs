//! Which account a connection goes to, and what passes with the upgrade.

use serde_json::json;

use super::{asked, config_by_priority, connect, pool, pool_with, speaking};
use crate::helpers::websocket::{WsClient, WsUpstream};
use crate::helpers::{App, KEY, Reply, Upstream, config_at, config_of};

fn answering(status: &'static str, body: &'static str) -> WsUpstream {
    let answer =
        format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    WsUpstream::refusing(move |_| Some(answer.clone()), |_, _| false)
}

#[test]
fn the_query_goes_up_byte_for_byte_but_for_the_model_and_the_key() {
    let upstream = speaking();
    let app = pool_with(&upstream, &json!({ "modelMapping": { "m": "its/own" }, "models": ["its/own"] }));
    let headers = format!(
        "authorization: Bearer {KEY}\r\nopenai-beta: realtime=v1\r\nopenai-organization: theirs\r\n\
         sec-websocket-extensions: permessage-deflate; client_max_window_bits\r\n"
    );
    let client = asked(&app, "a=b%20c&model=m&z=%2f&&x", &headers);
    assert!(client.head.starts_with("http/1.1 101"), "{}", client.head);
    assert!(!client.head.contains("sec-websocket-extensions") && !client.head.contains("sec-websocket-protocol"));
    let head = upstream.handshakes().pop().expect("one");
    assert!(head.starts_with("get /v1/realtime?a=b%20c&model=its%2fown&z=%2f&&x http/1.1\r\n"), "{head}");
    assert!(head.contains("openai-beta: realtime=v1\r\n") && head.contains("authorization: bearer sk-"), "{head}");
    assert!(!head.contains(KEY) && !head.contains("theirs") && !head.contains("permessage-deflate"), "{head}");
}

#[test]
fn a_browser_has_the_key_in_a_sub_protocol_which_goes_nowhere() {
    let upstream = speaking();
    let app = pool(&[&upstream]);
    let offered =
        format!("sec-websocket-protocol: realtime, openai-insecure-api-key.{KEY}, openai-beta.realtime-v1\r\n");
    let mut client = asked(&app, "model=m", &offered);
    assert!(client.head.contains("sec-websocket-protocol: realtime\r\n"), "{}", client.head);
    assert!(!client.head.contains(KEY));
    assert_eq!(client.event()["type"], "session.created");
    let head = upstream.handshakes().pop().expect("one");
    assert!(!head.contains(&KEY.to_lowercase()) && !head.contains("openai-insecure"), "{head}");
    assert!(head.contains("openai-beta: realtime=v1\r\n"), "the beta form of the events: {head}");
    for query in [format!("model=m&key={KEY}"), format!("key={KEY}&model=m")] {
        let client = asked(&app, &query, "");
        assert!(client.head.starts_with("http/1.1 101"), "{}", client.head);
        let head = upstream.handshakes().pop().expect("one");
        assert!(head.starts_with("get /v1/realtime?model=m http/1.1\r\n"), "{head}");
    }
}

#[test]
fn another_account_is_asked_when_one_refuses_the_handshake() {
    for (status, body) in [
        ("429 Too Many Requests", r#"{"error":{"message":"slow down","type":"rate_limit_error"}}"#),
        ("401 Unauthorized", r#"{"error":{"message":"bad key","code":"invalid_api_key"}}"#),
        ("500 Internal Server Error", "oops"),
        ("404 Not Found", r#"{"error":{"message":"Invalid URL (GET /v1/realtime)"}}"#),
        ("426 Upgrade Required", ""),
        ("200 OK", "{}"),
    ] {
        let (refusing, serving) = (answering(status, body), speaking());
        let app = pool(&[&refusing, &serving]);
        let mut client = connect(&app, "model=m");
        assert_eq!(client.event()["type"], "session.created", "{status}");
        assert_eq!([refusing.handshakes().len(), serving.handshakes().len()], [1, 1], "{status}");
        client.send_json(&super::create());
        assert_eq!(super::event(&mut client, "response.done")["response"]["id"], "resp_1");
        assert_eq!(app.usage_of("a").0, 0, "{status}: a handshake is no request");
    }
}

#[test]
fn an_account_that_is_down_or_full_is_passed_over() {
    let (full, serving) = (speaking(), speaking());
    let mut config = config_by_priority(&[&full, &serving]);
    config["apis"][0]["rpm"] = json!(1);
    let down = json!({ "id": "down", "baseUrl": "http://127.0.0.1:9", "apiKey": "sk-down-0123456789", "models": ["m"], "priority": 0 });
    config["apis"].as_array_mut().expect("a list").insert(0, down);
    let app = App::start(&config);
    let mut first = connect(&app, "model=m");
    first.send_json(&super::create());
    super::event(&mut first, "response.done");
    connect(&app, "model=m");
    assert_eq!([full.handshakes().len(), serving.handshakes().len()], [1, 1]);
}

#[test]
fn a_refusal_by_all_is_an_answer_over_http() {
    let limited = r#"{"error":{"message":"slow down","type":"rate_limit_error","code":"rate_limit_exceeded"}}"#;
    for (status, body, wanted) in [
        ("429 Too Many Requests", limited, "http/1.1 429"),
        ("500 Internal Server Error", "{\"error\":{\"message\":\"oops\"}}", "http/1.1 50"),
        ("404 Not Found", "", "http/1.1 426"),
        ("200 OK", "{}", "http/1.1 426"),
    ] {
        let upstream = answering(status, body);
        let app = pool(&[&upstream]);
        let client = asked(&app, "model=m", &format!("authorization: Bearer {KEY}\r\n"));
        assert!(client.head.starts_with(wanted), "{status}: {}", client.head);
        app.logged("WS /v1/realtime m");
    }
}

#[test]
fn what_can_not_be_served_is_refused_before_an_account_is_asked() {
    let upstream = speaking();
    let mut config = config_at(&[upstream.url()]);
    let few = json!({ "name": "few", "key": "sk-of-few-0123456789", "models": ["other"] });
    let budget = json!({ "name": "poor", "key": "sk-of-poor-0123456789", "enabled": false });
    config["keys"] = json!([few, budget]);
    let app = App::start(&config);
    for (query, key, wanted) in [
        ("model=m", "", "401"),
        ("model=m", "sk-wrong", "401"),
        ("model=unknown", KEY, "404"),
        ("model=m&model=n", KEY, "400"),
        ("model=", KEY, "400"),
        ("model=m", "sk-of-few-0123456789", "403"),
        ("", "sk-of-few-0123456789", "403"),
        ("model=m", "sk-of-poor-0123456789", "403"),
    ] {
        let header = if key.is_empty() { String::new() } else { format!("authorization: Bearer {key}\r\n") };
        let client = asked(&app, query, &header);
        assert!(client.head.starts_with(&format!("http/1.1 {wanted}")), "{query} {key}: {}", client.head);
    }
    let plain = app.client().get("/v1/realtime?model=m");
    assert_eq!((plain.status, &plain.json()["error"]["type"]), (400, &json!("invalid_request_error")));
    assert_eq!(app.client().post("/v1/realtime?model=m", &json!({})).status, 405);
    let other = WsClient::at(&app, "/v1/realtime/sessions", &format!("authorization: Bearer {KEY}\r\n"));
    assert!(other.head.starts_with("http/1.1 426"), "{}", other.head);
    assert!(upstream.handshakes().is_empty());
}

#[test]
fn an_alias_goes_through_its_models() {
    let upstream = speaking();
    let mut config = config_at(&[upstream.url()]);
    config["aliases"] = json!({ "voice": ["missing", "m"] });
    let app = App::start(&config);
    connect(&app, "model=voice");
    assert!(upstream.handshakes()[0].starts_with("get /v1/realtime?model=m http/1.1\r\n"));
}

#[test]
fn a_session_without_a_model_goes_to_an_account_with_such_a_model() {
    let (text, voice) = (speaking(), speaking());
    let mut config = config_by_priority(&[&text, &voice]);
    config["apis"][1]["models"] = json!(["gpt-realtime"]);
    let app = App::start(&config);
    connect(&app, "intent=transcription");
    assert_eq!([text.handshakes().len(), voice.handshakes().len()], [0, 1]);
}

#[test]
fn a_translation_has_a_path_of_its_own() {
    let upstream = speaking();
    let app = pool(&[&upstream]);
    let client = WsClient::at(&app, "/v1/realtime/translations?model=m", &format!("authorization: Bearer {KEY}\r\n"));
    assert!(client.head.starts_with("http/1.1 101"), "{}", client.head);
    assert!(upstream.handshakes()[0].starts_with("get /v1/realtime/translations?model=m "));
}

#[test]
fn a_pool_without_websockets_says_so() {
    let upstream = Upstream::always(Reply::error(404, "no"));
    let app = App::start(&config_of(&[&upstream]));
    let client = asked(&app, "model=m", &format!("authorization: Bearer {KEY}\r\n"));
    assert!(client.head.starts_with("http/1.1 426"), "{}", client.head);
}

#[test]
fn azures_clients_name_a_deployment_and_an_azure_gets_one() {
    let (openai, azure) = (speaking(), speaking());
    let mut config = config_by_priority(&[&openai, &azure]);
    config["apis"][1]["models"] = json!(["its-own"]);
    config["apis"][1]["modelMapping"] = json!({ "voice": "its-own" });
    config["apis"][1]["apiVersion"] = json!("2024-10-01-preview");
    config["apis"][1]["baseUrl"] = json!(format!("{}/openai", azure.url()));
    let app = App::start(&config);
    let asked_at = |query: &str, headers: &str| {
        let client = WsClient::at(&app, &format!("/openai/realtime?{query}"), headers);
        assert!(client.head.starts_with("http/1.1 101"), "{query}: {}", client.head);
    };
    asked_at("api-version=2024-10-01-preview&deployment=m", &format!("api-key: {KEY}\r\n"));
    let head = openai.handshakes().pop().expect("one");
    assert!(head.starts_with("get /v1/realtime?api-version=2024-10-01-preview&model=m http/1.1\r\n"), "{head}");
    asked_at(&format!("deployment=voice&api-key={KEY}"), "");
    let head = azure.handshakes().pop().expect("one");
    let wanted = "get /openai/realtime?api-version=2024-10-01-preview&deployment=its-own http/1.1\r\n";
    assert!(head.starts_with(wanted) && head.contains("api-key: sk-upstream"), "{head}");
}
