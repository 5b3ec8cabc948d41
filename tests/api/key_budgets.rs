//! The promise of docs/keys.md from outside: no key spends more than its limits and budgets allow, whatever the crowd does.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::helpers::{App, Client, Received, Reply, Response, Upstream, config_of, eventually};

/// The client's key in these tests.
pub const TEAM: &str = "sk-of-the-team-0123456789abcdef";

/// Dollars for a million tokens of the prompt and of the answer.
const PRICES: (u64, u64) = (10, 40);

/// The bound of each answer, in tokens.
const ANSWER: u64 = 24;

/// A zone in which midnight, the end of a week and of a month are hours away.
pub fn no_midnight_near() -> String {
    let hour = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).hour();
    format!("Etc/GMT{:+}", hour - 12)
}

/// A pool of these upstreams with prices, and one key with these fields.
pub fn with_key(upstreams: &[&Upstream], fields: &Value) -> Value {
    let mut config = config_of(upstreams);
    for api in config["apis"].as_array_mut().expect("a list") {
        api["prices"] = json!({ "m": { "input": PRICES.0, "output": PRICES.1 } });
    }
    let mut key = json!({ "name": "team", "key": TEAM, "reset": no_midnight_near() });
    key.as_object_mut().expect("fields").extend(fields.as_object().expect("fields").clone());
    config["keys"] = json!([key]);
    config
}

pub fn team(app: &App) -> Client {
    Client::new(app.port).key(TEAM)
}

/// Asks for an answer of [`ANSWER`] tokens at most.
pub fn ask(client: &Client) -> Response {
    client.post("/v1/chat/completions", &body())
}

fn body() -> Value {
    json!({ "model": "m", "messages": [], "max_tokens": ANSWER })
}

/// The tokens of a prompt as the pool estimates them.
fn prompt_tokens(length: usize) -> u64 {
    (length as u64).div_ceil(4)
}

/// What one request may cost, in billionths of a dollar.
pub fn price_of_one() -> u64 {
    let prompt = prompt_tokens(body().to_string().len());
    (prompt * PRICES.0 + ANSWER * PRICES.1) * 1_000
}

/// A budget for so many requests, and half of one more.
pub fn dollars_for(requests: u64) -> f64 {
    (requests * price_of_one() + price_of_one() / 2) as f64 / 1e9
}

/// An answer that reports this share of what was foreseen, in percent.
pub fn reporting(percent: u64) -> impl Fn(&Received) -> Reply + Send + Sync + 'static {
    move |request| {
        let (prompt, completion) = (prompt_tokens(request.body.len()) * percent / 100, ANSWER * percent / 100);
        answer(prompt, completion)
    }
}

/// An answer with this usage.
pub fn answer(prompt: u64, completion: u64) -> Reply {
    Reply::json(
        200,
        &json!({
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [{ "index": 0, "message": { "role": "assistant", "content": "hi" }, "finish_reason": "stop" }],
            "usage": { "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion },
        }),
    )
}

/// Asks 400 times at once. Returns the statuses, with the code of each refusal.
pub fn crowd(apps: &[App]) -> Vec<(u16, String)> {
    let barrier = Barrier::new(400);
    let one = |nth: usize| {
        let client = team(&apps[nth % apps.len()]);
        barrier.wait();
        let answer = ask(&client);
        let (status, body) = (answer.status, answer.json());
        (status, body["error"]["code"].as_str().unwrap_or_default().to_owned())
    };
    let one = &one;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..400).map(|nth| scope.spawn(move || one(nth))).collect();
        threads.into_iter().map(|thread| thread.join().expect("answered")).collect()
    })
}

fn count(answers: &[(u16, String)], status: u16) -> usize {
    answers.iter().filter(|(seen, _)| *seen == status).count()
}

