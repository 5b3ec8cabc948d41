//! Spread limits (`"pacing": "spread"`): a day's quota lasts for the day.

use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde_json::{Value, json};

use crate::helpers::{App, Launch, Redis, Reply, Response, Upstream, WallClock, config_with};
use crate::key_budgets::{ask, dollars_for, no_midnight_near, reporting, team, with_key};

/// Sets a clock to this moment.
fn set(clock: &WallClock, at: &str) {
    let at: Timestamp = at.parse().expect("a timestamp");
    clock.set(at.as_second() - Timestamp::now().as_second());
}

/// Asks so many times. Returns how many requests were served.
fn served(app: &App, times: usize) -> usize {
    (0..times).filter(|_| app.chat().status == 200).count()
}

/// What a client is told of a limit.
struct Refused {
    after: u64,
    should_retry: Option<String>,
    error: Value,
}

impl Refused {
    fn of(answer: Response) -> Refused {
        assert_eq!(answer.status, 429);
        let after = answer.header("retry-after").expect("told").parse().expect("seconds");
        let should_retry = answer.header("x-should-retry").map(str::to_owned);
        Refused { after, should_retry, error: answer.json()["error"].clone() }
    }

    fn reason(&self) -> &str {
        self.error["details"][0]["reason"].as_str().expect("told")
    }
}

/// Asks once more. Returns why that is refused.
fn reason(app: &App) -> String {
    Refused::of(app.chat()).reason().to_owned()
}

#[test]
fn a_spread_day_lasts_for_the_day_and_says_when_the_next_request_fits() {
    let upstream = Upstream::always(Reply::chat("hi"));
    // Two at once, and two an hour.
    let clock = WallClock::new();
    set(&clock, "2026-06-10T00:10:00Z");
    let limits = json!({ "rpd": 48, "pacing": "spread", "reset": "UTC" });
    let app = clock.on(Launch::new(&config_with(&upstream, &limits))).start();
    assert_eq!(served(&app, 4), 2);
    let refused = Refused::of(app.chat());
    assert_eq!(refused.reason(), "rpd_paced");
    assert!((1_150..=1_200).contains(&refused.after), "{}", refused.after);
    let text = refused.error["message"].to_string();
    assert!(text.contains("a (rpd_paced until 00:30:0"), "{text}");
    let api = app.status_of("a");
    assert_eq!((&api["unavailableReason"], &api["usableNow"]), (&json!("rpd_paced"), &json!({ "rpd": 2 })), "{api}");
    assert_eq!((&api["limits"]["pacing"], &api["usage"]["rpd"]), (&json!("spread"), &json!(2)), "{api}");
    let spent_at = api["forecast"]["rpd"]["exhaustedAt"].as_str().expect("a time");
    assert!(spent_at > "2026-06-10T22:59", "no sooner than the pace allows: {spent_at}");
    set(&clock, "2026-06-10T06:10:00Z");
    assert_eq!(served(&app, 20), 12, "what was not used is there");
    let app = app.kill_and_restart();
    assert_eq!((served(&app, 2), reason(&app)), (0, "rpd_paced".to_owned()));
    set(&clock, "2026-06-10T23:30:00Z");
    assert_eq!((served(&app, 50), reason(&app)), (34, "rpd".to_owned()), "the day is spent");
    set(&clock, "2026-06-11T00:01:00Z");
    assert_eq!((served(&app, 4), reason(&app)), (2, "rpd_paced".to_owned()), "another day");
    assert_eq!(upstream.calls(), 50);
}

