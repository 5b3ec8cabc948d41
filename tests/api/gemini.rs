//! Gemini's own format is passed through: paths, keys, bodies, errors, streams in both forms, limits.

mod failures;
mod streams;

use serde_json::{Value, json};

use crate::helpers::{App, Client, KEY, Received, Reply, Response, Upstream, eventually};

/// The key of the account `a`.
const UPSTREAM_KEY: &str = "AIza-upstream-a-0123456789";

/// An API of Gemini's format alone, with the id `a`, and these fields besides.
fn config(upstream: &Upstream, fields: &Value) -> Value {
    json!({ "server": { "apiKey": KEY }, "apis": [api("a", upstream, fields)] })
}

/// An API of Gemini's format alone.
fn api(id: &str, upstream: &Upstream, fields: &Value) -> Value {
    let key = UPSTREAM_KEY.replace("-a-", &format!("-{id}-"));
    let mut api = json!({ "id": id, "geminiBaseUrl": upstream.url(), "apiKey": key, "models": ["gemini-x"] });
    api.as_object_mut().expect("an API").extend(fields.as_object().expect("fields").clone());
    api
}

/// An answer that says `text`, at the cost of 10 + 4 tokens, with 6 in thought.
fn generation(text: &str) -> Value {
    json!({
        "candidates": [{
            "content": { "parts": [{ "text": text }], "role": "model" }, "finishReason": "STOP", "index": 0,
        }],
        "usageMetadata": {
            "promptTokenCount": 10, "candidatesTokenCount": 4, "thoughtsTokenCount": 6, "totalTokenCount": 20,
        },
        "modelVersion": "gemini-x-001",
    })
}

fn asked() -> Value {
    json!({ "contents": [{ "role": "user", "parts": [{ "text": "Hi" }] }] })
}

/// A client of Gemini's format.
fn client(app: &App) -> Client {
    Client::new(app.port).header("x-goog-api-key", KEY)
}

fn generate(app: &App) -> Response {
    client(app).post("/v1beta/models/gemini-x:generateContent", &asked())
}

/// The status and the words of an error in Google's form. Fails on any other form.
fn error(answer: Response) -> (u16, String, String) {
    let status = answer.status;
    let body = answer.json();
    assert_eq!((&body["error"]["code"], body["error"]["type"].is_null()), (&json!(status), true), "{body}");
    let text = |field: &str| body["error"][field].as_str().unwrap_or_default().to_owned();
    (status, text("status"), text("message"))
}

fn word(answer: Response) -> (u16, String) {
    let (status, word, _) = error(answer);
    (status, word)
}

/// Waits until so many tokens of prompts, of answers and in all are counted.
fn tokens_are(app: &App, wanted: (u64, u64, u64)) {
    eventually(&format!("{wanted:?} are counted"), || {
        let stats = app.client().get("/v1/token/stats").json()["detailedStats"]["a"].clone();
        let of = |name: &str| stats[name].as_u64().unwrap_or_default();
        (of("promptTokens"), of("completionTokens"), of("totalTokens")) == wanted
    });
}

#[test]
fn a_generation_is_passed_through_with_the_accounts_key_and_the_clients_own_headers() {
    let headers = [("content-type", "application/json; charset=UTF-8"), ("server-timing", "gfet4t7; dur=9")];
    let upstream = Upstream::always(Reply::text(200, &headers, &format!(" {}\n", generation("hi"))));
    let app = App::start(&config(&upstream, &json!({ "headers": { "X-Title": "pool" } })));
    let body = r#"{ "contents":[{"parts":[{"text":"ä"}]}], "odd": [1.0e3],"generationConfig":{"maxOutputTokens":9} }"#;
    let client = client(&app).header("x-goog-api-client", "google-genai-sdk/3.6").header("x-server-timeout", "60");
    let client = client.header("openai-organization", "org-client").header("x-goog-user-project", "mine");
    let path = "/v1beta/models/gemini-x:generateContent?x=%2f&key=wrong&y[]=z";
    let answer = client.request("POST", path, body.as_bytes());
    assert_eq!((answer.status, answer.header("server-timing")), (200, Some("gfet4t7; dur=9")));
    assert_eq!(answer.text(), format!(" {}\n", generation("hi")));

    let sent = &upstream.received()[0];
    let path = "/v1beta/models/gemini-x:generateContent?x=%2f&y[]=z";
    assert_eq!((sent.method.as_str(), sent.path.as_str(), sent.body.as_slice()), ("POST", path, body.as_bytes()));
    let header = |name: &str| sent.header(name);
    assert_eq!((header("x-goog-api-key"), header("authorization")), (Some(UPSTREAM_KEY), None));
    assert_eq!((header("x-goog-api-client"), header("x-server-timeout")), (Some("google-genai-sdk/3.6"), Some("60")));
    assert_eq!((header("openai-organization"), header("x-goog-user-project")), (None, None));
    assert_eq!((header("x-title"), header("content-type")), (Some("pool"), Some("application/json")));
    tokens_are(&app, (10, 10, 20));
}

