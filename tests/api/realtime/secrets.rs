//! Secrets of sessions (`ek_…`), and calls: made by one account, and good there alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::{asked, create, event, respond};
use crate::helpers::websocket::{CLOSE, WsClient, WsUpstream};
use crate::helpers::{App, Client, KEY, config_at, eventually};

const TEAM: &str = "sk-of-the-team-0123456789abcdef";

/// An account that makes secrets of this life (s), and calls. Secrets and calls have the account's name in them.
fn account(name: &'static str, life: i64) -> WsUpstream {
    let nth = Arc::new(AtomicUsize::new(0));
    let http = move |head: &str, body: &str| {
        let nth = nth.fetch_add(1, Ordering::SeqCst);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() as i64;
        let secret = json!({ "value": format!("ek_{name}{nth}_of_a_session"), "expires_at": now + life });
        let json = |status: &str, body: &Value| {
            let body = body.to_string();
            format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
        };
        let path = head.split(' ').nth(1).unwrap_or_default().split('?').next().unwrap_or_default();
        match path {
            "/v1/realtime/client_secrets" => {
                let mut made = secret;
                made["session"] = json!({ "id": "sess_1", "type": "realtime" });
                json("200 OK", &made)
            }
            "/v1/realtime/sessions" => json("200 OK", &json!({ "id": "sess_1", "client_secret": secret })),
            "/v1/realtime/calls" => format!(
                "HTTP/1.1 201 Created\r\ncontent-type: application/sdp\r\nlocation: /v1/realtime/calls/rtc_{name}{nth}\r\n\
                 content-length: {}\r\n\r\nv=0 {body}",
                body.len() + 4
            ),
            _ if path.starts_with(&format!("/v1/realtime/calls/rtc_{name}")) => {
                "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned()
            }
            _ => json(
                "404 Not Found",
                &json!({ "error": { "message": "no such call", "type": "invalid_request_error" } }),
            ),
        }
    };
    WsUpstream::with_http(&json!({ "type": "session.created", "account": name }), http, |served, frame| {
        frame.code != CLOSE && respond(served, "resp_1")
    })
}

fn two(life: i64) -> ([WsUpstream; 2], Value) {
    let accounts = [account("a", life), account("b", life)];
    let mut config = config_at(&accounts.each_ref().map(WsUpstream::url));
    for (api, model) in config["apis"].as_array_mut().expect("a list").iter_mut().zip(["one", "two"]) {
        api["models"] = json!(["m", model]);
        api["modelMapping"] = json!({ (model): format!("its-{model}") });
    }
    config["keys"] = json!([{ "name": "team", "key": TEAM, "models": ["one", "two", "m"], "rpd": 9 }]);
    (accounts, config)
}

fn secret(app: &App, key: &str, model: &str) -> String {
    let session = json!({ "session": { "type": "realtime", "model": model } });
    let made = Client::new(app.port).key(key).post("/v1/realtime/client_secrets", &session);
    assert_eq!(made.status, 200);
    made.json()["value"].as_str().expect("a secret").to_owned()
}

fn bearer(key: &str) -> String {
    format!("authorization: Bearer {key}\r\n")
}

