//! The pages in Debian's Chromium. What is done there stands in `tests/ui`.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::{ADMIN, TEAM, VIEWER, operated};
use crate::helpers::{App, KEY, Reply, Step, Upstream};

/// The pages that an operator sees, `ACCOUNT` and `REQUEST` apart.
const PAGES: &str = "/ui/ /ui/accounts/a /ui/models /ui/models?model=m /ui/live /ui/usage /ui/usage?range=24h&group=key /ui/usage?range=today&group=api /ui/keys /ui/keys/team-a /ui/try /ui/recipes /ui/recipes?key=team-a /ui/configuration /ui/system";

fn chromium() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join("chromium")).find(|file| file.exists());
    found.expect("Debian's chromium: run tests/run, which installs it")
}

/// Runs a script. Fails with what that has to say.
fn run(script: &str, app: &App, upstream: &Upstream) {
    let tools = std::env::var_os("API_TOGETHER_TOOLS")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/tools"), PathBuf::from);
    assert!(tools.join("ui-node/installed.json").exists(), "run tests/run, which installs playwright-core");
    let mut command = Command::new("timeout");
    command.args(["240", "node", &format!("{}/tests/ui/{script}", env!("CARGO_MANIFEST_DIR"))]);
    command.env("API_TOGETHER_TOOLS", tools).env("CHROMIUM", chromium());
    command.env("BASE_URL", format!("http://127.0.0.1:{}", app.port)).env("PAGES", PAGES);
    command.env("UPSTREAM_URL", upstream.url());
    command.envs([("ADMIN_KEY", ADMIN), ("VIEWER_KEY", VIEWER), ("CLIENT_KEY", TEAM), ("POOL_KEY", KEY)]);
    let output = command.output().expect("timeout is there");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{script}: {}\n{said}\n{}", output.status, app.log());
}

#[test]
fn the_pages_script_is_typed() {
    let tools = std::env::var_os("API_TOGETHER_TOOLS")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/tools"), PathBuf::from);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/src/ui/assets/page.js");
    let mut command = Command::new("node");
    command.arg(tools.join("ui-node/node_modules/typescript/bin/tsc"));
    command.args(["--allowJs", "--checkJs", "--noEmit", "--strict", "--target", "es2022"]);
    let output = command.args(["--lib", "es2022,dom,dom.iterable", script]).output().expect("node is there");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let lines = std::fs::read_to_string(script).expect("reads").lines().count();
    assert!(lines < 300, "{lines} lines");
}

/// A pool with some history: answers, a failure, a refusal.
fn start() -> (Upstream, App) {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::start(&operated(&[&upstream]));
    for _ in 0..5 {
        assert_eq!(app.chat().status, 200);
    }
    assert_eq!(app.client().post("/v1/chat/completions", &serde_json::json!({ "model": "none" })).status, 404);
    (upstream, app)
}

#[test]
fn every_page_is_whole_and_accessible() {
    let (upstream, app) = start();
    run("pages.mjs", &app, &upstream);
}

#[test]
fn an_open_page_is_kept_up_to_date() {
    let (upstream, app) = start();
    run("live.mjs", &app, &upstream);
}

#[test]
fn an_admin_changes_keys_accounts_and_the_configuration() {
    let (upstream, app) = start();
    run("actions.mjs", &app, &upstream);
    let text = std::fs::read_to_string(app.config_file()).expect("reads");
    for kept in ["sk-another-0123456789abcdef", "sk-new-0123456789abcdef", ADMIN] {
        assert!(text.contains(kept), "{kept}: {text}");
    }
    let log = app.log();
    let audit = std::fs::read_to_string(app.folder.join("data/audit.jsonl")).expect("an audit log");
    for secret in ["sk-another", "sk-new", "sk-at-", "sk-admin"] {
        assert!(!log.contains(secret) && !audit.contains(secret), "{secret}");
    }
}

#[test]
fn an_admin_tries_a_chat_and_tests_an_account() {
    let piece = |text: &str| format!(r#"{{"model":"m","choices":[{{"index":0,"delta":{{"content":"{text}"}}}}]}}"#);
    let end = r#"{"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}"#;
    let steps = vec![
        Step::event(&piece("Hel")),
        Step::Pause(Duration::from_secs(2)),
        Step::event(&piece("lo")),
        Step::event(end),
        Step::event("[DONE]"),
    ];
    let upstream = Upstream::start(move |request| {
        let fails = request.json()["messages"][0]["content"] == "fail";
        if fails { Reply::error(400, "<b>no such organisation</b>") } else { Reply::stream(steps.clone(), true) }
    });
    let app = App::start(&operated(&[&upstream]));
    run("try.mjs", &app, &upstream);
}
