//! `api-together agent` and `run`: programs that are pointed at the server.

use std::path::Path;

use serde_json::{Value, json};

use crate::explain::run_in;
use crate::helpers::{App, KEY, Reply, Upstream, config_of, scratch};

/// A server with models for OpenAI's and for Anthropic's format.
fn pool() -> App {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = config_of(&[&upstream, &upstream]);
    config["apis"][0]["models"] = json!(["text-embedding-3-small", "gpt-5.1", "gpt-5.1-mini"]);
    config["apis"][1]["anthropicBaseUrl"] = json!(upstream.url());
    config["apis"][1]["baseUrl"].take();
    config["apis"][1].as_object_mut().expect("fields").remove("baseUrl");
    config["apis"][1]["models"] = json!(["claude-opus-4-8", "claude-haiku-4-5"]);
    App::start(&config)
}

/// Runs a command at the pool, with a home folder of its own.
fn at(app: &App, home: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let url = format!("http://localhost:{}", app.port);
    let (command, rest) = args.split_first().expect("a command");
    let all = [&[*command, "--url", &url], rest].concat();
    let home = home.to_str().expect("UTF-8");
    run_in(Path::new(home), &[("HOME", home), ("API_TOGETHER_KEY", KEY), ("XDG_CONFIG_HOME", "")], &all)
}

#[test]
fn the_lines_for_a_program_name_the_servers_own_models() {
    let app = pool();
    let home = scratch();
    let (code, lines, notes) = at(&app, &home, &["agent", "claude"]);
    assert_eq!(code, Some(0), "{notes}");
    let lines: Value = serde_json::from_str(&lines).expect("JSON and nothing else");
    assert_eq!(lines["env"]["ANTHROPIC_BASE_URL"], format!("http://localhost:{}", app.port));
    assert_eq!(lines["env"]["ANTHROPIC_MODEL"], "claude-opus-4-8");
    assert_eq!(lines["env"]["ANTHROPIC_DEFAULT_HAIKU_MODEL"], "claude-haiku-4-5");
    assert_eq!(lines["env"]["ANTHROPIC_AUTH_TOKEN"], KEY, "the file must hold it");
    let (code, lines, notes) = at(&app, &home, &["agent", "codex"]);
    assert!(code == Some(0) && lines.contains("model = \"gpt-5.1\""), "{lines}{notes}");
    assert!(lines.contains(&format!("base_url = \"http://localhost:{}/v1\"", app.port)), "{lines}");
    assert!(!lines.contains(KEY) && !notes.contains(KEY) && notes.contains("export POOL_KEY="), "{lines}{notes}");
    let (_, lines, _) = at(&app, &home, &["agent", "opencode", "-m", "gpt-5.1-mini"]);
    let lines: Value = serde_json::from_str(&lines).expect("JSON and nothing else");
    assert_eq!(lines["model"], "pool/gpt-5.1-mini");
    let models: Vec<_> = lines["provider"]["pool"]["models"].as_object().expect("models").keys().cloned().collect();
    assert_eq!(models, ["gpt-5.1-mini", "gpt-5.1"], "no embeddings");
    for args in [&["agent", "codex", "-m", "gpt-6"][..], &["agent", "claude", "-m", "gpt-5.1"]] {
        let (code, _, told) = at(&app, &home, args);
        assert!(code == Some(1) && told.contains("no account serves gpt-"), "{told}");
    }
    assert_eq!(at(&app, &home, &["agent", "codex", "-m", "a\"b"]).0, Some(2));
    assert_eq!(at(&app, &home, &["agent", "emacs"]).0, Some(2));
    assert!(std::fs::read_dir(&home).expect("reads").next().is_none(), "nothing was written");
}

#[test]
fn all_programs_are_listed_without_a_server() {
    let (code, told, _) = run_in(&scratch(), &[], &["agent"]);
    assert_eq!(code, Some(0));
    for wanted in ["claude", "~/.codex/config.toml", "openwebui", "Kilo Code"] {
        assert!(told.contains(wanted), "no {wanted:?} in:\n{told}");
    }
}

/// Writes a program that tells what it was started with.
fn fake(folder: &Path, name: &str, script: &str) {
    let file = folder.join(name);
    std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).expect("writes");
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o700)).expect("set");
}

#[test]
fn a_program_is_started_with_the_key_in_its_environment_alone() {
    let app = pool();
    let home = scratch();
    let bin = scratch();
    fake(&bin, "claude", "env; echo \"args: $*\"; exit 7");
    fake(&bin, "codex", "env; for a; do echo \"arg: $a\"; done");
    // The accounts' keys are none of the program's business.
    std::fs::write(home.join(".env"), "OPENAI_ACCOUNT_KEY=sk-account-0123456789\n").expect("writes");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").expect("set"));
    let url = format!("http://localhost:{}", app.port);
    let env = [("API_TOGETHER_KEY", KEY), ("PATH", &path), ("ANTHROPIC_API_KEY", "sk-ant-other"), ("MINE", "kept")];
    let run = |args: &[&str]| run_in(&home, &env, &[&["run", "--url", &url], args].concat());
    let (code, told, _) = run(&["claude", "--", "-p", "hello there"]);
    assert_eq!(code, Some(7), "{told}");
    for wanted in [
        format!("ANTHROPIC_BASE_URL={url}\n"),
        format!("ANTHROPIC_AUTH_TOKEN={KEY}\n"),
        "ANTHROPIC_MODEL=claude-opus-4-8\n".to_owned(),
        "MINE=kept\n".to_owned(),
        "args: -p hello there\n".to_owned(),
    ] {
        assert!(told.contains(&wanted), "no {wanted:?} in:\n{told}");
    }
    assert!(!told.contains("sk-ant-other") && !told.contains("OPENAI_ACCOUNT_KEY"), "{told}");
    let (code, told, _) = run(&["codex", "--", "exec", "--model", "x"]);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains(&format!("POOL_KEY={KEY}\n")) && told.contains("arg: model=\"gpt-5.1\"\n"), "{told}");
    let arguments: Vec<&str> = told.lines().filter(|line| line.starts_with("arg: ")).collect();
    assert!(arguments.ends_with(&["arg: exec", "arg: --model", "arg: x"]), "{arguments:?}");
    assert!(!arguments.concat().contains(KEY), "arguments are seen by everybody on the machine");
    let (code, _, told) = run(&["goose"]);
    assert!(code == Some(1) && told.contains("there is no goose in PATH; install it: https://"), "{told}");
    let (code, _, told) = run(&["zed"]);
    assert!(code == Some(2) && told.contains("api-together agent zed"), "{told}");
}