#[test]
fn of_400_at_once_exactly_as_many_pass_as_the_budget_pays_for() {
    for per in ["day", "month", "7 days"] {
        let upstream = Upstream::start(reporting(100));
        let budgets = json!({ "budgets": [{ "usd": dollars_for(60), "per": per }] });
        let app = App::start(&with_key(&[&upstream], &budgets));
        let answers = crowd(std::slice::from_ref(&app));
        assert_eq!((count(&answers, 200), upstream.calls()), (60, 60), "{per}");
        // As long as requests are under way, the rest of the budget is reserved; then it is spent.
        let expected = |(status, code): &&(u16, String)| {
            [(429, "key_budget"), (402, "insufficient_quota")].contains(&(*status, code.as_str()))
        };
        assert_eq!(answers.iter().filter(expected).count(), 340, "{per}");
        let refused = ask(&team(&app));
        assert_eq!((refused.status, refused.header("x-should-retry")), (402, Some("false")), "{per}");
        let wait: u64 = refused.header("retry-after").expect("told").parse().expect("seconds");
        assert!(wait > 3_600, "{per}: {wait}");
        let error = refused.json()["error"].clone();
        assert_eq!(error["code"], "insufficient_quota", "{error}");
        assert!(error["message"].as_str().expect("a text").contains("team"), "{error}");
        // Others are served: the budget is the key's own.
        assert_eq!(app.chat().status, 200);
    }
}

#[test]
fn of_a_budget_that_is_nearly_spent_the_crowd_gets_the_rest() {
    let upstream = Upstream::start(reporting(100));
    let app = App::start(&with_key(&[&upstream], &json!({ "budgets": [{ "usd": dollars_for(90), "per": "month" }] })));
    for _ in 0..80 {
        assert_eq!(ask(&team(&app)).status, 200);
    }
    let answers = crowd(std::slice::from_ref(&app));
    assert_eq!((count(&answers, 200), upstream.calls()), (10, 90));
}

#[test]
fn what_answers_leave_over_is_for_others_and_all_of_the_budget_can_be_spent() {
    let upstream = Upstream::start(reporting(50));
    let app = App::start(&with_key(&[&upstream], &json!({ "budgets": [{ "usd": dollars_for(40), "per": "day" }] })));
    let answers = crowd(std::slice::from_ref(&app));
    let passed = count(&answers, 200);
    assert!((40..=81).contains(&passed), "{passed}");
    while ask(&team(&app)).status == 200 {}
    let spent = cost_of(&upstream);
    let budget = (dollars_for(40) * 1e9) as u64;
    assert!(spent <= budget && spent + price_of_one() > budget, "{spent} of {budget}");
    assert_eq!(ask(&team(&app)).status, 402);
}

/// What the answers of an upstream with half of the foreseen usage cost.
fn cost_of(upstream: &Upstream) -> u64 {
    let one = |request: &Received| {
        let (prompt, completion) = (prompt_tokens(request.body.len()) / 2, ANSWER / 2);
        (prompt * PRICES.0 + completion * PRICES.1) * 1_000
    };
    upstream.received().iter().map(one).sum()
}

#[test]
fn an_answer_that_costs_more_than_was_foreseen_is_counted_and_the_next_is_refused() {
    let upstream = Upstream::start(reporting(1_000));
    let app = App::start(&with_key(&[&upstream], &json!({ "budgets": [{ "usd": dollars_for(12), "per": "day" }] })));
    let client = team(&app);
    // Ten times as much as was foreseen, and then two and a half are left.
    assert_eq!(ask(&client).status, 200);
    assert_eq!(ask(&client).status, 200, "twenty times, and nobody knew before");
    for _ in 0..5 {
        assert_eq!(ask(&client).status, 402);
    }
    assert_eq!(upstream.calls(), 2);
    let app = app.stop_and_restart();
    assert_eq!(ask(&team(&app)).status, 402, "what is over stays over");
    let app = app.kill_and_restart();
    assert_eq!(ask(&team(&app)).status, 402);
}

#[test]
fn each_limit_of_a_key_holds_against_400_at_once() {
    for (limits, code) in [
        (json!({ "rpm": 60 }), "key_rpm"),
        (json!({ "rpd": 60 }), "key_rpd"),
        (json!({ "limits": [{ "requests": 60, "per": "5h" }] }), "key_limit"),
        (json!({ "rpd": 100, "rpm": 60, "limits": [{ "requests": 80, "per": "week" }] }), "key_rpm"),
    ] {
        let upstream = Upstream::start(reporting(100));
        let app = App::start(&with_key(&[&upstream], &limits));
        let answers = crowd(std::slice::from_ref(&app));
        assert_eq!((count(&answers, 200), upstream.calls()), (60, 60), "{limits}");
        let of_code = answers.iter().filter(|(status, seen)| *status == 429 && seen == code).count();
        assert_eq!(of_code, 340, "{limits}");
        let refused = ask(&team(&app));
        assert_eq!(refused.header("x-ratelimit-limit-requests"), Some("60"), "{limits}");
        assert_eq!(refused.header("x-ratelimit-remaining-requests"), Some("0"), "{limits}");
        assert!(refused.header("retry-after").is_some(), "{limits}");
    }
}

