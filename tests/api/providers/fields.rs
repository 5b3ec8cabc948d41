//! The fields that a preset fills in, typed by hand.

use serde_json::{Value, json};

use super::{ask, asked_for, chat_with};
use crate::helpers::{App, Reply, Upstream, config_of, config_with, eventually};

/// An upstream with the models `m` and `n`.
fn app(upstream: &Upstream, fields: &Value) -> App {
    let mut config = config_with(upstream, fields);
    config["apis"][0]["models"] = json!(["m", "n"]);
    App::start(&config)
}

#[test]
fn a_limit_of_one_model_leaves_the_others() {
    let plain = json!({ "prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2 });
    let spent = [("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", "50s")];
    let words =
        "Rate limit reached for model `m` in organization `o` on tokens per minute (TPM): Limit 6000, Used 6000";
    let by_model = json!({ "limitsPer": "model" });
    for (what, reply, fields, others_go_on) in [
        ("the last answer", chat_with(&plain, &spent), by_model.clone(), true),
        ("the last answer of an account", chat_with(&plain, &spent), json!({}), false),
        ("a 429", Reply::text(429, &[("retry-after", "50")], "{}"), by_model.clone(), true),
        ("a 429 of an account", Reply::text(429, &[("retry-after", "50")], "{}"), json!({}), false),
        ("a 503 with a time", Reply::text(503, &[("retry-after", "50")], "{}"), by_model, true),
        ("a 429 that names the model", Reply::text(429, &[("retry-after", "50")], words), json!({}), true),
    ] {
        let fine = chat_with(&plain, &[]);
        let upstream = Upstream::start(move |request| match request.json()["model"].as_str() {
            Some("m") => reply.clone(),
            _ => fine.clone(),
        });
        let app = app(&upstream, &fields);
        ask(&app, "m", &json!({})).bytes();
        eventually("it is settled", || app.status_of("a")["inFlight"] == 0);
        assert_eq!(ask(&app, "n", &json!({})).status == 200, others_go_on, "{what}");
        let refused = ask(&app, "m", &json!({}));
        assert!(matches!(refused.status, 429 | 503), "{what}: {}", refused.status);
        assert_eq!(asked_for(&upstream, "m"), 1, "{what}");
        let status = app.status_of("a");
        assert_eq!(status["absentModels"][0]["model"] == "m", others_go_on, "{what}: {status}");
        assert_eq!(status["available"], others_go_on, "{what}");
    }
}

#[test]
fn tokens_count_as_the_provider_counts_them() {
    let usage = json!({
        "prompt_tokens": 900, "completion_tokens": 300, "total_tokens": 1_200,
        "prompt_tokens_details": { "cached_tokens": 800 },
    });
    for (fields, counted) in [
        (json!({}), 1_200),
        (json!({ "tpmCounts": "all", "cachedTokensCount": true }), 1_200),
        (json!({ "tpmCounts": "input" }), 900),
        (json!({ "cachedTokensCount": false }), 400),
        (json!({ "tpmCounts": "input", "cachedTokensCount": false }), 100),
    ] {
        let upstream = Upstream::always(chat_with(&usage, &[]).held());
        let mut limited = fields.clone();
        limited.as_object_mut().expect("an object").extend([("tpm".to_owned(), json!(100_000))]);
        let app = app(&upstream, &limited);
        std::thread::scope(|scope| {
            let first = scope.spawn(|| ask(&app, "m", &json!({ "max_tokens": 5_000 })).status);
            eventually("it is out", || upstream.calls() == 1);
            let reserved = app.status_of("a")["usage"]["tpm"].as_u64().expect("a count");
            assert_eq!(reserved >= 5_000, fields["tpmCounts"] != "input", "{fields}: {reserved} are set aside");
            upstream.release();
            assert_eq!(first.join().expect("answered"), 200);
        });
        eventually("it is corrected", || app.status_of("a")["usage"]["tpm"] == counted);
    }
}

#[test]
fn a_field_with_a_wrong_word_is_refused() {
    for (fields, says) in [
        (json!({ "tpmCounts": "output" }), "apis[0].tpmCounts: must be all or input"),
        (json!({ "limitsPer": "key" }), "apis[0].limitsPer: must be account or model"),
        (json!({ "cachedTokensCount": "no" }), "apis[0].cachedTokensCount: must be true or false"),
        (json!({ "streamUsage": true }), "apis[0].streamUsage: must be a string"),
        (
            json!({ "unsupportedParameters": ["seeds"] }),
            "apis[0].unsupportedParameters[0]: must be one of frequency_penalty, ",
        ),
        (json!({ "retryRejected": 1 }), "apis[0].retryRejected: must be true or false"),
        (json!({ "tpmCount": "all" }), "apis[0].tpmCount: unknown field, did you mean tpmCounts?"),
    ] {
        let upstream = Upstream::always(Reply::chat("hi"));
        let launch = crate::helpers::Launch::new(&config_with(&upstream, &fields));
        let output = launch.command().args(["check", "--config", "apis.json"]).output().expect("runs");
        let told = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        assert!(told.contains(says) && !output.status.success(), "{fields}: {told}");
    }
}

/// A stream that tells its usage in the last event, whoever asks.
fn stream() -> Reply {
    Reply::events(&[
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"},\"finish_reason\":null}]}\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":70,\"completion_tokens\":7,\"total_tokens\":77}}\n\n",
        "data: [DONE]\n\n",
    ])
}

#[test]
fn the_usage_of_streams_is_asked_for_as_the_entry_says() {
    let wish = json!({ "include_usage": true });
    for (fields, typed, sent) in [
        (json!({}), json!({}), Some(wish.clone())),
        (json!({}), json!({ "stream_options": wish }), Some(wish.clone())),
        (json!({ "streamUsage": "unasked" }), json!({}), None),
        (json!({ "streamUsage": "unasked" }), json!({ "stream_options": wish }), None),
        (json!({ "streamUsage": "never" }), json!({}), None),
        (json!({ "streamUsage": "never" }), json!({ "stream_options": wish }), Some(wish.clone())),
    ] {
        let upstream = Upstream::always(stream());
        let app = app(&upstream, &fields);
        let mut asked = json!({ "stream": true, "temperature": 0 });
        asked.as_object_mut().expect("an object").extend(typed.as_object().expect("fields").clone());
        let answer = ask(&app, "m", &asked);
        assert!(answer.status == 200 && answer.text().contains("[DONE]"));
        let received = upstream.received()[0].json();
        assert_eq!(received.get("stream_options"), sent.as_ref(), "{fields} {typed}");
        assert_eq!((&received["model"], &received["temperature"]), (&json!("m"), &json!(0)), "all else is there");
        eventually("its tokens are counted", || app.status_of("a")["usage"]["tpm"] == 77);
    }
}

/// Two upstreams of `m`: the first refuses `logprobs`, and is asked first.
fn one_refuses(fields: &Value) -> (Upstream, Upstream, App) {
    let refusal = json!({ "error": {
        "message": "logprobs is not supported with this model", "type": "invalid_request_error", "param": "logprobs",
    } });
    let picky = Upstream::start(move |request| match request.json()["logprobs"].is_null() {
        true => Reply::chat("picky"),
        false => Reply::json(400, &refusal),
    });
    let other = Upstream::always(Reply::chat("other"));
    let mut config = config_of(&[&picky, &other]);
    config["apis"][0].as_object_mut().expect("an API").extend(fields.as_object().expect("fields").clone());
    config["apis"][1]["priority"] = json!(1);
    let app = App::start(&config);
    (picky, other, app)
}

#[test]
fn a_request_with_an_unsupported_parameter_goes_elsewhere_without_an_attempt() {
    let (picky, other, app) = one_refuses(&json!({ "unsupportedParameters": ["logprobs", "seed"] }));
    for (more, said) in [
        (json!({ "logprobs": true }), "other"),
        (json!({ "seed": 7 }), "other"),
        (json!({ "logprobs": null, "tools": [{ "logprobs": 1 }] }), "picky"),
        (json!({}), "picky"),
        (json!({ "logprobs": true }), "other"),
    ] {
        let answer = ask(&app, "m", &more);
        assert!(answer.status == 200 && answer.text().contains(said), "{more}");
    }
    assert_eq!((picky.calls(), other.calls()), (2, 3));
}

#[test]
fn a_request_with_an_unsupported_parameter_is_sent_as_it_is_if_nobody_takes_it() {
    for (field, value) in
        [("enabled", json!(false)), ("unsupportedParameters", json!(["logprobs"])), ("models", json!(["n"]))]
    {
        let (picky, other, app) = one_refuses(&json!({ "unsupportedParameters": ["logprobs"] }));
        let text = std::fs::read_to_string(app.config_file()).expect("reads");
        drop(app);
        let mut config: Value = serde_json::from_str(&text).expect("JSON");
        config["apis"][1][field] = value;
        let app = App::start(&config);
        let answer = ask(&app, "m", &json!({ "logprobs": true }));
        assert!(
            answer.status == 400 && answer.text().contains("logprobs is not supported"),
            "{field}: in its own words"
        );
        assert_eq!((picky.calls(), other.calls()), (1, 0), "{field}");
    }
}

#[test]
fn a_rejected_request_is_tried_elsewhere_only_if_the_entry_says_so() {
    for (fields, said) in [(json!({}), None), (json!({ "retryRejected": true }), Some("other"))] {
        let (picky, other, app) = one_refuses(&fields);
        let answer = ask(&app, "m", &json!({ "logprobs": true }));
        assert_eq!(answer.status, if said.is_some() { 200 } else { 400 }, "{fields}");
        assert!(answer.text().contains(said.unwrap_or("logprobs is not supported")), "{fields}");
        assert_eq!((picky.calls(), other.calls()), (1, usize::from(said.is_some())));
        assert_eq!(app.status_of("a")["errorCount"], 0, "nothing is held against it");
        assert!(ask(&app, "m", &json!({})).text().contains("picky"), "it rests for nothing");
    }
}

#[test]
fn the_last_rejection_passes_as_it_is_and_a_moderators_verdict_at_once() {
    let rejects = |code: Value| {
        let error = json!({ "error": { "message": "no", "type": "invalid_request_error", "code": code } });
        Upstream::always(Reply::json(400, &error))
    };
    for (code, calls) in [(Value::Null, (1, 1)), (json!("content_filter"), (1, 0))] {
        let (first, second) = (rejects(code.clone()), rejects(code.clone()));
        let mut config = config_of(&[&first, &second]);
        config["apis"][0]["retryRejected"] = json!(true);
        config["apis"][1]["retryRejected"] = json!(true);
        config["apis"][1]["priority"] = json!(1);
        let app = App::start(&config);
        let answer = ask(&app, "m", &json!({}));
        assert_eq!((answer.status, &answer.json()["error"]["message"]), (400, &json!("no")));
        assert_eq!((first.calls(), second.calls()), calls, "{code}");
    }
}
