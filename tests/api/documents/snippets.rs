//! Runs the Python and JavaScript of the README with the official packages, which `tests/run` installs, beside a running demo.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::blocks::{self, root};
use crate::helpers::{Demo, scratch};

/// What the demo's models say, whatever they are asked.
const SAID: &str = "(No account was harmed.)";

/// Runs all blocks of a language on the front pages, by an interpreter that takes a file. Each prints the demo's answer.
fn run(language: &str, file: &str, interpreter: &Path, tools: &Path) {
    let demo = Demo::start();
    let folder = scratch();
    std::os::unix::fs::symlink(tools.join("node/node_modules"), folder.join("node_modules")).expect("links");
    let mut ran = 0;
    for block in blocks::all().iter().filter(|it| it.language == language && it.page.starts_with("README")) {
        fs::write(folder.join(file), block.text.replace("localhost:3001", &format!("localhost:{}", demo.port)))
            .expect("writes");
        let mut command = Command::new("timeout");
        command.arg("60").arg(interpreter).arg(file).current_dir(&folder).stdin(Stdio::null());
        // SDKs read their base URL, key and proxies from the environment.
        let kept = ["PATH", "HOME"].iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
        let output = command.env_clear().envs(kept).output().expect("timeout is there");
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success() && said.contains(SAID), "{}: {}\n{said}", block.place(), output.status);
        ran += 1;
    }
    assert_eq!(ran, 2, "a block of {language} in each language of the README");
}

fn tools() -> PathBuf {
    std::env::var_os("API_TOGETHER_TOOLS").map_or_else(|| root().join("target/tools"), PathBuf::from)
}

#[test]
fn the_python_of_the_readme_works() {
    let tools = tools();
    let python = tools.join("venv/bin/python");
    assert!(python.exists(), "no OpenAI SDKs in {}: run tests/run, which installs them", tools.display());
    run("python", "example.py", &python, &tools);
}

/// With the name that the README gives: another ending needs another way to import.
#[test]
fn the_javascript_of_the_readme_works() {
    let tools = tools();
    assert!(tools.join("node/node_modules").exists(), "no OpenAI SDKs in {}: run tests/run", tools.display());
    run("js", "example.mjs", Path::new("node"), &tools);
}
