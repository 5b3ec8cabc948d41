//! The immutable reach of one upstream: all an attempt needs to know.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use url::{Position, Url};

use super::place::AskedPath;
use crate::config::prices::AccountPrices;
use crate::config::{AddressConfig, ApiConfig, ApiKey, AuthScheme, Proxy, Quirks, Timeouts};
use crate::types::{ApiId, ByFormat, ByName, Price, RouteId, WireFormat};

/// The addresses of an upstream, and the way to speak there. A changed configuration makes a new endpoint.
#[derive(Debug)]
pub struct Endpoint {
    /// The API's id.
    pub api: ApiId,
    /// The name for people.
    pub name: String,
    /// The account's key, with the values of the headers and the secrets of the proxy beside it.
    pub key: ApiKey,
    /// Go along with each request, by name in lower case.
    pub headers: BTreeMap<Arc<str>, ApiKey>,
    /// How long to wait.
    pub timeouts: Timeouts,
    /// In what the upstream differs from others of the same format.
    pub quirks: Quirks,
    /// What tokens cost there.
    pub prices: AccountPrices,
    /// May HTTP/2 be spoken over TLS?
    pub http2: bool,
    /// Tells endpoints apart, in this process: a new one gets new connections.
    pub serial: u64,
    reaches: ByFormat<Option<Reach>>,
    mapping: ByName<Arc<str>>,
}

/// The address of an upstream's API of one format.
#[derive(Debug)]
pub struct Reach {
    /// Tells the reaches of all endpoints apart, in this process.
    pub serial: u64,
    /// The format spoken there.
    pub format: WireFormat,
    /// How the key is sent.
    pub auth: AuthScheme,
    /// Is TLS spoken?
    pub tls: bool,
    /// The text in front of each path, for the transport: always `http://`, as the transport itself speaks TLS.
    pub base: String,
    /// The proxy on the way, if any.
    pub proxy: Option<Arc<Proxy>>,
    /// The base URL for people.
    shown_base: String,
    /// The date of Azure's classic form, if the API is asked in that form.
    pub(super) api_version: Option<Arc<str>>,
    /// The version in the path of a client's request goes along.
    pub(super) takes_version: bool,
}

/// Returns a number that no other endpoint or reach has.
fn next_serial() -> u64 {
    static SERIAL: AtomicU64 = AtomicU64::new(0);
    SERIAL.fetch_add(1, Ordering::Relaxed)
}

impl Endpoint {
    /// Creates the reach of a configured API.
    pub fn new(config: &ApiConfig) -> Self {
        let reach = |format, address: &AddressConfig| Reach {
            serial: next_serial(),
            format,
            auth: address.auth,
            tls: address.base_url.scheme() == "https",
            base: plain_http(&address.base_url),
            proxy: address.proxy.clone(),
            shown_base: address.base_url.to_string(),
            api_version: address.api_version.clone(),
            takes_version: address.takes_version,
        };
        Endpoint {
            api: config.id.clone(),
            name: config.name.clone(),
            key: config.key.with_beside(secrets_beside_the_key(config)),
            headers: config.headers.clone(),
            timeouts: config.timeouts,
            quirks: config.quirks,
            prices: config.prices.clone(),
            http2: config.http2,
            serial: next_serial(),
            reaches: ByFormat::from_fn(|format| Some(reach(format, config.addresses.of(format).as_ref()?))),
            mapping: config.mapping.clone(),
        }
    }

    /// Returns the address for requests of this format, if there is one.
    pub fn reach(&self, format: WireFormat) -> Option<&Reach> {
        self.reaches.of(format).as_ref()
    }

    /// Returns the address with the upstream's list of models: OpenAI's, if there is one.
    pub fn list_reach(&self) -> Option<&Reach> {
        WireFormat::ALL.into_iter().find_map(|format| self.reach(format))
    }

    /// Returns the URL of a route for a requested model, for the log.
    pub fn shown_url(&self, route: RouteId, model: &str) -> String {
        let own = self.upstream_model(model).map_or(model, |own| own);
        self.reach(route.format()).map(|reach| reach.shown_url(route.path(), own)).unwrap_or_default()
    }

    /// Returns this upstream's own name for a model, if there is another than the requested one.
    pub fn upstream_model(&self, requested: &str) -> Option<&Arc<str>> {
        self.mapping.get(requested).filter(|own| &***own != requested)
    }

    /// Returns the price of a requested model.
    pub fn price(&self, requested: &str) -> Option<Price> {
        self.prices.price(self.upstream_model(requested).map_or(requested, |own| own))
    }
}

impl Reach {
    /// Returns the URL of a path for the upstream's own name of a model, for the log. The name is empty where there is none.
    pub fn shown_url(&self, path: &str, model: &str) -> String {
        let asked = AskedPath { path, query: "", model };
        format!("{}{}", self.shown_base, self.place(asked))
    }
}

/// Returns what an upstream's error must not show to a client, beside the key.
fn secrets_beside_the_key(config: &ApiConfig) -> Vec<ApiKey> {
    let addresses = config.addresses.iter().filter_map(|(_, address)| address.as_ref());
    let proxies = addresses.filter_map(|address| address.proxy.as_ref());
    let of_proxies = proxies.flat_map(|proxy| proxy.secrets()).map(|secret| ApiKey::new(&secret));
    config.headers.values().cloned().chain(of_proxies).collect()
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
