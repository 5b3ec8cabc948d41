//! What survives a stop, and a kill.

use std::fs;
use std::path::{Path, PathBuf};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::helpers::{App, Launch, Reply, Upstream, config_of, eventually};

fn limited(upstream: &Upstream, rpm: i64, rpd: i64) -> Value {
    let mut config = config_of(&[upstream]);
    config["apis"][0]["rpm"] = json!(rpm);
    config["apis"][0]["rpd"] = json!(rpd);
    config
}

fn tokens(app: &App) -> Value {
    app.client().get("/v1/token/stats").json()["detailedStats"].clone()
}

#[test]
fn after_a_clean_stop_all_counts_are_exact() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::start(&limited(&upstream, 100, 1_000));
    for _ in 0..30 {
        assert_eq!(app.chat().status, 200);
    }
    eventually("all are counted", || tokens(&app)["a"]["requests"] == 30);
    let before = tokens(&app);
    let app = app.stop_and_restart();
    assert_eq!(app.usage_of("a"), (30, 30));
    assert_eq!(tokens(&app), before);
}

#[test]
fn after_a_kill_no_count_is_lower_and_a_block_at_most_higher() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut app = App::start(&limited(&upstream, -1, 1_000));
    let mut sent = 0;
    let mut lost = 0;
    for round in 0..5 {
        for _ in 0..7 {
            assert_eq!(app.chat().status, 200);
            sent += 1;
        }
        eventually("the tokens are counted", || tokens(&app)["a"]["requests"] == sent);
        // Commits are 100 ms apart; the rest is for a machine that is busy with other tests.
        std::thread::sleep(std::time::Duration::from_millis(250));
        app = app.kill_and_restart();
        let counted = app.status_of("a")["usage"]["rpd"].as_u64().expect("a count");
        // A block is a fiftieth of the limit: 20.
        assert!((sent..=sent + lost + 20).contains(&counted), "round {round}: {sent} sent, {counted} counted");
        lost = counted - sent;
        assert_eq!(tokens(&app)["a"]["totalTokens"], sent * 7, "round {round}");
    }
}

#[test]
fn of_a_small_limit_no_unit_is_lost_by_a_kill() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::start(&limited(&upstream, 3, 3));
    assert_eq!((app.chat().status, app.chat().status), (200, 200));
    eventually("both are settled", || app.status_of("a")["inFlight"] == 0);
    let app = app.kill_and_restart();
    assert_eq!(app.usage_of("a"), (2, 2));
    assert_eq!((app.chat().status, app.chat().status), (200, 429));
}

#[test]
fn an_upstream_without_limits_keeps_its_counts_too() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::on(&[&upstream]);
    for _ in 0..5 {
        assert_eq!(app.chat().status, 200);
    }
    eventually("all are counted", || tokens(&app)["a"]["requests"] == 5);
    // Counts without a limit are saved ten times a second; a loaded machine needs longer.
    std::thread::sleep(std::time::Duration::from_secs(1));
    let app = app.kill_and_restart();
    assert_eq!(app.usage_of("a"), (5, 5));
    assert_eq!(tokens(&app)["a"]["requests"], 5);
}

#[test]
fn a_limit_holds_over_kills_in_the_middle_of_a_load() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut app = App::start(&limited(&upstream, -1, 60));
    for _ in 0..8 {
        std::thread::scope(|scope| {
            let client = app.client();
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    let client = client.clone();
                    scope.spawn(move || {
                        for _ in 0..3 {
                            let _ = client.try_request("POST", "/v1/chat/completions", br#"{"model":"m"}"#);
                        }
                    })
                })
                .collect();
            threads.into_iter().for_each(|thread| thread.join().expect("ended"));
        });
        app = app.kill_and_restart();
    }
    assert!(upstream.calls() <= 60, "{}", upstream.calls());
    assert!(upstream.calls() > 40, "and little is wasted: {}", upstream.calls());
}

#[test]
fn a_minute_survives_a_kill() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::start(&limited(&upstream, 5, -1));
    for _ in 0..5 {
        assert_eq!(app.chat().status, 200);
    }
    let app = app.kill_and_restart();
    assert_eq!(app.chat().status, 429);
    let app = app.stop_and_restart();
    assert_eq!(app.chat().status, 429);
    assert_eq!(upstream.calls(), 5);
}

