//! One table of odd answers, over both dialects: what an upstream's answer is made of does not depend on the format.

mod cases;
mod wire;

use serde_json::{Value, json};

use self::cases::{CASES, Case, Expected};
use self::wire::{ANTHROPIC, OPENAI, Wire};
use crate::helpers::{App, KEY, Received, Upstream, eventually};

/// The model of a case with a good upstream behind the odd one, and of the same case without.
fn model(nth: usize, alone: bool) -> String {
    if alone { format!("alone-{nth}") } else { format!("case-{nth}") }
}

/// A pool with an account for each case, so that no case rests the account of another one, and a good account behind.
fn pool(wire: &'static Wire) -> (App, Upstream, Upstream) {
    let odd = Upstream::start(move |request| {
        let asked = request.json()["model"].as_str().expect("a model").to_owned();
        let nth: usize = asked.rsplit('-').next().and_then(|nth| nth.parse().ok()).expect("a case");
        (CASES[nth].reply)(wire)
    });
    let good = Upstream::start(move |request| wire.good(request.json()["stream"] == true, "good"));
    let entry = |id: String, upstream: &Upstream, models: Vec<String>, priority: u32| {
        json!({
            "id": id, (wire.base_url): upstream.url(), "apiKey": "sk-upstream-0123456789", "models": models,
            "priority": priority, "timeouts": { "firstTokenTimeoutMs": 1_500 },
        })
    };
    let cases = 0..CASES.len();
    let mut apis: Vec<Value> =
        cases.clone().map(|nth| entry(model(nth, false), &odd, vec![model(nth, false)], 0)).collect();
    apis.extend(cases.clone().map(|nth| entry(model(nth, true), &odd, vec![model(nth, true)], 0)));
    apis.push(entry("good".to_owned(), &good, cases.map(|nth| model(nth, false)).collect(), 1));
    let config = json!({ "server": { "apiKey": KEY }, "retry": { "budget": { "percent": 100 } }, "apis": apis });
    (App::start(&config), odd, good)
}

fn asked_for(received: &[Received], model: &str) -> usize {
    received.iter().filter(|request| request.json()["model"] == model).count()
}

/// Checks one case, and returns what is wrong.
fn check(wire: &Wire, case: &Case, nth: usize, (app, odd, good): &(App, Upstream, Upstream)) -> Result<(), String> {
    let post = |model: &str| app.client().post(wire.path, &wire.request(model, case.stream));
    let (name, answer) = (model(nth, false), post(&model(nth, false)));
    let status = answer.status;
    let body = answer.text();
    let text = wire.text(case.stream, &body);
    let calls = (asked_for(&odd.received(), &name), asked_for(&good.received(), &name));
    let (is_right, wanted_calls) = match case.expected {
        Expected::Served => (status == 200 && text == "odd" && !wire.has_error(&body), (1, 0)),
        Expected::MovedOn => (status == 200 && text == "good" && !body.contains("odd"), (1, 1)),
        Expected::Passed(wanted) => (status == wanted && body == wire.error_of(case.reply), (1, 0)),
        Expected::ErrorEvent => (status == 200 && text == "odd" && wire.ends_in_an_error(&body), (1, 0)),
    };
    if !is_right || calls != wanted_calls {
        return Err(format!("{status}, {calls:?} calls of the odd and the good one: {body}"));
    }
    if let Some(wanted) = case.alone {
        let answer = post(&model(nth, true));
        let status = answer.status;
        let body = answer.text();
        let is_right = match wanted {
            200 => status == 200 && wire.text(case.stream, &body) == "odd" && !wire.has_error(&body),
            // An error of ours.
            502 => status == 502 && wire.has_error(&body),
            _ => status == wanted && body == wire.error_of(case.reply),
        };
        if !is_right {
            return Err(format!("alone {status}, not {wanted}: {body}"));
        }
    }
    Ok(())
}

fn hold(wire: &'static Wire) {
    let pool = pool(wire);
    let mut wrong: Vec<String> = Vec::new();
    for (nth, case) in CASES.iter().enumerate() {
        if let Err(what) = check(wire, case, nth, &pool) {
            wrong.push(format!("{}: {what}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), CASES.len(), wrong.join("\n\n"));
    for (nth, case) in CASES.iter().enumerate() {
        let Some(tokens) = &case.tokens else { continue };
        let id = model(nth, false);
        eventually(&format!("{}: {tokens:?} tokens are counted", case.name), || {
            let stats = pool.0.client().get("/v1/token/stats").json()["detailedStats"][&id].clone();
            tokens.contains(&stats["totalTokens"].as_u64().unwrap_or_default())
        });
    }
}

#[test]
fn odd_answers_in_openais_dialect() {
    hold(&OPENAI);
}

#[test]
fn odd_answers_in_anthropics_dialect() {
    hold(&ANTHROPIC);
}
