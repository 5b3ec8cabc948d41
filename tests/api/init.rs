//! `init`: from keys that are there to a configuration that runs, without a mistake that costs a key or a file.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::helpers::{Client, Launch, Reply, Upstream, scratch};

/// Variables of the machine that runs the tests are none of the program's.
fn command(launch: &Launch) -> Command {
    let mut command = launch.command();
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if ["_KEY", "_TOKEN", "_URL", "_BASE"].iter().any(|part| name.contains(part)) {
            command.env_remove(name);
        }
    }
    command.envs(launch.env.iter().map(|(name, value)| (name, value)));
    command
}

fn empty() -> Launch {
    Launch { folder: scratch(), args: Vec::new(), env: Vec::new() }
}

fn run(launch: &Launch, args: &[&str]) -> (Option<i32>, String) {
    let output = command(launch).args(args).stdin(Stdio::null()).output().expect("ran");
    (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).expect("UTF-8"))
}

fn with_env(lines: &str) -> Launch {
    let launch = empty();
    fs::write(launch.folder.join(".env"), lines).expect("writes");
    fs::set_permissions(launch.folder.join(".env"), fs::Permissions::from_mode(0o600)).expect("set");
    launch
}

fn written(launch: &Launch, name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(launch.folder.join(name)).expect("written")).expect("JSON")
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("there").permissions().mode() & 0o777
}

/// An account of a model that only the right key may use.
fn account(model: &'static str, key: &'static str) -> Upstream {
    Upstream::start(move |request| match (request.header("authorization"), request.path.as_str()) {
        (Some(sent), path) if sent == format!("Bearer {key}") => match path {
            "/v1/models" => Reply::json(200, &json!({ "object": "list", "data": [{ "id": model }] })),
            _ => Reply::chat(model),
        },
        _ => Reply::error(401, "no key"),
    })
}

#[test]
fn three_keys_in_a_dot_env_become_a_pool_that_answers() {
    let groq = account("llama", "gsk-4f9Qm2Zk7w");
    let gemini = account("gemini-2.5-flash", "AIza-4f9Qm2Zk7w");
    let openai = account("gpt-5", "sk-4f9Qm2Zk7w");
    let launch = with_env(&format!(
        "GROQ_API_KEY=gsk-4f9Qm2Zk7w\nGROQ_BASE_URL={}\nGEMINI_API_KEY_2=AIza-4f9Qm2Zk7w\nGEMINI_BASE_URL_2={}\n\
         export OPENAI_API_KEY_WORK='sk-4f9Qm2Zk7w'\nOPENAI_BASE_URL={}/v1\n",
        groq.url(),
        gemini.url(),
        openai.url()
    ));
    let (code, told) = run(&launch, &["init", "--yes", "-o", "apis.json"]);
    assert_eq!(code, Some(0), "{told}");
    for says in [
        "GROQ_API_KEY → groq",
        "GEMINI_API_KEY_2 → gemini-2",
        "OPENAI_API_KEY_WORK → openai-work",
        "check --config apis.json --online",
    ] {
        assert!(told.contains(says), "no {says:?} in {told}");
    }
    let file = launch.folder.join("apis.json");
    let text = fs::read_to_string(&file).expect("written");
    assert_eq!(mode(&file), 0o600);
    for secret in ["gsk-4f9", "AIza-4f9", "sk-4f9"] {
        assert!(!text.contains(secret) && !told.contains(secret), "{told}");
    }
    let key = written(&launch, "apis.json")["server"]["apiKey"].as_str().expect("a key").to_owned();
    assert!(key.starts_with("sk-at-") && key.len() == 49 && !told.contains(&key), "{key}");
    let (code, told) = run(&launch, &["check", "--online", "--config", "apis.json"]);
    assert!(code == Some(0) && told.contains("groq 200, 1 model") && !told.contains("warning:"), "{told}");
    let app = launch.start();
    let client = Client::new(app.port).key(&key);
    for (model, upstream) in [("llama", &groq), ("gemini-2.5-flash", &gemini), ("gpt-5", &openai)] {
        let before = upstream.calls();
        let answer = client.post("/v1/chat/completions", &json!({ "model": model, "messages": [] }));
        assert!(answer.status == 200 && answer.text().contains(model) && upstream.calls() == before + 1, "{model}");
    }
}