#[test]
fn the_queue_waits_until_the_next_request_fits() {
    let upstream = Upstream::always(Reply::chat("hi"));
    // Thirty at once, and one each five seconds.
    let limits = json!({ "limits": [{ "requests": 720, "per": "hour", "pacing": "spread", "reset": "UTC" }] });
    let mut config = config_with(&upstream, &limits);
    config["queue"] = json!({ "maxWaitMs": 9_000 });
    let clock = WallClock::new();
    set(&clock, "2026-06-10T12:00:00Z");
    let app = clock.on(Launch::new(&config)).start();
    assert_eq!(served(&app, 30), 30);
    let asked = Instant::now();
    assert_eq!(app.chat().status, 200);
    let waited = asked.elapsed();
    assert!((Duration::from_millis(200)..Duration::from_secs(6)).contains(&waited), "{waited:?}");
    config["queue"] = json!({ "maxWaitMs": 0 });
    set(&clock, "2026-06-10T13:00:00Z");
    let app = clock.on(Launch::new(&config)).start();
    assert_eq!(served(&app, 30), 30);
    let refused = Refused::of(app.chat());
    assert_eq!(refused.reason(), "the pace of 720 requests per hour");
    assert_eq!((refused.after <= 5, refused.should_retry), (true, None));
    let quota = app.status_of("a")["quotas"][0].clone();
    assert_eq!(quota["limits"], json!({ "requests": 720, "per": "hour", "pacing": "spread" }), "{quota}");
    assert_eq!((&quota["usableNow"], &quota["usage"]["requests"]), (&json!({ "requests": 30 }), &json!(30)), "{quota}");
}

#[test]
fn a_key_is_told_that_its_budget_waits_and_is_not_spent() {
    let upstream = Upstream::start(reporting(100));
    let budget = json!([{ "usd": dollars_for(48), "per": "day", "pacing": "spread" }]);
    let limits = json!([{ "requests": 1_000, "per": "week", "pacing": "spread" }]);
    let key = json!({ "budgets": budget, "reset": "UTC", "limits": limits, "rpd": 100, "rpm": 60 });
    let clock = WallClock::new();
    // A Monday.
    set(&clock, "2026-06-08T00:05:00Z");
    let app = clock.on(Launch::new(&with_key(&[&upstream], &key))).start();
    assert_eq!((ask(&team(&app)).status, ask(&team(&app)).status), (200, 200));
    let Refused { after, error, .. } = Refused::of(ask(&team(&app)));
    assert_eq!(error["code"], "key_paced", "{error}");
    assert!(error["details"][0]["limit"].as_str().is_some_and(|limit| limit.ends_with(", spread over the day")));
    assert!((1_400..=1_500).contains(&after), "{error}");
    let own = team(&app).get("/v1/key").json()["data"].clone();
    let limits: Vec<&str> =
        own["limits"].as_array().expect("a list").iter().filter_map(|l| l["limit"].as_str()).collect();
    assert_eq!(limits, ["rpm", "rpd", "1000 requests per week"]);
    let [rpd, week, budget] = [&own["limits"][1], &own["limits"][2], &own["budgets"][0]];
    assert_eq!((&rpd["used"], &rpd["remaining"], &rpd["usableNow"]), (&json!(2), &json!(98), &Value::Null), "{own}");
    assert_eq!((&rpd["resetsAt"], &rpd["pacing"]), (&json!("2026-06-09T00:00:00.000Z"), &Value::Null));
    assert_eq!((&week["resetsAt"], &week["pacing"]), (&json!("2026-06-15T00:00:00.000Z"), &json!("spread")));
    assert_eq!((&week["unit"], &week["most"], &week["usableNow"]), (&json!("requests"), &json!(1_000), &json!(41)));
    assert_eq!(budget["resetsAt"], "2026-06-09T00:00:00.000Z");
    assert!((budget["usableNow"].as_f64().expect("dollars") - dollars_for(2)).abs() < dollars_for(1), "{budget}");
    set(&clock, "2026-06-08T12:00:00Z");
    assert_eq!((0..60).filter(|_| ask(&team(&app)).status == 200).count(), 24, "half of the day, and an hour's share");
    let page = app.client().get("/metrics").text();
    assert!(page.contains("key_paced"), "{page}");
}

