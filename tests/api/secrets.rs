//! What nobody is ever told: keys; and what nobody can make the log say.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::helpers::{App, Client, KEY, Launch, Raw, Reply, Step, Upstream, config_of, eventually};

/// With a character that JSON may escape.
const UPSTREAM_KEY: &str = "sk-up/stream-secret-0123456789";

/// A client's key of which the configuration has the digest.
const DIGESTED: &str = "sk-a-key-that-stands-nowhere-0123456789";

fn digest_of(key: &str) -> String {
    let mut sum = Command::new("sh");
    let printed = sum.args(["-c", "printf %s \"$0\" | sha256sum", key]).output().expect("sha256sum is there");
    let printed = String::from_utf8(printed.stdout).expect("text");
    format!("sha256:{}", printed.split(' ').next().expect("a digest"))
}

fn config(upstream: &Upstream) -> Value {
    let mut config = config_of(&[upstream]);
    config["server"]["apiKeys"] = json!([digest_of(DIGESTED)]);
    config["apis"][0]["apiKey"] = json!(UPSTREAM_KEY);
    config
}

#[test]
fn a_digest_lets_its_key_in_and_is_no_key_itself() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::start(&config(&upstream));
    let ask = |key: &str| Client::new(app.port).key(key).get("/v1/models").status;
    assert_eq!((ask(DIGESTED), ask(KEY)), (200, 200));
    let digest = digest_of(DIGESTED);
    for wrong in [&digest, &digest["sha256:".len()..], &DIGESTED[1..], ""] {
        assert_eq!(ask(wrong), 401, "{wrong:?}");
    }
    let mut wrong = config(&upstream);
    wrong["server"]["apiKeys"] = json!(["sha256:0123"]);
    let checked = Launch::new(&wrong).command().args(["check", "--config", "apis.json"]).output().expect("runs");
    let told = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(!checked.status.success() && told.contains("server.apiKeys[0]") && told.contains("sha256sum"), "{told}");
}

