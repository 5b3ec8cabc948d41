//! Google's packages for Python and Node. What reaches an upstream through the pool, and what a package makes of the answer, is what it
//! is without the pool. The calls are in `tests/sdk/genai/`. (Gemini CLI: `tests/clients/`.)

use serde_json::{Value, json};

use super::resources::{Calls, is_not_seen};
use crate::helpers::{Received, Reply, Step};

/// What the model says.
const SAID: &str = "Grüße, 世界 🎉";

#[test]
fn the_pool_is_not_seen_by_googles_package_for_python() {
    let (interpreter, program) = ("genai-venv/bin/python", "genai/calls.py");
    is_not_seen(&Calls { interpreter, program, client: "", answer });
}

#[test]
fn the_pool_is_not_seen_by_googles_package_for_node() {
    is_not_seen(&Calls { interpreter: "node", program: "genai/calls.mjs", client: "", answer });
}

/// Answers as Google does.
fn answer(request: &Received) -> Reply {
    let path = request.path.split('?').next().unwrap_or_default();
    match path.rsplit(':').next().unwrap_or_default() {
        "countTokens" => Reply::json(200, &json!({ "totalTokens": 4 })),
        "embedContent" => Reply::json(200, &json!({ "embedding": { "values": [0.5] } })),
        "batchEmbedContents" => {
            let asked = request.json()["requests"].as_array().map_or(0, Vec::len);
            Reply::json(200, &json!({ "embeddings": vec![json!({ "values": [0.5, 1.0] }); asked] }))
        }
        "streamGenerateContent" => {
            let pieces = [piece("Grüße, ", 2, None), piece("世界 🎉", 5, Some("STOP"))];
            let events: String = pieces.iter().map(|piece| format!("data: {piece}\r\n\r\n")).collect();
            Reply::stream(events.as_bytes().chunks(7).map(Step::chunk).collect(), true)
        }
        _ => Reply::json(200, &piece(SAID, 7, Some("STOP"))),
    }
}

fn piece(text: &str, tokens: u64, finish: Option<&str>) -> Value {
    let content = json!({ "parts": [{ "text": text }], "role": "model" });
    json!({
        "candidates": [{ "content": content, "finishReason": finish, "index": 0 }], "modelVersion": "m-001",
        "usageMetadata": { "promptTokenCount": 10, "candidatesTokenCount": tokens, "totalTokenCount": 10 + tokens },
    })
}
