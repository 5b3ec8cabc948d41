//! `check --online` and `test`: what accounts say of themselves, and what to do about it.

use std::net::TcpListener;

use serde_json::{Value, json};

use crate::helpers::{Launch, Reply, Step, Upstream, config_at, config_of, config_with};

/// Runs a command on a configuration. Returns the exit code and all that was said.
fn run(config: &Value, args: &[&str]) -> (Option<i32>, String) {
    let output = Launch::new(config).command().args(args).args(["--config", "apis.json"]).output().expect("ran");
    (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).expect("UTF-8"))
}

fn list(names: &[&str]) -> Reply {
    let models: Vec<Value> = names.iter().map(|name| json!({ "id": name })).collect();
    Reply::json(200, &json!({ "object": "list", "data": models }))
}

/// A list for the right key alone.
fn guarded(names: &'static [&'static str]) -> Upstream {
    Upstream::start(move |request| match request.header("authorization") {
        Some("Bearer sk-upstream-a-0123456789") => list(names),
        _ => Reply::error(401, "no key"),
    })
}

fn page() -> Reply {
    Reply::text(200, &[("content-type", "text/html")], "<html><body>Welcome</body></html>")
}

#[test]
fn an_account_that_lists_its_models_can_serve_and_is_asked_for_nothing_else() {
    let upstream = guarded(&["m", "n"]);
    let (code, told) = run(&config_of(&[&upstream]), &["check", "--online"]);
    assert!(code == Some(0) && told.contains("a 200, 2 models\n"), "{told}");
    assert!(upstream.received().iter().all(|request| request.method == "GET" && request.path == "/v1/models"));
    let config = config_with(&upstream, &json!({ "models": ["m", "mm"], "modelMapping": { "x": "o" } }));
    let (code, told) = run(&config, &["check", "--online"]);
    assert!(code == Some(0) && told.contains("; not in its list: mm (did you mean m?), o"), "{told}");
}

#[test]
fn a_list_that_everybody_gets_proves_no_key() {
    let upstream = Upstream::always(list(&["m"]));
    let (code, told) = run(&config_of(&[&upstream]), &["check", "--online"]);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("a 200, 1 model; the list comes without a key, too") && told.contains("test a"), "{told}");
}

