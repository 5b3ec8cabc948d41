//! The immutable reach of one upstream: all an attempt needs to know.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use url::{Position, Url};

use crate::config::{ApiConfig, ApiKey, Timeouts};
use crate::types::{ApiId, ByName, RouteId};

/// The address of an upstream, and the way to speak there. A changed configuration makes a new endpoint.
#[derive(Debug)]
pub struct Endpoint {
    /// The API's id.
    pub api: ApiId,
    /// The name for people.
    pub name: String,
    /// Sent upstream as a bearer token.
    pub key: ApiKey,
    /// How long to wait.
    pub timeouts: Timeouts,
    /// Is TLS spoken?
    pub tls: bool,
    /// May HTTP/2 be spoken over it?
    pub http2: bool,
    /// Tells endpoints apart, in this process: a new one gets new connections.
    pub serial: u64,
    /// The text in front of each path, for the transport: always `http://`, as the transport itself speaks TLS.
    pub base: String,
    /// The base URL for people.
    shown_base: String,
    mapping: ByName<Arc<str>>,
}

impl Endpoint {
    /// Creates the reach of a configured API.
    pub fn new(config: &ApiConfig) -> Self {
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        Endpoint {
            api: config.id.clone(),
            name: config.name.clone(),
            key: config.key.clone(),
            timeouts: config.timeouts,
            tls: config.base_url.scheme() == "https",
            http2: config.http2,
            serial: SERIAL.fetch_add(1, Ordering::Relaxed),
            base: plain_http(&config.base_url),
            shown_base: config.base_url.to_string(),
            mapping: config.mapping.clone(),
        }
    }

    /// Returns the URL of a route, for the log.
    pub fn shown_url(&self, route: RouteId) -> String {
        format!("{}{}", self.shown_base, route.path())
    }

    /// Returns the URL of the list of models, for the log.
    pub fn shown_list_url(&self) -> String {
        format!("{}models", self.shown_base)
    }

    /// Returns this upstream's own name for a model, if there is another than the requested one.
    pub fn upstream_model(&self, requested: &str) -> Option<&Arc<str>> {
        self.mapping.get(requested).filter(|own| &***own != requested)
    }
}

fn plain_http(base: &Url) -> String {
    let host = base.host_str().unwrap_or_default();
    let port = base.port_or_known_default().unwrap_or(80);
    format!("http://{host}:{port}{}", &base[Position::BeforePath..])
}

#[cfg(test)]
mod tests {
    use super::plain_http;

    #[test]
    fn the_transport_is_given_a_plain_url_with_the_real_port() {
        for (base, plain) in [
            ("https://api.openai.com/v1/", "http://api.openai.com:443/v1/"),
            ("https://host:8443/p/v1/", "http://host:8443/p/v1/"),
            ("http://[::1]/v1/", "http://[::1]:80/v1/"),
        ] {
            assert_eq!(plain_http(&base.parse().expect("a URL")), plain);
        }
    }
}
