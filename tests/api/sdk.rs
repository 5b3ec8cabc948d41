//! The official OpenAI packages for Python and Node work with the pool by changing the base URL and the key. What they do
//! and expect is in `tests/sdk/`; here are the upstreams for it.

use std::path::PathBuf;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::helpers::{App, Demo, KEY, Launch, Received, Reply, Step, Upstream};

mod genai;
mod libraries;
mod paths;
mod resources;

/// What every model says, in the pieces that a stream brings it in.
const SAID: [&str; 4] = ["Grüße, ", "世界 ", "🎉 ", "– done."];

#[test]
fn the_python_sdk_works_with_the_pool() {
    Pool::start().serve_to(Sdk::Python);
}

#[test]
fn the_node_sdk_works_with_the_pool() {
    Pool::start().serve_to(Sdk::Node);
}

#[test]
fn the_python_sdk_works_with_the_demo() {
    let demo = Demo::start();
    Sdk::Python.run("demo", demo.port, "sk-123");
}

#[test]
fn the_node_sdk_works_with_the_demo() {
    let demo = Demo::start();
    Sdk::Node.run("demo", demo.port, "sk-123");
}

#[derive(Clone, Copy)]
enum Sdk {
    Python,
    Node,
}

impl Sdk {
    /// Runs its program. Fails with what that has to say.
    fn run(self, against: &str, port: u16, key: &str) {
        let tools = tools();
        let (interpreter, program, stamp) = match self {
            Sdk::Python => (tools.join("venv/bin/python"), "python_sdk.py", "venv/installed.txt"),
            Sdk::Node => (PathBuf::from("node"), "node_sdk.mjs", "node/installed.json"),
        };
        assert!(
            tools.join(stamp).exists(),
            "no OpenAI SDKs in {}: run tests/run, which installs them",
            tools.display()
        );
        printed_by(interpreter, [program, against], [&format!("http://127.0.0.1:{port}/v1"), key]);
    }
}

/// The folder of what `tests/run` installs.
fn tools() -> PathBuf {
    std::env::var_os("API_TOGETHER_TOOLS")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/tools"), PathBuf::from)
}

/// Runs a program of `tests/sdk` with an argument, at a base URL with a key. Returns what the program prints.
fn printed_by(interpreter: PathBuf, [program, argument]: [&str; 2], [base_url, key]: [&str; 2]) -> String {
    // Bounded, as an SDK may sleep for hours before it tries again.
    let mut command = Command::new("timeout");
    let file = format!("{}/tests/sdk/{program}", env!("CARGO_MANIFEST_DIR"));
    command.arg("120").arg(interpreter).args([&file, argument]);
    // SDKs read their base URL, key and proxies from the environment.
    let kept = ["PATH", "HOME"].iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    command.env_clear().envs(kept).env("API_TOGETHER_TOOLS", tools());
    command.env("BASE_URL", base_url).env("API_KEY", key);
    let output = command.output().expect("timeout is there");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {argument}: {}\n{printed}{said}", output.status);
    printed
}

