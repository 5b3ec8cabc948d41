//! The JSON Schema of the configuration file, and a check of a typed file against it.
//!
//! Serde stops at the first mistake and names no place. A person wants all mistakes at once, each with a path.
//! The walk knows the part of JSON Schema in use for our types, and no more.

use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::problem::{Problem, shown_name};

/// The schema of a configuration, for editors. A test holds that the text is made of the types in [`file`](super::file).
pub const CONFIG_SCHEMA: &str = include_str!("../../config/apis.schema.json");

/// The schema of a file of presets, as `config/providers.json` is one. The same test holds the text.
const PROVIDERS_SCHEMA: &str = include_str!("../../config/providers.schema.json");

static OF_CONFIG: LazyLock<Value> = LazyLock::new(|| read(CONFIG_SCHEMA));
static OF_PROVIDERS: LazyLock<Value> = LazyLock::new(|| read(PROVIDERS_SCHEMA));

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

/// Returns the schema of a configuration.
pub fn config_schema() -> &'static Value {
    &OF_CONFIG
}

/// Returns every mistake of a configuration against the schema.
pub(super) fn check(document: &Value) -> Vec<Problem> {
    walk(document, &OF_CONFIG, &OF_CONFIG, "")
}

/// Returns every mistake of a file of presets against the schema.
pub(super) fn check_providers(document: &Value) -> Vec<Problem> {
    walk(document, &OF_PROVIDERS, &OF_PROVIDERS, "")
}

/// Returns every mistake in some fields of an account's entry, which stand at `at`. No field is required.
pub(super) fn check_fields_of_api(fields: &Value, at: &str) -> Vec<Problem> {
    let mut entry = OF_CONFIG.pointer("/$defs/ApiFile").cloned().unwrap_or_default();
    entry.as_object_mut().map(|entry| entry.remove("required"));
    walk(fields, &entry, &OF_CONFIG, at)
}

fn walk(part: &Value, schema: &Value, root: &Value, at: &str) -> Vec<Problem> {
    let mut walk = Walk { definitions: root.get("$defs").cloned().unwrap_or_default(), problems: Vec::new() };
    walk.value(part, schema, at);
    walk.problems
}

struct Walk {
    definitions: Value,
    problems: Vec<Problem>,
}

