//! The receivers of alerts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use url::{Position, Url};

use super::base_url::is_loopback;
use super::file::AlertFile;
use super::proxies::ProxyChoice;
use super::secret::ApiKey;
use super::validator::Validator;
use crate::types::{AlertEvent, sorted};

/// A receiver of alerts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertConfig {
    /// Where messages are posted to. The path of a webhook is a secret as a rule.
    pub url: ApiKey,
    /// The URL for people: scheme and host.
    pub shown: String,
    /// The events.
    pub on: BTreeSet<AlertEvent>,
    /// Go along with each message, by name in lower case.
    pub headers: BTreeMap<Arc<str>, ApiKey>,
    /// The proxy on the way, if any: `server.proxy`.
    pub proxy: Option<Arc<transport::Proxy>>,
}

impl Validator<'_> {
    /// Returns the receivers. `proxy` is the choice of `server.proxy`.
    pub(super) fn alerts(&mut self, typed: Vec<(usize, AlertFile)>, proxy: &ProxyChoice) -> Vec<Arc<AlertConfig>> {
        let alerts = typed.into_iter().filter_map(|(nth, file)| self.alert(&format!("alerts[{nth}]"), file, proxy));
        alerts.map(Arc::new).collect()
    }

    fn alert(&mut self, at: &str, file: AlertFile, proxy: &ProxyChoice) -> Option<AlertConfig> {
        let url_at = format!("{at}.url");
        let headers = file.headers.unwrap_or_default();
        let headers = self.headers(&format!("{at}.headers"), headers.iter());
        let url = match receiver_url(&file.url) {
            Ok(url) => url,
            Err(why) => return self.refuse(&url_at, why),
        };
        if url.scheme() == "http" && !is_loopback(&url) {
            self.warn(format!("{url_at}: http:// sends the message and the URL in clear text; prefer https://"));
        }
        Some(AlertConfig {
            proxy: self.proxy_for(&url_at, proxy, &url),
            shown: format!("{}/…", &url[..Position::BeforePath]),
            url: ApiKey::new(url.as_str()),
            on: file.on.map_or_else(|| sorted::set(AlertEvent::ALL), sorted::set),
            headers,
        })
    }
}

/// Parses a receiver's URL.
///
/// # Errors
/// With the mistake, and never with the text: the URL may be a secret.
fn receiver_url(typed: &str) -> Result<Url, &'static str> {
    let mut url = Url::parse(typed.trim()).map_err(|_| "must be a URL such as https://hooks.example.com/…")?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err("must begin with https:// or http://, and have a host");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user or a password; give an Authorization header in headers");
    }
    url.set_fragment(None);
    Ok(url)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::config::{Config, ConfigSource, Overrides, parse};
    use crate::testing::api;
    use crate::types::AlertEvent;

    fn read(alerts: &Value) -> Result<Config, String> {
        let source = ConfigSource { path: "x.json".into(), overrides: Overrides::default() };
        let text = json!({ "apis": [api("a", &json!({}))], "alerts": alerts }).to_string();
        parse(&text, &source, |_| Ok(String::new())).map_err(|e| e.to_string())
    }

    #[test]
    fn a_receiver_is_shown_without_its_path_its_query_and_its_headers() {
        let url = "https://hooks.example.com:8443/services/T0/secret?token=secret#x";
        let config = read(&json!([{ "url": url, "headers": { "Authorization": "Bearer secret" } }])).expect("valid");
        let alert = &config.alerts[0];
        assert_eq!(alert.shown, "https://hooks.example.com:8443/…");
        assert_eq!(alert.url.expose(), "https://hooks.example.com:8443/services/T0/secret?token=secret");
        assert_eq!(alert.on.len(), AlertEvent::ALL.len(), "all events");
        assert!(!format!("{:?}", config.alerts).contains("secret"));
    }

    #[test]
    fn a_wrong_receiver_is_refused_with_its_place_and_without_its_text() {
        for (alert, says) in [
            (json!({}), "alerts[0].url: is missing"),
            (json!({ "url": "hooks.secret.example" }), "alerts[0].url: must be a URL"),
            (json!({ "url": "ftp://secret.example/x" }), "alerts[0].url: must begin with https://"),
            (json!({ "url": "https://u:secret@x.example/" }), "alerts[0].url: must not hold a user"),
            (json!({ "url": "https://x.example/", "on": [] }), "alerts[0].on: must not be an empty list"),
            (json!({ "url": "https://x.example/", "on": ["limit90"] }), "did you mean limit_90?"),
            (json!({ "url": "https://x.example/", "on": ["upstream-down"] }), "did you mean upstream_down?"),
            (json!({ "url": "https://x.example/", "event": [] }), "unknown field"),
            (json!({ "url": "https://x.example/", "headers": { "Host": "secret" } }), "must not hold host"),
            (json!({ "url": "https://x.example/", "headers": { "a": "secret\n" } }), "fits into no header"),
        ] {
            let said = read(&json!([alert])).expect_err("wrong");
            assert!(said.contains(says) && !said.contains("secret"), "{says:?}: {said}");
        }
    }
}
