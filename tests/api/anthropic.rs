//! Anthropic's format is passed through: keys, headers, bodies, errors, streams, limits.

use serde_json::{Value, json};

use crate::helpers::{App, Client, KEY, Reply, Response, Upstream};

/// An API of Anthropic's format alone, with the id `a`, and these fields besides.
fn config(upstream: &Upstream, fields: &Value) -> Value {
    let mut api = json!({
        "id": "a", "anthropicBaseUrl": upstream.url(), "apiKey": "sk-upstream-a-0123456789", "models": ["claude-x"],
    });
    api.as_object_mut().expect("an API").extend(fields.as_object().expect("fields").clone());
    json!({ "server": { "apiKey": KEY }, "apis": [api] })
}

/// A message that says `text`, at the cost of 3 + 4 tokens, with 5 written into a cache and 900 read from it.
fn message(text: &str) -> Value {
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x",
        "content": [{ "type": "text", "text": text }], "stop_reason": "end_turn", "stop_sequence": null,
        "usage": {
            "input_tokens": 3, "cache_creation_input_tokens": 5, "cache_read_input_tokens": 900, "output_tokens": 4,
        },
    })
}

fn asked(stream: bool) -> Value {
    json!({ "model": "claude-x", "max_tokens": 64_000, "stream": stream, "messages": [] })
}

/// A client of Anthropic's format.
fn client(app: &App) -> Client {
    Client::new(app.port).header("x-api-key", KEY).header("anthropic-version", "2023-06-01")
}

fn post(app: &App, body: &Value) -> Response {
    client(app).post("/v1/messages", body)
}

