//! What becomes of keys, and of whatever else is secret in an input.
//!
//! 1. A reference to an environment variable stays one.
//! 2. A key in clear text goes into the configuration only if the user says so. Else the entry names a file that is to hold the key.
//!    A word that says that there is no key (`none`) is no secret, and stays where no key is needed.
//! 3. A client's key becomes a digest, so clients go on with the key that they have.
//! 4. Any other secret becomes a reference to a variable that is to hold the secret.

use std::collections::HashMap;

use ring::digest::{SHA256, digest};
use serde_json::{Map, Value, json};

use crate::config::{ApiKey, Provider, Providers};

/// Where the key of an account comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KeySource {
    /// An environment variable.
    Variable(String),
    /// The input.
    Given(ApiKey),
    /// No key is written in the input, as none is needed or the program has a usual variable.
    Usual,
    /// The input has none, and the account needs one.
    Missing,
}

impl KeySource {
    /// Takes a key as LiteLLM writes one: in clear text, or as `os.environ/NAME`.
    pub(super) fn parse(text: &str) -> KeySource {
        match text.strip_prefix("os.environ/") {
            Some(name) => KeySource::Variable(name.to_owned()),
            None => KeySource::Given(ApiKey::new(text)),
        }
    }
}

/// How secrets are written, and where.
#[derive(Debug)]
pub(super) struct Secrets {
    in_the_file: bool,
    /// The file of each key in clear text.
    files: HashMap<String, String>,
}

impl Secrets {
    pub(super) fn new(in_the_file: bool) -> Secrets {
        Secrets { in_the_file, files: HashMap::new() }
    }

    /// Writes the key into an entry, and returns what the user must do for the key.
    pub(super) fn write_key(&mut self, id: &str, key: &KeySource, entry: &mut Map<String, Value>) -> Option<String> {
        match key {
            KeySource::Variable(name) => {
                entry.insert("apiKey".to_owned(), json!(format!("${{{name}}}")));
                None
            }
            KeySource::Given(key) if self.in_the_file || (says_no_key(key.expose()) && !needs_key(entry)) => {
                entry.insert("apiKey".to_owned(), json!(literal(key.expose())));
                None
            }
            KeySource::Given(key) => {
                let file = self.files.entry(key.expose().to_owned()).or_insert_with(|| key_file(id));
                entry.insert("apiKeyFile".to_owned(), json!(file));
                Some(format!("is not copied: put the key into {file}, or import --with-secrets"))
            }
            // A preset knows the usual variables.
            KeySource::Usual if entry.contains_key("provider") => None,
            KeySource::Usual => {
                entry.insert("apiKey".to_owned(), json!("none"));
                None
            }
            KeySource::Missing => {
                entry.insert("apiKeyFile".to_owned(), json!(key_file(id)));
                None
            }
        }
    }

    /// Returns how a client's key is written, and what changed.
    pub(super) fn client_key(&self, key: &KeySource) -> Option<(Value, &'static str)> {
        match key {
            KeySource::Variable(name) => Some((json!(format!("${{{name}}}")), "")),
            KeySource::Given(key) if self.in_the_file => Some((json!(literal(key.expose())), "")),
            KeySource::Given(key) => {
                let digest = digest(&SHA256, key.expose().as_bytes());
                let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
                Some((json!(format!("sha256:{hex}")), "is written as its digest; clients go on with the same key"))
            }
            KeySource::Usual | KeySource::Missing => None,
        }
    }

    /// Returns how another secret is written, and what the user must do for the secret.
    pub(super) fn other(&self, text: &str, variable: &str) -> (String, Option<String>) {
        match KeySource::parse(text) {
            KeySource::Variable(name) => (format!("${{{name}}}"), None),
            KeySource::Given(_) | KeySource::Usual | KeySource::Missing if self.in_the_file => (literal(text), None),
            KeySource::Given(_) | KeySource::Usual | KeySource::Missing => {
                let how = format!("is not copied: set the variable {variable}, or import --with-secrets");
                (format!("${{{variable}}}"), Some(how))
            }
        }
    }
}

/// What people write where a program insists on a key: in lower case, without marks, `sk` in front, and `key` at the end.
const NO_KEYS: [&str; 23] = [
    "none",
    "null",
    "nil",
    "na",
    "no",
    "nokeyrequired",
    "nokeyneeded",
    "nothing",
    "notneeded",
    "notrequired",
    "notused",
    "unused",
    "empty",
    "dummy",
    "fake",
    "anything",
    "ignored",
    "local",
    "ollama",
    "lmstudio",
    "vllm",
    "llamacpp",
    "noauth",
];

/// Returns whether a key's text says that there is no key.
fn says_no_key(text: &str) -> bool {
    let plain: String = text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let plain = plain.strip_prefix("sk").unwrap_or(&plain);
    let plain = plain.strip_suffix("key").map_or(plain, |word| word.strip_suffix("api").unwrap_or(word));
    NO_KEYS.contains(&plain)
}

/// Returns whether the account is at a provider that asks for a key.
fn needs_key(entry: &Map<String, Value>) -> bool {
    let provider = entry.get("provider").and_then(Value::as_str).and_then(|id| Providers::embedded().find(id));
    provider.is_some_and(Provider::needs_key)
}

/// The file of an account's key, beside the configuration.
fn key_file(id: &str) -> String {
    let name: String = id.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' }).collect();
    format!("keys/{name}.key")
}

/// Returns a text as the configuration takes one that is no reference.
pub(super) fn literal(text: &str) -> String {
    text.replace("${", "$${")
}

/// Returns the name of a variable for something of an entry: `GROQ_2_X_TITLE`.
pub(super) fn variable(id: &str, what: &str) -> String {
    let upper = format!("{id}_{what}").to_ascii_uppercase();
    let name: String = upper.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("API_{name}") } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_copied_only_where_the_user_says_so() {
        let given = KeySource::parse("sk-secret-${x}");
        let mut entry = Map::new();
        let mut secrets = Secrets::new(false);
        let todo = secrets.write_key("groq 2/b", &given, &mut entry).expect("a finding");
        secrets.write_key("other", &given, &mut entry);
        assert_eq!(Value::Object(entry), json!({ "apiKeyFile": "keys/groq-2-b.key" }), "one file a key");
        assert!(todo.contains("keys/groq-2-b.key") && !todo.contains("sk-secret"));
        let mut entry = Map::new();
        assert_eq!(Secrets::new(true).write_key("a", &given, &mut entry), None);
        assert_eq!(Value::Object(entry), json!({ "apiKey": "sk-secret-$${x}" }));
        let mut entry = Map::new();
        Secrets::new(true).write_key("a", &KeySource::parse("os.environ/X_KEY"), &mut entry);
        assert_eq!(Value::Object(entry), json!({ "apiKey": "${X_KEY}" }));
    }

    #[test]
    fn a_client_goes_on_with_the_same_key() {
        let (written, _) = Secrets::new(false).client_key(&KeySource::parse("sk-pool")).expect("a key");
        // printf %s sk-pool | sha256sum
        assert_eq!(written, "sha256:67af08925208c90be925e3a555fe44e8a1cef149772323b3d15dc43a392fc57d");
        assert_eq!(variable("2groq", "x-title"), "API_2GROQ_X_TITLE");
    }
}
