//! Azure's classic form as an upstream: paths, query and key to the byte.

use serde_json::{Value, json};

use crate::helpers::websocket::{WsClient, WsUpstream};
use crate::helpers::{App, Launch, Received, Reply, Upstream, config_at, config_with, eventually};

const UPSTREAM_KEY: &str = "sk-upstream-a-0123456789";

/// A pool of one upstream in the classic form, with these fields beside.
fn classic(upstream: &Upstream, fields: &Value) -> App {
    let mut config = config_with(upstream, fields);
    config["apis"][0]["apiVersion"] = json!("2024-10-21");
    App::start(&config)
}

/// The one request that is not about the list of models.
fn last(upstream: &Upstream) -> Received {
    let last = upstream.received().pop().expect("a request");
    assert_eq!((last.header("api-key"), last.header("authorization")), (Some(UPSTREAM_KEY), None), "{}", last.path);
    last
}

fn chat(model: &str) -> Value {
    json!({ "model": model, "messages": [{ "role": "user", "content": "hi" }] })
}

#[test]
fn what_runs_a_model_goes_to_its_deployment() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = classic(&upstream, &json!({ "models": ["m", "org/a b?é"], "modelMapping": { "mine": "theirs" } }));
    for (path, model, wanted) in [
        ("/v1/chat/completions", "m", "/openai/deployments/m/chat/completions?api-version=2024-10-21"),
        ("/v1/chat/completions", "mine", "/openai/deployments/theirs/chat/completions?api-version=2024-10-21"),
        (
            "/v1/chat/completions",
            "org/a b?é",
            "/openai/deployments/org%2Fa%20b%3F%C3%A9/chat/completions?api-version=2024-10-21",
        ),
        (
            "/openai/deployments/m/chat/completions?api-version=2020-01-01&x=%2f",
            "m",
            "/openai/deployments/m/chat/completions?api-version=2024-10-21&x=%2f",
        ),
        ("/v1/completions", "m", "/openai/deployments/m/completions?api-version=2024-10-21"),
        ("/v1/embeddings", "m", "/openai/deployments/m/embeddings?api-version=2024-10-21"),
        ("/v1/audio/speech", "m", "/openai/deployments/m/audio/speech?api-version=2024-10-21"),
        ("/v1/images/generations", "m", "/openai/deployments/m/images/generations?api-version=2024-10-21"),
        ("/v1/responses", "m", "/openai/responses?api-version=2024-10-21"),
    ] {
        let mut body = chat(model);
        body["input"] = json!("hi");
        body["prompt"] = json!("hi");
        if path.ends_with("/responses") {
            body.as_object_mut().expect("fields").remove("messages");
        }
        app.client().post(path, &body);
        let sent = last(&upstream);
        assert_eq!((sent.method.as_str(), sent.path.as_str()), ("POST", wanted), "{path}");
    }
}

#[test]
fn a_stream_passes_and_another_account_is_asked_in_its_own_form() {
    let failing = Upstream::always(Reply::error(500, "not today"));
    let events = [
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"},\"finish_reason\":\"stop\"}]}\n\n",
        "data: [DONE]\n\n",
    ];
    let streaming = Upstream::always(Reply::events(&events));
    let mut config = config_at(&[failing.url(), streaming.url()]);
    config["apis"][0]["priority"] = json!(-1);
    config["apis"][1]["apiVersion"] = json!("2025-04-01-preview");
    config["apis"][1]["baseUrl"] = json!(format!("{}/openai/", streaming.url()));
    config["apis"][1]["auth"] = json!("bearer");
    let app = App::start(&config);
    let mut asked = chat("m");
    asked["stream"] = json!(true);
    let answer = app.client().post("/v1/chat/completions", &asked);
    assert_eq!(answer.status, 200);
    let text = answer.text();
    assert!(text.contains("\"content\":\"hi\"") && text.contains("[DONE]"), "{text}");
    let plain = failing.received().pop().expect("a request");
    assert_eq!((plain.path.as_str(), plain.header("api-key")), ("/v1/chat/completions", None));
    let sent = streaming.received().pop().expect("a request");
    assert_eq!(sent.path, "/openai/deployments/m/chat/completions?api-version=2025-04-01-preview");
    assert!(sent.header("authorization").is_some_and(|value| value.starts_with("Bearer sk-upstream-")));
    assert_eq!((sent.header("api-key"), &sent.json()["model"]), (None, &json!("m")));
}

#[test]
fn a_form_goes_to_the_deployment_byte_for_byte() {
    let upstream = Upstream::always(Reply::json(200, &json!({ "text": "hello" })));
    let app =
        classic(&upstream, &json!({ "modelMapping": { "m": "whisper-of-theirs" }, "models": ["whisper-of-theirs"] }));
    let form = |model: &str| {
        format!(
            "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.mp3\"\r\n\r\nsound\r\n\
             --B\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n{model}\r\n--B--\r\n"
        )
    };
    let client = app.client().header("content-type", "multipart/form-data; boundary=B");
    assert_eq!(client.request("POST", "/v1/audio/transcriptions", form("m").as_bytes()).json()["text"], "hello");
    let sent = last(&upstream);
    let wanted = "/openai/deployments/whisper-of-theirs/audio/transcriptions?api-version=2024-10-21";
    assert_eq!((sent.method.as_str(), sent.path.as_str()), ("POST", wanted));
    assert_eq!(sent.header("content-type"), Some("multipart/form-data; boundary=B"));
    assert_eq!(String::from_utf8_lossy(&sent.body), form("whisper-of-theirs"));
}

