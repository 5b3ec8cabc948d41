//! Which upstream serves a connection, and which can't.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{pool, pool_with};
use crate::helpers::websocket::{BINARY, CLOSE, WsClient, WsFrame, WsUpstream, created, delta, failed};
use crate::helpers::{App, Identity, KEY, Launch, Reply, Tls, Upstream, config_at, config_of, eventually, scratch};

fn config_by_priority(urls: &[String]) -> serde_json::Value {
    let mut config = config_at(urls);
    for (nth, api) in config["apis"].as_array_mut().expect("a list").iter_mut().enumerate() {
        api["priority"] = json!(nth);
    }
    config
}

#[test]
fn a_pool_without_websockets_answers_426_and_knows_it_the_next_time() {
    for status in [200, 400, 404, 405, 426, 501] {
        let upstream = Upstream::always(Reply::error(status, "no"));
        let app = App::on(&[&upstream]);
        let asked = Instant::now();
        for _ in 0..3 {
            let client = WsClient::with(&app, &format!("authorization: Bearer {KEY}\r\n"));
            assert!(client.head.starts_with("http/1.1 426"), "{}", client.head);
        }
        assert!(asked.elapsed() < Duration::from_secs(3));
        assert_eq!(upstream.calls(), 1, "{status}");
        assert_eq!(app.usage_of("a").0, 0, "a handshake is no request");
        assert_eq!(app.status_of("a")["available"], true, "{:#}", app.status_of("a"));
    }
}

#[test]
fn an_upstream_that_says_nothing_costs_a_second_once() {
    let upstream = Upstream::always(Reply::error(404, "no").after(Duration::from_secs(60)));
    let app = App::on(&[&upstream]);
    let asked = Instant::now();
    let upgrade = || WsClient::with(&app, &format!("authorization: Bearer {KEY}\r\n")).head;
    assert!(upgrade().starts_with("http/1.1 426"));
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    eventually("the silence counts as a no", || {
        let asked = Instant::now();
        assert!(upgrade().starts_with("http/1.1 426"));
        asked.elapsed() < Duration::from_millis(300)
    });
    assert_eq!(upstream.calls(), 1);
}

#[test]
fn an_upstream_without_websockets_is_passed_over() {
    let (without, with) = (Upstream::always(Reply::error(404, "no")), WsUpstream::answering());
    let app = App::start(&config_by_priority(&[without.url(), with.url()]));
    for _ in 0..3 {
        let mut client = WsClient::to(&app);
        client.create();
        assert_eq!(client.response().1["type"], "response.completed");
    }
    assert!(without.calls() <= 2, "{}", without.calls());
    eventually("all are counted there", || app.usage_of("b").0 == 3);
    assert_eq!(app.usage_of("a").0, 0);
}

#[test]
fn a_model_that_nobody_serves_over_websockets_is_a_426_in_the_connection() {
    let (without, with) = (Upstream::always(Reply::error(404, "no")), WsUpstream::answering());
    let mut config = config_at(&[without.url(), with.url()]);
    config["apis"][0]["models"] = json!(["other"]);
    let app = App::start(&config);
    let mut client = WsClient::to(&app);
    client.send_json(&json!({ "type": "response.create", "model": "other" }));
    let (_, told) = client.response();
    assert_eq!(told["status"], 426, "{told}");
    client.create();
    assert_eq!(client.response().1["type"], "response.completed");
}

#[test]
fn a_reload_forgets_who_speaks_websockets() {
    let upstream = Upstream::always(Reply::error(404, "no"));
    let app = App::on(&[&upstream]);
    let upgrade = || WsClient::with(&app, &format!("authorization: Bearer {KEY}\r\n")).head;
    assert!(upgrade().starts_with("http/1.1 426"));
    let with = WsUpstream::answering();
    let mut config = config_of(&[&upstream]);
    config["apis"][0]["baseUrl"] = json!(with.url());
    std::fs::write(app.config_file(), config.to_string()).expect("writes");
    eventually("the new address is asked", || upgrade().starts_with("http/1.1 101"));
}

#[test]
fn a_handshake_that_is_refused_for_what_the_client_wrote_bars_no_upstream() {
    // The first one is the pool's own, the second the client's.
    let refused = |nth| (nth == 1).then(|| "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n".to_owned());
    let upstream = WsUpstream::refusing(refused, |served, _| served.respond("resp_1"));
    let app = pool(&[&upstream]);
    let mut client = WsClient::to(&app);
    client.create();
    assert_eq!(client.response().1["status"], 400, "the upstream's own error");
    client.create();
    assert_eq!(client.response().1["type"], "response.completed");
    let mut client = WsClient::to(&app);
    client.create();
    assert_eq!(client.response().1["type"], "response.completed");
    assert_eq!(app.status_of("a")["available"], true);
}

#[test]
fn a_404_in_other_words_to_a_request_that_names_an_object_is_held_against_nobody() {
    let without = WsUpstream::start(|served, _| {
        served.send_json(&json!({ "type": "error", "status": 404, "error": { "message": "not here" } }))
    });
    let app = App::start(&config_by_priority(&[without.url(), WsUpstream::answering().url()]));
    for nth in 0..4 {
        let mut client = WsClient::to(&app);
        let input = [json!({ "type": "item_reference", "id": format!("rs_{nth}") })];
        client.send_json(&json!({ "type": "response.create", "model": "m", "input": input }));
        assert_eq!(client.response().1["type"], "response.completed");
    }
    assert_eq!(app.status_of("a")["available"], true, "{:#}", app.status_of("a"));
}