#[test]
fn a_secret_opens_realtime_alone_at_its_account_and_counts_as_its_key() {
    let (accounts, config) = two(600);
    let app = App::start(&config);
    for (model, nth) in [("one", 0), ("two", 1), ("one", 0)] {
        let secret = secret(&app, TEAM, model);
        let made = accounts[nth].handshakes().pop().expect("one");
        assert!(made.contains("authorization: bearer sk-upstream"), "{made}");
        for headers in
            [bearer(&secret), format!("sec-websocket-protocol: realtime, openai-insecure-api-key.{secret}\r\n")]
        {
            let mut client = asked(&app, "model=m", &headers);
            assert!(client.head.starts_with("http/1.1 101"), "{}", client.head);
            assert_eq!(client.event()["account"], ["a", "b"][nth]);
            client.send_json(&create());
            event(&mut client, "response.done");
            let head = accounts[nth].handshakes().pop().expect("one");
            assert!(head.contains(&bearer(&secret).to_lowercase()), "{head}");
            assert!(!head.contains("sk-upstream") && !head.contains(TEAM), "{head}");
        }
        for path in ["/v1/models", "/v1/status", "/v1/key", "/v1/files"] {
            assert_eq!(Client::new(app.port).key(&secret).get(path).status, 401, "{path}");
        }
        let chat = json!({ "model": "m", "messages": [] });
        assert_eq!(Client::new(app.port).key(&secret).post("/v1/chat/completions", &chat).status, 401);
        assert_eq!(Client::new(app.port).key(&secret).post("/v1/realtime/client_secrets", &json!({})).status, 401);
    }
    // Three secrets, and two responses of each.
    let full = asked(&app, "model=m", &bearer(TEAM));
    assert!(full.head.starts_with("http/1.1 429"), "{}", full.head);
    assert!(!app.log().contains("ek_"), "{}", app.log());
}

#[test]
fn the_body_names_the_model_of_the_session() {
    let (accounts, config) = two(600);
    let app = App::start(&config);
    let client = Client::new(app.port).key(TEAM);
    for (path, body, wanted) in [
        ("client_secrets", json!({ "session": { "type": "realtime", "model": "closed" } }), 403),
        ("client_secrets", json!({ "session": { "type": "realtime" } }), 403),
        ("sessions", json!({ "model": "closed" }), 403),
        ("sessions", json!({ "model": "one" }), 200),
    ] {
        assert_eq!(client.post(&format!("/v1/realtime/{path}"), &body).status, wanted, "{path} {body}");
    }
    assert_eq!([accounts[0].handshakes().len(), accounts[1].handshakes().len()], [1, 0]);
    let open = Client::new(app.port).key(KEY);
    assert_eq!(open.post("/v1/realtime/client_secrets", &json!({ "session": { "model": "unknown" } })).status, 404);
    assert_eq!(open.post("/v1/realtime/client_secrets", &json!({ "session": { "type": "realtime" } })).status, 200);
}

#[test]
fn a_secret_of_a_session_in_the_beta_form_works_too() {
    let (_accounts, config) = two(600);
    let app = App::start(&config);
    let made = Client::new(app.port).key(TEAM).post("/v1/realtime/sessions", &json!({ "model": "two" })).json();
    let secret = made["client_secret"]["value"].as_str().expect("a secret");
    assert_eq!(asked(&app, "model=two", &bearer(secret)).event()["account"], "b");
}

#[test]
fn a_secret_ends_with_its_time_and_with_its_key() {
    let (accounts, mut config) = two(2);
    let app = App::start(&config);
    let short = secret(&app, TEAM, "one");
    let mut open = asked(&app, "model=one", &bearer(&short));
    assert!(open.head.starts_with("http/1.1 101"), "{}", open.head);
    eventually("the secret expires", || asked(&app, "model=one", &bearer(&short)).head.starts_with("http/1.1 401"));
    open.event();
    open.send_json(&create());
    event(&mut open, "response.done");
    drop(accounts);

    let (_accounts, fresh) = two(600);
    config["apis"] = fresh["apis"].clone();
    std::fs::write(app.config_file(), config.to_string()).expect("writes");
    app.logged("configuration: reloaded");
    let long = secret(&app, TEAM, "one");
    config["server"]["name"] = json!("other");
    std::fs::write(app.config_file(), config.to_string()).expect("writes");
    eventually("another reload", || app.log().matches("configuration: reloaded").count() == 2);
    let mut client = asked(&app, "model=one", &bearer(&long));
    assert!(client.head.starts_with("http/1.1 101"), "a reload forgets no secret: {}", client.head);
    client.event();
    config["keys"][0]["enabled"] = json!(false);
    std::fs::write(app.config_file(), config.to_string()).expect("writes");
    assert_eq!(client.event()["status"], 403);
    assert_eq!(client.closed(), 1008);
    let is_refused = || asked(&app, "model=one", &bearer(&long)).head.starts_with("http/1.1 403");
    eventually("each worker knows that the key is disabled", is_refused);
}