#[test]
fn no_file_is_overwritten() {
    let launch = with_env("GROQ_API_KEY=gsk-4f9Qm2Zk7w\n");
    fs::create_dir(launch.folder.join("config")).expect("made");
    let file = launch.folder.join("config/apis.json");
    fs::write(&file, "precious").expect("writes");
    let (code, told) = run(&launch, &["init"]);
    assert!(
        code == Some(2) && told.contains("config/apis.json is there already") && told.contains("-o FILE"),
        "{told}"
    );
    std::os::unix::fs::symlink("nowhere", launch.folder.join("link.json")).expect("made");
    assert_eq!(run(&launch, &["init", "--config", "link.json"]).0, Some(2));
    assert_eq!(fs::read_to_string(&file).expect("there"), "precious");
    assert_eq!(fs::read_to_string(launch.folder.join(".env")).expect("there"), "GROQ_API_KEY=gsk-4f9Qm2Zk7w\n");
    let (code, told) = run(&launch, &["init", "-o", "new/folder/other.json"]);
    assert!(code == Some(0), "{told}");
    assert_eq!(written(&launch, "new/folder/other.json")["apis"][0]["provider"], "groq");
}

#[test]
fn a_configuration_that_cannot_be_written_leaves_the_dot_env_alone() {
    let launch = with_env("GROQ_API_KEYS=gsk-4f9Qm2Zk7w,gsk-8c2Rn5Lm1x\n");
    fs::write(launch.folder.join("config"), "a file in the folder's place").expect("writes");
    let (code, told) = run(&launch, &["init", "--yes"]);
    assert!(code == Some(1) && told.contains("config/apis.json: can't be written"), "{told}");
    assert!(told.contains("nothing was written") && !told.contains("presets.json"), "{told}");
    let lines = || fs::read_to_string(launch.folder.join(".env")).expect("there");
    assert_eq!(lines(), "GROQ_API_KEYS=gsk-4f9Qm2Zk7w,gsk-8c2Rn5Lm1x\n");
    let (code, told) = run(&launch, &["init", "--yes", "-o", "apis.json"]);
    assert!(
        code == Some(0) && lines().ends_with("GROQ_API_KEY_1=gsk-4f9Qm2Zk7w\nGROQ_API_KEY_2=gsk-8c2Rn5Lm1x\n"),
        "{told}"
    );
    assert_eq!(run(&launch, &["check", "-c", "apis.json"]).0, Some(0));
}

#[test]
fn one_odd_variable_costs_its_own_account_alone() {
    let launch = with_env(
        "OPENAI_API_KEY=sk-4f9Qm2Zk7w\nOPENAI_BASE_URL=http://127.0.0.1:1/v1/chat/completions\nGROQ_API_KEY=gsk-4f9Qm2Zk7w\n\
         GROQ_BASE_URL=127.0.0.1:18181\nCEREBRAS_API_KEY=$OTHER_KEY\nMYRELAY_API_KEY=k-4f9Qm2Zk7w\nMYRELAY_BASE_URL=http://127.0.0.1:2/v1\n",
    );
    let (code, told) = run(&launch, &["init", "--yes", "-o", "apis.json"]);
    assert_eq!(code, Some(0), "{told}");
    for says in [
        "GROQ_API_KEY left out: GROQ_BASE_URL beside it must begin with https:// or http://",
        "CEREBRAS_API_KEY left out: holds the name of another variable",
        "MYRELAY_API_KEY → myrelay",
    ] {
        assert!(told.contains(says), "no {says:?} in {told}");
    }
    let config = written(&launch, "apis.json");
    assert_eq!(config["apis"].as_array().map(Vec::len), Some(2));
    assert_eq!(config["apis"][0]["baseUrl"], "http://127.0.0.1:1/v1");
    let relay = json!({ "id": "myrelay", "baseUrl": "${MYRELAY_BASE_URL}", "apiKey": "${MYRELAY_API_KEY}" });
    assert_eq!(config["apis"][1], relay);
    assert_eq!(run(&launch, &["check", "-c", "apis.json"]).0, Some(0));
}