/// A pool whose models behave each in a way of its own.
struct Pool {
    app: App,
    open: Upstream,
    /// Of models that have two upstreams each: the name, and what both do.
    failing: Vec<(&'static str, [Upstream; 2])>,
    breaking: Upstream,
}

impl Pool {
    fn start() -> Pool {
        let open = Upstream::start(answer);
        let beginning = chunk(&json!({ "content": "Half of" }), &Value::Null);
        let breaking = Upstream::always(Reply::stream(vec![Step::event(&beginning.to_string())], false));
        let failing = [
            ("dropping", Reply::drop()),
            ("locked", Reply::error(401, "no such key")),
            ("failing", Reply::error(500, "oops")),
        ]
        .map(|(model, reply)| (model, std::array::from_fn(|_| Upstream::always(reply.clone()))));
        let open_models = json!(["m", "vendor/m", "strict", "numbers-only"]);
        let mut apis = vec![
            json!({ "id": "open", "models": open_models, "modelMapping": { "friendly-name": "m" }, "baseUrl": open.url() }),
            json!({ "id": "minute", "models": ["scarce-minute"], "rpm": 1, "baseUrl": open.url() }),
            json!({ "id": "day", "models": ["scarce-day"], "rpd": 1, "baseUrl": open.url() }),
            json!({ "id": "breaking", "models": ["breaking"], "baseUrl": breaking.url() }),
        ];
        for (model, pair) in &failing {
            apis.extend(pair.iter().zip(["1", "2"]).map(
                |(upstream, nth)| json!({ "id": format!("{model}-{nth}"), "models": [model], "baseUrl": upstream.url() }),
            ));
        }
        for api in &mut apis {
            api["apiKey"] = json!("sk-upstream-0123456789");
        }
        let launch = Launch::new(&json!({ "server": { "apiKey": KEY }, "apis": apis }));
        let app = launch.env("TZ", far_from_midnight()).start();
        Pool { app, open, failing: failing.into(), breaking }
    }

    /// Lets the SDK's program at it, and looks at what went up.
    fn serve_to(&self, sdk: Sdk) {
        sdk.run("pool", self.app.port, KEY);

        let open = self.open.received();
        let others = self.failing.iter().flat_map(|(_, pair)| pair).chain([&self.breaking]);
        for request in others.flat_map(Upstream::received).chain(open.clone()) {
            assert_eq!(request.header("authorization"), Some("Bearer sk-upstream-0123456789"), "{request:?}");
            for kept in ["openai-organization", "openai-project"] {
                assert_eq!(request.header(kept), None, "the client's own {kept} went up: {request:?}");
            }
        }
        assert!(open.iter().all(|request| request.json()["model"] != "friendly-name"), "an alias went up");
        let calls = |model: &str| open.iter().filter(|request| request.json()["model"] == model).count();
        assert_eq!([calls("strict"), calls("scarce-minute"), calls("scarce-day")], [1, 1, 1]);
        for (model, pair) in &self.failing {
            let tries = pair.each_ref().map(Upstream::calls);
            assert_eq!(tries, [1, 1], "each upstream of {model} is tried once");
        }
    }
}

/// A time zone in which a day's quota is not renewed while the test runs.
fn far_from_midnight() -> &'static str {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs();
    if (6..18).contains(&(seconds / 3_600 % 24)) { "UTC0" } else { "TWELVE12" }
}

/// Answers as OpenAI does.
fn answer(request: &Received) -> Reply {
    let asked = request.json();
    let model = asked["model"].as_str().unwrap_or_default();
    match (request.path.as_str(), asked["stream"] == true) {
        ("/v1/chat/completions", _) if model == "strict" => identified(
            400,
            &json!({ "error": {
                "message": "Invalid 'messages': “é”", "type": "invalid_request_error", "param": "messages", "code": "bad",
            } }),
        ),
        ("/v1/chat/completions", false) => identified(
            200,
            &json!({
                "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": model,
                "choices": [{ "index": 0, "message": { "role": "assistant", "content": SAID.concat() }, "finish_reason": "stop" }],
                "usage": usage(),
            }),
        ),
        ("/v1/chat/completions", true) => chat_events(asked["stream_options"]["include_usage"] == true),
        ("/v1/completions", _) => Reply::json(
            200,
            &json!({
                "id": "cmpl-1", "object": "text_completion", "created": 1, "model": model,
                "choices": [{ "index": 0, "text": SAID.concat(), "finish_reason": "stop", "logprobs": null }],
                "usage": usage(),
            }),
        ),
        ("/v1/embeddings", _) => embedding(asked["encoding_format"] == "base64" && model != "numbers-only"),
        ("/v1/moderations", _) => Reply::json(
            200,
            &json!({ "id": "modr-1", "model": model, "results": [{
                "flagged": true, "categories": { "hate": true }, "category_scores": { "hate": 0.75 },
                "category_applied_input_types": { "hate": ["text"] },
            }] }),
        ),
        ("/v1/responses", false) => Reply::json(200, &response("completed")),
        ("/v1/responses", true) => response_events(),
        ("/v1/images/generations", _) => {
            Reply::json(200, &json!({ "created": 1, "data": [{ "b64_json": "aW1hZ2U=" }] }))
        }
        ("/v1/audio/speech", _) => {
            let head = b"HTTP/1.1 200 OK\r\ncontent-type: audio/mpeg\r\ncontent-length: 10240\r\n\r\n";
            Reply::raw([head.as_slice(), &(0..=255).collect::<Vec<u8>>().repeat(40)].concat())
        }
        _ => Reply::error(404, "there is nothing here"),
    }
}

