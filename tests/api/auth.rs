//! Who may come in.

use serde_json::json;

use crate::helpers::{App, Client, KEY, Launch, Reply, Upstream, config_of};

#[test]
fn only_a_configured_key_opens_the_pool() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::on(&[&upstream]);
    let chat = json!({ "model": "m", "messages": [] });
    let ask = |client: Client| client.post("/v1/chat/completions", &chat);

    assert_eq!(ask(Client::new(app.port)).error(), (401, "missing_api_key".into()));
    for wrong in ["", "sk-wrong", &KEY[..KEY.len() - 1], &format!("{KEY}x"), &KEY.to_uppercase()] {
        let (status, code) = ask(Client::new(app.port).key(wrong)).error();
        assert_eq!((status, code.as_str()), (401, "invalid_api_key"), "{wrong:?}");
        let (status, _) = ask(Client::new(app.port).header("authorization", wrong)).error();
        assert_eq!(status, 401, "{wrong:?}, bare");
    }
    assert_eq!(upstream.calls(), 0, "who has no key reaches no upstream");

    for right in [format!("Bearer {KEY}"), format!("bearer {KEY}"), KEY.to_owned(), format!("Bearer  {KEY} ")] {
        assert_eq!(ask(Client::new(app.port).header("authorization", &right)).status, 200, "{right:?}");
    }
}

#[test]
fn every_endpoint_but_health_wants_the_key_and_says_so_as_openai_does() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::on(&[&upstream]);
    let stranger = Client::new(app.port);
    assert_eq!(stranger.get("/health").status, 200);
    for path in ["/v1/models", "/v1/models/m", "/v1/status", "/v1/token/stats", "/v1/nothing"] {
        let response = stranger.get(path);
        assert!(response.header("x-request-id").is_some(), "{path}");
        let body = response.json();
        assert_eq!(body["error"]["type"], "authentication_error", "{path}");
    }
    assert_eq!(stranger.post("/v1/token/reset", &json!({})).status, 401);
}

#[test]
fn several_keys_may_be_given_and_none_needed() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = config_of(&[&upstream]);
    config["server"] =
        json!({ "apiKey": ["sk-one-0123456789", "sk-two-0123456789"], "apiKeys": ["sk-three-0123456789"] });
    let app = App::start(&config);
    for key in ["sk-one-0123456789", "sk-two-0123456789", "sk-three-0123456789"] {
        assert_eq!(Client::new(app.port).key(key).get("/v1/models").status, 200, "{key}");
    }
    assert_eq!(Client::new(app.port).key("sk-four").get("/v1/models").status, 401);

    config["server"] = json!({});
    let open = App::start(&config);
    assert_eq!(Client::new(open.port).get("/v1/models").status, 200);
    open.logged("server.apiKey is not set");
}

