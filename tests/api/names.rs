//! Names of models: patterns, aliases, suggestions, and the name in the answer.

use serde_json::{Value, json};

use crate::helpers::{App, Reply, Response, Upstream, config_of, eventually};

fn ask(app: &App, model: &str) -> Response {
    app.client().post("/v1/chat/completions", &json!({ "model": model, "messages": [] }))
}

fn listed(app: &App) -> Vec<String> {
    let list = app.client().get("/v1/models").json();
    let ids = list["data"].as_array().expect("a list").iter().map(|model| model["id"].as_str().expect("a text"));
    ids.map(str::to_owned).collect()
}

/// An upstream with a list of its own, that serves every name.
fn with_list(names: &'static [&'static str]) -> Upstream {
    Upstream::start(move |request| match request.path.as_str() {
        "/v1/models" => {
            let models: Vec<Value> = names.iter().map(|name| json!({ "id": name })).collect();
            Reply::json(200, &json!({ "object": "list", "data": models }))
        }
        _ => Reply::chat("hi"),
    })
}

#[test]
fn a_pattern_serves_every_matching_name_and_lists_those_that_the_upstream_has() {
    let (claude, any) = (with_list(&["claude-opus-4-8", "claude-haiku-4-5", "gpt-4o"]), with_list(&[]));
    let mut config = config_of(&[&claude, &any]);
    config["apis"][0]["models"] = json!(["claude-*", "模型/*"]);
    config["apis"][1]["models"] = json!(["gpt-*-mini", "exact:free"]);
    let app = App::start(&config);
    for (model, status) in [
        ("claude-opus-4-8", 200),
        ("claude-not-in-its-list", 200),
        ("模型/x:free", 200),
        ("gpt-4o-mini", 200),
        ("exact:free", 200),
        ("gpt-4o", 404),
        ("claude", 404),
        ("Claude-opus-4-8", 404),
    ] {
        assert_eq!(ask(&app, model).status, status, "{model}");
    }
    assert_eq!(listed(&app), ["claude-haiku-4-5", "claude-opus-4-8", "exact:free"], "real names, and no pattern");
    let asked: Vec<Value> = claude.received().iter().filter(|r| r.method == "POST").map(|r| r.json()).collect();
    assert_eq!(asked[1]["model"], "claude-not-in-its-list", "to the upstream under the asked name");
    let names = &app.status_of("a")["models"];
    assert_eq!(*names, json!(["claude-haiku-4-5", "claude-opus-4-8", "claude-*", "模型/*"]));
}

#[test]
fn a_pattern_is_served_when_the_upstream_cannot_be_asked_for_its_list() {
    for status in [404, 401, 500] {
        let upstream = Upstream::start(move |request| match request.path.as_str() {
            "/v1/models" => Reply::error(status, "no list"),
            _ => Reply::chat("hi"),
        });
        let mut config = config_of(&[&upstream]);
        config["apis"][0]["models"] = json!(["*"]);
        let app = App::start(&config);
        assert_eq!(ask(&app, "anything").status, 200, "{status}");
        assert_eq!(listed(&app), [] as [&str; 0]);
    }
}

#[test]
fn a_pattern_maps_what_agents_choose_to_what_the_pool_has() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = config_of(&[&upstream]);
    config["apis"][0]["models"] = json!(["claude-sonnet-4-5", "deepseek-chat"]);
    config["apis"][0]["modelMapping"] = json!({ "claude-*": "claude-sonnet-4-5", "claude-haiku-*": "deepseek-chat" });
    let app = App::start(&config);
    for (asked, own) in [
        ("claude-opus-4-8", "claude-sonnet-4-5"),
        ("claude-haiku-4-5-20251001", "deepseek-chat"),
        ("claude-sonnet-4-5", "claude-sonnet-4-5"),
        ("deepseek-chat", "deepseek-chat"),
    ] {
        let before = upstream.calls();
        assert_eq!(ask(&app, asked).status, 200, "{asked}");
        assert_eq!(upstream.received()[before].json()["model"], own, "{asked}");
    }
    assert_eq!(ask(&app, "gpt-4o").status, 404);
    assert_eq!(listed(&app), ["claude-sonnet-4-5", "deepseek-chat"]);
}

#[test]
fn a_refused_model_rests_by_its_own_name_and_not_by_the_pattern() {
    let gone = json!({ "error": { "message": "gone", "code": "model_not_found" } });
    let upstream = Upstream::start(move |request| match request.json()["model"].as_str() {
        Some("claude-gone") => Reply::json(404, &gone),
        _ => Reply::chat("hi"),
    });
    let mut config = config_of(&[&upstream]);
    config["apis"][0]["models"] = json!(["claude-*"]);
    let app = App::start(&config);
    assert_eq!(ask(&app, "claude-gone").status, 404);
    eventually("the model rests", || app.status_of("a")["absentModels"][0]["model"] == "claude-gone");
    let calls = upstream.calls();
    assert_eq!(ask(&app, "claude-gone").status, 404);
    assert_eq!(upstream.calls(), calls, "without a call");
    assert_eq!(ask(&app, "claude-here").status, 200);
}