/// A reply that has a request id of the upstream's.
fn identified(status: u16, body: &Value) -> Reply {
    let headers = [("content-type", "application/json"), ("x-request-id", "req-of-the-upstream")];
    Reply::text(status, &headers, &body.to_string())
}

fn usage() -> Value {
    json!({ "prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7 })
}

fn embedding(base64: bool) -> Reply {
    let vector = if base64 { json!("AAAAPwAAgL4AAIA/") } else { json!([0.5, -0.25, 1.0]) };
    Reply::json(
        200,
        &json!({
            "object": "list", "model": "m", "data": [{ "object": "embedding", "index": 0, "embedding": vector }],
            "usage": { "prompt_tokens": 5, "total_tokens": 5 },
        }),
    )
}

/// A chunk of a chat's stream.
fn chunk(delta: &Value, finish_reason: &Value) -> Value {
    json!({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{ "index": 0, "delta": delta, "finish_reason": finish_reason }],
    })
}

fn chat_events(with_usage: bool) -> Reply {
    let mut chunks = vec![chunk(&json!({ "role": "assistant", "content": "" }), &Value::Null)];
    chunks.extend(SAID.map(|piece| chunk(&json!({ "content": piece }), &Value::Null)));
    chunks.push(chunk(&json!({}), &json!("stop")));
    if with_usage {
        chunks.iter_mut().for_each(|chunk| chunk["usage"] = Value::Null);
        let mut last = chunk(&Value::Null, &Value::Null);
        (last["choices"], last["usage"]) = (json!([]), usage());
        chunks.push(last);
    }
    let events: String = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
    shredded(&format!("{events}data: [DONE]\n\n"))
}

/// The object of the Responses API.
fn response(status: &str) -> Value {
    let text = json!({ "type": "output_text", "text": SAID.concat(), "annotations": [] });
    let message =
        json!({ "type": "message", "id": "msg-1", "role": "assistant", "status": "completed", "content": [text] });
    json!({
        "id": "resp-1", "object": "response", "created_at": 1, "model": "m", "status": status, "error": null,
        "output": [message], "parallel_tool_calls": true, "tool_choice": "auto", "tools": [],
        "usage": {
            "input_tokens": 5, "input_tokens_details": { "cached_tokens": 0 },
            "output_tokens": 6, "output_tokens_details": { "reasoning_tokens": 0 }, "total_tokens": 11,
        },
    })
}

fn response_events() -> Reply {
    let mut events = vec![json!({ "type": "response.created", "response": response("in_progress") })];
    events.extend(SAID.map(|piece| {
        json!({
            "type": "response.output_text.delta", "delta": piece, "item_id": "msg-1", "output_index": 0, "content_index": 0,
            "logprobs": [],
        })
    }));
    events.push(json!({ "type": "response.completed", "response": response("completed") }));
    let text = events.iter_mut().enumerate().map(|(nth, event)| {
        event["sequence_number"] = json!(nth);
        format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default())
    });
    shredded(&text.collect::<String>())
}

/// A stream in pieces of seven bytes, which end anywhere: inside a character, too.
fn shredded(events: &str) -> Reply {
    Reply::stream(events.as_bytes().chunks(7).map(Step::chunk).collect(), true)
}
