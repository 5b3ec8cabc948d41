//! Every resource of the official packages of OpenAI and Anthropic: what reaches an upstream through the pool, and what
//! comes back from there, is what it is without the pool. The calls are those of `tests/sdk/resources.json`.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{printed_by, tools};
use crate::helpers::{App, KEY, Received, Reply, Step, Upstream, config_of};

/// The upstream's key, with the pool and without.
const UPSTREAM_KEY: &str = "sk-upstream-a-0123456789";
/// What of a request's head an upstream goes by, beside the key.
const HEADERS: [&str; 6] =
    ["accept", "anthropic-beta", "anthropic-version", "openai-beta", "range", "x-goog-api-client"];
/// What is said of a body, if there is one.
const BODY_HEADERS: [&str; 2] = ["content-length", "content-type"];
/// Where a key may stand.
const KEY_HEADERS: [&str; 4] = ["api-key", "authorization", "x-api-key", "x-goog-api-key"];
/// Where the Azure classes call a deployment. The pool's accounts have OpenAI's paths.
const DEPLOYMENT: &str = "/openai/deployments/m/";

/// Calls that are made without the pool, and through it.
pub(super) struct Calls {
    /// Below the folder of tools, or a program of the system.
    pub(super) interpreter: &'static str,
    /// In `tests/sdk`.
    pub(super) program: &'static str,
    /// An argument.
    pub(super) client: &'static str,
    pub(super) answer: fn(&Received) -> Reply,
}

const fn python(client: &'static str) -> Calls {
    Calls { interpreter: "clients-venv/bin/python", program: "resources.py", client, answer }
}

const fn node(client: &'static str) -> Calls {
    Calls { interpreter: "node", program: "resources.mjs", client, answer }
}

#[test]
fn the_pool_is_not_seen_by_any_resource_of_openai_for_python() {
    is_not_seen(&python("openai"));
}

/// What the package for Node lacks in the version of the tests.
#[test]
fn the_pool_is_not_seen_by_agents_voices_and_decisions_of_openai_for_python() {
    is_not_seen(&python("agents"));
}

#[test]
fn the_pool_is_not_seen_by_any_resource_of_openai_for_node() {
    is_not_seen(&node("openai"));
}

#[test]
fn the_pool_is_not_seen_by_any_resource_of_anthropic_for_python() {
    is_not_seen(&python("anthropic"));
}

#[test]
fn the_pool_is_not_seen_by_any_resource_of_anthropic_for_node() {
    is_not_seen(&node("anthropic"));
}

#[test]
fn the_pool_is_not_seen_by_the_azure_classes_for_python() {
    is_not_seen(&python("azure"));
}

#[test]
fn the_pool_is_not_seen_by_the_azure_classes_for_node() {
    is_not_seen(&node("azure"));
}

