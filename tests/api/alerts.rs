//! Alerts: who is told of what, once, without a secret, and at no cost to requests.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::helpers::{App, Launch, Reply, Upstream, config_of, config_with, eventually, within};
use crate::key_budgets::{TEAM, ask, dollars_for, price_of_one, reporting, team, with_key};

/// The path of every receiver: a secret.
const PATH: &str = "/services/T0/a-secret-path-0123456789?token=a-secret-token";

/// A receiver that takes every message.
fn receiver() -> Upstream {
    Upstream::always(Reply::text(200, &[], "ok"))
}

/// The same configuration with these receivers of all events.
fn alerting(mut config: Value, receivers: &[&Upstream]) -> Value {
    let alerts = receivers.iter().map(|receiver| json!({ "url": format!("{}{PATH}", receiver.url()) }));
    config["alerts"] = alerts.collect();
    config
}

/// The events that a receiver was told of, in order.
fn told(receiver: &Upstream) -> Vec<String> {
    let events = receiver.received().into_iter().map(|request| request.json()["event"].as_str().map(str::to_owned));
    events.map(|event| event.expect("an event")).collect()
}

/// Writes another configuration of a running program, at once: half a file would be one mistake more.
fn rewrite(app: &App, config: &Value) {
    let beside = app.config_file().with_extension("new");
    std::fs::write(&beside, config.to_string()).expect("written");
    std::fs::rename(&beside, app.config_file()).expect("renamed");
}

#[test]
fn a_refused_key_is_told_once_and_that_it_serves_again() {
    let upstream =
        Upstream::in_turn(vec![Reply::error(401, "Incorrect key sk-upstream-a-0123456789"), Reply::chat("x")]);
    let hook = receiver();
    let config = alerting(config_of(&[&upstream]), &[&hook]);
    let app = App::start(&config);
    assert_ne!(app.chat().status, 200);
    eventually("it is told", || told(&hook).contains(&"key_refused".to_owned()));
    let message = hook.received()[0].json();
    assert_eq!((&message["api"], &message["reason"]), (&json!("a"), &json!("unauthorized")), "{message}");
    assert_eq!((&message["text"], &message["server"]), (&message["content"], &json!("api-together")));
    let text = message["text"].as_str().expect("a text");
    assert!(
        text.starts_with("api-together: a: its provider refuses the key (unauthorized): check its apiKey"),
        "{text}"
    );
    assert!(message["until"].as_str().expect("a time").ends_with('Z'));
    // The mended entry: another key.
    let mut mended = config.clone();
    mended["apis"][0]["apiKey"] = json!("sk-upstream-a-another-0123456789");
    rewrite(&app, &mended);
    eventually("it serves", || app.chat().status == 200);
    eventually("it is told", || told(&hook).contains(&"upstream_up".to_owned()));
    let count = |event: &str| told(&hook).iter().filter(|told| *told == event).count();
    assert_eq!((count("key_refused"), count("upstream_up")), (1, 1), "{:?}", told(&hook));
}

#[test]
fn a_wrong_configuration_is_told_once_and_its_mend() {
    let (upstream, hook) = (Upstream::always(Reply::chat("x")), receiver());
    let config = alerting(config_of(&[&upstream]), &[&hook]);
    let app = App::start(&config);
    let mut wrong = config.clone();
    wrong["apis"][0]["rpm"] = json!("sk-a-key-in-a-wrong-place");
    rewrite(&app, &wrong);
    eventually("it is told", || told(&hook) == ["reload_failed"]);
    let message = hook.received()[0].json();
    assert!(message["detail"].as_str().is_some_and(|why| why.contains("apis[0].rpm: must be")), "{message}");
    assert!(!message.to_string().contains("sk-a-key"), "{message}");
    app.signal("HUP");
    eventually("it is read again", || app.log().matches("stays in force").count() == 2);
    rewrite(&app, &config);
    eventually("it is told", || told(&hook) == ["reload_failed", "reload_ok"]);
}

