//! A renamed entry keeps what its account has used: counts, statistics and objects, whatever happens in between.

use std::fs;
use std::path::Path;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::helpers::{App, KEY, Launch, Redis, Reply, Upstream, eventually};

/// An entry with this id for account `n` of an upstream.
fn entry(id: &str, upstream: &Upstream, n: u32, fields: &Value) -> Value {
    let mut entry = json!({
        "id": id, "baseUrl": upstream.url(), "apiKey": format!("sk-account-{n}-0123456789"), "models": ["m"],
    });
    entry.as_object_mut().expect("an object").extend(fields.as_object().expect("fields").clone());
    entry
}

fn config(entries: &[Value]) -> Value {
    json!({ "server": { "apiKey": KEY }, "apis": entries })
}

fn write(file: &Path, entries: &[Value]) {
    fs::write(file, format!("{:#}", config(entries))).expect("writes");
}

/// How a changed file takes effect.
#[derive(Debug, Clone, Copy)]
enum Way {
    Reload,
    Stop,
    Kill,
}

const WAYS: [Way; 3] = [Way::Reload, Way::Stop, Way::Kill];

/// Lets these entries take effect.
fn change(app: App, way: Way, entries: &[Value]) -> App {
    match way {
        Way::Reload => {
            let hash = || app.client().get("/v1/status").json()["config"]["hash"].clone();
            let before = hash();
            write(&app.config_file(), entries);
            eventually("the new entries are in force", || hash() != before);
            app
        }
        Way::Stop => edited(app.stop(), entries),
        Way::Kill => edited(app.kill(), entries),
    }
}

/// Starts the program again, after an edit while it stood still.
fn edited(launch: Launch, entries: &[Value]) -> App {
    write(&launch.folder.join("apis.json"), entries);
    launch.start()
}

/// Asks so often. Returns how many were served.
fn served(app: &App, times: usize) -> usize {
    (0..times).filter(|_| app.chat().status == 200).count()
}

#[test]
fn a_day_that_is_used_up_stays_so_under_a_new_id() {
    for way in WAYS {
        let upstream = Upstream::always(Reply::chat("hi"));
        let limits = json!({ "rpd": 3 });
        let app = App::start(&config(&[entry("a", &upstream, 1, &limits)]));
        assert_eq!(served(&app, 4), 3);
        let app = change(app, way, &[entry("a2", &upstream, 1, &limits)]);
        app.logged("a2: takes over the counts of a, which had the same base URL and key");
        assert_eq!((app.chat().status, app.usage_of("a2")), (429, (3, 3)), "{way:?}");
        assert!(!app.log().contains("a: retired"), "{}", app.log());
        let app = change(app, way, &[entry("a3", &upstream, 1, &json!({ "rpd": 4 }))]);
        assert_eq!(served(&app, 2), 1, "{way:?}: one more by the new limit");
        let app = change(app, way, &[entry("a", &upstream, 1, &limits)]);
        assert_eq!((app.chat().status, app.usage_of("a")), (429, (4, 4)), "{way:?}: back");
        assert_eq!(upstream.calls(), 4);
    }
}

#[test]
fn was_carries_the_counts_where_the_account_changes_as_well() {
    for way in WAYS {
        let (old, new) = (Upstream::always(Reply::chat("hi")), Upstream::always(Reply::chat("hi")));
        let app = App::start(&config(&[entry("a", &old, 1, &json!({ "rpd": 2 }))]));
        assert_eq!(served(&app, 1), 1);
        let app = change(app, way, &[entry("b", &new, 2, &json!({ "rpd": 2, "was": "a" }))]);
        app.logged("b: takes over the counts of a, as \"was\" says");
        assert_eq!((served(&app, 2), new.calls()), (1, 1), "{way:?}");
        let app = change(app, way, &[entry("b", &new, 2, &json!({ "rpd": 2 }))]);
        assert_eq!(served(&app, 1), 0, "{way:?}: without the field");
        let app = change(app, way, &[entry("c", &new, 3, &json!({ "rpd": 2 }))]);
        assert_eq!(served(&app, 1), 1, "{way:?}: without the field, another id and key are another account");
    }
}

#[test]
fn swapped_ids_swap_nothing_else() {
    for way in WAYS {
        let upstream = Upstream::always(Reply::chat("hi"));
        let (first, second) = (json!({ "rpd": 3, "priority": 0 }), json!({ "rpd": 3, "priority": 1 }));
        let app = App::start(&config(&[entry("a", &upstream, 1, &first), entry("b", &upstream, 2, &second)]));
        assert_eq!(served(&app, 4), 4);
        let app = change(app, way, &[entry("a", &upstream, 2, &second), entry("b", &upstream, 1, &first)]);
        assert_eq!((app.usage_of("a"), app.usage_of("b")), ((1, 1), (3, 3)), "{way:?}");
        assert_eq!(served(&app, 3), 2, "{way:?}");
        let app = change(app, way, &[entry("b", &upstream, 2, &second), entry("c", &upstream, 1, &first)]);
        assert_eq!((app.usage_of("b"), app.usage_of("c"), served(&app, 1)), ((3, 3), (3, 3), 0), "{way:?}");
    }
}

