//! The pool's own endpoints, and what every answer has.

use serde_json::json;

use crate::helpers::{App, Client, Reply, Upstream, config_of, eventually};

#[test]
fn health_is_open_and_as_the_original_has_it() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::on(&[&upstream]);
    let answer = Client::new(app.port).get("/health");
    assert_eq!(answer.status, 200);
    let body = answer.json();
    assert_eq!((&body["status"], &body["service"]), (&json!("ok"), &json!("OpenAI API代理服务")));
    let timestamp = body["timestamp"].as_str().expect("a time");
    assert!(timestamp.len() == 24 && timestamp.ends_with('Z') && timestamp.parse::<jiff::Timestamp>().is_ok());
}

#[test]
fn status_tells_what_each_upstream_is_and_does() {
    let upstream = Upstream::start(|request| match request.json()["slow"] == true {
        true => Reply::chat("late").held(),
        false => Reply::chat("hi"),
    });
    let mut config = config_of(&[&upstream]);
    config["server"]["name"] = json!("my pool");
    config["apis"][0]["rpm"] = json!(60);
    let app = App::start(&config);
    assert_eq!(app.chat().status, 200);
    eventually("it is settled", || app.status_of("a")["inFlight"] == 0);
    let slow = json!({ "model": "m", "slow": true });
    std::thread::scope(|scope| {
        scope.spawn(|| app.client().post("/v1/chat/completions", &slow).status);
        eventually("one is in flight", || app.status_of("a")["inFlight"] == 1);
        let status = app.client().get("/v1/status").json();
        assert_eq!(status["service"], "my pool");
        assert!(status["timestamp"].is_string());
        let api = &status["apis"][0];
        assert_eq!((&api["id"], &api["name"], &api["enabled"]), (&json!("a"), &json!("API a"), &json!(true)));
        assert_eq!((&api["available"], &api["temporarilyDisabled"]), (&json!(true), &json!(false)));
        assert_eq!((&api["errorCount"], &api["unavailableReason"]), (&json!(0), &json!(null)));
        assert_eq!(api["limits"], json!({ "rpm": 60, "rpd": -1, "tpm": -1, "tpd": -1 }));
        assert_eq!(
            (&api["usage"]["rpm"], &api["usage"]["rpd"]),
            (&json!(2), &json!(2)),
            "what is under way is counted"
        );
        assert!(api["latency"]["totalMs"].is_u64() && api["latency"]["firstTokenMs"].is_u64(), "{api}");
        assert!(status["config"]["hash"].is_string() && status["config"]["loadedAt"].is_string());
        assert!(status["config"]["lastError"].is_null());
        upstream.release();
    });
}

#[test]
fn every_answer_has_a_request_id_and_the_log_knows_it() {
    let named = Reply::text(
        200,
        &[("content-type", "application/json"), ("x-request-id", "req-of-the-upstream")],
        r#"{"choices":[{}],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#,
    );
    let upstream = Upstream::in_turn(vec![named, Reply::chat("hi")]);
    let app = App::on(&[&upstream]);
    assert_eq!(app.chat().header("x-request-id"), Some("req-of-the-upstream"));
    eventually("it is logged", || {
        app.log().contains("req-of-the-upstream POST /v1/chat/completions m → a from 127.0.0.1 attempts=1")
    });
    let answer = app.chat();
    let ours = answer.header("x-request-id").expect("ours").to_owned();
    answer.bytes();
    eventually("it is logged", || app.log().contains(&format!("{ours} POST /v1/chat/completions")));
    for path in ["/health", "/nothing", "/v1/nothing", "/v1/models", "/v1/models/none"] {
        assert!(app.client().get(path).header("x-request-id").is_some(), "{path}");
    }
    assert!(app.client().request("PUT", "/v1/models", b"").header("x-request-id").is_some());
}

