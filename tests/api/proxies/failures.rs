//! A proxy that refuses, or dies, costs a failover.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::upstream;
use crate::helpers::websocket::{WsClient, WsUpstream};
use crate::helpers::{
    App, Http2, Identity, RealProxy, Reply, Step, Upstream, assert_no_proxy_login, config_at, config_of, eventually,
    scratch,
};

/// No failover through a dead proxy takes longer.
const PROMPT: Duration = Duration::from_secs(3);

/// A pool of `a`, asked first, by this proxy, and `b` without a proxy.
fn pair(proxy: &str, a: &Upstream, b: &Upstream) -> App {
    let mut config = config_of(&[a, b]);
    config["apis"][0]["proxy"] = json!(proxy);
    config["apis"][1]["priority"] = json!(1);
    config["timeouts"] = json!({ "connectMs": 1_000 });
    App::start(&config)
}

/// Changes the entry of `a`, so that nothing is held against it any more.
fn forget_health(app: &App) {
    let text = std::fs::read_to_string(app.config_file()).expect("reads");
    let mut config: Value = serde_json::from_str(&text).expect("JSON");
    config["apis"][0]["name"] = json!("a again");
    std::fs::write(app.config_file(), config.to_string()).expect("writes");
}

#[test]
fn a_refusal_by_a_proxy_is_never_taken_for_the_upstreams() {
    let (http, socks, strict) = (RealProxy::http(&[]), RealProxy::socks(), RealProxy::http(&[443]));
    for (proxy, says) in [
        (http.url_with("anna-of-the-proxy:wrong"), "it answered 401 to CONNECT: it does not take the user"),
        (http.bare_url(), "it answered 407 \"Proxy Authentication Required\" to CONNECT: it wants a user"),
        (socks.url_with("anna-of-the-proxy:wrong"), "it does not take the user and the password of `proxy`"),
        (socks.bare_url(), "it wants a user and a password: `proxy` takes socks5://user:password@host:port"),
        (strict.url(), "to CONNECT: it opens no tunnel to 127.0.0.1:"),
        // tinyproxy waits for the end of a head.
        (http.url().replace("http://", "socks5://"), "no connection in time"),
        (socks.url().replace("socks5h://", "http://"), "by its proxy http://***@127.0.0.1:"),
    ] {
        let (a, b) = (upstream(), upstream());
        let app = pair(&proxy, &a, &b);
        assert_eq!(app.chat().status, 200, "{proxy}");
        assert_eq!((a.calls(), b.calls()), (0, 1), "{proxy}");
        app.logged(says);
        let status = app.status_of("a");
        assert_eq!(status["lastError"]["class"], "connect", "{status:#}");
        assert_eq!(status["usage"]["rpd"], 0, "nothing was sent");
        assert_no_proxy_login(&format!("{}{}", app.log(), status));
    }
}

#[test]
fn a_proxy_that_cannot_reach_the_upstream_says_so() {
    let b = upstream();
    for proxy in RealProxy::both() {
        let mut config = config_of(&[&b, &b]);
        // Nobody listens there.
        config["apis"][0]["baseUrl"] = json!("http://127.0.0.1:9");
        config["apis"][0]["proxy"] = json!(proxy.url());
        config["apis"][1]["priority"] = json!(1);
        let app = App::start(&config);
        assert_eq!(app.chat().status, 200);
        app.logged("it can't reach 127.0.0.1:9");
    }
}

#[test]
fn a_proxy_that_dies_between_requests_costs_a_failover_and_serves_again_when_it_is_back() {
    for mut proxy in RealProxy::both() {
        let (a, b) = (upstream(), upstream());
        let app = pair(&proxy.url(), &a, &b);
        assert_eq!(app.chat().status, 200);
        proxy.kill();
        for _ in 0..8 {
            let started = Instant::now();
            assert_eq!(app.chat().status, 200);
            assert!(started.elapsed() < PROMPT, "{:?}", started.elapsed());
        }
        assert_eq!((a.calls(), b.calls()), (1, 8));
        assert_eq!(app.usage_of("a"), (1, 1), "what could not be sent does not count");
        proxy.start_again();
        forget_health(&app);
        eventually("it serves again", || app.chat().status == 200 && a.calls() > 1);
    }
}

#[test]
fn a_proxy_that_dies_before_an_answer_or_within_a_stream_hangs_nobody() {
    let event = Step::event(super::EVENT);
    for mut proxy in RealProxy::both() {
        let stream = Reply::stream(vec![event.clone(), Step::Hold], false);
        let a = Upstream::in_turn(vec![Reply::chat("late").held(), stream]);
        let b = upstream();
        let app = pair(&proxy.url(), &a, &b);
        let asking = std::thread::spawn({
            let client = app.client();
            move || client.post("/v1/chat/completions", &json!({ "model": "m", "messages": [] })).status
        });
        eventually("the upstream was asked", || a.calls() == 1);
        proxy.kill();
        assert_eq!(asking.join().expect("ends"), 200);
        assert_eq!(b.calls(), 1, "the other account answered");

        proxy.start_again();
        let mut streaming = None;
        forget_health(&app);
        eventually("the stream has begun there", || {
            let answer = app.client().post("/v1/chat/completions", &json!({ "model": "m", "stream": true }));
            streaming = Some(answer);
            a.calls() == 2
        });
        let started = Instant::now();
        proxy.kill();
        let text = streaming.expect("begun").text();
        assert!(text.contains(super::EVENT) && !text.contains("[DONE]"), "{text}");
        assert!(text.contains("upstream_failed") && started.elapsed() < PROMPT, "{text}");
    }
}

#[test]
fn with_http2_a_proxy_that_dies_costs_a_failover_too() {
    for mut proxy in RealProxy::both() {
        let identity = Identity::speaking(&scratch(), &["h2"]);
        let a = Http2::start(&identity, |mut ask| async move { ask.chat("over HTTP/2") });
        let b = upstream();
        let mut config = config_at(&[a.url(), b.url()]);
        config["apis"][0]["proxy"] = json!(proxy.url());
        config["apis"][1]["priority"] = json!(1);
        let app = super::trusting(&config, &identity);
        assert!(app.chat().text().contains("over HTTP/2"));
        proxy.kill();
        for _ in 0..6 {
            let started = Instant::now();
            assert!(app.chat().text().contains("by a proxy"));
            assert!(started.elapsed() < PROMPT, "{:?}", started.elapsed());
        }
        assert_eq!((a.calls(), b.calls()), (1, 6));
    }
}

#[test]
fn a_websocket_goes_to_another_account_when_a_proxy_is_gone() {
    for mut proxy in RealProxy::both() {
        let (a, b) = (WsUpstream::answering(), WsUpstream::answering());
        let mut config = config_at(&[a.url(), b.url()]);
        config["apis"][0]["proxy"] = json!(proxy.url());
        config["apis"][1]["priority"] = json!(1);
        let app = App::start(&config);
        let mut client = WsClient::to(&app);
        client.create();
        client.response();
        assert_eq!((a.messages().len(), b.messages().len()), (1, 0));
        proxy.kill();
        let mut client = WsClient::to(&app);
        client.create();
        assert_eq!(client.response().0.last().map(String::as_str), Some("response.completed"));
        assert_eq!((a.messages().len(), b.messages().len()), (1, 1));
    }
}
