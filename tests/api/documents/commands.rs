//! Runs the shell blocks of the documents, page by page and in order, beside a running demo.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::blocks::{self, Block, root};
use crate::helpers::{Demo, scratch};

/// Lines that are not run, by their beginning, and why.
const NOT_RUN: &[(&str, &str)] = &[
    ("cargo build", "builds for minutes"),
    ("cargo install", "builds for minutes"),
    ("cargo bench", "measures for minutes"),
    ("cargo test", "would test within a test"),
    ("cargo clippy", "is a step of .ci/run"),
    ("cargo fmt", "is a step of .ci/run"),
    ("cargo deny", "needs cargo-deny, which fetches from GitHub"),
    ("deploy/deb", "builds for minutes, and needs cargo-deb"),
    ("cargo +nightly", "needs another toolchain"),
    ("RUSTC_BOOTSTRAP=1 cargo fuzz", "needs cargo-fuzz"),
    ("cd fuzz", "belongs to cargo-fuzz"),
    ("git clone", "needs GitHub"),
    ("api-together run ", "needs the program that is started"),
    ("api-together check --online", "asks the providers; tests/api/online.rs has scripted ones"),
    ("api-together test ", "asks the providers; tests/api/online.rs has scripted ones"),
    ("tests/run", "is the run of all tests, this one among them"),
    (".ci/run", "is the run of all checks, this one among them"),
    ("benches/instructions.py", "needs valgrind and minutes"),
    ("benches/first_answer", "builds for minutes"),
    ("target/dist/api-together bench", "measures for minutes; the test of `bench` runs it"),
    ("docker ", "needs a container daemon"),
    ("kubectl ", "needs a cluster"),
    ("helm ", "needs helm and a cluster"),
    ("systemctl ", "needs systemd as the first process"),
    ("sudo ", "changes the machine"),
    ("journalctl ", "needs systemd as the first process"),
];

/// Pages whose blocks others run: recipes for other programs (`tests/clients` runs those marked as tested), and the examples of all paths
/// (`tests/api/examples.rs`).
const OTHERS: [&str; 2] = ["docs/agents.md", "docs/api-examples.md"];

/// Stands for `cargo`, and for the program: a server is started, waited for, and stopped again. A page that checks the reader's
/// configuration, and wrote none, is about the example's.
const PROGRAM: &str = r#"#!/bin/bash
set -euo pipefail
if [[ ${0##*/} == cargo ]]; then
    [[ $1 == run ]] || { echo "cargo $*: not known to this test" >&2; exit 64; }
    shift
    while [[ ${1:-} == --* && ${1:-} != -- ]]; do shift; done
    [[ ${1:-} != -- ]] || shift
fi
case "${1:-serve}" in
    serve | demo | --*) ;;
    check)
        if [[ ! -e config/apis.json && $* != *--config* ]]; then
            cp config/apis.example.json config/apis.json
            export OPENAI_API_KEY=sk-of-openai-0123 GEMINI_API_KEY=sk-of-gemini-0123 OPENROUTER_API_KEY=sk-of-openrouter-0123
        fi
        exec PROGRAM "$@"
        ;;
    *) exec PROGRAM "$@" ;;
esac
log=$(mktemp)
PROGRAM "$@" --port 0 > "$log" 2>&1 &
for _ in $(seq 200); do
    grep -q 'listening on' "$log" && { kill $!; wait $!; exit; }
    kill -0 $! 2> /dev/null || break
    sleep 0.05
done
cat "$log" >&2
exit 1
"#;

