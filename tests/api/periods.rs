//! Limits of other periods than a minute and a day: `limits` of an account, a group, a model and a key.

use std::fs;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::helpers::{App, Launch, Redis, Reply, Response, Upstream, WallClock, config_of, config_with, within};

/// Returns the reason of a refusal.
fn reason(refused: Response) -> String {
    assert_eq!(refused.status, 429);
    refused.json()["error"]["details"][0]["reason"].as_str().expect("told").to_owned()
}

/// Asks so many times. Returns how many requests were served.
fn served(app: &App, times: usize) -> usize {
    (0..times).filter(|_| app.chat().status == 200).count()
}

/// Sets a clock to this moment.
fn set(clock: &WallClock, at: &str) {
    let at: Timestamp = at.parse().expect("a timestamp");
    clock.set(at.as_second() - Timestamp::now().as_second());
}

#[test]
fn a_limit_is_named_as_written_wherever_it_is_shown() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::start(&config_with(&upstream, &json!({ "limits": [{ "requests": 2, "per": "5h" }] })));
    assert_eq!(served(&app, 2), 2);
    let refused = app.chat();
    assert_eq!(refused.header("x-should-retry"), Some("false"), "five hours are long");
    let after: u64 = refused.header("retry-after").expect("told").parse().expect("seconds");
    assert!((5 * 3_600 - 60..=5 * 3_600 + 1).contains(&after), "{after} s");
    let error = refused.json()["error"].clone();
    assert!(error["message"].as_str().expect("text").contains("a (2 requests per 5h until "), "{error}");
    let api = app.status_of("a");
    assert_eq!(api["unavailableReason"], "2 requests per 5h");
    let quota = &api["quotas"][0];
    assert_eq!(
        (&quota["of"], &quota["limit"], &quota["limits"], &quota["usage"]),
        (&json!("a"), &json!("2 requests per 5h"), &json!({ "requests": 2, "per": "5h" }), &json!({ "requests": 2 }))
    );
    assert_ne!(quota["availableAt"], Value::Null);
    let explained = app.client().get("/v1/status?model=m").json()["explain"].clone();
    assert_eq!(explained["apis"][0]["reason"], "2 requests per 5h", "{explained}");
    assert_eq!(served(&app.kill_and_restart(), 1), 0, "the span is not over");
    assert_eq!(upstream.calls(), 2);
}

#[test]
fn a_week_and_a_month_hold_over_kills_and_begin_by_the_calendar() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let limits =
        json!([{ "requests": 9, "per": "5h" }, { "requests": 2, "per": "week" }, { "requests": 3, "per": "month" }]);
    let config = config_with(&upstream, &json!({ "limits": limits, "reset": "UTC" }));
    let clock = WallClock::new();
    // A Wednesday.
    set(&clock, "2026-06-10T12:00:00Z");
    let app = clock.on(Launch::new(&config)).start();
    assert_eq!((served(&app, 2), reason(app.chat())), (2, "2 requests per week".to_owned()));
    let app = app.kill_and_restart();
    assert_eq!(reason(app.chat()), "2 requests per week");
    set(&clock, "2026-06-14T23:59:00Z");
    assert_eq!(reason(app.chat()), "2 requests per week", "that is Sunday");
    set(&clock, "2026-06-15T00:01:00Z");
    assert_eq!((served(&app, 1), reason(app.chat())), (1, "3 requests per month".to_owned()));
    let app = app.kill_and_restart();
    assert_eq!(reason(app.chat()), "3 requests per month");
    set(&clock, "2026-07-01T00:01:00Z");
    assert_eq!(served(&app, 2), 2, "another month, and another week");
    assert_eq!(reason(app.chat()), "2 requests per week");
    assert_eq!(upstream.calls(), 5);
}

#[test]
fn tokens_groups_and_models_have_periods_too() {
    let (first, second) = (Upstream::always(Reply::chat("1")), Upstream::always(Reply::chat("2")));
    let mut config = config_of(&[&first, &second]);
    for api in config["apis"].as_array_mut().expect("entries") {
        api["quotaGroup"] = json!("g");
    }
    config["apis"][0]["modelLimits"] = json!({ "m": { "limits": [{ "requests": 1, "per": "7 days" }] } });
    config["quotaGroups"] = json!({ "g": { "limits": [{ "requests": 3, "per": "month" }] } });
    let app = App::start(&config);
    // By chance the first may get none.
    assert_eq!((served(&app, 6), first.calls() <= 1), (3, true));
    let details = app.chat().json()["error"]["details"].clone();
    // The first has the later of two reasons: in the last days of a month its own.
    let second = details.as_array().expect("entries").iter().find(|of| of["api"] == "b").expect("an entry");
    assert_eq!(second["reason"], "3 requests per month", "{details}");

    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::start(&config_with(&upstream, &json!({ "limits": [{ "tokens": 1_000, "per": "week" }] })));
    let body = json!({ "model": "m", "messages": [], "max_tokens": 5_000 });
    assert_eq!(app.client().post("/v1/chat/completions", &body).status, 200, "an empty week takes a larger one");
    let used = app.status_of("a")["quotas"][0]["usage"]["tokens"].as_u64().expect("a count");
    assert!(used > 0);
}

