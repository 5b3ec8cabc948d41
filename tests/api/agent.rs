//! `api-together agent` and `run`: programs that are pointed at the server.

use std::path::Path;

use serde_json::{Value, json};

use crate::explain::run_in;
use crate::helpers::{App, KEY, Launch, Reply, Upstream, config_of, eventually, scratch};

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
fn a_model_that_no_account_is_known_to_serve_has_a_warning() {
    let upstream = Upstream::always(Reply::error(401, "Incorrect API key"));
    let mut config = config_of(&[&upstream]);
    config["apis"][0].as_object_mut().expect("an object").remove("models");
    let app = App::start(&config);
    let (code, lines, told) = at(&app, &scratch(), &["agent", "codex", "-m", "gpt-6"]);
    assert!(code == Some(0) && lines.contains("model = \"gpt-6\""), "{lines}{told}");
    assert!(told.starts_with("warning: gpt-6: no account is known to serve it"), "{told}");
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
    let (code, _, told) = run(&["claude", "-p", "hello"]);
    assert!(code == Some(2) && told.contains("go behind --") && !told.contains("hello"), "{told}");
    let (code, _, told) = run(&["zed"]);
    assert!(code == Some(2) && told.contains("api-together agent zed"), "{told}");
}

/// Each file below a folder, with its content.
fn files(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("reads").map_while(Result::ok) {
        if entry.path().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            let text = std::fs::read_to_string(entry.path()).expect("UTF-8");
            found.push((entry.path().to_string_lossy().into_owned(), text));
        }
    }
    found.sort();
    found
}

/// A settings file of a person's own for each form, below the home folder.
const OWN: [(&str, &str, &str, &[&str]); 5] = [
    (
        "codex",
        ".codex/config.toml",
        "# mine\nmodel = \"old\" # the best\n\n[model_providers.other]\nname = \"other\"\n\n[tui]\ntheme = \"dark\"\n",
        &[
            "# mine\nmodel = \"gpt-5.1\" # the best\n",
            "[model_providers.other]\nname = \"other\"\n",
            "[model_providers.pool]\n",
        ],
    ),
    (
        "claude",
        ".claude/settings.json",
        "{\n  \"permissions\": { \"allow\": [\"Bash\"] },\n  \"env\": { \"MINE\": \"1\", \"ANTHROPIC_AUTH_TOKEN\": \"sk-ant-old\" }\n}\n",
        &["\"allow\": [\"Bash\"]", "\"MINE\": \"1\"", "\"ANTHROPIC_BASE_URL\": \"http://localhost:"],
    ),
    (
        "zed",
        ".config/zed/settings.json",
        "// Zed settings\n{\n  \"theme\": \"One Dark\", // dark\n  \"language_models\": { \"ollama\": { \"api_url\": \"x\" }, },\n}\n",
        &[
            "// Zed settings\n",
            "\"theme\": \"One Dark\", // dark",
            "\"ollama\": { \"api_url\": \"x\" }",
            "\"openai_compatible\"",
        ],
    ),
    (
        "continue",
        ".continue/config.yaml",
        "name: Mine\nversion: 0.0.1\nschema: v1\nmodels:\n  # of the firm\n  - name: Other\n    provider: openai\n    model: x\nrules:\n  - Be brief.\n",
        &["name: Mine\n", "  # of the firm\n  - name: Other\n", "  - name: Pool\n", "rules:\n  - Be brief.\n"],
    ),
    (
        "aider",
        ".aider.conf.yml",
        "# mine\nmodel: sonnet # dear\nauto-commits: false\n",
        &["# mine\nmodel: \"openai/gpt-5.1\" # dear\nauto-commits: false\n", "openai-api-base: \"http://localhost:"],
    ),
];

#[test]
fn lines_are_merged_into_a_persons_own_file_and_a_second_time_changes_nothing() {
    let app = pool();
    for (agent, file, text, kept) in OWN {
        let home = scratch();
        let path = home.join(file);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(&path, text).expect("writes");
        let before = files(&home);
        let (code, told, errors) = at(&app, &home, &["agent", agent, "--dry-run"]);
        assert_eq!(code, Some(0), "{agent}: {errors}");
        assert!(told.contains("would change") && told.contains("\n+ ") && !told.contains(KEY), "{told}");
        assert!(!told.contains("sk-ant-old"), "{told}");
        assert_eq!(files(&home), before, "{agent}: a dry run wrote something");
        assert_eq!(at(&app, &home, &["agent", agent, "--write", "-n"]).0, Some(0));
        assert_eq!(files(&home), before, "{agent}: a dry run wrote something");

        let (code, told, errors) = at(&app, &home, &["agent", agent, "--write"]);
        assert_eq!(code, Some(0), "{agent}: {errors}");
        assert!(told.contains("written; the old file is ") && !told.contains(KEY) && !errors.contains(KEY), "{told}");
        let written = std::fs::read_to_string(&path).expect("reads");
        for kept in kept {
            assert!(written.contains(kept), "{agent}: no {kept:?} in:\n{written}");
        }
        let backups: Vec<_> = files(&home).into_iter().filter(|(name, _)| name.ends_with(".bak")).collect();
        assert!(matches!(&backups[..], [(_, old)] if old == text), "{agent}: {backups:?}");
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).expect("there").permissions());
        assert_eq!(mode & 0o077 == 0, written.contains(KEY), "{agent}: {mode:o}");

        let (code, told, _) = at(&app, &home, &["agent", agent, "-w"]);
        assert!(code == Some(0) && told.contains("nothing to change"), "{agent}: {told}");
        assert_eq!(files(&home).len(), 2, "{agent}");
    }
}