/// Everything an upstream can do with the key that it was sent.
fn betrayals() -> Vec<Reply> {
    let escaped = UPSTREAM_KEY.replace('/', "\\/").replace('-', "\\u002d");
    let error = |key: &str| format!(r#"{{"error":{{"message":"bad key {key}.","type":"t","code":"c"}}}}"#);
    let content = Step::event(r#"{"choices":[{"delta":{"content":"a"}}]}"#);
    let headers = [("content-type", "application/json"), ("x-debug", UPSTREAM_KEY), ("location", UPSTREAM_KEY)];
    let mut replies: Vec<Reply> = [400, 401, 402, 403, 404, 413, 422, 429, 500, 503]
        .into_iter()
        .flat_map(|status| [UPSTREAM_KEY, &escaped].map(|key| Reply::text(status, &headers, &error(key))))
        .collect();
    replies.push(Reply::text(302, &headers, ""));
    replies.push(Reply::text(200, &headers, &error(UPSTREAM_KEY)));
    replies.push(Reply::text(200, &[("content-type", UPSTREAM_KEY)], "x"));
    replies.push(Reply::text(200, &[("x-request-id", UPSTREAM_KEY), ("content-type", "application/json")], "{}"));
    replies.push(Reply::raw(format!("HTTP/1.1 {UPSTREAM_KEY}\r\n\r\n")));
    replies.push(Reply::raw(format!("HTTP/1.1 200 {UPSTREAM_KEY}\r\n{UPSTREAM_KEY}\r\n\r\n")));
    replies.push(Reply::raw(format!("HTTP/1.1 200 OK\r\ncontent-length: {UPSTREAM_KEY}\r\n\r\n")));
    replies.push(Reply::raw(format!("HTTP/1.1 500 X\r\ncontent-length: 999\r\n\r\n{}", error(UPSTREAM_KEY))));
    replies.push(Reply::drop());
    // Too long to be held, with the key before the bound, across it, and behind it; compressed.
    for pad in [1_000, (64 << 10) - 40, 70 << 10] {
        let long = error(&format!("{}{UPSTREAM_KEY}{}", "x".repeat(pad), "y".repeat(70 << 10)));
        replies.push(Reply::text(400, &headers[..1], &long));
    }
    let zipped = [("content-type", "application/json"), ("content-encoding", "deflate")];
    replies.push(Reply::text(400, &zipped, &error(UPSTREAM_KEY)));
    for form in [
        r#"{"error":["KEY"]}"#,
        r#"{"error":true,"message":"KEY"}"#,
        r#"{"object":"error","message":"KEY","code":401}"#,
        r#"{"errors":[{"message":"KEY"}]}"#,
        r#"{"detail":"bad key KEY"}"#,
        r#"{"choices":[{"message":{"content":"bad key KEY\n"}}]}"#,
    ] {
        replies.push(Reply::text(200, &headers[..1], &form.replace("KEY", UPSTREAM_KEY)));
    }
    for event in [
        "data: {\"object\":\"error\",\"message\":\"KEY\",\"type\":\"BadRequestError\",\"code\":400}\n\n",
        "event: error\ndata: {\"code\":500,\"message\":\"KEY\"}\n\n",
    ] {
        let event = Step::chunk(event.replace("KEY", UPSTREAM_KEY).as_bytes());
        replies.push(Reply::stream(vec![event.clone(), Step::event("[DONE]")], true));
        replies.push(Reply::stream(vec![content.clone(), event], true));
    }
    // The first event of a stream, and one behind content that comes in two pieces with the key cut through.
    replies.push(Reply::stream(vec![Step::event(&error(UPSTREAM_KEY))], true));
    for key in [UPSTREAM_KEY, &escaped] {
        let event = format!("data: {}\n\n", error(key));
        let (one, other) = event.split_at(event.find("secret").expect("in it"));
        let pieces = vec![content.clone(), Step::chunk(one.as_bytes()), Step::chunk(other.as_bytes())];
        replies.push(Reply::stream(pieces, true));
    }
    replies
}

#[test]
fn nothing_that_the_process_says_or_keeps_holds_a_key() {
    let replies = betrayals();
    let many = replies.len();
    let upstream = Upstream::in_turn(replies);
    let mut launch = Launch::new(&config(&upstream)).env("RUST_LOG", "trace,sled=info");
    launch.args.push("--fresh".to_owned());
    let app = launch.start();
    let mut told = String::new();
    for nth in 0..many + 5 {
        // Asked for the nth time in a row, whatever the pool thinks of it by now.
        app.signal("HUP");
        let body = json!({ "model": "m", "stream": nth + 5 > many });
        let mut answer = app.client().post("/v1/chat/completions", &body);
        told.push_str(&format!("{:?}\n", answer.headers));
        told.push_str(&String::from_utf8_lossy(&answer.try_bytes().unwrap_or_default()));
        revive(&app);
    }
    assert!(upstream.calls() >= many, "only {} of {many} were asked for", upstream.calls());
    assert!(upstream.received()[0].header("authorization").is_some_and(|sent| sent.contains(UPSTREAM_KEY)));

    // What clients do wrong.
    for near in [&KEY[1..], &format!("{KEY}x"), &DIGESTED[1..], KEY] {
        told.push_str(&Client::new(app.port).key(near).get("/v1/models?api_key=sk-query-0123456789").text());
    }
    for path in ["/health", "/v1/status", "/v1/status?model=m", "/v1/token/stats", "/v1/nothing"] {
        told.push_str(&Client::new(app.port).key(DIGESTED).get(path).text());
    }
    let mut broken = Raw::to(app.port);
    broken.send(format!("GET /v1/models HTTP/1.1\r\nauthorization Bearer {KEY}\r\n\r\n"));
    told.push_str(&String::from_utf8_lossy(&broken.until_closed()));
    fs::write(app.config_file(), format!("{{ \"apis\": [ \"{UPSTREAM_KEY}\", {KEY} ] }}")).expect("writes");
    app.signal("HUP");
    app.logged("stays in force");
    told.push_str(&app.client().get("/v1/status").text());
    for of_process in ["cmdline", "environ"] {
        told.push_str(&String::from_utf8_lossy(
            &fs::read(format!("/proc/{}/{of_process}", app.pid())).expect("running"),
        ));
    }
    assert!(app.log().contains("TRACE"), "not everything is logged");
    let (folder, banner) = (app.folder.clone(), app.banner());
    let mut app = app;
    app.signal("TERM");
    assert!(app.wait().success());
    told.push_str(&banner);
    told.push_str(&app.log());
    files_below(&folder.join("data"), &mut |file| {
        told.push_str(&String::from_utf8_lossy(&fs::read(file).expect("reads")));
    });
    let checked = Launch::new(&config(&upstream)).command().args(["check", "--config", "apis.json"]).output();
    told.push_str(&String::from_utf8_lossy(&checked.expect("runs").stdout));

    let told = told.replace("\\u002d", "-").replace("\\/", "/");
    // Parts of the keys are as bad.
    for secret in ["stream-secret", "secret-0123456789", &KEY[3..], &DIGESTED[3..], "sk-query"] {
        let at = told.find(secret);
        let around = at.map(|at| told[..at].chars().rev().take(300).collect::<Vec<_>>().into_iter().rev().collect());
        assert!(at.is_none(), "{secret} was told, behind: {}", around.unwrap_or_else(String::new));
    }
}

#[test]
fn the_key_of_an_upstream_that_needs_none_changes_nothing_of_its_answers() {
    for key in ["-", "x", "a", "json", "EMPTY", "event-stream", "application/json"] {
        let upstream = Upstream::start(|request| match request.json() {
            body if body["stream"] == true => {
                Reply::events(&["data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n", "data: [DONE]\n\n"])
            }
            body if body["bad"] == true => Reply::error(400, "max_tokens is too large, says x"),
            _ => Reply::chat("hi"),
        });
        let mut config = config_of(&[&upstream]);
        config["apis"][0]["apiKey"] = json!(key);
        let app = App::start(&config);
        let ask = |fields: Value| {
            let answer = app.client().post("/v1/chat/completions", &fields);
            let kind = answer.header("content-type").unwrap_or_default().to_owned();
            (kind, answer.text())
        };
        assert_eq!(ask(json!({ "model": "m", "stream": true })).0, "text/event-stream", "{key}");
        assert_eq!(ask(json!({ "model": "m" })).0, "application/json", "{key}");
        assert!(ask(json!({ "model": "m", "bad": true })).1.contains("max_tokens is too large, says x"), "{key}");
    }
}

#[test]
fn what_an_upstreams_headers_say_of_its_account_or_to_its_proxies_stays_up() {
    let kept = ["cf-ray", "openai-processing-ms", "x-request-id"];
    let dropped = [
        "x-accel-redirect",
        "x-accel-expires",
        "x-sendfile",
        "anthropic-organization-id",
        "x-groq-organization",
        "openai-organization",
        "openai-project",
        "set-cookie",
        "set-cookie2",
        "clear-site-data",
        "refresh",
        "link",
        "report-to",
        "nel",
        "authentication-info",
        "proxy-authentication-info",
        "proxy-authenticate",
        "www-authenticate",
        "alt-svc",
        "strict-transport-security",
        "access-control-allow-origin",
    ];
    let mut headers = vec![("content-type", "application/json")];
    headers.extend(kept.iter().chain(&dropped).map(|name| (*name, "told")));
    let upstream = Upstream::always(Reply::text(200, &headers, r#"{"choices":[{"message":{"content":"a"}}]}"#));
    let answer = App::on(&[&upstream]).chat();
    for name in kept {
        assert!(answer.header(name).is_some(), "{name}");
    }
    for name in dropped {
        assert_eq!(answer.header(name), None, "{name}");
    }
}

/// Makes the pool forget what it thinks of its upstream: a changed one is asked anew.
fn revive(app: &App) {
    let text = fs::read_to_string(app.config_file()).expect("reads");
    let mut config: Value = serde_json::from_str(&text).expect("JSON");
    let weight = config["apis"][0]["weight"].as_u64().unwrap_or(1) + 1;
    config["apis"][0]["weight"] = json!(weight);
    fs::write(app.config_file(), config.to_string()).expect("writes");
    app.signal("HUP");
    eventually("it is taken up", || app.status_of("a")["weight"] == weight);
}

fn files_below(folder: &Path, found: &mut impl FnMut(&Path)) {
    for entry in fs::read_dir(folder).expect("reads").map_while(Result::ok) {
        let path = entry.path();
        if path.is_dir() { files_below(&path, found) } else { found(&path) }
    }
}

#[test]
fn no_name_that_a_client_or_an_upstream_gives_forges_a_line() {
    let forged = "2030-01-01T00:00:00.000Z ERROR forged";
    let error = format!(r#"{{"error":{{"message":"x\n{forged}","type":"t\r\n{forged}","code":"c\n{forged}"}}}}"#);
    let upstream = Upstream::always(Reply::text(500, &[("content-type", "application/json")], &error));
    let app = App::on(&[&upstream]);
    for name in
        [format!("m\n{forged}"), format!("m\r\n{forged}\r\n"), format!("\u{85}{forged}"), format!("\u{2028}{forged}")]
    {
        app.client().post("/v1/chat/completions", &json!({ "model": name, "messages": [] }));
    }
    app.chat();
    let escaped = forged.replace(' ', "%20");
    for path in [format!("/v1/x%0a{escaped}"), format!("/v1/x%0D%0A{escaped}"), format!("/v1/models/x%0a{escaped}")] {
        app.client().get(&path);
    }
    app.client().request("GET%0aX", "/v1/models", b"");
    let mut last = app.client().get("/v1/the-last-request");
    let _ = last.try_bytes();
    app.logged("the-last-request");
    let lines = app.log();
    let own = |line: &str| line.is_empty() || (line.starts_with("20") && !line.starts_with("2030-"));
    let forgery = lines.split(['\n', '\r', '\u{85}', '\u{2028}']).find(|line| !own(line));
    assert_eq!(forgery, None, "{lines}");
    assert!(lines.contains("forged"), "nothing was tried: {lines}");
}

#[test]
fn what_it_writes_is_for_its_owner_alone() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::on(&[&upstream]);
    assert_eq!(app.chat().status, 200);
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    let data = app.folder.join("data");
    assert_eq!((mode(&data), mode(&data.join("sled"))), (0o700, 0o700));
    let mut files = 0;
    files_below(&data, &mut |file| {
        files += 1;
        assert_eq!(mode(file), 0o600, "{}", file.display());
    });
    assert!(files >= 2, "{files} files");
}

#[test]
fn files_with_keys_that_others_may_read_are_worth_a_warning() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = config_of(&[&upstream]);
    config["apis"][0].as_object_mut().expect("an API").remove("apiKey");
    config["apis"][0]["apiKeyFile"] = json!("a.key");
    config["server"]["apiKey"] = json!("${POOL_KEY}");
    let warned = |config: &Value, file_mode: u32, key_mode: u32| {
        let launch = Launch::new(config).env("POOL_KEY", KEY);
        let set = |name: &str, mode: u32| {
            fs::set_permissions(launch.folder.join(name), fs::Permissions::from_mode(mode)).expect("set");
        };
        fs::write(launch.folder.join("a.key"), UPSTREAM_KEY).expect("writes");
        set("apis.json", file_mode);
        set("a.key", key_mode);
        let app = launch.start();
        let warnings = app.client().get("/v1/status").json()["config"]["warnings"].clone();
        let warnings: Vec<String> = serde_json::from_value(warnings).expect("a list of texts");
        warnings.iter().filter(|w| w.contains("others on this machine")).cloned().collect::<Vec<_>>()
    };
    assert_eq!(warned(&config, 0o644, 0o600), Vec::<String>::new(), "no key stands in the configuration itself");
    let of_key_file = warned(&config, 0o644, 0o640);
    assert!(matches!(&of_key_file[..], [one] if one.contains("a.key") && one.contains("640")), "{of_key_file:?}");
    config["server"]["apiKey"] = json!(KEY);
    let of_configuration = warned(&config, 0o604, 0o600);
    assert!(matches!(&of_configuration[..], [one] if one.contains("apis.json")), "{of_configuration:?}");
    assert_eq!(warned(&config, 0o600, 0o400), Vec::<String>::new());
}
