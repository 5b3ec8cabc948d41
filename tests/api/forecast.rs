//! When limits are spent at the present rate: in `/v1/status`, in `/metrics` and in the command.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::explain::run_in;
use crate::helpers::{App, Launch, Reply, Upstream, WallClock, config_with};
use crate::key_budgets::{ask, dollars_for, reporting, team, with_key};

fn time(of: &Value) -> i64 {
    of.as_str().expect("a time").parse::<Timestamp>().expect("a timestamp").as_second()
}

#[test]
fn a_day_that_is_half_spent_at_six_is_spent_at_noon() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let limits = json!({ "rpd": 20, "tpd": 1_000_000, "reset": "UTC", "limits": [{ "requests": 50, "per": "5h" }] });
    let clock = WallClock::new();
    let six: Timestamp = "2026-06-10T06:00:00Z".parse().expect("a timestamp");
    clock.set(six.as_second() - Timestamp::now().as_second());
    let app = clock.on(Launch::new(&config_with(&upstream, &limits))).start();
    assert!(app.status_of("a")["forecast"].as_object().is_some_and(serde_json::Map::is_empty), "nothing was used");
    (0..10).for_each(|_| assert_eq!(app.chat().status, 200));
    let api = app.status_of("a");
    let rpd = &api["forecast"]["rpd"];
    assert!((time(&rpd["exhaustedAt"]) - six.as_second() - 6 * 3_600).abs() < 120, "{api}");
    assert_eq!(
        (&rpd["freesAt"], rpd["ratePerHour"].as_f64().map(f64::round)),
        (&json!("2026-06-11T00:00:00.000Z"), Some(2.0))
    );
    assert_eq!(api["forecast"]["tpd"]["exhaustedAt"], Value::Null, "that lasts");
    // Ten in the first five minutes: two an hour in the day, and 120 an hour in the last hours.
    let rolling = &api["quotas"][0]["forecast"]["requests"];
    assert_eq!(rolling["ratePerHour"], 120.0, "{api}");
    assert!((time(&rolling["exhaustedAt"]) - six.as_second() - 20 * 60).abs() < 120, "{api}");
    let page = app.client().get("/metrics").text();
    let sample = page
        .lines()
        .find(|line| line.starts_with("api_together_limit_exhaustion_timestamp_seconds{of=\"a\",limit=\"rpd\"} "));
    let at: f64 = sample.and_then(|line| line.rsplit(' ').next()).expect(&page).parse().expect("a number");
    assert!((at as i64 - time(&rpd["exhaustedAt"])).abs() < 120, "{at}");
    let port = app.port.to_string();
    let (_, told, _) = run_in(&app.folder, &[], &["status", "-c", "apis.json", "-p", &port]);
    assert!(told.contains("the next to run out: a: 50 requests per 5h, at this rate spent at "), "{told}");
}

#[test]
fn each_limit_of_a_client_key_has_a_forecast() {
    let upstream = Upstream::start(reporting(100));
    let limits = json!({ "rpd": 100, "limits": [{ "requests": 50, "per": "5h" }] });
    let app = App::start(&with_key(&[&upstream], &limits));
    (0..4).for_each(|_| assert_eq!(ask(&team(&app)).status, 200));
    let status = app.client().get("/v1/status").json();
    let key =
        status["keys"].as_array().and_then(|keys| keys.iter().find(|key| key["name"] == "team")).expect("the key");
    let other = &key["otherLimits"][0];
    assert_eq!(
        (&other["limit"], &other["forecast"]["ratePerHour"]),
        (&json!("50 requests per 5h"), &json!(48.0)),
        "{key}"
    );
    let own = team(&app).get("/v1/key").json();
    assert!(
        own["data"]["limits"].as_array().is_some_and(|all| all.iter().all(|of| of["forecast"]["freesAt"].is_string())),
        "{own}"
    );
}

#[test]
fn a_budget_of_a_client_key_has_a_forecast_in_dollars() {
    let upstream = Upstream::start(reporting(100));
    let app = App::start(&with_key(&[&upstream], &json!({ "budgets": [{ "usd": dollars_for(40), "per": "5h" }] })));
    (0..4).for_each(|_| assert_eq!(ask(&team(&app)).status, 200));
    let status = app.client().get("/v1/status").json();
    let key =
        status["keys"].as_array().and_then(|keys| keys.iter().find(|key| key["name"] == "team")).expect("the key");
    let forecast = &key["budgets"][0]["forecast"];
    assert!(
        forecast["ratePerHour"].as_f64().is_some_and(|rate| (rate - dollars_for(48)).abs() < dollars_for(1)),
        "{key}"
    );
    assert!(time(&forecast["exhaustedAt"]) < time(&forecast["freesAt"]), "{key}");
    let page = app.client().get("/metrics").text();
    assert!(page.contains("api_together_limit_exhaustion_timestamp_seconds{of=\"key team\""), "{page}");
}