/// The type of an error in Anthropic's form, with the status. Fails on any other form.
fn error(answer: Response) -> (u16, String) {
    let (status, id) = (answer.status, answer.header("request-id").map(str::to_owned));
    let body = answer.json();
    assert_eq!((&body["type"], body["request_id"].as_str()), (&json!("error"), id.as_deref()), "{body}");
    assert!(body["error"]["message"].is_string() && body["error"]["code"].is_null(), "{body}");
    (status, body["error"]["type"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn a_message_is_passed_through_with_the_accounts_key_and_the_clients_own_headers() {
    let headers = [
        ("content-type", "application/json"),
        ("request-id", "req_theirs"),
        ("anthropic-ratelimit-requests-remaining", "49"),
        ("anthropic-organization-id", "org-secret"),
    ];
    let upstream = Upstream::always(Reply::text(200, &headers, &message("hi").to_string()));
    let app = App::start(&config(&upstream, &json!({ "headers": { "X-Title": "pool" } })));
    let body = r#"{ "max_tokens": 9, "model":"claude-x", "odd": [1.0e3], "messages":[] }"#;
    let client = client(&app).header("anthropic-beta", "one,two").header("anthropic-new", "three");
    let client = client.header("openai-organization", "org-client").header("x-app", "cli");
    let answer = client.request("POST", "/v1/messages?beta=true", body.as_bytes());
    assert_eq!((answer.status, answer.header("request-id")), (200, Some("req_theirs")));
    assert_eq!(answer.header("anthropic-ratelimit-requests-remaining"), Some("49"));
    assert_eq!(answer.header("anthropic-organization-id"), None);
    assert_eq!(answer.text(), message("hi").to_string());

    let sent = &upstream.received()[0];
    assert_eq!((sent.path.as_str(), sent.body.as_slice()), ("/v1/messages?beta=true", body.as_bytes()));
    let header = |name: &str| sent.header(name);
    assert_eq!((header("x-api-key"), header("authorization")), (Some("sk-upstream-a-0123456789"), None));
    assert_eq!((header("anthropic-version"), header("anthropic-beta")), (Some("2023-06-01"), Some("one,two")));
    assert_eq!((header("anthropic-new"), header("x-title")), (Some("three"), Some("pool")));
    assert_eq!((header("openai-organization"), header("x-app")), (None, None));
}

#[test]
fn the_key_is_taken_from_either_header_on_every_path() {
    let upstream = Upstream::always(Reply::json(200, &message("hi")));
    let app = App::start(&config(&upstream, &json!({})));
    let bare = || Client::new(app.port);
    for client in [
        bare().key(KEY),
        bare().header("x-api-key", KEY),
        bare().header("api-key", KEY),
        bare().key("wrong").header("x-api-key", KEY),
        bare().key(KEY).header("x-api-key", "wrong"),
    ] {
        assert_eq!(client.get("/v1/models").status, 200);
        assert_eq!(client.post("/v1/messages", &asked(false)).status, 200);
    }
    for client in
        [bare(), bare().key("wrong"), bare().header("x-api-key", "wrong"), bare().key("a").header("api-key", "b")]
    {
        assert_eq!(error(client.post("/v1/messages", &asked(false))), (401, "authentication_error".to_owned()));
        assert_eq!(client.get("/v1/models").error().0, 401);
        let of_anthropics = client.header("anthropic-version", "2023-06-01");
        assert_eq!(error(of_anthropics.get("/v1/models")), (401, "authentication_error".to_owned()));
    }
}

#[test]
fn errors_of_ours_have_anthropics_form_and_an_upstreams_own_is_unchanged() {
    let overloaded = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"x":1.0}"#;
    let json_type = [("content-type", "application/json")];
    let upstream = Upstream::always(Reply::text(529, &json_type, overloaded));
    let app = App::start(&config(&upstream, &json!({ "rpm": 1 })));
    let answer = post(&app, &asked(false));
    assert_eq!(answer.status, 529);
    assert_eq!(answer.text(), overloaded);
    assert_eq!(error(post(&app, &asked(false))), (429, "rate_limit_error".to_owned()));
    let unknown = json!({ "model": "other", "messages": [] });
    assert_eq!(error(post(&app, &unknown)), (404, "not_found_error".to_owned()));
    assert_eq!(error(post(&app, &json!([]))), (400, "invalid_request_error".to_owned()));
    assert_eq!(error(client(&app).get("/v1/messages")), (405, "invalid_request_error".to_owned()));
    assert_eq!(error(client(&app).get("/v1/messages/nothing")), (404, "not_found_error".to_owned()));
    // A refused account is no error of the client's key.
    let refused = r#"{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}"#;
    let upstream = Upstream::always(Reply::text(401, &json_type, refused));
    let app = App::start(&config(&upstream, &json!({})));
    assert_eq!(error(post(&app, &asked(false))), (502, "api_error".to_owned()));
}

#[test]
fn an_upstream_is_asked_only_in_a_format_that_it_offers() {
    let openai = Upstream::always(Reply::chat("openai"));
    let anthropic = Upstream::always(Reply::json(200, &message("anthropic")));
    let mut config = config(&anthropic, &json!({ "models": ["claude-x", "both"] }));
    let other =
        json!({ "id": "b", "baseUrl": openai.url(), "apiKey": "sk-upstream-b-0123456789", "models": ["m", "both"] });
    config["apis"].as_array_mut().expect("a list").push(other);
    let app = App::start(&config);
    let chat = |model: &str| app.client().post("/v1/chat/completions", &json!({ "model": model, "messages": [] }));
    let message = |model: &str| post(&app, &json!({ "model": model, "max_tokens": 1, "messages": [] }));
    for _ in 0..8 {
        assert_eq!((chat("both").status, message("both").status), (200, 200));
    }
    assert_eq!((openai.calls(), anthropic.calls()), (8, 8));
    let explained = |query: &str| {
        let explain = app.client().get(&format!("/v1/status?{query}")).json()["explain"].clone();
        let rows = explain["apis"].as_array().expect("a list").clone();
        (
            explain["format"].clone(),
            rows.iter().map(|row| (row["reason"].clone(), row["share"].clone())).collect::<Vec<_>>(),
        )
    };
    let (yes, no) = ((Value::Null, json!(1.0)), (json!("other_format"), json!(0.0)));
    assert_eq!(explained("model=both"), (json!("openai"), vec![no.clone(), yes.clone()]));
    assert_eq!(explained("model=both&format=anthropic"), (json!("anthropic"), vec![yes.clone(), no.clone()]));
    assert_eq!(explained("model=claude-x"), (json!("anthropic"), vec![yes, no]));
    assert_eq!(app.status_of("a")["formats"], json!(["anthropic"]));
    let listed = |client: &Client| {
        let list = client.get("/v1/models").json();
        list["data"].as_array().expect("a list").iter().map(|entry| entry["id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(
        (listed(&client(&app)), listed(&app.client())),
        (vec![json!("both"), json!("claude-x")], vec![json!("both"), json!("m")])
    );
    let refused = chat("claude-x").json()["error"].clone();
    assert_eq!((&refused["code"], &refused["param"]), (&json!("model_not_found"), &json!("model")));
    assert!(refused["message"].as_str().expect("a text").contains("is served at /v1/messages only"), "{refused}");
    let answer = message("m");
    assert_eq!(answer.status, 404);
    let refused = answer.json()["error"].clone();
    assert_eq!(refused["type"], "not_found_error");
    assert!(refused["message"].as_str().expect("a text").contains("served at /v1/chat/completions only"), "{refused}");
}

#[test]
fn a_count_of_tokens_takes_nothing_of_any_limit_and_messages_do() {
    let upstream = Upstream::start(|request| match request.path.as_str() {
        "/v1/messages" => Reply::json(200, &message("hi")),
        _ => Reply::json(200, &json!({ "input_tokens": 14 })),
    });
    let app = App::start(&config(&upstream, &json!({ "rpm": 2, "tpm": 1_000_000, "maxConcurrent": 1 })));
    let count = || client(&app).post("/v1/messages/count_tokens", &json!({ "model": "claude-x", "messages": [] }));
    for _ in 0..15 {
        assert_eq!(count().json()["input_tokens"], 14);
    }
    assert_eq!(app.usage_of("a"), (0, 0));
    assert_eq!((post(&app, &asked(false)).status, post(&app, &asked(false)).status), (200, 200));
    assert_eq!((post(&app, &asked(false)).status, count().status), (429, 200));
    crate::helpers::eventually("both are counted", || app.usage_of("a") == (2, 2));
    // Cache reads count against no limit: 3 + 5 + 4 tokens each.
    crate::helpers::eventually("tokens are counted", || app.status_of("a")["usage"]["tpm"] == 24);
}

/// Answers messages with the first reply, and counts of tokens with the second.
fn at_each_path(messages: Reply, counts: Reply) -> Upstream {
    Upstream::start(move |request| if request.path == "/v1/messages" { messages.clone() } else { counts.clone() })
}

fn refused(status: u16, kind: &str, headers: &[(&str, &str)]) -> Reply {
    let body = json!({ "type": "error", "error": { "type": kind, "message": "no" } }).to_string();
    Reply::text(status, &[headers, &[("content-type", "application/json")]].concat(), &body)
}

fn count(app: &App) -> u16 {
    client(app).post("/v1/messages/count_tokens", &json!({ "model": "claude-x", "messages": [] })).status
}

#[test]
fn limits_of_messages_and_of_counts_are_two_and_the_rest_of_the_health_is_one() {
    let (good, counted) = (Reply::json(200, &message("hi")), Reply::json(200, &json!({ "input_tokens": 14 })));
    let limit = refused(429, "rate_limit_error", &[("retry-after", "60")]);

    let upstream = at_each_path(good.clone(), limit.clone());
    let app = App::start(&config(&upstream, &json!({})));
    assert_eq!((count(&app), count(&app), post(&app, &asked(false)).status), (429, 429, 200));
    assert_eq!(app.status_of("a")["available"], true, "a limit of counts rests nobody");

    let upstream = at_each_path(limit, counted.clone());
    let app = App::start(&config(&upstream, &json!({})));
    assert_eq!((post(&app, &asked(false)).status, post(&app, &asked(false)).status), (429, 429));
    assert_eq!((upstream.calls(), count(&app), count(&app)), (1, 200, 200));
    assert_eq!(app.status_of("a")["unavailableReason"], "cooldown", "a count ends no rest of the limit");

    let upstream = at_each_path(good, refused(401, "authentication_error", &[]));
    let app = App::start(&config(&upstream, &json!({})));
    assert_eq!((count(&app), post(&app, &asked(false)).status, upstream.calls()), (502, 503, 1));
}

#[test]
fn an_account_without_a_path_for_counts_serves_messages_all_the_same() {
    for status in [404, 405] {
        let upstream = at_each_path(Reply::json(200, &message("hi")), refused(status, "not_found_error", &[]));
        let other = Upstream::always(Reply::json(200, &json!({ "input_tokens": 14 })));
        let mut config = config(&upstream, &json!({ "priority": 1 }));
        let mut second = config["apis"][0].clone();
        (second["id"], second["priority"], second["anthropicBaseUrl"]) = (json!("b"), json!(2), json!(other.url()));
        config["apis"].as_array_mut().expect("a list").push(second);
        let app = App::start(&config);
        assert_eq!([(); 5].map(|()| count(&app)), [200; 5], "{status}");
        assert_eq!(app.status_of("a")["available"], true, "{status}");
        assert_eq!((upstream.calls(), post(&app, &asked(false)).status, upstream.calls()), (3, 200, 4), "{status}");
    }
}

#[test]
fn a_failure_behind_a_comment_is_an_error_event_of_anthropics() {
    let late = refused(500, "api_error", &[]).after(std::time::Duration::from_millis(400));
    for (reply, kind) in
        [(late, "api_error"), (Reply::drop().after(std::time::Duration::from_millis(400)), "api_error")]
    {
        let upstream = Upstream::always(reply);
        let mut config = config(&upstream, &json!({}));
        config["server"]["streamPingMs"] = json!(100);
        let app = App::start(&config);
        let text = post(&app, &asked(true)).text();
        let (comments, event) = text.split_once("event: error\ndata: ").expect("an error event");
        assert!(!comments.is_empty() && comments.lines().all(|line| line == ": ping"), "{text}");
        let error: Value = serde_json::from_str(event.trim_end()).expect("JSON");
        assert_eq!((&error["type"], &error["error"]["type"]), (&json!("error"), &json!(kind)), "{text}");
    }
}

#[test]
fn an_api_of_anthropics_format_alone_is_asked_for_its_models_in_anthropics_way() {
    let upstream = Upstream::start(|request| match request.method.as_str() {
        "GET" => Reply::json(200, &json!({ "data": [{ "type": "model", "id": "claude-y" }], "has_more": false })),
        _ => Reply::json(200, &message("hi")),
    });
    let mut config = config(&upstream, &json!({}));
    config["apis"][0].as_object_mut().expect("an API").remove("models");
    let app = App::start(&config);
    assert_eq!(post(&app, &json!({ "model": "claude-y", "max_tokens": 1, "messages": [] })).status, 200);
    let asked = &upstream.received()[0];
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("GET", "/v1/models?limit=1000"));
    assert_eq!(asked.header("x-api-key"), Some("sk-upstream-a-0123456789"));
    assert_eq!((asked.header("anthropic-version"), asked.header("authorization")), (Some("2023-06-01"), None));

    // With both addresses, the list of OpenAI's is the one, and holds for both.
    let both = Upstream::start(|request| match request.method.as_str() {
        "GET" => Reply::json(200, &json!({ "object": "list", "data": [{ "id": "both" }] })),
        _ => Reply::json(200, &message("hi")),
    });
    let base = format!("{}/openai", both.url());
    config["apis"][0]["baseUrl"] = json!(base);
    config["apis"][0]["anthropicBaseUrl"] = json!(format!("{}/anthropic", both.url()));
    let app = App::start(&config);
    assert_eq!(post(&app, &json!({ "model": "both", "max_tokens": 1, "messages": [] })).status, 200);
    let paths: Vec<String> = both.received().iter().map(|request| request.path.clone()).collect();
    assert_eq!(paths, ["/openai/v1/models", "/anthropic/v1/messages"]);
}

#[test]
fn both_addresses_of_an_account_share_the_key_the_limit_and_the_health() {
    let openai = Upstream::always(Reply::chat("hi"));
    let anthropic = Upstream::always(refused(529, "overloaded_error", &[]));
    let fields =
        json!({ "baseUrl": openai.url(), "auth": "api-key", "anthropicAuth": "bearer", "rpm": 6, "models": ["m"] });
    let app = App::start(&config(&anthropic, &fields));
    let chat = || app.client().post("/v1/chat/completions", &json!({ "model": "m", "messages": [] })).status;
    let message = || post(&app, &json!({ "model": "m", "max_tokens": 1, "messages": [] })).status;
    assert_eq!((chat(), message(), message(), message()), (200, 529, 529, 529));
    crate::helpers::eventually("it rests", || app.status_of("a")["unavailableReason"] == "breaker");
    assert_eq!((chat(), app.usage_of("a")), (503, (4, 4)));
    let key = Some("sk-upstream-a-0123456789");
    let (to_openai, to_anthropic) = (&openai.received()[0], &anthropic.received()[0]);
    assert_eq!((to_openai.header("api-key"), to_openai.header("authorization")), (key, None));
    assert_eq!(to_anthropic.header("authorization"), Some("Bearer sk-upstream-a-0123456789"));
    assert_eq!((to_anthropic.header("x-api-key"), to_anthropic.header("api-key")), (None, None));
}

#[test]
fn a_fixed_header_wins_over_the_clients_and_is_shown_nowhere() {
    let upstream = Upstream::always(Reply::json(200, &message("hi")));
    let fields =
        json!({ "headers": { "User-Agent": "pool", "Anthropic-Beta": "${BETA}", "X-Secret": "s3cr3t-value" } });
    let app = crate::helpers::Launch::new(&config(&upstream, &fields)).env("BETA", "fixed").start();
    let answer =
        client(&app).header("anthropic-beta", "mine").header("user-agent", "cli").post("/v1/messages", &asked(false));
    assert_eq!(answer.status, 200);
    let sent = &upstream.received()[0];
    assert_eq!((sent.header("user-agent"), sent.header("anthropic-beta")), (Some("pool"), Some("fixed")));
    assert_eq!(sent.header("x-secret"), Some("s3cr3t-value"));
    let names = sent.headers.iter().filter(|(name, _)| name == "user-agent" || name == "anthropic-beta");
    assert_eq!(names.count(), 2, "one of each");
    let status = app.client().get("/v1/status").text();
    assert!(!status.contains("s3cr3t") && !app.log().contains("s3cr3t"));
    let check = crate::helpers::Launch::new(&config(&upstream, &fields)).env("BETA", "fixed");
    let told = check.command().args(["check", "--config", "apis.json"]).output().expect("runs");
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.contains("headers anthropic-beta, user-agent, x-secret") && !told.contains("s3cr3t"), "{told}");
}

#[test]
fn an_account_without_money_rests_when_others_serve_what_it_refuses_in_its_own_words() {
    const WORDS: &str = "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing.";
    let body = json!({ "type": "error", "error": { "type": "invalid_request_error", "message": WORDS } });
    let (empty, good) = (Upstream::always(Reply::json(400, &body)), Upstream::always(Reply::json(200, &message("hi"))));
    // A client that writes the same words proves nothing by them.
    for (said, calls) in [("hello", 3), ("what does YOUR CREDIT BALANCE is too low mean?", 8)] {
        let mut config = config(&empty, &json!({}));
        let other =
            json!({ "id": "b", "anthropicBaseUrl": good.url(), "apiKey": "sk-upstream-b-0123456789", "priority": 1 });
        config["apis"].as_array_mut().expect("a list").push(other);
        config["apis"][1]["models"] = json!(["claude-x"]);
        let app = App::start(&config);
        let before = empty.calls();
        for _ in 0..8 {
            let messages = json!([{ "role": "user", "content": said }]);
            let asked = json!({ "model": "claude-x", "max_tokens": 9, "messages": messages });
            assert_eq!(post(&app, &asked).json()["content"][0]["text"], "hi");
        }
        assert_eq!(empty.calls() - before, calls, "{said}");
        assert_eq!(app.client().get("/v1/status").json()["retry"]["budget"]["left"], 100, "moving on costs nothing");
    }
}
