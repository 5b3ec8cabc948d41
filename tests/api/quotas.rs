//! Limits of tokens, of single models, of groups; which requests count; and what clients are told of it all.

use serde_json::{Value, json};

use crate::helpers::{App, Reply, Response, Upstream, config_of, config_with, eventually};

/// Asks for a model, with a bound on the answer's tokens.
fn ask(app: &App, model: &str, max_tokens: u64) -> Response {
    let body = json!({ "model": model, "messages": [], "max_tokens": max_tokens });
    app.client().post("/v1/chat/completions", &body)
}

/// A chat completion that took so many tokens.
fn of_tokens(tokens: u64) -> Reply {
    let usage = json!({ "prompt_tokens": 1, "completion_tokens": tokens - 1, "total_tokens": tokens });
    let choices = json!([{ "index": 0, "message": { "role": "assistant", "content": "x" }, "finish_reason": "stop" }]);
    Reply::json(200, &json!({ "id": "c", "object": "chat.completion", "choices": choices, "usage": usage }))
}

fn reason(refused: Response) -> String {
    assert_eq!(refused.status, 429);
    refused.json()["error"]["details"][0]["reason"].as_str().expect("told").to_owned()
}

#[test]
fn tokens_are_set_aside_while_a_request_is_out_and_corrected_by_what_it_took() {
    for (limit, usage) in [("tpm", "tpm"), ("tpd", "tpd")] {
        let upstream = Upstream::always(of_tokens(100).held());
        let app = App::start(&config_with(&upstream, &json!({ limit: 1_000 })));
        std::thread::scope(|scope| {
            let first = scope.spawn(|| ask(&app, "m", 700).status);
            eventually("it is out", || upstream.calls() == 1);
            assert_eq!(reason(ask(&app, "m", 700)), limit, "700 are set aside");
            assert!(app.status_of("a")["usage"][usage].as_u64().expect("a count") >= 700);
            upstream.release();
            assert_eq!(first.join().expect("answered"), 200);
        });
        eventually("it is corrected", || app.status_of("a")["usage"][usage] == 100);
        assert_eq!(ask(&app, "m", 700).status, 200);
    }
}

#[test]
fn more_tokens_than_foreseen_close_until_they_are_paid_back() {
    let upstream = Upstream::always(of_tokens(5_000));
    let app = App::start(&config_with(&upstream, &json!({ "tpm": 1_000 })));
    assert_eq!(ask(&app, "m", 10).status, 200);
    eventually("it is counted", || app.status_of("a")["usage"]["tpm"] == 5_000);
    let refused = ask(&app, "m", 10);
    let wait: u64 = refused.header("retry-after").expect("told").parse().expect("seconds");
    assert!((290..=305).contains(&wait), "five minutes' worth: {wait} s");
    assert_eq!(refused.header("x-should-retry"), Some("false"));
    assert_eq!(reason(refused), "tpm");
    // A crash forgives nothing.
    let app = app.stop_and_restart();
    assert_eq!(app.status_of("a")["usage"]["tpm"], 5_000);
    assert_eq!(reason(ask(&app, "m", 10)), "tpm");
}

#[test]
fn a_kill_counts_what_was_set_aside() {
    let upstream = Upstream::always(of_tokens(10).held());
    let app = App::start(&config_with(&upstream, &json!({ "tpd": 10_000 })));
    let client = app.client();
    let out = std::thread::spawn(move || {
        let body = json!({ "model": "m", "messages": [], "max_tokens": 4_000 });
        client.try_request("POST", "/v1/chat/completions", body.to_string().as_bytes()).is_err()
    });
    eventually("it is out", || upstream.calls() == 1);
    let app = app.kill_and_restart();
    assert!(out.join().expect("ends"), "nobody answers it any more");
    let counted = app.status_of("a")["usage"]["tpd"].as_u64().expect("a count");
    // What it may cost, and a block: a fiftieth of the limit.
    assert!((4_000..=4_250).contains(&counted), "{counted}");
}

#[test]
fn what_no_window_holds_takes_all_of_one() {
    let upstream = Upstream::always(of_tokens(50));
    let app = App::start(&config_with(&upstream, &json!({ "tpm": 1_000 })));
    assert_eq!(ask(&app, "m", 1_000_000).status, 200);
    eventually("it is corrected", || app.status_of("a")["usage"]["tpm"] == 50);
    assert_eq!(reason(ask(&app, "m", 1_000_000)), "tpm");
}