/// Makes all calls at an upstream, and again through a pool in front of the upstream.
pub(super) fn is_not_seen(calls: &Calls) {
    let upstream = Upstream::start(calls.answer);
    let mut config = config_of(&[&upstream]);
    config["apis"][0]["anthropicBaseUrl"] = json!(upstream.url());
    config["apis"][0]["geminiBaseUrl"] = json!(upstream.url());
    let app = App::start(&config);

    let returned = outcomes(calls, [&upstream.url(), UPSTREAM_KEY]);
    let direct = upstream.received();
    let pooled = outcomes(calls, [&format!("http://127.0.0.1:{}", app.port), KEY]);
    let through: Vec<Received> = upstream.received().split_off(direct.len());

    let raised: Vec<&String> = returned.iter().filter(|one| one.contains("\"raised\"")).collect();
    assert!(raised.is_empty(), "raised without the pool: {raised:#?}");
    let are_all_sent = returned.len() >= 5 && direct.len() >= returned.len();
    assert!(are_all_sent, "{} requests of {} calls: {returned:#?}", direct.len(), returned.len());
    let differences = returned.iter().zip(&pooled).filter(|(one, other)| one != other);
    let mut faults: Vec<String> = differences.map(|(one, other)| format!("returned {other}\n  not {one}")).collect();
    if direct.len() == through.len() {
        let seen = through.iter().zip(&direct).map(|(through, direct)| (sent(through), sent(direct)));
        faults.extend(seen.filter(|(one, other)| one != other).map(|(one, other)| format!("sent {one}\n not {other}")));
    } else {
        faults.push(format!("{} requests came directly, {} through the pool", direct.len(), through.len()));
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// A line for each call: its name, and what the call returned.
fn outcomes(calls: &Calls, at: [&str; 2]) -> Vec<String> {
    let tools = tools();
    let installed = tools.join(calls.interpreter);
    let interpreter = if installed.is_file() { installed } else { PathBuf::from(calls.interpreter) };
    let missing = format!("no SDKs in {}: run tests/run, which installs them", tools.display());
    assert!(tools.join("clients-node/installed.json").exists(), "{missing}");
    let printed = printed_by(interpreter, [calls.program, calls.client], at);
    // Absolute URLs in an answer are those of the server that was asked.
    printed.lines().map(|line| line.replace(at[0], "BASE")).collect()
}

/// All of a request that an upstream goes by, with one boundary for all forms.
fn sent(request: &Received) -> String {
    let boundary = request.header("content-type").and_then(|kind| kind.split_once("boundary=")).map(|(_, rest)| rest);
    let of_body = if request.body.is_empty() { &[][..] } else { &BODY_HEADERS[..] };
    let named = |name: &&str| Some(format!("{name}: {}\n", request.header(name)?));
    let headers: String = HEADERS.iter().chain(of_body).filter_map(named).collect();
    let keys: Vec<&str> = KEY_HEADERS.iter().filter_map(|name| request.header(name)).collect();
    let keys = keys.join(", ").replace("Bearer ", "");
    let path = request.path.replace(DEPLOYMENT, "/v1/");
    let body: String = request.body.iter().map(|byte| char::from(*byte)).collect();
    let text = format!("{} {path}\nkey: {keys}\n{headers}\n{}", request.method, body.escape_debug());
    boundary.map_or(text.clone(), |boundary| text.replace(boundary.trim_matches('"'), "BOUNDARY"))
}

/// Answers so that each package finds what it looks for.
pub(super) fn answer(request: &Received) -> Reply {
    let (path, _) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let body = String::from_utf8_lossy(&request.body);
    if ["\"stream\":true", "\"stream\": true", "name=\"stream\"\r\n\r\ntrue"].iter().any(|asked| body.contains(asked)) {
        return stream(path);
    }
    if request.header("accept") == Some("text/event-stream") || path.ends_with("/stream") {
        return stream(path);
    }
    let object = object();
    match path.rsplit('/').next() {
        Some("content" | "speech" | "download") if !path.contains("/vector_stores/") => {
            let head = b"HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: 10240\r\n\r\n";
            Reply::raw([head.as_slice(), &(0..=255).collect::<Vec<u8>>().repeat(40)].concat()).kept()
        }
        Some("results") => {
            Reply::text(200, &[("content-type", "application/x-jsonl")], &format!("{object}\n{object}\n"))
        }
        Some(id) if id.starts_with("msgbatch_") => {
            let host = request.header("host").unwrap_or_default();
            Reply::json(200, &json!({ "id": id, "results_url": format!("http://{host}{path}/results") }))
        }
        Some(_) | None => Reply::json(200, &object),
    }
}

/// An object that has a part of every kind.
fn object() -> Value {
    let listed = |id: &str, created_at: u64| json!({ "id": id, "created_at": created_at, "embedding": "AAAAPw==" });
    json!({
        "id": "made-1", "object": "list", "type": "message", "role": "assistant", "stop_reason": "end_turn",
        "data": [listed("x-8", 9), listed("x-9", 1)], "text": "hi",
        "first_id": "x-8", "last_id": "x-9", "has_more": false, "results": [{ "index": 0, "flagged": false }],
        "choices": [{ "text": "hi", "message": { "role": "assistant", "content": "hi" }, "finish_reason": "stop" }],
        "output": [{ "type": "message", "content": [{ "type": "output_text", "text": "hi" }] }],
        "content": [{ "type": "text", "text": "hi" }], "input_tokens": 3, "odd": 1.50, "usage": { "input_tokens": 1 },
    })
}

/// The events of a stream, in pieces of seven bytes.
fn stream(path: &str) -> Reply {
    let choice = json!({ "index": 0, "delta": { "content": "Grüße 🎉" }, "finish_reason": "stop" });
    let chunk = json!({ "id": "c-1", "choices": [choice] });
    let response = json!({ "id": "resp_9", "object": "response", "output": [] });
    let events = match path.rsplit('/').next() {
        Some("completions") => vec![("", chunk)],
        Some("responses") => vec![
            ("response.created", json!({ "type": "response.created", "response": response })),
            ("response.output_text.delta", json!({ "type": "response.output_text.delta", "delta": "Grüße" })),
            ("response.completed", json!({ "type": "response.completed", "response": response })),
        ],
        Some("messages") => vec![
            ("message_start", json!({ "type": "message_start", "message": object() })),
            ("message_delta", json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn" }, "usage": {} })),
            ("message_stop", json!({ "type": "message_stop" })),
        ],
        Some("transcriptions") => vec![
            ("", json!({ "type": "transcript.text.delta", "delta": "Grüße" })),
            ("", json!({ "type": "transcript.text.done", "text": "Grüße" })),
        ],
        Some(_) | None => vec![("thread.run.created", json!({ "id": "run_9", "thread_id": "thread_1" }))],
    };
    let named = |name: &str| if name.is_empty() { String::new() } else { format!("event: {name}\n") };
    let mut text: String = events.iter().map(|(name, data)| format!("{}data: {data}\n\n", named(name))).collect();
    if path.ends_with("completions") {
        text.push_str("data: [DONE]\n\n");
    } else if path.ends_with("runs") {
        text.push_str("event: done\ndata: [DONE]\n\n");
    }
    Reply::stream(text.as_bytes().chunks(7).map(Step::chunk).collect(), true)
}
