//! What each failure of an upstream means: for the request, for the upstream, for the client.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use api_together::types::FailureClass;
use serde_json::{Value, json};

use crate::helpers::{App, Reply, Step, Upstream, config_of, eventually};

/// `first` is asked before `second`; with these fields in the configuration besides.
fn in_order(first: &Upstream, second: &Upstream, fields: &Value) -> Value {
    let mut config = config_of(&[first, second]);
    config["apis"][1]["priority"] = json!(1);
    config.as_object_mut().expect("an object").extend(fields.as_object().expect("fields").clone());
    config
}

fn ask(app: &App, model: &str) -> u16 {
    app.client().post("/v1/chat/completions", &json!({ "model": model, "messages": [] })).status
}

#[test]
fn the_document_of_failures_has_every_class() {
    let table = include_str!("../../docs/failures.md");
    for class in FailureClass::ALL {
        // What to do about the class, and its rules.
        assert_eq!(table.matches(&format!("\n| `{}` |", class.as_str())).count(), 2, "rows for {}", class.as_str());
    }
}

#[test]
fn each_status_has_its_meaning_for_the_request_the_upstream_and_the_client() {
    // status of the upstream; is another one asked; why the upstream rests then; what a client sees if there is no other.
    for (status, moves_on, rests, alone) in [
        (400, false, None, 400),
        (409, true, None, 409),
        (413, false, None, 413),
        (415, false, None, 415),
        (418, true, None, 418),
        (422, false, None, 422),
        (404, true, None, 404),
        (405, true, None, 405),
        (410, true, None, 410),
        (300, true, None, 502),
        (301, true, None, 502),
        (304, true, None, 502),
        (401, true, Some("unauthorized"), 502),
        (402, true, Some("payment_required"), 502),
        (403, true, None, 502),
        (408, true, None, 408),
        (429, true, Some("cooldown"), 429),
        (500, true, None, 500),
        (501, true, None, 501),
        (502, true, None, 502),
        (503, true, None, 503),
        (504, true, None, 504),
        (529, true, None, 529),
        (599, true, None, 599),
    ] {
        let (bad, good) = (Upstream::always(Reply::error(status, "no")), Upstream::always(Reply::chat("hi")));
        let app = App::start(&in_order(&bad, &good, &json!({})));
        assert_eq!(app.chat().status, if moves_on { 200 } else { alone }, "{status}");
        assert_eq!((bad.calls(), good.calls()), (1, usize::from(moves_on)), "{status}");
        let told = app.status_of("a")["unavailableReason"].clone();
        assert_eq!(told, rests.map_or(Value::Null, Value::from), "{status}");
        drop(app);
        assert_eq!(App::on(&[&bad]).chat().status, alone, "{status}, alone");
    }
}

#[test]
fn an_upstream_without_a_model_goes_on_with_its_others() {
    let a = Upstream::start(|request| {
        let body: Value = serde_json::from_slice(&request.body).expect("JSON");
        if body["model"] == "own-m" {
            return Reply::json(
                404,
                &json!({ "error": { "message": "The model `own-m` does not exist or you do not have access to it.",
                    "type": "invalid_request_error", "param": null, "code": "model_not_found" } }),
            );
        }
        Reply::chat("a")
    });
    let b = Upstream::always(Reply::chat("b"));
    let mut config = in_order(&a, &b, &json!({}));
    config["apis"][0]["models"] = json!(["own-m", "n"]);
    config["apis"][0]["modelMapping"] = json!({ "m": "own-m" });
    let app = App::start(&config);
    for _ in 0..20 {
        assert_eq!((ask(&app, "m"), ask(&app, "n")), (200, 200));
    }
    assert_eq!((a.calls(), b.calls()), (21, 20), "it was asked for m once, and for n each time");
    let status = app.status_of("a");
    assert_eq!((&status["available"], &status["errorCount"]), (&json!(true), &json!(0)), "it is well: {status}");
    assert_eq!(status["absentModels"][0]["model"], "own-m");
    let told = app.client().get("/v1/status?model=m").json();
    assert_eq!(told["explain"]["apis"][0]["reason"], "model_not_found", "{told}");
    assert_eq!(app.client().get("/v1/status?model=n").json()["explain"]["apis"][0]["eligible"], true);

    config["apis"][0]["name"] = json!("mended");
    std::fs::write(app.config_file(), config.to_string()).expect("writes");
    eventually("a changed entry is asked again", || app.status_of("a")["absentModels"] == json!([]));
    assert_eq!((ask(&app, "m"), a.calls()), (200, 22));
}