#[test]
fn a_line_is_logged_for_each_request() {
    let upstream = Upstream::in_turn(vec![Reply::error(500, "x"), Reply::chat("hi")]);
    let mut config = config_of(&[&upstream, &upstream]);
    for api in [0, 1] {
        config["apis"][api]["models"] = json!(["own"]);
        config["apis"][api]["modelMapping"] = json!({ "m": "own" });
    }
    let app = App::start(&config);
    assert_eq!(app.chat().status, 200);
    eventually("it is logged", || app.log().contains("tokens=3+4=7"));
    let log = app.log();
    let line = log.lines().find(|line| line.contains("/v1/chat/completions")).expect("a line").to_owned();
    for wanted in ["INFO", " m → ", " (own) ", "attempts=2", "status=200", "first=", "total="] {
        assert!(line.contains(wanted), "no {wanted:?} in {line}");
    }
    assert!(!line.contains('\u{1b}'), "no colours where there is no terminal: {line:?}");
}

#[test]
fn unknown_paths_and_methods_are_told_as_openai_does() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::on(&[&upstream]);
    for path in ["/v1", "/v1/", "/v1/engines", "/v2/chat/completions", "/v1/chat/completions/x/y"] {
        assert_eq!(app.client().get(path).error(), (404, "unknown_url".into()), "{path}");
    }
    for (method, path, allow) in [
        ("PUT", "/v1/chat/completions", "GET, POST"),
        ("DELETE", "/v1/embeddings", "POST"),
        ("POST", "/v1/models", "GET, HEAD"),
        ("POST", "/", "GET, HEAD"),
        ("POST", "/health", "GET, HEAD"),
        ("TRACE", "/health", "GET, HEAD"),
        ("GET", "/v1/token/reset", "POST"),
    ] {
        let answer = app.client().request(method, path, b"{}");
        assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
        assert_eq!(answer.error(), (405, "method_not_allowed".into()), "{method} {path}");
    }
    assert_eq!(upstream.calls(), 0);
}

#[test]
fn localhost_is_both_loopback_addresses() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::on(&[&upstream]);
    if std::net::TcpListener::bind("[::1]:0").is_ok() {
        assert!(std::net::TcpStream::connect(("::1", app.port)).is_ok());
        assert!(app.banner().contains(&format!("[::1]:{}", app.port)));
    }
    assert!(std::net::TcpStream::connect(("127.0.0.1", app.port)).is_ok());
}

#[test]
fn a_request_is_explained_before_it_is_made() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = config_of(&[&upstream, &upstream, &upstream, &upstream, &upstream]);
    config["apis"][1]["weight"] = json!(3);
    config["apis"][2]["rpd"] = json!(1);
    config["apis"][2]["priority"] = json!(-1);
    config["apis"][3]["enabled"] = json!(false);
    config["apis"][4]["models"] = json!(["other"]);
    config["apis"][4]["modelMapping"] = json!({ "alias/x": "other" });
    let app = App::start(&config);
    assert_eq!(app.chat().status, 200, "spends the day of c");
    let explain = app.client().get("/v1/status?model=m").json()["explain"].clone();
    let told: Vec<_> = explain["apis"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|api| (api["id"].clone(), api["eligible"].clone(), api["reason"].clone(), api["share"].clone()))
        .collect();
    assert_eq!(
        json!(told),
        json!([
            ["a", true, null, 0.25],
            ["b", true, null, 0.75],
            ["c", false, "rpd", 0.0],
            ["d", false, "disabled", 0.0],
            ["e", false, "model_not_served", 0.0],
        ])
    );
    assert!(explain["apis"][2]["until"].is_string());

    let ask = |model: &str| {
        let output = crate::helpers::Launch { folder: app.folder.clone(), args: Vec::new(), env: Vec::new() }
            .command()
            .args(["explain", "--config", "apis.json", "--port", &app.port.to_string(), "--model", model])
            .output()
            .expect("ran");
        (output.status.code(), String::from_utf8(output.stdout).expect("UTF-8"))
    };
    let (code, told) = ask("m");
    assert_eq!(code, Some(0), "{told}");
    for wanted in ["a    yes", "75 %", "no: rpd", "no: disabled"] {
        assert!(told.contains(wanted), "no {wanted:?} in:\n{told}");
    }
    assert!(ask("alias/x").1.contains("100 %  other"), "{}", ask("alias/x").1);
    let (code, told) = ask("none");
    assert!(code == Some(1) && told.contains("It would be refused with 404."), "{told}");
}