#[test]
fn an_account_that_cannot_serve_is_named_with_its_mend() {
    let refused = format!("Incorrect API key provided: {}", "sk-upstream-a-0123456789");
    for (reply, says) in [
        (Reply::error(401, &refused), &[r#"a 401 "Incorrect API key provided: ***": check its apiKey"#][..]),
        (Reply::error(403, "no access"), &[r#"a 403 "no access": "#]),
        (Reply::error(404, "not found"), &["a 404, nothing at http://127.0.0.1:", "/v1/models: is its baseUrl right?"]),
        (Reply::error(429, "slow down"), &[r#"a 429 "slow down": the account is at its limit"#]),
        (Reply::error(500, "oops"), &[r#"a 500 "oops": see its provider's status page"#]),
        (page(), &["a 200, but its answer is no list of models: check its baseUrl"]),
        (Reply::drop(), &["a ", "check its baseUrl"]),
    ] {
        let upstream = Upstream::always(reply);
        let (code, told) = run(&config_of(&[&upstream]), &["check", "--online"]);
        for says in says {
            assert!(told.contains(says), "no {says:?} in {told}");
        }
        assert!(code == Some(1) && told.contains("1 of 1 accounts can't serve"), "{told}");
        assert!(!told.contains("sk-upstream-a-0123456789"), "{told}");
    }
}

#[test]
fn a_provider_without_a_list_is_no_failure_where_the_base_url_is_the_presets() {
    let upstream = Upstream::always(Reply::error(404, "not found"));
    let presets =
        json!({ "asOf": "2026-11-28", "providers": { "mine": { "name": "Mine", "baseUrl": upstream.url() } } });
    let entry = |base: Value| json!({ "id": "a", "provider": "mine", "apiKey": "sk-4f9Qm2Zk7w", "models": ["m"], "baseUrl": base });
    for (base, code, says) in
        [(json!(null), 0, "has no list of models"), (json!(upstream.url()), 1, "is its baseUrl right?")]
    {
        let mut entry = entry(base);
        if entry["baseUrl"].is_null() {
            entry.as_object_mut().expect("an entry").remove("baseUrl");
        }
        let launch = Launch::new(&json!({ "server": { "apiKey": "sk-4f9Qm2Zk7wXx" }, "apis": [entry] }));
        std::fs::write(launch.folder.join("presets.json"), presets.to_string()).expect("writes");
        let output = launch.command().args(["check", "--online", "--config", "apis.json"]).output().expect("ran");
        let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.code() == Some(code) && told.contains(says), "{told}");
    }
}

#[test]
fn accounts_are_asked_at_the_same_time_and_a_silent_one_holds_up_nobody() {
    let nobody = TcpListener::bind("127.0.0.1:0").and_then(|taken| taken.local_addr()).expect("a free port");
    let silent = [0, 1].map(|_| Upstream::always(list(&["m"]).held()));
    let good = guarded(&["m"]);
    let urls = [good.url(), silent[0].url(), silent[1].url(), format!("http://{nobody}")];
    let mut config = config_at(&urls);
    config["apis"][3]["id"] = json!("closed");
    let started = std::time::Instant::now();
    let (code, told) = run(&config, &["check", "--online"]);
    assert!(started.elapsed().as_secs() < 18, "one after the other: {told}");
    for says in
        ["a 200, 1 model\n", "b no answer in time", "c no answer in time", "closed no connection (Connection refused"]
    {
        assert!(told.contains(says), "no {says:?} in {told}");
    }
    assert!(code == Some(1) && told.contains("3 of 4 accounts can't serve"), "{told}");
}

fn stream() -> Reply {
    let event = |text: &str| json!({ "model": "m-1", "choices": [{ "delta": { "content": text } }] }).to_string();
    let end = json!({ "choices": [{ "delta": {}, "finish_reason": "stop" }] }).to_string();
    let usage = json!({ "choices": [], "usage": { "prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11 } });
    let events = [event("Hel"), event("lo!"), end, usage.to_string(), "[DONE]".to_owned()];
    Reply::stream(events.iter().map(|event| Step::event(event)).collect(), true)
}

#[test]
fn a_word_is_sent_through_the_account_itself_and_its_answer_shown() {
    let upstream = Upstream::always(stream());
    let config = config_with(&upstream, &json!({ "modelMapping": { "x": "m" } }));
    for args in [&["test", "a"][..], &["test", "a", "m"], &["test", "a", "x"]] {
        let (code, told) = run(&config, args);
        assert_eq!(code, Some(0), "{told}");
        let url = format!("{}/v1/chat/completions", upstream.url());
        for says in [&url, "costs one request", "Hello!", "200, streamed, as m-1: first token", "tokens: 9 + 2 = 11"] {
            assert!(told.contains(says), "no {says:?} in {told}");
        }
        assert_eq!(upstream.received().last().expect("asked").json()["model"], "m");
    }
    assert_eq!(upstream.calls(), 3);
}

#[test]
fn an_answer_in_one_piece_will_do_and_so_will_one_without_stream_options() {
    let whole = Upstream::always(Reply::chat("Hello"));
    let (code, told) = run(&config_of(&[&whole]), &["test", "a"]);
    assert!(
        code == Some(0) && told.contains("in one piece (no stream came)") && told.contains("tokens: 3 + 4 = 7"),
        "{told}"
    );
    let strict = Upstream::start(|request| match request.json().get("stream_options") {
        Some(_) => Reply::error(422, "extra fields not permitted"),
        None => stream(),
    });
    let (code, told) = run(&config_of(&[&strict]), &["test", "a"]);
    assert!(code == Some(0) && told.contains("it refuses stream_options"), "{told}");
    let (code, told) = run(&config_with(&strict, &json!({ "streamUsage": "unasked" })), &["test", "a"]);
    assert!(code == Some(0) && !told.contains("it refuses"), "{told}");
    assert_eq!(strict.calls(), 3, "an entry that says so is not asked in vain");
}

#[test]
fn anthropics_format_is_spoken_where_the_account_speaks_it() {
    let events = [
        ("message_start", json!({ "message": { "model": "c-1", "usage": { "input_tokens": 9, "output_tokens": 1 } } })),
        ("content_block_delta", json!({ "index": 0, "delta": { "type": "text_delta", "text": "Hello" } })),
        ("message_delta", json!({ "delta": { "stop_reason": "end_turn" }, "usage": { "output_tokens": 2 } })),
        ("message_stop", json!({})),
    ];
    let steps = events.iter().map(|(name, data)| {
        let mut data = data.clone();
        data["type"] = json!(name);
        Step::chunk(format!("event: {name}\ndata: {data}\n\n").as_bytes())
    });
    let upstream = Upstream::always(Reply::stream(steps.collect(), true));
    let mut config = config_of(&[&upstream]);
    let api = config["apis"][0].as_object_mut().expect("an API");
    let url = api.remove("baseUrl").expect("there");
    api.insert("anthropicBaseUrl".to_owned(), url);
    let (code, told) = run(&config, &["test", "a"]);
    assert!(
        code == Some(0) && told.contains("Hello") && told.contains("as c-1") && told.contains("9 + 2 = 11"),
        "{told}"
    );
    let asked = upstream.received().remove(0);
    assert_eq!((asked.path.as_str(), asked.header("x-api-key")), ("/v1/messages", Some("sk-upstream-a-0123456789")));
    assert!(asked.header("anthropic-version").is_some() && asked.json()["max_tokens"].is_u64());
    let (code, told) = run(&config, &["test", "a", "--format", "openai"]);
    assert!(code == Some(2) && told.contains("only anthropicBaseUrl"), "{told}");
}

#[test]
fn a_refusal_is_shown_in_the_upstreams_own_words_with_the_mend_and_without_the_key() {
    let quoting = "Incorrect API key provided: sk-upstream-a-0123456789";
    let in_stream = Reply::events(&["data: {\"error\":{\"message\":\"out of memory\",\"code\":500}}\n\n"]);
    for (reply, says) in [
        (Reply::error(401, quoting), r#"a: 401 "Incorrect API key provided: ***": check its apiKey"#),
        (Reply::error(404, "no model m"), r#"a: 404 "no model m": check its baseUrl, and whether it has the model m"#),
        (Reply::error(400, "m is not a chat model"), r#"a: 400 "m is not a chat model": "#),
        (Reply::error(429, "slow down"), r#"a: 429 "slow down": "#),
        (in_stream, "out of memory"),
        (page(), "check its baseUrl"),
        (Reply::drop(), "check its baseUrl"),
    ] {
        let upstream = Upstream::always(reply);
        let (code, told) = run(&config_of(&[&upstream]), &["test", "a"]);
        assert!(code == Some(1) && told.contains(says), "no {says:?} in {told}");
        assert!(!told.contains("sk-upstream-a-0123456789"), "{told}");
    }
}

#[test]
fn an_account_that_is_not_there_is_named_with_what_was_meant() {
    let upstream = Upstream::always(stream());
    let mut config = config_of(&[&upstream]);
    config["apis"][0]["id"] = json!("groq-1");
    for (typed, says) in [("groq1", "did you mean groq-1?"), ("sk-secret-typed-here", "there are: groq-1")] {
        let (code, told) = run(&config, &["test", typed]);
        assert!(code == Some(2) && told.contains(says) && !told.contains(typed), "{told}");
    }
    assert_eq!(upstream.calls(), 0);
}

#[test]
fn without_a_model_a_small_one_of_the_accounts_list_is_asked() {
    let upstream = Upstream::start(|request| match request.path.as_str() {
        "/v1/models" => list(&["embed-1", "big", "big-mini"]),
        _ => stream(),
    });
    let mut config = config_of(&[&upstream]);
    config["apis"][0].as_object_mut().expect("an API").remove("models");
    let (code, told) = run(&config, &["test", "a"]);
    assert!(code == Some(0) && told.contains("a: big-mini at "), "{told}");
}
