//! Upstreams that speak TLS.

use serde_json::json;

use crate::helpers::{Launch, Reply, Step, Tls, Upstream, config_of, scratch};

#[test]
fn an_https_upstream_is_spoken_to_and_its_certificate_verified() {
    let event = r#"{"choices":[{"delta":{"content":"a"}}]}"#;
    let upstream = Upstream::start(move |request| match request.json()["stream"] == true {
        true => Reply::stream(vec![Step::event(event), Step::event("[DONE]")], true),
        false => Reply::chat("over TLS"),
    });
    let tls = Tls::before(&upstream, &scratch());
    let mut config = config_of(&[&upstream]);
    config["apis"][0]["baseUrl"] = json!(tls.url());

    let trusting = Launch::new(&config).env("SSL_CERT_FILE", tls.certificate.to_str().expect("UTF-8")).start();
    for _ in 0..5 {
        assert!(trusting.chat().text().contains("over TLS"));
    }
    let stream = trusting.client().post("/v1/chat/completions", &json!({ "model": "m", "stream": true }));
    assert_eq!(stream.text(), format!("data: {event}\n\ndata: [DONE]\n\n"));
    let host = upstream.received()[0].header("host").expect("a host").to_owned();
    assert_eq!(format!("https://{host}"), tls.url());
    assert_eq!(trusting.status_of("a")["usage"]["rpd"], 6);

    let calls = upstream.calls();
    let wary = Launch::new(&config).start();
    assert_eq!(wary.chat().error(), (502, "upstream_failed".into()));
    assert_eq!(upstream.calls(), calls, "who is not verified is told nothing");
    assert_eq!(wary.status_of("a")["lastError"]["class"], "connect");
    assert_eq!(wary.status_of("a")["usage"]["rpd"], 0, "nothing was sent");
}

#[test]
fn a_cut_is_noticed_through_tls_too() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    for cut in ["content-length: 100\r\n\r\n{\"a\":1}", "transfer-encoding: chunked\r\n\r\n7\r\n{\"a\":1}\r\n"] {
        let upstream = Upstream::always(Reply::raw([head, cut].concat()));
        let tls = Tls::before(&upstream, &scratch());
        let mut config = config_of(&[&upstream]);
        config["apis"][0]["baseUrl"] = json!(tls.url());
        let app = Launch::new(&config).env("SSL_CERT_FILE", tls.certificate.to_str().expect("UTF-8")).start();
        assert_eq!(app.chat().error(), (502, "upstream_failed".into()), "{cut}");
    }
}
