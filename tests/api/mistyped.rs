//! A key in the wrong place: the message says where and what was expected, and never shows the key.

use std::fs;

use serde_json::{Value, json};

use crate::helpers::{App, Launch, Reply, Upstream, config_at, config_of};

/// What must be in no message. As a key it is as long as real ones, and its end reads like nothing else.
const SECRET: &str = "sk-proj-0Kq7-wrong-place-zZ9";
const PART: &str = "wrong-place";

/// A mistake, and what the message says of it.
struct Mistake {
    says: &'static str,
    args: Vec<String>,
    env: Vec<(&'static str, String)>,
    config: String,
}

fn mistake(says: &'static str) -> Mistake {
    Mistake { says, args: Vec::new(), env: Vec::new(), config: valid().to_string() }
}

fn valid() -> Value {
    config_at(&["https://x.example".to_owned()])
}

impl Mistake {
    fn args(mut self, args: &[&str]) -> Mistake {
        self.args = args.iter().map(|arg| arg.replace("SECRET", SECRET)).collect();
        self
    }

    fn env(mut self, name: &'static str, value: &str) -> Mistake {
        self.env.push((name, value.replace("SECRET", SECRET)));
        self
    }

    /// With `SECRET` in the configuration at this place.
    fn at(mut self, pointer: &str, value: Value) -> Mistake {
        let mut config = valid();
        let (parent, field) = pointer.rsplit_once('/').expect("a pointer");
        config.pointer_mut(parent).expect("there")[field.replace("SECRET", SECRET)] = value;
        self.config = config.to_string().replace("SECRET", SECRET);
        self
    }

