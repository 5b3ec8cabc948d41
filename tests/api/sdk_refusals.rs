//! What the official packages of OpenAI and Anthropic make of a key that is refused: which error a program sees, and that nobody
//! asks again where that is of no use. The programs are `tests/sdk/refused_keys.*`.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::helpers::{App, Client, Upstream, config_of};
use crate::key_budgets::{dollars_for, no_midnight_near, reporting};

/// A key, what OpenAI's package raises in Python and in Node, and Anthropic's in both, the status, and the code in OpenAI's format.
type Row = (&'static str, [&'static str; 3], u16, &'static str);

const REFUSED: [Row; 5] = [
    ("sk-spent-0123456789abcdef", ["APIStatusError", "APIError", "PaymentRequiredError"], 402, "insufficient_quota"),
    ("sk-expired-0123456789abcdef", ["PermissionDeniedError"; 3], 403, "key_expired"),
    ("sk-disabled-0123456789abcdef", ["PermissionDeniedError"; 3], 403, "key_disabled"),
    ("sk-other-model-0123456789abcdef", ["PermissionDeniedError"; 3], 403, "model_not_allowed"),
    ("sk-paced-0123456789abcdef", ["RateLimitError"; 3], 429, "key_paced"),
];

/// A pool that serves both formats to no key of [`REFUSED`].
fn pool(upstream: &Upstream) -> App {
    let mut config = config_of(&[upstream]);
    config["apis"][0]["anthropicBaseUrl"] = config["apis"][0]["baseUrl"].clone();
    config["apis"][0]["prices"] = json!({ "m": { "input": 10, "output": 40 } });
    let day = |usd: f64, pacing: Value| json!([{ "usd": usd, "per": "day", "pacing": pacing }]);
    let fields = [
        json!({ "budgets": day(dollars_for(1), Value::Null) }),
        json!({ "expires": "2001-01-01" }),
        json!({ "enabled": false }),
        json!({ "models": ["another"] }),
        // Of seven in a day four by noon, and the next one after a quarter to two.
        json!({ "limits": [{ "requests": 7, "per": "day", "pacing": "spread" }] }),
    ];
    let keys = REFUSED.iter().zip(fields).enumerate().map(|(nth, ((key, ..), fields))| {
        let mut entry = json!({ "name": format!("key-{nth}"), "key": key, "reset": no_midnight_near() });
        entry.as_object_mut().expect("fields").extend(fields.as_object().expect("fields").clone());
        entry
    });
    config["keys"] = keys.collect();
    let app = App::start(&config);
    let body = json!({ "model": "m", "messages": [], "max_tokens": 24 });
    for (key, ..) in [&REFUSED[0], &REFUSED[4]] {
        let client = Client::new(app.port).key(key);
        let asked = (0..40).map(|_| client.post("/v1/chat/completions", &body).status);
        assert!(asked.skip_while(|status| *status == 200).all(|status| status != 200), "{key} is not at its end");
    }
    app
}

/// Lets a program ask with each key, in both formats, with a stream and without.
fn refusals(language: usize, command: &mut Command) {
    let upstream = Upstream::start(reporting(100));
    let app = pool(&upstream);
    let before = upstream.calls();
    command.arg(format!("http://127.0.0.1:{}", app.port)).args(REFUSED.map(|(key, ..)| key));
    let output = command.output().expect("timeout is there");
    let said = String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}");
    let told: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).expect(&said)).collect();
    assert_eq!(told.len(), 2 * 2 * REFUSED.len(), "{said}");
    for told in told {
        let row = REFUSED.iter().find(|(key, ..)| told["key"] == *key);
        let (_, raised, status, code) = row.expect("a known key");
        let raised = if told["sdk"] == "anthropic" { raised[2] } else { raised[language] };
        assert_eq!((&told["raised"], &told["status"]), (&json!(raised), &json!(status)), "{told}");
        assert_eq!(told["requests"], 1, "asked again: {told}");
        if told["sdk"] == "openai" {
            assert_eq!(told["code"], *code, "{told}");
        }
        assert!(told["message"].as_str().is_some_and(|message| message.contains("the key key-")), "{told}");
    }
    assert_eq!(upstream.calls(), before, "no account was asked");
}

fn tools() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tools = std::env::var_os("API_TOGETHER_TOOLS").map_or_else(|| root.join("target/tools"), PathBuf::from);
    let missing = format!("no SDKs in {}: run tests/run, which installs them", tools.display());
    assert!(tools.join("clients-node/installed.json").exists(), "{missing}");
    tools
}

/// Returns the command of a program. Packages read base URLs, keys and proxies from the environment: none of these is there.
fn program(interpreter: &Path, name: &str, tools: &Path) -> Command {
    let mut command = Command::new("timeout");
    command.arg("120").arg(interpreter).arg(format!("{}/tests/sdk/{name}", env!("CARGO_MANIFEST_DIR")));
    let kept = ["PATH", "HOME"].iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    command.env_clear().envs(kept).env("API_TOGETHER_TOOLS", tools);
    command
}

#[test]
fn the_packages_for_python_raise_the_right_error_for_a_refused_key_and_ask_once() {
    let tools = tools();
    refusals(0, &mut program(&tools.join("clients-venv/bin/python"), "refused_keys.py", &tools));
}

#[test]
fn the_packages_for_node_raise_the_right_error_for_a_refused_key_and_ask_once() {
    let tools = tools();
    refusals(1, &mut program(Path::new("node"), "refused_keys.mjs", &tools));
}