#[test]
fn a_model_that_nobody_serves_after_all_is_a_404_and_no_more_calls_if_a_code_says_so() {
    let told = |code: &str| {
        let message = "model \"m\" not found, try pulling it first";
        Upstream::always(Reply::json(
            404,
            &json!({ "error": { "message": message, "type": "api_error", "code": code } }),
        ))
    };
    let certain = told("model_not_found");
    let app = App::on(&[&certain]);
    let first = app.chat();
    assert_eq!(first.status, 404);
    assert!(first.text().contains("try pulling it first"), "the first client gets the upstream's own words");
    for _ in 0..3 {
        assert_eq!(app.chat().error(), (404, "model_not_found".to_owned()));
    }
    assert_eq!(certain.calls(), 1);
    let uncertain = told("");
    let app = App::on(&[&uncertain]);
    for nth in 1..=4 {
        let answer = app.chat();
        assert!(answer.status == 404 && answer.text().contains("try pulling it first"));
        assert_eq!(uncertain.calls(), nth, "no other upstream has served it");
    }
}

#[test]
fn what_is_retried_can_be_chosen() {
    let any = json!({ "retry": { "retryOn": "any" } });
    let limits = json!({ "retry": { "retryOn": ["rate_limited", "timeout"] } });
    let refused = || Reply::error(400, "bad request");
    for (reply, fields, served, calls) in [
        (refused(), &any, 200, (1, 1)),
        (Reply::error(404, "no such thing"), &any, 200, (1, 1)),
        (refused(), &limits, 400, (1, 0)),
        (Reply::error(500, "broken"), &limits, 500, (1, 0)),
        (Reply::error(429, "slow down"), &limits, 200, (1, 1)),
        (Reply::json(200, &json!({ "error": { "code": 400, "message": "bad" } })), &any, 200, (1, 1)),
        (Reply::json(200, &json!({ "error": { "code": 500, "message": "bad" } })), &limits, 502, (1, 0)),
    ] {
        let (a, b) = (Upstream::always(reply), Upstream::always(Reply::chat("b")));
        let app = App::start(&in_order(&a, &b, fields));
        assert_eq!(app.chat().status, served, "{fields}");
        assert_eq!((a.calls(), b.calls()), calls, "{fields}");
    }
    let (a, b) = (Upstream::always(refused()), Upstream::always(Reply::error(422, "bad, too")));
    let app = App::start(&in_order(&a, &b, &any));
    for _ in 0..4 {
        assert_eq!(app.chat().status, 422, "the last one's word");
    }
    assert_eq!((a.calls(), b.calls()), (4, 4), "and a caller's mistake rests nobody");
}

