//! What the upstreams' answers cost.

use serde_json::{Value, json};

use crate::helpers::{App, Reply, Upstream, config_of, eventually, first_then_second};

fn stats(app: &App) -> Value {
    app.client().get("/v1/token/stats").json()
}

#[test]
fn tokens_are_summed_by_api_by_hour_and_by_day() {
    let (first, second) = (Upstream::always(Reply::chat("1")), Upstream::always(Reply::chat("2")));
    let app = App::start(&first_then_second(&first, &second, 2));
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
    let app = App::start(&first_then_second(&first, &second, 1));
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

/// A chat answer that says this at this usage.
fn answer(text: &str, usage: &Value) -> Reply {
    Reply::json(
        200,
        &json!({ "choices": [{ "message": { "role": "assistant", "content": text }, "finish_reason": "stop" }], "usage": usage }),
    )
}

#[test]
fn each_count_of_a_usage_is_read_by_itself() {
    for (usage, total) in [
        (json!({ "prompt_tokens": 14_000.0, "completion_tokens": 474.0, "total_tokens": 14_474.0 }), 14_474),
        (json!({ "prompt_tokens": "4000", "completion_tokens": "1000", "total_tokens": "5000" }), 5_000),
        (json!({ "prompt_tokens": 400, "completion_tokens": 600, "total_tokens": -1 }), 1_000),
        (json!({ "prompt_tokens": 400, "completion_tokens": null, "total_tokens": 1_000 }), 1_000),
        (json!({ "prompt_tokens": 400, "completion_tokens": 600, "total_tokens": u64::MAX }), 1_000),
        (json!({ "prompt_tokens": 400, "completion_tokens": 600, "total_tokens": 1 }), 1_000),
        (json!({ "prompt_tokens": 400, "completion_tokens": 0, "total_tokens": 900 }), 900),
    ] {
        let app = App::on(&[&Upstream::always(answer("hello", &usage))]);
        assert_eq!(app.chat().status, 200, "{usage}");
        eventually("it is counted", || stats(&app)["summary"]["totalTokens"] == total);
        assert_eq!(stats(&app)["detailedStats"]["a"]["estimatedTokens"], 0, "{usage}");
    }
}

#[test]
fn an_answer_whose_usage_is_zero_passes_and_is_counted_by_its_text() {
    let zeros = json!({ "prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0 });
    let app = App::on(&[&Upstream::always(answer(&"word".repeat(500), &zeros))]);
    assert_eq!(app.chat().status, 200);
    eventually("it is counted", || stats(&app)["detailedStats"]["a"]["completionTokens"] == 500);
    assert_eq!(stats(&app)["detailedStats"]["a"]["estimatedTokens"], stats(&app)["summary"]["totalTokens"]);
    assert_eq!(app.status_of("a")["errorCount"], 0);

    let (empty, good) = (Upstream::always(answer("", &zeros)), Upstream::always(Reply::chat("good")));
    let mut config = config_of(&[&empty, &good]);
    config["apis"][1]["priority"] = json!(1);
    assert!(App::start(&config).chat().text().contains("good"), "an empty text with zeros moves on");
}

#[test]
fn streams_that_report_zeros_use_up_a_limit_of_tokens() {
    let zeros =
        json!({ "prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0, "input_tokens": 0, "output_tokens": 0 });
    let chunk = |text: &str, usage: &Value| json!({ "choices": [{ "index": 0, "delta": { "content": text }, "finish_reason": null }], "usage": usage });
    let stop = json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }], "usage": zeros });
    let words = |usage: &Value| -> Vec<Value> { (0..250).map(|_| chunk(&"word".repeat(10), usage)).collect() };
    let delta = json!({ "type": "response.output_text.delta", "delta": "word".repeat(10) });
    let completed = json!({ "type": "response.completed", "response": { "usage": zeros } });
    let (chat, responses) = ("/v1/chat/completions", "/v1/responses");
    for (what, path, events) in [
        ("at the end", chat, [words(&Value::Null), vec![stop.clone()]].concat()),
        ("in each chunk", chat, [words(&zeros), vec![stop.clone()]].concat()),
        ("responses", responses, [vec![delta; 250], vec![completed]].concat()),
    ] {
        let text: String =
            events.iter().map(|event| format!("data: {event}\n\n")).chain(["data: [DONE]\n\n".into()]).collect();
        let upstream = Upstream::always(Reply::events(&[&text]));
        let mut config = config_of(&[&upstream]);
        config["apis"][0]["tpm"] = json!(3_000);
        let app = App::start(&config);
        let mut passed = 0;
        for _ in 0..6 {
            let answer = app
                .client()
                .post(path, &json!({ "model": "m", "stream": true, "max_tokens": 1, "max_output_tokens": 1 }));
            passed += usize::from(answer.status == 200);
            answer.bytes();
            eventually("it is settled", || app.status_of("a")["inFlight"] == 0);
        }
        assert!((1..=3).contains(&passed), "{what}: {passed} passed");
    }
}

#[test]
fn a_usage_behind_an_answer_that_is_too_large_to_keep_is_read() {
    let vectors = "0.12345678,".repeat((12 << 20) / 11);
    let usage = r#""usage":{"prompt_tokens":50000,"total_tokens":50000}"#;
    for body in [
        format!(r#"{{"object":"list","data":[{{"embedding":[{vectors}0]}}],"model":"m",{usage}}}"#),
        format!(r#"{{{usage},"data":[{{"b64_json":"{}"}}]}}"#, "A".repeat(12 << 20)),
    ] {
        let upstream = Upstream::always(Reply::text(200, &[("content-type", "application/json")], &body));
        let app = App::on(&[&upstream]);
        let answer = app.client().post("/v1/embeddings", &json!({ "model": "m", "input": "x" }));
        assert!(answer.text() == body);
        eventually("it is counted", || stats(&app)["summary"]["totalTokens"] == 50_000);
    }
}