#[test]
fn a_new_account_under_an_old_id_begins_at_zero_when_the_old_account_has_a_new_id() {
    for way in WAYS {
        let upstream = Upstream::always(Reply::chat("hi"));
        let limits = json!({ "rpd": 2 });
        let app = App::start(&config(&[entry("a", &upstream, 1, &limits)]));
        assert_eq!(served(&app, 2), 2);
        let app = change(app, way, &[entry("a", &upstream, 2, &limits), entry("b", &upstream, 1, &limits)]);
        assert_eq!((app.usage_of("a"), app.usage_of("b")), ((0, 0), (2, 2)), "{way:?}");
        assert_eq!(served(&app, 3), 2, "{way:?}");
        let app = change(app, way, &[entry("b", &upstream, 1, &limits), entry("a", &upstream, 2, &limits)]);
        assert_eq!(served(&app, 1), 0, "{way:?}: in another order");
    }
}

#[test]
fn limits_of_models_and_groups_and_statistics_go_along() {
    for way in WAYS {
        let upstream = Upstream::always(Reply::chat("hi"));
        let fields =
            json!({ "modelLimits": { "m": { "rpd": 2 } }, "models": ["m", "n"], "quotaGroup": "g", "rpm": 90 });
        let app = App::start(&config(&[entry("a", &upstream, 1, &fields)]));
        assert_eq!(served(&app, 3), 2);
        eventually("all is counted", || tokens(&app)["a"]["requests"] == 2);
        let before = tokens(&app)["a"].clone();
        // Commits are 100 ms apart.
        std::thread::sleep(std::time::Duration::from_millis(250));
        let app = change(app, way, &[entry("b", &upstream, 1, &fields)]);
        assert_eq!(app.chat().json()["error"]["details"][0]["reason"], "rpd", "{way:?}");
        let other = json!({ "model": "n", "messages": [] });
        assert_eq!(app.client().post("/v1/chat/completions", &other).status, 200, "{way:?}: another model");
        eventually("one more is counted", || tokens(&app)["b"]["requests"] == 3);
        let after = tokens(&app);
        assert_eq!(after["a"], Value::Null, "{way:?}");
        assert_eq!(after["b"]["totalTokens"].as_u64(), before["totalTokens"].as_u64().map(|tokens| tokens + 7));
        let quotas = app.status_of("b")["quotas"].clone();
        let of: Vec<&str> =
            quotas.as_array().expect("a list").iter().filter_map(|quota| quota["of"].as_str()).collect();
        assert!(of.contains(&"b, m") && of.contains(&"group g") && !of.contains(&"a, m"), "{of:?}");
        let reset = app.client().post("/v1/token/reset", &json!({ "apiId": "b" }));
        assert_eq!((reset.status, tokens(&app)["b"].clone()), (200, Value::Null), "{way:?}");
    }
}

fn tokens(app: &App) -> Value {
    app.client().get("/v1/token/stats").json()["detailedStats"].clone()
}

#[test]
fn the_statistics_of_a_former_account_do_not_hide_those_of_the_present_one() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let none = json!({});
    let app = App::start(&config(&[entry("a", &upstream, 1, &none)]));
    assert_eq!(served(&app, 2), 2);
    let app = change(app, Way::Reload, &[entry("b", &upstream, 1, &none), entry("a", &upstream, 2, &none)]);
    let app = change(app, Way::Reload, &[entry("a", &upstream, 2, &none)]);
    assert_eq!(served(&app, 1), 1);
    let app = change(app, Way::Reload, &[entry("b", &upstream, 2, &none)]);
    eventually("all is counted", || tokens(&app)["b"]["requests"] == 1);
    assert_eq!(tokens(&app)["a (former)"]["requests"], 2, "{:#}", tokens(&app));
}

#[test]
fn a_former_id_that_is_still_there_is_refused_with_its_place() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let limits = json!({ "rpd": 2 });
    let app = App::start(&config(&[entry("a", &upstream, 1, &limits)]));
    write(&app.config_file(), &[entry("a", &upstream, 1, &limits), entry("b", &upstream, 2, &json!({ "was": "a" }))]);
    app.logged(
        "apis[1].was: names apis[0], which is still there and keeps its counts; remove that entry, or this field",
    );
    write(
        &app.config_file(),
        &[entry("b", &upstream, 1, &json!({ "was": "x" })), entry("c", &upstream, 2, &json!({ "was": "x" }))],
    );
    app.logged("apis[1].was: is named by apis[0], too");
    assert_eq!(served(&app, 3), 2, "the old configuration serves on");
}

