//! `api-together explain` and `status`: commands that ask a running server.

use serde_json::{Value, json};

use crate::helpers::{App, KEY, Launch, Reply, Upstream, config_of, eventually, scratch};

/// Runs a command in a folder. Returns the exit code and what was printed on either stream.
pub(crate) fn run_in(folder: &std::path::Path, env: &[(&str, &str)], args: &[&str]) -> (Option<i32>, String, String) {
    let mut launch = Launch { folder: folder.to_owned(), args: Vec::new(), env: Vec::new() };
    for (name, value) in env {
        launch = launch.env(name, value);
    }
    let output = launch.command().args(args).output().expect("ran");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn free_address() -> String {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    taken.expect("a free port").to_string()
}

#[test]
fn explain_needs_no_account_secret_and_says_why_nobody_serves() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = config_of(&[&upstream, &upstream, &upstream]);
    config["apis"][0]["rpm"] = json!(1);
    config["apis"][1]["models"] = json!(["gpt-4o"]);
    config["apis"][2]["models"] = json!(["gpt-4o"]);
    let app = App::start(&config);
    let port = app.port.to_string();
    // The file that the command reads has secrets which this shell lacks.
    let folder = scratch();
    config["apis"][0]["apiKey"] = json!("${NOT_SET_HERE}");
    config["store"] = json!({ "url": "redis://${NOT_SET_EITHER}" });
    std::fs::write(folder.join("apis.json"), config.to_string()).expect("writes");
    let explain = |args: &[&str]| run_in(&folder, &[], &[&["explain", "-c", "apis.json", "-p", &port], args].concat());
    let (code, told, _) = explain(&["m"]);
    assert!(code == Some(0) && told.contains("a    yes"), "{told}");
    assert!(told.contains("2 others do not list it") && !told.contains("model_not_served"), "{told}");
    assert_eq!(explain(&["--model", "m"]).0, Some(0));
    let (_, told, _) = explain(&["\u{1b}[31mred"]);
    assert!(told.contains("A request for \\u{1b}[31mred") && !told.contains('\u{1b}'), "{told}");
    assert_eq!(app.chat().status, 200);
    let (code, told, _) = explain(&["m"]);
    assert!(code == Some(1) && told.contains("no: rpm"), "{told}");
    let refused = app.chat();
    let after: u64 = refused.header("retry-after").expect("a time").parse().expect("seconds");
    assert!((50..=62).contains(&after) && refused.status == 429);
    let said = told.split_once("It would be refused with 429, retry after ").map(|(_, rest)| rest.to_owned());
    let said: u64 = said.expect("said").split(' ').next().expect("a number").parse().expect("seconds");
    assert!((after..=after + 2).contains(&said), "{told}");
    let (code, told, _) = explain(&["GPT-4"]);
    assert!(code == Some(1) && told.contains("refused with 404.\n  Did you mean \"gpt-4o\"?"), "{told}");
    let (code, told, _) = explain(&["m", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&told).expect("JSON")["refusal"]["status"], 429);
    assert_eq!(code, Some(1));
    assert_eq!(explain(&[]).0, Some(2));
}

#[test]
fn a_server_that_cannot_be_asked_is_named_with_what_to_do() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::on(&[&upstream]);
    let folder = scratch();
    let url = format!("http://localhost:{}", app.port);
    let nobody = format!("http://{}", free_address());
    for (args, env, code, wanted) in [
        (&["--url", &nobody][..], None, 1, &[nobody.as_str(), "--url", "is api-together running there?"][..]),
        (&["--url", &url], None, 1, &[&url, "401", "--key or API_TOGETHER_KEY"]),
        (&["--url", &url, "--key", "sk-wrong-0123456789"], None, 1, &["401", "sk-…6789", "incorrect API key"]),
        (&["--url", &url], Some(KEY), 0, &[]),
        (&["--url", &format!("{url}/v1/"), "-k", KEY], None, 0, &[]),
        (&["--url", "ftp://x"], None, 2, &["http://"]),
        (&["--url", &url, "--port", "1"], None, 2, &["--port"]),
        (&["--config", "nowhere.json"], None, 2, &["nowhere.json"]),
    ] {
        let env: Vec<_> = env.iter().map(|key| ("API_TOGETHER_KEY", *key)).collect();
        for command in [&["explain", "m"][..], &["status"]] {
            let (got, _, told) = run_in(&folder, &env, &[command, args].concat());
            assert_eq!(got, Some(code), "{command:?} {args:?}: {told}");
            assert!(wanted.iter().all(|wanted| told.contains(wanted)), "{command:?} {args:?}: {told}");
            assert!(!told.contains(KEY) && !told.contains("sk-wrong-0123456789"), "{told}");
        }
    }
}

