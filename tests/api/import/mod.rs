//! `import`: a configuration of another program becomes ours, and serves as the other program would.

mod litellm;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::helpers::{App, Launch, Reply, Upstream, scratch};

/// What a run of the command gave.
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

/// Imports a text, in a folder of its own.
fn import(folder: &Path, args: &[&str], text: &str) -> Ran {
    fs::write(folder.join("input"), text).expect("writes");
    let launch = Launch { folder: folder.to_owned(), args: Vec::new(), env: Vec::new() };
    let output = launch.command().arg("import").args(args).arg("input").output().expect("ran");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

const LITELLM: &str = "
model_list:
- model_name: fast
  litellm_params: {model: openai/llama, api_base: URL_A/v1, api_key: sk-account-a-0123456789, rpm: 100}
- model_name: slow
  litellm_params: {model: openai/qwen, api_base: URL_B/v1, api_key: os.environ/KEY_B}
router_settings:
  model_group_alias: {gpt-4: fast}
  fallbacks: [{fast: [slow]}]
general_settings: {master_key: sk-of-the-clients-0123456789}
";

fn litellm_file(a: &Upstream, b: &Upstream) -> String {
    LITELLM.replace("URL_A", &a.url()).replace("URL_B", &b.url())
}

/// Starts the program with what was imported, and with a key where the first entry wants one.
fn serve(folder: &Path, key: &str) -> App {
    let text = fs::read_to_string(folder.join("apis.json")).expect("written");
    let config: Value = serde_json::from_str(&text).expect("JSON");
    let path = folder.join(config["apis"][0]["apiKeyFile"].as_str().expect("a file"));
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    fs::write(&path, key).expect("writes");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("set");
    Launch { folder: folder.to_owned(), args: Vec::new(), env: Vec::new() }
        .env("KEY_B", "sk-account-b-0123456789")
        .start()
}

#[test]
fn what_was_imported_serves_the_models_aliases_and_fallbacks_of_the_input() {
    let down = Arc::new(AtomicBool::new(false));
    let is_down = down.clone();
    let a =
        Upstream::start(
            move |_| {
                if is_down.load(Ordering::SeqCst) { Reply::error(500, "down") } else { Reply::chat("from a") }
            },
        );
    let b = Upstream::always(Reply::chat("from b"));
    let folder = scratch();
    let ran = import(&folder, &["--from", "litellm", "-o", "apis.json"], &litellm_file(&a, &b));
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let mode = fs::metadata(folder.join("apis.json")).expect("written").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let app = serve(&folder, "sk-account-a-0123456789");
    let client = app.client().key("sk-of-the-clients-0123456789");
    let models = client.get("/v1/models").json();
    let mut names: Vec<&str> =
        models["data"].as_array().expect("a list").iter().filter_map(|m| m["id"].as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["fast", "gpt-4", "slow"], "the names of the input, and no others");
    for (asked, own, upstream, key) in [
        ("fast", "llama", &a, "Bearer sk-account-a-0123456789"),
        ("gpt-4", "llama", &a, "Bearer sk-account-a-0123456789"),
        ("slow", "qwen", &b, "Bearer sk-account-b-0123456789"),
    ] {
        assert_eq!(
            client.post("/v1/chat/completions", &json!({ "model": asked, "messages": [] })).status,
            200,
            "{asked}"
        );
        let last = upstream.received().last().cloned().expect("a request");
        assert_eq!(last.json()["model"], own, "{asked}");
        assert_eq!((last.path.as_str(), last.header("authorization")), ("/v1/chat/completions", Some(key)));
    }
    assert_eq!(client.post("/v1/chat/completions", &json!({ "model": "llama" })).status, 404, "no name of an account");
    down.store(true, Ordering::SeqCst);
    let answer = client.post("/v1/chat/completions", &json!({ "model": "gpt-4", "messages": [] }));
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("from b"));
}

#[test]
fn without_a_file_the_configuration_goes_out_and_the_findings_beside() {
    let ran = import(&scratch(), &["--from", "litellm"], LITELLM);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let config: Value = serde_json::from_str(&ran.out).expect("the configuration and nothing else");
    assert_eq!(config["apis"].as_array().map(Vec::len), Some(2));
    assert!(ran.err.contains("litellm_params.rpm: ") && ran.err.contains("carried"), "{}", ran.err);
    assert!(!(ran.out + &ran.err).contains("sk-account"), "a key is shown");
    let ran = import(&scratch(), &["--from", "litellm", "--with-secrets"], LITELLM);
    assert!(ran.out.contains("sk-account-a-0123456789") && !ran.err.contains("sk-account"), "{}", ran.err);
}

#[test]
fn a_line_of_a_dot_env_that_cannot_be_read_costs_itself_alone() {
    let ran = import(&scratch(), &["--from", "env"], "GROQ_API_KEY=gsk-4f9Qm2Zk7w\nsk-secret\nHF_TOKEN='hf\n");
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.err.contains("left out  line-2: must be NAME=value"), "{}", ran.err);
    assert!(ran.err.contains("left out  line-3: the value has no closing '"), "{}", ran.err);
    assert!(ran.out.contains("${GROQ_API_KEY}") && !ran.err.contains("secret"), "{}", ran.err);
}

#[test]
fn no_file_is_overwritten() {
    let folder = scratch();
    fs::write(folder.join("apis.json"), "mine").expect("writes");
    let ran = import(&folder, &["--from", "litellm", "--out", "apis.json"], LITELLM);
    assert!(ran.code == Some(2) && ran.err.contains("apis.json: is there already"), "{}", ran.err);
    assert_eq!(fs::read_to_string(folder.join("apis.json")).expect("reads"), "mine");
}

#[test]
fn what_cannot_be_read_has_a_line_and_the_mend() {
    for (from, text, told) in [
        ("litellm", "model_list: [", "1"),
        ("litellm", "providers: []", "has no model_list; is it uni-api's (--from uni-api)?"),
        ("uni-api", "model_list: []", "is it LiteLLM's (--from litellm)?"),
        ("litellm", "model_list:\n- model_name: a\n  model_name: b\n", "3: the field model_name stands twice"),
        ("node", "apis: []", "must be JSON"),
        ("node", "{\"apis\": [1,]}", "1:13: not valid JSON"),
        ("new-api", "{}", "has no channels"),
        ("gpt-load", "{}", "has no groups"),
        ("cliproxy", "port: 1", "is it CLIProxyAPI's config.yaml?"),
        ("env", "sk-secret", "line-1: must be NAME=value"),
        ("env", "EDITOR=vi", "no account in it can be carried over"),
        ("env", " ", "is empty"),
    ] {
        let ran = import(&scratch(), &["--from", from], text);
        assert!(ran.code == Some(2) && ran.err.contains(told) && ran.out.is_empty(), "{from} {text}: {}", ran.err);
        assert!(ran.err.contains("input") && !ran.err.contains("sk-secret"), "{}", ran.err);
    }
    let launch = Launch { folder: scratch(), args: Vec::new(), env: Vec::new() };
    let output = launch.command().args(["import", "--from", "env", "nowhere"]).output().expect("ran");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("nowhere: can't be read"));
}