#[test]
fn a_receiver_in_trouble_is_asked_again_and_gets_all_in_order() {
    let upstream = Upstream::always(Reply::chat("x"));
    let hook = Upstream::in_turn(vec![Reply::error(500, "no"), Reply::drop(), Reply::text(204, &[], "")]);
    let config = alerting(config_of(&[&upstream]), &[&hook]);
    let app = App::start(&config);
    let mut wrong = config.clone();
    wrong["apis"] = json!([]);
    rewrite(&app, &wrong);
    app.logged("not delivered yet: 500");
    rewrite(&app, &config);
    eventually("all arrive", || told(&hook).ends_with(&["reload_failed".to_owned(), "reload_ok".to_owned()]));
    assert_eq!(told(&hook)[..3], ["reload_failed"; 3], "the same again, until it is taken");
    let status = app.client().get("/v1/status").json();
    let of = &status["alerts"][0];
    assert_eq!((&of["sent"], &of["lost"], &of["waiting"]), (&json!(2), &json!(0), &json!(0)), "{of}");
    app.logged("delivered again");
}

#[test]
fn a_refused_message_is_given_up_and_the_next_one_is_sent() {
    let upstream = Upstream::always(Reply::chat("x"));
    let hook = Upstream::in_turn(vec![Reply::error(404, "no"), Reply::text(200, &[], "")]);
    let config = alerting(config_of(&[&upstream]), &[&hook]);
    let app = App::start(&config);
    rewrite(&app, &json!({}));
    app.logged("reload_failed was given up: 404: there is no such webhook");
    rewrite(&app, &config);
    eventually("it is told", || told(&hook) == ["reload_failed", "reload_ok"]);
}

#[test]
fn a_dead_receiver_costs_requests_nothing_and_delays_no_other() {
    let upstream = Upstream::always(Reply::error(401, "no"));
    let (dead, hook) = (Upstream::always(Reply::text(200, &[], "").held()), receiver());
    let config = alerting(config_of(&[&upstream]), &[&dead, &hook]);
    let app = App::start(&config);
    let before = Instant::now();
    (0..20).for_each(|_| assert_ne!(app.chat().status, 200));
    assert!(before.elapsed() < Duration::from_secs(5), "{:?}", before.elapsed());
    eventually("the other one is told", || told(&hook).contains(&"key_refused".to_owned()));
    let before = Instant::now();
    app.stop();
    assert!(before.elapsed() < Duration::from_secs(6), "a dead receiver holds up no stop: {:?}", before.elapsed());
}

#[test]
fn a_reload_changes_the_receivers_and_their_events() {
    let upstream = Upstream::always(Reply::chat("x"));
    let (one, other) = (receiver(), receiver());
    let config = alerting(config_of(&[&upstream]), &[&one]);
    let app = App::start(&config);
    rewrite(&app, &json!({}));
    eventually("it is told", || told(&one) == ["reload_failed"]);
    let mut moved = alerting(config, &[&other]);
    moved["alerts"][0]["on"] = json!(["reload_failed"]);
    rewrite(&app, &moved);
    app.logged("alerts changed");
    rewrite(&app, &json!({}));
    eventually("it is told", || told(&other) == ["reload_failed"]);
    rewrite(&app, &moved);
    app.logged("the file is as it was when it was last good");
    let status = app.client().get("/v1/status").json();
    assert_eq!(status["alerts"][0]["on"], json!(["reload_failed"]), "{status:#}");
    assert!(told(&other) == ["reload_failed"] && !told(&one).contains(&"reload_ok".to_owned()));
}

#[test]
fn an_account_that_fails_for_half_a_minute_is_told_as_down() {
    let upstream = Upstream::always(Reply::error(500, "no"));
    let hook = receiver();
    let mut config = alerting(config_with(&upstream, &json!({})), &[&hook]);
    config["alerts"][0]["on"] = json!(["upstream_down", "key_refused"]);
    let app = App::start(&config);
    (0..4).for_each(|_| assert_ne!(app.chat().status, 200));
    // Rests of 10 and 20 s come first.
    within(Duration::from_secs(60), "it is told", || {
        app.chat();
        std::thread::sleep(Duration::from_millis(200));
        told(&hook) == ["upstream_down"]
    });
    let message = hook.received()[0].json();
    assert_eq!((&message["api"], &message["reason"]), (&json!("a"), &json!("server_error")), "{message}");
}

