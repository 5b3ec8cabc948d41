//! Holds the import table of `docs/architecture.md`: who may know whom.

#![expect(clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A room, and the rooms of ours that it may import. `app`, `cli` and `main` compose: they may know everything.
const RULES: [(&str, &[&str]); 10] = [
    ("types", &[]),
    ("config", &["types"]),
    ("dialect", &["types", "config"]),
    ("persistence", &["types"]),
    ("upstream", &["types", "config", "persistence"]),
    ("scheduler", &["types", "config", "persistence", "upstream"]),
    ("records", &["types", "config", "persistence"]),
    ("error", &["types", "scheduler", "upstream"]),
    ("proxy", &["types", "error", "config", "dialect", "scheduler", "upstream", "records"]),
    ("http", &["types", "error", "config", "dialect", "scheduler", "upstream", "proxy", "records"]),
];

/// Files and folders that are pure: no actor, no clock, no I/O.
const PURE: [&str; 8] = [
    "types",
    "dialect",
    "upstream/health",
    "upstream/state.rs",
    "upstream/state",
    "upstream/latency.rs",
    "scheduler/weighted_tiers.rs",
    "scheduler/routes.rs",
];

fn sources() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("reads").map_while(Result::ok) {
            let path = entry.path();
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&src, &mut found);
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("reads");
        (path.strip_prefix(&src).expect("below").to_owned(), text)
    };
    let files: Vec<_> =
        found.into_iter().filter(|path| path.extension().is_some_and(|e| e == "rs")).map(read).collect();
    assert!(files.len() > 40, "the walk found {} files", files.len());
    files
}

/// The code of a file without its tests and comments.
fn code(text: &str) -> String {
    let before_tests = text.split("#[cfg(test)]").next().unwrap_or_default();
    before_tests.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn room(path: &Path) -> String {
    let first = path.components().next().expect("a name").as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

#[test]
fn each_room_imports_only_the_rooms_it_may_know() {
    for (path, text) in sources() {
        let room = room(&path);
        let Some((_, allowed)) = RULES.iter().find(|(name, _)| *name == room) else {
            assert!(["app", "cli", "main", "lib"].contains(&room.as_str()), "{room} has no rule");
            continue;
        };
        let code = code(&text);
        let known: BTreeSet<&str> = code
            .match_indices("crate::")
            .filter_map(|(at, _)| code[at + 7..].split(|c: char| !c.is_alphanumeric() && c != '_').next())
            .filter(|name| *name != room)
            .collect();
        for name in known {
            assert!(allowed.contains(&name), "{}: {room} must not know {name}", path.display());
        }
    }
}

#[test]
fn pure_files_know_no_actor_no_clock_and_no_io() {
    let sources = sources();
    for name in PURE {
        let inside: Vec<_> = sources.iter().filter(|(path, _)| path.starts_with(name)).collect();
        assert!(!inside.is_empty(), "there is no {name}");
        for (path, text) in inside {
            let code = code(text);
            for impure in
                ["actix::", "Now::read", "Instant", "SystemTime", "std::fs", "tokio::", "rand::rng", "async fn"]
            {
                assert!(!code.contains(impure), "{} is pure, and has {impure}", path.display());
            }
        }
    }
}

#[test]
fn a_file_can_be_read_in_one_sitting() {
    for (path, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= 400, "{} has {lines} lines", path.display());
        let code = code(&text).lines().count();
        assert!(code <= 300, "{} has {code} lines of code", path.display());
        assert!(text.starts_with("//!"), "{} does not say what it is", path.display());
    }
}