#[test]
fn where_upstreams_are_in_trouble_retries_are_a_part_of_the_requests() {
    // Never three failures in a row: the breaker stays closed.
    let nth = std::sync::atomic::AtomicUsize::new(0);
    let a = Upstream::start(move |_| match nth.fetch_add(1, Ordering::SeqCst) % 2 {
        0 => Reply::error(500, "broken").kept(),
        _ => Reply::chat("a").kept(),
    });
    let b = Upstream::always(Reply::chat("b").kept());
    let budget = json!({ "retry": { "budget": { "percent": 20, "perSecond": 0 } } });
    let app = App::start(&in_order(&a, &b, &budget));
    let failed = (0..200).filter(|_| app.chat().status == 500).count();
    assert_eq!((a.calls(), failed + b.calls()), (200, 100), "half of them failed there");
    let told = app.client().get("/v1/status").json()["retry"]["budget"].clone();
    assert_eq!(
        b.calls() as u64 + told["left"].as_u64().expect("a number"),
        40,
        "20 of a hundred are tried again: {told}"
    );
    assert!(b.calls() >= 39 && told["denied"] == failed, "{told}");
    assert!(app.log().contains("status=500"));

    let limited = Upstream::always(Reply::error(429, "slow down"));
    let app = App::start(&in_order(&limited, &b, &json!({ "retry": { "budget": { "percent": 0, "perSecond": 0 } } })));
    assert_eq!(app.chat().status, 200, "a limit is no trouble: the upstream rests, and trying elsewhere costs nothing");
}

#[test]
fn a_pool_that_fails_altogether_sends_few_retries() {
    let upstreams: Vec<Upstream> = (0..10).map(|_| Upstream::always(Reply::error(500, "broken").kept())).collect();
    let mut config = config_of(&upstreams.iter().collect::<Vec<_>>());
    config["retry"] = json!({ "budget": { "perSecond": 1 } });
    let app = App::start(&config);
    let answers: Vec<u16> = (0..300).map(|_| app.chat().status).collect();
    assert!(answers.iter().all(|status| [500, 503].contains(status)), "{answers:?}");
    let attempts: usize = upstreams.iter().map(Upstream::calls).sum();
    // Of each, three first attempts, for later ones of a request count for nobody; and what the budget had saved, and got of
    // thirty requests.
    assert!((10..=30 + 10 + 6 + 4).contains(&attempts), "{attempts}");
}

#[test]
fn an_upstream_in_trouble_is_asked_again_if_it_is_the_only_one_and_that_is_wanted() {
    let flaky = || Upstream::in_turn(vec![Reply::error(500, "1"), Reply::error(503, "2"), Reply::chat("hi")]);
    let upstream = flaky();
    let mut config = config_of(&[&upstream]);
    config["retry"] = json!({ "sameUpstream": 2, "backoffMs": 200 });
    let app = App::start(&config);
    let start = Instant::now();
    assert_eq!((app.chat().status, upstream.calls()), (200, 3));
    // At least half of 200 and of 400 ms.
    assert!(start.elapsed() >= Duration::from_millis(300), "{:?}", start.elapsed());
    for (reply, status) in
        [(Reply::error(400, "no"), 400), (Reply::error(401, "no"), 502), (Reply::error(429, "no"), 429)]
    {
        let upstream = Upstream::always(reply);
        config["apis"][0]["baseUrl"] = json!(upstream.url());
        assert_eq!(App::start(&config).chat().status, status);
        assert_eq!(upstream.calls(), 1, "{status}: asking again would change nothing");
    }
}

#[test]
fn a_second_upstream_is_asked_when_the_first_is_silent_and_the_first_to_speak_is_heard() {
    let (slow, quick) = (Upstream::always(Reply::chat("slow").held()), Upstream::always(Reply::chat("quick")));
    let mut config = in_order(&slow, &quick, &json!({ "retry": { "hedgeAfterMs": 100 } }));
    config["apis"][0]["rpm"] = json!(10);
    config["apis"][1]["rpm"] = json!(10);
    let app = App::start(&config);
    for stream in [false, true] {
        let body = json!({ "model": "m", "messages": [], "stream": stream });
        assert!(app.client().post("/v1/chat/completions", &body).text().contains("quick"));
    }
    eventually("the other one is stopped", || slow.hung_up() == 2);
    assert_eq!((slow.calls(), quick.calls()), (2, 2));
    eventually("both count", || app.usage_of("a").0 == 2 && app.usage_of("b").0 == 2);
    assert_eq!(app.status_of("a")["errorCount"], 0, "and nobody is blamed");
    app.logged("→ b from 127.0.0.1 attempts=2 status=200");

    let (slow, failing) = (
        Upstream::always(Reply::chat("slow").after(Duration::from_millis(500))),
        Upstream::always(Reply::error(500, "broken")),
    );
    let app = App::start(&in_order(&slow, &failing, &json!({ "retry": { "hedgeAfterMs": 100 } })));
    assert!(app.chat().text().contains("slow"), "the second has nothing: the first is waited for");
    assert_eq!((slow.calls(), failing.calls()), (1, 1));

    let (quick, other) = (Upstream::always(Reply::chat("quick")), Upstream::always(Reply::chat("other")));
    let app = App::start(&in_order(&quick, &other, &json!({ "retry": { "hedgeAfterMs": 2_000 } })));
    assert!(app.chat().text().contains("quick"));
    assert_eq!(other.calls(), 0, "it answered in time");
}

