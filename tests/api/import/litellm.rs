//! LiteLLM's own proxy and this program, with the same file, in front of the same scripted upstreams: both answer alike, and send the
//! same model and key upstream. LiteLLM is `litellm-venv` below the tools of `tests/run`. Nothing leaves this machine.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::import;
use crate::helpers::{Client, Launch, Received, Reply, Upstream, scratch};

/// How long LiteLLM may take to start on a busy machine.
const START: Duration = Duration::from_secs(240);

const CONFIG: &str = "
x-common: &common {rpm: 1000, timeout: 30}
model_list:
- model_name: fast
  litellm_params: {<<: *common, model: openai/llama, api_base: URL_A/v1, api_key: sk-account-a-0123456789}
- model_name: slow
  litellm_params: {<<: *common, model: openai/qwen, api_base: URL_B/v1, api_key: os.environ/KEY_B}
- model_name: bare
  litellm_params: {model: openai/org/bare-1, api_base: URL_B, api_key: os.environ/KEY_B, extra_headers: {X-Title: same}}
- model_name: local
  litellm_params: {model: hosted_vllm/served, api_base: URL_B/v1, api_key: sk-account-c-0123456789}
- model_name: claude
  litellm_params: {model: anthropic/claude-sonnet-4-5, api_base: URL_A, api_key: sk-account-d-0123456789}
- model_name: vectors
  litellm_params: {model: openai/text-embedding-3-small, api_base: URL_A/v1, api_key: sk-account-a-0123456789}
router_settings:
  num_retries: 0
  model_group_alias: {gpt-4: fast}
  fallbacks: [{fast: [slow]}]
litellm_settings: {num_retries: 0, telemetry: false}
general_settings: {master_key: sk-of-the-clients-0123456789}
";

/// Answers as the endpoint that was asked, or fails.
fn reply(request: &Received, down: bool) -> Reply {
    if request.method != "POST" {
        return Reply::error(404, "only posts");
    }
    if down {
        return Reply::error(500, "down");
    }
    match request.path.as_str() {
        "/v1/messages" => Reply::json(
            200,
            &json!({
                "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "stop_reason": "end_turn",
                "content": [{ "type": "text", "text": "from claude" }], "usage": { "input_tokens": 3, "output_tokens": 4 },
            }),
        ),
        "/v1/embeddings" => Reply::json(
            200,
            &json!({
                "object": "list", "model": "text-embedding-3-small", "usage": { "prompt_tokens": 3, "total_tokens": 3 },
                "data": [{ "object": "embedding", "index": 0, "embedding": [0.5, 0.25] }],
            }),
        ),
        _ if request.json()["stream"] == true => Reply::events(&[
            "data: {\"id\":\"1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"Hel\"}}]}\n\n",
            "data: {\"id\":\"1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"lo\"},\"finish_reason\":\"stop\"}]}\n\n",
            "data: [DONE]\n\n",
        ]),
        _ => Reply::chat("an answer"),
    }
}

/// LiteLLM as a child process, which ends with the test.
struct LiteLlm {
    child: Child,
    port: u16,
}

impl LiteLlm {
    fn start(folder: &Path) -> LiteLlm {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let tools = std::env::var_os("API_TOGETHER_TOOLS").map_or_else(|| root.join("target/tools"), PathBuf::from);
        let program = tools.join("litellm-venv/bin/litellm");
        assert!(program.exists(), "no {}: run tests/run, which installs it", program.display());
        let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port();
        let log = fs::File::create(folder.join("litellm.log")).expect("made");
        let child = Command::new(program)
            .args(["--config", "input", "--host", "127.0.0.1", "--port", &port.to_string(), "--telemetry", "False"])
            .current_dir(folder)
            .env("KEY_B", "sk-account-b-0123456789")
            // No list of prices, no news, no metrics from the network; and no way there.
            .envs([
                ("LITELLM_LOCAL_MODEL_COST_MAP", "True"),
                ("LITELLM_TELEMETRY", "False"),
                ("DISABLE_ADMIN_UI", "True"),
            ])
            .envs([("HTTPS_PROXY", "http://127.0.0.1:9"), ("NO_PROXY", "127.0.0.1,localhost")])
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a handle"))
            .stderr(log)
            .spawn()
            .expect("starts");
        let mut litellm = LiteLlm { child, port };
        let begin = Instant::now();
        while Client::new(port).try_get("/health/liveliness").is_none_or(|answer| answer.status != 200) {
            let ended = litellm.child.try_wait().expect("asked");
            let log = || fs::read_to_string(folder.join("litellm.log")).unwrap_or_default();
            assert!(ended.is_none() && begin.elapsed() < START, "LiteLLM did not start: {}", log());
            std::thread::sleep(Duration::from_millis(200));
        }
        litellm
    }
}