#[test]
fn what_was_turned_away_took_no_tokens() {
    let upstream = Upstream::in_turn(vec![Reply::error(400, "no"), Reply::error(401, "no"), of_tokens(5)]);
    let app = App::start(&config_with(&upstream, &json!({ "tpm": 1_000 })));
    assert_eq!(ask(&app, "m", 900).status, 400);
    eventually("it is given back", || app.status_of("a")["usage"]["tpm"] == 0);
    assert_eq!(ask(&app, "m", 900).status, 502);
    assert_eq!(app.status_of("a")["usage"]["tpm"], 0);
}

#[test]
fn a_model_has_limits_of_its_own_by_whatever_name_it_is_asked_for() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let limits = json!({
        "models": ["big", "small"], "modelMapping": { "gpt-4": "big" }, "rpm": 10,
        "modelLimits": { "gpt-4": { "rpm": 2 } },
    });
    let app = App::start(&config_with(&upstream, &limits));
    assert_eq!((ask(&app, "gpt-4", 1).status, ask(&app, "big", 1).status), (200, 200));
    assert_eq!(reason(ask(&app, "gpt-4", 1)), "rpm");
    assert_eq!(reason(ask(&app, "big", 1)), "rpm");
    for _ in 0..8 {
        assert_eq!(ask(&app, "small", 1).status, 200, "the others have what is left of the whole");
    }
    assert_eq!(reason(ask(&app, "small", 1)), "rpm");
    assert_eq!(upstream.calls(), 10);
    let quota = app.status_of("a")["quotas"][0].clone();
    assert_eq!(
        (&quota["model"], &quota["usage"]["rpm"], &quota["limits"]["rpm"]),
        (&json!("big"), &json!(2), &json!(2))
    );
    let explained = app.client().get("/v1/status?model=gpt-4").json()["explain"]["apis"][0].clone();
    assert_eq!((&explained["eligible"], &explained["reason"]), (&json!(false), &json!("rpm")));
    // Over a kill, and a reload with another limit.
    let app = app.kill_and_restart();
    assert_eq!(reason(ask(&app, "gpt-4", 1)), "rpm");
}

#[test]
fn a_model_with_a_limit_of_nothing_is_not_served() {
    let (first, second) = (Upstream::always(Reply::chat("1")), Upstream::always(Reply::chat("2")));
    let mut config = config_of(&[&first, &second]);
    config["apis"][0]["modelLimits"] = json!({ "m": { "rpd": 0 } });
    let app = App::start(&config);
    assert!((0..10).all(|_| app.chat().status == 200));
    assert_eq!((first.calls(), second.calls()), (0, 10));
}

/// Three APIs on three upstreams; two of them in a group.
fn grouped(upstreams: &[&Upstream], groups: &Value, rpm: u64) -> Value {
    let mut config = config_of(upstreams);
    for i in 0..2 {
        config["apis"][i]["quotaGroup"] = json!("account");
        config["apis"][i]["rpm"] = json!(rpm);
    }
    config["quotaGroups"] = groups.clone();
    config
}

#[test]
fn apis_of_a_group_share_its_limits_and_give_back_what_is_of_no_use() {
    let upstreams = [0, 1, 2].map(|i| Upstream::always(Reply::chat(&i.to_string())));
    let all: Vec<&Upstream> = upstreams.iter().collect();
    let app = App::start(&grouped(&all[..2], &json!({ "account": { "rpd": 7 } }), 5));
    let served = (0..20).filter(|_| app.chat().status == 200).count();
    assert_eq!(served, 7);
    assert_eq!(upstreams[0].calls() + upstreams[1].calls(), 7);
    assert!(upstreams.iter().all(|upstream| upstream.calls() <= 5), "each has a limit of its own, too");
    // What the group refused was not taken from the APIs' own limits.
    let own = app.usage_of("a").0 + app.usage_of("b").0;
    assert_eq!(own, 7);
    let group = app.status_of("a")["quotas"][0].clone();
    assert_eq!((&group["of"], &group["usage"]["rpd"]), (&json!("group account"), &json!(7)));
    assert_eq!(reason(app.chat()), "rpd");
    let app = app.kill_and_restart();
    assert_eq!(reason(app.chat()), "rpd", "over a kill, too");
}

#[test]
fn a_group_that_is_not_described_has_the_tightest_limits_of_its_members() {
    let upstreams = [0, 1].map(|i| Upstream::always(Reply::chat(&i.to_string())));
    let mut config = grouped(&[&upstreams[0], &upstreams[1]], &json!({}), 9);
    config["apis"][1]["rpm"] = json!(6);
    let app = App::start(&config);
    assert_eq!((0..20).filter(|_| app.chat().status == 200).count(), 6);
    // A reload that describes it applies to what is spent.
    config["quotaGroups"] = json!({ "account": { "rpm": 8 } });
    std::fs::write(app.config_file(), config.to_string()).expect("writes");
    eventually("two more have room", || app.chat().status == 200);
    assert_eq!((0..20).filter(|_| app.chat().status == 200).count(), 1);
    assert_eq!(upstreams[0].calls() + upstreams[1].calls(), 8);
}

