//! What the upstreams' answers cost.

use serde_json::{Value, json};

use crate::helpers::{App, Reply, Upstream, config_of, eventually};

fn stats(app: &App) -> Value {
    app.client().get("/v1/token/stats").json()
}

#[test]
fn tokens_are_summed_by_api_by_hour_and_by_day() {
    let (first, second) = (Upstream::always(Reply::chat("1")), Upstream::always(Reply::chat("2")));
    let mut config = config_of(&[&first, &second]);
    config["apis"][0]["rpd"] = json!(2);
    config["apis"][1]["priority"] = json!(1);
    let app = App::start(&config);
    for _ in 0..5 {
        assert_eq!(app.chat().status, 200);
    }
    eventually("all are counted", || stats(&app)["summary"]["totalRequests"] == 5);
    let stats = stats(&app);
    assert_eq!(
        stats["summary"],
        json!({
            "totalTokens": 35, "totalRequests": 5, "totalPromptTokens": 15, "totalCompletionTokens": 20,
            "currentHourTokens": 35, "currentDayTokens": 35, "averageTokensPerRequest": 7, "activeApis": 2,
        })
    );
    assert!(stats["service"].is_string() && stats["timestamp"].is_string());
    let api = &stats["detailedStats"]["b"];
    assert_eq!(
        (&api["totalTokens"], &api["promptTokens"], &api["completionTokens"]),
        (&json!(21), &json!(9), &json!(12))
    );
    assert_eq!(api["requests"], 3);
    assert!(api["lastUsed"].as_str().expect("a time").ends_with('Z'));
    for buckets in [&api["hourlyStats"], &api["dailyStats"]] {
        let sum: u64 = buckets.as_object().expect("by start").values().filter_map(Value::as_u64).sum();
        assert_eq!(sum, 21, "{buckets}");
    }
}

#[test]
fn statistics_are_reset_for_one_or_for_all_and_quotas_stay() {
    let (first, second) = (Upstream::always(Reply::chat("1")), Upstream::always(Reply::chat("2")));
    let mut config = config_of(&[&first, &second]);
    config["apis"][0]["rpd"] = json!(1);
    config["apis"][1]["priority"] = json!(1);
    let app = App::start(&config);
    assert_eq!((app.chat().status, app.chat().status), (200, 200));
    eventually("both are counted", || stats(&app)["summary"]["totalRequests"] == 2);
    // Long enough for the statistics to be saved, which they are at once, or 20 ms later: a reset must undo that.
    std::thread::sleep(std::time::Duration::from_millis(250));
    let reset = |body: &str| app.client().request("POST", "/v1/token/reset", body.as_bytes());

    assert_eq!(reset(r#"{"apiId":"none"}"#).error(), (404, "unknown_api".into()));
    assert_eq!(reset(r#"{"apiID":"a"}"#).error().0, 400, "a slip of the pen must not reset all");
    assert_eq!(stats(&app)["summary"]["totalRequests"], 2);

    assert_eq!(reset(r#"{"apiId":"a"}"#).status, 200);
    let left = stats(&app);
    assert_eq!((&left["summary"]["totalTokens"], left["detailedStats"].get("a")), (&json!(7), None));
    assert_eq!(app.status_of("a")["usage"]["rpd"], 1, "what was sent was sent");

    let app = app.kill_and_restart();
    assert_eq!(stats(&app)["summary"]["totalTokens"], 7, "a reset is for good");
    assert_eq!(app.client().request("POST", "/v1/token/reset", b"").status, 200);
    assert_eq!(stats(&app)["summary"]["totalTokens"], 0);
}

#[test]
fn failures_cost_no_tokens() {
    let upstream = Upstream::always(Reply::error(400, "x"));
    let app = App::on(&[&upstream]);
    assert_eq!(app.chat().status, 400);
    eventually("it is settled", || app.status_of("a")["inFlight"] == 0);
    assert_eq!(stats(&app)["summary"]["totalRequests"], 0);
}

#[test]
fn a_sum_that_no_counter_holds_is_no_defect() {
    let huge =
        json!({ "choices": [{}], "usage": { "prompt_tokens": 1, "completion_tokens": 1, "total_tokens": u64::MAX } });
    let upstream = Upstream::always(Reply::json(200, &huge));
    let app = App::on(&[&upstream]);
    assert_eq!((app.chat().status, app.chat().status), (200, 200));
    eventually("both are counted", || stats(&app)["summary"]["totalRequests"] == 2);
    assert_eq!(stats(&app)["summary"]["totalTokens"], u64::MAX);
}
