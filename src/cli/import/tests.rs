//! The inputs below `tests/import`, a folder for each program. Beside each input `NAME` stand the configuration, `NAME.json`, and the
//! findings, `NAME.findings`. `UPDATE_IMPORT=1 cargo test --lib import` writes both anew.

use std::fs;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde_json::{Value, json};

use super::findings::{Fate, Finding};
use super::{ConfigDraft, Format, Imported, Tree, convert, findings, formats, input};
use crate::config::{Config, ConfigSource, Overrides, parse};

/// In each secret of the inputs.
const MARKS: [&str; 3] = ["fixture-secret", "fixture_secret", "FixtureSecret"];

/// Each input with the program.
fn inputs() -> Vec<(Format, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/import");
    let mut found = Vec::new();
    for format in Format::value_variants() {
        let name = format.to_possible_value().expect("a name").get_name().to_owned();
        let folder = fs::read_dir(root.join(&name)).unwrap_or_else(|_| panic!("inputs of {name}"));
        let files = folder.map(|entry| entry.expect("reads").path());
        let is_input = |path: &PathBuf| !path.extension().is_some_and(|end| end == "findings" || end == "out");
        let before = found.len();
        found.extend(files.filter(is_input).map(|path| (*format, path)));
        assert!(found.len() >= before + 3, "{name} has three inputs");
    }
    found
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).expect("reads")
}

fn imported(format: Format, path: &Path, with_secrets: bool) -> Imported {
    convert(format, &text(path), with_secrets).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

fn told(imported: &Imported) -> String {
    let mut told = Vec::new();
    super::report(&mut told, imported).expect("writes");
    String::from_utf8(told).expect("UTF-8")
}

/// Loads a configuration as `check` does, with something in the place of all variables and files.
fn load(configuration: &str) -> Result<Config, String> {
    let mut filled = String::new();
    let mut rest = configuration;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, behind) = after.split_once('}').expect("a variable");
        let value = match name {
            base if base.contains("BASE") => "https://from-the-environment.example/v1",
            proxy if proxy.contains("PROXY") => "http://user:password@proxy.example:3128",
            _ => "sk-of-a-test-0123456789",
        };
        filled.extend([before, value]);
        rest = behind;
    }
    // A preset looks for a key in the environment.
    let mut whole: Value = serde_json::from_str(&(filled + rest)).expect("JSON");
    for api in whole["apis"].as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        if api.contains_key("provider") && !api.contains_key("apiKeyFile") {
            api.entry("apiKey").or_insert(json!("sk-of-a-test-0123456789"));
            let blank = match api["provider"].as_str() {
                Some("azure") => "resource",
                Some("cloudflare") => "account",
                _ => continue,
            };
            api.entry(blank).or_insert(json!("from-the-environment"));
        }
    }
    let source = ConfigSource { path: "apis.json".into(), overrides: Overrides::default() };
    parse(&whole.to_string(), &source, |_| Ok("sk-of-a-file-0123456789".to_owned())).map_err(|e| e.to_string())
}

#[test]
fn each_input_becomes_the_configuration_and_the_findings_beside_it() {
    for (format, path) in inputs() {
        let imported = imported(format, &path, false);
        for (end, now) in [("out", imported.configuration.clone()), ("findings", told(&imported))] {
            let kept = path.with_file_name(format!("{}.{end}", path.file_name().expect("a name").display()));
            if std::env::var_os("UPDATE_IMPORT").is_some() {
                fs::write(&kept, &now).expect("writes");
            }
            assert_eq!(now, text(&kept), "{} (UPDATE_IMPORT=1 writes it anew)", kept.display());
        }
    }
}

#[test]
fn each_configuration_is_valid_and_without_a_warning_about_itself() {
    for (format, path) in inputs() {
        for with_secrets in [false, true] {
            let imported = imported(format, &path, with_secrets);
            let config = load(&imported.configuration).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
            let about: Vec<_> = config.warnings.iter().filter(|warning| warning.contains("models")).collect();
            assert!(about.is_empty(), "{}: {about:?}", path.display());
        }
    }
}

#[test]
fn no_secret_is_written_or_told_unasked() {
    for (format, path) in inputs() {
        let imported = imported(format, &path, false);
        let all = imported.configuration.clone() + &told(&imported);
        for mark in MARKS {
            assert!(!all.contains(mark), "{} gives a secret away: {all}", path.display());
        }
        assert!(!told(&self::imported(format, &path, true)).contains("ixture"), "{}", path.display());
    }
}

/// The leaves of a value, with their paths as findings write them.
fn leaves(value: &Value, path: &str, found: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            fields.iter().for_each(|(name, value)| leaves(value, &super::tree::named(path, name), found));
        }
        Value::Array(items) if !items.is_empty() => {
            items.iter().enumerate().for_each(|(i, item)| leaves(item, &format!("{path}[{i}]"), found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            found.push((path.to_owned(), value.clone()));
        }
    }
}

