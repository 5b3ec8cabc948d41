//! Which proxy leads to which upstream.
//!
//! 1. `proxy` of an API counts before `server.proxy`. `none` (or `null`) is no proxy.
//! 2. A URL is that proxy, for every address.
//! 3. `env` asks the usual variables, for each address of its own ([`environment`]).

mod environment;
mod no_proxy;

use std::sync::Arc;

use transport::Proxy;
use url::Url;

use self::environment::ProxyEnvironment;
use super::validator::Validator;

/// What `proxy` says.
#[derive(Debug)]
pub(super) enum ProxyChoice {
    /// No proxy.
    Straight,
    /// This one.
    Fixed(Arc<Proxy>),
    /// The one that the environment names for an address.
    Environment(ProxyEnvironment),
}

impl Validator<'_> {
    /// Reads what is typed as `proxy`. A mistake is noted, and then no proxy is taken.
    pub(super) fn proxy_choice(&mut self, at: &str, typed: Option<&str>) -> ProxyChoice {
        match typed.map(str::trim) {
            None | Some("none") => ProxyChoice::Straight,
            Some("env") => {
                let environment = ProxyEnvironment::read(|name| std::env::var(name).ok());
                if environment.is_empty() {
                    self.warn(format!("{at}: is env, and none of HTTPS_PROXY, HTTP_PROXY and ALL_PROXY is set"));
                }
                ProxyChoice::Environment(environment)
            }
            Some(url) => match Proxy::parse(url) {
                Ok(proxy) => ProxyChoice::Fixed(Arc::new(proxy)),
                Err(why) => {
                    self.problem(at, format!("{why}; or env for the environment's proxies, or none"));
                    ProxyChoice::Straight
                }
            },
        }
    }

    /// Returns the proxy on the way to an address.
    pub(super) fn proxy_for(&mut self, at: &str, choice: &ProxyChoice, to: &Url) -> Option<Arc<Proxy>> {
        match choice {
            ProxyChoice::Straight => None,
            ProxyChoice::Fixed(proxy) => Some(proxy.clone()),
            ProxyChoice::Environment(environment) => match environment.proxy_for(to) {
                Ok(proxy) => proxy.map(Arc::new),
                Err((variable, why)) => self.refuse(at, format!("the environment variable {variable} {why}")),
            },
        }
    }
}

#[cfg(test)]
mod tests;
