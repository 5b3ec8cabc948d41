//! Holds the rules of `docs/architecture.md`: who may import whom, no circles, one name for one thing, files of a readable size.

#![expect(clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A room, and the rooms of ours that it may import. `app`, `cli` and `main` compose: they may know everything.
const RULES: &[(&str, &[&str])] = &[
    ("types", &[]),
    ("agents", &["types"]),
    ("mailbox", &[]),
    ("text", &["types"]),
    ("config", &["types", "mailbox", "text"]),
    ("alerts", &["types", "mailbox", "config"]),
    ("dialect", &["types", "config"]),
    ("persistence", &["types", "mailbox", "alerts"]),
    ("quotas", &["types", "mailbox", "alerts", "config", "persistence"]),
    ("keys", &["types", "mailbox", "alerts", "config", "persistence", "quotas"]),
    ("upstream", &["types", "mailbox", "alerts", "config", "persistence", "quotas"]),
    ("scheduler", &["types", "mailbox", "alerts", "config", "persistence", "quotas", "upstream"]),
    ("metrics", &[]),
    ("usage", &["types"]),
    ("records", &["types", "mailbox", "config", "persistence", "metrics", "keys", "usage"]),
    ("homes", &["types", "mailbox", "persistence"]),
    ("error", &["types", "keys", "scheduler", "upstream"]),
    ("proxy", &["types", "mailbox", "error", "config", "dialect", "keys", "scheduler", "upstream", "homes", "records"]),
    (
        "http",
        &[
            "types",
            "mailbox",
            "alerts",
            "error",
            "config",
            "dialect",
            "quotas",
            "keys",
            "scheduler",
            "upstream",
            "proxy",
            "homes",
            "records",
            "metrics",
            "usage",
        ],
    ),
    (
        "ui",
        &[
            "types",
            "agents",
            "mailbox",
            "text",
            "alerts",
            "error",
            "config",
            "quotas",
            "keys",
            "scheduler",
            "upstream",
            "proxy",
            "records",
            "metrics",
            "usage",
            "http",
        ],
    ),
];

/// Files and folders that are pure: no actor, no clock, no I/O.
const PURE: [&str; 26] = [
    "agents/choice.rs",
    "agents/program.rs",
    "agents/recipe.rs",
    "agents/table.rs",
    "text/json",
    "text/line_ends.rs",
    "text/lines.rs",
    "config/edit/change.rs",
    "config/edit/entry.rs",
    "config/edit/error.rs",
    "config/edit/mask.rs",
    "config/edit/place.rs",
    "config/edit/restore.rs",
    "config/edit/secret_parts.rs",
    "usage",
    "types",
    "dialect",
    "upstream/health",
    "upstream/state.rs",
    "upstream/state",
    "upstream/latency.rs",
    "scheduler/weighted_tiers.rs",
    "scheduler/model_names.rs",
    "scheduler/routes.rs",
    "homes/known.rs",
    "homes/home_record.rs",
];

fn sources() -> Vec<(PathBuf, String)> {
    let files = sources_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(files.len() > 40, "the walk found {} files", files.len());
    files
}

fn sources_below(src: &Path) -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("reads").map_while(Result::ok) {
            let path = entry.path();
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let mut found = Vec::new();
    walk(src, &mut found);
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("reads");
        (path.strip_prefix(src).expect("below").to_owned(), text)
    };
    found.into_iter().filter(|path| path.extension().is_some_and(|e| e == "rs")).map(read).collect()
}