#[test]
fn status_shows_each_account_with_its_limits() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = config_of(&[&upstream, &upstream, &upstream]);
    config["apis"][0]["rpm"] = json!(2);
    config["apis"][0]["rpd"] = json!(10);
    config["apis"][1]["priority"] = json!(5);
    config["apis"][2]["enabled"] = json!(false);
    let app = App::start(&config);
    assert!([app.chat(), app.chat()].iter().all(|answer| answer.status == 200));
    let port = app.port.to_string();
    let (code, told, _) = run_in(&app.folder, &[], &["status", "-c", "apis.json", "-p", &port]);
    assert_eq!(code, Some(0), "{told}");
    for wanted in ["1 of 3 accounts can serve", "████████ 2/2", "██░░░░░░ 2/10", "disabled", "rpm, "]
    {
        assert!(told.contains(wanted), "no {wanted:?} in:\n{told}");
    }
    assert!(!told.contains('\u{1b}'), "no colours where there is no terminal: {told:?}");
    let (_, told, _) = run_in(&app.folder, &[], &["status", "-c", "apis.json", "-p", &port, "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&told).expect("JSON")["apis"][0]["usage"]["rpm"], 2);
}

#[test]
fn status_shows_a_recent_error_of_an_account_that_can_serve_and_no_name_that_nobody_gave() {
    let upstreams = [Upstream::always(Reply::error(502, "no")), Upstream::always(Reply::error(502, "no"))];
    let mut config = config_of(&upstreams.each_ref());
    let app = App::start(&config);
    assert_eq!(app.chat().status, 502);
    let port = app.port.to_string();
    let status = || run_in(&app.folder, &[], &["status", "-c", "apis.json", "-p", &port]).1;
    let told = status();
    assert!(told.starts_with("api-together at http://") && told.contains("2 of 2 accounts can serve"), "{told}");
    for account in ["a", "b"] {
        let line =
            told.lines().find(|line| line.starts_with(&format!("  {account}: server_error: 502 "))).expect(&told);
        assert!(line.contains("see its provider's status page (") && line.ends_with(" s ago)"), "{told}");
    }
    config["server"]["name"] = json!("our pool");
    let app = App::start(&config);
    let port = app.port.to_string();
    let (_, told, _) = run_in(&app.folder, &[], &["status", "-c", "apis.json", "-p", &port]);
    assert!(told.starts_with("our pool at "), "{told}");
}

/// What explain says of a model, with the exit code.
fn told_of(app: &App, model: &str) -> (Option<i32>, String) {
    let port = app.port.to_string();
    let (code, told, _) = run_in(&app.folder, &[], &["explain", "-c", "apis.json", "-p", &port, model]);
    (code, told)
}

#[test]
fn explain_foretells_a_wait_in_the_queue_and_a_last_resort() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = config_of(&[&upstream]);
    config["apis"][0]["rpm"] = json!(1);
    config["queue"] = json!({ "maxWaitMs": 120_000 });
    let app = App::start(&config);
    assert_eq!(app.chat().status, 200);
    let (code, told) = told_of(&app, "m");
    assert!(code == Some(0) && told.contains("It would wait for a limit to free, up to 2 min"), "{told}");

    let upstream = Upstream::always(Reply::error(500, "no"));
    let app = App::on(&[&upstream]);
    for _ in 0..5 {
        app.chat();
    }
    let (code, told) = told_of(&app, "m");
    let calls = upstream.calls();
    let status = app.chat().status;
    // Either a probe is due, and the next request is one, or none is.
    match code {
        Some(0) => {
            assert!(told.contains("It would be tried with a all the same") && upstream.calls() > calls, "{told}")
        }
        _ => assert!(told.contains("It would be refused with 503, retry after") && status == 503, "{told}"),
    }
}

#[test]
fn explain_knows_aliases_and_formats() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = config_of(&[&upstream, &upstream]);
    config["apis"][0]["models"] = json!(["x"]);
    config["apis"][0]["rpm"] = json!(0);
    config["apis"][1]["models"] = json!(["y"]);
    config["apis"][1]["enabled"] = json!(false);
    config["aliases"] = json!({ "smart": ["x", "y"] });
    let app = App::start(&config);
    let (code, told) = told_of(&app, "smart");
    assert!(
        code == Some(1) && told.contains("smart is an alias") && told.contains("It would be refused with "),
        "{told}"
    );
    let status = app.client().post("/v1/chat/completions", &json!({ "model": "smart", "messages": [] })).status;
    assert!(told.contains(&format!("refused with {status}")), "{status}: {told}");
    let port = app.port.to_string();
    let args = ["explain", "-c", "apis.json", "-p", &port, "x", "--format", "anthropic"];
    let (code, told, _) = run_in(&app.folder, &[], &args);
    assert!(code == Some(1) && told.contains("speak the format") && told.contains("refused with 404"), "{told}");
}

#[test]
fn explain_foretells_the_wait_for_a_missing_list_of_models_as_the_client_gets_it() {
    let upstream = Upstream::always(Reply::error(500, "no"));
    let mut config = config_of(&[&upstream]);
    config["apis"][0].as_object_mut().expect("an object").remove("models");
    let app = App::start(&config);
    eventually("the list was asked for", || !app.status_of("a")["lastError"].is_null());
    let (code, told) = told_of(&app, "m");
    let refused = app.chat();
    let after: u64 = refused.header("retry-after").expect("a time").parse().expect("seconds");
    assert!((2..=15).contains(&after) && refused.status == 503, "{after}");
    let said = told.split_once("It would be refused with 503, retry after ").map(|(_, rest)| rest.to_owned());
    let said: u64 = said.expect(&told).split(' ').next().expect("a number").parse().expect("seconds");
    assert!(code == Some(1) && (after..=after + 2).contains(&said), "{after}: {told}");
    let until = app.status_of("a")["availableAt"].as_str().expect("a time").to_owned();
    assert!(told.contains("no: models_unknown") && told.contains(&until[..16]), "{until}: {told}");
}
