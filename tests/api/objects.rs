//! Objects that live on one account: files, batches, vector stores and so on.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::helpers::{App, Client, KEY, Launch, Received, Redis, Reply, Upstream, config_of, eventually};

mod lists;

/// An account that knows its own objects alone, by id.
pub struct Account {
    pub upstream: Upstream,
    pub objects: Arc<Mutex<BTreeMap<String, Value>>>,
}

impl Account {
    pub fn start(name: &'static str) -> Account {
        let objects: Arc<Mutex<BTreeMap<String, Value>>> = Arc::default();
        let (known, next) = (objects.clone(), AtomicUsize::new(0));
        let upstream = Upstream::start(move |request| {
            answer(request, &mut known.lock().expect("whole"), || {
                format!("{name}{}", next.fetch_add(1, Ordering::SeqCst))
            })
        });
        Account { upstream, objects }
    }

    pub fn knows(&self, id: &str) -> bool {
        self.objects.lock().expect("whole").contains_key(id)
    }

    pub fn calls(&self) -> usize {
        self.upstream.calls()
    }
}

/// Makes, shows, lists or removes an object, as the path says.
fn answer(request: &Received, known: &mut BTreeMap<String, Value>, nth: impl Fn() -> String) -> Reply {
    let (path, _) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let named = parts.iter().find(|part| part.contains('-'));
    let missing = |id: &str| Reply::error(404, &format!("No such object: {id}"));
    if let Some(id) = named.filter(|id| !known.contains_key(**id)) {
        return missing(id);
    }
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    for field in ["input_file_id", "vector_store_id", "thread_id", "assistant_id"] {
        if let Some(id) = body[field].as_str().filter(|id| !known.contains_key(*id)) {
            return missing(id);
        }
    }
    match (request.method.as_str(), named) {
        ("DELETE", Some(id)) => {
            known.remove(*id);
            Reply::json(200, &json!({ "id": id, "object": "x.deleted", "deleted": true }))
        }
        (_, Some(id)) if path.ends_with("/content") => Reply::text(200, &[], &format!("content of {id}")),
        (_, Some(id)) => Reply::json(200, &known[*id]),
        ("POST", None) => {
            let kind = parts.last().map_or("", |kind| kind.trim_end_matches('s'));
            let made = format!("{kind}-{}", nth());
            let mut object =
                json!({ "id": made, "object": kind, "created_at": known.len(), "metadata": body["metadata"] });
            if path.ends_with("/batches") {
                let output = format!("file-{}", nth());
                object["output_file_id"] = json!(output);
                known.insert(output.clone(), json!({ "id": output, "object": "file" }));
            }
            known.insert(made, object.clone());
            Reply::json(200, &object)
        }
        _ => Reply::json(200, &json!({ "object": "list", "data": known.values().collect::<Vec<_>>() })),
    }
}

pub fn accounts(n: usize) -> Vec<Account> {
    ["a", "b", "c", "d", "e"][..n].iter().map(|name| Account::start(name)).collect()
}

pub fn config(accounts: &[Account]) -> Value {
    config_of(&accounts.iter().map(|account| &account.upstream).collect::<Vec<_>>())
}

fn calls(accounts: &[Account]) -> usize {
    accounts.iter().map(Account::calls).sum()
}

/// The client of a session.
fn session(app: &App, name: &str) -> Client {
    app.client().header("session-id", name)
}

fn made(client: &Client, path: &str, body: &Value) -> String {
    let answer = client.post(path, body);
    let status = answer.status;
    let text = answer.text();
    assert_eq!(status, 200, "{path}: {text}");
    serde_json::from_str::<Value>(&text).expect("JSON")["id"].as_str().expect("an id").to_owned()
}

fn home<'a>(accounts: &'a [Account], id: &str) -> &'a Account {
    accounts.iter().find(|account| account.knows(id)).expect("somebody made it")
}

