//! Several servers that share their limits by way of a real `redis-server`: never over, whatever becomes of it or of them.

mod hung;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::helpers::{App, Launch, Redis, Reply, Upstream, WallClock, config_of, config_with, eventually, within};

/// A configuration with one upstream, limits, and a shared store.
fn shared(redis: &Redis, upstream: &Upstream, limits: &Value) -> Value {
    let mut config = config_with(upstream, limits);
    config["store"] = json!({ "url": redis.url(), "prefix": "pool" });
    config
}

fn three(config: &Value) -> Vec<App> {
    (0..3).map(|_| App::start(config)).collect()
}

/// Asks each server `n` times, from two clients each. Returns how many requests were served; none may take longer than a
/// second and a half.
fn ask_all(apps: &[App], n: usize) -> usize {
    let served = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for app in apps.iter().flat_map(|app| [app, app]) {
            scope.spawn(|| {
                for _ in 0..n / 2 {
                    ask(app, &served);
                }
            });
        }
    });
    served.into_inner()
}

/// Asks one server `n` times.
fn ask_one(app: &App, n: usize) -> usize {
    ask_all(std::slice::from_ref(app), n)
}

/// Asks once. Returns the status.
fn ask(app: &App, served: &AtomicUsize) -> u16 {
    let start = Instant::now();
    let status = app.chat().status;
    assert!([200, 429, 503].contains(&status), "{status}");
    assert!(start.elapsed() < Duration::from_millis(1_500), "{status} after {:?}", start.elapsed());
    served.fetch_add(usize::from(status == 200), Ordering::Relaxed);
    status
}

/// Asks all servers for as long as `meanwhile` takes. Returns how many requests were served.
fn under_load(apps: &[App], meanwhile: impl FnOnce()) -> usize {
    let (served, done) = (AtomicUsize::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for app in apps.iter().flat_map(|app| [app, app]) {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    ask(app, &served);
                    std::thread::sleep(Duration::from_millis(4));
                }
            });
        }
        // Also when it fails.
        let _end = End(&done);
        meanwhile();
    });
    served.into_inner()
}

/// Ends a load when it is dropped.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn pause(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

#[test]
fn three_servers_share_every_limit_exactly() {
    let burst = json!({ "burst": { "requests": 60, "seconds": 60 } });
    for limits in [json!({ "rpd": 60 }), json!({ "rpm": 60 }), json!({ "rpd": 60, "reset": "rolling" }), burst] {
        let redis = Redis::start();
        let upstream = Upstream::always(Reply::chat("hi"));
        let apps = three(&shared(&redis, &upstream, &limits));
        assert_eq!(ask_all(&apps, 40), 60, "{limits}");
        assert_eq!(upstream.calls(), 60, "{limits}");
    }
}

#[test]
fn blocks_of_a_large_limit_are_all_used() {
    let redis = Redis::start();
    let upstream = Upstream::always(Reply::chat("hi"));
    let apps = three(&shared(&redis, &upstream, &json!({ "rpd": 500 })));
    while ask_all(&apps, 240) > 0 {}
    assert_eq!(upstream.calls(), 500);
    let refused = apps[0].chat();
    assert_eq!(refused.json()["error"]["details"][0]["reason"], "rpd");
    let usage = apps.iter().map(|app| app.usage_of("a").1).collect::<Vec<_>>();
    assert!(usage.contains(&500), "one of them was told of all: {usage:?}");
}

#[test]
fn requests_at_the_same_time_are_shared_and_freed() {
    let redis = Redis::start();
    let upstream = Upstream::always(Reply::chat("hi").held());
    let apps = three(&shared(&redis, &upstream, &json!({ "maxConcurrent": 3 })));
    let refused = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for app in apps.iter().flat_map(|app| [app; 4]) {
            scope.spawn(|| refused.fetch_add(usize::from(app.chat().status == 429), Ordering::Relaxed));
        }
        eventually("nine are refused", || refused.load(Ordering::Relaxed) == 9);
        let refused = apps[0].chat().json();
        assert_eq!(refused["error"]["details"][0]["reason"], "concurrency");
        upstream.release();
    });
    assert_eq!(upstream.calls(), 3);
    for app in &apps {
        eventually("a slot is free again", || app.chat().status == 200);
    }
}

