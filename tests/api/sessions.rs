//! Requests of one session prefer one upstream, and nothing is lost by the preference.

use serde_json::json;

use crate::helpers::{App, Reply, Upstream, config_of, eventually};

fn chats(n: usize) -> Vec<Upstream> {
    (0..n).map(|_| Upstream::always(Reply::chat("hi"))).collect()
}

fn calls(upstreams: &[Upstream]) -> Vec<usize> {
    upstreams.iter().map(Upstream::calls).collect()
}

fn app_on(upstreams: &[Upstream]) -> App {
    App::on(&upstreams.iter().collect::<Vec<_>>())
}

#[test]
fn requests_of_one_session_go_to_one_upstream_whatever_names_the_session() {
    let header = |name: &'static str| (Some(name), json!({}));
    for (header, fields) in [
        header("x-claude-code-session-id"),
        header("session-id"),
        header("thread-id"),
        header("x-session-affinity"),
        header("x-session-id"),
        (None, json!({ "prompt_cache_key": "s" })),
        (None, json!({ "metadata": { "user_id": "{\"session\":\"s\"}" } })),
        (None, json!({ "user": "s" })),
    ] {
        let upstreams = chats(3);
        let app = app_on(&upstreams);
        let client = header.map_or_else(|| app.client(), |name| app.client().header(name, "s"));
        let mut body = json!({ "model": "m", "messages": [] });
        body.as_object_mut().expect("an object").extend(fields.as_object().expect("fields").clone());
        for _ in 0..12 {
            assert_eq!(client.post("/v1/chat/completions", &body).status, 200);
        }
        let mut calls = calls(&upstreams);
        calls.sort_unstable();
        assert_eq!(calls, [0, 0, 12], "{header:?} {body}");
    }
}

#[test]
fn a_session_goes_on_elsewhere_while_its_upstream_has_no_room() {
    let upstreams = chats(2);
    let mut config = config_of(&upstreams.iter().collect::<Vec<_>>());
    for api in config["apis"].as_array_mut().expect("a list") {
        api["rpm"] = json!(3);
    }
    let app = App::start(&config);
    let client = app.client().header("session-id", "s");
    let chat = || client.post("/v1/chat/completions", &json!({ "model": "m", "messages": [] })).status;
    assert_eq!([chat(), chat(), chat()], [200; 3]);
    let first = calls(&upstreams);
    assert!(first == [3, 0] || first == [0, 3], "{first:?}");
    assert_eq!([chat(), chat(), chat(), chat()], [200, 200, 200, 429]);
    assert_eq!(calls(&upstreams), [3, 3]);
}

#[test]
fn a_session_goes_on_elsewhere_while_its_upstream_rests() {
    let broken = || Upstream::start(|_| Reply::error(500, "down"));
    // One of the sessions prefers the broken one.
    let upstreams = [broken(), Upstream::always(Reply::chat("hi"))];
    let app = app_on(&upstreams);
    for session in 0..8 {
        let client = app.client().header("session-id", &format!("s-{session}"));
        for _ in 0..3 {
            assert_eq!(client.post("/v1/chat/completions", &json!({ "model": "m", "messages": [] })).status, 200);
        }
    }
    assert!((1..=4).contains(&upstreams[0].calls()), "it rests after three failures: {:?}", calls(&upstreams));
}

#[test]
fn two_hundred_sessions_share_by_weight_on_every_server_alike() {
    for weights in [&[1_u32, 3][..], &[1, 1, 2, 2, 4]] {
        let upstreams = chats(weights.len());
        let mut config = config_of(&upstreams.iter().collect::<Vec<_>>());
        for (api, weight) in config["apis"].as_array_mut().expect("a list").iter_mut().zip(weights) {
            api["weight"] = json!(weight);
        }
        let apps = [App::start(&config), App::start(&config)];
        let mut after_one = Vec::new();
        for app in &apps {
            for session in 0..200 {
                let client = app.client().header("session-id", &format!("session-{session}"));
                assert_eq!(client.post("/v1/chat/completions", &json!({ "model": "m", "messages": [] })).status, 200);
            }
            if after_one.is_empty() {
                after_one = calls(&upstreams);
            }
        }
        let sum: u32 = weights.iter().sum();
        for (calls, weight) in after_one.iter().zip(weights) {
            let (share, wanted) = (*calls as f64 / 200.0, f64::from(*weight) / f64::from(sum));
            assert!((share - wanted).abs() < 0.1, "{after_one:?} for {weights:?}");
        }
        let twice: Vec<usize> = after_one.iter().map(|calls| calls * 2).collect();
        assert_eq!(calls(&upstreams), twice, "both servers prefer the same");
    }
}

#[test]
fn affinity_off_spreads_a_session_and_a_reload_turns_it_on() {
    let upstreams = chats(2);
    let mut config = config_of(&upstreams.iter().collect::<Vec<_>>());
    config["affinity"] = json!("off");
    let app = App::start(&config);
    let client = app.client().header("session-id", "s");
    let chat = || client.post("/v1/chat/completions", &json!({ "model": "m", "messages": [] })).status;
    for _ in 0..40 {
        assert_eq!(chat(), 200);
    }
    assert!(calls(&upstreams).iter().all(|calls| *calls >= 5), "{:?}", calls(&upstreams));
    config["affinity"] = json!("session");
    let before = app.client().get("/v1/status").json()["config"]["hash"].clone();
    std::fs::write(app.config_file(), config.to_string()).expect("written");
    eventually("the new configuration is in force", || {
        app.client().get("/v1/status").json()["config"]["hash"] != before
    });
    let before = calls(&upstreams);
    for _ in 0..12 {
        assert_eq!(chat(), 200);
    }
    let grown: Vec<usize> = calls(&upstreams).iter().zip(&before).map(|(now, before)| now - before).collect();
    assert!(grown.contains(&12), "{grown:?}");
}