/// Returns how much of 240 requests a day may be used by now in this zone.
fn usable(zone: &TimeZone) -> usize {
    let now = Zoned::now().with_time_zone(zone.clone());
    let since = now.timestamp().as_second() - now.start_of_day().expect("a day").timestamp().as_second();
    10 + usize::try_from(240 * since / 86_400).expect("a number")
}

#[test]
fn three_servers_share_one_pace() {
    let name = no_midnight_near();
    let zone = TimeZone::get(&name).expect("a zone");
    for limits in [
        json!({ "rpd": 240, "pacing": "spread", "reset": name }),
        json!({ "limits": [{ "requests": 240, "per": "day", "pacing": "spread", "reset": name }] }),
    ] {
        let redis = Redis::start();
        let upstream = Upstream::always(Reply::chat("hi"));
        let mut config = config_with(&upstream, &limits);
        config["store"] = json!({ "url": redis.url(), "prefix": "pool" });
        let apps = [App::start(&config), App::start(&config), App::start(&config)];
        let least = usable(&zone);
        let all: usize = std::thread::scope(|scope| {
            let threads = apps.each_ref().map(|app| scope.spawn(|| served(app, 100)));
            threads.into_iter().map(|thread| thread.join().expect("asked")).sum()
        });
        // What one server gave back, another takes.
        let all = all + apps.iter().map(|app| served(app, 3)).sum::<usize>();
        let most = usable(&zone);
        assert_eq!(upstream.calls(), all);
        assert!((least..=most).contains(&all), "{all}, not {least} to {most}: {limits}");
        let told = apps.each_ref().map(reason);
        let paced = ["rpd_paced", "the pace of 240 requests per day"];
        assert!(told.iter().all(|reason| paced.contains(&reason.as_str())), "{told:?}");
        let [first, second, _third] = apps;
        second.stop();
        assert_eq!(served(&first.kill_and_restart(), 2), usable(&zone) - most, "a new process knows of all");
    }
}

#[test]
fn what_can_not_be_spread_is_told() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let spread = |limit: Value| {
        let mut limit = limit;
        limit["pacing"] = json!("spread");
        json!({ "limits": [limit] })
    };
    for (fields, told) in [
        (
            spread(json!({ "requests": 9, "per": "5h" })),
            "apis[0].limits[0].pacing: spreads an hour, day, week or month",
        ),
        (spread(json!({ "requests": 9, "per": "day", "reset": "rolling" })), "apis[0].limits[0].pacing: spreads"),
        (json!({ "rpd": 9, "pacing": "spread", "reset": "rolling" }), "apis[0].pacing: spreads an hour, day"),
        (json!({ "rpm": 9, "pacing": "spread" }), "apis[0].pacing: has neither rpd nor tpd to spread"),
        (json!({ "rpd": -1, "pacing": "spread" }), "apis[0].pacing: has neither rpd nor tpd to spread"),
        (json!({ "rpd": 9, "pacing": "sprad" }), "apis[0].pacing: must be spread"),
        (
            json!({ "modelLimits": { "m": { "rpm": 9, "pacing": "spread" } } }),
            "apis[0].modelLimits.m.pacing: has neither",
        ),
        (json!({ "rpd": 9, "pacing": true }), "apis[0].pacing: must be a string"),
    ] {
        let launch = Launch::new(&config_with(&upstream, &fields));
        let output = launch.command().args(["check", "--config", "apis.json"]).output().expect("runs");
        let text = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        assert!(output.status.code() == Some(2) && text.contains(told), "{told}: {text}");
    }
    let fields =
        json!({ "rpd": 9, "pacing": "spread", "limits": [{ "requests": 9, "per": "week", "pacing": "spread" }] });
    let launch = Launch::new(&config_with(&upstream, &fields));
    let output = launch.command().args(["check", "--config", "apis.json"]).output().expect("runs");
    let text = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("in the server's time zone, spread evenly"), "{text}");
    assert!(text.contains("at most 9 requests per week (by the server's time zone), spread evenly"), "{text}");
}
