//! Upstreams that speak HTTP/2: chosen by ALPN, one connection for many requests, and what goes wrong on it stays unseen
//! wherever another try can serve.

use std::sync::Barrier;
use std::time::{Duration, Instant};

use actix_web::web::Bytes;
use serde_json::{Value, json};

use crate::helpers::{
    App, Ask, Http2, Identity, Launch, Reply, Response, Tls, Upstream, eventually, hurried, scratch, within,
};

mod broken;
mod quota;
mod shared;

/// One that speaks HTTP/2 and nothing else.
fn identity() -> Identity {
    Identity::speaking(&scratch(), &["h2"])
}

fn launch(config: &Value, identity: &Identity) -> Launch {
    Launch::new(config).env("SSL_CERT_FILE", identity.certificate.to_str().expect("UTF-8"))
}

fn stream(app: &App) -> Response {
    app.client().post("/v1/chat/completions", &json!({ "model": "m", "messages": [], "stream": true }))
}

fn event(text: &str) -> String {
    format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
}

const DONE: &str = "data: [DONE]\n\n";

/// Answers with what the request has as `user`.
async fn echo(mut ask: Ask) {
    let user = ask.json().await["user"].as_str().unwrap_or("nobody").to_owned();
    ask.chat(&user);
}

/// Asks, and says whether the answer is the own one.
fn asks_as(app: &App, user: &str) -> bool {
    let answer = app.client().post("/v1/chat/completions", &json!({ "model": "m", "messages": [], "user": user }));
    answer.status == 200 && answer.text().contains(&format!("\"{user}\""))
}

/// `ask` with 0, 1, 2, …, all at once.
fn at_once<T: Send>(count: usize, ask: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let barrier = Barrier::new(count);
    let one = |nth| {
        barrier.wait();
        ask(nth)
    };
    std::thread::scope(|scope| {
        let one = &one;
        let threads: Vec<_> = (0..count).map(|nth| scope.spawn(move || one(nth))).collect();
        threads.into_iter().map(|thread| thread.join().expect("ended")).collect()
    })
}

#[test]
fn hundreds_of_requests_share_a_connection_and_each_gets_its_own_answer() {
    let identity = identity();
    let upstream = Http2::start(&identity, echo);
    let app = launch(&upstream.config(), &identity).start();
    let sound = at_once(20, |nth| (0..15).all(|round| asks_as(&app, &format!("u-{nth}-{round}"))));
    assert_eq!(sound, [true; 20]);
    assert_eq!((upstream.connections(), upstream.calls()), (1, 300));
}

#[test]
fn what_goes_up_is_as_http2_wants_it() {
    let identity = identity();
    let upstream = Http2::start(&identity, echo);
    let app = launch(&upstream.config(), &identity).start();
    let client = app.client().header("te", "trailers").header("user-agent", "me/1").header("x-other", "stays");
    let body = json!({ "model": "m", "user": "x" });
    assert_eq!(client.post("/v1/chat/completions", &body).status, 200);
    let head = upstream.head();
    let uri = head.uri();
    assert_eq!(uri.scheme_str(), Some("https"));
    assert_eq!(format!("https://{}", uri.authority().expect("one")), upstream.url());
    assert_eq!((head.method().as_str(), uri.path()), ("POST", "/v1/chat/completions"));
    let of = |name: &str| head.headers().get(name).map(|value| value.to_str().expect("text").to_owned());
    assert_eq!(of("authorization").as_deref(), Some("Bearer sk-upstream-a-0123456789"));
    assert_eq!(of("user-agent").as_deref(), Some("me/1"));
    assert_eq!(of("content-length"), Some(body.to_string().len().to_string()));
    for absent in ["host", "connection", "te", "x-other", "transfer-encoding"] {
        assert_eq!(of(absent), None, "{absent}");
    }
}

async fn echo_when_released(mut ask: Ask) {
    ask.held().await;
    echo(ask).await;
}

/// So many requests are on the upstream's side at the same time, and each gets its own answer.
fn all_there_at_once(app: &App, upstream: &Http2, count: usize) {
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| at_once(count, |nth| asks_as(app, &format!("u{nth}"))));
        eventually("all are there at the same time", || upstream.calls() == count);
        upstream.release();
        assert_eq!(asking.join().expect("ended"), vec![true; count]);
    });
}