#[test]
fn every_verb_is_served_below_every_version_and_the_version_goes_up() {
    let upstream = Upstream::start(|request: &Received| match request.path.rsplit(':').next() {
        Some("countTokens") => Reply::json(200, &json!({ "totalTokens": 3 })),
        Some("embedContent") => Reply::json(200, &json!({ "embedding": { "values": [0.5] } })),
        Some("batchEmbedContents") => Reply::json(200, &json!({ "embeddings": [{ "values": [0.5] }] })),
        Some(_) | None => Reply::json(200, &generation("hi")),
    });
    let app = App::start(&config(&upstream, &json!({ "models": ["gemini-x", "tunedModels/t-1", "google/gemma:2b"] })));
    let mut calls = 0;
    let mut sent = |typed: &str| {
        let answer = client(&app).post(typed, &asked());
        assert_eq!(answer.status, 200, "{typed}");
        calls += 1;
        let received = upstream.received();
        assert_eq!(received.len(), calls, "{typed}");
        received[calls - 1].path.clone()
    };
    for verb in ["generateContent", "countTokens", "embedContent", "batchEmbedContents"] {
        for (typed, wanted) in [
            ("/v1beta/models/gemini-x", "/v1beta/models/gemini-x"),
            ("/v1/models/gemini-x", "/v1/models/gemini-x"),
            ("/v1alpha/models/gemini-x", "/v1alpha/models/gemini-x"),
            ("/models/gemini-x", "/v1beta/models/gemini-x"),
            ("//v1beta/v1beta/models/gemini-x", "/v1beta/models/gemini-x"),
            ("/v1beta/models/gemini%2Dx", "/v1beta/models/gemini-x"),
            ("/v1beta/tunedModels/t-1", "/v1beta/tunedModels/t-1"),
            ("/v1beta/models/google/gemma:2b", "/v1beta/models/google/gemma:2b"),
        ] {
            assert_eq!(sent(&format!("{typed}:{verb}")), format!("{wanted}:{verb}"));
        }
    }
    // A version of the base URL's own decides.
    let url = format!("{}/v1beta", upstream.url());
    let app = App::start(&config(&upstream, &json!({ "geminiBaseUrl": url })));
    assert_eq!(client(&app).post("/v1/models/gemini-x:generateContent", &asked()).status, 200);
    let last = upstream.received().pop().expect("sent");
    assert_eq!(last.path, "/v1beta/models/gemini-x:generateContent");
}

