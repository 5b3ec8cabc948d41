//! Prices and costs: where prices come from, and what an attempt costs, on the running program.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::helpers::{App, Launch, Reply, Upstream, config_of, within};

/// A configuration with one account, at which the tokens of a chat (3 + 4) cost `input` and `output` dollars a million.
fn priced(upstream: &Upstream, prices: &Value) -> Value {
    let mut config = config_of(&[upstream]);
    config["apis"][0]["prices"] = prices.clone();
    config
}

fn said(launch: &Launch, arguments: &[&str]) -> (Option<i32>, String) {
    let output = launch.command().args(arguments).output().expect("runs");
    (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

#[test]
fn a_requests_line_has_the_cost_of_every_attempt_and_status_the_models_without_a_price() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::start(&priced(&upstream, &json!({ "m": { "input": 0.15, "output": 0.6 } })));
    assert_eq!(app.chat().status, 200);
    app.logged("tokens=3+4=7 cost=$0.00000285");
    assert_eq!(app.status_of("a")["modelsWithoutPrice"], json!([]));
    let prices = app.client().get("/v1/status").json()["config"]["prices"].clone();
    assert!(prices["asOf"].as_str().is_some_and(|date| date.len() == 10) && prices["file"].is_null(), "{prices}");

    let app = App::start(&config_of(&[&upstream]));
    assert_eq!(app.chat().status, 200);
    app.logged("tokens=3+4=7");
    assert!(!app.log().contains("cost="), "a model without a price costs nothing: {}", app.log());
    assert_eq!(app.status_of("a")["modelsWithoutPrice"], json!(["m"]));
}

#[test]
fn a_changed_file_of_prices_takes_effect_within_two_seconds_and_a_bad_one_not_at_all() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = config_of(&[&upstream]);
    config["prices"] = json!({ "file": "prices.csv" });
    let launch = Launch::new(&config);
    let file = launch.folder.join("prices.csv");
    fs::write(&file, "provider,model,input,output\n*,m,1,1\n").expect("writes");
    let app = launch.start();
    assert_eq!(app.chat().status, 200);
    app.logged("cost=$0.000007");

    fs::write(&file, "provider,model,input,output\n*,m,sk-x,1\n").expect("writes");
    app.logged("prices.csv line 2: input must be a number of dollars");
    assert_eq!(app.chat().status, 200);
    assert!(!app.log().contains("sk-x"), "{}", app.log());
    let costs = |app: &App, cost: &str| app.log().lines().filter(|line| line.ends_with(cost)).count();
    within(Duration::from_secs(2), "the price before stays in force", || costs(&app, "cost=$0.000007") == 2);

    let litellm = json!({ "x": { "litellm_provider": "groq", "input_cost_per_token": 1 } });
    fs::write(&file, litellm.to_string()).expect("writes");
    within(Duration::from_secs(4), "the table without the model", || {
        app.status_of("a")["modelsWithoutPrice"] == json!(["m"])
    });
    fs::write(&file, "provider,model,input,output\n*,*,2,3\n").expect("writes");
    within(Duration::from_secs(4), "the new table", || app.status_of("a")["modelsWithoutPrice"] == json!([]));
    assert_eq!(app.chat().status, 200);
    app.logged("cost=$0.000018");
}

#[test]
fn prices_are_listed_and_tables_of_others_become_ours() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = priced(&upstream, &json!({ "m": { "input": 0.15, "output": 0.6 } }));
    config["apis"][0]["models"] = json!(["m", "unpriced"]);
    let launch = Launch::new(&config);
    let (code, listed) = said(&launch, &["prices", "list", "--config", "apis.json"]);
    assert!(code == Some(0) && listed.contains("0.15") && listed.contains("unpriced"), "{listed}");
    let (code, missing) = said(&launch, &["prices", "list", "--missing", "--config", "apis.json"]);
    assert!(code == Some(0) && !missing.contains("0.15") && missing.contains("unpriced"), "{missing}");
    let (code, groq) = said(&launch, &["prices", "list", "groq"]);
    assert!(code == Some(0) && groq.contains("llama-3.1-8b-instant"), "{groq}");
    assert_eq!(said(&launch, &["prices", "list", "nobody"]).0, Some(2));

    let table = json!({ "groq": { "models": { "a,b": { "cost": { "input": 0.15, "output": 0.6 } } } },
        "nobody": { "models": { "x": {}, "y": {} } } });
    fs::write(launch.folder.join("api.json"), table.to_string()).expect("writes");
    let (code, wrote) = said(&launch, &["prices", "import", "api.json", "--out", "prices.csv"]);
    assert!(code == Some(0) && wrote.contains("Wrote 1 price to prices.csv"), "{wrote}");
    assert!(wrote.contains("Left out 2 models of 1 provider without a preset"), "{wrote}");
    let csv = fs::read_to_string(launch.folder.join("prices.csv")).expect("reads");
    assert!(csv.ends_with("\ngroq,\"a,b\",0.15,0.6,,,,\n"), "{csv}");
    let (code, again) = said(&launch, &["prices", "import", "api.json", "--out", "prices.csv"]);
    assert!(code == Some(2) && again.contains("no file is overwritten"), "{again}");
    assert_eq!(said(&launch, &["prices", "import", "none.json"]).0, Some(2));
}

#[test]
fn check_says_the_date_of_the_table_and_what_a_budget_would_not_see() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = config_of(&[&upstream]);
    let check = |config: &Value| said(&Launch::new(config), &["check", "--config", "apis.json"]).1;
    let plain = check(&config);
    assert!(plain.contains("The program's own table is of 20") && !plain.contains("no price"), "{plain}");
    config["keys"] = json!([{ "name": "k", "key": "sk-at-0123456789", "budgets": [{ "usd": 1, "per": "day" }] }]);
    let warned = check(&config);
    assert!(warned.contains("a: no price is known of m: such requests cost 0"), "{warned}");
}

#[test]
fn an_account_with_a_limit_in_dollars_never_passes_the_limit() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = priced(&upstream, &json!({ "m": { "input": 1, "output": 1 } }));
    // Each answer costs seven millionths of a dollar.
    config["apis"][0]["limits"] = json!([{ "usd": 0.0001, "per": "month" }]);
    let app = App::start(&config);
    let body = json!({ "model": "m", "messages": [{ "role": "user", "content": "hi" }], "max_tokens": 4 });
    let statuses: Vec<u16> = (0..30).map(|_| app.client().post("/v1/chat/completions", &body).status).collect();
    assert!((5..=14).contains(&upstream.calls()), "{} calls, {statuses:?}", upstream.calls());
    assert_eq!(statuses.last(), Some(&429), "{statuses:?}");
}