#[test]
fn check_lists_the_receivers_and_a_test_message_proves_them() {
    let upstream = Upstream::always(Reply::chat("x"));
    let (hook, wrong) = (receiver(), Upstream::always(Reply::error(404, "a-secret-answer")));
    let mut config = alerting(config_of(&[&upstream]), &[&hook, &wrong]);
    config["alerts"][0]["headers"] = json!({ "Authorization": "Bearer a-secret-header" });
    config["alerts"][1]["on"] = json!(["key_refused", "limit_90"]);
    let run = |args: &[&str]| {
        let output = Launch::new(&config).command().args(args).args(["--config", "apis.json"]).output().expect("ran");
        (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).expect("UTF-8"))
    };
    let (code, said) = run(&["check"]);
    assert!(
        code == Some(0) && said.contains("/… on all events") && said.contains("/… on limit_90, key_refused"),
        "{said}"
    );
    let (code, tested) = run(&["alerts", "test"]);
    assert!(code == Some(1) && tested.contains("delivered\n") && tested.contains("not delivered: 404"), "{tested}");
    assert!(tested.contains("1 of 2 receivers"), "{tested}");
    let sent = &hook.received()[0];
    assert_eq!((sent.header("authorization"), &*sent.path), (Some("Bearer a-secret-header"), PATH));
    assert_eq!((sent.header("content-type"), &sent.json()["event"]), (Some("application/json"), &json!("test")));
    assert!(!said.contains("a-secret") && !tested.contains("a-secret"), "{said}{tested}");
}

#[test]
fn nothing_secret_is_in_a_message_a_log_or_the_status() {
    let upstream = Upstream::always(Reply::error(402, "pay for sk-upstream-a-0123456789 first"));
    let hook = receiver();
    let app = App::start(&alerting(config_of(&[&upstream]), &[&hook]));
    app.chat();
    rewrite(&app, &json!({ "server": { "apiKey": "sk-another-key-0123456789" } }));
    eventually("both are told", || told(&hook).len() >= 2);
    app.logged("stays in force");
    let bodies: String =
        hook.received().iter().map(|request| String::from_utf8_lossy(&request.body).into_owned()).collect();
    let status = app.client().get("/v1/status").json().to_string();
    for secret in ["sk-", "a-secret", "pay for"] {
        assert!(!bodies.contains(secret), "{secret} in {bodies}");
    }
    for secret in ["sk-upstream-a-0123456789", "a-secret"] {
        assert!(!status.contains(secret) && !app.log().contains(secret), "{secret}: {status} {}", app.log());
    }
}

#[test]
fn a_limit_is_told_at_90_and_at_100_percent_once_each() {
    let (upstream, hook) = (Upstream::always(Reply::chat("x")), receiver());
    let app = App::start(&alerting(config_with(&upstream, &json!({ "rpd": 10 })), &[&hook]));
    (0..8).for_each(|_| assert_eq!(app.chat().status, 200));
    assert_eq!(app.usage_of("a").1, 8);
    assert_eq!(told(&hook), Vec::<String>::new());
    assert_eq!(app.chat().status, 200);
    eventually("it is told", || told(&hook) == ["limit_90"]);
    let message = hook.received()[0].json();
    assert_eq!((&message["limit"], &message["used"], &message["most"]), (&json!("rpd"), &json!(9), &json!(10)));
    assert_eq!(message["api"], "a", "{message}");
    (0..4).for_each(|_| drop(app.chat()));
    eventually("it is told", || told(&hook) == ["limit_90", "limit_100"]);
}

#[test]
fn a_spent_budget_of_a_client_key_is_told_in_dollars() {
    let (upstream, hook) = (Upstream::start(reporting(100)), receiver());
    let budget = json!({ "budgets": [{ "usd": dollars_for(4), "per": "month" }] });
    let app = App::start(&alerting(with_key(&[&upstream], &budget), &[&hook]));
    // After the fourth request, the rest of the budget pays for half of one more.
    (0..4).for_each(|_| assert_eq!(ask(&team(&app)).status, 200));
    (0..2).for_each(|_| assert_eq!(ask(&team(&app)).status, 402));
    eventually("it is told", || told(&hook) == ["budget_spent"]);
    let message = hook.received()[0].json();
    assert_eq!((&message["key"], &message["api"]), (&json!("team"), &Value::Null), "{message}");
    let dollars = ["used", "most"].map(|field| message[field].as_f64().expect("dollars"));
    assert_eq!(dollars, [4.0 * price_of_one() as f64 / 1e9, dollars_for(4)], "{message}");
    assert!(!message.to_string().contains(TEAM));
}
