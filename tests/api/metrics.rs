//! `/metrics`: what Prometheus reads, and Prometheus itself.

use serde_json::json;

use crate::helpers::{App, Client, Metrics, Reply, Upstream, config_of, eventually, promtool};

/// The page, once a sample has this value.
fn page_with(app: &App, sample: &str, value: f64) -> Metrics {
    let mut last = app.metrics();
    eventually(&format!("{sample} {value}"), || {
        last = app.metrics();
        last.value(sample) == value
    });
    last
}

#[test]
fn each_request_is_counted_by_what_its_client_saw() {
    let bad = Upstream::always(Reply::error(500, "broken"));
    let good = Upstream::always(Reply::chat("hi"));
    let mut config = config_of(&[&bad, &good]);
    config["apis"][1]["priority"] = json!(1);
    let app = App::start(&config);
    (0..3).for_each(|_| assert_eq!(app.chat().status, 200));
    assert_eq!(app.client().post("/v1/chat/completions", &json!({ "model": "none", "messages": [] })).status, 404);
    let page = page_with(&app, r#"api_together_requests_total{op="chat",model="other",status="4xx"}"#, 1.0);
    assert_eq!(page.sum("api_together_requests_total", &[r#"op="chat""#, r#"model="m""#, r#"status="2xx""#]), 3.0);
    assert_eq!(page.value(r#"api_together_attempts_total{api="b",class="ok"}"#), 3.0);
    assert!(page.value(r#"api_together_attempts_total{api="a",class="server_error"}"#) >= 1.0, "{}", page.text);
    assert_eq!(page.sum("api_together_refusals_total", &[r#"reason="model_not_found""#]), 1.0);
    assert_eq!(page.value(r#"api_together_request_duration_seconds_count{op="chat",stream="0"}"#), 4.0);
    assert_eq!(page.value("api_together_added_latency_seconds_count"), 3.0);
    assert_eq!(promtool(&["check", "metrics"], &page.text), "");
}

#[test]
fn metrics_want_a_key_where_clients_need_one() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::on(&[&upstream]);
    let refused = Client::new(app.port).get("/metrics");
    assert_eq!(refused.status, 401);
    let answer = app.client().get("/metrics");
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
}