/// The rows of docs/api.md: method, path, dialect.
pub fn rows() -> Vec<(String, String, String)> {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/api.md")).expect("the page");
    let forwarded = page.split("## The pool's own").next().expect("a part").to_owned();
    let rows = forwarded.lines().filter(|line| line.contains("| `/v1"));
    let cells = rows.map(|row| row.split('|').map(str::trim).collect::<Vec<&str>>());
    // A WebSocket is no request over HTTP.
    let over_http = cells.filter(|cells| !(cells[1] == "GET" && cells[7] == "yes"));
    over_http.map(|cells| (cells[1].to_owned(), cells[2].trim_matches('`').to_owned(), cells[3].to_owned())).collect()
}

/// An answer that any path may have.
pub fn any_answer() -> Reply {
    Reply::json(
        200,
        &json!({
            "id": "made-1", "object": "o", "type": "message", "role": "assistant", "stop_reason": "end_turn",
            "data": [{ "id": "x-9", "embedding": [0.1] }], "results": [{ "index": 0 }], "input_tokens": 3,
            "choices": [{ "text": "hi", "message": { "role": "assistant", "content": "hi" }, "finish_reason": "stop" }],
            "output": [{ "type": "message", "content": [{ "type": "output_text", "text": "hi" }] }],
            "content": [{ "type": "text", "text": "hi" }],
            "candidates": [{ "content": { "parts": [{ "text": "hi" }] }, "finishReason": "STOP" }],
            "totalTokens": 3, "embedding": { "values": [0.1] },
        }),
    )
}