#[test]
fn a_secret_goes_to_its_account_where_clients_need_no_key() {
    let (accounts, mut config) = two(600);
    config["server"].as_object_mut().expect("members").remove("apiKey");
    config.as_object_mut().expect("members").remove("keys");
    let app = App::start(&config);
    for (model, nth) in [("one", 0), ("two", 1)] {
        let made = Client::new(app.port).post("/v1/realtime/sessions", &json!({ "model": model })).json();
        let secret = made["client_secret"]["value"].as_str().expect("a secret").to_owned();
        assert_eq!(asked(&app, "model=m", &bearer(&secret)).event()["account"], ["a", "b"][nth]);
        assert!(accounts[nth].handshakes().pop().expect("one").contains(&bearer(&secret).to_lowercase()));
    }
}

#[test]
fn a_call_stays_with_its_account() {
    let (accounts, config) = two(600);
    let app = App::start(&config);
    for (model, nth) in [("one", 0), ("two", 1), ("two", 1)] {
        let secret = secret(&app, TEAM, model);
        let caller = Client::new(app.port).key(&secret).header("content-type", "application/sdp");
        let answer = caller.request("POST", "/v1/realtime/calls?model=m", b"v=0 offer");
        assert_eq!(answer.status, 201);
        let location = answer.header("location").expect("a location").to_owned();
        assert_eq!(answer.header("content-type"), Some("application/sdp"));
        assert_eq!(answer.text(), "v=0 v=0 offer");
        let head = accounts[nth].handshakes().pop().expect("one");
        assert!(
            head.starts_with("post /v1/realtime/calls?model=m ") && head.contains("content-type: application/sdp"),
            "{head}"
        );
        assert!(head.contains(&bearer(&secret).to_lowercase()) && !head.contains("sk-upstream"), "{head}");
        let id = location.rsplit('/').next().expect("an id");
        let team = Client::new(app.port).key(TEAM);
        for action in ["hangup", "refer"] {
            let before = accounts[1 - nth].handshakes().len();
            assert_eq!(team.request("POST", &format!("/v1/realtime/calls/{id}/{action}"), b"").status, 200);
            assert_eq!(accounts[1 - nth].handshakes().len(), before, "the other account is not asked");
        }
        let mut beside = asked(&app, &format!("call_id={id}"), &bearer(KEY));
        assert_eq!(beside.event()["account"], ["a", "b"][nth]);
    }
    let form = "--XX\r\ncontent-disposition: form-data; name=\"sdp\"\r\n\r\nv=0\r\n--XX--\r\n";
    let poster = Client::new(app.port).key(KEY).header("content-type", "multipart/form-data; boundary=XX");
    let answer = poster.request("POST", "/v1/realtime/calls", form.as_bytes());
    assert_eq!((answer.status, answer.text()), (201, format!("v=0 {form}")));
    let team = Client::new(app.port).key(TEAM).request("POST", "/v1/realtime/calls", b"v=0");
    assert_eq!(team.status, 403, "nobody sees the model");
    assert_eq!(Client::new(app.port).request("POST", "/v1/realtime/calls", b"v=0").status, 401);
}

#[test]
fn a_call_of_which_nothing_is_known_is_found_by_asking() {
    let (_accounts, config) = two(600);
    let app = App::start(&config);
    let accepted = Client::new(app.port).key(KEY).post("/v1/realtime/calls/rtc_b7/accept", &json!({ "model": "m" }));
    assert_eq!(accepted.status, 200);
    let beside = WsClient::at(&app, "/v1/realtime?call_id=rtc_b7", &bearer(KEY));
    assert!(beside.head.starts_with("http/1.1 101"), "{}", beside.head);
}
