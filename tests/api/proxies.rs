//! Outgoing proxies: an HTTP and a SOCKS5 proxy from Debian, with a user and a password, between the pool and scripted upstreams.

mod environment;
mod failures;
mod secrets;

use serde_json::{Value, json};

use crate::helpers::websocket::{WsClient, WsUpstream};
use crate::helpers::{
    App, Http2, Identity, Launch, PROXY_LOGIN, RealProxy, Reply, Step, Tls, Upstream, assert_no_proxy_login, config_at,
    config_of, eventually, scratch,
};

const EVENT: &str = r#"{"choices":[{"delta":{"content":"a"}}]}"#;

/// Answers chats, and streams of chats.
fn upstream() -> Upstream {
    Upstream::start(|request| match request.json()["stream"] == true {
        true => Reply::stream(vec![Step::event(EVENT), Step::event("[DONE]")], true),
        false => Reply::chat("by a proxy"),
    })
}

/// The same configuration with this proxy for all.
fn by(proxy: &RealProxy, mut config: Value) -> Value {
    config["server"]["proxy"] = json!(proxy.url());
    config
}

fn trusting(config: &Value, identity: &Identity) -> App {
    Launch::new(config).env("SSL_CERT_FILE", identity.certificate.to_str().expect("UTF-8")).start()
}

/// Makes three chats and a stream. All must be served.
fn serves(app: &App) {
    for _ in 0..3 {
        assert!(app.chat().text().contains("by a proxy"));
    }
    let stream = app.client().post("/v1/chat/completions", &json!({ "model": "m", "stream": true }));
    assert_eq!(stream.text(), format!("data: {EVENT}\n\ndata: [DONE]\n\n"));
}

#[test]
fn chats_and_streams_pass_each_kind_of_proxy_to_plain_upstreams() {
    for proxy in RealProxy::both() {
        let upstream = upstream();
        let mut config = by(&proxy, config_of(&[&upstream]));
        config["actors"] = json!({ "workers": 1 });
        let app = App::start(&config);
        serves(&app);
        let requests = upstream.received();
        assert!(requests[1].nth > 0, "a tunnel is kept");
        assert_eq!(requests[0].path, "/v1/chat/completions", "as without a proxy");
        let names: Vec<&str> = requests[0].headers.iter().map(|(name, _)| name.as_str()).collect();
        assert!(!names.iter().any(|name| name.starts_with("proxy-") || *name == "via"), "{names:?}");
        assert_eq!(app.usage_of("a"), (4, 4));
        assert_no_proxy_login(&app.log());
    }
}

#[test]
fn tls_is_laid_within_the_tunnel_with_the_upstreams_name() {
    for proxy in RealProxy::both() {
        let (upstream, identity) = (upstream(), Identity::new(&scratch()));
        let tls = Tls::speaking(&upstream, &identity);
        let config = by(&proxy, config_at(&[tls.url()]));
        serves(&trusting(&config, &identity));
        let calls = upstream.calls();
        let wary = App::start(&config);
        assert_eq!(wary.chat().error(), (502, "upstream_failed".into()));
        assert_eq!(upstream.calls(), calls, "who is not verified is told nothing");
        assert_eq!(wary.status_of("a")["lastError"]["class"], "connect");
        assert_eq!(wary.status_of("a")["usage"]["rpd"], 0, "nothing was sent");
    }
}

#[test]
fn http2_is_chosen_within_the_tunnel() {
    for proxy in RealProxy::both() {
        let identity = Identity::speaking(&scratch(), &["h2"]);
        let upstream = Http2::start(&identity, |mut ask| async move { ask.chat("over HTTP/2") });
        let app = trusting(&by(&proxy, upstream.config()), &identity);
        for _ in 0..5 {
            assert!(app.chat().text().contains("over HTTP/2"));
        }
        assert_eq!((upstream.connections(), upstream.calls()), (1, 5));
        assert_eq!(app.usage_of("a"), (5, 5));
    }
}

#[test]
fn websockets_pass_too() {
    for proxy in RealProxy::both() {
        let upstream = WsUpstream::answering();
        let app = App::start(&by(&proxy, config_at(&[upstream.url()])));
        let mut client = WsClient::to(&app);
        for _ in 0..2 {
            client.create();
            assert_eq!(client.response().0.last().map(String::as_str), Some("response.completed"));
        }
        eventually("both are counted", || app.usage_of("a") == (2, 2));
    }
}

