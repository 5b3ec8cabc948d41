//! An account whose base URL is wrong, beside a good one: it costs no client an answer, and says what is to be corrected.

use serde_json::{Value, json};

use crate::helpers::{App, Reply, Upstream, config_of, eventually};

const JSON: &str = "application/json";
const HTML: &str = "text/html";
const TEXT: &str = "text/plain";

/// What servers say of a place where nothing is, or not for POST: status, type, body.
const BODIES: [(u16, &str, &str); 25] = [
    // Nothing, or next to nothing.
    (404, TEXT, ""),
    (404, JSON, "{}"),
    (404, JSON, "null"),
    // Go (Ollama, Traefik), nginx, Envoy, Cloudflare, Vercel.
    (404, TEXT, "404 page not found\n"),
    (404, HTML, "<html><head><title>404 Not Found</title></head><body>nginx</body></html>"),
    (405, HTML, "<html><head><title>405 Not Allowed</title></head><body>nginx</body></html>"),
    (404, TEXT, "route_not_found"),
    (404, HTML, "error code: 1033"),
    (404, TEXT, "The page could not be found\n\nNOT_FOUND\n"),
    // Starlette and FastAPI, Flask, Express, Fastify, NestJS, Spring, ASP.NET, Laravel.
    (404, JSON, r#"{"detail":"Not Found"}"#),
    (405, JSON, r#"{"detail":"Method Not Allowed"}"#),
    (405, HTML, "<!doctype html><title>405 Method Not Allowed</title><p>The method is not allowed.</p>"),
    (404, HTML, "<pre>Cannot POST /v1/chat/completions</pre>"),
    (404, JSON, r#"{"message":"Route POST:/v1/chat/completions not found","error":"Not Found","statusCode":404}"#),
    (404, JSON, r#"{"statusCode":404,"message":"Cannot POST /v1/chat/completions","error":"Not Found"}"#),
    (
        404,
        JSON,
        r#"{"timestamp":"2026-01-01T00:00:00Z","status":404,"error":"Not Found","path":"/v1/chat/completions"}"#,
    ),
    (405, "application/problem+json", r#"{"type":"about:blank","title":"Method Not Allowed","status":405}"#),
    (
        404,
        JSON,
        r#"{"message":"The route v1/chat/completions could not be found.","exception":"NotFoundHttpException"}"#,
    ),
    // Kong, APISIX, Azure, Google, Anthropic, OpenAI, Groq, llama.cpp.
    (404, JSON, r#"{"message":"no Route matched with those values"}"#),
    (404, JSON, r#"{"error_msg":"404 Route Not Found"}"#),
    (404, JSON, r#"{"error":{"code":"404","message":"Resource not found"}}"#),
    (404, JSON, r#"{"error":{"code":404,"message":"Requested entity was not found.","status":"NOT_FOUND"}}"#),
    (404, JSON, r#"{"type":"error","error":{"type":"not_found_error","message":"Not Found"}}"#),
    (404, JSON, r#"{"error":{"message":"Invalid URL (POST /chat/completions)","type":"invalid_request_error"}}"#),
    (404, JSON, r#"{"error":{"code":404,"message":"File Not Found","type":"not_found_error"}}"#),
];

/// Two accounts: `a` at a wrong address, `b` at a good one.
struct Pair {
    wrong: Upstream,
    good: Upstream,
}

impl Pair {
    /// The wrong one has nothing at all to say but this.
    fn of((status, kind, body): (u16, &str, &str)) -> Pair {
        let wrong = Upstream::always(Reply::text(status, &[("content-type", kind)], body).kept());
        Pair { wrong, good: Upstream::always(Reply::chat("good").kept()) }
    }

    /// `lists`: both entries have `models`; otherwise the upstreams are asked. `first`: the wrong one has the better priority.
    fn config(&self, lists: bool, first: bool) -> Value {
        let mut config = config_of(&[&self.wrong, &self.good]);
        if !lists {
            config["apis"][0].as_object_mut().expect("an object").remove("models");
        }
        if first {
            config["apis"][1]["priority"] = json!(1);
        }
        config
    }

    /// How many chats the wrong one saw.
    fn seen(&self) -> usize {
        self.wrong.received().iter().filter(|request| request.method == "POST").count()
    }
}

#[test]
fn an_account_with_a_wrong_base_url_sees_three_requests_of_a_hundred_and_says_what_to_correct() {
    let pair = Pair::of(BODIES[3]);
    let app = App::start(&pair.config(true, true));
    for nth in 0..100 {
        assert_eq!(app.chat().status, 200, "request {nth}");
    }
    assert_eq!((pair.seen(), pair.good.calls()), (3, 100));
    let status = app.status_of("a");
    let states = (&status["available"], &status["unavailableReason"], &status["errorCount"]);
    assert_eq!(states, (&json!(false), &json!("breaker"), &json!(3)), "{status}");
    let mend = format!(
        "answered 404 to POST {}/v1/chat/completions, which another API serves: is its baseUrl right?",
        pair.wrong.url()
    );
    assert_eq!(status["lastError"]["detail"], mend, "{status}");
    assert_eq!(status["lastError"]["class"], "model_not_found");
    app.logged("a: rests for 10.0 s, until ");
    app.logged(&mend);
}

#[test]
fn a_404_or_405_in_any_form_costs_three_requests_with_and_without_models_and_at_any_priority() {
    for lists in [true, false] {
        for first in [true, false] {
            for body in BODIES {
                let pair = Pair::of(body);
                let app = App::start(&pair.config(lists, first));
                eventually("both are routed to", || app.status_of("a")["available"] == true);
                for _ in 0..20 {
                    let answer = app.chat();
                    assert!(answer.text().contains("good"), "{body:?} {lists} {first}");
                }
                // Of 20 requests at random, one in a million leaves fewer than one to the wrong one.
                let expected = if first { 3..=3 } else { 0..=3 };
                assert!(expected.contains(&pair.seen()), "{body:?} {lists} {first}: {}", pair.seen());
            }
        }
    }
}

#[test]
fn an_account_whose_refusals_nobody_disproves_goes_on_and_passes_its_own_words() {
    let pair = Pair::of(BODIES[9]);
    let app = App::on(&[&pair.wrong]);
    for nth in 1..=5 {
        let answer = app.chat();
        assert_eq!((answer.status, answer.text().as_str()), (404, r#"{"detail":"Not Found"}"#));
        assert_eq!(pair.seen(), nth, "it is asked again: its model may be what is missing");
    }
    let status = app.status_of("a");
    assert_eq!((&status["errorCount"], &status["available"]), (&json!(5), &json!(true)), "{status}");
    assert_eq!(status["lastError"]["detail"], "404 \"Not Found\": check its baseUrl and its models");
}

#[test]
fn an_account_that_has_served_rests_for_the_missing_route_alone() {
    let a = Upstream::start(|request| match request.path.contains("embeddings") {
        true => Reply::text(404, &[("content-type", TEXT)], "404 page not found").kept(),
        false => Reply::chat("a").kept(),
    });
    let b = Upstream::always(Reply::json(200, &json!({ "object": "list", "data": [{ "embedding": [0.1] }] })).kept());
    let mut config = config_of(&[&a, &b]);
    config["apis"][1]["priority"] = json!(1);
    let app = App::start(&config);
    assert!(app.chat().text().contains("\"a\""), "so its address is right");
    for _ in 0..10 {
        let vectors = app.client().post("/v1/embeddings", &json!({ "model": "m", "input": "x" }));
        assert_eq!(vectors.status, 200);
    }
    assert_eq!((a.calls(), b.calls()), (1 + 3, 10));
    assert!(app.chat().text().contains("\"a\""), "it goes on with what it does");
    let status = app.status_of("a");
    assert_eq!((&status["available"], &status["absentModels"][0]["operation"]), (&json!(true), &json!("embeddings")));
    app.logged(r#"a: is not asked for "m" at /v1/embeddings for 60.0 s, until "#);
}

#[test]
fn a_model_that_a_status_says_is_gone_is_asked_for_once() {
    let gone = Upstream::always(Reply::error(410, "m has reached its end of life").kept());
    let good = Upstream::always(Reply::chat("good").kept());
    let mut config = config_of(&[&gone, &good]);
    config["apis"][1]["priority"] = json!(1);
    let app = App::start(&config);
    for _ in 0..10 {
        assert_eq!(app.chat().status, 200);
    }
    assert_eq!((gone.calls(), good.calls()), (1, 10));
}