impl Drop for LiteLlm {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What of an exchange must be alike.
#[derive(Debug, PartialEq)]
struct Seen {
    status: u16,
    /// What the client read.
    text: String,
    /// By upstream: path, model and key of the last request, and how many there were.
    upstream: Vec<(String, Value, Option<String>, Option<String>)>,
}

fn ask(client: &Client, path: &str, body: &Value, upstreams: [&Upstream; 2]) -> Seen {
    let before = upstreams.map(Upstream::calls);
    let answer = client.post(path, body);
    let status = answer.status;
    let text = words(&answer.text(), status);
    let sent = upstreams.iter().zip(before).enumerate().flat_map(|(nth, (upstream, before))| {
        let new = upstream.received().into_iter().skip(before).filter(|request| request.method == "POST");
        new.map(move |request| {
            let key = ["authorization", "x-api-key"].iter().find_map(|name| request.header(name)).map(str::to_owned);
            let title = request.header("x-title").map(str::to_owned);
            (format!("{nth}{}", request.path), request.json()["model"].clone(), key, title)
        })
    });
    Seen { status, text, upstream: sent.collect() }
}

/// Returns what an answer says, whatever the form.
fn words(text: &str, status: u16) -> String {
    if status != 200 {
        return "an error".to_owned();
    }
    let events = text
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .filter_map(|data| serde_json::from_str::<Value>(data).ok());
    let parts: Vec<Value> =
        if text.starts_with("data:") { events.collect() } else { vec![serde_json::from_str(text).expect("JSON")] };
    let of = |part: &Value| {
        let texts = ["/choices/0/delta/content", "/choices/0/message/content", "/content/0/text", "/data/0/embedding"];
        texts
            .iter()
            .find_map(|path| part.pointer(path))
            .filter(|found| !found.is_null())
            .map(|found| found.as_str().map_or_else(|| found.to_string(), str::to_owned))
    };
    parts.iter().filter_map(of).collect()
}

fn names(client: &Client) -> Vec<String> {
    let models = client.get("/v1/models").json();
    let mut names: Vec<String> = models["data"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|model| Some(model["id"].as_str()?.to_owned()))
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[test]
fn litellm_and_the_pool_answer_alike_with_the_same_file() {
    let down = Arc::new(AtomicBool::new(false));
    let is_down = down.clone();
    let a = Upstream::start(move |request| reply(request, is_down.load(Ordering::SeqCst)));
    let b = Upstream::start(|request| reply(request, false));
    let folder = scratch();
    let text = CONFIG.replace("URL_A", &a.url()).replace("URL_B", &b.url());
    let ran = import(&folder, &["--from", "litellm", "--with-secrets", "-o", "apis.json"], &text);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let pool = Launch { folder: folder.clone(), args: Vec::new(), env: Vec::new() }
        .env("KEY_B", "sk-account-b-0123456789")
        .start();
    let litellm = LiteLlm::start(&folder);
    let key = "sk-of-the-clients-0123456789";
    let (ours, theirs) = (Client::new(pool.port).key(key), Client::new(litellm.port).key(key));
    // A model of Anthropic's format stands in the list of that format, as the finding says.
    let listed = names(&theirs).into_iter().filter(|name| name != "claude").collect::<Vec<_>>();
    assert_eq!(names(&ours), listed, "the list of models");
    assert_eq!(names(&ours.clone().header("anthropic-version", "2023-06-01")), ["claude"]);

    let messages = json!([{ "role": "user", "content": "Hi" }]);
    let chat = |model: &str| ("/v1/chat/completions", json!({ "model": model, "messages": messages }));
    let mut asked: Vec<(&str, Value)> = ["fast", "slow", "bare", "local", "gpt-4"].map(chat).to_vec();
    asked.push(("/v1/chat/completions", json!({ "model": "slow", "messages": messages, "stream": true })));
    asked.push(("/v1/embeddings", json!({ "model": "vectors", "input": "Hi" })));
    asked.push(("/v1/messages", json!({ "model": "claude", "messages": messages, "max_tokens": 10 })));
    for (path, body) in &asked {
        let (one, other) = (ask(&ours, path, body, [&a, &b]), ask(&theirs, path, body, [&a, &b]));
        assert_eq!(one, other, "{path} {body}: this program, then LiteLLM");
        assert!(one.status == 200 && one.upstream.len() == 1, "{path} {body}: {one:?}");
    }
    // The fallback of a model. An alias of the model has it here, too; LiteLLM gives the client the error there.
    down.store(true, Ordering::SeqCst);
    let (path, body) = chat("fast");
    let [one, other] = [&ours, &theirs].map(|client| ask(client, path, &body, [&a, &b]));
    assert_eq!((one.status, &one.text, one.upstream.last()), (200, &other.text, other.upstream.last()), "{other:?}");
    let (path, body) = chat("gpt-4");
    let aliased = ask(&ours, path, &body, [&a, &b]);
    assert_eq!((aliased.status, aliased.upstream.last()), (200, one.upstream.last()), "{aliased:?}");
    assert_eq!(one.upstream.last().map(|(path, ..)| path.as_str()), Some("1/v1/chat/completions"));
    // Neither knows the model, nor lets a stranger in.
    for (client, who) in [(&ours, "this program"), (&theirs, "LiteLLM")] {
        let (path, body) = chat("llama");
        let seen = ask(client, path, &body, [&a, &b]);
        assert!((400..500).contains(&seen.status) && seen.upstream.is_empty(), "{who}: {seen:?}");
    }
    for port in [pool.port, litellm.port] {
        let (path, body) = chat("fast");
        let seen = ask(&Client::new(port).key("sk-of-a-stranger-0123456789"), path, &body, [&a, &b]);
        assert!((400..500).contains(&seen.status) && seen.upstream.is_empty(), "{seen:?}");
    }
}
