//! What is typed as `proxy`, and what the environment says.

use super::environment::ProxyEnvironment;
use crate::config::{Config, ConfigSource, Overrides, parse};
use crate::types::WireFormat;

/// The configuration of one API with these fields, and of a server with those, or the problems.
fn parsed(server: &str, api: &str) -> Result<Config, String> {
    let source = ConfigSource { path: "x.json".into(), overrides: Overrides::default() };
    let text = format!(
        r#"{{"server": {{"apiKey": "k"{server}}},
            "apis": [{{"id": "a", "apiKey": "sk-1", "baseUrl": "https://x.example"{api}}}]}}"#
    );
    parse(&text, &source, |_| Ok(String::new())).map_err(|error| error.to_string())
}

#[test]
fn an_apis_own_proxy_counts_before_the_servers() {
    let of_server = r#", "proxy": "http://p.example:3128""#;
    for (server, api, proxy) in [
        ("", "", None),
        (of_server, "", Some("http://p.example:3128")),
        (of_server, r#", "proxy": "socks5h://u:p@q.example""#, Some("socks5h://***@q.example:1080")),
        (of_server, r#", "proxy": "none""#, None),
        (of_server, r#", "proxy": null"#, None),
        (r#", "proxy": null"#, "", None),
        (r#", "proxy": "none""#, r#", "proxy": "https://q.example""#, Some("https://q.example:443")),
    ] {
        let config = parsed(server, api).expect("valid");
        let address = config.apis[0].addresses.of(WireFormat::OpenAi).as_ref().expect("an address");
        assert_eq!(address.proxy.as_ref().map(ToString::to_string).as_deref(), proxy, "{server} {api}");
    }
}

#[test]
fn a_mistake_has_its_place_and_its_mend_and_not_the_text() {
    for (server, api, says) in [
        ("", r#", "proxy": "secret.example:3128""#, "apis[0].proxy: must begin with http://, https://, socks5://"),
        ("", r#", "proxy": "http://u:secret@p.example/x""#, "apis[0].proxy: must end behind the port"),
        ("", r#", "proxy": "ENV""#, "or env for the environment's proxies, or none"),
        ("", r#", "proxy": """#, "apis[0].proxy: must not be empty"),
        ("", r#", "proxy": 3128"#, "apis[0].proxy: must be a string"),
        ("", r#", "proxy": false"#, "apis[0].proxy: must be a string"),
        (r#", "proxy": "socks4://secret.example""#, "", "server.proxy: must begin with"),
        (r#", "proxyy": "http://secret.example""#, "", "did you mean proxy?"),
    ] {
        let why = parsed(server, api).expect_err(says);
        assert!(why.contains(says) && !why.contains("secret"), "{why}");
    }
}

/// What the environment says of an address: the proxy, or the variable at fault.
fn named(variables: &[(&str, &str)], url: &str) -> Result<Option<String>, String> {
    let lookup = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    let environment = ProxyEnvironment::read(lookup);
    let proxy = environment.proxy_for(&url.parse().expect("a URL"));
    proxy.map(|proxy| proxy.map(|proxy| proxy.to_string())).map_err(|(variable, _)| variable.to_owned())
}

#[test]
fn each_variable_is_for_its_scheme() {
    let (https, http) = ("https://x.example/v1/", "http://x.example:8000/v1/");
    for (variables, url, proxy) in [
        (&[][..], https, Ok(None)),
        (&[("HTTPS_PROXY", "http://p:1")], https, Ok(Some("http://p:1"))),
        (&[("HTTPS_PROXY", "http://p:1")], http, Ok(None)),
        (&[("HTTP_PROXY", "http://p:1")], http, Ok(Some("http://p:1"))),
        (&[("HTTP_PROXY", "http://p:1")], https, Ok(None)),
        (&[("http_proxy", "http://p:1")], http, Ok(Some("http://p:1"))),
        (&[("https_proxy", "http://p:1"), ("HTTPS_PROXY", "http://q:1")], https, Ok(Some("http://p:1"))),
        (&[("https_proxy", " "), ("HTTPS_PROXY", "http://q:1")], https, Ok(Some("http://q:1"))),
        (&[("ALL_PROXY", "socks5://p")], https, Ok(Some("socks5://p:1080"))),
        (&[("all_proxy", "socks5h://u:p@p")], http, Ok(Some("socks5h://***@p:1080"))),
        (&[("ALL_PROXY", "socks5://p"), ("HTTPS_PROXY", "http://q:1")], https, Ok(Some("http://q:1"))),
        (&[("ALL_PROXY", "socks5://p"), ("HTTPS_PROXY", "http://q:1")], http, Ok(Some("socks5://p:1080"))),
        (&[("HTTPS_PROXY", "p.example:3128")], https, Ok(Some("http://p.example:3128"))),
        (&[("HTTPS_PROXY", "u:p@p.example:3128")], https, Ok(Some("http://***@p.example:3128"))),
        (&[("HTTPS_PROXY", "http://p:1/")], https, Ok(Some("http://p:1"))),
        (&[("HTTPS_PROXY", "socks4://p")], https, Err("HTTPS_PROXY")),
        (&[("all_proxy", "socks://p")], https, Err("all_proxy")),
        (&[("all_proxy", "socks://p"), ("NO_PROXY", "x.example")], https, Ok(None)),
        (&[("HTTPS_PROXY", "http://p:1"), ("no_proxy", "x.example")], https, Ok(None)),
        (&[("HTTPS_PROXY", "http://p:1"), ("no_proxy", ""), ("NO_PROXY", "x.example")], https, Ok(None)),
    ] {
        let proxy = proxy.map(|proxy| proxy.map(str::to_owned)).map_err(str::to_owned);
        assert_eq!(named(variables, url), proxy, "{variables:?} {url}");
    }
}

#[test]
fn no_proxy_names_hosts_domains_ports_and_blocks() {
    for (list, matching, other) in [
        (
            "x.example",
            "https://x.example https://a.x.example http://x.example:8000",
            "https://ax.example https://example",
        ),
        ("X.Example.", "https://x.example https://A.X.EXAMPLE", "https://y.example"),
        (".x.example", "https://x.example https://a.b.x.example", "https://ax.example"),
        ("*.x.example", "https://a.x.example https://x.example", "https://ax.example"),
        ("*x.example", "https://x.example", "https://ax.example"),
        ("*", "https://x.example http://127.0.0.1 http://[::1]:1", ""),
        ("a, b.example\tc\n,,", "https://a http://b.example http://c", "https://d"),
        ("x.example:8443", "https://x.example:8443 https://a.x.example:8443", "https://x.example"),
        ("x.example:443", "https://x.example", "https://x.example:8443 http://x.example"),
        ("localhost", "http://localhost:11434", "http://127.0.0.1:11434 http://[::1]"),
        ("127.0.0.1", "http://127.0.0.1:11434", "http://127.0.0.2 http://localhost"),
        ("127.0.0.1:80", "http://127.0.0.1", "http://127.0.0.1:8000"),
        ("10.0.0.0/8", "http://10.1.2.3:8000 https://10.255.255.255", "http://11.0.0.1 http://10.example"),
        ("10.0.0.0/33", "", "http://10.0.0.0"),
        ("0.0.0.0/0", "http://8.8.8.8", "http://[::1] http://x.example"),
        ("192.168.7.1/24", "http://192.168.7.200", "http://192.168.8.1"),
        ("192.168.7.1/32", "http://192.168.7.1", "http://192.168.7.2"),
        ("::1", "http://[::1]:8000", "http://[::2]"),
        ("[::1]", "http://[::1]:8000", "http://[::2]"),
        ("[::1]:8000", "http://[::1]:8000", "http://[::1]:8001"),
        ("fd00::/8", "http://[fd12::1]", "http://[fe80::1] http://10.0.0.1"),
        ("::/0", "http://[fd12::1]", "http://10.0.0.1"),
        ("", "", "http://x.example"),
        (".", "", "http://x.example"),
        ("example", "https://x.example", "https://x.example.com"),
    ] {
        let variables = [("ALL_PROXY", "http://p:1"), ("NO_PROXY", list)];
        for url in matching.split_whitespace() {
            assert_eq!(named(&variables, url), Ok(None), "{list:?} has {url}");
        }
        for url in other.split_whitespace() {
            assert_eq!(named(&variables, url), Ok(Some("http://p:1".to_owned())), "{list:?} has no {url}");
        }
    }
}