#[test]
fn a_group_holds_at_once_and_under_concurrency() {
    let upstreams = [0, 1].map(|i| Upstream::always(Reply::chat(&i.to_string())));
    let app = App::start(&grouped(
        &[&upstreams[0], &upstreams[1]],
        &json!({ "account": { "rpm": 40, "tpm": 1_000_000 } }),
        30,
    ));
    let served = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..20 {
                    served.fetch_add(usize::from(app.chat().status == 200), std::sync::atomic::Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(served.into_inner(), 40);
    assert_eq!(upstreams[0].calls() + upstreams[1].calls(), 40);
}

#[test]
fn what_an_upstream_turns_away_counts_or_not_as_wanted() {
    for (count_on, counted) in [("attempt", 1), ("accepted", 0)] {
        let upstream = Upstream::in_turn(vec![Reply::error(429, "slow down"), Reply::chat("hi")]);
        let app = App::start(&config_with(&upstream, &json!({ "rpd": 5, "countOn": count_on })));
        assert_eq!(app.chat().status, 429);
        eventually("it is settled", || app.status_of("a")["inFlight"] == 0);
        assert_eq!(app.usage_of("a"), (counted, counted), "{count_on}");
        eventually("it has rested", || app.chat().status == 200);
        // Over a kill, too.
        eventually("it is settled", || app.status_of("a")["inFlight"] == 0);
        assert_eq!(app.usage_of("a").1, counted + 1, "{count_on}");
    }
}

#[test]
fn every_answer_tells_what_the_pool_has_left_for_the_model() {
    let (first, second) = (Upstream::always(Reply::chat("1")), Upstream::always(Reply::chat("2")));
    let mut config = config_of(&[&first, &second]);
    config["apis"][0]["rpm"] = json!(3);
    config["apis"][1]["rpd"] = json!(2);
    config["apis"][1]["models"] = json!(["m", "free"]);
    let app = App::start(&config);
    let told =
        |answer: &Response, name: &str| answer.header(&format!("x-ratelimit-{name}-requests")).map(str::to_owned);
    for left in (0..5).rev() {
        let answer = app.chat();
        assert_eq!(answer.status, 200);
        assert_eq!(told(&answer, "limit").as_deref(), Some("5"));
        assert_eq!(told(&answer, "remaining"), Some(left.to_string()));
        assert!(told(&answer, "reset").expect("told").ends_with('s'));
    }
    let refused = app.chat();
    assert_eq!((refused.status, told(&refused, "remaining").as_deref()), (429, Some("0")));
    // A stream, and an answer that is an error, tell it too; where one has no limit there is nothing to tell.
    config["apis"][0]["rpm"] = json!(10);
    std::fs::write(app.config_file(), config.to_string()).expect("writes");
    eventually("there is room again", || app.chat().status == 200);
    config["apis"][0]["rpm"] = json!(-1);
    std::fs::write(app.config_file(), config.to_string()).expect("writes");
    eventually("there is no limit", || {
        let answer = app.chat();
        answer.status == 200 && told(&answer, "limit").is_none()
    });
}

#[test]
fn rate_limit_headers_count_a_group_once_and_no_disabled_api() {
    let upstreams = [0, 1, 2, 3].map(|i| Upstream::always(Reply::chat(&i.to_string())));
    let mut config = config_of(&upstreams.each_ref());
    for i in 0..2 {
        config["apis"][i]["quotaGroup"] = json!("account");
        config["apis"][i]["rpd"] = json!(5);
    }
    config["quotaGroups"] = json!({ "account": { "modelLimits": { "m": { "rpm": 6 } } } });
    // Where the number of attempts at the same time is limited, every attempt asks.
    config["apis"][2]["maxConcurrent"] = json!(50);
    config["apis"][2]["rpm"] = json!(2);
    config["apis"][3]["enabled"] = json!(false);
    let app = App::start(&config);
    for left in (0..8).rev() {
        let answer = app.chat();
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("x-ratelimit-limit-requests"), Some("8"));
        assert_eq!(answer.header("x-ratelimit-remaining-requests"), Some(&*left.to_string()));
    }
    let refused = app.chat();
    assert_eq!((refused.status, refused.header("x-ratelimit-remaining-requests")), (429, Some("0")));
}

#[test]
fn what_the_pool_has_left_takes_the_place_of_what_an_upstream_tells_of_itself() {
    let headers = [("x-ratelimit-remaining-requests", "77"), ("x-ratelimit-limit-tokens", "5")];
    let body = r#"{"choices":[{}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#;
    let upstream = Upstream::always(Reply::text(200, &headers, body));
    let app = App::start(&config_with(&upstream, &json!({ "rpm": 9 })));
    let answer = app.chat();
    assert_eq!(answer.header("x-ratelimit-remaining-requests"), Some("8"), "the pool's");
    assert_eq!(answer.header("x-ratelimit-limit-tokens"), None);
}

#[test]
fn limits_that_a_reload_brings_apply_to_what_is_spent() {
    let upstreams = [0, 1].map(|i| Upstream::always(Reply::chat(&i.to_string())));
    let mut config = config_of(&[&upstreams[0], &upstreams[1]]);
    config["apis"][0]["models"] = json!(["m", "other"]);
    let app = App::start(&config);
    for _ in 0..8 {
        assert_eq!((app.chat().status, ask(&app, "other", 1).status), (200, 200));
    }
    eventually("all are settled", || app.usage_of("a").0 + app.usage_of("b").0 == 16);
    let of = |upstream: &Upstream| upstream.received().iter().filter(|asked| asked.json()["model"] == "m").count();
    let spent = of(&upstreams[0]);
    let put = |config: &Value| std::fs::write(app.config_file(), config.to_string()).expect("writes");
    let told = |path: &str| app.status_of("a").pointer(path).cloned().unwrap_or_default();
    // A model's, which was only counted so far.
    config["apis"][0]["modelLimits"] = json!({ "m": { "rpm": 100 } });
    put(&config);
    eventually("it is in force", || told("/quotas/0/limits/rpm") == 100);
    assert_eq!(told("/quotas/0/usage/rpm"), spent);
    // A group's: what its members have spent.
    for i in 0..2 {
        config["apis"][i]["quotaGroup"] = json!("both");
    }
    config["quotaGroups"] = json!({ "both": { "rpm": 18, "modelLimits": { "m": { "rpm": 9 } } } });
    put(&config);
    eventually("it is in force", || told("/quotas/0/of") == "group both" && told("/quotas/0/usage/rpm") == 16);
    assert_eq!((app.chat().status, app.chat().status), (200, 429), "of the model, eight were spent");
    assert_eq!((ask(&app, "other", 1).status, ask(&app, "other", 1).status), (200, 429), "and of all, sixteen");
}

#[test]
fn a_burst_that_changes_counts_what_is_spent() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = config_with(&upstream, &json!({ "rpm": 100, "burst": { "requests": 5, "seconds": 30 } }));
    let app = App::start(&config);
    let served = |app: &App| (0..10).filter(|_| app.chat().status == 200).count();
    assert_eq!(served(&app), 5);
    config["apis"][0]["burst"]["requests"] = json!(6);
    std::fs::write(app.config_file(), config.to_string()).expect("writes");
    eventually("one more has room", || app.chat().status == 200);
    assert_eq!(served(&app), 0);
    let app = app.kill_and_restart();
    assert_eq!(served(&app), 0);
}

#[test]
fn of_several_full_windows_the_last_to_free_is_named() {
    let upstream = Upstream::always(of_tokens(1_000));
    let app = App::start(&config_with(&upstream, &json!({ "tpm": 1_000, "burst": { "requests": 1, "seconds": 1 } })));
    assert_eq!(ask(&app, "m", 10).status, 200);
    eventually("it is counted", || app.status_of("a")["usage"]["tpm"] == 1_000);
    let refused = ask(&app, "m", 10);
    let wait: u64 = refused.header("retry-after").expect("told").parse().expect("seconds");
    assert!(wait > 50, "{wait}");
    assert_eq!(reason(refused), "tpm");
}

#[test]
fn a_place_among_those_at_the_same_time_may_be_waited_for_however_short() {
    let upstream = Upstream::always(Reply::chat("hi").after(std::time::Duration::from_millis(100)));
    let mut config = config_with(&upstream, &json!({ "maxConcurrent": 1 }));
    config["queue"] = json!({ "maxWaitMs": 900 });
    let app = App::start(&config);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(|| app.chat().status)).collect();
        threads.into_iter().map(|thread| thread.join().expect("answered")).collect()
    });
    assert_eq!(statuses, [200; 3]);
}
