//! Limits and budgets on the page of `/metrics`: of every owner, and of every period.

use jiff::Timestamp;
use serde_json::json;

use super::page_with;
use crate::helpers::{App, Launch, Metrics, Reply, Upstream, WallClock, config_of, config_with, promtool};
use crate::key_budgets::{TEAM, answer, ask, dollars_for, team, with_key};

/// Sets a clock to this moment.
fn set(clock: &WallClock, at: &str) {
    let at: Timestamp = at.parse().expect("a timestamp");
    clock.set(at.as_second() - Timestamp::now().as_second());
}

/// What the page says of a limit: the bound, what is used, and the end of the period.
fn limit(page: &Metrics, of: &str, limit: &str) -> (f64, f64, f64) {
    let value = |name: &str| page.value(&format!("{name}{{of=\"{of}\",limit=\"{limit}\"}}"));
    (value("api_together_limit"), value("api_together_limit_used"), value("api_together_limit_reset_timestamp_seconds"))
}

fn seconds(at: &str) -> f64 {
    at.parse::<Timestamp>().expect("a timestamp").as_second() as f64
}

#[test]
fn a_limit_of_every_period_has_its_bound_its_use_and_its_end() {
    let upstream = Upstream::start(|_| answer(7, 4));
    let fields = json!({
        "rpm": 60, "rpd": 500, "tpm": 100_000, "tpd": 200_000, "reset": "UTC",
        "prices": { "m": { "input": 10, "output": 40 } },
        "limits": [
            { "requests": 10, "per": "30m" }, { "requests": 20, "per": "5h" }, { "requests": 30, "per": "hour" },
            { "tokens": 70_000, "per": "week" }, { "requests": 80, "per": "7 days" }, { "usd": 2.5, "per": "month" },
        ],
    });
    let clock = WallClock::new();
    // A Wednesday.
    set(&clock, "2026-06-10T12:20:00Z");
    let app = clock.on(Launch::new(&config_with(&upstream, &fields))).start();
    assert_eq!((app.chat().status, app.chat().status), (200, 200));
    let page = page_with(&app, r#"api_together_limit_used{of="a",limit="tokens per week"}"#, 22.0);
    assert_eq!(limit(&page, "a", "rpm"), (60.0, 2.0, 0.0), "the last minute has no end");
    assert_eq!(limit(&page, "a", "tpm"), (100_000.0, 22.0, 0.0));
    let midnight = seconds("2026-06-11T00:00:00Z");
    for (name, bound, used, end) in [
        ("rpd", 500.0, 2.0, midnight),
        ("tpd", 200_000.0, 22.0, midnight),
        ("requests per hour", 30.0, 2.0, seconds("2026-06-10T13:00:00Z")),
        ("tokens per week", 70_000.0, 22.0, seconds("2026-06-15T00:00:00Z")),
        // 2 × (7 × $10 + 4 × $40) for a million tokens.
        ("usd per month", 2.5, 0.00046, seconds("2026-07-01T00:00:00Z")),
    ] {
        let (says_bound, says_used, says_end) = limit(&page, "a", name);
        assert_eq!(says_bound, bound, "{name}");
        assert!((says_used - used).abs() < 1e-9, "{name}: {says_used}");
        assert!((says_end - end).abs() < 1.0, "{name}: {says_end}, not {end}");
    }
    // A rolling period ends that much after its first request.
    let began = seconds("2026-06-10T12:20:00Z");
    for (name, bound, length) in [
        ("requests per 30m", 10.0, 1_800.0),
        ("requests per 5h", 20.0, 18_000.0),
        ("requests per 7 days", 80.0, 604_800.0),
    ] {
        let (says_bound, used, end) = limit(&page, "a", name);
        assert_eq!((says_bound, used), (bound, 2.0), "{name}");
        assert!((began + length - 2.0..began + length + 30.0).contains(&end), "{name}: {end}");
    }
    assert_eq!(promtool(&["check", "metrics"], &page.text), "");
}

#[test]
fn a_limit_of_a_group_or_a_model_is_there_once() {
    let (first, second) = (Upstream::always(Reply::chat("1")), Upstream::always(Reply::chat("2")));
    let mut config = config_of(&[&first, &second]);
    for api in config["apis"].as_array_mut().expect("entries") {
        api["quotaGroup"] = json!("g");
        api["modelLimits"] = json!({ "m": { "rpm": 40, "limits": [{ "requests": 50, "per": "7 days" }] } });
    }
    config["quotaGroups"] = json!({ "g": { "rpd": 9, "limits": [{ "requests": 30, "per": "month" }] } });
    let app = App::start(&config);
    (0..4).for_each(|_| assert_eq!(app.chat().status, 200));
    let page = page_with(&app, r#"api_together_limit_used{of="group g",limit="requests per month"}"#, 4.0);
    assert_eq!(page.value(r#"api_together_limit{of="group g",limit="requests per month"}"#), 30.0);
    assert_eq!(page.value(r#"api_together_limit_used{of="group g",limit="rpd"}"#), 4.0);
    assert_eq!(page.text.matches("\napi_together_limit{of=\"group g\"").count(), 2, "{}", page.text);
    for limit in ["rpm", "requests per 7 days"] {
        let used =
            |of: &str| page.value(&format!("api_together_limit_used{{of=\"{of}\",model=\"m\",limit=\"{limit}\"}}"));
        assert_eq!(used("a") + used("b"), 4.0, "{limit}: {}", page.text);
    }
}

#[test]
fn a_key_has_limits_and_budgets_and_other_keys_have_none() {
    let upstream = Upstream::start(|_| answer(7, 4));
    let fields = json!({
        "rpm": 60, "limits": [{ "requests": 20, "per": "5h" }],
        "budgets": [{ "usd": 2, "per": "day" }, { "usd": 30, "per": "month" }],
    });
    let mut config = with_key(&[&upstream], &fields);
    let keys = config["keys"].as_array_mut().expect("keys");
    keys.push(json!({ "name": "free", "key": TEAM.replace("team", "free") }));
    let app = App::start(&config);
    (0..3).for_each(|_| assert_eq!(ask(&team(&app)).status, 200));
    let page = page_with(&app, r#"api_together_limit_used{of="key team",limit="requests per 5h"}"#, 3.0);
    assert_eq!(page.value(r#"api_together_limit{of="key team",limit="requests per 5h"}"#), 20.0);
    assert_eq!(page.value(r#"api_together_limit_used{of="key team",limit="rpm"}"#), 3.0);
    for (per, dollars) in [("day", 2.0), ("month", 30.0)] {
        assert_eq!(page.value(&format!("api_together_budget{{key=\"team\",per=\"{per}\"}}")), dollars);
        let used = page.value(&format!("api_together_budget_used{{key=\"team\",per=\"{per}\"}}"));
        assert!((used - 3.0 * 0.00023).abs() < 1e-9, "{per}: {used}");
    }
    assert!(!page.text.contains("of=\"key free\"") && !page.text.contains("budget{key=\"free\""), "{}", page.text);
    assert!(!page.text.contains(TEAM), "no secret");
    assert_eq!(promtool(&["check", "metrics"], &page.text), "");
}

#[test]
fn a_spent_budget_is_full_on_the_page_and_after_a_restart() {
    let upstream = Upstream::start(crate::key_budgets::reporting(100));
    let app = App::start(&with_key(&[&upstream], &json!({ "budgets": [{ "usd": dollars_for(4), "per": "month" }] })));
    let statuses: Vec<u16> = (0..6).map(|_| ask(&team(&app)).status).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 402, 402]);
    let share = |app: &App| {
        let page = app.metrics();
        let value = |name: &str| page.value(&format!("{name}{{key=\"team\",per=\"month\"}}"));
        value("api_together_budget_used") / value("api_together_budget")
    };
    let full = share(&app);
    assert!((0.85..0.95).contains(&full), "4 of 4.5: {full}");
    assert_eq!(app.metrics().sum("api_together_refusals_total", &[r#"key="team""#, "insufficient_quota"]), 2.0);
    // What a kill leaves open counts as spent.
    let after_kill = share(&app.kill_and_restart());
    assert!((full..=1.0).contains(&after_kill), "{after_kill} after {full}");
}

#[test]
fn a_wait_for_a_limit_is_no_added_latency() {
    let upstream = Upstream::start(|_| answer(7, 4));
    let mut config = config_with(&upstream, &json!({ "burst": { "requests": 1, "seconds": 1 } }));
    config["queue"] = json!({ "maxWaitMs": 10_000, "maxWaiting": 10 });
    let app = App::start(&config);
    (0..3).for_each(|_| assert_eq!(app.chat().status, 200));
    let page = page_with(&app, "api_together_added_latency_seconds_count", 3.0);
    let (whole, added) = (
        page.sum("api_together_request_duration_seconds_sum", &[]),
        page.value("api_together_added_latency_seconds_sum"),
    );
    assert!(whole > 0.9, "they waited: {whole}");
    assert!(added < whole / 4.0, "{added} of {whole}");
}