impl Walk {
    fn value(&mut self, value: &Value, schema: &Value, at: &str) {
        if let Some(name) = schema.get("$ref").and_then(Value::as_str).and_then(|r| r.rsplit('/').next()) {
            let target = self.definitions.get(name).cloned().unwrap_or_default();
            return self.value(value, &target, at);
        }
        if let Some(branches) = schema.get("anyOf").and_then(Value::as_array) {
            // The branch whose type fits speaks; where none does, the types of all are named.
            let fits = |branch: &&Value| self.types(branch).iter().any(|t| is_of_type(value, t));
            return match branches.iter().find(fits) {
                Some(branch) => self.value(value, branch, at),
                None => {
                    let wanted = branches.iter().flat_map(|b| self.types(b)).collect::<Vec<_>>();
                    self.wrong_type(value, &wanted, at);
                }
            };
        }
        // An enum has a constant for each word.
        if let Some(words) = schema.get("oneOf").and_then(Value::as_array) {
            let words: Vec<&Value> = words.iter().filter_map(|word| word.get("const")).collect();
            if !words.contains(&value) {
                let words: Vec<String> = words.iter().filter_map(|word| Some(word.as_str()?.to_owned())).collect();
                let meant = value.as_str().and_then(|typed| nearest(typed, words.iter()));
                let hint = meant.map(|word| format!("; did you mean {word}?")).unwrap_or_default();
                self.problem(at, format!("must be {}{hint}", words.join(" or ")));
            }
            return;
        }
        let wanted = self.types(schema);
        if !wanted.is_empty() && !wanted.iter().any(|t| is_of_type(value, t)) {
            return self.wrong_type(value, &wanted, at);
        }
        match value {
            Value::Object(fields) => self.object(fields, schema, at),
            Value::Array(items) => self.array(items, schema, at),
            Value::String(text) => {
                if text.is_empty() && bound(schema, "minLength").is_some_and(|min| min >= 1.0) {
                    self.problem(at, "must not be empty");
                }
            }
            Value::Number(number) => self.number(number.as_f64().unwrap_or(f64::NAN), schema, at),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn object(&mut self, fields: &Map<String, Value>, schema: &Value, at: &str) {
        let none = Map::new();
        let known = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
        for (name, value) in fields {
            let here = join(at, name);
            match (known.get(name), schema.get("additionalProperties")) {
                (Some(schema), _) => self.value(value, schema, &here),
                (None, Some(Value::Bool(false))) => {
                    let meant = nearest(name, known.keys()).map(String::as_str).or_else(|| meant_by(name, at, known));
                    let hint = meant.map(|k| format!(", did you mean {k}?"));
                    let here = if hint.is_some() { here } else { join(at, shown_name(name)) };
                    self.problem(&here, format!("unknown field{}", hint.unwrap_or_default()));
                }
                (None, Some(schema)) => self.value(value, schema, &here),
                (None, None) => {}
            }
        }
        for name in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
            if let Some(name) = name.as_str().filter(|name| !fields.contains_key(*name)) {
                self.problem(&join(at, name), "is missing");
            }
        }
    }

    fn array(&mut self, items: &[Value], schema: &Value, at: &str) {
        if items.is_empty() && bound(schema, "minItems").is_some_and(|min| min >= 1.0) {
            let or_not = if at == "apis" { "" } else { ", or leave the field out" };
            self.problem(at, format!("must not be an empty list; give at least one{or_not}"));
        }
        if let Some(schema) = schema.get("items") {
            for (i, item) in items.iter().enumerate() {
                self.value(item, schema, &format!("{at}[{i}]"));
            }
        }
    }

    fn number(&mut self, number: f64, schema: &Value, at: &str) {
        let min = bound(schema, "minimum").unwrap_or(f64::NEG_INFINITY);
        let max = bound(schema, "maximum").unwrap_or(f64::INFINITY);
        if number < min || number > max {
            self.problem(at, format!("must be between {min} and {max}, is {number}"));
        }
    }

    /// Returns the JSON types of a schema; none named means any.
    fn types(&self, schema: &Value) -> Vec<String> {
        if let Some(name) = schema.get("$ref").and_then(Value::as_str).and_then(|r| r.rsplit('/').next()) {
            return self.definitions.get(name).map(|target| self.types(target)).unwrap_or_default();
        }
        if let Some(branches) = schema.get("anyOf").and_then(Value::as_array) {
            return branches.iter().flat_map(|b| self.types(b)).collect();
        }
        if schema.get("oneOf").is_some() {
            return vec!["string".to_owned()];
        }
        match schema.get("type") {
            Some(Value::String(one)) => vec![one.clone()],
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        }
    }

    fn wrong_type(&mut self, value: &Value, wanted: &[String], at: &str) {
        let word = |wanted| if wanted == "number" { "a number" } else { named(wanted) };
        let mut wanted: Vec<&str> = wanted.iter().map(String::as_str).map(word).filter(|t| *t != "null").collect();
        wanted.dedup();
        self.problem(at, format!("must be {}, is {}", wanted.join(" or "), named(type_of(value))));
    }

    fn problem(&mut self, at: &str, text: impl Into<String>) {
        self.problems.push(Problem::new(if at.is_empty() { "the file" } else { at }, text));
    }
}

fn is_of_type(value: &Value, wanted: &str) -> bool {
    match wanted {
        "integer" => value.as_f64().is_some_and(|n| n.fract() == 0.0) && !value.is_f64(),
        "number" => value.is_number(),
        other => type_of(value) == other,
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn named(json_type: &str) -> &str {
    match json_type {
        "integer" => "a whole number",
        "number" => "a number with a fraction",
        "string" => "a string",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "an object",
        other => other,
    }
}

fn bound(schema: &Value, name: &str) -> Option<f64> {
    schema.get(name).and_then(Value::as_f64)
}

fn join(at: &str, name: &str) -> String {
    if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") }
}

/// Names of other programs' files, and the fields here.
const OTHER_NAMES: [(&[&str], &str); 14] = [
    (&["url", "endpoint", "apibase", "openaiapibase", "base", "host", "address", "uri", "server"], "baseUrl"),
    (&["key", "token", "secret", "password", "authtoken", "bearer", "keys", "apikeys"], "apiKey"),
    (&["keyfile", "secretfile"], "apiKeyFile"),
    (&["mapping", "modelmap", "aliases", "rename"], "modelMapping"),
    (&["requestsperminute", "ratelimit", "perminute"], "rpm"),
    (&["requestsperday", "dailylimit", "perday"], "rpd"),
    (&["tokensperminute"], "tpm"),
    (&["tokensperday"], "tpd"),
    (&["concurrency", "maxparallelrequests", "parallel"], "maxConcurrent"),
    (&["group"], "quotaGroup"),
    (&["timezone", "tz"], "reset"),
    (&["disabled", "active"], "enabled"),
    (&["upstreams", "channels", "accounts", "providers", "models", "modellist", "backends"], "apis"),
    (&["listen", "bind"], "host"),
];

/// Fields that people write at the top, and that stand below `server`.
const OF_THE_SERVER: [(&str, &str); 4] =
    [("apikey", "server.apiKey"), ("apikeys", "server.apiKeys"), ("port", "server.port"), ("host", "server.host")];

/// Returns the field that has the meaning of another program's name.
fn meant_by(name: &str, at: &str, known: &Map<String, Value>) -> Option<&'static str> {
    let plain = name.replace(['_', '-'], "").to_lowercase();
    let of_the_server = OF_THE_SERVER.iter().find(|(other, _)| at.is_empty() && *other == plain);
    let here = OTHER_NAMES.iter().find(|(others, ours)| known.contains_key(*ours) && others.contains(&plain.as_str()));
    of_the_server.map(|(_, ours)| *ours).or_else(|| here.map(|(_, ours)| *ours))
}

/// Returns the known name that was probably meant: near in letters, whatever the case and the underscores.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a String>) -> Option<&'a String> {
    let plain = |s: &str| s.replace(['_', '-'], "").to_lowercase();
    known
        .map(|k| (strsim::damerau_levenshtein(&plain(k), &plain(name)), k))
        .filter(|(distance, k)| *distance <= 1 + k.len() / 5)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, k)| k)
}

#[cfg(test)]
mod tests;