#[test]
fn a_name_that_does_not_exist_gets_those_that_were_probably_meant() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = config_of(&[&upstream]);
    config["apis"][0]["models"] = json!(["gpt-4o-mini", "deepseek-chat"]);
    config["aliases"] = json!({ "smart": "gpt-4o-mini" });
    let app = App::start(&config);
    for (asked, meant) in [
        ("gpt-4o-mni", "; did you mean \"gpt-4o-mini\"? GET"),
        ("openai/GPT-4o-mini", "; did you mean \"gpt-4o-mini\"? GET"),
        ("smrt", "; did you mean \"smart\"? GET"),
        ("llama", "in this pool; GET"),
    ] {
        let answer = ask(&app, asked);
        assert_eq!(answer.status, 404);
        let error = answer.json()["error"].clone();
        assert!(error["message"].as_str().expect("a text").contains(meant), "{asked}: {error}");
        assert_eq!((&error["code"], &error["param"]), (&json!("model_not_found"), &json!("model")));
        assert_eq!(app.client().get(&format!("/v1/models/{asked}")).json()["error"], error, "{asked}");
    }
    assert_eq!(upstream.calls(), 0);
}

#[test]
fn a_dead_key_makes_no_mistyped_model_wait_for_its_list() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let dead = Upstream::always(Reply::error(401, "Incorrect API key"));
    let mut config = config_of(&[&upstream, &dead]);
    config["apis"][0]["models"] = json!(["gpt-4o-mini"]);
    config["apis"][1].as_object_mut().expect("an object").remove("models");
    let app = App::start(&config);
    eventually("the list was refused", || app.status_of("b")["lastError"]["class"] == "unauthorized");
    let refused = ask(&app, "gpt-4o-mni");
    assert_eq!(refused.status, 404);
    let told = refused.text();
    assert!(told.contains("did you mean"), "{told}");
    let explained = app.client().get("/v1/status?model=gpt-4o-mni").json()["explain"].clone();
    assert_eq!((&explained["refusal"]["status"], &explained["similar"]), (&json!(404), &json!(["gpt-4o-mini"])));
    assert_eq!(explained["apis"][1]["reason"], "models_unknown");
    app.logged("b: could not be asked for its models");
}

#[test]
fn answers_have_the_asked_name_if_that_is_wished_for() {
    let event = r#"data: {"id":"c","model":"own","choices":[{"delta":{"content":"hi"}}]}"#;
    let upstream = Upstream::start(move |request| match request.json()["stream"].as_bool() {
        Some(true) => Reply::events(&[&format!("{event}\n\n"), "data: [DONE]\n\n"]),
        _ => Reply::json(200, &json!({ "model": "own", "choices": [{ "message": { "content": "hi" } }] })),
    });
    for echo in [false, true] {
        let mut config = config_of(&[&upstream]);
        config["apis"][0]["models"] = json!(["own"]);
        config["aliases"] = json!({ "smart": "own" });
        config["server"]["echoModel"] = json!(echo);
        let app = App::start(&config);
        let named = if echo { "smart" } else { "own" };
        assert_eq!(ask(&app, "smart").json()["model"], named);
        let stream =
            app.client().post("/v1/chat/completions", &json!({ "model": "smart", "stream": true, "messages": [] }));
        let text = stream.text();
        assert_eq!(text, format!("{}\n\ndata: [DONE]\n\n", event.replace("own", named)), "{echo}");
    }
}

#[test]
fn endless_made_up_names_cost_bounded_memory() {
    const NAMES: usize = 3_000;
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = config_of(&[&upstream]);
    config["apis"][0]["models"] = json!(["*"]);
    config["apis"][0]["rpm"] = json!(1_000_000);
    let app = App::start(&config);
    let resident = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", app.pid())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0 kB").trim().to_owned();
        line.trim_end_matches(" kB").parse::<usize>().expect("a number")
    };
    let mut sizes = Vec::new();
    for round in 0..3 {
        for i in 0..NAMES / 3 {
            let name = format!("{round}-{i}-{}", "x".repeat(200));
            assert_eq!(ask(&app, &name).status, 200);
        }
        sizes.push(resident());
    }
    // The first thousand fill what is bounded.
    assert!(sizes[2] < sizes[0] + 4_096, "kB after each thousand names: {sizes:?}");
}
