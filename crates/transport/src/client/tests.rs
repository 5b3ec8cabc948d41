//! Hosts and paths of requests.

use actix_rt::Runtime;

use super::*;

fn client(base: &str, tls: bool) -> UpstreamClient {
    UpstreamClient::new(Target {
        id: "a".to_owned(),
        base: base.to_owned(),
        tls,
        http2: true,
        proxy: None,
        headers: vec![(header::AUTHORIZATION, HeaderValue::from_static("Bearer k"))],
        connect_timeout: Duration::from_secs(1),
    })
}

#[test]
fn a_request_names_the_host_without_the_port_of_its_scheme() {
    Runtime::new().expect("a runtime").block_on(async {
        for (base, tls, host) in [
            ("http://x.example:80/v1/", false, "x.example"),
            ("http://x.example:443/v1/", true, "x.example"),
            ("http://x.example:443/v1/", false, "x.example:443"),
            ("http://x.example:8080/v1/", true, "x.example:8080"),
            ("http://[::1]:80/v1/", false, "[::1]"),
        ] {
            let request = client(base, tls).request(Method::POST, "chat/completions?a=b");
            assert_eq!(request.headers().get(header::HOST).expect("a host"), host, "{base}");
            assert_eq!(request.headers().get(header::AUTHORIZATION).expect("a key"), "Bearer k");
            assert_eq!(request.get_uri().path_and_query().expect("a path"), "/v1/chat/completions?a=b");
        }
    });
}

#[test]
fn paths_beyond_the_kept_ones_are_right_too() {
    Runtime::new().expect("a runtime").block_on(async {
        let client = client("http://x.example:80/p/v1/", false);
        for nth in (0..2 * MAX_KEPT_PATHS).chain(0..3) {
            let request = client.request(Method::GET, &format!("files/{nth}"));
            assert_eq!(request.get_uri().path(), format!("/p/v1/files/{nth}"));
        }
        assert_eq!(client.uris.borrow().len(), MAX_KEPT_PATHS);
    });
}

#[test]
fn no_query_takes_the_place_of_a_path() {
    Runtime::new().expect("a runtime").block_on(async {
        let client = client("http://x.example:80/v1/", false);
        let request = client.request(Method::GET, "files?a=%2f&b[]=%20");
        assert_eq!(request.get_uri().path_and_query().expect("a path"), "/v1/files?a=%2f&b[]=%20");
        assert!(client.uris.borrow().is_empty());
    });
}
