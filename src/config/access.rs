//! What a program that calls the server needs of the configuration: the address and a client's key. No secret of an account is
//! wanted, so variables that are set for the server alone may be missing here.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::json::Unambiguous;
use super::load::{ConfigError, expand, syntax_error, without_mark};
use super::secret::{ApiKey, ClientKey};
use super::source::{ConfigSource, DEFAULT_HOST, DEFAULT_PORT, Overrides, folder_of};

/// How to call the server of a configuration.
#[derive(Debug, Clone)]
pub struct ServerAccess {
    /// Where the server listens, as configured.
    pub host: String,
    /// The same.
    pub port: u16,
    /// The certificate that the server shows, if it speaks TLS.
    pub certificate: Option<PathBuf>,
    /// The first client's key in clear text.
    pub key: Option<ApiKey>,
    /// Does the server want a key?
    pub wants_key: bool,
}

impl ServerAccess {
    /// Returns the access to a server without a configuration.
    pub fn without_file(overrides: &Overrides) -> ServerAccess {
        ServerAccess {
            host: overrides.host.clone().unwrap_or_else(|| DEFAULT_HOST.to_owned()),
            port: overrides.port.unwrap_or(DEFAULT_PORT),
            certificate: None,
            key: None,
            wants_key: false,
        }
    }

    /// Reads `server` of the configuration. A value that can't be used is left out: `check` tells what is wrong with it.
    ///
    /// # Errors
    /// When the file can't be read, or is not JSON.
    pub fn read(source: &ConfigSource) -> Result<ServerAccess, ConfigError> {
        let path = &source.path;
        let text = fs::read_to_string(path).map_err(|why| ConfigError::Unreadable { path: path.clone(), why })?;
        let Unambiguous(document) = serde_json::from_str(without_mark(&text))
            .map_err(|error| syntax_error(path, without_mark(&text), &error))?;
        let server = document.get("server");
        let field = |name: &str| server.and_then(|server| server.get(name));
        let text = |name: &str| field(name).and_then(Value::as_str).and_then(expanded);
        let port = || field("port").and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok());
        let keys: Vec<&str> = ["apiKey", "apiKeys"].iter().filter_map(|name| field(name)).flat_map(texts).collect();
        let certificate = field("tls").and_then(|tls| tls.get("certFile")).and_then(Value::as_str).and_then(expanded);
        let overrides = &source.overrides;
        Ok(ServerAccess {
            host: overrides.host.clone().or(text("host")).unwrap_or_else(|| DEFAULT_HOST.to_owned()),
            port: overrides.port.or_else(port).unwrap_or(DEFAULT_PORT),
            certificate: certificate.map(|file| folder_of(path).join(file)),
            key: keys.iter().filter_map(|typed| expanded(typed)).find_map(|key| plain(&key)),
            wants_key: !keys.is_empty(),
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

/// Returns a text, or the texts of a list.
fn texts(value: &Value) -> Vec<&str> {
    let list = value.as_array().map(|list| list.iter().filter_map(Value::as_str).collect());
    list.unwrap_or_else(|| value.as_str().into_iter().collect())
}

#[cfg(test)]
mod tests {
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
        assert_eq!((found.host.as_str(), found.port, found.wants_key), ("localhost", 8080, true));
        assert_eq!(found.key.expect("a key").expose(), "sk-one");
        let found = access(r#"{"server": {"host": "0.0.0.0", "port": "x", "tls": {"certFile": "c.pem"}}}"#);
        assert_eq!((found.host.as_str(), found.port, found.wants_key), ("0.0.0.0", 3001, false));
        assert!(found.certificate.is_some_and(|file| file.ends_with("c.pem")));
    }
}