#[test]
fn limits_of_a_free_plan_are_written_when_wished_and_never_by_yes() {
    let launch = with_env("GROQ_API_KEY=gsk-4f9Qm2Zk7w\n");
    for (args, has) in [(&["init", "--yes", "-o", "a.json"][..], false), (&["init", "--free", "-o", "b.json"], true)] {
        let (code, told) = run(&launch, args);
        assert_eq!(code, Some(0), "{told}");
        assert_eq!(told.contains("limits of the plan \"free\" as of 20"), has, "{told}");
        assert_eq!(written(&launch, args[args.len() - 1])["apis"][0].get("modelLimits").is_some(), has);
    }
    assert_eq!(run(&launch, &["check", "--config", "b.json"]).0, Some(0));
}

#[test]
fn without_a_key_nothing_is_written_and_the_way_is_shown() {
    let launch = with_env("GROQ_API_KEY=your_api_key_here\nACME_API_KEY=k\n");
    let (code, told) = run(&launch, &["init"]);
    assert_eq!(code, Some(2), "{told}");
    for says in ["no account's key was found", "GROQ_API_KEY: is a placeholder", "ACME_API_KEY: ", "GROQ_API_KEY=…"] {
        assert!(told.contains(says), "no {says:?} in {told}");
    }
    assert!(!launch.folder.join("config").exists());
    let (code, told) = run(&launch, &["init", "--provider", "cohere"]);
    assert!(code == Some(2) && told.contains("COHERE_API_KEY"), "{told}");
    let (code, told) = run(&launch, &["init", "--provider", "ollama", "--port", "0", "--host", "127.0.0.1"]);
    assert_eq!(code, Some(0), "{told}");
    let config = written(&launch, "config/apis.json");
    assert_eq!((&config["server"]["port"], &config["server"]["host"]), (&json!(0), &json!("127.0.0.1")));
    assert_eq!(run(&launch, &["check"]).0, Some(0));
}

#[test]
fn keys_of_another_file_go_into_the_dot_env_that_the_server_reads() {
    let launch = with_env("# mine\nGROQ_API_KEY=gsk-4f9Qm2Zk7w");
    fs::write(launch.folder.join("keys.env"), "MISTRAL_API_KEY=m-4f9Qm2Zk7w\nGROQ_API_KEY=other\n").expect("writes");
    let (code, told) = run(&launch, &["init", "--env-file", "keys.env"]);
    assert!(code == Some(0) && told.contains(".env: MISTRAL_API_KEY"), "{told}");
    assert!(told.contains("GROQ_API_KEY has another value in the environment"), "{told}");
    let lines = fs::read_to_string(launch.folder.join(".env")).expect("there");
    assert_eq!(lines, "# mine\nGROQ_API_KEY=gsk-4f9Qm2Zk7w\nMISTRAL_API_KEY=m-4f9Qm2Zk7w\n");
    let (code, told) = run(&launch, &["check"]);
    assert!(code == Some(0) && !told.contains("warning:"), "{told}");
}

#[test]
fn a_clients_key_in_the_environment_stays_there() {
    let launch = with_env("API_TOGETHER_KEY=sk-4f9Qm2Zk7wXxXa8L\nGROQ_API_KEY=gsk-4f9Qm2Zk7w\n");
    let (code, told) = run(&launch, &["init"]);
    assert!(code == Some(0) && told.contains("Bearer $(sed -n 's/^API_TOGETHER_KEY=//p' .env)"), "{told}");
    assert_eq!(written(&launch, "config/apis.json")["server"]["apiKey"], "${API_TOGETHER_KEY}");
}