/// The code of a file without its tests and comments.
fn code(text: &str) -> String {
    let before_tests = text.split("#[cfg(test)]").next().unwrap_or_default();
    before_tests.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The path of a file's module, without `mod`: `["proxy", "commit", "success"]`.
fn module(path: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        path.with_extension("").iter().map(|name| name.to_string_lossy().into_owned()).collect();
    names.pop_if(|last| last == "mod");
    names
}

/// The modules that the code of a file names: `super::a::b`, `crate::a::{b, c}`. Names of items are among them.
fn named_modules(of: &[String], code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    for start in ["crate::", "super::"] {
        for (at, _) in code.match_indices(start) {
            // Of `super::super::`, the second is found by itself.
            if code[..at].ends_with("::") {
                continue;
            }
            let path: String = code[at..].chars().take_while(|c| is_path(*c)).collect();
            let group = code[at + path.len()..].strip_prefix('{').and_then(|rest| rest.split('}').next());
            let names: Vec<&str> = path.split("::").filter(|name| !name.is_empty()).collect();
            let above = names.iter().filter(|name| **name == "super").count();
            let below = names.into_iter().filter(|name| !["super", "crate"].contains(name)).map(str::to_owned);
            let base = if start == "crate::" { 0 } else { of.len().saturating_sub(above) };
            let full: Vec<String> = of.iter().take(base).cloned().chain(below).collect();
            for item in group.unwrap_or_default().split(',') {
                let item = item.trim().split("::").filter(|name| !name.is_empty()).map(str::to_owned);
                found.push(full.iter().cloned().chain(item).collect());
            }
        }
    }
    found
}

/// Which names can be reached from each name, by any number of steps.
fn reached(edges: &BTreeMap<String, BTreeSet<String>>, from: &str) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut next = vec![from.to_owned()];
    while let Some(name) = next.pop() {
        for to in edges.get(&name).into_iter().flatten() {
            if seen.insert(to.clone()) {
                next.push(to.clone());
            }
        }
    }
    seen
}

/// Returns whether a file is of tests alone.
fn is_test(path: &Path) -> bool {
    path.iter().any(|name| ["test", "properties", "script"].iter().any(|word| name.to_string_lossy().starts_with(word)))
}

fn room(path: &Path) -> String {
    let first = path.components().next().expect("a name").as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

#[test]
fn each_room_imports_only_the_rooms_it_may_know() {
    for (path, text) in sources().into_iter().filter(|(path, _)| !is_test(path)) {
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
        assert!(lines <= 300, "{} has {lines} lines", path.display());
        assert!(text.starts_with("//!"), "{} does not say what it is", path.display());
    }
}

#[test]
fn no_modules_of_a_folder_import_each_other_in_a_circle() {
    let sources: Vec<_> = sources().into_iter().filter(|(path, _)| !is_test(path)).collect();
    let modules: BTreeSet<Vec<String>> = sources.iter().map(|(path, _)| module(path)).collect();
    // By folder: which of its files and folders knows which other.
    let mut folders: BTreeMap<Vec<String>, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for (path, text) in &sources {
        let from = module(path);
        for named in named_modules(&from, &code(text)) {
            let Some(to) = (1..=named.len()).rev().map(|n| &named[..n]).find(|to| modules.contains(*to)) else {
                continue;
            };
            let common = from.iter().zip(to).take_while(|(a, b)| a == b).count();
            // A file and its own folder are one.
            if let (Some(one), Some(other)) = (from.get(common), to.get(common)) {
                let edges = folders.entry(from[..common].to_vec()).or_default();
                edges.entry(one.clone()).or_default().insert(other.clone());
            }
        }
    }
    assert!(folders.len() > 8, "{folders:?}");
    for (folder, edges) in &folders {
        for name in edges.keys() {
            assert!(!reached(edges, name).contains(name), "{}: {name} is in a circle: {edges:#?}", folder.join("/"));
        }
    }
}

#[test]
fn no_type_name_stands_for_two_things() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates");
    let of_crates = fs::read_dir(crates).expect("reads").map_while(Result::ok).map(|entry| entry.path().join("src"));
    let mut places: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for (path, text) in sources().into_iter().chain(of_crates.flat_map(|folder| sources_below(&folder))) {
        for line in code(&text).lines().filter(|_| !is_test(&path)) {
            // An associated type is indented, and belongs to a trait.
            let words: Vec<&str> = line.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
            let after_visibility =
                words.iter().position(|word| !["pub", "crate", "super", "in", "upstream", ""].contains(word));
            if let [Some("struct" | "enum" | "trait" | "type"), Some(name)] =
                [0, 1].map(|nth| words.get(after_visibility? + nth).copied())
                && !line.starts_with(' ')
            {
                places.entry(name.to_owned()).or_default().push(path.clone());
            }
        }
    }
    assert!(places.len() > 200);
    places.retain(|_, files| files.len() > 1);
    assert!(places.is_empty(), "{places:#?}");
}
