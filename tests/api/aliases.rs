//! Aliases: other names for lists of models, of which the first that can serves.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::helpers::{App, Launch, Reply, Response, Upstream, config_of, eventually};

fn ask(app: &App, model: &str) -> Response {
    app.client().post("/v1/chat/completions", &json!({ "model": model, "messages": [] }))
}

/// Returns the models that an upstream was asked for, in order.
fn models(upstream: &Upstream) -> Vec<String> {
    let asked = upstream.received();
    asked.iter().map(|request| request.json()["model"].as_str().expect("a name").to_owned()).collect()
}

/// A pool of accounts of one model each, in this order, with the alias `smart` for both.
fn pool(dear: &Upstream, cheap: &Upstream) -> Value {
    let mut config = config_of(&[dear, cheap]);
    config["apis"][0]["models"] = json!(["dear"]);
    config["apis"][1]["models"] = json!(["cheap"]);
    config["aliases"] = json!({ "smart": ["dear", "cheap"] });
    config
}

fn too_long() -> Reply {
    let error = json!({ "message": "x", "type": "invalid_request_error", "code": "context_length_exceeded" });
    Reply::json(400, &json!({ "error": error }))
}

#[test]
fn an_alias_is_served_by_its_first_model_and_shown_with_it() {
    let (dear, cheap) = (Upstream::always(Reply::chat("dear")), Upstream::always(Reply::chat("cheap")));
    let app = App::start(&pool(&dear, &cheap));
    let body = r#"{"messages": [] , "model" :"sm\u0061rt","temperature":0.70}"#;
    assert_eq!(app.client().request("POST", "/v1/chat/completions", body.as_bytes()).status, 200);
    let sent = r#"{"messages": [] , "model" :"dear","temperature":0.70}"#;
    assert_eq!(dear.received()[0].body, sent.as_bytes(), "the name alone changes");
    assert_eq!(cheap.calls(), 0);
    app.logged("POST /v1/chat/completions smart → a (dear) from 127.0.0.1 attempts=1 status=200");
    let ids: Vec<Value> = app.client().get("/v1/models").json()["data"].as_array().expect("a list").clone();
    let ids: Vec<&str> = ids.iter().map(|model| model["id"].as_str().expect("a text")).collect();
    assert_eq!(ids, ["cheap", "dear", "smart"]);
    assert_eq!(app.client().get("/v1/models/smart").status, 200);
}

#[test]
fn the_next_model_serves_while_the_first_has_no_room() {
    for (field, limit) in
        [("rpm", json!(1)), ("modelLimits", json!({ "dear": { "rpm": 1 } })), ("enabled", json!(false))]
    {
        let (dear, cheap) = (Upstream::always(Reply::chat("dear")), Upstream::always(Reply::chat("cheap")));
        let mut config = pool(&dear, &cheap);
        config["apis"][0][field] = limit;
        let app = App::start(&config);
        for _ in 0..3 {
            assert_eq!(ask(&app, "smart").status, 200, "{field}");
        }
        let of_dear = usize::from(field != "enabled");
        assert_eq!((dear.calls(), cheap.calls()), (of_dear, 3 - of_dear), "{field}");
        app.logged("smart → b (cheap)");
    }
}

#[test]
fn the_next_model_serves_what_all_upstreams_of_the_first_have_failed() {
    for status in [500, 503, 429, 401, 404] {
        let (dear, cheap) = (Upstream::always(Reply::error(status, "no")), Upstream::always(Reply::chat("cheap")));
        let mut config = config_of(&[&dear, &dear, &cheap]);
        for (i, model) in ["dear", "dear", "cheap"].into_iter().enumerate() {
            config["apis"][i]["models"] = json!([model]);
        }
        config["aliases"] = json!({ "smart": ["dear", "cheap"] });
        let app = App::start(&config);
        assert_eq!(ask(&app, "smart").status, 200, "{status}");
        assert_eq!((dear.calls(), cheap.calls()), (2, 1), "{status}");
        app.logged("smart → c (cheap) from 127.0.0.1 attempts=3 status=200");
    }
}

