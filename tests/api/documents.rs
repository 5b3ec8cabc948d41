//! What the documents say is true: links lead somewhere, configurations load, commands run, every field is described.

mod blocks;
mod commands;
mod snippets;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::{Map, Value, json};

use self::blocks::{Block, pages, root};
use crate::helpers::Launch;

/// Pages of the project's past, whose links and commands were true then.
const HISTORY: [&str; 1] = ["CHANGELOG.md"];

#[test]
fn every_link_leads_to_a_page_and_a_heading() {
    let mut broken = Vec::new();
    for (page, text) in pages() {
        let folder = root().join(&page).parent().expect("a folder").to_owned();
        for link in blocks::links(&text) {
            let (path, heading) = link.split_once('#').map_or((link.as_str(), None), |(path, it)| (path, Some(it)));
            let target = if path.is_empty() { root().join(&page) } else { folder.join(path) };
            let is_there = match heading {
                None => target.exists(),
                Some(heading) => fs::read_to_string(&target).is_ok_and(|it| blocks::anchors(&it).contains(heading)),
            };
            if !is_there && !HISTORY.contains(&page.as_str()) {
                broken.push(format!("{page}: {link}"));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// What kind of JSON a block is.
enum Json {
    Configuration(Value),
    Other,
}

/// The names of a type's fields in the schema.
fn fields(schema: &Value, of: &str) -> BTreeSet<String> {
    let properties = if of.is_empty() { &schema["properties"] } else { &schema["$defs"][of]["properties"] };
    properties.as_object().unwrap_or_else(|| panic!("no {of} in the schema")).keys().cloned().collect()
}

/// A block with fields of the file alone is a file, or a part of one; with those of an API it is an entry.
fn kind(document: Value, schema: &Value) -> Json {
    let Some(object) = document.as_object() else { return Json::Other };
    let all_of = |names: &BTreeSet<String>| !object.is_empty() && object.keys().all(|name| names.contains(name));
    let entry = json!({ "id": "other", "baseUrl": "https://other.example", "apiKey": "sk-other-0123456789" });
    if all_of(&fields(schema, "")) {
        let mut file = document;
        file.as_object_mut().expect("seen").entry("apis").or_insert(json!([entry]));
        return Json::Configuration(file);
    }
    if object.contains_key("id") && all_of(&fields(schema, "ApiFile")) {
        return Json::Configuration(json!({ "apis": [document] }));
    }
    Json::Other
}

/// The environment variables that a configuration names without a default.
fn variables(text: &str) -> BTreeMap<String, String> {
    let names = text.split("${").skip(1).filter_map(|rest| rest.split('}').next());
    let names = names.filter(|name| !name.contains(":-"));
    let value = |name: &str| match name {
        "REDIS_URL" => "redis://127.0.0.1:1/0".to_owned(),
        _ => format!("sk-of-{}-0123456789", name.to_lowercase()),
    };
    let of_providers = key_variables(text);
    names.map(str::to_owned).chain(of_providers).map(|name| (name.clone(), value(&name))).collect()
}

/// The variables in which the providers' keys are looked for, of entries without a key.
fn key_variables(text: &str) -> Vec<String> {
    let file: Value = serde_json::from_str(text).expect("JSON");
    let presets = fs::read_to_string(root().join("config/providers.json")).expect("reads");
    let presets: Value = serde_json::from_str(&presets).expect("JSON");
    let apis = file["apis"].as_array().into_iter().flatten();
    let without_a_key = apis.filter(|api| api.get("apiKey").or(api.get("apiKeyFile")).is_none());
    let usual = |api: &Value| presets["providers"][api["provider"].as_str()?]["keyEnv"][0].as_str().map(str::to_owned);
    without_a_key.filter_map(usual).collect()
}

#[test]
fn every_json_block_parses_and_every_configuration_in_it_is_valid() {
    let schema = fs::read_to_string(root().join("config/apis.schema.json")).expect("reads");
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    let mut wrong = Vec::new();
    let mut checked = 0;
    for block in blocks::all().into_iter().filter(|block| block.language == "json") {
        let document = match serde_json::from_str(&block.text) {
            Ok(document) => document,
            Err(e) => {
                wrong.push(format!("{}: {e}", block.place()));
                continue;
            }
        };
        let Json::Configuration(file) = kind(document, &schema) else { continue };
        checked += 1;
        if let Err(why) = check(&file) {
            wrong.push(format!("{}: {why}", block.place()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(checked >= 5, "only {checked} configurations were found");
}

/// Lets `api-together check` read a configuration.
fn check(file: &Value) -> Result<(), String> {
    let mut launch = Launch::new(file);
    for (name, value) in variables(&file.to_string()) {
        launch = launch.env(&name, &value);
    }
    for name in key_files(file) {
        fs::write(launch.folder.join(name), "sk-from-a-file-0123456789").expect("writes");
    }
    if let Some(name) = file["prices"]["file"].as_str() {
        fs::write(launch.folder.join(name), "provider,model,input,output\n*,m,1,4\n").expect("writes");
    }
    let output = launch.command().args(["check", "--config", "apis.json"]).output().expect("runs");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if output.status.success() { Ok(()) } else { Err(said) }
}

fn key_files(file: &Value) -> Vec<String> {
    let apis = file["apis"].as_array().into_iter().flatten();
    apis.filter_map(|api| api["apiKeyFile"].as_str()).map(str::to_owned).collect()
}

#[test]
fn the_example_in_the_readme_is_the_shipped_one() {
    let shipped = fs::read_to_string(root().join("config/apis.example.json")).expect("reads");
    for page in ["README.md", "README.zh-CN.md"] {
        let is_there = |block: &Block| block.page == page && block.language == "json" && block.text == shipped;
        assert!(blocks::all().iter().any(is_there), "{page} does not show config/apis.example.json as it is");
    }
}

/// The tables of docs/configuration.md, by heading, and the type of the schema that each describes.
const TABLES: [(&str, &str); 8] = [
    ("The file", ""),
    ("`server`", "ServerFile"),
    ("`apis[]`", "ApiFile"),
    ("`apis[].timeouts`", "TimeoutsFile"),
    ("`retry`", "RetryFile"),
    ("`store`", "StoreFile"),
    ("`queue`", "QueueFile"),
    ("`actors`", "ActorsFile"),
];

#[test]
fn every_field_of_the_configuration_is_described_and_nothing_else() {
    let schema = fs::read_to_string(root().join("config/apis.schema.json")).expect("reads");
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    let page = fs::read_to_string(root().join("docs/configuration.md")).expect("reads");
    let mut described: Map<String, Value> = Map::new();
    let mut heading = String::new();
    for line in page.lines() {
        if let Some(text) = line.strip_prefix("## ").or_else(|| line.strip_prefix("### ")) {
            heading = text.to_owned();
        }
        let Some(cell) = line.strip_prefix("| ").and_then(|rest| rest.split(" |").next()) else { continue };
        let names = described.entry(heading.clone()).or_insert(json!([])).as_array_mut().expect("a list");
        names.extend(cell.split(", ").filter_map(|it| it.strip_prefix('`')?.strip_suffix('`')).map(|it| json!(it)));
    }
    for (table, of) in TABLES {
        let names = described.get(table).and_then(Value::as_array).unwrap_or_else(|| panic!("no table {table}"));
        let names: BTreeSet<String> = names.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        // Fields with a heading of their own need no row in the file's table.
        let own = |name: &String| page.contains(&format!("\n## `{name}`\n"));
        let wanted: BTreeSet<String> = fields(&schema, of);
        let missing: Vec<_> = wanted.difference(&names).filter(|name| !of.is_empty() || !own(name)).collect();
        let unknown: Vec<_> = names.difference(&wanted).collect();
        assert!(missing.is_empty() && unknown.is_empty(), "{table}: missing {missing:?}, unknown {unknown:?}");
    }
}