#[test]
fn tokens_and_groups_are_shared_too() {
    let redis = Redis::start();
    let upstream = Upstream::always(Reply::chat("hi"));
    // Seven tokens each, as the answers say.
    let apps = three(&shared(&redis, &upstream, &json!({ "quotaGroup": "g", "tpd": 700 })));
    let mut served = 0;
    within(Duration::from_secs(60), "nearly all is used", || {
        served += ask_all(&apps, 20);
        // What one of them has left over goes back after a while, and is asked for again.
        pause(300);
        served >= 90
    });
    served += ask_all(&apps, 60);
    assert!(served <= 100, "{served} of 100");
    assert_eq!(served, upstream.calls());
}

#[test]
fn a_clean_stop_gives_back_what_is_not_used() {
    let redis = Redis::start();
    let upstream = Upstream::always(Reply::chat("hi"));
    let config = shared(&redis, &upstream, &json!({ "rpd": 1_000, "rpm": 1_000 }));
    let (mut first, second) = (App::start(&config), App::start(&config));
    // It holds the rest of a block of 20.
    assert_eq!(first.chat().status, 200);
    first.signal("TERM");
    assert!(first.wait().success());
    assert_eq!(second.chat().status, 200);
    assert_eq!(second.usage_of("a"), (2, 2));
}

#[test]
fn what_lies_idle_goes_back() {
    let redis = Redis::start();
    let upstream = Upstream::always(Reply::chat("hi"));
    let config = shared(&redis, &upstream, &json!({ "rpd": 1_000 }));
    let (first, second) = (App::start(&config), App::start(&config));
    assert_eq!(first.chat().status, 200);
    let told = || {
        // Each answer of the store tells what the others have.
        second.chat();
        second.usage_of("a").1
    };
    assert!(told() >= 20, "a block");
    within(Duration::from_secs(20), "what lies idle is given back", || {
        pause(300);
        told() == upstream.calls() as u64
    });
    drop(first);
}

#[test]
fn what_a_killed_server_held_counts_as_used() {
    let redis = Redis::start();
    let upstream = Upstream::always(Reply::chat("hi"));
    let config = shared(&redis, &upstream, &json!({ "rpd": 1_000, "rpm": 1_000 }));
    let (first, second) = (App::start(&config), App::start(&config));
    assert_eq!(first.chat().status, 200);
    first.signal("KILL");
    // Its time is over then.
    pause(5_500);
    assert_eq!(second.chat().status, 200);
    assert_eq!(second.usage_of("a"), (21, 21), "a block of 20 and one");
}

