//! Requests a minute and a day: counted before each attempt, exact, refused in time and in form.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use serde_json::json;

use crate::helpers::{App, Reply, Upstream, config_of, config_with, eventually};

/// Sends `n` requests at once; returns how many got each status.
fn burst(app: &App, n: usize) -> (usize, usize) {
    let barrier = Barrier::new(n);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let ask = || {
            barrier.wait();
            app.chat().status
        };
        let threads: Vec<_> = (0..n).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|thread| thread.join().expect("answered")).collect()
    });
    let of = |status: u16| statuses.iter().filter(|s| **s == status).count();
    assert_eq!(of(200) + of(429), n, "{statuses:?}");
    (of(200), of(429))
}

#[test]
fn limits_are_exact_under_concurrency() {
    let (first, second) = (Upstream::always(Reply::chat("1")), Upstream::always(Reply::chat("2")));
    let mut config = config_of(&[&first, &second]);
    config["apis"][0]["rpm"] = json!(60);
    config["apis"][1]["rpd"] = json!(40);
    let app = App::start(&config);
    assert_eq!(burst(&app, 200), (100, 100));
    assert_eq!((first.calls(), second.calls()), (60, 40));
}

#[test]
fn a_spent_minute_is_a_429_that_says_when_it_frees() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = config_of(&[&upstream]);
    config["apis"][0]["rpm"] = json!(2);
    let app = App::start(&config);
    assert_eq!((app.chat().status, app.chat().status), (200, 200));
    let start = Instant::now();
    let refused = app.chat();
    assert!(start.elapsed().as_millis() < 500, "at once");
    let after: u64 = refused.header("retry-after").expect("told").parse().expect("seconds");
    let after_ms: u64 = refused.header("retry-after-ms").expect("told").parse().expect("ms");
    assert!((55..=61).contains(&after) && (55_000..=61_000).contains(&after_ms), "{after} s, {after_ms} ms");
    assert_eq!(refused.header("x-should-retry"), None, "a minute may be waited for");
    let error = refused.json()["error"].clone();
    assert_eq!(error["code"], "rate_limit_exceeded");
    let details = &error["details"];
    assert_eq!((&details[0]["api"], &details[0]["reason"]), (&json!("a"), &json!("rpm")));
    let until: jiff::Timestamp = details[0]["until"].as_str().expect("a time").parse().expect("a timestamp");
    assert!((until.as_millisecond() - jiff::Timestamp::now().as_millisecond() - after_ms as i64).abs() < 2_000);
    assert_eq!(upstream.calls(), 2);
    let api = app.status_of("a");
    assert_eq!((&api["usage"]["rpm"], &api["unavailableReason"]), (&json!(2), &json!("rpm")));
}

#[test]
fn a_spent_day_tells_clients_not_to_wait_for_it() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = config_of(&[&upstream]);
    config["apis"][0]["rpd"] = json!(1);
    // So that midnight is never near: it is noon somewhere.
    let hour = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).hour();
    let zone = format!("XXX{}", i32::from(hour) - 12);
    let app = crate::helpers::Launch::new(&config).env("TZ", &zone).start();
    assert_eq!(app.chat().status, 200);
    let refused = app.chat();
    assert_eq!(refused.header("x-should-retry"), Some("false"));
    let after: u64 = refused.header("retry-after").expect("told").parse().expect("seconds");
    assert!((10 * 3_600..=13 * 3_600).contains(&after), "until midnight in {zone}: {after} s");
    assert_eq!(app.status_of("a")["unavailableReason"], "rpd");
}

#[test]
fn failed_attempts_count_too() {
    let upstream = Upstream::always(Reply::error(500, "oops"));
    let mut config = config_of(&[&upstream]);
    config["apis"][0]["rpd"] = json!(2);
    let app = App::start(&config);
    assert_eq!((app.chat().status, app.chat().status, app.chat().status), (500, 500, 429));
    assert_eq!(upstream.calls(), 2);
}

#[test]
fn minus_one_and_nothing_are_no_limit() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = config_of(&[&upstream]);
    config["apis"][0]["rpm"] = json!(-1);
    let app = App::start(&config);
    assert_eq!(burst(&app, 100), (100, 0));
    let api = app.status_of("a");
    assert_eq!(api["limits"], json!({ "rpm": -1, "rpd": -1, "tpm": -1, "tpd": -1 }));
    assert_eq!(app.usage_of("a"), (100, 100));
}

