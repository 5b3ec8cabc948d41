//! No `kill -9`, no reload and no number of servers lets a key spend more than its budget or its limits.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::helpers::{App, Launch, Redis, Upstream, eventually};
use crate::key_budgets::{ask, crowd, dollars_for, price_of_one, reporting, team, with_key};

/// Kills the program in the middle of a load, thirty times. `most` requests may pass in all.
fn thirty_lives(limits: &Value, most: usize) {
    const LIVES: usize = 30;
    const CLIENTS: usize = 4;
    let upstream = Upstream::start(|request| reporting(100)(request).after(Duration::from_millis(5)));
    let mut launch = Launch::new(&with_key(&[&upstream], limits));
    let seed = rand::random();
    let mut rng = StdRng::seed_from_u64(seed);
    let mut killed_at_work = 0;
    for life in 0..LIVES {
        let app = launch.start();
        let what = format!("{limits}: seed {seed}, life {life}: {} arrived", upstream.calls());
        assert!(upstream.calls() <= most, "{what}");
        let until = upstream.calls() + rng.random_range(1..=most / 20);
        let (refused, client) = (AtomicBool::new(false), team(&app));
        let body = json!({ "model": "m", "messages": [], "max_tokens": 24 }).to_string();
        launch = std::thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| {
                    while let Ok(mut answer) = client.try_request("POST", "/v1/chat/completions", body.as_bytes()) {
                        refused.fetch_or([402, 429].contains(&answer.status), Ordering::SeqCst);
                        let _ = answer.try_bytes();
                    }
                });
            }
            let patience = Instant::now() + Duration::from_secs(10);
            while upstream.calls() < until && !refused.load(Ordering::SeqCst) {
                assert!(Instant::now() < patience, "{what}: no load");
                std::thread::yield_now();
            }
            app.kill()
        });
        killed_at_work += usize::from(!refused.load(Ordering::SeqCst));
    }
    let app = launch.start();
    while ask(&team(&app)).status == 200 {}
    let what = format!("{limits}: seed {seed}: {} of {most} arrived", upstream.calls());
    assert!(upstream.calls() <= most, "{what}");
    // A kill costs a block, a fiftieth, and what was under way.
    assert!(upstream.calls() + LIVES * (most / 50 + 1 + CLIENTS) >= most, "{what}");
    assert!(killed_at_work >= LIVES / 2, "{what}: only {killed_at_work} kills met a load");
}

#[test]
fn no_kill_lets_a_key_pass_its_budget() {
    thirty_lives(&json!({ "budgets": [{ "usd": dollars_for(1_000), "per": "month" }] }), 1_000);
}

#[test]
fn no_kill_lets_a_key_pass_its_requests_of_a_day() {
    thirty_lives(&json!({ "rpd": 1_000 }), 1_000);
}

fn shared(redis: &Redis, upstream: &Upstream, limits: &Value) -> Value {
    let mut config = with_key(&[upstream], limits);
    config["store"] = json!({ "url": redis.url(), "prefix": "pool" });
    config
}

#[test]
fn three_servers_share_the_budget_and_the_limits_of_a_key() {
    for limits in [
        json!({ "budgets": [{ "usd": dollars_for(60), "per": "month" }] }),
        json!({ "rpd": 60 }),
        json!({ "limits": [{ "requests": 60, "per": "week" }] }),
    ] {
        let redis = Redis::start();
        let upstream = Upstream::start(reporting(100));
        let config = shared(&redis, &upstream, &limits);
        let apps: Vec<App> = (0..3).map(|_| App::start(&config)).collect();
        crowd(&apps);
        assert!(upstream.calls() <= 60, "{limits}: {} passed", upstream.calls());
        // What one server has left over goes back after a while.
        let ask_all = || apps.iter().filter(|app| ask(&team(app)).status == 200).count();
        eventually("all of it can be spent", || {
            ask_all();
            upstream.calls() >= 60
        });
        while ask_all() > 0 {}
        assert_eq!(upstream.calls(), 60, "{limits}");
    }
}

#[test]
fn a_reload_keeps_what_is_spent_and_new_limits_count_at_once() {
    let upstream = Upstream::start(reporting(100));
    let with_budget =
        |requests: u64| with_key(&[&upstream], &json!({ "budgets": [{ "usd": dollars_for(requests), "per": "day" }] }));
    let app = App::start(&with_budget(10));
    let client = team(&app);
    let spend = || while ask(&client).status == 200 {};
    spend();
    assert_eq!(upstream.calls(), 10);
    let reload = |config: &Value| std::fs::write(app.config_file(), config.to_string()).expect("writes");
    reload(&with_budget(15));
    eventually("the new budget counts", || ask(&client).status == 200);
    spend();
    assert_eq!(upstream.calls(), 15, "ten of them were spent before");
    reload(&with_budget(5));
    eventually("the smaller budget counts", || {
        ask(&client).json()["error"]["message"].to_string().contains(&format!("{}", dollars_for(5)))
    });
    assert_eq!(upstream.calls(), 15);
    // The key leaves the configuration, and comes back.
    let mut without = with_budget(15);
    without.as_object_mut().expect("fields").remove("keys");
    reload(&without);
    eventually("the key is unknown", || ask(&client).status == 401);
    reload(&with_budget(16));
    eventually("one more is left", || ask(&client).status == 200);
    spend();
    assert_eq!(upstream.calls(), 16);
    let app = app.stop_and_restart();
    assert_eq!(ask(&team(&app)).status, 402, "exact over a clean stop");
    let _ = price_of_one();
}
