//! Real programs do a task of three turns, with a call of a tool, through a pool of two accounts that know only their own
//! objects. The programs, the accounts and what is looked at are in `tests/clients/`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::helpers::Launch;

/// Lets a program of `tests/clients/clients.py` do its task.
fn works(client: &str) {
    run("run.py", &[client]);
}

/// Runs a program of `tests/clients`. Fails with what it has to say.
fn run(program: &str, arguments: &[&str]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tools = std::env::var_os("API_TOGETHER_TOOLS").map_or_else(|| root.join("target/tools"), PathBuf::from);
    let python = tools.join("clients-venv/bin/python");
    let missing = format!("no programs in {}: run tests/run, which installs them", tools.display());
    assert!(tools.join("clients-node/installed.json").exists() && python.exists(), "{missing}");
    let mut command = Command::new(python);
    command.arg(root.join("tests/clients").join(program)).arg("--tools").arg(tools);
    command.args(["--pool", env!("CARGO_BIN_EXE_api-together")]).args(arguments);
    let output = command.output().expect("Python is there");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}");
}

#[test]
fn every_follow_up_reaches_the_account_that_knows_it_after_a_restart() {
    run("carriers.py", &[]);
}

#[test]
fn every_follow_up_reaches_the_account_that_knows_it_from_another_replica() {
    run("carriers.py", &["--redis"]);
}

#[test]
fn one_prompt_of_codex_costs_two_failing_accounts_eighteen_calls_at_most_in_a_minute() {
    run("failing.py", &[]);
}

/// The pool that the recipes begin with.
#[test]
fn the_configuration_of_the_recipes_is_valid() {
    let recipes = include_str!("../../docs/agents.md");
    let (_, rest) = recipes.split_once("<!-- tested: pool -->\n```json\n").expect("a block");
    let (config, _) = rest.split_once("```").expect("an end");
    let mut launch = Launch::new(&serde_json::from_str(config).expect("JSON"));
    for name in ["OPENAI_KEY_1", "OPENAI_KEY_2", "ANTHROPIC_KEY_1", "ANTHROPIC_KEY_2"] {
        launch = launch.env(name, "sk-upstream-0123456789");
    }
    let output = launch.command().args(["check", "--config", "apis.json"]).output().expect("starts");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && said.contains("claude-*"), "{said}");
}

/// A test for each program.
macro_rules! works {
    ($($test:ident: $client:literal),* $(,)?) => {
        $(#[test] fn $test() { works($client); })*
    };
}

works! {
    openai_for_python_works: "openai-python",
    openai_for_node_works: "openai-node",
    anthropic_for_python_works: "anthropic-python",
    anthropic_for_node_works: "anthropic-node",
    langchain_openai_works: "langchain-openai",
    langchain_anthropic_works: "langchain-anthropic",
    the_ai_sdk_works: "ai-sdk",
    the_agents_sdk_works: "openai-agents",
    litellm_works: "litellm",
    claude_code_works: "claude-code",
    claude_code_works_with_the_settings_that_agent_writes: "claude-code-by-agent",
    claude_code_works_as_run_starts_it: "claude-code-by-run",
    codex_works: "codex",
    codex_works_with_the_settings_that_agent_writes: "codex-by-agent",
    codex_works_as_run_starts_it: "codex-by-run",
    each_session_of_codex_stays_on_one_account: "codex-sessions",
    codex_works_by_a_websocket: "codex-websocket",
    codex_goes_on_by_http_where_no_account_speaks_websockets: "codex-fallback",
    opencode_works: "opencode",
    opencode_works_with_the_settings_that_agent_writes: "opencode-by-agent",
    opencode_works_as_run_starts_it: "opencode-by-run",
    gemini_cli_works: "gemini-cli",
    gemini_cli_goes_on_when_the_account_of_its_session_fails: "gemini-cli-moves",
}