#[test]
fn fifty_at_once_open_one_connection_to_a_new_upstream() {
    let identity = identity();
    let upstream = Http2::start(&identity, echo_when_released);
    let app = launch(&upstream.config(), &identity).start();
    all_there_at_once(&app, &upstream, 50);
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn an_upstream_that_takes_one_request_at_a_time_is_given_a_connection_for_each() {
    let identity = identity();
    let upstream = Http2::taking(1, &identity, echo_when_released);
    let app = launch(&upstream.config(), &identity).start();
    all_there_at_once(&app, &upstream, 5);
    assert_eq!(upstream.connections(), 5);
    assert!(asks_as(&app, "again"));
    assert_eq!(upstream.connections(), 5, "one of them is used again");
}

#[test]
fn who_does_not_choose_http2_is_spoken_to_in_http1_and_not_asked_again() {
    for protocols in [&["http/1.1"][..], &[]] {
        let upstream = Upstream::always(Reply::chat("one"));
        let identity = Identity::speaking(&scratch(), protocols);
        let tls = Tls::speaking(&upstream, &identity);
        let mut config = crate::helpers::config_at(&[tls.url()]);
        config["actors"] = json!({ "workers": 1 });
        let app = launch(&config, &identity).start();
        for _ in 0..3 {
            assert!(app.chat().text().contains("one"));
        }
        assert_eq!(tls.offers(), [["h2", "http/1.1"]], "the connection that asked is used, and again");
        assert_eq!(at_once(4, |_| app.chat().status), [200; 4]);
        // More were needed, perhaps: none of them asked.
        assert!(tls.offers().iter().skip(1).all(|offer| *offer == ["http/1.1"]), "{:?}", tls.offers());
        assert_eq!(upstream.received().iter().filter(|request| request.nth == 0).count(), tls.offers().len());
    }
}

#[test]
fn an_upstream_that_learns_http2_is_asked_anew_when_it_can_not_be_connected() {
    let identity = Identity::speaking(&scratch(), &["http/1.1"]);
    let upstream = Upstream::always(Reply::raw("HTTP/1.1 404 X\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}"));
    let tls = Tls::speaking(&upstream, &identity);
    let mut config = crate::helpers::config_at(&[tls.url()]);
    config["actors"] = json!({ "workers": 1 });
    let app = launch(&config, &identity).start();
    assert_eq!(app.chat().status, 404);
    // Who takes none but h2 refuses who offers http/1.1 alone.
    tls.speak(&["h2"]);
    assert_eq!(app.chat().status, 502);
    app.chat();
    assert_eq!(tls.offers(), [&["h2", "http/1.1"][..], &["http/1.1"], &["h2", "http/1.1"]]);
}

#[test]
fn an_api_can_be_kept_to_http1() {
    let upstream = Upstream::always(Reply::chat("one"));
    let identity = Identity::speaking(&scratch(), &["h2", "http/1.1"]);
    let tls = Tls::speaking(&upstream, &identity);
    let mut config = crate::helpers::config_at(&[tls.url()]);
    config["apis"][0]["http2"] = json!(false);
    let app = launch(&config, &identity).start();
    assert!(app.chat().text().contains("one"));
    assert_eq!(tls.offers(), [["http/1.1"]]);
}

#[test]
fn a_stream_comes_event_by_event() {
    let identity = identity();
    let upstream = Http2::start(&identity, |mut ask| async move {
        ask.body().await;
        let mut sender = ask.begin(200, "text/event-stream");
        sender.send_data(event("a").into(), false).expect("sent");
        ask.held().await;
        sender.send_data(event("b").into(), false).expect("sent");
        sender.send_data(DONE.into(), true).expect("sent");
    });
    let app = launch(&upstream.config(), &identity).start();
    let mut answer = stream(&app);
    assert_eq!(answer.next().expect("an event").expect("an event"), event("a").as_bytes());
    upstream.release();
    assert_eq!(String::from_utf8(answer.bytes()).expect("text"), event("b") + DONE);
}

#[test]
fn models_are_asked_for_over_http2() {
    let identity = identity();
    let upstream = Http2::start(&identity, |mut ask| async move {
        match ask.request.uri().path() {
            "/v1/models" => ask.answer(200, &json!({ "object": "list", "data": [{ "id": "found" }] })),
            _ => echo(ask).await,
        }
    });
    let mut config = upstream.config();
    config["apis"][0].as_object_mut().expect("an API").remove("models");
    let app = launch(&config, &identity).start();
    assert_eq!(app.client().get("/v1/models").json()["data"][0]["id"], "found");
    let body = json!({ "model": "found", "user": "x" });
    assert_eq!(app.client().post("/v1/chat/completions", &body).status, 200);
}

/// A stream of two events, the second one held until the test releases it; all other requests get a chat. `goodbye`: the
/// connection takes no more after the first event.
fn held_stream(identity: &Identity, goodbye: bool) -> Http2 {
    Http2::start(identity, move |mut ask| async move {
        if ask.json().await["stream"] != true {
            return ask.chat("other");
        }
        let mut sender = ask.begin(200, "text/event-stream");
        sender.send_data(event("a").into(), false).expect("sent");
        if goodbye {
            ask.say_goodbye();
        }
        ask.held().await;
        sender.send_data((event("b") + DONE).into(), true).expect("sent");
    })
}

#[test]
fn a_connection_that_takes_no_more_ends_its_streams_whole_and_the_next_request_takes_another() {
    let identity = identity();
    let upstream = held_stream(&identity, true);
    let app = launch(&upstream.config(), &identity).start();
    let mut answer = stream(&app);
    answer.next().expect("an event").expect("an event");
    for _ in 0..3 {
        assert!(app.chat().text().contains("other"));
    }
    eventually("another connection was made", || upstream.connections() == 2);
    upstream.release();
    assert_eq!(String::from_utf8(answer.bytes()).expect("text"), event("b") + DONE);
    eventually("the first one ends with its last stream", || upstream.open() == 1);
}

#[test]
fn nobody_sees_that_an_upstream_closes_its_connections_under_load() {
    let identity = identity();
    let upstream = Http2::start(&identity, |ask| async move {
        // As nginx does it, after 1,000.
        if ask.nth == 19 {
            ask.say_goodbye();
        }
        echo(ask).await;
    });
    let app = launch(&upstream.config(), &identity).start();
    let sound = at_once(16, |nth| (0..50).all(|round| asks_as(&app, &format!("u-{nth}-{round}"))));
    assert_eq!(sound, [true; 16], "{}", app.log());
    assert!(upstream.connections() >= 10, "{} connections", upstream.connections());
    assert_eq!(upstream.calls(), 800, "none was asked twice");
}

#[test]
fn a_client_that_leaves_is_told_to_the_upstream_within_a_second() {
    let identity = identity();
    let upstream = Http2::start(&identity, |mut ask| async move {
        let mut sender = match ask.json().await["stream"] == true {
            true => ask.begin(200, "text/event-stream"),
            false => {
                // Not a word yet.
                ask.until_left().await;
                return;
            }
        };
        sender.send_data(event("a").into(), false).expect("sent");
        ask.until_reset(&mut sender).await;
    });
    let app = launch(&upstream.config(), &identity).start();
    let mut answer = stream(&app);
    answer.next().expect("an event").expect("an event");
    drop(answer);
    within(Duration::from_secs(1), "the stream is reset", || upstream.resets() == 1);
    let mut raw = crate::helpers::Raw::to(app.port);
    raw.send(crate::helpers::post("", r#"{"model":"m"}"#));
    eventually("it is out", || upstream.calls() == 2);
    drop(raw);
    within(Duration::from_secs(1), "the other one, too", || upstream.resets() == 2);
    assert_eq!((upstream.connections(), upstream.open()), (1, 1), "the connection stays");
}

#[test]
fn who_takes_nothing_holds_up_nobody_else_and_no_memory() {
    let identity = identity();
    let upstream = Http2::start(&identity, |mut ask| async move {
        if ask.json().await["stream"] != true {
            return ask.chat("other");
        }
        let mut sender = ask.begin(200, "text/event-stream");
        let piece = Bytes::from(event(&"x".repeat(16_000)));
        ask.flood(&mut sender, &piece).await;
    });
    let app = launch(&upstream.config(), &identity).start();
    let idle: Vec<Response> = (0..8).map(|_| stream(&app)).collect();
    let (mut before, mut since) = (0, Instant::now());
    eventually("nothing more is taken", || {
        let sent = upstream.sent();
        if sent != before {
            (before, since) = (sent, Instant::now());
        }
        since.elapsed() > Duration::from_millis(500)
    });
    // For each: the window, the server's own buffer, and what the sockets hold.
    assert!(before < 8 * (6 << 20), "{before} bytes");
    let asked = Instant::now();
    assert!(app.chat().text().contains("other"));
    assert!(asked.elapsed() < Duration::from_secs(2));
    assert_eq!(upstream.connections(), 1, "on the same connection");
    drop(idle);
}

#[test]
fn an_answer_larger_than_any_window_comes_whole() {
    const LARGE: usize = 40 << 20;
    let identity = identity();
    let upstream = Http2::start(&identity, |mut ask| async move {
        ask.body().await;
        let mut sender = ask.begin(200, "audio/mpeg");
        ask.send(&mut sender, vec![b'x'; LARGE].into()).await;
    });
    let app = launch(&upstream.config(), &identity).start();
    let sound = app.client().post("/v1/audio/speech", &json!({ "model": "m", "input": "x" }));
    assert_eq!(sound.bytes().len(), LARGE);
}

#[test]
fn large_requests_come_whole_beside_small_ones() {
    let identity = identity();
    let upstream = Http2::start(&identity, echo);
    let app = launch(&upstream.config(), &identity).start();
    let sound = at_once(8, |nth| {
        let text = "x".repeat(if nth < 4 { 6 << 20 } else { 10 });
        let body = json!({ "model": "m", "messages": [text], "user": format!("u{nth}") });
        app.client().post("/v1/chat/completions", &body).text().contains(&format!("\"u{nth}\""))
    });
    assert_eq!(sound, [true; 8]);
}

#[test]
fn an_upstream_that_takes_its_time_is_waited_for() {
    /// The program's clocks run so many times as fast.
    const HURRY: u32 = 20;
    let identity = identity();
    let upstream = Http2::start(&identity, echo_when_released);
    let app = hurried(launch(&upstream.config(), &identity), HURRY).start();
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| eventually("it is served", || asks_as(&app, "patient")));
        eventually("it is out", || upstream.calls() == 1);
        // A minute and a half: it does not speak, but it lives.
        std::thread::sleep(Duration::from_secs(90) / HURRY);
        upstream.release();
        asking.join().expect("served");
    });
    assert_eq!((upstream.connections(), upstream.calls()), (1, 1));
}