#[test]
fn the_key_is_taken_from_the_header_or_the_query_and_never_goes_up() {
    let upstream = Upstream::always(Reply::json(200, &generation("hi")));
    let app = App::start(&config(&upstream, &json!({})));
    let bare = || Client::new(app.port);
    let path = "/v1beta/models/gemini-x:generateContent";
    for (client, path) in [
        (bare().header("x-goog-api-key", KEY), path.to_owned()),
        (bare().key(KEY), path.to_owned()),
        (bare(), format!("{path}?key={KEY}")),
        (bare().header("x-goog-api-key", "wrong"), format!("{path}?a=b&key={KEY}&c")),
    ] {
        assert_eq!(client.post(&path, &asked()).status, 200, "{path}");
    }
    for sent in upstream.received() {
        assert!(!format!("{sent:?}").contains(KEY), "{sent:?}");
        assert_eq!((sent.header("x-goog-api-key"), sent.header("authorization")), (Some(UPSTREAM_KEY), None));
        assert!(!sent.path.contains("key"), "{}", sent.path);
    }
    assert_eq!(upstream.received()[3].path, format!("{path}?a=b&c"));
    for (client, path) in [
        (bare(), path.to_owned()),
        (bare().header("x-goog-api-key", "wrong"), path.to_owned()),
        (bare(), format!("{path}?key=wrong")),
        (bare(), "/v1beta/models".to_owned()),
        (bare(), "/v1alpha/nothing".to_owned()),
        (bare(), "/models/gemini-x:generateContent".to_owned()),
    ] {
        assert_eq!(word(client.post(&path, &asked())), (401, "UNAUTHENTICATED".to_owned()), "{path}");
    }
    // Another way of sending the key, for a relay.
    let app = App::start(&config(&upstream, &json!({ "geminiAuth": "bearer" })));
    assert_eq!(generate(&app).status, 200);
    let last = upstream.received().pop().expect("sent");
    assert_eq!((last.header("x-goog-api-key"), last.header("authorization").is_some()), (None, true));
}