#[test]
fn the_data_folder_tells_neither_key_nor_address() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::start(&config(&[entry("a", &upstream, 1, &json!({ "rpd": 9 }))]));
    assert_eq!(served(&app, 2), 2);
    let folder = app.stop().folder.join("data");
    let mut seen = 0;
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("reads").map_while(Result::ok) {
            if entry.path().is_dir() {
                folders.push(entry.path());
                continue;
            }
            let bytes = fs::read(entry.path()).expect("reads");
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains("sk-account") && !text.contains(&upstream.url()[7..]), "{}", entry.path().display());
            seen += usize::from(text.contains("accounts"));
        }
    }
    assert!(seen > 0, "the digests are there");
}

/// Accounts get new ids, or each other's, by edits while the program runs, stands still or is killed. Each account's own count of
/// requests is the reference.
#[test]
fn no_order_of_renames_and_crashes_gives_quota_back() {
    const ACCOUNTS: u32 = 3;
    const RPD: usize = 12;
    let mut random = StdRng::seed_from_u64(18);
    for _ in 0..3 {
        let upstreams: Vec<Upstream> = (0..ACCOUNTS).map(|_| Upstream::always(Reply::chat("hi"))).collect();
        let mut ids = vec!["a", "b", "c", "d", "e"];
        let entries = |ids: &[&str]| -> Vec<Value> {
            let entry = |(n, upstream)| entry(ids[n], upstream, n as u32, &json!({ "rpd": RPD }));
            upstreams.iter().enumerate().map(entry).collect()
        };
        let mut app = App::start(&config(&entries(&ids)));
        for _ in 0..8 {
            served(&app, random.random_range(0..7));
            // A kill in the middle of a request costs a unit.
            eventually("all are settled", || {
                ids[..upstreams.len()].iter().all(|id| app.status_of(id)["inFlight"] == 0)
            });
            let before = ids.clone();
            while ids == before {
                ids.shuffle(&mut random);
            }
            let way = WAYS[random.random_range(0..3)];
            app = change(app, way, &entries(&ids));
            for (n, upstream) in upstreams.iter().enumerate() {
                let (sent, counted) = (upstream.calls(), app.usage_of(ids[n]).1 as usize);
                assert_eq!(sent, counted, "{way:?}");
            }
        }
        served(&app, 40);
        let calls: Vec<usize> = upstreams.iter().map(Upstream::calls).collect();
        assert_eq!(calls, [RPD; ACCOUNTS as usize]);
    }
}

/// The same with a shared store.
fn shared(redis: &Redis, entries: &[Value]) -> Value {
    let mut config = config(entries);
    config["store"] = json!({ "url": redis.url(), "prefix": "pool" });
    config
}

#[test]
fn a_new_server_that_never_saw_the_former_id_counts_on_the_same_account() {
    let redis = Redis::start();
    let upstream = Upstream::always(Reply::chat("hi"));
    let limits = json!({ "rpd": 3, "modelLimits": { "m": { "rpd": 3 } }, "quotaGroup": "all" });
    let first = App::start(&shared(&redis, &[entry("a", &upstream, 1, &limits)]));
    assert_eq!(served(&first, 2), 2);
    // Rolled out one after the other, with empty data folders.
    let second = App::start(&shared(&redis, &[entry("a2", &upstream, 1, &limits)]));
    second.logged("a2: takes over the counts of a, which had the same base URL and key");
    first.stop();
    let third = App::start(&shared(&redis, &[entry("a2", &upstream, 1, &limits)]));
    eventually("what is left is lent", || served(&second, 1) + served(&third, 1) > 0);
    let renewed = json!({ "rpd": 3, "modelLimits": { "m": { "rpd": 3 } }, "quotaGroup": "all", "was": "a2" });
    let fourth = App::start(&shared(&redis, &[entry("b", &upstream, 2, &renewed)]));
    fourth.logged("b: takes over the counts of a2, as \"was\" says");
    assert_eq!([&second, &third, &fourth].map(|app| served(app, 4)), [0, 0, 0]);
    assert_eq!(upstream.calls(), 3);
}

#[test]
fn a_new_server_lends_nothing_under_a_new_id_before_the_store_has_told_whose_ledgers_there_are() {
    let redis = Redis::start();
    let upstream = Upstream::always(Reply::chat("hi"));
    let limits = json!({ "rpd": 3 });
    let first = App::start(&shared(&redis, &[entry("a", &upstream, 1, &limits)]));
    assert_eq!(served(&first, 4), 3);
    first.kill();
    redis.signal("STOP");
    let second = App::start(&shared(&redis, &[entry("a2", &upstream, 1, &limits)]));
    assert_eq!(served(&second, 3), 0, "nothing is lent");
    redis.signal("CONT");
    second.logged("a2: takes over the counts of a, which had the same base URL and key");
    eventually("the store answers", || second.chat().status == 429);
    assert_eq!((served(&second, 10), upstream.calls()), (0, 3));
}
