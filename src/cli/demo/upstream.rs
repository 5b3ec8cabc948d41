//! A small OpenAI-format API in this process: chats, streams, embeds, lists models.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use actix_web::web::{Bytes, Data, Json};
use actix_web::{App, HttpResponse, HttpServer, web};
use base64::Engine;
use futures_util::stream::{self, Stream, StreamExt};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::mailbox::spawn;
use crate::types::Now;

pub(super) const CHAT_MODEL: &str = "demo-chat";
pub(super) const EMBEDDING_MODEL: &str = "demo-embedding";

/// How an upstream behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Temper {
    /// Always answers.
    Steady,
    /// Fails every third request.
    Moody,
}

struct Demo {
    temper: Temper,
    requests: AtomicU32,
    /// Ends the upstream.
    death: Notify,
}

/// Starts an upstream on the loopback interface, on this port or, if that is taken, on a free one. Returns the port.
pub(super) fn start(temper: Temper, port: u16) -> io::Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", port)).or_else(|_| TcpListener::bind(("127.0.0.1", 0)))?;
    let port = listener.local_addr()?.port();
    let demo = Data::from(Arc::new(Demo { temper, requests: AtomicU32::new(0), death: Notify::new() }));
    let dying = demo.clone();
    let app = move || {
        App::new()
            .app_data(demo.clone())
            .app_data(web::JsonConfig::default().limit(64 << 20))
            .route("/v1/chat/completions", web::post().to(chat))
            .route("/v1/embeddings", web::post().to(embeddings))
            .route("/v1/models", web::get().to(models))
            .route("/die", web::post().to(die))
    };
    let server = HttpServer::new(app).workers(1).disable_signals().listen(listener)?.run();
    let handle = server.handle();
    spawn(async move {
        // The server ends with the process, or as below.
        let _ = server.await;
    });
    spawn(async move {
        dying.death.notified().await;
        handle.stop(false).await;
    });
    Ok(port)
}

/// Ends this upstream: from now on connections are refused, as by a provider that is down.
async fn die(demo: Data<Demo>) -> HttpResponse {
    demo.death.notify_one();
    HttpResponse::Ok().body(format!("{:?} is dead\n", demo.temper))
}

#[derive(Deserialize)]
struct Chat {
    model: String,
    #[serde(default)]
    messages: Vec<Value>,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    stream_options: Option<DemoStreamOptions>,
}

#[derive(Deserialize)]
struct DemoStreamOptions {
    #[serde(default)]
    include_usage: Option<bool>,
}

async fn chat(demo: Data<Demo>, Json(asked): Json<Chat>) -> HttpResponse {
    let nth = demo.requests.fetch_add(1, Ordering::Relaxed) + 1;
    if demo.temper == Temper::Moody && nth.is_multiple_of(3) {
        let error =
            json!({ "error": { "message": "the demo is in a bad mood", "type": "server_error", "code": null } });
        return HttpResponse::ServiceUnavailable().json(error);
    }
    let words = reply(&asked, demo.temper);
    let usage = usage(&asked, words.len());
    if asked.stream.unwrap_or(false) {
        let wants_usage = asked.stream_options.and_then(|options| options.include_usage).unwrap_or(false);
        let events = events(&asked.model, words, wants_usage.then_some(usage));
        return HttpResponse::Ok().content_type("text/event-stream").streaming(paced(events));
    }
    let message = json!({ "role": "assistant", "content": words.concat() });
    HttpResponse::Ok().json(json!({
        "id": "chatcmpl-demo", "object": "chat.completion", "created": Now::read().wall / 1_000, "model": asked.model,
        "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }], "usage": usage,
    }))
}

fn reply(asked: &Chat, temper: Temper) -> Vec<String> {
    let said = asked.messages.last().and_then(|m| m.get("content")).and_then(Value::as_str).unwrap_or("nothing");
    let text = format!("Hello from the {temper:?} demo API. You said: {said} (No account was harmed.)");
    text.split_inclusive(' ').map(str::to_owned).collect()
}