#[test]
fn connections_that_nobody_uses_are_closed() {
    /// The program's clocks run so many times as fast.
    const HURRY: u32 = 20;
    let identity = identity();
    let upstream = Http2::taking(1, &identity, echo_when_released);
    let app = hurried(launch(&upstream.config(), &identity), HURRY).start();
    std::thread::scope(|scope| {
        let ask = |nth| eventually("it is served", || asks_as(&app, &format!("u{nth}")));
        let asking = scope.spawn(move || at_once(4, ask));
        eventually("all are there", || upstream.open() == 4);
        upstream.release();
        asking.join().expect("served");
    });
    within(Duration::from_secs(8), "all are closed", || upstream.open() == 0);
    eventually("it is connected again", || asks_as(&app, "again"));
}

#[test]
fn a_new_configuration_cuts_no_stream_and_leaves_no_connection_behind() {
    let identity = identity();
    let upstream = held_stream(&identity, false);
    let mut config = upstream.config();
    let app = launch(&config, &identity).start();
    let mut answer = stream(&app);
    answer.next().expect("an event").expect("an event");
    config["apis"][0]["timeouts"] = json!({ "idleMs": 90_000 });
    std::fs::write(app.config_file(), config.to_string()).expect("writes");
    eventually("it is in force", || {
        assert!(app.chat().text().contains("other"));
        upstream.connections() == 2
    });
    upstream.release();
    assert_eq!(String::from_utf8(answer.bytes()).expect("text"), event("b") + DONE);
    eventually("the old connection ends", || upstream.open() == 1);
}