type BadUpstream = fn() -> WsUpstream;

#[test]
fn before_the_first_content_another_account_serves() {
    let failures: [(&str, BadUpstream); 6] = [
        ("lost", || WsUpstream::start(|served, _| served.nth == 0)),
        ("lost behind the preamble", || {
            WsUpstream::start(|served, _| {
                served.send_json(&created("r"));
                false
            })
        }),
        ("limited", || WsUpstream::start(|served, _| served.send_json(&failed(429, "rate_limit_exceeded")))),
        ("in trouble", || WsUpstream::start(|served, _| served.send_json(&failed(500, "server_error")))),
        ("failed", || {
            WsUpstream::start(|served, _| {
                served.send_json(&created("r"))
                    && served
                        .send_json(&json!({ "type": "response.failed", "response": { "id": "r", "status": "failed",
                        "error": { "code": "server_error", "message": "no" } } }))
            })
        }),
        ("refusing", || {
            let refusal = |nth| (nth > 0).then(|| "HTTP/1.1 503 X\r\ncontent-length: 0\r\n\r\n".to_owned());
            WsUpstream::refusing(refusal, |_, _| true)
        }),
    ];
    for (name, bad) in failures {
        let (bad, good) = (bad(), WsUpstream::answering());
        let app = App::start(&config_by_priority(&[bad.url(), good.url()]));
        let mut client = WsClient::to(&app);
        client.create();
        let (types, last) = client.response();
        assert_eq!(types.len(), 3, "{name}: {types:?} {last}");
        assert_eq!(last["response"]["id"], "resp_1", "{name}: nothing is seen of the failure");
        client.create();
        assert_eq!(client.response().1["response"]["id"], "resp_2", "{name}");
        eventually("both are counted there", || app.usage_of("b").0 == 2);
        app.logged("attempts=2 status=200");
    }
}

#[test]
fn when_all_fail_the_last_error_is_told_and_the_connection_goes_on() {
    let nth = std::sync::atomic::AtomicUsize::new(0);
    let upstream = WsUpstream::start(move |served, frame| {
        if frame.code == CLOSE {
            return false;
        }
        match nth.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0 => served.send_json(&failed(400, "invalid_request_error")),
            1 => served.send_json(&failed(500, "server_error")),
            _ => served.respond("resp_1"),
        }
    });
    let app = pool(&[&upstream]);
    let mut client = WsClient::to(&app);
    for status in [400, 500] {
        client.create();
        let (types, last) = client.response();
        assert_eq!(
            (types.len(), &last["status"], &last["error"]["message"]),
            (1, &json!(status), &json!("no")),
            "{last}"
        );
    }
    client.create();
    assert_eq!(client.response().1["type"], "response.completed");
}

#[test]
fn an_error_of_a_later_turn_asks_nobody_else() {
    let asked = || {
        let nth = std::sync::atomic::AtomicUsize::new(0);
        WsUpstream::start(move |served, frame| match frame.code {
            CLOSE => false,
            _ if nth.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 1 => {
                served.send_json(&failed(400, "previous_response_not_found"))
            }
            _ => served.respond("r"),
        })
    };
    let upstreams = [asked(), asked()];
    let app = pool(&upstreams.each_ref());
    let mut client = WsClient::to(&app);
    for wanted in ["response.completed", "error", "response.completed"] {
        client.create();
        let (_, last) = client.response();
        assert_eq!(last["type"], wanted, "{last}");
    }
    let mut asked = upstreams.each_ref().map(|upstream| upstream.messages().len());
    asked.sort_unstable();
    assert_eq!(asked, [0, 3]);
}

#[test]
fn a_key_in_an_event_is_not_shown() {
    let key = "sk-upstream-a-0123456789";
    let upstream = WsUpstream::start(move |served, _| {
        served.send_json(&delta(&format!("the key is {key}")))
            && served.send(&WsFrame::new(BINARY, format!("the key {key}")))
            && served.send_json(&json!({ "type": "error", "error": { "message": format!("bad key {key}") } }))
    });
    let app = pool_with(&upstream, &json!({}));
    let mut client = WsClient::to(&app);
    client.create();
    for _ in 0..3 {
        let event = String::from_utf8(client.next().expect("a message").bytes).expect("text");
        assert!(event.contains("key ") && event.contains("***") && !event.contains(key), "{event}");
    }
    app.logged("WS /v1/responses");
    assert!(!app.log().contains(key), "{}", app.log());
}

#[test]
fn an_upstream_behind_tls_is_verified_and_asked_without_http2() {
    let upstream = WsUpstream::answering();
    let identity = Identity::speaking(&scratch(), &["h2", "http/1.1"]);
    let tls = Tls::at(&upstream.url(), &identity);
    let config = config_at(&[tls.url()]);
    let trusting = Launch::new(&config).env("SSL_CERT_FILE", identity.certificate.to_str().expect("UTF-8")).start();
    let mut client = WsClient::to(&trusting);
    client.create();
    assert_eq!(client.response().1["type"], "response.completed");
    assert!(tls.offers().iter().all(|offer| *offer == ["http/1.1"]), "{:?}", tls.offers());
    let host = tls.url().replace("https://", "host: ");
    assert!(upstream.handshakes()[0].contains(&host), "{:?}", upstream.handshakes());
    let before = upstream.handshakes().len();
    let wary = Launch::new(&config).start();
    assert!(WsClient::with(&wary, &format!("authorization: Bearer {KEY}\r\n")).head.starts_with("http/1.1 426"));
    assert_eq!(upstream.handshakes().len(), before, "who is not verified is told nothing");
}