#[test]
fn a_client_that_says_how_long_it_waits_is_answered_by_then_and_nobody_is_blamed() {
    for header in ["x-stainless-timeout", "x-stainless-read-timeout"] {
        let upstream = Upstream::always(Reply::chat("late").held());
        let app = App::on(&[&upstream]);
        let start = Instant::now();
        let client = app.client().header(header, "0.3");
        let answer = client.post("/v1/chat/completions", &json!({ "model": "m", "messages": [] }));
        assert_eq!(answer.error(), (504, "upstream_timeout".to_owned()));
        assert!(
            (Duration::from_millis(290)..Duration::from_secs(5)).contains(&start.elapsed()),
            "{:?}",
            start.elapsed()
        );
        eventually("the upstream is stopped", || upstream.hung_up() == 1);
        assert_eq!(app.status_of("a")["errorCount"], 0);
        app.logged("m → a from 127.0.0.1 attempts=1 status=504");
    }
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::on(&[&upstream]);
    for odd in ["0", "-1", "NaN", "inf", "soon", ""] {
        let client = app.client().header("x-stainless-timeout", odd);
        assert_eq!(client.post("/v1/chat/completions", &json!({ "model": "m" })).status, 200, "{odd:?}");
    }
}

#[test]
fn timeouts_hold_for_all_upstreams_that_name_none_of_their_own() {
    let content = r#"{"choices":[{"delta":{"content":"a"}}]}"#;
    let stalls = || Upstream::always(Reply::stream(vec![Step::event(content), Step::Hold], true));
    let silent = || Upstream::always(Reply::stream(vec![Step::Hold], true));
    let body = json!({ "model": "m", "messages": [], "stream": true });
    let (own, global) = (
        json!({ "idleMs": 30_000, "firstTokenTimeoutMs": 30_000 }),
        |ms: u32| json!({ "idleMs": ms, "firstTokenTimeoutMs": ms, "totalMs": 60_000, "connectMs": 5_000 }),
    );
    let upstream = stalls();
    let mut config = config_of(&[&upstream]);
    config["timeouts"] = global(200);
    let answer = App::start(&config).client().post("/v1/chat/completions", &body).text();
    assert!(answer.contains("upstream_timeout") && !answer.contains("[DONE]"), "{answer}");

    let (upstream, good) =
        (silent(), Upstream::always(Reply::events(&[&format!("data: {content}\n\n"), "data: [DONE]\n\n"])));
    let mut config = in_order(&upstream, &good, &json!({ "timeouts": global(200) }));
    let app = App::start(&config);
    assert!(app.client().post("/v1/chat/completions", &body).text().contains("[DONE]"), "another one spoke");
    assert_eq!((upstream.calls(), good.calls()), (1, 1));
    // Its own go first.
    config["apis"][0]["timeouts"] = own;
    let app = App::start(&config);
    let client = app.client().header("x-stainless-timeout", "1");
    assert_eq!(client.post("/v1/chat/completions", &body).status, 504);
    assert_eq!(good.calls(), 1);
    // 200 ms for the whole of it.
    config["apis"][0]["timeouts"] = json!({ "totalMs": 200 });
    assert!(App::start(&config).client().post("/v1/chat/completions", &body).text().contains("[DONE]"));
}