/// Returns the lines that are run: those of a listed command are left out, with the lines that continue them.
fn runnable(text: &str) -> String {
    let mut kept = String::new();
    let mut is_continued = false;
    let mut is_left_out = false;
    for line in text.lines() {
        if !is_continued {
            let line = line.trim_start();
            is_left_out = NOT_RUN.iter().any(|(beginning, _)| line.starts_with(beginning.trim_end()));
        }
        is_continued = line.ends_with('\\');
        if !is_left_out {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// Puts what a checkout has into a folder: the example, the schema, and the program as `cargo` and by its name.
fn prepare(folder: &Path) {
    fs::create_dir_all(folder.join("config")).expect("makes");
    fs::create_dir_all(folder.join("bin")).expect("makes");
    for file in ["apis.example.json", "apis.schema.json"] {
        fs::copy(root().join("config").join(file), folder.join("config").join(file)).expect("copies");
    }
    let program = PROGRAM.replace("PROGRAM", env!("CARGO_BIN_EXE_api-together"));
    for name in ["cargo", "api-together"] {
        let file = folder.join("bin").join(name);
        fs::write(&file, &program).expect("writes");
        fs::set_permissions(&file, Permissions::from_mode(0o755)).expect("set");
    }
}

/// Runs a block in `bash`, against the demo. Returns what it printed when it failed.
fn run(block: &Block, folder: &Path, demo: &Demo) -> Result<(), String> {
    let text = runnable(&block.text).replace("localhost:3001", &format!("localhost:{}", demo.port));
    let text = text.replace("localhost:3003", &format!("localhost:{}", demo.moody));
    let path = format!("{}:{}", folder.join("bin").display(), std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new("timeout");
    command.args(["60", "bash", "-euo", "pipefail", "-c", &text]).current_dir(folder).stdin(Stdio::null());
    let home = folder.display().to_string();
    command.env_clear().envs([("PATH", path.as_str()), ("HOME", &home), ("TMPDIR", &home)]);
    // Where commands that ask a running server find the demo.
    command.envs([("PORT", demo.port.to_string().as_str()), ("API_TOGETHER_KEY", "sk-123")]);
    let output = command.output().expect("timeout is there");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    // The loop of the README, in which an account dies.
    let is_loop_broken = text.contains("%{http_code} ") && said.matches("200 ").count() != 20;
    let is_error = said.contains("\"error\":{") || said.contains("curl: (") || is_loop_broken;
    if output.status.success() && !is_error { Ok(()) } else { Err(format!("{}\n{text}{said}", output.status)) }
}

#[test]
fn every_command_in_the_documents_works() {
    let mut wrong = Vec::new();
    let mut ran = 0;
    for (page, _) in blocks::pages() {
        let is_run =
            |block: &Block| block.page == page && block.language == "sh" && !runnable(&block.text).trim().is_empty();
        let blocks: Vec<Block> = blocks::all().into_iter().filter(is_run).collect();
        if OTHERS.contains(&page.as_str()) || blocks.is_empty() {
            continue;
        }
        let demo = Demo::start();
        let folder = scratch();
        prepare(&folder);
        for block in blocks {
            ran += 1;
            if let Err(why) = run(&block, &folder, &demo) {
                wrong.push(format!("{}: {why}", block.place()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(ran >= 8, "only {ran} blocks were found");
}

#[test]
fn every_command_and_option_of_the_program_is_described() {
    let output = Command::new(env!("CARGO_BIN_EXE_api-together")).arg("-h").output().expect("runs");
    let help = String::from_utf8(output.stdout).expect("UTF-8");
    let page = fs::read_to_string(root().join("docs/command-line.md")).expect("reads");
    let (_, commands) = help.split_once("Commands:\n").expect("commands");
    let (commands, options) = commands.split_once("Options:\n").expect("options");
    let names = commands.lines().filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");
    let missing: Vec<_> = names.filter(|name| !page.contains(&format!("\n| `{name}` |"))).collect();
    assert!(missing.is_empty(), "docs/command-line.md has no row for {missing:?}");
    let names = options.split(|c: char| !c.is_ascii_lowercase() && c != '-').filter(|word| word.starts_with("--"));
    let missing: Vec<_> = names.filter(|name| !page.contains(*name)).collect();
    assert!(missing.is_empty(), "docs/command-line.md does not have {missing:?}");
}

/// The commands in the README's table of figures: their tests exist, and the program takes their options.
#[test]
fn what_repeats_the_readmes_figures_can_be_run() {
    let tests: String = ["promises.rs", "cli.rs"]
        .map(|file| fs::read_to_string(root().join("tests/api").join(file)).expect("reads"))
        .concat();
    for page in ["README.md", "README.zh-CN.md"] {
        let text = fs::read_to_string(root().join(page)).expect("reads");
        let mut found = 0;
        for code in text.split('`').skip(1).step_by(2) {
            if let Some(name) = code.strip_prefix("cargo test --test api ") {
                assert!(tests.contains(&format!("\nfn {name}")), "{page}: no test {name}");
                found += 1;
            }
            if let Some(options) = code.strip_prefix("target/dist/api-together ") {
                let mut command = Command::new(env!("CARGO_BIN_EXE_api-together"));
                let output = command.args(options.split(' ')).arg("--help").output().expect("runs");
                assert!(output.status.success(), "{page}: {code}: {}", String::from_utf8_lossy(&output.stderr));
                found += 1;
            }
        }
        assert_eq!(found, 4, "{page}");
    }
}

/// Whatever file of the project a command names is there.
#[test]
fn every_file_that_a_command_names_is_there() {
    let mut missing = Vec::new();
    for block in blocks::all().iter().filter(|block| block.language == "sh") {
        let words = block.text.split(|c: char| c.is_whitespace() || matches!(c, '\'' | '"' | '=' | ';' | ')'));
        for word in words.map(|word| word.trim_start_matches("./")) {
            let is_ours = ["deploy/", "benches/", "tests/", "docs/"].iter().any(|folder| word.starts_with(folder));
            if is_ours && !root().join(word).exists() {
                missing.push(format!("{}: {word}", block.place()));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}