fn usage(asked: &Chat, words: usize) -> Value {
    let prompt: usize = asked.messages.iter().map(|m| m.to_string().len().div_ceil(4)).sum();
    json!({ "prompt_tokens": prompt, "completion_tokens": words, "total_tokens": prompt + words })
}

fn events(model: &str, words: Vec<String>, usage: Option<Value>) -> Vec<String> {
    let created = Now::read().wall / 1_000;
    let chunk = |choices: Value, usage: Option<&Value>| {
        let mut chunk = json!({
            "id": "chatcmpl-demo", "object": "chat.completion.chunk", "created": created, "model": model,
            "choices": choices,
        });
        if let (Some(usage), Some(fields)) = (usage, chunk.as_object_mut()) {
            fields.insert("usage".to_owned(), usage.clone());
        }
        format!("data: {chunk}\n\n")
    };
    // With usage asked for, every chunk has the field: null, but for the last.
    let none_yet = usage.as_ref().map(|_| Value::Null);
    let choice = |delta: Value, reason: Value| json!([{ "index": 0, "delta": delta, "finish_reason": reason }]);
    let mut events = vec![chunk(choice(json!({ "role": "assistant", "content": "" }), Value::Null), none_yet.as_ref())];
    events.extend(words.iter().map(|word| chunk(choice(json!({ "content": word }), Value::Null), none_yet.as_ref())));
    events.push(chunk(choice(json!({}), json!("stop")), none_yet.as_ref()));
    events.extend(usage.map(|usage| chunk(json!([]), Some(&usage))));
    events.push("data: [DONE]\n\n".to_owned());
    events
}

/// As a model writes: word by word.
fn paced(events: Vec<String>) -> impl Stream<Item = Result<Bytes, io::Error>> {
    stream::iter(events).then(|event| async {
        tokio::time::sleep(Duration::from_millis(40)).await;
        Ok(Bytes::from(event))
    })
}

#[derive(Deserialize)]
struct Embed {
    model: String,
    input: Value,
    #[serde(default)]
    encoding_format: Option<String>,
}

async fn embeddings(Json(asked): Json<Embed>) -> HttpResponse {
    let inputs = asked.input.as_array().map_or(std::slice::from_ref(&asked.input), Vec::as_slice);
    let texts: Vec<String> = inputs.iter().map(ToString::to_string).collect();
    let data: Vec<Value> = texts
        .iter()
        .enumerate()
        .map(|(index, text)| json!({ "object": "embedding", "index": index, "embedding": encoded(&embed(text), &asked) }))
        .collect();
    let tokens: usize = texts.iter().map(|text| text.len().div_ceil(4)).sum();
    HttpResponse::Ok().json(json!({
        "object": "list", "data": data, "model": asked.model,
        "usage": { "prompt_tokens": tokens, "total_tokens": tokens },
    }))
}

/// Numbers, or their little-endian bytes in base64, as clients ask for by default.
fn encoded(numbers: &[f32], asked: &Embed) -> Value {
    if asked.encoding_format.as_deref() != Some("base64") {
        return json!(numbers);
    }
    let bytes: Vec<u8> = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
    json!(base64::engine::general_purpose::STANDARD.encode(bytes))
}

/// Eight numbers of length 1, made from the text and without a meaning.
fn embed(text: &str) -> Vec<f32> {
    let mut sums = [0.0_f32; 8];
    for (sum, byte) in (0..8).cycle().zip(text.bytes()) {
        if let Some(sum) = sums.get_mut(sum) {
            *sum += f32::from(byte);
        }
    }
    let length = sums.iter().map(|x| x * x).sum::<f32>().sqrt().max(1.0);
    sums.iter().map(|x| x / length).collect()
}

async fn models() -> HttpResponse {
    let data = [CHAT_MODEL, EMBEDDING_MODEL]
        .map(|id| json!({ "id": id, "object": "model", "created": 1_700_000_000, "owned_by": "demo" }));
    HttpResponse::Ok().json(json!({ "object": "list", "data": data }))
}
