//! Google's packages for Python and Node, and Gemini CLI. What reaches an upstream through the pool, and what a package makes of the
//! answer, is what it is without the pool. The calls are in `tests/sdk/genai/`.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use super::resources::{Calls, is_not_seen};
use super::tools;
use crate::helpers::{App, KEY, Received, Reply, Step, Upstream, config_of, scratch};

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

#[test]
fn gemini_cli_works_by_the_recipe() {
    let upstream = Upstream::start(answer);
    let mut config = config_of(&[&upstream]);
    config["apis"][0]["geminiBaseUrl"] = json!(upstream.url());
    config["apis"][0]["models"] = json!(["gemini-*"]);
    let app = App::start(&config);
    let (home, work) = (scratch(), scratch());
    fs::create_dir(home.join(".gemini")).expect("made");
    let page = include_str!("../../../docs/agents.md");
    let recipe = page.split("<!-- tested: gemini -->\n```json\n").nth(1).and_then(|rest| rest.split("```").next());
    fs::write(home.join(".gemini/settings.json"), recipe.expect("a recipe")).expect("written");
    let program = tools().join("genai-node/node_modules/.bin/gemini");
    let mut command = Command::new("timeout");
    command.args(["120", "node"]).arg(program).args(["--skip-trust", "-p", "Greet me"]).current_dir(&work);
    command.env_clear().env("PATH", std::env::var_os("PATH").expect("a path")).env("HOME", &home);
    // Nothing may be asked of anybody but the pool.
    let nowhere = ["HTTPS_PROXY", "HTTP_PROXY"].map(|name| (name, "http://127.0.0.1:9"));
    command.envs(nowhere).env("NO_PROXY", "127.0.0.1,localhost");
    command.env("GOOGLE_GEMINI_BASE_URL", format!("http://127.0.0.1:{}", app.port)).env("GEMINI_API_KEY", KEY);
    let output = command.output().expect("timeout is there");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains(SAID), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    // The pool itself asks for the list of models.
    let received: Vec<Received> = upstream.received().into_iter().filter(|sent| sent.method == "POST").collect();
    assert!(!received.is_empty());
    for sent in received {
        assert!(sent.path.starts_with("/v1beta/models/gemini-"), "{}", sent.path);
        assert_eq!(sent.header("x-goog-api-key"), Some("sk-upstream-a-0123456789"));
    }
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