#[test]
fn a_file_is_made_where_there_was_none() {
    let app = pool();
    for (agent, file) in [
        ("claude", ".claude/settings.json"),
        ("codex", ".codex/config.toml"),
        ("opencode", ".config/opencode/opencode.json"),
        ("aider", ".aider.conf.yml"),
        ("kilo", ".config/kilo/kilo.json"),
        ("continue", ".continue/config.yaml"),
        ("goose", ".config/goose/config.yaml"),
        ("qwen", ".qwen/settings.json"),
        ("crush", ".config/crush/crush.json"),
        ("zed", ".config/zed/settings.json"),
    ] {
        let home = scratch();
        let (code, told, errors) = at(&app, &home, &["agent", agent, "--write"]);
        assert_eq!(code, Some(0), "{agent}: {errors}");
        let printed = at(&app, &home, &["agent", agent]).1;
        let written = files(&home);
        assert!(
            matches!(&written[..], [(name, text)] if name.ends_with(file) && *text == printed),
            "{told}\n{written:?}"
        );
        let again = at(&app, &home, &["agent", agent, "--write"]);
        assert!(again.1.contains("nothing to change"), "{agent}: {}{}", again.1, again.2);
    }
}

#[test]
fn a_file_that_cannot_be_edited_is_refused_and_left_as_it_is() {
    let app = pool();
    for (agent, file, text, wanted) in [
        ("claude", ".claude/settings.json", "{\"env\": {", "line 1: this is not valid JSON"),
        ("claude", ".claude/settings.json", "{\"env\": []}", "env holds something else"),
        ("codex", ".codex/config.toml", "model = \n", "line 1: this is not valid TOML"),
        ("codex", ".codex/config.toml", "model_providers = 1\n", "model_providers holds something else"),
        ("aider", ".aider.conf.yml", "model: [a\n", "not valid YAML"),
        ("aider", ".aider.conf.yml", "model: [a]\n", "model holds something else"),
        ("continue", ".continue/config.yaml", "models: {}\n", "models holds something else"),
        ("continue", ".continue/config.yaml", "- a\n", "it is no mapping of keys"),
    ] {
        let home = scratch();
        let path = home.join(file);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(&path, text).expect("writes");
        let (code, lines, told) = at(&app, &home, &["agent", agent, "--write"]);
        assert_eq!(code, Some(1), "{agent} {text:?}: {lines}{told}");
        assert!(told.contains(wanted) && told.contains("nothing was changed") && told.contains(file), "{told}");
        assert!(lines.contains(&format!("http://localhost:{}", app.port)), "the lines to paste: {lines}");
        assert_eq!(files(&home), [(path.to_string_lossy().into_owned(), text.to_owned())], "{agent} {text:?}");
    }
    // Where the new file can't be put beside the old one, there is no backup either.
    let home = scratch();
    std::fs::create_dir_all(home.join(".codex/config.toml")).expect("made");
    let (code, _, told) = at(&app, &home, &["agent", "codex", "--write"]);
    assert!(code == Some(1) && told.contains("it is no file; nothing was changed"), "{told}");
    let home = scratch();
    for agent in ["cline", "cursor", "openwebui", "roo"] {
        let (code, _, told) = at(&app, &home, &["agent", agent, "--write"]);
        assert!(code == Some(2) && (told.contains("agent ") || told.contains("--file")), "{told}");
    }
    let file = home.join("roo.json");
    assert_eq!(at(&app, &home, &["agent", "roo", "--write", "--file", file.to_str().expect("UTF-8")]).0, Some(0));
    assert!(std::fs::read_to_string(file).expect("written").contains("openAiBaseUrl"));
}

#[test]
fn a_link_to_the_settings_stays_a_link() {
    let app = pool();
    let home = scratch();
    // A variable of the program's own moves the folder.
    let elsewhere = scratch();
    let (url, folder) = (format!("http://localhost:{}", app.port), elsewhere.to_str().expect("UTF-8"));
    let env = [("HOME", home.to_str().expect("UTF-8")), ("CODEX_HOME", folder)];
    assert_eq!(run_in(&home, &env, &["agent", "codex", "--write", "--url", &url, "--key", KEY]).0, Some(0));
    assert!(elsewhere.join("config.toml").exists() && files(&home).is_empty());
    let own = home.join("dotfiles.toml");
    std::fs::write(&own, "[tui]\n").expect("writes");
    std::fs::create_dir(home.join(".codex")).expect("made");
    std::os::unix::fs::symlink(&own, home.join(".codex/config.toml")).expect("linked");
    assert_eq!(at(&app, &home, &["agent", "codex", "--write"]).0, Some(0));
    assert!(std::fs::symlink_metadata(home.join(".codex/config.toml")).expect("there").is_symlink());
    assert!(std::fs::read_to_string(own).expect("reads").contains("[model_providers.pool]"));
}

#[test]
fn signals_reach_a_program_that_run_has_started() {
    let app = pool();
    let (home, bin) = (scratch(), scratch());
    fake(&bin, "aider", "trap 'exit 5' TERM; touch started; while :; do sleep 0.05; done");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").expect("set"));
    let launch = Launch { folder: home.clone(), args: Vec::new(), env: Vec::new() };
    let url = format!("http://localhost:{}", app.port);
    let mut command = launch.env("PATH", &path).command();
    let mut child = command.args(["run", "aider", "--url", &url, "--key", KEY]).spawn().expect("starts");
    eventually("it runs", || home.join("started").exists());
    let sent = std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(sent.expect("kill is there").success());
    assert_eq!(child.wait().expect("ended").code(), Some(5));
}