#[test]
fn a_killed_server_takes_a_block_with_it_at_most() {
    let redis = Redis::start();
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut apps = three(&shared(&redis, &upstream, &json!({ "rpd": 1_000 })));
    under_load(&apps[..2], || pause(300));
    let before = upstream.calls();
    std::thread::scope(|scope| {
        let others = scope.spawn(|| under_load(&apps[1..], || pause(600)));
        // Kills the first one in the middle of its work.
        let first = &apps[0];
        let doomed = scope.spawn(move || {
            while first.client().try_request("POST", "/v1/chat/completions", br#"{"model":"m"}"#).is_ok() {}
        });
        pause(200);
        first.signal("KILL");
        doomed.join().expect("ends");
        others.join().expect("ends")
    });
    assert!(upstream.calls() > before);
    apps.remove(0);
    while ask_all(&apps, 40) > 0 {}
    let calls = upstream.calls();
    assert!((1_000 - 20 - 1..=1_000).contains(&calls), "{calls} of 1000, and a block is 20");
}

#[test]
fn a_store_that_is_killed_and_comes_back_with_what_it_kept_loses_nothing() {
    let mut redis = Redis::that_keeps();
    let upstream = Upstream::always(Reply::chat("hi"));
    let other = Upstream::always(Reply::chat("unlimited"));
    let mut config = config_of(&[&upstream, &other]);
    config["store"] = json!({ "url": redis.url() });
    config["apis"][0]["rpd"] = json!(1_000);
    config["apis"][1]["models"] = json!(["free"]);
    let apps = three(&config);
    under_load(&apps, || pause(200));
    let served = under_load(&apps, || {
        redis.kill();
        eventually("what is lent is used up", || apps.iter().all(|app| app.chat().status == 503));
        let refused = apps[0].chat();
        assert!(refused.header("retry-after").is_some());
        assert_eq!(refused.json()["error"]["details"][0]["reason"], "store");
        let free = json!({ "model": "free", "messages": [] });
        assert_eq!(
            apps[0].client().post("/v1/chat/completions", &free).status,
            200,
            "what has no limit needs no store"
        );
    });
    assert!(served > 0, "what was lent is spent");
    let _redis = redis.start_again();
    within(Duration::from_secs(20), "it comes back by itself", || {
        pause(50);
        apps.iter().all(|app| app.chat().status == 200)
    });
    while ask_all(&apps, 100) > 0 {}
    let calls = upstream.calls();
    assert!((1_000 - 60..=1_000).contains(&calls), "{calls} of 1000");
}

#[test]
fn a_store_that_is_stopped_stalls_nobody() {
    let redis = Redis::start();
    let upstream = Upstream::always(Reply::chat("hi"));
    let apps = three(&shared(&redis, &upstream, &json!({ "rpd": 300 })));
    under_load(&apps, || {
        pause(100);
        redis.signal("STOP");
        // Longer than a lease takes to be renewed.
        pause(5_000);
        redis.signal("CONT");
    });
    within(Duration::from_secs(5), "it comes back by itself", || apps.iter().all(|app| app.chat().status == 200));
    while ask_all(&apps, 40) > 0 {}
    let calls = upstream.calls();
    assert!((300 - 18..=300).contains(&calls), "{calls} of 300");
}

#[test]
fn a_store_that_forgets_everything_is_told_by_those_who_know() {
    for reset in ["rolling", "UTC"] {
        let redis = Redis::start();
        let upstream = Upstream::always(Reply::chat("hi"));
        let apps = three(&shared(&redis, &upstream, &json!({ "rpd": 300, "reset": reset })));
        under_load(&apps, || {
            eventually("it is in use", || upstream.calls() > 100);
            redis.ask("FLUSHALL");
            pause(500);
        });
        let before = upstream.calls();
        assert!(before <= 100 + 60, "what is lent is spent, and no more granted: {before}");
        let until: i64 = redis.ask("HGET pool:epoch closed").parse().expect("a time");
        let closed_for = until - jiff::Timestamp::now().as_millisecond();
        assert!((60_000..67_000).contains(&closed_for), "until the minute of before is over: {closed_for} ms");
        let refused = apps[0].chat();
        let after: i64 = refused.header("retry-after-ms").expect("told").parse().expect("ms");
        assert!((after - closed_for).abs() < 3_000, "{after} ms, not {closed_for}");
        // One of those who know is gone for ever; then the wait is over.
        let apps = &apps[1..];
        redis.ask("HSET pool:epoch closed 0");
        eventually("it comes back by itself", || apps.iter().all(|app| app.chat().status == 200));
        while ask_all(apps, 40) > 0 {}
        let calls = upstream.calls();
        assert!((300 - 18..=300).contains(&calls), "{calls} of 300, {reset}");
    }
}

#[test]
fn a_server_that_was_away_while_the_store_forgot_tells_what_it_knew() {
    let mut redis = Redis::start();
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::start(&shared(&redis, &upstream, &json!({ "rpd": 40, "reset": "UTC" })));
    assert_eq!(ask_one(&app, 30), 30);
    redis.kill();
    let app = app.stop_and_restart();
    let redis = redis.start_again();
    eventually("the store is learning", || app.chat().status == 503 && redis.ask("HGET pool:epoch closed") != "$-1");
    redis.ask("HSET pool:epoch closed 0");
    eventually("it comes back by itself", || app.chat().status == 200);
    while ask_one(&app, 10) > 0 {}
    assert_eq!(upstream.calls(), 40);
}

#[test]
fn a_store_with_a_password_that_is_wrong_is_told_without_it() {
    let redis = Redis::start();
    redis.ask("CONFIG SET requirepass right-7391");
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = shared(&redis, &upstream, &json!({ "rpd": 40 }));
    let url = |password: &str| json!(redis.url().replace("redis://", &format!("redis://:{password}@")));
    config["store"]["url"] = url("wrong-5820");
    let app = App::start(&config);
    assert_eq!(app.chat().status, 503);
    eventually("it is told", || app.log().contains("the shared store does not answer"));
    assert!(!app.log().contains("5820") && !app.banner().contains("5820"), "{}", app.log());
    config["store"]["url"] = url("right-7391");
    assert_eq!(App::start(&config).chat().status, 200);
}

#[test]
fn rows_of_servers_that_are_long_gone_are_put_together_and_still_count() {
    let redis = Redis::start();
    let upstream = Upstream::always(Reply::chat("hi"));
    let now = jiff::Timestamp::now().as_millisecond();
    for (reset, day_end) in [("UTC", now - now.rem_euclid(86_400_000) + 86_400_000), ("rolling", 0)] {
        let config = shared(&redis, &upstream, &json!({ "rpd": 40, "reset": reset }));
        let app = App::start(&config);
        assert_eq!(app.chat().status, 200);
        let epoch = redis.ask("HGET pool:epoch id");
        let (used, log) =
            if day_end > 0 { (10, "[]".to_owned()) } else { (0, format!("[[1,77],[{},10]]", now - 7_300_000)) };
        let none = r#"{"o":0,"u":0,"k":0,"l":[],"d":[]}"#;
        for server in ["server-1", "server-2"] {
            let requests = format!(r#"{{"o":0,"u":{used},"k":0,"l":[],"d":{log}}}"#);
            let row = format!(
                r#"{{"e":"{epoch}","n":1,"x":{},"de":{day_end},"c":0,"r":{requests},"t":{none}}}"#,
                now - 7_200_000
            );
            redis.ask(&format!("HSET pool:api:a {server} '{row}'"));
        }
        // Twice ten are used.
        assert_eq!(ask_one(&app, 60), 19, "{reset}");
        assert_eq!(redis.ask("HEXISTS pool:api:a server-1"), ":0");
        assert_eq!(redis.ask(&format!("HEXISTS pool:api:a +{day_end}")), ":1");
        assert_eq!(app.chat().status, 429);
        let together = redis.ask(&format!("HGET pool:api:a +{day_end}"));
        assert!(together.contains("server-1") && !together.contains("[1,77]"), "{together}");
        redis.ask("DEL pool:api:a");
    }
}

#[test]
fn what_is_wrong_with_one_key_is_no_matter_of_the_others() {
    let redis = Redis::start();
    let (first, second) = (Upstream::always(Reply::chat("1")), Upstream::always(Reply::chat("2")));
    let mut config = config_of(&[&first, &second]);
    config["store"] = json!({ "url": redis.url() });
    config["apis"][0]["rpd"] = json!(50);
    config["apis"][1]["rpd"] = json!(5);
    redis.ask("SET api-together:api:a nonsense");
    let app = App::start(&config);
    let served = (0..10).filter(|_| app.chat().status == 200).count();
    assert_eq!((served, first.calls(), second.calls()), (5, 0, 5));
    redis.ask("DEL api-together:api:a");
    eventually("it is found to be mended", || app.chat().status == 200);
    // Scripts that are flushed cost no request.
    redis.ask("SCRIPT FLUSH");
    assert_eq!(app.chat().status, 200);
}

#[test]
fn an_idle_server_tells_what_it_knew_too() {
    let redis = Redis::start();
    let upstream = Upstream::always(Reply::chat("hi"));
    let config = shared(&redis, &upstream, &json!({ "rpd": 99, "reset": "UTC" }));
    let (busy, idle) = (App::start(&config), App::start(&config));
    assert_eq!(ask_one(&busy, 90), 90);
    // It knows of the other's; then that one is gone, and the store forgets.
    assert_eq!(idle.chat().status, 200);
    drop(busy);
    redis.ask("FLUSHALL");
    eventually("the store is learning", || idle.chat().status == 503);
    redis.ask("HSET pool:epoch closed 0");
    eventually("it comes back by itself", || idle.chat().status == 200);
    while ask_one(&idle, 10) > 0 {}
    assert!((90..=99).contains(&upstream.calls()), "{} of 99", upstream.calls());
}

#[test]
fn a_newcomer_that_finds_a_store_empty_is_set_right_by_one_who_knew_it() {
    let redis = Redis::start();
    let upstream = Upstream::always(Reply::chat("hi"));
    let config = shared(&redis, &upstream, &json!({ "rpm": 50, "reset": "UTC" }));
    let old = App::start(&config);
    assert_eq!(ask_one(&old, 40), 40);
    redis.ask("FLUSHALL");
    let new = App::start(&config);
    assert_eq!(new.chat().status, 200, "it knows of nothing");
    eventually("the other one does", || old.chat().status == 503);
    assert_eq!(new.chat().status, 503, "the minute has to pass");
}

#[test]
fn a_store_that_goes_back_to_an_earlier_state_has_forgotten() {
    let mut redis = Redis::start();
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::start(&shared(&redis, &upstream, &json!({ "rpd": 90, "reset": "UTC" })));
    assert_eq!(ask_one(&app, 10), 10);
    assert_eq!(redis.ask("SAVE"), "+OK");
    assert_eq!(ask_one(&app, 50), 50);
    redis.kill();
    let redis = redis.start_again();
    eventually("the store is learning", || app.chat().status == 503 && redis.ask("HGET pool:epoch closed") != "$-1");
    redis.ask("HSET pool:epoch closed 0");
    eventually("it comes back by itself", || app.chat().status == 200);
    while ask_one(&app, 20) > 0 {}
    assert!((88..=90).contains(&upstream.calls()), "{} of 90", upstream.calls());
}

#[test]
fn a_key_that_is_deleted_is_told_anew_and_its_minute_counts_as_full() {
    let redis = Redis::start();
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::start(&shared(&redis, &upstream, &json!({ "rpd": 60, "rpm": 90, "reset": "UTC" })));
    assert_eq!(ask_one(&app, 40), 40);
    redis.ask("DEL pool:api:a");
    assert_eq!(ask_one(&app, 30), 0);
    assert_eq!(app.chat().json()["error"]["details"][0]["reason"], "rpm");
    assert!(app.usage_of("a").1 >= 40, "{:?}", app.usage_of("a"));
}

#[test]
fn what_was_counted_before_there_was_a_store_counts() {
    let redis = Redis::start();
    let upstream = Upstream::always(Reply::chat("hi"));
    let config = shared(&redis, &upstream, &json!({ "rpd": 40, "reset": "UTC" }));
    let mut alone = config.clone();
    alone.as_object_mut().expect("fields").remove("store");
    let app = App::start(&alone);
    assert_eq!(ask_one(&app, 30), 30);
    std::fs::write(app.config_file(), config.to_string()).expect("writes");
    let app = app.stop_and_restart();
    while ask_one(&app, 20) > 0 {}
    assert_eq!(upstream.calls(), 40);
    let other = App::start(&config);
    assert_eq!(other.chat().status, 429, "it counts for all");
}

#[test]
fn slots_that_are_free_are_soon_of_use_elsewhere() {
    let redis = Redis::start();
    let upstream = Upstream::always(Reply::chat("hi").held());
    let apps = three(&shared(&redis, &upstream, &json!({ "maxConcurrent": 3 })));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| assert_eq!(apps[0].chat().status, 200));
        }
        eventually("one of them has all", || upstream.calls() == 3);
        assert_eq!(apps[1].chat().status, 429);
        upstream.release();
    });
    // It goes on with one at a time; the others are free.
    under_load(&apps[..1], || {
        within(Duration::from_secs(5), "another has its turn", || apps[1].chat().status == 200);
    });
}

