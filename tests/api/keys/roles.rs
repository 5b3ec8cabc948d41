//! Who reads the pool's state: operators where there are any, else clients of `server.apiKey`, and named keys never.

use serde_json::{Value, json};

use super::{KEY, TEAM, ask, digest_of, team, with_keys};
use crate::helpers::{App, Client, Launch, Reply, Upstream};

const ADMIN: &str = "sk-admin-0123456789abcdef";
const VIEWER: &str = "sk-viewer-0123456789abcdef";

/// Paths with the pool's state.
const STATE: [&str; 4] = ["/v1/status", "/v1/status?model=m", "/v1/token/stats", "/v1/token/stats/"];

fn get(app: &App, key: &str, path: &str) -> u16 {
    Client::new(app.port).key(key).get(path).status
}

fn reset(app: &App, key: &str) -> u16 {
    Client::new(app.port).key(key).post("/v1/token/reset", &json!({})).status
}

fn with_operators(upstream: &Upstream, server: &Value, keys: &Value) -> App {
    let mut config = with_keys(&[upstream], keys);
    config["server"].as_object_mut().expect("fields").extend(server.as_object().expect("fields").clone());
    App::start(&config)
}

#[test]
fn with_operators_clients_read_nothing_and_operators_call_nothing() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let server = json!({ "adminKeys": [{ "name": "ops", "key": digest_of(ADMIN) }], "viewerKeys": [VIEWER] });
    let app = with_operators(&upstream, &server, &team(&json!({})));
    for path in STATE {
        let told: Vec<u16> = [ADMIN, VIEWER, KEY, TEAM, "sk-wrong"].iter().map(|key| get(&app, key, path)).collect();
        assert_eq!(told, [200, 200, 403, 403, 401], "{path}");
    }
    assert_eq!([ADMIN, VIEWER, KEY, TEAM].map(|key| reset(&app, key)), [200, 403, 403, 403]);
    for (key, name) in [(ADMIN, "ops"), (VIEWER, "viewer")] {
        let refused = ask(&app, key, "m");
        let status = refused.status;
        let body = refused.json();
        assert_eq!((status, &body["error"]["code"]), (403, &json!("not_permitted")));
        let told = body["error"]["message"].as_str().expect("a message");
        assert!(told.contains(name) && told.contains("send a client's key"), "{told}");
        for path in ["/v1/messages", "/v1/embeddings", "/v1/responses"] {
            assert_eq!(Client::new(app.port).key(key).post(path, &json!({ "model": "m" })).status, 403, "{path}");
        }
        assert_eq!(get(&app, key, "/v1/models"), 200, "names of models are state, too");
    }
    let refused = Client::new(app.port).key(TEAM).get("/v1/status").json();
    assert_eq!(refused["error"]["type"], "permission_error");
    assert!(refused["error"]["message"].as_str().is_some_and(|told| told.contains("server.adminKeys")), "{refused}");
    assert_eq!(upstream.calls(), 0);
    assert_eq!((ask(&app, TEAM, "m").status, ask(&app, KEY, "m").status), (200, 200));
    app.logged("key=ops");
    assert_eq!(get(&app, "", "/health"), 200);
}

#[test]
fn without_operators_the_pools_key_reads_and_named_keys_never_do() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = with_operators(&upstream, &json!({}), &team(&json!({})));
    for path in STATE {
        assert_eq!([KEY, TEAM].map(|key| get(&app, key, path)), [200, 403], "{path}");
    }
    assert_eq!([KEY, TEAM].map(|key| reset(&app, key)), [403, 403], "a reset wants an admin where keys have names");

    let app = App::on(&[&upstream]);
    assert_eq!((get(&app, KEY, "/v1/status"), reset(&app, KEY)), (200, 200), "as the original allows");
}

#[test]
fn operators_alone_leave_models_open_and_the_state_closed() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = with_keys(&[&upstream], &Value::Null);
    config["server"] = json!({ "adminKeys": [ADMIN] });
    let app = App::start(&config);
    let stranger = Client::new(app.port);
    assert_eq!(stranger.post("/v1/chat/completions", &json!({ "model": "m" })).status, 200);
    assert_eq!(ask(&app, "sk-anything", "m").status, 200);
    assert_eq!(stranger.get("/v1/status").status, 403);
    assert_eq!((get(&app, ADMIN, "/v1/status"), reset(&app, ADMIN)), (200, 200));
    assert_eq!(ask(&app, ADMIN, "m").status, 403);
}

#[test]
fn a_server_on_the_network_without_a_key_does_not_start_unless_it_may_be_open() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = with_keys(&[&upstream], &Value::Null);
    config["server"] = json!({ "host": "0.0.0.0" });
    for command in [&["check", "--config", "apis.json"][..], &["--config", "apis.json", "--port", "0"]] {
        let done = Launch::new(&config).command().args(command).output().expect("runs");
        let told = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(2), "{told}");
        assert!(told.contains("server.apiKey") && told.contains("server.open to true"), "{told}");
    }
    let launch = Launch::new(&with_keys(&[&upstream], &Value::Null));
    let mut open = with_keys(&[&upstream], &Value::Null);
    open["server"] = json!({});
    std::fs::write(launch.folder.join("apis.json"), open.to_string()).expect("writes");
    let done = launch.command().args(["check", "--config", "apis.json", "--host", "0.0.0.0"]).output().expect("runs");
    assert_eq!(done.status.code(), Some(2), "--host counts, too");
    for server in [
        json!({ "host": "0.0.0.0", "open": true }),
        json!({ "host": "127.0.0.1" }),
        json!({ "host": "0.0.0.0", "apiKey": KEY }),
    ] {
        config["server"] = server;
        let done = Launch::new(&config).command().args(["check", "--config", "apis.json"]).output().expect("runs");
        assert!(done.status.success(), "{}: {}", config["server"], String::from_utf8_lossy(&done.stderr));
    }
}