#[test]
fn one_account_serves_the_next_model_after_a_failure_of_its_first() {
    let upstream = Upstream::start(|request| match request.json()["model"].as_str() {
        Some("dear") => Reply::error(529, "overloaded"),
        _ => Reply::chat("hi"),
    });
    let mut config = config_of(&[&upstream]);
    config["apis"][0]["models"] = json!(["dear", "cheap"]);
    config["aliases"] = json!({ "smart": ["dear", "cheap"] });
    let launch = Launch::new(&config).env("LOG_FORMAT", "json");
    let app = launch.start();
    assert_eq!(ask(&app, "smart").status, 200);
    assert_eq!(models(&upstream), ["dear", "cheap"]);
    app.logged(r#""model":"smart","upstream":"a","upstreamModel":"cheap""#);
    app.logged(r#""model":"dear""#);
}

#[test]
fn a_prompt_that_is_too_long_goes_to_the_next_model_at_once() {
    let failed = json!({ "type": "response.failed", "response": { "status": "failed",
        "error": { "code": "context_length_exceeded", "message": "x" } } });
    let in_stream = Reply::events(&[&format!("data: {failed}\n\n")]);
    let worded = json!({ "error": { "message": "This model's maximum context length is 9 tokens", "code": 400 } });
    let large = json!({ "error": { "message": "too large", "type": "invalid_request_error" } });
    for (reply, path, stream) in [
        (too_long(), "/v1/chat/completions", false),
        (too_long(), "/v1/chat/completions", true),
        (Reply::json(400, &worded), "/v1/chat/completions", false),
        (Reply::json(413, &large), "/v1/chat/completions", false),
        (in_stream, "/v1/responses", true),
    ] {
        let served = match (path, stream) {
            ("/v1/responses", _) => Reply::events(&[
                "data: {\"type\":\"response.output_text.delta\",\"delta\":\"hi\"}\n\n",
                "data: {\"type\":\"response.completed\",\"response\":{\"status\":\"completed\"}}\n\n",
            ]),
            (_, true) => {
                Reply::events(&["data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\n", "data: [DONE]\n\n"])
            }
            (_, false) => Reply::chat("hi"),
        };
        let (dear, cheap) = (Upstream::always(reply), Upstream::always(served));
        let mut config = config_of(&[&dear, &dear, &cheap]);
        for (i, model) in ["dear", "dear", "cheap"].into_iter().enumerate() {
            config["apis"][i]["models"] = json!([model]);
        }
        config["aliases"] = json!({ "smart": ["dear", "cheap"] });
        let app = App::start(&config);
        let answer =
            app.client().post(path, &json!({ "model": "smart", "stream": stream, "messages": [], "input": "x" }));
        assert_eq!(answer.status, 200, "{path} {stream}");
        let text = answer.text();
        assert!(text.contains("hi") && !text.contains("context"), "{path} {stream}: {text}");
        // A stream with the pool's own `stream_options` is asked for once more without them.
        let calls = if stream && path != "/v1/responses" { 2 } else { 1 };
        assert_eq!((dear.calls(), cheap.calls()), (calls, 1), "{path} {stream}");
        assert_eq!(app.status_of("a")["available"], true, "held against nobody");
    }
}

#[test]
fn a_prompt_too_long_for_the_last_model_and_any_other_mistake_go_back_unchanged() {
    let (dear, cheap) = (Upstream::always(too_long()), Upstream::always(too_long()));
    let app = App::start(&pool(&dear, &cheap));
    assert_eq!(ask(&app, "smart").error(), (400, "context_length_exceeded".into()));
    assert_eq!((dear.calls(), cheap.calls()), (1, 1));
    assert_eq!(ask(&app, "dear").error(), (400, "context_length_exceeded".into()), "no alias, no other model");
    assert_eq!((dear.calls(), cheap.calls()), (2, 1));
    let dear = Upstream::always(Reply::error(400, "bad role"));
    let app = App::start(&pool(&dear, &cheap));
    assert_eq!(ask(&app, "smart").status, 400);
    assert_eq!((dear.calls(), cheap.calls()), (1, 1));
}

#[test]
fn all_models_together_have_the_attempts_of_one_request() {
    let failing = Upstream::always(Reply::error(500, "no"));
    let mut config = config_of(&[&failing, &failing, &failing, &failing]);
    for i in 0..4 {
        config["apis"][i]["models"] = json!(["dear", "cheap"]);
    }
    config["aliases"] = json!({ "smart": ["dear", "cheap"] });
    config["retry"] = json!({ "maxAttempts": 5 });
    let app = App::start(&config);
    assert_eq!(ask(&app, "smart").status, 500);
    assert_eq!(models(&failing), ["dear", "dear", "dear", "dear", "cheap"]);
}

#[test]
fn a_refusal_names_all_accounts_and_the_soonest_time() {
    let (dear, cheap) = (Upstream::always(Reply::chat("dear")), Upstream::always(Reply::chat("cheap")));
    let mut config = pool(&dear, &cheap);
    config["apis"][0]["burst"] = json!({ "requests": 1, "seconds": 50 });
    config["apis"][1]["burst"] = json!({ "requests": 1, "seconds": 20 });
    let app = App::start(&config);
    assert_eq!((ask(&app, "smart").status, ask(&app, "smart").status), (200, 200));
    let refused = ask(&app, "smart");
    assert_eq!(refused.status, 429);
    let wait: u64 = refused.header("retry-after").expect("a time").parse().expect("a number");
    assert!((15..=21).contains(&wait), "{wait}");
    let error = refused.json()["error"].clone();
    assert_eq!(error["details"].as_array().map(Vec::len), Some(2), "{error}");
    let text = error["message"].as_str().expect("a text");
    assert!(text.starts_with(r#"no API that serves "smart" has room for a request now: a (burst"#), "{text}");
}

#[test]
fn a_request_waits_for_the_model_that_frees_first() {
    let (dear, cheap) = (Upstream::always(Reply::chat("dear")), Upstream::always(Reply::chat("cheap")));
    let mut config = pool(&dear, &cheap);
    config["apis"][0]["burst"] = json!({ "requests": 1, "seconds": 60 });
    config["apis"][1]["burst"] = json!({ "requests": 1, "seconds": 2 });
    config["queue"] = json!({ "maxWaitMs": 10_000 });
    let app = App::start(&config);
    let since = Instant::now();
    for _ in 0..3 {
        assert_eq!(ask(&app, "smart").status, 200);
    }
    assert!(since.elapsed() >= Duration::from_millis(1_900), "{:?}", since.elapsed());
    assert_eq!((dear.calls(), cheap.calls()), (1, 2));
}

#[test]
fn a_resting_first_model_is_left_alone_while_another_can_serve() {
    let (dear, cheap) = (Upstream::always(Reply::error(500, "no")), Upstream::always(Reply::chat("cheap")));
    let mut config = pool(&dear, &cheap);
    config["apis"][1]["burst"] = json!({ "requests": 5, "seconds": 60 });
    let app = App::start(&config);
    for _ in 0..3 {
        assert_eq!(ask(&app, "smart").status, 200);
    }
    eventually("the first rests", || app.status_of("a")["unavailableReason"] == "breaker");
    for _ in 0..2 {
        assert_eq!(ask(&app, "smart").status, 200);
    }
    assert_eq!((dear.calls(), cheap.calls()), (3, 5));
    let refused = ask(&app, "smart");
    assert_eq!(refused.header("retry-after").map(|wait| wait.parse::<u64>().is_ok_and(|wait| wait <= 10)), Some(true));
    assert_eq!(refused.error(), (429, "rate_limit_exceeded".into()), "of the two reasons, a limit passes by itself");
}

#[test]
fn an_alias_may_have_the_name_of_a_model_or_a_pattern() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = config_of(&[&upstream]);
    config["apis"][0]["models"] = json!(["gpt-4o", "org/模型:free", "m"]);
    config["apis"][0]["modelLimits"] = json!({ "gpt-4o": { "rpm": 1 } });
    config["aliases"] = json!({ "gpt-4o": ["gpt-4o", "m"], "claude-*": "org/模型:free", "别名/x:y": ["m"] });
    let app = App::start(&config);
    for model in ["gpt-4o", "gpt-4o", "claude-haiku-4-5", "别名/x:y", "m"] {
        assert_eq!(ask(&app, model).status, 200, "{model}");
    }
    assert_eq!(models(&upstream), ["gpt-4o", "m", "org/模型:free", "m", "m"]);
}

#[test]
fn a_hedge_asks_another_account_for_the_same_model() {
    let silent = Upstream::always(Reply::chat("late").after(Duration::from_secs(20)));
    let (quick, cheap) = (Upstream::always(Reply::chat("quick")), Upstream::always(Reply::chat("cheap")));
    let mut config = config_of(&[&silent, &quick, &cheap]);
    for (i, model) in ["dear", "dear", "cheap"].into_iter().enumerate() {
        config["apis"][i]["models"] = json!([model]);
    }
    config["apis"][1]["priority"] = json!(1);
    config["aliases"] = json!({ "smart": ["dear", "cheap"] });
    config["retry"] = json!({ "hedgeAfterMs": 50 });
    let app = App::start(&config);
    assert!(ask(&app, "smart").text().contains("quick"));
    assert_eq!((silent.calls(), quick.calls(), cheap.calls()), (1, 1, 0));
}

#[test]
fn a_change_of_the_aliases_takes_effect_without_a_restart() {
    let (dear, cheap) = (Upstream::always(Reply::chat("dear")), Upstream::always(Reply::chat("cheap")));
    let mut config = pool(&dear, &cheap);
    let app = App::start(&config);
    assert_eq!(ask(&app, "smart").status, 200);
    config["aliases"] = json!({ "smart": "cheap", "new": "dear" });
    fs::write(app.config_file(), config.to_string()).expect("writes");
    eventually("the new alias is there", || ask(&app, "new").status == 200);
    let before = cheap.calls();
    assert_eq!(ask(&app, "smart").status, 200);
    assert_eq!(cheap.calls(), before + 1);
    config["aliases"] = json!({ "smart": "smart" });
    fs::write(app.config_file(), config.to_string()).expect("writes");
    eventually("the mistake is told", || {
        let status = app.client().get("/v1/status").json();
        status["config"]["lastError"].as_str().is_some_and(|error| error.contains("aliases.smart: names no model"))
    });
    assert_eq!(ask(&app, "new").status, 200, "the old aliases serve");
}

#[test]
fn an_alias_is_explained_model_by_model() {
    let (dear, cheap) = (Upstream::always(Reply::chat("dear")), Upstream::always(Reply::chat("cheap")));
    let mut config = pool(&dear, &cheap);
    config["apis"][0]["rpm"] = json!(1);
    let app = App::start(&config);
    assert_eq!(ask(&app, "smart").status, 200);
    let explain = app.client().get("/v1/status?model=smart").json()["explain"].clone();
    assert_eq!(explain["servedAs"], "cheap");
    assert_eq!(explain["apis"], explain["models"][1]["apis"]);
    assert_eq!(explain["models"][0]["model"], "dear");
    assert_eq!(explain["models"][0]["apis"][0]["reason"], "rpm");
    let told = Launch { folder: app.folder.clone(), args: Vec::new(), env: Vec::new() }
        .command()
        .args(["explain", "--config", "apis.json", "--port", &app.port.to_string(), "--model", "smart"])
        .output()
        .expect("ran");
    let told = String::from_utf8(told.stdout).expect("UTF-8");
    for wanted in ["smart is an alias", "As dear:", "no: rpm", "As cheap:", "It would be served as cheap."] {
        assert!(told.contains(wanted), "no {wanted:?} in:\n{told}");
    }
}