    fn text(mut self, config: &str) -> Mistake {
        self.config = config.replace("SECRET", SECRET);
        self
    }
}

fn mistakes() -> Vec<Mistake> {
    let secret = json!("SECRET");
    vec![
        mistake("PORT, in the environment or in .env, must be a number").env("PORT", "SECRET"),
        mistake("--host, or $HOST: must be a host name").env("HOST", &format!("SECRET{}", "x".repeat(40))),
        mistake("'--port <PORT>'").args(&["--port", "SECRET"]),
        mistake("'--port <PORT>'").args(&["--port=SECRET"]),
        mistake("unexpected argument").args(&["--SECRET"]),
        mistake("unexpected argument").args(&["SECRET"]),
        mistake("server.port: must be a whole number").at("/server/port", secret.clone()),
        mistake("server.…: unknown field").at("/server/SECRET", json!(1)),
        mistake("apis[0].…: unknown field").at("/apis/0/SECRET", json!({})),
        mistake("apis[0].http2: must be true or false").at("/apis/0/http2", secret.clone()),
        mistake("apis[0].countOn: must be attempt or accepted").at("/apis/0/countOn", secret.clone()),
        mistake("apis[0].baseUrl: must begin with https://").at("/apis/0/baseUrl", secret.clone()),
        mistake("apis[0].baseUrl: must not hold a user or a password")
            .at("/apis/0/baseUrl", json!("https://u:SECRET@x.example")),
        mistake("apis[0].baseUrl: must not hold a query").at("/apis/0/baseUrl", json!("https://x.example?key=SECRET")),
        mistake("apis[0].apiKey: ${…} names an environment variable that is not set")
            .at("/apis/0/apiKey", json!("${SECRET}")),
        mistake("apis[0].apiKey: must be of visible ASCII").at("/apis/0/apiKey", json!("SECRET x")),
        mistake("apis[0].apiKey: must be the key alone: leave Bearer out").at("/apis/0/apiKey", json!("Bearer SECRET")),
        mistake("apis[0].apiKey: is a placeholder; give the key itself").at("/apis/0/apiKey", json!("<your SECRET>")),
        mistake("apis[0].apiKeyFile: a: the file ")
            .text(r#"{ "apis": [{ "id": "a", "baseUrl": "https://x.example", "apiKeyFile": "SECRET" }] }"#),
        mistake("apis[0].reset: must be an IANA time zone").at("/apis/0/reset", secret.clone()),
        mistake("apis[0].priority: must be between").at("/apis/0/priority", json!(1_i64 << 40)),
        mistake("server.cors[0]: must be an origin").at("/server/cors", json!(["SECRET"])),
        mistake("server.apiKeys[0]: a digest must be").at("/server/apiKeys", json!(["sha256:SECRET"])),
        mistake("server.tls.keyFile: must be the path of a PEM file")
            .at("/server/tls", json!({ "certFile": "c", "keyFile": "-----BEGIN PRIVATE KEY-----\nSECRET" })),
        mistake("store.url: must be redis://").at("/store", json!({ "url": "redis://:SECRET@host:x" })),
        mistake("retry.retryOn: is no failure class").at("/retry", json!({ "retryOn": "SECRET" })),
        mistake("apis[1].id: is the id of apis[0] too").text(
            r#"{ "apis": [{ "id": "SECRET", "baseUrl": "https://x.example", "apiKey": "k" },
                          { "id": "SECRET", "baseUrl": "https://x.example", "apiKey": "k" }] }"#,
        ),
        mistake("apis.json:1:13: not valid JSON").text(r#"{ "apis": [ SECRET ] }"#),
        mistake("apis.json:1:34: not valid JSON").text(r#"{ "SECRET" "apis": [] }"#),
        mistake("stands twice in one object").text(r#"{ "SECRET": 1, "SECRET": 2 }"#),
    ]
}

#[test]
fn a_key_in_the_wrong_place_is_named_by_its_place_and_never_shown() {
    for Mistake { says, args, env, config } in mistakes() {
        let mut launch = Launch::new(&Value::Null);
        fs::write(launch.folder.join("apis.json"), config).expect("writes");
        launch.env = env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let output = launch.command().args(["check", "--config", "apis.json"]).args(args).output().expect("runs");
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.code(), Some(2), "{says}: {said}");
        assert!(said.contains(says), "no {says:?} in: {said}");
        assert!(!said.contains(PART), "{says}: {said}");
    }
}

#[test]
fn a_host_that_cannot_be_listened_on_is_not_shown_if_it_is_no_address() {
    let launch = Launch::new(&valid()).env("HOST", SECRET);
    let output = launch.command().args(["--config", "apis.json", "--port", "0"]).output().expect("runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("can't listen on the configured host"), "{said}");
    assert!(said.contains("--host ($HOST, server.host)"), "{said}");
    assert!(!said.contains(PART), "{said}");
}

#[test]
fn a_broken_line_of_dotenv_is_told_without_its_value_and_the_other_lines_count() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = config_of(&[&upstream]);
    config["apis"][0]["apiKey"] = json!("${KEY_BEHIND}");
    let launch = Launch::new(&config);
    let lines = ["# keys", "BROKEN=\"SECRET", "SECRET", "KEY_BEHIND=sk-a$b${c}-0123456789"];
    fs::write(launch.folder.join(".env"), lines.join("\n").replace("SECRET", SECRET)).expect("writes");
    let app = launch.start();
    assert_eq!(app.chat().status, 200);
    assert_eq!(upstream.received()[0].header("authorization"), Some("Bearer sk-a$b${c}-0123456789"));
    app.logged(".env:2: the value has no closing \" at its end; the line is left out");
    app.logged(".env:3: must be NAME=value, and has no =; the line is left out");
    app.logged(".env:4: ${…} is taken as it stands");
    assert!(!app.log().contains(PART) && !app.banner().contains(PART), "{}", app.log());
}

#[test]
fn what_a_client_sends_to_our_own_endpoints_is_not_repeated() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::on(&[&upstream]);
    for body in [json!({ SECRET: 1 }), json!({ "apiId": [SECRET] }), json!(SECRET)] {
        let answer = app.client().post("/v1/token/reset", &body);
        assert_eq!(answer.status, 400);
        let text = answer.text();
        assert!(text.contains("must be empty, or") && !text.contains(PART), "{text}");
    }
    let answer = app.client().get(&format!("/v1/status?model={SECRET}&model={SECRET}"));
    assert_eq!((answer.status, answer.text().contains(PART)), (400, false));
}

#[test]
fn variables_of_this_program_that_cannot_be_used_end_it_with_2() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let launch = Launch::new(&config_of(&[&upstream]));
    for (name, wanted) in [
        ("LOG_LEVEL", "LOG_LEVEL must be error, warn, info, debug, trace or off"),
        ("LOG_FORMAT", "LOG_FORMAT must be text or json"),
        ("PORT", "PORT, in the environment or in .env, must be a number"),
    ] {
        for in_file in [false, true] {
            let dotenv = if in_file { format!("{name}={SECRET}\n") } else { String::new() };
            fs::write(launch.folder.join(".env"), dotenv).expect("writes");
            for command in ["serve", "check"] {
                let mut program = launch.command();
                program.args([command, "--config", "apis.json"]);
                if !in_file {
                    program.env(name, SECRET);
                }
                let output = program.output().expect("runs");
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                assert!(output.status.code() == Some(2) && said.contains(wanted), "{name}: {said}");
                assert!(!said.contains(PART), "{said}");
            }
        }
    }
}

