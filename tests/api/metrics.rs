//! `/metrics`: what Prometheus reads, and Prometheus itself.

mod limits;

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use crate::helpers::{App, Client, Metrics, Prometheus, Reply, Upstream, config_of, eventually, promtool, scratch};

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
    let page =
        page_with(&app, r#"api_together_requests_total{op="chat",key="default",model="other",status="4xx"}"#, 1.0);
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

/// The text of a file of this project.
fn file(name: &str) -> String {
    fs::read_to_string(format!("{}/{name}", env!("CARGO_MANIFEST_DIR"))).expect("reads")
}

/// The names of metrics in an expression of ours.
fn names(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let is_ours = |word: &&str| word.starts_with("api_together_") || word.starts_with("process_");
    words.filter(is_ours).map(str::to_owned).collect()
}

/// Every expression of the dashboard.
fn dashboard() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&file("deploy/grafana.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    targets.map(|target| target["expr"].as_str().expect("an expression").to_owned()).collect()
}

#[test]
fn each_metric_of_the_dashboard_and_the_alerts_exists() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::on(&[&upstream]);
    let page = app.metrics().text;
    let used: BTreeSet<String> =
        dashboard().into_iter().chain([file("deploy/alerts.yaml")]).flat_map(|text| names(&text)).collect();
    assert!(used.len() > 25, "{used:?}");
    for name in used {
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
        let exists =
            |name: &str| page.contains(&format!("\n# TYPE {name} ")) || page.starts_with(&format!("# HELP {name} "));
        assert!(exists(&name) || family.is_some_and(exists), "/metrics has no {name}");
    }
}

#[test]
fn prometheus_understands_the_alerts_and_the_dashboards_expressions() {
    let folder = scratch();
    let rules = folder.join("rules.yaml");
    let recorded = dashboard().into_iter().enumerate().map(|(n, expression)| {
        let expression = expression.replace("$__rate_interval", "5m").replace("$instance", ".*");
        json!({ "record": format!("panel:{n}"), "expr": expression })
    });
    let recorded: Vec<Value> = recorded.collect();
    assert!(recorded.len() > 30);
    // JSON is YAML.
    fs::write(&rules, json!({ "groups": [{ "name": "panels", "rules": recorded }] }).to_string()).expect("writes");
    assert_eq!(promtool(&["check", "rules", rules.to_str().expect("UTF-8")], ""), "");
    let alerts = format!("{}/deploy/alerts.yaml", env!("CARGO_MANIFEST_DIR"));
    assert_eq!(promtool(&["check", "rules", &alerts], ""), "");
}

#[test]
fn prometheus_scrapes_a_running_server_and_answers_with_its_numbers() {
    let bad = Upstream::always(Reply::error(503, "busy"));
    let good = Upstream::always(Reply::chat("hi"));
    let mut config = config_of(&[&bad, &good]);
    config["apis"][1]["priority"] = json!(1);
    config["apis"][1]["rpd"] = json!(100);
    let app = App::start(&config);
    let prometheus = Prometheus::scraping(&app);
    (0..7).for_each(|_| assert_eq!(app.chat().status, 200));
    prometheus.says(r#"sum(api_together_requests_total{op="chat",status="2xx"})"#, 7.0);
    prometheus.says(r#"api_together_attempts_total{api="b",class="ok"}"#, 7.0);
    prometheus.says(r#"sum(api_together_request_duration_seconds_bucket{op="chat",le="+Inf"})"#, 7.0);
    prometheus.says(r#"api_together_limit_used{of="b",limit="rpd"} / ignoring(x) api_together_limit"#, 0.07);
    prometheus.says("up", 1.0);
}

#[test]
fn no_client_forges_a_line_or_makes_labels() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = config_of(&[&upstream]);
    config["apis"][0]["models"] = json!(["m", "*"]);
    let app = App::start(&config);
    for model in ["x\"} 1\napi_together_forged_total 1", "back\\slash", "новая \u{1f600}", "\u{0}\r"] {
        app.client().post("/v1/chat/completions", &json!({ "model": model, "messages": [] }));
    }
    let page = page_with(&app, r#"api_together_request_duration_seconds_count{op="chat",stream="0"}"#, 4.0);
    assert!(!page.text.lines().any(|line| line.starts_with("api_together_forged_total")), "{}", page.text);
    assert_eq!(promtool(&["check", "metrics"], &page.text), "");
}

#[test]
fn each_kind_of_actor_tells_of_its_mailbox_and_takes_as_much_as_configured() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = config_of(&[&upstream]);
    config["actors"] = json!({ "mailbox": 77, "mailboxes": { "upstream": 78, "recorder": 79 } });
    let app = App::start(&config);
    assert_eq!(app.chat().status, 200);
    let page = app.metrics();
    for (actor, capacity) in [("supervisor", 77.0), ("upstream", 78.0), ("recorder", 79.0), ("homes", 10_000.0)] {
        assert_eq!(page.value(&format!("api_together_mailbox_capacity{{actor=\"{actor}\"}}")), capacity, "{actor}");
        assert_eq!(page.value(&format!("api_together_mailbox_refused_total{{actor=\"{actor}\"}}")), 0.0, "{actor}");
    }
    for actor in ["supervisor", "scheduler", "upstream", "persistence", "config", "discovery", "follower", "recorder"] {
        assert!(
            page.value(&format!("api_together_mailbox_deepest{{actor=\"{actor}\"}}")) >= 1.0,
            "{actor}: {}",
            page.text
        );
    }
    let status = app.client().get("/v1/status").json()["actors"].clone();
    assert_eq!((&status["upstream"]["mailbox"], &status["persistence"]["mailbox"]), (&json!(78), &Value::Null));
}