#[test]
fn objects_stand_beside_the_deployments() {
    let upstream = Upstream::start(|request| match request.path.starts_with("/openai/batches/") {
        true => Reply::json(200, &json!({ "id": "batch_1", "object": "batch", "status": "completed" })),
        false => Reply::json(200, &json!({ "id": "batch_1", "object": "batch", "status": "validating" })),
    });
    let app = classic(&upstream, &json!({}));
    let asked = json!({ "input_file_id": "file-1", "endpoint": "/chat/completions", "completion_window": "24h" });
    assert_eq!(app.client().post("/v1/batches", &asked).status, 200);
    assert_eq!(last(&upstream).path, "/openai/batches?api-version=2024-10-21");
    let polled = app.client().get("/v1/batches/batch_1?api-version=2020-01-01");
    assert_eq!(polled.json()["status"], "completed");
    let sent = last(&upstream);
    assert_eq!((sent.method.as_str(), sent.path.as_str()), ("GET", "/openai/batches/batch_1?api-version=2024-10-21"));
}

#[test]
fn models_are_discovered_in_the_same_form() {
    let upstream = Upstream::start(|request| match request.method.as_str() {
        "GET" => Reply::json(200, &json!({ "object": "list", "data": [{ "id": "gpt-of-theirs" }] })),
        _ => Reply::chat("hi"),
    });
    let mut config = config_with(&upstream, &json!({ "apiVersion": "2024-10-21" }));
    config["apis"][0].as_object_mut().expect("an API").remove("models");
    let app = App::start(&config);
    eventually("the list is there", || app.client().post("/v1/chat/completions", &chat("gpt-of-theirs")).status == 200);
    let received = upstream.received();
    assert_eq!(
        (received[0].method.as_str(), received[0].path.as_str()),
        ("GET", "/openai/models?api-version=2024-10-21")
    );
    assert_eq!(received[0].header("api-key"), Some(UPSTREAM_KEY));
    assert_eq!(last(&upstream).path, "/openai/deployments/gpt-of-theirs/chat/completions?api-version=2024-10-21");
}

#[test]
fn a_test_of_the_account_asks_its_deployment() {
    let upstream = Upstream::always(Reply::chat("hello"));
    let launch = Launch::new(&config_with(&upstream, &json!({ "apiVersion": "2024-10-21" })));
    let output = launch.command().args(["test", "a", "m", "--config", "apis.json"]).output().expect("runs");
    let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert_eq!(last(&upstream).path, "/openai/deployments/m/chat/completions?api-version=2024-10-21");
}

#[test]
fn a_websocket_is_opened_in_the_same_form() {
    let upstream = WsUpstream::answering();
    let mut config = config_at(&[upstream.url()]);
    config["apis"][0]["apiVersion"] = json!("2025-04-01-preview");
    let app = App::start(&config);
    let mut client = WsClient::to(&app);
    client.create();
    client.response();
    for handshake in upstream.handshakes() {
        let begin = "get /openai/responses?api-version=2025-04-01-preview http/1.1\r\n";
        assert!(
            handshake.starts_with(begin) && handshake.contains("api-key: sk-upstream-a-0123456789\r\n"),
            "{handshake}"
        );
    }
}

#[test]
fn a_wrong_date_and_anthropics_format_beside_are_told_with_the_mend() {
    let upstream = Upstream::always(Reply::chat("hi"));
    for (fields, says) in [
        (json!({ "apiVersion": "2024-13-01" }), "apis[0].apiVersion: must be a date as Azure lists them"),
        (json!({ "apiVersion": "preview" }), "leave apiVersion out for a baseUrl that ends in /openai/v1"),
        (json!({ "apiVersion": 2024 }), "apis[0].apiVersion: must be a string"),
        (
            json!({ "apiVersion": "2024-10-21", "anthropicBaseUrl": "https://x.example" }),
            "apis[0].apiVersion: is for Azure's classic form of OpenAI's API alone; give anthropicBaseUrl in an",
        ),
        (
            json!({ "apiVersion": "2024-10-21", "baseUrl": "https://x.openai.azure.com/openai/deployments/m" }),
            "apis[0].baseUrl: must be the resource alone, such as https://NAME.openai.azure.com",
        ),
    ] {
        let launch = Launch::new(&config_with(&upstream, &fields));
        let output = launch.command().args(["check", "--config", "apis.json"]).output().expect("runs");
        let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(!output.status.success() && told.contains(says), "{fields}: {told}");
    }
}