#[test]
fn a_client_that_leaves_while_it_is_admitted_strands_no_quota() {
    let upstream = Upstream::always(Reply::chat("hi").held());
    let mut config = config_of(&[&upstream]);
    config["apis"][0]["rpd"] = json!(10);
    let app = App::start(&config);
    let body = json!({ "model": "m" }).to_string();
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: {}\r\ncontent-length: {}\r\n\r\n{body}",
        crate::helpers::KEY,
        body.len()
    );
    for _ in 0..5 {
        use std::io::Write;
        let mut socket = std::net::TcpStream::connect(("127.0.0.1", app.port)).expect("connects");
        let before = upstream.calls();
        socket.write_all(request.as_bytes()).expect("sends");
        eventually("it is under way", || upstream.calls() > before);
        drop(socket);
    }
    eventually("all were cancelled", || upstream.hung_up() == 5 && app.status_of("a")["inFlight"] == 0);
    assert_eq!(app.status_of("a")["usage"]["rpd"], 5, "they were sent, so they count");
    upstream.release();
    assert_eq!(burst(&app, 20), (5, 15));
}

#[test]
fn at_most_so_many_requests_run_at_the_same_time() {
    let upstream = Upstream::always(Reply::chat("hi").held());
    let other = Upstream::always(Reply::chat("other"));
    let mut config = config_of(&[&upstream, &other]);
    config["apis"][0]["maxConcurrent"] = json!(2);
    config["apis"][1]["priority"] = json!(1);
    config["apis"][1]["rpd"] = json!(1);
    let app = App::start(&config);
    std::thread::scope(|scope| {
        let held: Vec<_> = (0..2).map(|_| scope.spawn(|| app.chat().status)).collect();
        eventually("both are under way", || app.status_of("a")["inFlight"] == 2);
        assert!(app.chat().text().contains("other"), "a third goes elsewhere");
        assert_eq!(app.status_of("a")["unavailableReason"], "concurrency");
        let refused = app.chat();
        assert_eq!(refused.header("retry-after"), Some("1"));
        assert_eq!(refused.error().0, 429);
        upstream.release();
        assert!(held.into_iter().all(|thread| thread.join().expect("answered") == 200));
    });
    eventually("there is room again", || app.status_of("a")["available"] == true);
}

#[test]
fn a_burst_is_spread_over_others() {
    let (first, second) = (Upstream::always(Reply::chat("1")), Upstream::always(Reply::chat("2")));
    let mut config = config_of(&[&first, &second]);
    config["apis"][0]["burst"] = json!({ "requests": 3, "seconds": 30 });
    config["apis"][1]["priority"] = json!(1);
    let app = App::start(&config);
    assert_eq!(burst(&app, 8), (8, 0));
    assert_eq!((first.calls(), second.calls()), (3, 5));
    assert_eq!(app.status_of("a")["unavailableReason"], "burst");
}

#[test]
fn a_day_ends_where_the_provider_ends_it() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = config_of(&[&upstream]);
    config["apis"][0]["rpd"] = json!(1);
    for (reset, within) in [("rolling", 86_300..=86_402), ("Pacific/Kiritimati", 1..=86_400)] {
        config["apis"][0]["reset"] = json!(reset);
        let app = App::start(&config);
        assert_eq!(app.chat().status, 200);
        let refused = app.chat();
        let after: i64 = refused.header("retry-after").expect("told").parse().expect("seconds");
        assert!(within.contains(&after), "{reset}: {after} s");
        if reset != "rolling" {
            let zone = jiff::tz::TimeZone::get(reset).expect("a zone of the database");
            let now = jiff::Timestamp::now().to_zoned(zone);
            let midnight = now.tomorrow().and_then(|day| day.start_of_day()).expect("a day");
            let wanted = midnight.timestamp().as_second() - now.timestamp().as_second();
            assert!((after - wanted).abs() <= 2, "{after} s, midnight is in {wanted}");
        }
        let app = app.kill_and_restart();
        assert_eq!(app.chat().status, 429, "{reset}, after a kill");
    }
}