#[test]
fn a_mapped_model_and_an_alias_stand_in_the_path_and_in_the_body() {
    let upstream = Upstream::start(|request: &Received| match request.path.rsplit(':').next() {
        Some("batchEmbedContents") => Reply::json(200, &json!({ "embeddings": [{ "values": [0.5] }] })),
        Some(_) | None => Reply::json(200, &generation("hi")),
    });
    let mut config = config(&upstream, &json!({ "models": ["own-1"], "modelMapping": { "gemini-x": "own/1" } }));
    config["aliases"] = json!({ "smart": ["own-1"] });
    config["server"]["echoModel"] = json!(true);
    let app = App::start(&config);
    let post = |path: &str, body: &str| client(&app).request("POST", path, body.as_bytes());
    let embed = r#"{"requests":[{"model":"models/gemini-x","content":{}} , {"model":"models/gemini-x"}]}"#;
    assert_eq!(post("/v1beta/models/gemini-x:batchEmbedContents", embed).status, 200);
    let answer = post("/v1beta/models/smart:generateContent", r#"{"model":"models/smart","contents":[]}"#);
    assert_eq!(answer.json()["modelVersion"], "smart");
    let sent: Vec<(String, String)> =
        upstream.received().into_iter().map(|sent| (sent.path.clone(), text(&sent))).collect();
    assert_eq!(
        sent,
        [
            ("/v1beta/models/own/1:batchEmbedContents".to_owned(), embed.replace("models/gemini-x", "models/own/1")),
            ("/v1beta/models/own-1:generateContent".to_owned(), r#"{"model":"models/own-1","contents":[]}"#.to_owned()),
        ]
    );
    let other = post("/v1beta/models/gemini-x:batchEmbedContents", r#"{"requests":[{"model":"models/own-1"}]}"#);
    let (status, word, message) = error(other);
    assert_eq!((status, word.as_str()), (400, "INVALID_ARGUMENT"));
    assert!(message.contains("names another model than the path does"), "{message}");
    assert_eq!(upstream.calls(), 2);
}

fn text(sent: &Received) -> String {
    String::from_utf8(sent.body.clone()).expect("text")
}

#[test]
fn a_request_goes_only_to_accounts_with_an_address_of_its_format() {
    let openai = Upstream::always(Reply::chat("openai"));
    let gemini = Upstream::always(Reply::json(200, &generation("gemini")));
    let mut config = config(&gemini, &json!({ "models": ["gemini-x", "both"] }));
    let other =
        json!({ "id": "b", "baseUrl": openai.url(), "apiKey": "sk-upstream-b-0123456789", "models": ["m", "both"] });
    config["apis"].as_array_mut().expect("a list").push(other);
    let app = App::start(&config);
    let chat = |model: &str| app.client().post("/v1/chat/completions", &json!({ "model": model, "messages": [] }));
    let generate = |model: &str| client(&app).post(&format!("/v1beta/models/{model}:generateContent"), &asked());
    for _ in 0..4 {
        assert_eq!((chat("both").status, generate("both").status), (200, 200));
    }
    assert_eq!((openai.calls(), gemini.calls()), (4, 4));
    let (status, word, message) = error(generate("m"));
    assert_eq!((status, word.as_str()), (404, "NOT_FOUND"));
    assert!(message.contains("/v1/chat/completions"), "{message}");
    let (status, message) = (chat("gemini-x").status, chat("gemini-x").text());
    assert!(status == 404 && message.contains("/v1beta/models/{model}:generateContent"), "{message}");
    let (_, _, message) = error(generate("gemini-y"));
    assert!(message.contains("does not exist") && message.contains("gemini-x"), "{message}");
}

#[test]
fn models_are_listed_in_geminis_form_by_pages_and_one_by_one() {
    let upstream = Upstream::always(Reply::json(200, &generation("hi")));
    let models = json!(["gemini-a", "gemini-b", "text-embedding-004", "vendor/gemini-c"]);
    let app = App::start(&config(&upstream, &json!({ "models": models })));
    let names = |list: &Value| -> Vec<String> {
        let models = list["models"].as_array().expect("models");
        models.iter().map(|model| model["name"].as_str().unwrap_or_default().to_owned()).collect()
    };
    let all = ["models/gemini-a", "models/gemini-b", "models/text-embedding-004", "models/vendor/gemini-c"];
    for path in ["/v1beta/models", "/v1/models", "/v1alpha/models", "/v1beta/models/"] {
        let list = client(&app).get(path).json();
        assert_eq!((names(&list), list["nextPageToken"].is_null()), (all.map(str::to_owned).to_vec(), true), "{path}");
    }
    let first = app.client().get("/v1beta/models?pageSize=3").json();
    assert_eq!(names(&first), all[..3]);
    let token = first["nextPageToken"].as_str().expect("more");
    let second = app.client().get(&format!("/v1beta/models?pageSize=3&pageToken={token}")).json();
    assert_eq!((names(&second), second["nextPageToken"].is_null()), (vec![all[3].to_owned()], true));
    assert_eq!(word(client(&app).get("/v1beta/models?pageSize=0")), (400, "INVALID_ARGUMENT".to_owned()));

    let one = client(&app).get("/v1beta/models/gemini-a").json();
    let methods = json!(["generateContent", "streamGenerateContent", "countTokens"]);
    let wanted = json!({ "name": "models/gemini-a", "displayName": "gemini-a", "supportedGenerationMethods": methods });
    assert_eq!(one, wanted);
    let embedding = client(&app).get("/v1/models/text-embedding-004").json();
    assert_eq!(embedding["supportedGenerationMethods"][0], "embedContent");
    assert_eq!(client(&app).get("/v1beta/models/vendor/gemini-c").json()["name"], "models/vendor/gemini-c");
    for path in ["/v1beta/models/gemini-z", "/v1/models/gemini-z"] {
        assert_eq!(word(client(&app).get(path)), (404, "NOT_FOUND".to_owned()), "{path}");
    }
}

#[test]
fn an_account_without_models_is_asked_for_geminis_list() {
    let upstream = Upstream::start(|request: &Received| match request.method.as_str() {
        "GET" => Reply::json(200, &json!({ "models": [{ "name": "models/gemini-x" }, { "name": "tunedModels/t-1" }] })),
        _ => Reply::json(200, &generation("hi")),
    });
    let app = App::start(&config(&upstream, &json!({ "models": null })));
    assert_eq!(generate(&app).status, 200);
    let sent = &upstream.received()[0];
    assert_eq!((sent.method.as_str(), sent.path.as_str()), ("GET", "/v1beta/models?pageSize=1000"));
    assert_eq!(sent.header("x-goog-api-key"), Some(UPSTREAM_KEY));
    let tuned = client(&app).post("/v1beta/tunedModels/t-1:generateContent", &asked());
    assert_eq!(tuned.status, 200);
}

#[test]
fn a_count_of_tokens_counts_against_no_limit_and_a_generation_does() {
    let upstream = Upstream::start(|request: &Received| match request.path.rsplit(':').next() {
        Some("countTokens") => Reply::json(200, &json!({ "totalTokens": 3 })),
        Some(_) | None => Reply::json(200, &generation("hi")),
    });
    let app = App::start(&config(&upstream, &json!({ "rpm": 1 })));
    let count = || client(&app).post("/v1beta/models/gemini-x:countTokens", &asked()).status;
    assert_eq!((count(), generate(&app).status, count(), count()), (200, 200, 200, 200));
    let full = generate(&app);
    let body = full.json();
    assert_eq!((&body["error"]["code"], &body["error"]["status"]), (&json!(429), &json!("RESOURCE_EXHAUSTED")));
    let details = body["error"]["details"].as_array().expect("details");
    let of = |kind: &str| {
        let found = details.iter().find(|detail| detail["@type"] == format!("type.googleapis.com/google.rpc.{kind}"));
        found.unwrap_or_else(|| panic!("no {kind}: {body}"))
    };
    assert_eq!(of("ErrorInfo")["domain"], "api-together");
    assert!(of("ErrorInfo")["metadata"]["a"].as_str().is_some_and(|why| why.contains("rpm")), "{body}");
    let delay = of("RetryInfo")["retryDelay"].as_str().and_then(|delay| delay.strip_suffix('s')?.parse::<u64>().ok());
    assert!(delay.is_some_and(|secs| (1..=62).contains(&secs)), "{body}");
    tokens_are(&app, (10, 10, 20));
}

#[test]
fn bad_paths_and_bodies_are_refused_in_googles_form_with_the_mend() {
    let upstream = Upstream::always(Reply::json(200, &generation("hi")));
    let app = App::start(&config(&upstream, &json!({})));
    for (method, path, status, wanted, hint) in [
        ("POST", "/v1beta/models/gemini-x:predict", 404, "NOT_FOUND", "serves generateContent, streamGenerateContent"),
        ("POST", "/v1beta/models/..:generateContent", 400, "INVALID_ARGUMENT", "names no model"),
        ("POST", "/v1beta/models/a%2F..%2Fb:generateContent", 400, "INVALID_ARGUMENT", "names no model"),
        ("POST", "/v1beta/models/:generateContent", 400, "INVALID_ARGUMENT", "names no model"),
        ("POST", "/v1beta/cachedContents", 404, "NOT_FOUND", "unknown request URL"),
        ("PUT", "/v1beta/models/gemini-x:generateContent", 405, "INVALID_ARGUMENT", "not allowed"),
    ] {
        let answer = client(&app).request(method, path, asked().to_string().as_bytes());
        let (found, word, message) = error(answer);
        assert_eq!((found, word.as_str()), (status, wanted), "{path}: {message}");
        assert!(message.contains(hint), "{path}: {message}");
    }
    for body in ["", "[]", "{", "7", "{\"contents\":\"\u{0}\"}"] {
        let answer = client(&app).request("POST", "/v1beta/models/gemini-x:generateContent", body.as_bytes());
        assert_eq!(word(answer), (400, "INVALID_ARGUMENT".to_owned()), "{body:?}");
    }
    assert_eq!(upstream.calls(), 0);
}

#[test]
fn searches_in_the_web_are_counted_beside_the_tokens() {
    let upstream = Upstream::start(|request: &Received| {
        let mut last = generation("hi");
        last["candidates"][0]["groundingMetadata"] =
            json!({ "webSearchQueries": ["one", "two"], "groundingChunks": [] });
        match request.path.contains("alt=sse") {
            false => Reply::json(200, &last),
            true => Reply::events(&[
                &format!("data: {}\n\n", json!({ "candidates": [{ "content": { "parts": [{ "text": "a" }] } }] })),
                &format!("data: {last}\n\n"),
            ]),
        }
    });
    let app = App::start(&config(
        &upstream,
        &json!({ "prices": { "gemini-x": { "input": 0, "output": 0, "perSearch": 0.01 } } }),
    ));
    for path in ["generateContent", "streamGenerateContent?alt=sse"] {
        assert_eq!(client(&app).post(&format!("/v1beta/models/gemini-x:{path}"), &asked()).status, 200);
    }
    let total = || app.client().get("/v1/usage").json()["total"].clone();
    eventually("both are counted", || total()["searches"] == 4);
    assert_eq!(total()["costUsd"], 0.04);
}