#[test]
fn variables_that_cannot_be_used_are_worth_a_warning_at_the_start_and_of_check() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let config = config_of(&[&upstream]);
    for (name, value, warning) in [
        ("TZ", "Asia/Shanhai".to_owned(), "TZ names no time zone that is known here, so UTC is used"),
        ("TZ", SECRET.to_owned(), "TZ names no time zone that is known here, so UTC is used"),
        ("RUST_LOG", "warn,request=verbose".to_owned(), "RUST_LOG: part 2 of 2 must be TARGET=LEVEL or LEVEL"),
        ("RUST_LOG", format!("error,{SECRET}=x"), "RUST_LOG: part 2 of 2 must be TARGET=LEVEL or LEVEL"),
        ("RUST_LOG", "sled=debug".to_owned(), "RUST_LOG leaves nothing of this program in the log"),
        ("SSL_CERT_DIR", "/nowhere".to_owned(), "SSL_CERT_DIR names no folder"),
    ] {
        let checked =
            Launch::new(&config).env(name, &value).command().args(["check", "--config", "apis.json"]).output();
        let checked = checked.expect("runs");
        let said = String::from_utf8_lossy(&[checked.stdout, checked.stderr].concat()).into_owned();
        assert!(checked.status.success() && said.contains(warning) && !said.contains(PART), "{name}={value}: {said}");
        let app = Launch::new(&config).env(name, &value).start();
        app.logged(warning);
        assert!(!app.log().contains(PART), "{}", app.log());
    }
    for (name, value) in [
        ("TZ", "Asia/Shanghai"),
        ("TZ", "UTC"),
        ("LOG_LEVEL", "WARN"),
        ("LOG_FORMAT", "text"),
        ("RUST_LOG", "warn,request=info"),
    ] {
        let app = Launch::new(&config).env(name, value).start();
        assert!(!app.log().contains(name), "{name}={value}: {}", app.log());
    }
}

#[test]
fn a_file_of_certificates_without_a_sound_one_ends_the_start_and_the_check() {
    let config = config_of(&[&Upstream::always(Reply::chat("hi"))]);
    let folder = Launch::new(&config).folder;
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).expect("writes");
        path.display().to_string()
    };
    let damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (path, reason) in [
        ("/nowhere.pem".to_owned(), "can't be read (No such file"),
        (file("empty.pem", "x"), "has no certificate that can be trusted"),
        (file("bad.pem", damaged), "has no certificate that can be trusted"),
    ] {
        for args in [&["check", "--config", "apis.json"][..], &["--config", "apis.json", "--port", "0"]] {
            let ended = Launch::new(&config).env("SSL_CERT_FILE", &path).command().args(args).output().expect("runs");
            let said = String::from_utf8_lossy(&ended.stderr).into_owned();
            assert!(!ended.status.success() && said.contains(&format!("SSL_CERT_FILE: {path} {reason}")), "{said}");
        }
    }
}
