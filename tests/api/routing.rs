//! Which upstream is asked for what, and how.

use std::time::Duration;

use serde_json::{Value, json};

use crate::helpers::{App, Reply, Upstream, config_of, eventually};

#[test]
fn a_model_goes_to_an_upstream_that_serves_it_under_its_own_name() {
    let (first, second) = (Upstream::always(Reply::chat("first")), Upstream::always(Reply::chat("second")));
    let mut config = config_of(&[&first, &second]);
    config["apis"][0]["models"] = json!(["gpt-4"]);
    config["apis"][1]["models"] = json!(["own-name"]);
    config["apis"][1]["modelMapping"] = json!({ "alias": "own-name" });
    let app = App::start(&config);
    let ask = |body: &str| app.client().request("POST", "/v1/chat/completions", body.as_bytes());

    let body = r#"{"messages": [{"role":"user","content":"model"}] , "model" :"gpt-4","temperature":0.70}"#;
    assert_eq!(ask(body).status, 200);
    assert_eq!(first.received()[0].body, body.as_bytes(), "to the byte");
    assert_eq!(ask(r#"{"temperature":0.70,"model":"al\u0069as","n":1}"#).status, 200);
    assert_eq!(second.received()[0].body, br#"{"temperature":0.70,"model":"own-name","n":1}"#);
    assert_eq!((first.calls(), second.calls()), (1, 1));
}

#[test]
fn a_model_that_nobody_serves_is_a_404_without_a_call() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::on(&[&upstream]);
    let answer = app.client().post("/v1/chat/completions", &json!({ "model": "gpt-99", "messages": [] }));
    assert_eq!(answer.status, 404);
    let body = answer.json();
    assert_eq!(body["error"]["code"], "model_not_found");
    assert!(body["error"]["message"].as_str().expect("a text").contains("gpt-99"), "{body}");
    assert_eq!(upstream.calls(), 0);
}

#[test]
fn every_way_to_write_a_base_url_reaches_every_operation() {
    let upstream = Upstream::start(|request| match request.path.rsplit('/').next() {
        Some("completions") => Reply::chat("hi"),
        Some("responses") => {
            let text = json!({ "type": "output_text", "text": "hi" });
            Reply::json(200, &json!({ "object": "response", "output": [{ "type": "message", "content": [text] }] }))
        }
        Some("moderations") => Reply::json(200, &json!({ "results": [{ "flagged": false }] })),
        Some("speech") => Reply::text(200, &[("content-type", "audio/mpeg")], "sound"),
        _ => Reply::json(200, &json!({ "data": [{ "embedding": [0.1], "url": "http://x" }] })),
    });
    for (base, root) in [
        ("", "/v1"),
        ("/", "/v1"),
        ("/v1", "/v1"),
        ("/v1/", "/v1"),
        ("/proxy/openai/v1", "/proxy/openai/v1"),
        ("/proxy/openai", "/proxy/openai/v1"),
        ("/api/paas/v4/", "/api/paas/v4"),
    ] {
        let mut config = config_of(&[&upstream]);
        config["apis"][0]["baseUrl"] = json!(format!("{}{base}", upstream.url()));
        let app = App::start(&config);
        for path in [
            "/chat/completions",
            "/completions",
            "/embeddings",
            "/moderations",
            "/responses",
            "/images/generations",
            "/audio/speech",
        ] {
            let before = upstream.calls();
            let answer = app.client().post(&format!("/v1{path}"), &json!({ "model": "m" }));
            assert_eq!(answer.status, 200, "{path}");
            let asked = &upstream.received()[before];
            assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", &*format!("{root}{path}")), "{base}");
            assert_eq!(upstream.calls(), before + 1, "{path}: one call");
        }
    }
}

#[test]
fn the_lowest_priority_number_is_used_while_it_can_be() {
    let (cheap, dear) = (Upstream::always(Reply::chat("cheap")), Upstream::always(Reply::chat("dear")));
    let mut config = config_of(&[&cheap, &dear]);
    config["apis"][0]["rpm"] = json!(5);
    config["apis"][1]["priority"] = json!(1);
    let app = App::start(&config);
    for _ in 0..8 {
        assert_eq!(app.chat().status, 200);
    }
    assert_eq!((cheap.calls(), dear.calls()), (5, 3));
}

#[test]
fn weights_share_the_traffic() {
    let (light, heavy) = (Upstream::always(Reply::chat("l")), Upstream::always(Reply::chat("h")));
    let mut config = config_of(&[&light, &heavy]);
    config["apis"][1]["weight"] = json!(9);
    let app = App::start(&config);
    for _ in 0..200 {
        assert_eq!(app.chat().status, 200);
    }
    // 180 are expected; 6 standard deviations are 25.
    assert!((150..200).contains(&heavy.calls()), "{} of 200", heavy.calls());
    assert!(light.calls() > 0, "at random, not in turn");
}

#[test]
fn the_pools_own_list_of_models_is_the_union_of_what_clients_may_ask_for() {
    let (first, second) = (Upstream::always(Reply::chat("")), Upstream::always(Reply::chat("")));
    let third = Upstream::always(Reply::chat(""));
    let mut config = config_of(&[&first, &second, &third]);
    config["apis"][0]["models"] = json!(["a/with/slashes", "shared"]);
    config["apis"][1]["models"] = json!(["shared", "b"]);
    config["apis"][1]["modelMapping"] = json!({ "alias": "b" });
    config["apis"][2]["models"] = json!(["of-a-disabled-one"]);
    config["apis"][2]["enabled"] = json!(false);
    let app = App::start(&config);
    let list = app.client().get("/v1/models").json();
    assert_eq!(list["object"], "list");
    let ids: Vec<&Value> = list["data"].as_array().expect("a list").iter().map(|model| &model["id"]).collect();
    assert_eq!(ids, ["a/with/slashes", "alias", "b", "shared"]);
    for model in list["data"].as_array().expect("a list") {
        assert!(model["object"] == "model" && model["created"].is_i64() && model["owned_by"].is_string(), "{model}");
    }
    for path in ["/v1/models/alias", "/v1/models/a/with/slashes", "/v1/models/a%2Fwith%2Fslashes"] {
        assert_eq!(app.client().get(path).status, 200, "{path}");
    }
    assert_eq!(app.client().get("/v1/models/none").error(), (404, "model_not_found".into()));
    assert_eq!(first.calls() + second.calls() + third.calls(), 0, "the pool answers for itself");
}

#[test]
fn an_upstream_without_a_list_of_models_is_asked_for_it() {
    let upstream = Upstream::start(|request| match request.path.as_str() {
        "/v1/models" => {
            Reply::json(200, &json!({ "object": "list", "data": [{ "id": "told-1" }, { "id": "told-2" }] }))
                .after(Duration::from_millis(400))
        }
        _ => Reply::chat("hi"),
    });
    let mut config = config_of(&[&upstream]);
    config["apis"][0].as_object_mut().expect("an object").remove("models");
    config["apis"][0]["modelMapping"] = json!({ "alias": "told-1" });
    let app = App::start(&config);
    // At once: the first client does not come before the list.
    for model in ["told-1", "told-2", "alias"] {
        let answer = app.client().post("/v1/chat/completions", &json!({ "model": model }));
        assert_eq!(answer.status, 200, "{model}");
    }
    let answer = app.client().post("/v1/chat/completions", &json!({ "model": "untold" }));
    assert_eq!(answer.error(), (404, "model_not_found".into()));
    let asked = &upstream.received()[0];
    assert_eq!(
        (asked.method.as_str(), asked.header("authorization")),
        ("GET", Some("Bearer sk-upstream-a-0123456789"))
    );
    app.logged("a: serves 2 models");
    assert_eq!(app.status_of("a")["usage"]["rpd"], 3, "asking for models is no part of a quota");
}

#[test]
fn an_upstream_that_has_no_such_list_is_tried_for_every_model() {
    let upstream = Upstream::start(|request| match request.path.as_str() {
        "/v1/models" => Reply::error(404, "no such page"),
        _ => Reply::chat("hi"),
    });
    let mut config = config_of(&[&upstream]);
    config["apis"][0].as_object_mut().expect("an object").remove("models");
    let app = App::start(&config);
    eventually("the list was refused", || app.log().contains("has no list of models"));
    assert_eq!(app.client().post("/v1/chat/completions", &json!({ "model": "anything" })).status, 200);
}

#[test]
fn a_list_that_is_refused_or_none_is_logged_with_the_words_the_url_and_what_to_do() {
    for (reply, class, said) in [
        (
            Reply::error(401, "Key sk-upstream-a-0123456789 expired"),
            "unauthorized",
            "401 \"Key *** expired\": check its apiKey",
        ),
        (
            Reply::json(200, &json!({ "status": "ok" })),
            "model_not_found",
            "200, but its answer is no list of models: check its baseUrl and its models",
        ),
    ] {
        let upstream = Upstream::always(reply);
        let mut config = config_of(&[&upstream]);
        config["apis"][0].as_object_mut().expect("an object").remove("models");
        let app = App::start(&config);
        eventually("the list was refused", || app.log().contains("could not be asked for its models"));
        let told = format!("/v1/models: {said}");
        assert!(app.log().contains(&told), "{}", app.log());
        let last = &app.status_of("a")["lastError"];
        assert_eq!(last["class"], class);
        assert!(last["detail"].as_str().is_some_and(|detail| detail.ends_with(&told)), "{last}");
    }
}

#[test]
fn a_disabled_upstream_is_never_asked() {
    for (field, value) in [("enabled", json!(false)), ("rpm", json!(0)), ("rpd", json!(0))] {
        let upstream = Upstream::always(Reply::chat("hi"));
        let mut config = config_of(&[&upstream]);
        config["apis"][0][field] = value;
        let app = App::start(&config);
        assert_eq!(app.chat().error(), (503, "no_available_api".into()), "{field}");
        assert_eq!(upstream.calls(), 0);
        let status = app.status_of("a");
        if field != "enabled" {
            assert_eq!(status["limits"][field], 0, "as it was typed");
        }
        assert_eq!((&status["enabled"], &status["unavailableReason"]), (&json!(false), &json!("disabled")));
    }
}

#[test]
fn what_is_no_request_is_a_400_without_a_call() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::on(&[&upstream]);
    for body in [
        "",
        "{",
        "[]",
        r#"["m",true,{}]"#,
        "null",
        "\"m\"",
        r#"{"messages":[]}"#,
        r#"{"model":1}"#,
        r#"{"model":"m","model":"n"}"#,
    ] {
        let answer = app.client().request("POST", "/v1/chat/completions", body.as_bytes());
        assert_eq!(answer.error().0, 400, "{body}");
    }
    assert_eq!(upstream.calls(), 0);
}

#[test]
fn a_body_over_the_limit_is_a_413_and_one_below_it_passes() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = config_of(&[&upstream]);
    config["server"]["bodyLimitMb"] = json!(1);
    let app = App::start(&config);
    let body = |bytes: usize| json!({ "model": "m", "messages": [{ "role": "user", "content": "x".repeat(bytes) }] });
    assert_eq!(app.client().post("/v1/chat/completions", &body(1_000_000)).status, 200);
    assert_eq!(upstream.received()[0].body.len(), body(1_000_000).to_string().len());
    let answer = app.client().post("/v1/chat/completions", &body(1_100_000));
    assert_eq!(answer.error(), (413, "request_too_large".into()));
    assert_eq!(upstream.calls(), 1);
}

#[test]
fn a_name_of_a_model_forges_no_line_in_the_log() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::on(&[&upstream]);
    app.client().post("/v1/chat/completions", &json!({ "model": "x\r\n2026 ERROR forged\u{1b}[31m" }));
    eventually("it is logged", || app.log().contains("forged"));
    assert!(!app.log().lines().any(|line| line.starts_with("2026 ERROR forged")), "{}", app.log());
    assert!(!app.log().contains('\u{1b}'));
}
