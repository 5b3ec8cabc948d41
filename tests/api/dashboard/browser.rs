//! The pages in Debian's Chromium. What is done there stands in `tests/ui`.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use super::{ADMIN, TEAM, VIEWER, operated};
use crate::helpers::{App, Client, KEY, Reply, Step, Upstream};

/// The pages that an operator sees, `ACCOUNT` and `REQUEST` apart.
const PAGES: &str = "/ui/ /ui/accounts/a /ui/models /ui/models?model=m /ui/live /ui/usage /ui/usage?range=24h&group=key /ui/usage?range=today&group=api /ui/keys /ui/keys/team-a /ui/try /ui/recipes /ui/recipes?key=team-a /ui/configuration /ui/system";

fn chromium() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join("chromium")).find(|file| file.exists());
    found.expect("Debian's chromium: run tests/run, which installs it")
}

/// Runs a script. Fails with what that has to say.
fn run(script: &str, app: &App, variables: &[(&str, &str)]) {
    let tools = std::env::var_os("API_TOGETHER_TOOLS")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/tools"), PathBuf::from);
    assert!(tools.join("ui-node/installed.json").exists(), "run tests/run, which installs playwright-core");
    let mut command = Command::new("timeout");
    command.args(["240", "node", &format!("{}/tests/ui/{script}", env!("CARGO_MANIFEST_DIR"))]);
    command.env("API_TOGETHER_TOOLS", tools).env("CHROMIUM", chromium());
    command.env("BASE_URL", format!("http://127.0.0.1:{}", app.port));
    command.envs(variables.iter().copied());
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
    assert_eq!(app.client().post("/v1/chat/completions", &json!({ "model": "none" })).status, 404);
    (upstream, app)
}

#[test]
fn every_page_is_whole_and_accessible() {
    let (_upstream, app) = start();
    run("pages.mjs", &app, &[("PAGES", PAGES)]);
}

#[test]
fn an_open_page_is_kept_up_to_date() {
    let (_upstream, app) = start();
    run("live.mjs", &app, &[]);
}

#[test]
fn an_admin_changes_keys_accounts_and_the_configuration() {
    let (upstream, app) = start();
    run("actions.mjs", &app, &[("UPSTREAM_URL", &upstream.url())]);
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
fn an_operators_questions_take_few_clicks() {
    let first = Upstream::start(|request| {
        let fails = request.json()["messages"][0]["content"] == "fail";
        if fails { Reply::error(500, "the model crashed") } else { Reply::chat("hi") }
    });
    let second = Upstream::always(Reply::chat("hi"));
    let mut config = operated(&[&first, &second]);
    config["apis"][0]["prices"] = json!({ "m": { "input": 50, "output": 50 } });
    config["apis"][0]["name"] = json!("named a");
    config["apis"][1]["rpd"] = json!(1);
    let app = App::start(&config);
    let team = Client::new(app.port).header("authorization", &format!("Bearer {TEAM}"));
    let chat = |words: &str| {
        let body = json!({ "model": "m", "messages": [{ "role": "user", "content": words }] });
        team.post("/v1/chat/completions", &body)
    };
    for _ in 0..6 {
        assert_eq!(chat("x").status, 200);
    }
    let failed = chat("fail");
    assert_eq!(failed.status, 500);
    let id = failed.header("x-request-id").expect("an id").to_owned();
    run("walk.mjs", &app, &[("UPSTREAM_URL", &first.url()), ("FAILED_REQUEST", &id)]);
}

/// Names as long as names may be, on a phone and at twice the size.
#[test]
fn long_names_and_many_accounts_have_room() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = operated(&[&upstream]);
    let long = "n".repeat(64);
    let entry = config["apis"][0].clone();
    let entries = (0..80).map(|at| {
        let mut entry = entry.clone();
        entry["id"] = json!(if at == 0 { long.clone() } else { format!("a{at}") });
        entry["name"] = entry["id"].clone();
        if at == 79 {
            entry["enabled"] = json!(false);
        }
        entry
    });
    config["apis"] = entries.collect();
    config["keys"][0]["name"] = json!(long);
    let app = App::start(&config);
    assert_eq!(app.client().post("/v1/chat/completions", &json!({ "model": "x".repeat(64) })).status, 404);
    let pages = ["/ui/", "/ui/keys", "/ui/live", "/ui/usage?range=today", "/ui/models", "/ui/recipes", "/ui/system"];
    let own = [format!("/ui/accounts/{long}"), format!("/ui/keys/{long}"), format!("/ui/?find={long}")];
    let pages = pages.into_iter().map(str::to_owned).chain(own).collect::<Vec<_>>().join(" ");
    run("long.mjs", &app, &[("UPSTREAM_URL", &upstream.url()), ("PAGES", &pages)]);
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
    run("try.mjs", &app, &[]);
}