#[test]
fn a_server_whose_clock_is_a_day_off_goes_by_the_stores() {
    let redis = Redis::start();
    let upstream = Upstream::always(Reply::chat("hi"));
    let config = shared(&redis, &upstream, &json!({ "rpd": 30, "reset": "UTC" }));
    let right = App::start(&config);
    assert_eq!(ask_one(&right, 10), 10);
    for off in [26 * 3_600, -26 * 3_600] {
        let clock = WallClock::new();
        clock.set(off);
        let wrong = clock.on(Launch::new(&config)).start();
        assert_eq!(ask_one(&wrong, 10), 10, "{off}");
        assert_eq!(wrong.usage_of("a").1, upstream.calls() as u64, "{off}");
    }
    assert_eq!(right.chat().status, 429);
}

#[test]
fn an_ask_that_was_overtaken_changes_nothing() {
    let redis = Redis::start();
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::start(&shared(&redis, &upstream, &json!({ "rpd": 40 })));
    assert_eq!(ask_one(&app, 10), 10);
    let script = "local key = 'pool:api:a' local holder = redis.call('HKEYS', key)[1] \
                  local row = cjson.decode(redis.call('HGET', key, holder)) row.n = 1000000 row.r.u = 17 \
                  return redis.call('HSET', key, holder, cjson.encode(row))";
    redis.ask(&format!("EVAL \"{script}\" 0"));
    // As if this were one that came late.
    eventually("it is not answered", || app.chat().status == 503);
    let row = redis.ask("EVAL \"return redis.call('HVALS', 'pool:api:a')[1]\" 0");
    assert!(row.contains(r#""u":17"#), "{row}");
}
