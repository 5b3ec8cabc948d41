//! What a program that calls the server needs of the configuration: the address and a key. No secret of an account is
//! wanted, so variables that are set for the server alone may be missing here.

use std::path::PathBuf;

use serde_json::Value;

use super::reading::{CONFIGURATION, ConfigError, document, read_text};
use super::secret::{ApiKey, ClientKey};
use super::source::{ConfigSource, DEFAULT_HOST, DEFAULT_PORT, Overrides, folder_of};
use super::variables::expand;

/// How to call the server of a configuration.
#[derive(Debug, Clone)]
pub struct ServerAccess {
    /// Where the server listens, as configured.
    pub host: String,
    /// The same.
    pub port: u16,
    /// The certificate that the server shows, if it speaks TLS.
    pub certificate: Option<PathBuf>,
    /// A client's key, for models.
    pub client: FoundKey,
    /// An operator's key, for the pool's state: an admin's, else a viewer's, else a client's of `server.apiKey(s)`.
    pub operator: FoundKey,
}

/// A key of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoundKey {
    /// The first one in clear text.
    Plain(ApiKey),
    /// The configuration has digests only, or variables that are not set here.
    Hidden,
    /// The server wants none.
    NotWanted,
}

impl ServerAccess {
    /// Returns the access to a server without a configuration.
    pub fn without_file(overrides: &Overrides) -> ServerAccess {
        ServerAccess {
            host: overrides.host.clone().unwrap_or_else(|| DEFAULT_HOST.to_owned()),
            port: overrides.port.unwrap_or(DEFAULT_PORT),
            certificate: None,
            client: FoundKey::NotWanted,
            operator: FoundKey::NotWanted,
        }
    }

    /// Reads `server` of the configuration. A value that can't be used is left out: `check` tells what is wrong with it.
    ///
    /// # Errors
    /// When the file can't be read, or is not JSON.
    pub fn read(source: &ConfigSource) -> Result<ServerAccess, ConfigError> {
        let path = &source.path;
        let text = read_text(path).map_err(|why| ConfigError::unreadable(path, why, &CONFIGURATION))?;
        let document = document(path, &text, &CONFIGURATION)?;
        let server = document.get("server");
        let field = |name: &str| server.and_then(|server| server.get(name));
        let text = |name: &str| field(name).and_then(Value::as_str).and_then(expanded);
        let port = || field("port").and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok());
        let of_server =
            |names: &[&str]| -> Vec<&str> { names.iter().filter_map(|name| field(name)).flat_map(texts).collect() };
        let defaults = of_server(&["apiKey", "apiKeys"]);
        let operators = of_server(&["adminKeys", "viewerKeys"]);
        let named: Vec<&str> = document.get("keys").map(texts).unwrap_or_default();
        let certificate = field("tls").and_then(|tls| tls.get("certFile")).and_then(Value::as_str).and_then(expanded);
        let overrides = &source.overrides;
        Ok(ServerAccess {
            host: overrides.host.clone().or(text("host")).unwrap_or_else(|| DEFAULT_HOST.to_owned()),
            port: overrides.port.or_else(port).unwrap_or(DEFAULT_PORT),
            certificate: certificate.map(|file| folder_of(path).join(file)),
            operator: if operators.is_empty() && (!defaults.is_empty() || named.is_empty()) {
                found(&defaults)
            } else {
                // Nobody reads the state with a key of `keys`.
                found(&operators).or_hidden()
            },
            client: found(&[defaults, named].concat()),
        })
    }
}

/// Returns a text with its variables; `None` if one is not set.
fn expanded(text: &str) -> Option<String> {
    expand(text, |name| std::env::var(name).ok()).ok()
}

fn plain(key: &str) -> Option<ApiKey> {
    Some(ApiKey::new(&ClientKey::parse(key)?.plain()?))
}

/// Returns the first key in clear text.
fn found(typed: &[&str]) -> FoundKey {
    let first = typed.iter().filter_map(|typed| expanded(typed)).find_map(|key| plain(&key));
    match first {
        Some(key) => FoundKey::Plain(key),
        None if typed.is_empty() => FoundKey::NotWanted,
        None => FoundKey::Hidden,
    }
}

/// Returns a text, the texts of a list, and what stands in the field `key` of an entry.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(list) => list.iter().flat_map(texts).collect(),
        Value::Object(entry) => entry.get("key").map(texts).unwrap_or_default(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

impl FoundKey {
    /// Returns the key in clear text.
    pub fn plain(self) -> Option<ApiKey> {
        match self {
            FoundKey::Plain(key) => Some(key),
            FoundKey::Hidden | FoundKey::NotWanted => None,
        }
    }

    /// Says that a key is wanted, where none was found.
    fn or_hidden(self) -> FoundKey {
        match self {
            FoundKey::NotWanted => FoundKey::Hidden,
            FoundKey::Plain(_) | FoundKey::Hidden => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn access(text: &str) -> ServerAccess {
        let path = std::env::temp_dir().join(format!("api-together-access-{}.json", std::process::id()));
        fs::write(&path, text).expect("writes");
        let access = ServerAccess::read(&ConfigSource { path: path.clone(), overrides: Overrides::default() });
        fs::remove_file(path).expect("is ours to remove");
        access.expect("reads")
    }

    #[test]
    fn the_address_and_a_key_are_read_without_the_accounts_secrets() {
        let found = access(
            r#"{"server": {"port": 8080, "apiKey": ["sha256:00", "${API_TOGETHER_NOT_SET}", "sk-one"], "apiKeys": ["sk-two"]},
                "apis": [{"apiKey": "${API_TOGETHER_NOT_SET}"}], "unknown": 1}"#,
        );
        assert_eq!((found.host.as_str(), found.port), ("localhost", 8080));
        assert_eq!(found.client, FoundKey::Plain(ApiKey::new("sk-one")));
        let found = access(r#"{"server": {"host": "0.0.0.0", "port": "x", "tls": {"certFile": "c.pem"}}}"#);
        assert_eq!((found.host.as_str(), found.port, found.client), ("0.0.0.0", 3001, FoundKey::NotWanted));
        assert!(found.certificate.is_some_and(|file| file.ends_with("c.pem")));
    }
    #[test]
    fn each_purpose_has_its_key() {
        let plain = |key: &str| FoundKey::Plain(ApiKey::new(key));
        for (server, keys, client, operator) in [
            ("{}", "[]", FoundKey::NotWanted, FoundKey::NotWanted),
            (r#"{"apiKey": "sk-pool"}"#, "[]", plain("sk-pool"), plain("sk-pool")),
            (r#"{"apiKey": "sk-pool"}"#, r#"[{"key": "sk-a"}]"#, plain("sk-pool"), plain("sk-pool")),
            ("{}", r#"[{"key": "sha256:00"}, {"key": ["sk-a"]}]"#, plain("sk-a"), FoundKey::Hidden),
            (
                r#"{"apiKey": "sk-pool", "viewerKeys": ["sk-v"], "adminKeys": ["sha256:00", {"name": "x", "key": "sk-x"}]}"#,
                "[]",
                plain("sk-pool"),
                plain("sk-x"),
            ),
            (r#"{"apiKey": "sk-pool", "viewerKeys": ["sha256:00"]}"#, "[]", plain("sk-pool"), FoundKey::Hidden),
        ] {
            let found = access(&format!(r#"{{"server": {server}, "keys": {keys}}}"#));
            assert_eq!((found.client, found.operator), (client, operator), "{server} {keys}");
        }
    }
}
