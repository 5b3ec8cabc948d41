//! Which server is asked, and with which key.
//!
//! | | Address | Key |
//! |---|---|---|
//! | `--url` | that one | `--key`, `API_TOGETHER_KEY` |
//! | else | the configuration's, where `--host`, `--port`, `HOST` and `PORT` win | the same, else the configuration's first in clear text for the purpose |
//!
//! 1. The configuration's key goes to the configuration's server alone.
//! 2. For models this is a client's key; for the pool's state an admin's, else a viewer's, else a client's of `server.apiKey(s)`.
//! 3. Without a file at the usual place the server is at the usual address.
//! 4. No secret of an account is read.

use std::convert::Infallible;
use std::path::PathBuf;

use clap::Args;
use url::Url;

use super::client::{KEY_VARIABLE, RunningServer};
use crate::cli::{CliError, DEFAULT_CONFIG, describe, from_environment, overrides};
use crate::config::{ApiKey, ConfigSource, FoundKey, ServerAccess};

/// Where the running server is, and a key for it.
#[derive(Debug, Args)]
pub(crate) struct ServerArgs {
    /// The server's URL, with or without /v1. Default: where the configuration says.
    #[arg(short, long, value_name = "URL", value_parser = server_url, conflicts_with_all = ["config", "host", "port"])]
    url: Option<Url>,
    /// A key; better in $API_TOGETHER_KEY, as arguments are seen by others. Default: the configuration's (not with --url).
    /// `status`, `explain` and the like want an admin's or a viewer's key, where there are such.
    #[arg(short, long, value_parser = api_key)]
    key: Option<ApiKey>,
    /// The configuration that the server runs with; only `server` is read.
    #[arg(short, long, value_name = "FILE", help_heading = "Where the server is, without --url")]
    config: Option<PathBuf>,
    /// Where the server listens; overrides $HOST and server.host.
    #[arg(long, help_heading = "Where the server is, without --url")]
    host: Option<String>,
    /// Where the server listens; overrides $PORT and server.port.
    #[arg(short, long, help_heading = "Where the server is, without --url")]
    port: Option<u16>,
}

impl ServerArgs {
    /// Returns the configuration that is meant.
    pub(crate) fn config_path(&self) -> PathBuf {
        self.config.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_CONFIG))
    }

    /// Returns the server that is meant, with a key for models.
    pub(crate) fn server(self) -> Result<RunningServer, CliError> {
        self.server_with(|access| access.client)
    }

    /// Returns the server that is meant, with a key for the pool's state.
    pub(crate) fn operated_server(self) -> Result<RunningServer, CliError> {
        self.server_with(|access| access.operator)
    }

    fn server_with(self, found: impl FnOnce(ServerAccess) -> FoundKey) -> Result<RunningServer, CliError> {
        let ServerArgs { url, key, config, host, port } = self;
        let key = key.or_else(|| from_environment(KEY_VARIABLE).map(|key| ApiKey::new(&key)));
        if let Some(url) = url {
            return Ok(RunningServer { url, key, certificate: None, lacks_key: false });
        }
        let is_usual = config.is_none();
        let path = config.unwrap_or_else(|| PathBuf::from(DEFAULT_CONFIG));
        let overrides = overrides(host, port, None)?;
        let access = if is_usual && !path.exists() {
            ServerAccess::without_file(&overrides)
        } else {
            ServerAccess::read(&ConfigSource { path, overrides })?
        };
        let scheme = if access.certificate.is_some() { "https" } else { "http" };
        let typed = format!("{scheme}://{}:{}", describe::url_host(&access.host), access.port);
        let url = server_url(&typed).map_err(|why| CliError::Usage(format!("server.host: {why}")))?;
        let certificate = access.certificate.clone();
        let found = found(access);
        let lacks_key = found == FoundKey::Hidden && key.is_none();
        Ok(RunningServer { url, lacks_key, key: key.or_else(|| found.plain()), certificate })
    }
}

fn api_key(typed: &str) -> Result<ApiKey, Infallible> {
    Ok(ApiKey::new(typed.trim()))
}

/// Returns a server's root: a path that ends in `/`, without `/v1`.
fn server_url(typed: &str) -> Result<Url, &'static str> {
    let has_scheme = typed.contains("://");
    let full = if has_scheme { typed.to_owned() } else { format!("http://{typed}") };
    let mut url = Url::parse(&full).map_err(|_| "must be a URL such as http://localhost:3001")?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err("must begin with http:// or https://");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must have no user and password; give the key with --key");
    }
    url.set_query(None);
    url.set_fragment(None);
    let path = url.path().trim_end_matches('/');
    let root = format!("{}/", path.strip_suffix("/v1").unwrap_or(path));
    url.set_path(&root);
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_with_and_without_scheme_and_v1() {
        for (typed, root) in [
            ("http://localhost:3001", "http://localhost:3001/"),
            ("localhost:3001", "http://localhost:3001/"),
            ("http://localhost:3001/v1/", "http://localhost:3001/"),
            ("https://x.example/pool/v1?a=b#c", "https://x.example/pool/"),
            ("[::1]:80", "http://[::1]/"),
        ] {
            assert_eq!(server_url(typed).expect("a URL").as_str(), root, "{typed}");
        }
        for wrong in ["", "ftp://x", "http://", "http://me:secret@x"] {
            assert!(server_url(wrong).is_err(), "{wrong}");
        }
    }
}