#[test]
fn each_row_of_the_table_reaches_an_account_byte_for_byte() {
    let upstream = Upstream::always(any_answer());
    let mut config = config_of(&[&upstream]);
    config["apis"][0]["anthropicBaseUrl"] = json!(upstream.url());
    config["apis"][0]["geminiBaseUrl"] = json!(upstream.url());
    let app = App::start(&config);
    let rows = rows();
    assert!(rows.len() > 300, "{}", rows.len());
    for (nth, (method, path, dialect)) in rows.iter().enumerate() {
        let is_speech = path.ends_with("speech");
        let is_list = method == "GET" && !path.contains('{');
        let client = app.client().header("cookie", "c=1").header("openai-project", "mine");
        let client = if dialect == "Anthropic" { client.header("anthropic-version", "2023-06-01") } else { client };
        let path = path.replace("{id}", "x-1:2.y_Z").replace("{version}", "2").replace("{model}", "m");
        let body = if method == "POST" { format!(r#"{{ "model":"m", "nth": {nth} }}"#) } else { String::new() };
        let query = if is_list { "" } else { "?include[]=a%20b&limit=2" };
        let answer = client.request(method, &format!("{path}{query}"), body.as_bytes());
        let status = answer.status;
        assert_eq!(status, 200, "{method} {path}: {}", answer.text());
        let received = upstream.received().pop().expect("one");
        assert_eq!(upstream.calls(), nth + 1, "{method} {path}");
        assert_eq!(&received.method, method, "{path}");
        if !is_list {
            assert_eq!(received.path, format!("{path}{query}"), "{method}");
        }
        assert_eq!(String::from_utf8_lossy(&received.body), body, "{method} {path}");
        assert_eq!(received.header("content-type"), (method == "POST").then_some("application/json"), "{path}");
        let length = body.len().to_string();
        assert_eq!(received.header("content-length"), (method == "POST").then_some(length.as_str()), "{path}");
        let key = received.header(match dialect.as_str() {
            "Anthropic" => "x-api-key",
            "Gemini" => "x-goog-api-key",
            _ => "authorization",
        });
        assert!(key.is_some_and(|key| key.ends_with("sk-upstream-a-0123456789")), "{method} {path}: {key:?}");
        let all = format!("{:?}", received.headers);
        assert!(!all.contains(KEY) && !all.contains("c=1") && !all.contains("mine"), "{path}: {all}");
        assert!(!is_speech || method == "POST");
    }
}

#[test]
fn what_no_row_has_is_a_404_or_a_405_and_no_id_leaves_its_place() {
    let upstream = Upstream::always(any_answer());
    let app = App::on(&[&upstream]);
    let client = app.client();
    for (method, path, error) in [
        ("GET", "/v1/files/a/b", (404, "unknown_url")),
        ("PUT", "/v1/files/a", (405, "method_not_allowed")),
        ("GET", "/v1/rerank", (405, "method_not_allowed")),
        ("DELETE", "/v1/files", (405, "method_not_allowed")),
        ("GET", "/v1/files/%2e%2e/content", (400, "invalid_request")),
        ("GET", "/v1/files/a%2Fb/content", (400, "invalid_request")),
        ("GET", "/v1/files/a%3Fx=1/content", (400, "invalid_request")),
        ("GET", "/v1/files/a%0d%0ax/content", (400, "invalid_request")),
        ("DELETE", "/v1/threads/x%20y", (400, "invalid_request")),
    ] {
        let answer = client.request(method, path, b"");
        assert_eq!(answer.error(), (error.0, error.1.to_owned()), "{method} {path}");
    }
    assert_eq!(client.request("PATCH", "/v1/files/a", b"").header("allow"), Some("DELETE, GET"));
    assert_eq!(Client::new(app.port).get("/v1/files/a").status, 401, "a key is needed");
    assert_eq!(upstream.calls(), 0);
    // Azure's prefix, and a base URL without the version.
    for path in ["/files/file-1", "/openai/v1/files/file-1", "//v1/files/file-1/"] {
        assert_eq!(client.get(path).status, 200, "{path}");
        assert_eq!(upstream.received().pop().expect("one").path, "/v1/files/file-1");
    }
}

#[test]
fn fifty_batches_over_five_accounts_are_polled_each_at_its_own_also_after_a_restart_and_at_a_second_server() {
    let (redis, accounts) = (Redis::start(), accounts(5));
    let mut config = config(&accounts);
    config["store"] = json!({ "url": redis.url(), "prefix": "pool" });
    let app = App::start(&config);
    let second = App::start(&config);
    let create = |nth: usize| {
        let client = session(&app, &format!("s{nth}"));
        let file = made(&client, "/v1/files", &json!({ "purpose": "batch" }));
        made(&client, "/v1/batches", &json!({ "input_file_id": file, "metadata": { "file_id": "file-none" } }))
    };
    let batches: Vec<String> = (0..50).map(create).collect();
    assert!(accounts.iter().all(|account| account.calls() > 0), "sessions spread");
    let poll_all = |app: &App| {
        for batch in &batches {
            let home = home(&accounts, batch);
            let (before, all) = (home.calls(), calls(&accounts));
            let answer = app.client().get(&format!("/v1/batches/{batch}"));
            assert_eq!(answer.status, 200, "{batch}");
            let output = answer.json()["output_file_id"].as_str().expect("an id").to_owned();
            let content = app.client().get(&format!("/v1/files/{output}/content"));
            assert_eq!((content.status, content.text()), (200, format!("content of {output}")));
            assert_eq!((home.calls() - before, calls(&accounts) - all), (2, 2), "each at the home alone");
        }
    };
    poll_all(&app);
    eventually("Redis has the homes", || {
        redis.ask("DBSIZE").trim_start_matches(':').parse::<usize>().is_ok_and(|n| n >= 150)
    });
    poll_all(&second);
    let app = app.stop_and_restart();
    poll_all(&app);
    std::thread::sleep(std::time::Duration::from_millis(400));
    let app = app.kill_and_restart();
    poll_all(&app);
}

#[test]
fn an_unknown_id_is_asked_for_at_each_account_once_and_then_known() {
    let accounts = accounts(5);
    let app = App::start(&config(&accounts));
    accounts[3].objects.lock().expect("whole").insert("file-far".into(), json!({ "id": "file-far" }));
    assert_eq!(app.client().get("/v1/files/file-far").status, 200);
    let before = calls(&accounts);
    assert!(before <= 5);
    assert_eq!(app.client().get("/v1/files/file-far").status, 200);
    assert_eq!(calls(&accounts), before + 1, "the home is known");
    let missing = app.client().get("/v1/files/file-none");
    assert_eq!((missing.status, calls(&accounts)), (404, before + 6), "each once");
    assert!(missing.text().contains("file-none"), "the account's own words");
    for id in ["a", "b", "c", "d", "e"] {
        assert!(app.status_of(id)["lastError"].is_null(), "nothing is held against anybody");
    }
}

#[test]
fn objects_of_two_homes_are_a_409_that_names_both_and_nobody_is_asked() {
    let accounts = accounts(2);
    let app = App::start(&config(&accounts));
    let files: Vec<String> = (0..12).map(|n| made(&session(&app, &n.to_string()), "/v1/files", &json!({}))).collect();
    let of = |account: &Account| files.iter().find(|file| account.knows(file)).expect("sessions spread").clone();
    let (one, other) = (of(&accounts[0]), of(&accounts[1]));
    let before = calls(&accounts);
    let bodies = [
        ("/v1/vector_stores", json!({ "file_ids": [one, other] })),
        ("/v1/fine_tuning/jobs", json!({ "training_file": one, "validation_file": other })),
        (&format!("/v1/vector_stores/{one}/files"), json!({ "file_id": other })),
        (
            "/v1/chat/completions",
            json!({ "model": "m", "messages": [{ "role": "user", "content": [
            { "type": "file", "file": { "file_id": one } }, { "type": "file", "file": { "file_id": other } }] }] }),
        ),
        (
            "/v1/responses",
            json!({ "model": "m", "input": [{ "role": "user", "content": [
            { "type": "input_file", "file_id": one }] }], "tools": [{ "type": "file_search", "vector_store_ids": [other] }] }),
        ),
    ];
    for (path, body) in &bodies {
        let refused = app.client().post(path, body);
        let status = refused.status;
        let error = refused.json()["error"].clone();
        assert_eq!((status, &error["code"]), (409, &json!("objects_of_two_apis")), "{path}: {error}");
        assert!(error["message"].as_str().expect("a text").contains("a and b"), "{error}");
    }
    assert_eq!(calls(&accounts), before);
    let fine = json!({ "file_ids": [one], "metadata": { "file_id": other } });
    made(&app.client(), "/v1/vector_stores", &fine);
}

#[test]
fn a_removed_object_is_forgotten_and_one_that_is_detached_is_not() {
    let accounts = accounts(3);
    let app = App::start(&config(&accounts));
    let file = made(&app.client(), "/v1/files", &json!({}));
    let before = calls(&accounts);
    assert_eq!(app.client().request("DELETE", &format!("/v1/files/{file}"), b"").status, 200);
    assert_eq!(calls(&accounts), before + 1);
    let app = app.kill_and_restart();
    assert_eq!(app.client().get(&format!("/v1/files/{file}")).status, 404);
    assert_eq!(calls(&accounts), before + 4, "it lives nowhere, so each is asked");
    let store = made(&app.client(), "/v1/vector_stores", &json!({}));
    let file = made(&app.client(), "/v1/files", &json!({}));
    let before = calls(&accounts);
    app.client().request("DELETE", &format!("/v1/vector_stores/{store}/files/{file}"), b"");
    app.client().get(&format!("/v1/files/{file}"));
    assert_eq!(calls(&accounts), before + 2, "its home is known");
}

#[test]
fn what_is_used_together_lands_together_by_session_or_by_key_and_others_elsewhere() {
    let accounts = accounts(5);
    let mut config = config(&accounts);
    config["keys"] =
        (0..20).map(|n| json!({ "name": format!("k{n}"), "key": format!("client-key-{n:016}") })).collect();
    let app = App::start(&config);
    let place = |id: &str| accounts.iter().position(|account| account.knows(id)).expect("one");
    let kinds =
        ["/v1/vector_stores", "/v1/files", "/v1/threads", "/v1/assistants", "/v1/conversations", "/v1/containers"];
    let places = |client: &Client| {
        let places: Vec<usize> = kinds.iter().map(|kind| place(&made(client, kind, &json!({})))).collect();
        assert!(places.iter().all(|one| *one == places[0]), "{places:?}");
        places[0]
    };
    let by_session: Vec<usize> = (0..20).map(|n| places(&session(&app, &format!("s{n}")))).collect();
    let by_key: Vec<usize> =
        (0..20).map(|n| places(&Client::new(app.port).key(&format!("client-key-{n:016}")))).collect();
    for all in [by_session, by_key] {
        assert!((0..5).filter(|account| all.contains(account)).count() >= 3, "{all:?}");
    }
}

#[test]
fn polls_and_files_count_against_no_limit_and_what_runs_a_model_does() {
    let upstream = Upstream::always(any_answer());
    let mut config = config_of(&[&upstream]);
    config["apis"][0]["rpm"] = json!(1);
    config["keys"] = json!([{ "name": "k", "key": "client-key-0123456789", "rpm": 1 }]);
    config["apis"][0]["anthropicBaseUrl"] = json!(upstream.url());
    let app = App::start(&config);
    let client = Client::new(app.port).key("client-key-0123456789");
    for _ in 0..3 {
        assert_eq!(client.get("/v1/batches/batch-1").status, 200);
        assert_eq!(client.post("/v1/files", &json!({})).status, 200);
        assert_eq!(client.post("/v1/responses/input_tokens", &json!({ "model": "m", "input": "hi" })).status, 200);
    }
    let video = json!({ "prompt": "p" });
    assert_eq!(client.post("/v1/videos", &video).status, 200);
    assert_eq!(client.post("/v1/videos", &video).status, 429);
    assert_eq!(client.get("/v1/videos/video-1").status, 200, "free, at a spent limit");
    // At a spent limit what is free passes, and what runs a model does not.
    let claude = Client::new(app.port).key("client-key-0123456789").header("anthropic-version", "2023-06-01");
    for (client, path, status) in [
        (&client, "/v1/agents", 200),
        (&client, "/v1/agents/automations", 200),
        (&client, "/v1/vaults/vault-1/credentials", 200),
        (&client, "/v1/skills/skill-1", 200),
        (&client, "/v1/chatkit/sessions", 200),
        (&client, "/v1/audio/voice_consents/cons-1", 200),
        (&client, "/v1/agents/sessions", 429),
        (&client, "/v1/agents/sessions/sess-1/events", 429),
        (&client, "/v1/agents/automations/auto-1/invocations", 429),
        (&client, "/v1/audio/voices", 429),
        (&client, "/v1/decisions", 429),
        (&claude, "/v1/agents", 200),
        (&claude, "/v1/environments/env-1/work/work-1/ack", 200),
        (&claude, "/v1/memory_stores", 200),
        (&claude, "/v1/sessions/sesn-1/resources", 200),
        (&claude, "/v1/sessions", 429),
        (&claude, "/v1/sessions/sesn-1/events", 429),
        (&claude, "/v1/dreams", 429),
        (&claude, "/v1/deployments/depl-1/run", 429),
    ] {
        assert_eq!(client.post(path, &json!({ "model": "m" })).status, status, "{path}");
    }
}

#[test]
fn a_request_without_a_model_goes_to_an_account_with_such_a_model_else_to_any() {
    let accounts: Vec<Upstream> = (0..3).map(|_| Upstream::always(any_answer())).collect();
    let mut config = config_of(&accounts.iter().collect::<Vec<_>>());
    config["apis"][1]["models"] = json!(["m", "omni-moderation-2024", "gpt-image-2"]);
    config["apis"][2]["models"] = json!(["sora-*"]);
    let app = App::start(&config);
    // An account with a pattern is asked for its list of models.
    let asked = |account: &Upstream| account.received().iter().filter(|request| request.method == "POST").count();
    let counts = || accounts.iter().map(asked).collect::<Vec<_>>();
    for _ in 0..6 {
        assert_eq!(app.client().post("/v1/moderations", &json!({ "input": "hi" })).status, 200);
        assert_eq!(app.client().post("/v1/images/generations", &json!({ "prompt": "hi", "model": null })).status, 200);
    }
    assert_eq!(counts(), [0, 12, 0]);
    for n in 0..6 {
        assert_eq!(session(&app, &n.to_string()).post("/v1/videos", &json!({ "prompt": "hi" })).status, 200);
    }
    assert_eq!(counts(), [0, 12, 6]);
    assert_eq!(app.client().post("/v1/moderations", &json!({ "input": "hi", "model": "none" })).status, 404);
    let any = App::on(&[&accounts[0]]);
    assert_eq!(any.client().post("/v1/moderations", &json!({ "input": "hi" })).status, 200);
    assert_eq!(String::from_utf8_lossy(&accounts[0].received()[0].body), r#"{"input":"hi"}"#);
}

#[test]
fn a_key_with_models_asks_for_none_that_the_pool_cannot_see() {
    let upstream = Upstream::always(any_answer());
    let mut config = config_of(&[&upstream]);
    config["keys"] = json!([{ "name": "k", "key": "client-key-0123456789", "models": ["m"] }]);
    let app = App::start(&config);
    let client = Client::new(app.port).key("client-key-0123456789");
    for (path, body) in [
        ("/v1/batches", json!({ "input_file_id": "file-1" })),
        ("/v1/fine_tuning/jobs", json!({ "training_file": "file-1", "model": "m" })),
        ("/v1/threads/thread-1/runs", json!({ "assistant_id": "asst-1" })),
        ("/v1/assistants", json!({ "model": "other" })),
        ("/v1/agents", json!({ "model": "other" })),
        ("/v1/agents/sessions", json!({ "agent": { "model": "m" } })),
        ("/v1/agents/sessions/sess-1/events", json!({ "events": [] })),
        ("/v1/agents/automations", json!({ "target": {} })),
        ("/v1/chatkit/sessions", json!({ "workflow": { "id": "wf-1" } })),
    ] {
        assert_eq!(client.post(path, &body).error(), (403, "model_not_allowed".to_owned()), "{path}");
    }
    assert_eq!(upstream.calls(), 0);
    assert_eq!(client.get("/v1/files/file-1").status, 200);
    let run = json!({ "assistant_id": "asst-1", "model": "m" });
    assert_eq!(client.post("/v1/threads/thread-1/runs", &run).status, 200);
}

#[test]
fn an_object_that_shows_an_error_is_an_answer_and_an_error_alone_is_none() {
    let failed =
        json!({ "id": "video-1", "object": "video", "status": "failed", "error": { "message": "no", "code": "x" } });
    let upstream = Upstream::in_turn(vec![
        Reply::json(200, &failed),
        Reply::text(204, &[], ""),
        Reply::text(200, &[("content-type", "text/event-stream")], "event: x\ndata: {}\n\n"),
        Reply::json(200, &json!({ "error": { "message": "The server had an error", "type": "server_error" } })),
    ]);
    let app = App::on(&[&upstream]);
    assert_eq!(app.client().get("/v1/videos/video-1").json(), failed);
    assert_eq!(app.client().request("DELETE", "/v1/containers/cntr-1", b"").status, 204);
    let stream = app.client().get("/v1/responses/resp-1?stream=true");
    assert_eq!((stream.status, stream.text().as_str()), (200, "event: x\ndata: {}\n\n"));
    assert!(app.client().get("/v1/videos/video-1").status >= 500);
}

#[test]
fn an_unknown_path_goes_to_the_account_of_unknown_paths_and_to_no_other() {
    let upstreams = [Upstream::always(any_answer()), Upstream::always(any_answer())];
    let mut config = config_of(&upstreams.iter().collect::<Vec<_>>());
    config["server"]["passthrough"] = json!("b");
    config["keys"] = json!([
        { "name": "k", "key": "client-key-of-a-0123456789", "apis": ["a"] },
        { "name": "m", "key": "client-key-of-m-0123456789", "models": ["m"] },
    ]);
    let app = App::start(&config);
    let body = b"--x\r\nraw\xff\x00\r\n--x--";
    let client = app.client().header("content-type", "multipart/form-data; boundary=x");
    for (method, path) in
        [("POST", "/v1/gadgets?a=b%20c"), ("PUT", "/v1/gadgets/x-1/y"), ("PATCH", "/v1/organization/users")]
    {
        let answer = client.request(method, path, body);
        let status = answer.status;
        assert_eq!(status, 200, "{method} {path}: {}", answer.text());
        let received = upstreams[1].received().pop().expect("one");
        assert_eq!((received.method.as_str(), received.path.as_str(), &received.body[..]), (method, path, &body[..]));
        assert_eq!(received.header("content-type"), Some("multipart/form-data; boundary=x"));
        assert_eq!(received.header("authorization"), Some("Bearer sk-upstream-b-0123456789"));
    }
    for path in ["/v1/gadgets/..", "/v1/gadgets/%2e%2e/x", "/v1/gadgets/a%2fb", "/v1/gadgets/%0d%0ax"] {
        assert_eq!(app.client().get(path).status, 400, "{path}");
    }
    assert_eq!(app.client().request("PUT", "/v1/files/x-1", b"").status, 405, "the path is known");
    assert_eq!(app.client().get("/gadgets").status, 404, "only below /v1");
    for key in ["client-key-of-a-0123456789", "client-key-of-m-0123456789"] {
        assert_eq!(Client::new(app.port).key(key).get("/v1/gadgets").status, 403);
    }
    assert_eq!((upstreams[0].calls(), upstreams[1].calls()), (0, 3));
    config["server"]["passthrough"] = json!("none");
    let checked = Launch::new(&config).command().args(["--config", "apis.json"]).output().expect("ran");
    let refused = String::from_utf8_lossy(&checked.stderr);
    assert!(refused.contains("server.passthrough: must be the id of an entry of apis"), "{refused}");
}

#[test]
fn the_address_of_a_batchs_results_is_the_pools() {
    let batch = r#"{"id":"msgbatch_1","results_url":"https://api.anthropic.com/v1/messages/batches/msgbatch_1/results","x": 1.0}"#;
    let upstream = Upstream::always(Reply::text(200, &[("content-type", "application/json")], batch));
    let mut config = config_of(&[&upstream]);
    config["apis"][0]["anthropicBaseUrl"] = json!(upstream.url());
    let app = App::start(&config);
    let client = app.client().header("anthropic-version", "2023-06-01");
    let shown = client.get("/v1/messages/batches/msgbatch_1").text();
    let wanted = |own: &str| batch.replace("https://api.anthropic.com/v1/messages", own);
    // By the client's own word.
    assert_eq!(shown, wanted("http://localhost/v1/messages"));
    let proxied = client.header("x-forwarded-proto", "https").header("x-forwarded-host", "pool.example");
    let shown = proxied.get("/v1/messages/batches/msgbatch_1").text();
    assert_eq!(shown, wanted("https://pool.example/v1/messages"));
}
