//! What a key learns of its own costs, and what a table makes of odd names.

use std::process::Output;

use serde_json::{Value, json};

use super::usage;
use crate::helpers::{App, Client, KEY, Launch, Reply, Upstream, config_of, eventually};

const TEAM: &str = "sk-of-the-team-0123456789abcdef";

fn get(app: &App, path: &str) -> Value {
    let answer = Client::new(app.port).key(TEAM).get(path);
    assert_eq!(answer.status, 200, "{path}");
    answer.json()
}

/// Returns a pool with a key, in which the seven tokens of a chat cost 70 millionths of a dollar.
fn priced(upstream: &Upstream) -> Value {
    let mut config = config_of(&[upstream]);
    config["apis"][0]["prices"] = json!({ "*": { "input": 10, "output": 10 } });
    config["keys"] = json!([{ "name": "team", "key": TEAM }]);
    config
}

#[test]
fn a_key_sees_what_it_spent_today_this_week_and_this_month_and_nothing_of_others() {
    let upstream = Upstream::always(Reply::chat("1"));
    let app = App::start(&priced(&upstream));
    for key in [TEAM, TEAM, KEY] {
        let chat =
            Client::new(app.port).key(key).post("/v1/chat/completions", &json!({ "model": "m", "messages": [] }));
        assert_eq!(chat.status, 200);
    }
    eventually("all count", || usage(&app, "")["total"]["requests"] == 3);
    let own = get(&app, "/v1/key")["data"].clone();
    for field in ["usage", "usage_daily", "usage_weekly", "usage_monthly"] {
        assert_eq!(own[field], 0.000_14, "{field}: {own}");
    }
    let costs = get(&app, "/v1/dashboard/billing/usage?start_date=2026-01-01&end_date=2199-01-01");
    assert_eq!(costs["total_usage"], 0.014);
    let items = costs["daily_costs"][0]["line_items"].clone();
    assert_eq!(items, json!([{ "name": "m", "cost": 0.014 }]), "{costs}");
    let before = get(&app, "/dashboard/billing/usage?start_date=2026-01-01&end_date=2026-01-02");
    assert_eq!((&before["total_usage"], &before["daily_costs"]), (&json!(0.0), &json!([])));
    let wrong = Client::new(app.port).key(TEAM).get("/v1/dashboard/billing/usage?start_date=soon");
    assert_eq!((wrong.status, wrong.json()["error"]["param"].clone()), (400, json!("start_date")));
    // Asked again, only the running day is read; the sums go on.
    assert_eq!(Client::new(app.port).key(TEAM).post("/v1/chat/completions", &json!({ "model": "m" })).status, 200);
    eventually("the next one counts", || get(&app, "/v1/key")["data"]["usage_monthly"] == 0.000_21);
}

fn run(app: &App, arguments: &[&str]) -> Output {
    let launch = Launch { folder: app.folder.clone(), args: Vec::new(), env: Vec::new() };
    let url = format!("http://127.0.0.1:{}", app.port);
    let arguments = [&["usage"], arguments, &["--url", &url]].concat();
    launch.command().env("API_TOGETHER_KEY", KEY).args(arguments).output().expect("runs")
}

#[test]
fn names_can_forge_no_rows_and_no_formulas_in_any_output() {
    let upstream = Upstream::always(Reply::chat("1"));
    let odd = ["=1+1", "+cmd", "-2", "@sum", "a\r\nb,c", "say \"hi\"", "plain"];
    let mut config = priced(&upstream);
    config["apis"][0]["models"] = json!(odd);
    let app = App::start(&config);
    for model in odd {
        let client = app.client().header("user-agent", "=cmd|calc/1.0,\"x\"");
        assert_eq!(
            client.post("/v1/chat/completions", &json!({ "model": model, "messages": [] })).status,
            200,
            "{model}"
        );
    }
    eventually("all count", || usage(&app, "")["total"]["requests"] == odd.len());
    let csv = app.client().get("/v1/usage.csv?group=model,app").text();
    assert_eq!(csv.matches("\r\n").count(), odd.len() + 1, "{csv}");
    assert_eq!(csv.matches('\n').count(), odd.len() + 1, "{csv}");
    for cell in ["\"'=1+1\"", "\"'+cmd\"", "\"'-2\"", "\"'@sum\"", "\"a  b,c\"", "\"say \"\"hi\"\"\"", ",plain,"] {
        assert!(csv.contains(cell), "{cell}: {csv}");
    }
    let printed = run(&app, &["--by", "model"]);
    let table = String::from_utf8_lossy(&printed.stdout).into_owned();
    assert!(printed.status.success() && table.contains("plain"), "{table} {printed:?}");
    assert!(!table.contains("\nb,c"), "{table}");
    let csv = run(&app, &["--by", "model", "--csv"]);
    assert!(csv.status.success() && String::from_utf8_lossy(&csv.stdout).contains("\"'=1+1\""), "{csv:?}");
    let json = run(&app, &["--by", "key", "--json"]);
    let answer: Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(answer["total"]["requests"], odd.len());
    assert!(!run(&app, &["--by", "user"]).status.success());
    assert_eq!(run(&app, &["--from", "never"]).status.code(), Some(1));
}
