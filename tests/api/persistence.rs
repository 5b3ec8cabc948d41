//! What survives a stop, and a kill.

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
    assert_eq!(app.status_of("a")["usage"], json!({ "rpm": 30, "rpd": 30 }));
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
        // Each change is committed at once; this is for a machine that is busy with other tests.
        std::thread::sleep(std::time::Duration::from_millis(100));
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
    assert_eq!(app.status_of("a")["usage"], json!({ "rpm": 2, "rpd": 2 }));
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
    std::thread::sleep(std::time::Duration::from_millis(100));
    let app = app.kill_and_restart();
    assert_eq!(app.status_of("a")["usage"], json!({ "rpm": 5, "rpd": 5 }));
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