#[test]
fn the_shipped_files_have_no_warning() {
    let env: String =
        ["OPENAI_API_KEY", "GEMINI_API_KEY", "OPENROUTER_API_KEY", "API_TOGETHER_KEY", "POOL_KEY", "OPENROUTER_KEY"]
            .map(|name| format!("{name}=sk-{name}-4f9Qm2Zk7wXxXa8L\n"))
            .concat();
    let launch = with_env(&format!("{env}REDIS_URL=redis://localhost\n"));
    for name in ["config/apis.example.json", "deploy/apis.json"] {
        fs::copy(format!("{}/{name}", env!("CARGO_MANIFEST_DIR")), launch.folder.join("apis.json")).expect("copied");
        let (code, told) = run(&launch, &["check", "--config", "apis.json"]);
        assert!(code == Some(0) && !told.contains("warning:"), "{name}: {told}");
    }
}

/// Types at a pseudo-terminal: after each text, the line that follows it.
const TYPIST: &str = r#"
import os, pty, sys, json, select
program, folder, talk = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
child, terminal = pty.fork()
if child == 0:
    os.chdir(folder)
    for name in list(os.environ):
        if any(part in name for part in ("_KEY", "_TOKEN", "_URL", "_BASE")):
            del os.environ[name]
    os.execv(program, [program, "init"])
seen = b""
def read():
    global seen
    ready, _, _ = select.select([terminal], [], [], 20)
    try:
        piece = os.read(terminal, 4096) if ready else b""
    except OSError:
        piece = b""
    seen += piece
    return piece
at = 0
for wait, line in talk:
    while wait.encode() not in seen[at:]:
        if not read():
            sys.exit("waited for %r in %r" % (wait, seen))
    at = len(seen)
    os.write(terminal, line.encode())
while read():
    pass
_, status = os.waitpid(child, 0)
sys.stdout.buffer.write(seen)
sys.exit(os.waitstatus_to_exitcode(status))
"#;

/// Runs `init` at a terminal in this folder.
fn talk(folder: &Path, talk: &Value) -> (Option<i32>, String) {
    let mut python = Command::new("python3");
    python.args(["-c", TYPIST, env!("CARGO_BIN_EXE_api-together")]).arg(folder).arg(talk.to_string());
    let output = python.output().expect("python3 is there");
    (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

#[test]
fn a_person_at_a_terminal_is_asked_and_a_typed_key_is_neither_shown_nor_in_the_configuration() {
    let launch = with_env("GEMINI_API_KEY=AIza-4f9Qm2Zk7w\nGEMINI_API_KEY_2=AIza-8c2Rn5\n");
    let lines = json!([
        ["Use all of them? [Y/n]", "\n"],
        ["Another account?", "gorq\n"],
        ["Did you mean groq?", "groq\n"],
        ["Key of Groq", "gsk-x\u{7f}typed-4f9Qm2Zk7w\n"],
        ["Another account?", "\n"],
        ["of one account?", "n\n"],
        ["Gemini (AI Studio) on the plan", "\n"],
        ["Groq on the plan", "y\n"],
    ]);
    let (code, told) = talk(&launch.folder, &lines);
    assert_eq!(code, Some(0), "{told}");
    assert!(!told.contains("typed-4f9Qm2Zk7w"), "{told}");
    let config = written(&launch, "config/apis.json");
    let fields = |at: usize| (config["apis"][at]["id"].clone(), config["apis"][at]["quotaGroup"].clone());
    assert_eq!([fields(0), fields(1)], [(json!("gemini"), json!("gemini")), (json!("gemini-2"), json!("gemini-2"))]);
    assert_eq!(config["apis"][2]["apiKey"], "${GROQ_API_KEY}");
    assert!(config["apis"][2]["modelLimits"].is_object());
    let lines = fs::read_to_string(launch.folder.join(".env")).expect("there");
    assert!(lines.ends_with("\nGROQ_API_KEY=gsk-typed-4f9Qm2Zk7w\n"), "{lines}");
    assert_eq!(run(&launch, &["check"]).0, Some(0));
}

#[test]
fn an_interrupted_person_leaves_nothing_behind() {
    let launch = empty();
    let (code, told) = talk(&launch.folder, &json!([["Which one?", "groq\n"], ["Key of Groq", "gsk\u{3}"]]));
    assert!(code == Some(1) && told.contains("nothing was written"), "{told}");
    assert!(!launch.folder.join(".env").exists() && !launch.folder.join("config").exists());
}