#[test]
fn keys_appear_nowhere() {
    let quoting = Upstream::start(|request| {
        let key = request.header("authorization").unwrap_or_default().to_owned();
        Reply::text(400, &[("x-echo", &key)], &format!(r#"{{"error":{{"message":"bad {key}","type":"t"}}}}"#))
    });
    let config = config_of(&[&quoting]);
    let app = Launch::new(&config).env("LOG_LEVEL", "trace").start();
    let client_key = "sk-somebodys-mistyped-key-0123456789";
    Client::new(app.port).key(client_key).get("/v1/models");
    let answer = app.chat();
    assert_eq!(answer.status, 400);
    assert_eq!(answer.header("x-echo"), None, "a header that quotes the key is not passed");
    let told = format!("{}{}{}{}", answer.text(), app.log(), app.banner(), app.client().get("/v1/status").text());
    for secret in [KEY, "sk-upstream-a-0123456789", client_key] {
        assert!(!told.contains(secret), "{secret} is told in:\n{told}");
    }
    let asked = &quoting.received()[0];
    assert_eq!(asked.header("authorization"), Some("Bearer sk-upstream-a-0123456789"));
}

#[test]
fn what_belongs_to_the_client_stays_here() {
    let upstream = Upstream::always(Reply::text(
        200,
        &[
            ("content-type", "application/json"),
            ("set-cookie", "session=1"),
            ("openai-organization", "org-of-the-account"),
            ("www-authenticate", "Bearer"),
            ("x-ratelimit-remaining-requests", "7"),
        ],
        r#"{"choices":[{}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#,
    ));
    let app = App::on(&[&upstream]);
    let client = app.client().header("openai-organization", "org-mine").header("cookie", "a=b");
    let client = client.header("x-api-key", "mine").header("openai-beta", "assistants=v2").header("expect", "");
    let answer = client.post("/v1/chat/completions", &json!({ "model": "m" }));
    let asked = &upstream.received()[0];
    for kept in ["openai-organization", "cookie", "x-api-key", "expect", "connection"] {
        assert_eq!(asked.header(kept), None, "{kept} went up");
    }
    assert_eq!(asked.header("openai-beta"), Some("assistants=v2"));
    assert_eq!(asked.header("accept-encoding"), Some("identity"));
    for kept in ["set-cookie", "openai-organization", "www-authenticate"] {
        assert_eq!(answer.header(kept), None, "{kept} came down");
    }
    assert_eq!(answer.header("x-ratelimit-remaining-requests"), Some("7"));
}

#[test]
fn browsers_are_answered_for_named_origins_only() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = config_of(&[&upstream]);
    config["server"]["cors"] = json!(["https://app.example.com"]);
    let app = App::start(&config);
    let preflight = |origin: &str| {
        let request = format!(
            "OPTIONS /v1/chat/completions HTTP/1.1\r\nhost: x\r\norigin: {origin}\r\n\
             access-control-request-method: POST\r\naccess-control-request-headers: authorization\r\n\
             connection: close\r\n\r\n"
        );
        Client::new(app.port).try_raw(request.as_bytes()).expect("an answer")
    };
    let allowed = preflight("https://app.example.com");
    assert_eq!(allowed.status, 204);
    assert_eq!(allowed.header("access-control-allow-origin"), Some("https://app.example.com"));
    assert_eq!(preflight("https://evil.example.com").header("access-control-allow-origin"), None);
    let marked = app.client().header("origin", "https://app.example.com").get("/v1/models");
    assert_eq!(marked.header("access-control-allow-origin"), Some("https://app.example.com"));

    let closed = App::on(&[&upstream]);
    let unmarked = closed.client().header("origin", "https://app.example.com").get("/v1/models");
    assert_eq!((unmarked.status, unmarked.header("access-control-allow-origin")), (200, None));
}

#[test]
fn origins_of_desktop_apps_and_extensions_are_answered_exactly() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let named = [
        "tauri://localhost",
        "app://obsidian.md",
        "chrome-extension://aeblfdkhhhdcdjpifhhbdiojplfjncoa",
        "moz-extension://0b1c2d3e-4f50-4a6b-8c7d-9e0fa1b2c3d4",
        "null",
    ];
    let mut config = config_of(&[&upstream]);
    config["server"]["cors"] = json!([&named[..], &["vscode-webview://*"]].concat());
    let app = App::start(&config);
    let answered = |origin: &str| {
        let answer = app.client().header("origin", origin).get("/v1/models");
        answer.header("access-control-allow-origin").map(str::to_owned)
    };
    for origin in named.into_iter().chain(["vscode-webview://1k2l3m"]) {
        assert_eq!(answered(origin).as_deref(), Some(origin));
    }
    for other in
        ["tauri://localhos", "tauri://localhost2", "chrome-extension://x", "file://", "vscode-webview:/x", "NULL"]
    {
        assert_eq!(answered(other), None, "{other}");
    }
}

#[test]
fn a_path_below_v1_needs_a_key_however_it_is_written() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::on(&[&upstream]);
    for path in [
        "/v1",
        "/v1/",
        "/v1/models",
        "/%761/models",
        "/v%31/models",
        "/v1/nothing",
        "/v1//models",
        "/v1/./models",
        "//v1/models",
    ] {
        assert_eq!(Client::new(app.port).get(path).status, 401, "{path}");
    }
    for path in ["/v1x/models", "/V1/models"] {
        assert_eq!(Client::new(app.port).get(path).status, 404, "{path}");
    }
    assert_eq!(app.client().get("/%761/models").status, 200);
}
