//! Whether a request names a host that this server may be reached by. A page of somebody else whose name was made to point here
//! (DNS rebinding) names that page's host.

use std::net::IpAddr;

use crate::config::{Config, ServerConfig};

/// Returns whether the host of a request (with its port, as in the header) is an address, `localhost`, or a name of the
/// configuration.
pub(super) fn is_ours(host: &str, config: &Config) -> bool {
    let name = without_port(host).to_ascii_lowercase();
    let name = name.strip_suffix('.').unwrap_or(&name);
    is_address(name)
        || name == "localhost"
        || name.ends_with(".localhost")
        || name == config.server.host.to_ascii_lowercase()
        || config.server.hostnames.iter().any(|ours| ours.eq_ignore_ascii_case(name))
}

fn is_address(name: &str) -> bool {
    let inner = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    inner.parse::<IpAddr>().is_ok()
}

/// Returns the host and the port of the API, for a page under this host. Where the dashboard has an address of its own, the API is
/// at another port, and at another host where the configuration names one.
pub(super) fn of_api(page: &str, server: &ServerConfig) -> String {
    let Some((admin, _)) = &server.admin else { return page.to_owned() };
    let is_anywhere = server.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified());
    let host = if is_anywhere || server.host == *admin { without_port(page) } else { &server.host };
    let needs_brackets = host.contains(':') && !host.starts_with('[');
    if needs_brackets { format!("[{host}]:{}", server.port) } else { format!("{host}:{}", server.port) }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        // The colons of an address in brackets are no port's.
        Some((name, port)) if !port.contains(']') && port.bytes().all(|b| b.is_ascii_digit()) => name,
        Some(_) | None => host,
    }
}

/// Returns whether an `Origin` is that of the page's own host: a scheme, and the same host and port.
pub(super) fn is_same_origin(origin: &str, host: &str) -> bool {
    origin.split_once("://").is_some_and(|(_, of_page)| of_page.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn addresses_and_own_names_are_ours_and_other_names_are_not() {
        let config = crate::testing::config(&json!({
            "server": { "hostnames": ["pool.example.org"] }, "apis": [crate::testing::api("a", &json!({}))],
        }));
        for (host, ours) in [
            ("127.0.0.1:3001", true),
            ("10.0.0.7", true),
            ("[::1]:3001", true),
            ("[::1]", true),
            ("localhost:3001", true),
            ("LOCALHOST", true),
            ("localhost.:3001", true),
            ("pool.example.org:443", true),
            ("POOL.example.org", true),
            ("evil.example.org", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("evil.example:127.0.0.1", false),
            ("", false),
        ] {
            assert_eq!(is_ours(host, &config), ours, "{host}");
        }
    }

    #[test]
    fn the_api_is_beside_the_dashboards_own_address() {
        for (host, admin, page, api) in [
            ("0.0.0.0", None, "pool.example:8080", "pool.example:8080"),
            ("0.0.0.0", Some("127.0.0.1"), "localhost:3002", "localhost:3001"),
            ("127.0.0.1", Some("127.0.0.1"), "127.0.0.1:3002", "127.0.0.1:3001"),
            ("::", Some("::1"), "[::1]:3002", "[::1]:3001"),
            ("10.0.0.5", Some("127.0.0.1"), "127.0.0.1:3002", "10.0.0.5:3001"),
            ("fd00::5", Some("::1"), "[::1]:3002", "[fd00::5]:3001"),
        ] {
            let mut server = json!({ "host": host, "port": 3001, "open": true });
            if let Some(admin) = admin {
                server["admin"] = json!({ "host": admin, "port": 3002 });
            }
            let apis = [crate::testing::api("a", &json!({}))];
            let config = crate::testing::config(&json!({ "server": server, "apis": apis }));
            assert_eq!(of_api(page, &config.server), api, "{host}");
        }
    }

    #[test]
    fn an_origin_is_the_same_with_the_same_host_and_port() {
        for (origin, host, same) in [
            ("http://localhost:3001", "localhost:3001", true),
            ("https://pool.example", "pool.example", true),
            ("http://localhost:3002", "localhost:3001", false),
            ("http://evil.example", "localhost:3001", false),
            ("null", "localhost:3001", false),
        ] {
            assert_eq!(is_same_origin(origin, host), same, "{origin}");
        }
    }
}