#[test]
fn another_period_of_a_reload_begins_with_what_was_used() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let config =
        |amount: u64, per: &str| config_with(&upstream, &json!({ "limits": [{ "requests": amount, "per": per }] }));
    let app = App::start(&config(3, "5h"));
    assert_eq!(served(&app, 2), 2);
    for (i, per) in ["6h", "30m", "week", "hour"].into_iter().enumerate() {
        let mut changed = config(3 + i as u64, per);
        changed["server"]["name"] = json!(per);
        fs::write(app.config_file(), changed.to_string()).expect("writes");
        within(Duration::from_secs(2), per, || app.client().get("/health").json()["service"] == per);
        assert_eq!((served(&app, 1), app.chat().status), (1, 429), "{per}: all but one were used");
    }
}

#[test]
fn two_servers_share_every_period_exactly() {
    for limits in [
        json!([{ "requests": 30, "per": "5h" }]),
        json!([{ "requests": 30, "per": "week" }, { "requests": 40, "per": "7 days" }]),
        json!([{ "requests": 30, "per": "month" }]),
        json!([{ "requests": 30, "per": "month", "reset": "rolling" }, { "requests": 50, "per": "week" }]),
        json!([{ "requests": 30, "per": "30m" }, { "requests": 60, "per": "day" }]),
    ] {
        let redis = Redis::start();
        let upstream = Upstream::always(Reply::chat("hi"));
        let mut config = config_with(&upstream, &json!({ "limits": limits, "reset": "UTC" }));
        config["store"] = json!({ "url": redis.url(), "prefix": "pool" });
        let apps = [App::start(&config), App::start(&config)];
        let all: usize = std::thread::scope(|scope| {
            let threads = [&apps[0], &apps[1], &apps[0], &apps[1]].map(|app| scope.spawn(|| served(app, 15)));
            threads.into_iter().map(|thread| thread.join().expect("asked")).sum()
        });
        assert_eq!((all, upstream.calls()), (30, 30), "{limits}");
        let [first, second] = apps;
        second.stop();
        assert_eq!(served(&first.kill_and_restart(), 2), 0, "{limits}: a new process knows of both");
    }
}

#[test]
fn what_is_wrong_with_a_limit_is_told() {
    let upstream = Upstream::always(Reply::chat("hi"));
    for (limit, told) in [
        (json!({ "requests": 1, "per": "fortnight" }), "limits[0].per: must be hour, day, week or month"),
        (json!({ "requests": 1, "per": "0h" }), "limits[0].per: must be a minute at least"),
        (json!({ "requests": 1, "per": "367 days" }), "limits[0].per: must be 366 days at most"),
        (json!({ "per": "5h" }), "limits[0]: needs one of requests, tokens and usd"),
        (json!({ "requests": 1, "usd": 1, "per": "5h" }), "limits[0]: has more than one of requests, tokens and usd"),
        (json!({ "requests": 0, "per": "5h" }), "limits[0].requests: must be "),
        (json!({ "usd": 0, "per": "day" }), "limits[0].usd: must be "),
        (json!({ "usd": 200_000, "per": "day" }), "limits[0].usd: must be "),
        (json!({ "requests": 1 }), "limits[0].per: is missing"),
        (
            json!({ "requests": 1, "per": "5h", "reset": "UTC" }),
            "limits[0].reset: is for hour, day, week and month alone",
        ),
        (json!({ "request": 1, "per": "5h" }), "limits[0].request: unknown field, did you mean requests?"),
    ] {
        let config = config_with(&upstream, &json!({ "limits": [limit] }));
        let output = Launch::new(&config).command().args(["check", "--config", "apis.json"]).output().expect("runs");
        let text = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        assert!(output.status.code() == Some(2) && text.contains(told), "{told}: {text}");
    }
    let free = config_with(&upstream, &json!({ "limits": [{ "usd": 5, "per": "month" }] }));
    let output = Launch::new(&free).command().args(["check", "--config", "apis.json"]).output().expect("runs");
    let text = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("apis[0].limits: a limit in usd does not count m, which have no price"), "{text}");
    assert!(text.contains("at most $5 per month (by the server's time zone)"), "{text}");
    let twice = json!({ "limits": [{ "requests": 1, "per": "24h" }, { "requests": 9, "per": "1 day" }] });
    let launch = Launch::new(&config_with(&upstream, &twice));
    let output = launch.command().args(["check", "--config", "apis.json"]).output().expect("runs");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("limits[1]: limits requests per 1 day, as an earlier entry does"), "{text}");
}
