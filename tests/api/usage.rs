//! Who used what.

mod answers;
mod billed;
mod billed_budgets;
mod billed_shown;
mod disk;
mod own;
mod store;
mod sums;
mod traffic;

use serde_json::{Value, json};

use crate::helpers::{App, Reply, Upstream, eventually, first_then_second};

/// Returns the answer of `/v1/usage` with this query.
fn usage(app: &App, query: &str) -> Value {
    let answer = app.client().get(&format!("/v1/usage?{query}"));
    assert_eq!(answer.status, 200, "{query}");
    answer.json()
}

#[test]
fn usage_is_summed_by_model_and_api_and_survives_a_kill_and_a_stop() {
    let (first, second) = (Upstream::always(Reply::chat("1")), Upstream::always(Reply::chat("2")));
    let app = App::start(&first_then_second(&first, &second, 2));
    for _ in 0..5 {
        assert_eq!(app.chat().status, 200);
    }
    let by_api = usage(&app, "group=api");
    assert_eq!(by_api["total"]["requests"], 5);
    assert_eq!((&by_api["total"]["inputTokens"], &by_api["total"]["outputTokens"]), (&json!(15), &json!(20)));
    let rows: Vec<_> =
        by_api["usage"].as_array().expect("rows").iter().map(|row| (&row["api"], &row["requests"])).collect();
    assert_eq!(rows, [(&json!("a"), &json!(2)), (&json!("b"), &json!(3))]);
    let csv = app.client().get("/v1/usage.csv?group=api,model&by=hour");
    assert_eq!((csv.status, csv.header("content-type")), (200, Some("text/csv; charset=utf-8")));
    let csv = csv.text();
    assert!(csv.starts_with("start,end,api,model,requests,failed_requests,input_tokens,"), "{csv}");
    assert_eq!(csv.lines().count(), 3, "{csv}");

    // At once after a silence, else 100 ms later, and then with the next commit.
    std::thread::sleep(std::time::Duration::from_millis(400));
    let app = app.kill_and_restart();
    assert_eq!(usage(&app, "group=api")["usage"], by_api["usage"]);
    assert_eq!(app.chat().status, 200);
    let app = app.stop_and_restart();
    eventually("all is there", || usage(&app, "")["total"]["requests"] == 6);
}

#[test]
fn a_wrong_question_names_the_parameter_and_the_mend() {
    let upstream = Upstream::always(Reply::chat("1"));
    let app = App::on(&[&upstream]);
    for (query, param) in [
        ("from=yesterday", json!("from")),
        ("to=never", json!("to")),
        ("by=week", json!("by")),
        ("group=user", json!("group")),
        ("by=hour&from=2020-01-01", json!("from")),
        ("frm=2020-01-01", Value::Null),
    ] {
        for path in ["/v1/usage", "/v1/usage.csv"] {
            let answer = app.client().get(&format!("{path}?{query}"));
            assert_eq!(answer.status, 400, "{query}");
            let error = answer.json();
            assert_eq!(error["error"]["param"], param, "{query}: {error}");
        }
    }
}
