//! The variables that name proxies, as curl and most programs read them.
//!
//! 1. `HTTPS_PROXY` is for `https://` addresses, `HTTP_PROXY` for `http://` ones, `ALL_PROXY` for both where the first is not set.
//! 2. A name in lower case counts before the same in upper case. An empty variable is as good as none.
//! 3. A value without a scheme is an HTTP proxy.
//! 4. `NO_PROXY` names the hosts that are reached without a proxy. Nothing else is excepted, not even this machine.

use transport::{Proxy, ProxyUrlError};
use url::Url;

use super::no_proxy::NoProxy;

/// A variable, by the name that was found, and the value.
type ProxyVariable = (String, String);

/// What the environment says of proxies. The values may hold passwords, so no print shows them.
pub(in crate::config) struct ProxyEnvironment {
    http: Option<ProxyVariable>,
    https: Option<ProxyVariable>,
    no_proxy: NoProxy,
}

impl ProxyEnvironment {
    /// Reads the variables.
    pub(super) fn read(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let find = |name: &str| {
            let names = [name.to_ascii_lowercase(), name.to_owned()];
            names.into_iter().find_map(|name| {
                let value = lookup(&name).filter(|value| !value.trim().is_empty())?;
                Some((name, value))
            })
        };
        ProxyEnvironment {
            http: find("HTTP_PROXY").or_else(|| find("ALL_PROXY")),
            https: find("HTTPS_PROXY").or_else(|| find("ALL_PROXY")),
            no_proxy: NoProxy::parse(&find("NO_PROXY").map_or_else(String::new, |(_, hosts)| hosts)),
        }
    }

    /// Returns whether no variable names a proxy.
    pub(super) fn is_empty(&self) -> bool {
        self.http.is_none() && self.https.is_none()
    }

    /// Returns the proxy for an address.
    ///
    /// # Errors
    /// With the variable that names no proxy, and why.
    pub(super) fn proxy_for(&self, to: &Url) -> Result<Option<Proxy>, (&str, ProxyUrlError)> {
        let variable = if to.scheme() == "https" { &self.https } else { &self.http };
        let Some((name, value)) = variable.as_ref().filter(|_| !self.no_proxy.contains(to)) else { return Ok(None) };
        let value = value.trim();
        let parsed = if value.contains("://") { Proxy::parse(value) } else { Proxy::parse(&format!("http://{value}")) };
        parsed.map(Some).map_err(|why| (name.as_str(), why))
    }
}

impl std::fmt::Debug for ProxyEnvironment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ProxyEnvironment")
    }
}
