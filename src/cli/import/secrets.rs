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
    /// The variable of each other secret.
    variables: HashMap<String, String>,
}

/// How many files or variables are named at most. The configuration names all.
const MOST_NAMED: usize = 20;

impl Secrets {
    pub(super) fn new(in_the_file: bool) -> Secrets {
        Secrets { in_the_file, files: HashMap::new(), variables: HashMap::new() }
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
                Some(not_copied(&[file]))
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

    /// Returns what the user must do for the keys of one field, whose entries are written.
    pub(super) fn todo_of<'k>(&self, keys: impl IntoIterator<Item = &'k KeySource>) -> Option<String> {
        let mut files: Vec<&str> = Vec::new();
        for key in keys {
            let KeySource::Given(key) = key else { continue };
            files.extend(self.files.get(key.expose()).map(String::as_str).filter(|file| !files.contains(file)));
        }
        (!files.is_empty()).then(|| not_copied(&files))
    }

    /// Returns whether secrets are copied into the configuration.
    pub(super) fn are_copied(&self) -> bool {
        self.in_the_file
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

    /// Returns how another secret is written, and what the user must do for the secret. One secret has one variable.
    pub(super) fn other(&mut self, text: &str, variable: &str) -> (String, Option<String>) {
        match KeySource::parse(text) {
            KeySource::Variable(name) => (format!("${{{name}}}"), None),
            KeySource::Given(_) | KeySource::Usual | KeySource::Missing if self.in_the_file => (literal(text), None),
            KeySource::Given(_) | KeySource::Usual | KeySource::Missing => {
                let name = match self.variables.get(text) {
                    Some(known) => known.clone(),
                    None => self.new_variable(text, variable),
                };
                (format!("${{{name}}}"), Some(format!("is not copied: {}", not_set(&[&name]))))
            }
        }
    }

    /// Returns a variable that no other secret has.
    fn new_variable(&mut self, text: &str, wish: &str) -> String {
        let numbered = |nth: usize| if nth == 1 { wish.to_owned() } else { format!("{wish}_{nth}") };
        let is_free = |name: &String| !self.variables.values().any(|taken| taken == name);
        let name = (1..).map(numbered).find(is_free).unwrap_or_default();
        self.variables.insert(text.to_owned(), name.clone());
        name
    }
}

fn not_copied(files: &[&str]) -> String {
    match files {
        [file] => format!("is not copied: put the key into {file}, or import --with-secrets"),
        files => format!(
            "is not copied: put each key into a file of its own, in this order: {}, or import --with-secrets",
            listed(files)
        ),
    }
}

/// Says which variables have to be set.
pub(super) fn not_set(variables: &[&str]) -> String {
    match variables {
        [variable] => format!("set the variable {variable}, or import --with-secrets"),
        many => format!("set the variables {}, in this order, or import --with-secrets", listed(many)),
    }
}

fn listed(names: &[&str]) -> String {
    let (shown, more) = names.split_at(names.len().min(MOST_NAMED));
    let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
    format!("{}{more}", shown.join(", "))
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

/// Returns the name of a variable for something of an entry: `GROQ_2_X_TITLE`. Without a Latin letter in the id, `API_` begins
/// the name.
pub(super) fn variable(id: &str, what: &str) -> String {
    let words = |text: &str| {
        let upper = text.to_ascii_uppercase();
        let words = upper.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        words.collect::<Vec<_>>().join("_")
    };
    let (id, what) = (words(id), words(what));
    if id.starts_with(|c: char| c.is_ascii_alphabetic()) {
        format!("{id}_{what}")
    } else {
        format!("API_{}", words(&format!("{id}_{what}")))
    }
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

    #[test]
    fn a_variable_reads_like_a_name_and_holds_one_secret() {
        for (id, name) in [
            ("groq-2", "GROQ_2_PROXY"),
            ("深度-openai", "OPENAI_PROXY"),
            ("深度求索", "API_PROXY"),
            ("深度-2", "API_2_PROXY"),
        ] {
            assert_eq!(variable(id, "PROXY"), name);
        }
        let mut secrets = Secrets::new(false);
        let written: Vec<String> =
            ["one", "two", "one"].map(|secret| secrets.other(secret, "API_PROXY").0).into_iter().collect();
        assert_eq!(written, ["${API_PROXY}", "${API_PROXY_2}", "${API_PROXY}"]);
    }

    #[test]
    fn each_file_of_a_field_is_named_up_to_a_bound() {
        let mut secrets = Secrets::new(false);
        let keys: Vec<KeySource> = (0..22).map(|nth| KeySource::parse(&format!("sk-{nth}"))).collect();
        for (nth, key) in keys.iter().enumerate() {
            secrets.write_key(&format!("a-{nth}"), key, &mut Map::new());
        }
        let todo = secrets.todo_of(&keys[..3]).expect("keys");
        assert!(todo.contains("keys/a-0.key, keys/a-1.key, keys/a-2.key, or"), "{todo}");
        assert!(secrets.todo_of(&keys).expect("keys").contains("keys/a-19.key and 2 more"));
        assert_eq!(Secrets::new(true).todo_of(&keys), None);
    }
}