#[test]
fn a_second_process_on_the_folder_ends_with_a_word_and_leaves_the_first_alone() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::on(&[&upstream]);
    let launch = Launch { folder: app.folder.clone(), args: Vec::new(), env: Vec::new() };
    let second = launch.command().args(["--config", "apis.json", "--port", "0"]).output().expect("ran");
    assert_eq!(second.status.code(), Some(1));
    let text = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(text.contains("another api-together is using it"), "{text}");
    assert_eq!(app.chat().status, 200);
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("reads").map_while(Result::ok).map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

/// A launch on a copy of this folder's data.
fn on_a_copy(of: &Path, config: &Value) -> Launch {
    let launch = Launch::new(config);
    for file in files_below(&of.join("data")) {
        let copy = launch.folder.join(file.strip_prefix(of).expect("below"));
        fs::create_dir_all(copy.parent().expect("a folder")).expect("makes");
        fs::copy(&file, &copy).expect("copies");
    }
    launch
}

/// Damages one file in one way.
fn damage(file: &Path, rng: &mut StdRng) -> String {
    let mut bytes = fs::read(file).expect("reads");
    let at = rng.random_range(0..bytes.len().max(1));
    let what = match rng.random_range(0..5) {
        0 => {
            fs::remove_file(file).expect("removes");
            return "removed".to_owned();
        }
        1 => {
            bytes.truncate(at);
            format!("cut at {at}")
        }
        2 => {
            bytes.iter_mut().skip(at).take(4_096).for_each(|byte| *byte = 0);
            format!("zeroes from {at}")
        }
        _ if bytes.is_empty() => "left empty".to_owned(),
        _ => {
            let bit = rng.random_range(0..8);
            bytes[at] ^= 1 << bit;
            format!("bit {bit} of byte {at} flipped")
        }
    };
    fs::write(file, bytes).expect("writes");
    what
}

#[test]
fn no_damage_to_the_store_opens_a_limit() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let config = limited(&upstream, -1, 40);
    let original = App::start(&config);
    for _ in 0..10 {
        assert_eq!(original.chat().status, 200);
    }
    eventually("all are settled", || original.status_of("a")["inFlight"] == 0);
    let folder = original.folder.clone();
    drop(original);

    let seed = rand::random();
    let mut rng = StdRng::seed_from_u64(seed);
    let mut noticed = 0;
    for round in 0..50 {
        let launch = on_a_copy(&folder, &config);
        let files = files_below(&launch.folder.join("data"));
        let file = &files[rng.random_range(0..files.len())];
        let what = format!("seed {seed}, round {round}: {} {}", file.display(), damage(file, &mut rng));
        let app = launch.start();
        let counted = app.status_of("a")["usage"]["rpd"].as_u64().expect("a count");
        assert!(counted >= 10, "{what}: {counted} counted\n{}", app.log());
        if app.log().contains("is damaged") {
            noticed += 1;
            assert!(counted >= 40 && app.chat().status == 429, "{what}: the day counts as spent");
            let moved = fs::read_dir(app.folder.join("data")).expect("reads").map_while(Result::ok);
            assert!(moved.map(|e| e.file_name()).any(|name| name.to_string_lossy().starts_with("damaged-")), "{what}");
        }
    }
    assert!(noticed > 5, "only {noticed} of 50 were noticed: is anything damaged at all?");
}

#[test]
fn a_damaged_store_begins_at_zero_if_that_is_wanted() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let config = limited(&upstream, 5, 5);
    let app = App::start(&config);
    assert_eq!(app.chat().status, 200);
    let folder = app.folder.clone();
    drop(app);
    let damaged = |args: &[&str]| {
        let mut launch = on_a_copy(&folder, &config);
        fs::write(launch.folder.join("data/sled/db"), "this is no store").expect("writes");
        launch.args = args.iter().map(ToString::to_string).collect();
        launch.start()
    };
    let wary = damaged(&[]);
    assert_eq!(wary.chat().status, 429);
    wary.logged("is damaged");
    wary.logged("--fresh begins at zero");
    assert_eq!(wary.stop_and_restart().chat().status, 429, "the next start knows it too");
    let fresh = damaged(&["--fresh"]);
    assert_eq!(fresh.usage_of("a"), (0, 0));
    assert_eq!(fresh.chat().status, 200);
}

#[test]
fn a_new_folder_is_not_a_damaged_one() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::start(&limited(&upstream, 5, 5));
    assert_eq!(app.status_of("a")["usage"]["rpd"], 0);
    let app = app.kill_and_restart();
    assert!(!app.log().contains("damaged"), "{}", app.log());
    assert_eq!(app.chat().status, 200);
}
