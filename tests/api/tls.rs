//! Upstreams that speak TLS.

use serde_json::json;

use crate::helpers::{Http2, Identity, Launch, Reply, Step, Tls, Upstream, config_of, scratch};

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
fn an_upstream_whose_self_signed_certificate_is_trusted_serves_and_another_does_not() {
    let upstream = Upstream::always(Reply::chat("over TLS"));
    let trusted = Identity::signing(&scratch(), &[]);
    let tls = Tls::speaking(&upstream, &trusted);
    let another = Tls::speaking(&upstream, &Identity::signing(&scratch(), &[]));
    for (url, status) in [(tls.url(), 200), (another.url(), 502)] {
        let mut config = config_of(&[&upstream]);
        config["apis"][0]["baseUrl"] = json!(url);
        let app = Launch::new(&config).env("SSL_CERT_FILE", trusted.certificate.to_str().expect("UTF-8")).start();
        assert_eq!(app.chat().status, status, "{url}");
    }
    let trusted = Identity::signing(&scratch(), &["h2"]);
    let http2 = Http2::start(&trusted, |mut ask| async move { ask.chat("over HTTP/2") });
    let launch = Launch::new(&http2.config());
    let app = launch.env("SSL_CERT_FILE", trusted.certificate.to_str().expect("UTF-8")).start();
    assert!(app.chat().text().contains("over HTTP/2"));
}

#[test]
fn certificates_to_trust_that_cannot_be_used_are_reported_at_the_start_and_by_check() {
    let folder = scratch();
    let upstream = Upstream::always(Reply::chat("hi"));
    let identity = Identity::new(&folder);
    let sound = std::fs::read_to_string(&identity.certificate).expect("reads");
    let damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let file = folder.join("trusted.pem");
    for (content, status, said) in [
        (None, 1, "trusted.pem can't be read"),
        (Some("no certificate".to_owned()), 1, "trusted.pem has no certificate that can be trusted"),
        (Some([&sound, damaged].concat()), 0, "trusted.pem: certificate 2: "),
    ] {
        if let Some(content) = content {
            std::fs::write(&file, content).expect("writes");
        }
        let launch = Launch::new(&config_of(&[&upstream])).env("SSL_CERT_FILE", file.to_str().expect("UTF-8"));
        let checked = launch.command().args(["check", "--config", "apis.json"]).output().expect("runs");
        assert_eq!(checked.status.code(), Some(status), "{said}");
        let output = String::from_utf8([checked.stdout, checked.stderr].concat()).expect("text");
        assert!(output.contains(said), "{output}");
        if status == 0 {
            launch.start().logged(said);
        } else {
            let ended = launch.command().args(["--config", "apis.json", "--port", "0"]).output().expect("runs");
            assert_eq!(ended.status.code(), Some(1), "{said}");
            assert!(String::from_utf8_lossy(&ended.stderr).contains(said), "{said}");
        }
    }
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