#[test]
fn what_an_upstream_tells_of_its_limits_is_heeded() {
    let answer = r#"{"choices":[{}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#;
    let spent = [
        ("content-type", "application/json"),
        ("x-ratelimit-remaining-requests", "0"),
        ("x-ratelimit-reset-requests", "6m0s"),
    ];
    let gemini = |id: &str| {
        let text = format!(
            r#"[{{"error":{{"code":429,"details":[{{"violations":[{{"quotaId":"{id}"}}]}},{{"retryDelay":"34s"}}]}}}}]"#
        );
        Reply::text(429, &[("content-type", "application/json")], &text)
    };
    let a_day_from = |reset: &str| json!({ "reset": reset });
    for (what, reply, more, rests) in [
        ("a 200 that was the last", Reply::text(200, &spent, answer), json!({}), 355..=361),
        ("a minute's limit", gemini("GenerateRequestsPerMinutePerProject"), json!({}), 30..=35),
        ("a day's limit", gemini("GenerateRequestsPerDayPerProject-FreeTier"), a_day_from("rolling"), 3_590..=3_601),
        ("a spike", Reply::error(429, "slow down"), json!({}), 0..=1),
        ("retry-after-ms", Reply::text(429, &[("retry-after-ms", "20500")], "{}"), json!({}), 15..=21),
    ] {
        let upstream = Upstream::always(reply);
        let mut config = config_of(&[&upstream]);
        let api = config["apis"][0].as_object_mut().expect("an object");
        api.extend(more.as_object().expect("an object").clone());
        let app = App::start(&config);
        app.chat().bytes();
        eventually("it is settled", || app.status_of("a")["inFlight"] == 0);
        let status = app.status_of("a");
        let until: Option<jiff::Timestamp> = status["availableAt"].as_str().map(|at| at.parse().expect("a timestamp"));
        let wait = until.map_or(0, |until| until.as_second() - jiff::Timestamp::now().as_second());
        assert!(rests.contains(&wait), "{what}: rests {wait} s");
        app.logged("a: rests for");
        if wait > 1 {
            assert_eq!(status["unavailableReason"], "cooldown", "{what}");
            let code = if wait > 120 { "insufficient_quota" } else { "rate_limit_exceeded" };
            assert_eq!(app.chat().error(), (429, code.into()), "{what}");
            assert_eq!(upstream.calls(), 1, "{what}");
        }
    }
}

#[test]
fn one_probe_decides_after_a_told_wait() {
    let limited = Reply::text(429, &[("retry-after", "1")], r#"{"error":{"message":"slow down"}}"#);
    let upstream = Upstream::in_turn(vec![limited, Reply::chat("ok").held(), Reply::chat("ok")]);
    let app = App::on(&[&upstream]);
    assert_eq!(app.chat().status, 429);
    eventually("the wait is over", || app.status_of("a")["available"] == true);
    std::thread::scope(|scope| {
        let probe = scope.spawn(|| app.chat().status);
        eventually("the probe is out", || upstream.calls() == 2);
        assert_eq!(app.chat().status, 429, "only one");
        upstream.release();
        assert_eq!(probe.join().expect("answered"), 200);
    });
    eventually("it is settled", || app.status_of("a")["inFlight"] == 0);
    assert_eq!((app.chat().status, upstream.calls()), (200, 3));
}

/// One upstream that takes two requests in any `seconds`, and a pool that lets requests wait.
fn waiting(upstream: &Upstream, seconds: u64, queue: serde_json::Value) -> App {
    let mut config = config_of(&[upstream]);
    config["apis"][0]["burst"] = json!({ "requests": 2, "seconds": seconds });
    config["queue"] = queue;
    App::start(&config)
}

#[test]
fn a_request_may_wait_for_a_limit_to_free_and_the_first_comes_first() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = waiting(&upstream, 1, json!({ "maxWaitMs": 10_000 }));
    let start = Instant::now();
    let order = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for nth in 0..8 {
            let (app, order) = (&app, &order);
            scope.spawn(move || {
                let answer = app.client().post("/v1/chat/completions", &json!({ "model": "m", "nth": nth }));
                assert_eq!(answer.status, 200);
                order.lock().expect("whole").push(nth);
            });
            // So that they come in this order.
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    });
    let mut came: Vec<_> = upstream.received().iter().map(|r| r.json()["nth"].as_u64()).collect();
    // Two come free at once, and are sent at once.
    came.chunks_mut(2).for_each(<[_]>::sort);
    assert_eq!(came, (0..8).map(Some).collect::<Vec<_>>(), "first come, first served");
    let took = start.elapsed();
    assert!((3.2..9.0).contains(&took.as_secs_f64()), "two a second and a tenth: {took:?}");
}

#[test]
fn a_mailbox_that_is_full_refuses_and_tells_how_often() {
    let upstream = Upstream::always(Reply::chat("hi"));
    // Where slots are bounded, every request is the supervisor's.
    let mut config = config_with(&upstream, &json!({ "maxConcurrent": 1000 }));
    config["actors"] = json!({ "mailbox": 1 });
    let app = App::start(&config);
    let mailbox = || app.client().get("/v1/status").json()["actors"]["supervisor"].clone();
    assert_eq!(mailbox()["mailbox"], 1);
    let (refused, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let answer = app.chat();
                    if answer.status != 200 {
                        assert_eq!(answer.header("retry-after"), Some("1"));
                        assert_eq!(answer.error(), (503, "server_overloaded".into()));
                        refused.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            eventually("one is refused", || refused.load(Ordering::Relaxed) > 0);
        }));
        over.store(true, Ordering::Relaxed);
        told.expect("refused in time");
    });
    let told = mailbox();
    assert_eq!((&told["refused"], &told["depth"]), (&json!(refused.into_inner()), &json!(0)), "{told}");
    assert_eq!(app.chat().status, 200, "it is empty again");
}