#[test]
fn the_list_of_models_is_asked_for_through_the_proxy() {
    for proxy in RealProxy::both() {
        let upstream = Upstream::start(|request| match request.path.as_str() {
            "/v1/models" => Reply::json(200, &json!({ "object": "list", "data": [{ "id": "found" }] })),
            _ => Reply::chat("by a proxy"),
        });
        let mut config = by(&proxy, config_of(&[&upstream]));
        config["apis"][0].as_object_mut().expect("an API").remove("models");
        let app = App::start(&config);
        let found = app.client().post("/v1/chat/completions", &json!({ "model": "found", "messages": [] }));
        assert_eq!(found.status, 200);
    }
}

#[test]
fn with_socks5_the_name_is_resolved_here() {
    let (proxy, upstream, identity) = (RealProxy::socks(), upstream(), Identity::new(&scratch()));
    let tls = Tls::speaking(&upstream, &identity);
    let mut config = config_at(&[tls.url()]);
    config["server"]["proxy"] = json!(proxy.url().replace("socks5h://", "socks5://"));
    serves(&trusting(&config, &identity));
}

#[test]
fn a_proxy_may_speak_tls_and_within_it_the_upstream_as_well() {
    let (proxy, identity) = (RealProxy::http(&[]), Identity::new(&scratch()));
    let tls_proxy = Tls::at(&format!("http://{}", proxy.address()), &identity);
    let (plain, behind_tls) = (upstream(), upstream());
    let tls = Tls::speaking(&behind_tls, &identity);
    let url = tls_proxy.url().replace("https://", &format!("https://{PROXY_LOGIN}@"));
    for target in [plain.url(), tls.url()] {
        let mut config = config_at(&[target]);
        config["server"]["proxy"] = json!(url);
        serves(&trusting(&config, &identity));
        let wary = App::start(&config);
        assert_eq!(wary.chat().error(), (502, "upstream_failed".into()));
        wary.logged("no TLS with it");
    }
}

#[test]
fn http2_is_chosen_within_a_tunnel_within_tls() {
    let (proxy, identity) = (RealProxy::http(&[]), Identity::speaking(&scratch(), &["h2", "http/1.1"]));
    let upstream = Http2::start(&identity, |mut ask| async move { ask.chat("over HTTP/2") });
    let tls_proxy = Tls::at(&format!("http://{}", proxy.address()), &identity);
    let mut config = upstream.config();
    config["server"]["proxy"] = json!(tls_proxy.url().replace("https://", &format!("https://{PROXY_LOGIN}@")));
    let app = trusting(&config, &identity);
    for _ in 0..3 {
        assert!(app.chat().text().contains("over HTTP/2"));
    }
    assert_eq!((upstream.connections(), upstream.calls()), (1, 3));
    assert_eq!(tls_proxy.offers(), [["http/1.1"]], "a proxy is never offered HTTP/2");
}

#[test]
fn each_api_has_its_own_way_and_a_reload_changes_it() {
    let (mut http, socks) = (RealProxy::http(&[]), RealProxy::socks());
    let upstreams = [upstream(), upstream()];
    let mut config = by(&http, config_of(&upstreams.each_ref()));
    config["apis"][0]["proxy"] = json!(socks.url());
    config["apis"][1]["proxy"] = json!(null);
    config["retry"] = json!({ "maxAttempts": 1 });
    let app = App::start(&config);
    // Without a proxy the second does not notice.
    http.kill();
    for _ in 0..20 {
        assert_eq!(app.chat().status, 200);
    }
    let calls = upstreams.each_ref().map(Upstream::calls);
    assert!(calls.iter().all(|calls| *calls > 0), "{calls:?}");

    // The kept connections are not used any more.
    config["apis"][0]["proxy"] = json!(http.url());
    config["apis"][1]["enabled"] = json!(false);
    std::fs::write(app.config_file(), config.to_string()).expect("writes");
    app.logged("configuration");
    eventually("the new proxy is asked", || app.chat().status != 200);
    app.logged(&format!("by its proxy {}: it can't be reached", http.shown()));
}