#[test]
fn tokens_of_a_key_are_reserved_before_and_corrected_after() {
    let one = prompt_tokens(body().to_string().len()) + ANSWER;
    for (limit, code) in [("tpd", "key_tpd"), ("tpm", "key_tpm")] {
        let upstream = Upstream::start(reporting(100));
        let app = App::start(&with_key(&[&upstream], &json!({ limit: 60 * one })));
        let answers = crowd(std::slice::from_ref(&app));
        assert_eq!((count(&answers, 200), upstream.calls()), (60, 60), "{limit}");
        assert_eq!(answers.iter().filter(|(_, seen)| seen == code).count(), 340, "{limit}");
    }
}

#[test]
fn no_more_requests_of_a_key_are_under_way_than_it_may_have() {
    let upstream = Upstream::start(|request| reporting(100)(request).held());
    let app = App::start(&with_key(&[&upstream], &json!({ "maxConcurrent": 3 })));
    let refused = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..40 {
            scope.spawn(|| {
                let answer = ask(&team(&app));
                if answer.status == 429 {
                    assert_eq!(answer.json()["error"]["code"], "key_concurrency");
                    refused.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        eventually("all others are refused", || refused.load(Ordering::Relaxed) == 37);
        upstream.release();
    });
    assert_eq!(upstream.calls(), 3);
    eventually("a place is free again", || ask(&team(&app)).status == 200);
}

/// Puts other limits of the key into force.
fn reload(app: &App, config: &Value, name: &str) {
    let mut config = config.clone();
    config["server"]["name"] = json!(name);
    std::fs::write(app.config_file(), config.to_string()).expect("writes");
    eventually("the reload is in force", || app.client().get("/health").json()["service"] == name);
}

/// What `GET /v1/key` says of the use of the key's first budget or limit.
fn used(app: &App, list: &str) -> f64 {
    team(app).get("/v1/key").json()["data"][list][0]["used"].as_f64().expect("a number")
}

#[test]
fn a_period_that_goes_and_comes_back_knows_what_was_used_meanwhile_and_no_more() {
    let upstream = Upstream::start(reporting(100));
    let with = |requests: u64, per: &str| {
        let limits = json!([{ "requests": requests, "per": per }]);
        let budgets = json!([{ "usd": dollars_for(requests), "per": per }]);
        with_key(&[&upstream], &json!({ "limits": limits, "budgets": budgets }))
    };
    let is = |app: &App, requests: u64| {
        let cost = (requests * price_of_one()) as f64 / 1e9;
        // The answer is there a moment before its settlement.
        eventually(&format!("the use of {requests} requests"), || {
            (used(app, "budgets") - cost).abs() < 1e-9 && used(app, "limits") == requests as f64
        });
    };
    let app = App::start(&with(10, "day"));
    (0..2).for_each(|_| assert_eq!(ask(&team(&app)).status, 200));
    reload(&app, &with(2_000, "week"), "one");
    is(&app, 2);
    (0..12).for_each(|_| assert_eq!(ask(&team(&app)).status, 200));
    reload(&app, &with(10, "day"), "two");
    is(&app, 14);
    assert_eq!(ask(&team(&app)).status, 402);
    reload(&app, &with(2_000, "week"), "three");
    is(&app, 14);
    assert_eq!(ask(&team(&app)).status, 200);
    // Over a restart, the day's own record is one of before.
    let app = app.stop_and_restart();
    assert_eq!(ask(&team(&app)).status, 200);
    reload(&app, &with(17, "day"), "four");
    is(&app, 16);
    assert_eq!([ask(&team(&app)).status, ask(&team(&app)).status], [200, 402]);
    assert_eq!(upstream.calls(), 17);
}