/// The finding that speaks of a leaf: its own, or that of the nearest part around it.
fn finding_of<'a>(findings: &'a [Finding], leaf: &str) -> Option<&'a Finding> {
    let is_around = |part: &str| {
        leaf.strip_prefix(part).is_some_and(|rest| rest.is_empty() || part.is_empty() || rest.starts_with(['.', '[']))
    };
    findings.iter().filter(|finding| is_around(&finding.path)).max_by_key(|finding| finding.path.len())
}

fn read(format: Format, tree: &Tree) -> (Value, Vec<Finding>) {
    let mut draft = ConfigDraft::new(true);
    formats::read(format, tree, &mut draft).expect("the form");
    let configuration = draft.finish();
    (configuration, tree.findings())
}

#[test]
fn each_field_is_named_and_a_carried_one_is_in_the_configuration() {
    let mut lost = Vec::new();
    for (format, path) in inputs() {
        let tree = input::parse(format.form(), &text(&path)).expect("reads");
        let (configuration, findings) = read(format, &tree);
        let output = configuration.to_string();
        let mut all = Vec::new();
        leaves(tree.root().value(), "", &mut all);
        assert!(all.len() > 4, "{}", path.display());
        for (leaf, value) in all {
            let at = format!("{}: {leaf}", path.display());
            let finding = finding_of(&findings, &leaf).unwrap_or_else(|| panic!("{at} is not named"));
            if finding.fate != Fate::Carried || !finding.text.is_empty() {
                continue;
            }
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let text = text.trim().trim_start_matches("os.environ/");
            let name = leaf.rsplit(['.', ']']).next().unwrap_or_default();
            if !output.contains(text) && !output.contains(&format!("${{{name}}}")) {
                lost.push(at);
            }
        }
    }
    assert_eq!(lost, [""; 0], "said to be carried, and not in the configuration");
}

/// Adds a field that no program has to each object.
fn with_unknown_fields(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.values_mut().for_each(with_unknown_fields);
            fields.insert("zz_nobody_knows".to_owned(), json!(7));
        }
        Value::Array(items) => items.iter_mut().for_each(with_unknown_fields),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn a_field_that_nobody_knows_is_named_wherever_it_stands() {
    for (format, path) in inputs() {
        let tree = input::parse(format.form(), &text(&path)).expect("reads");
        let mut root = tree.root().value().clone();
        with_unknown_fields(&mut root);
        let tree = Tree::new(root, Default::default());
        let (configuration, findings) = read(format, &tree);
        let mut all = Vec::new();
        leaves(tree.root().value(), "", &mut all);
        for (leaf, _) in all.iter().filter(|(leaf, _)| leaf.ends_with("zz_nobody_knows")) {
            let finding = finding_of(&findings, leaf).unwrap_or_else(|| panic!("{}: {leaf}", path.display()));
            // An object of any names, such as headers, may take the field for one of them.
            let is_there = configuration.to_string().contains("zz_nobody_knows");
            assert!(finding.fate == Fate::LeftOut || is_there, "{}: {leaf}", path.display());
        }
    }
}

#[test]
fn findings_end_with_the_sum() {
    let mut out = Vec::new();
    findings::print(&mut out, &[]).expect("writes");
    assert_eq!(String::from_utf8(out).expect("UTF-8"), "\n  0 carried, 0 changed, 0 left out\n");
}

#[test]
fn a_small_file_does_not_become_a_large_tree() {
    use super::input::{Form, parse, read_file};

    let long = "n".repeat(1_025);
    for (form, text) in [
        (Form::Yaml, format!("? {long}\n: 1\n")),
        (Form::Yaml, format!("{{\"{long}\": 1}}")),
        (Form::LinesOrTable, format!("{long},b\n1,2\n")),
    ] {
        let why = parse(form, &text).map(|_| ()).expect_err("a long name");
        assert!(why.ends_with("the name of a field has more than 1024 bytes"), "{why}");
    }
    // Each value has a path of 40 kB.
    let names = |end: &str| (0..40).map(|_| format!("\"{}\"{end}{{", "n".repeat(1_000))).collect::<String>();
    let anchors: String = (0..2_000).map(|i| format!("&a{i} x, ")).collect();
    let rows = "1,2\n".repeat(100_000);
    for (form, text) in [
        (Form::Yaml, format!("# in a line\n{{{}x: [{anchors}]{}\n", names(": "), "}".repeat(41))),
        (Form::Yaml, format!("{{{}\"x\": [{}1]{}\n", names(":"), "1,".repeat(2_000), "}".repeat(41))),
        (Form::LinesOrTable, format!("{},b\n{rows}", "n".repeat(1_000))),
    ] {
        let why = parse(form, &text).map(|_| ()).expect_err("long paths");
        assert!(why.contains("more than 500000 values"), "{why}");
    }
    let folder = crate::cli::temporary_folder::TemporaryFolder::create("import-bound").expect("a folder");
    let path = folder.0.join("large.yaml");
    fs::write(&path, "#".repeat((4 << 20) + 1)).expect("writes");
    assert!(read_file(&path).expect_err("too large").starts_with("is larger than 4 MiB"));
}
