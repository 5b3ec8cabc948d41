//! Configurations: the original's load unchanged, and mistakes are told all at once, each with its place.

use std::fs;
use std::process::Output;

use serde_json::{Value, json};

use crate::helpers::{App, Launch, Reply, Upstream, config_of, scratch};

/// `api-together check` on this text.
fn check(text: &str) -> (Option<i32>, String) {
    check_with(text, &[])
}

fn check_with(text: &str, env: &[(&str, &str)]) -> (Option<i32>, String) {
    let folder = scratch();
    fs::write(folder.join("apis.json"), text).expect("writes");
    let mut launch = Launch { folder, args: Vec::new(), env: Vec::new() };
    launch.env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let Output { status, stdout, stderr } =
        launch.command().args(["check", "--config", "apis.json"]).output().expect("ran");
    let told = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    (status.code(), told)
}

#[test]
fn the_originals_files_load_unchanged() {
    let shipped = r#"{
      "server": { "port": 3001, "apiKey": "sk-123" },
      "apis": [
        { "id": "api1", "name": "OpenAI官方API", "baseUrl": "https://api.openai.com", "apiKey": "sk-your-openai-key-here",
          "rpm": 60, "rpd": 1000, "enabled": true, "models": ["gpt-3.5-turbo", "gpt-4", "gemini-2.5-pro"],
          "modelMapping": { "gpt-3.5": "gpt-3.5-turbo" } },
        { "id": "api2", "name": "备用API端点", "baseUrl": "https://your-backup-api.com", "apiKey": "sk-your-backup-key-here",
          "rpm": -1, "rpd": 500, "enabled": true, "models": ["claude-2", "claude-instant-1"], "modelMapping": {} },
        { "id": "api3", "name": "第三方API", "baseUrl": "https://api.third-party.com", "apiKey": "sk-third-party-key",
          "rpm": 100, "rpd": 2000, "enabled": true }
      ]
    }"#;
    let (code, told) = check(shipped);
    assert_eq!(code, Some(0), "{told}");
    for wanted in [
        "api1",
        "OpenAI官方API",
        "rpm 60, rpd 1000",
        "gpt-3.5 → gpt-3.5-turbo",
        "rpm unlimited, rpd 500",
        "models: discovered",
    ] {
        assert!(told.contains(wanted), "no {wanted:?} in:\n{told}");
    }
    for key in ["sk-123", "sk-your-openai-key-here", "sk-third-party-key"] {
        assert!(!told.contains(key), "{key} is told in:\n{told}");
    }
}

#[test]
fn the_shipped_example_is_valid_once_its_keys_are_given_and_its_schema_is_up_to_date() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/config/");
    let shipped = fs::read_to_string(format!("{root}apis.example.json")).expect("reads");
    let keys = ["API_TOGETHER_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY", "OPENROUTER_API_KEY"];
    let (code, told) = check_with(&shipped, &keys.map(|name| (name, "sk-0123456789abcdef")));
    assert_eq!(code, Some(0), "{told}");
    let (code, told) = check(&shipped);
    assert_eq!(code, Some(2), "{told}");
    for name in keys {
        assert!(told.contains(&format!("the environment variable {name} is not set")), "no {name} in:\n{told}");
    }
    let named: Value = serde_json::from_str(&shipped).expect("JSON");
    assert_eq!(named["$schema"], "./apis.schema.json");
    let schema = fs::read_to_string(format!("{root}apis.schema.json")).expect("reads");
    let generated = Launch { folder: scratch(), args: Vec::new(), env: Vec::new() }.command().arg("schema").output();
    let generated = String::from_utf8(generated.expect("ran").stdout).expect("UTF-8");
    assert!(schema == generated, "write it anew: UPDATE_DOCS=1 cargo test --lib schemas");
}

/// A file with keys must not be published by `git add .`. Not in a copy without git, such as an archive's.
#[test]
fn files_with_keys_are_ignored_by_git() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/.gitignore");
    let ignored = fs::read_to_string(root).expect("reads");
    for line in ["/config/apis.json", "*.key", ".env"] {
        assert!(ignored.lines().any(|it| it == line), "no {line} in .gitignore");
    }
}

#[test]
fn the_configuration_of_the_deployment_is_valid() {
    let deployed = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/apis.json")).expect("reads");
    let env = [("POOL_KEY", "sk-pool"), ("OPENROUTER_KEY", "sk-or"), ("REDIS_URL", "redis://redis:6379/0")];
    let (code, told) = check_with(&deployed, &env);
    assert_eq!(code, Some(0), "{told}");
}

#[test]
fn all_mistakes_are_told_at_once_each_with_its_place() {
    let (code, told) = check(
        r#"{
          "server": { "port": "3001", "apiKeys": [], "cors": ["example.com"] },
          "apis": [
            { "id": "a", "baseUrl": "https://x.example", "apiKey": "sk-secret-1", "modelMaping": {} },
            { "id": "b", "baseUrl": "https://x.example", "apiKey": 5, "models": [], "rpm": "60" },
            { "baseUrl": 7 }
          ],
          "aips": []
        }"#,
    );
    assert_eq!(code, Some(2), "{told}");
    for wanted in [
        "server.port: must be a whole number, is a string",
        "server.apiKeys: must not be an empty list",
        "apis[0].modelMaping: unknown field, did you mean modelMapping?",
        "apis[1].apiKey: must be a string, is a whole number",
        "apis[1].models: must not be an empty list",
        "apis[1].rpm: must be a whole number, is a string",
        "apis[2].id: is missing",
        "apis[2].baseUrl: must be a string",
        "aips: unknown field, did you mean apis?",
    ] {
        assert!(told.contains(wanted), "no {wanted:?} in:\n{told}");
    }
    assert!(!told.contains("sk-secret-1"));
}

#[test]
fn a_mistake_of_one_kind_hides_none_of_another() {
    let (code, told) = check(
        r#"{
          "server": { "prot": 1, "cors": ["x"] },
          "apis": [
            { "id": "a", "baseUrl": "nonsense", "apiKey": "k", "rmp": 1 },
            { "id": "a", "baseUrl": "https://x.example", "apiKey": "${UNSET_VARIABLE}", "rpm": "60" },
            { "id": "b", "baseUrl": 7 },
            "c"
          ],
          "retry": { "maxAttempts": 0 }
        }"#,
    );
    assert_eq!(code, Some(2));
    for wanted in [
        "server.prot: unknown field, did you mean port?",
        "server.cors[0]: must be an origin",
        "apis[0].rmp: unknown field, did you mean rpm?",
        "apis[0].baseUrl: must begin with https:// or http://",
        "apis[1].id: is the id of apis[0] too",
        "apis[1].apiKey: the environment variable UNSET_VARIABLE is not set",
        "apis[1].rpm: must be a whole number, is a string",
        "apis[2].baseUrl: must be a string, is a whole number",
        "apis[2].apiKey: is missing",
        "apis[3]: must be an object, is a string",
        "retry.maxAttempts: must be between 1 and 100, is 0",
    ] {
        assert!(told.contains(wanted), "no {wanted:?} in:\n{told}");
    }
    assert_eq!(told.lines().count(), 12, "each once:\n{told}");
}

#[test]
fn what_no_type_can_say_is_told_all_at_once_too() {
    let (code, told) = check(&misconfigured());
    assert_eq!(code, Some(2));
    for wanted in [
        "server.host: must be a host name",
        "server.cors[0]: must be an origin",
        "apis[0].baseUrl: must begin with https:// or http://",
        "apis[1].baseUrl: must not hold a user or a password",
        "apis[1].apiKey: must be of visible ASCII characters",
        "apis[2].baseUrl: must be the base alone",
        "apis[2].apiKey: must not be empty",
        "apis[3].apiKey: is missing",
        "apis[4].apiKeyFile: give either",
        "apis[5].apiKeyFile: f: the file does not exist; put the key into that file; a relative path begins in /",
        "apis[6].id: is the id of apis[0] too",
    ] {
        assert!(told.contains(wanted), "no {wanted:?} in:\n{told}");
    }
    for secret in ["sk-secret-1", "sk-secret-2", "sk secret 3"] {
        assert!(!told.contains(secret), "{secret} is told in:\n{told}");
    }
}

fn misconfigured() -> String {
    json!({
        "server": { "cors": ["example.com"], "host": "http://x" },
        "apis": [
            { "id": "a", "baseUrl": "x.example", "apiKey": "sk-secret-1" },
            { "id": "b", "baseUrl": "https://u:sk-secret-2@x.example", "apiKey": "sk secret 3" },
            { "id": "c", "baseUrl": "https://x.example/v1/chat/completions", "apiKey": "" },
            { "id": "d", "baseUrl": "https://x.example" },
            { "id": "e", "baseUrl": "https://x.example", "apiKey": "k", "apiKeyFile": "f" },
            { "id": "f", "baseUrl": "https://x.example", "apiKeyFile": "not-there" },
            { "id": "a", "baseUrl": "https://x.example", "apiKey": "k" },
        ],
    })
    .to_string()
}

#[test]
fn a_slip_of_syntax_is_told_with_line_and_column() {
    let (code, told) =
        check("{\n  \"server\": { \"apiKey\": \"sk-secret-1\" },\n  \"apis\": [ { \"id\": \"a\", } ]\n}");
    assert_eq!(code, Some(2));
    assert!(told.contains("apis.json:3:26: not valid JSON: a comma stands before a closing bracket"), "{told}");
    assert!(!told.contains("sk-secret-1"));
    let (code, told) = check("{\n  \"apis\": [],\n  \"apis\": [{ \"apiKey\": \"sk-secret-1\" }]\n}");
    assert_eq!(code, Some(2));
    assert!(told.contains("apis.json:3:") && told.contains("the field \"apis\" stands twice"), "{told}");
    for (text, wanted) in
        [("", "apis.json:1:1: is empty"), ("[]", "the file: must be an object"), ("{}", "apis: is missing")]
    {
        let (code, told) = check(text);
        assert!(code == Some(2) && told.contains(wanted), "{text:?}: {told}");
    }
}

#[test]
fn a_file_that_is_not_there_or_has_a_mark_in_front() {
    let launch = Launch { folder: scratch(), args: Vec::new(), env: Vec::new() };
    let output = launch.command().output().expect("ran");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2));
    assert!(told.contains("config/apis.json: can't be read"), "{told}");
    let valid = r#"{ "apis": [{ "id": "a", "baseUrl": "https://x.example", "apiKey": "k" }] }"#;
    assert_eq!(check(&format!("\u{feff}{valid}")).0, Some(0), "as Windows' Notepad writes it");
}

#[test]
fn environment_variables_stand_in_any_string() {
    let text = r#"{ "server": { "name": "${NAME:-pool}" },
        "apis": [{ "id": "a", "baseUrl": "https://${HOST_NAME}/v1", "apiKey": "${A_KEY}", "models": ["${MODEL}", "$${x}"] }] }"#;
    let env = [("HOST_NAME", "x.example"), ("A_KEY", "sk-from-the-environment"), ("MODEL", "m-1")];
    let (code, told) = check_with(text, &env);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("https://x.example/v1/") && told.contains("m-1, ${x}"), "{told}");
    assert!(!told.contains("sk-from-the-environment"));
    let (code, told) = check(text);
    assert_eq!(code, Some(2));
    assert!(told.contains("apis[0].apiKey: the environment variable A_KEY is not set"), "{told}");
}

#[test]
fn dotenv_is_read_and_port_and_host_override() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = config_of(&[&upstream]);
    config["server"]["port"] = json!(1);
    config["apis"][0]["apiKey"] = json!("${KEY_IN_DOTENV}");
    let launch = Launch::new(&config);
    fs::write(launch.folder.join(".env"), "KEY_IN_DOTENV=sk-from-dotenv-0123456789\nPORT=0\nHOST=127.0.0.1\n")
        .expect("writes");
    let app = launch.start();
    assert_eq!(app.chat().status, 200);
    assert_eq!(upstream.received()[0].header("authorization"), Some("Bearer sk-from-dotenv-0123456789"));
    assert!(!app.banner().contains("[::1]"), "{}", app.banner());

    let told = |env: &[(&str, &str)]| check_with(&config.to_string().replace("${KEY_IN_DOTENV}", "k"), env);
    assert!(told(&[("PORT", "4567"), ("HOST", "0.0.0.0")]).1.contains("http://localhost:4567/v1"));
    let (code, text) = told(&[("PORT", "http")]);
    assert!(code == Some(2) && text.contains("PORT") || text.contains("--port"), "{text}");
}

#[test]
fn known_providers_end_their_days_where_they_do() {
    let api = |id: &str, url: &str, more: &str| {
        format!(r#"{{ "id": "{id}", "baseUrl": "{url}", "apiKey": "k", "models": ["m"] {more} }}"#)
    };
    let text = |apis: &[String]| format!(r#"{{ "apis": [{}] }}"#, apis.join(","));
    let (code, told) = check(&text(&[
        api("g", "https://generativelanguage.googleapis.com/v1beta/openai", ""),
        api("o", "https://openrouter.ai/api/v1", ""),
        api("r", "https://openrouter.ai/api/v1", r#", "reset": "rolling""#),
        api("l", "https://x.example", ""),
    ]));
    assert_eq!(code, Some(0), "{told}");
    for wanted in ["midnight in America/Los_Angeles", "midnight in UTC", "is any 24 hours", "in the server's time zone"]
    {
        assert!(told.contains(wanted), "no {wanted:?} in:\n{told}");
    }
    let (code, told) =
        check(&text(&[api("x", "https://x.example", r#", "reset": "Mars/Olympus", "burst": { "requests": 0 }"#)]));
    assert_eq!(code, Some(2));
    for wanted in [
        "apis[0].reset: must be an IANA time zone",
        "apis[0].burst.requests: must be between 1",
        "apis[0].burst.seconds: is missing",
    ] {
        assert!(told.contains(wanted), "no {wanted:?} in:\n{told}");
    }
}

#[test]
fn a_configuration_that_is_wrong_does_not_start() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = config_of(&[&upstream]);
    config["apis"][0]["rmp"] = json!(1);
    let output = Launch::new(&config).command().args(["--config", "apis.json"]).output().expect("ran");
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("apis[0].rmp: unknown field, did you mean rpm?"), "{told}");
}

#[test]
fn what_is_probably_not_meant_is_warned_of() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = config_of(&[&upstream, &upstream]);
    config["apis"][0]["modelMapping"] = json!({ "alias": "not-listed" });
    config["apis"][1]["baseUrl"] = json!("http://192.0.2.1");
    config["apis"][1]["http2"] = json!(true);
    let app = App::start(&config);
    let wanted =
        ["alias is mapped to not-listed", "apis[1].baseUrl: http:// sends the key", "apis[1].http2: HTTP/2 is"];
    for wanted in wanted {
        app.logged(wanted);
    }
    assert_eq!(app.client().get("/v1/status").json()["config"]["warnings"].as_array().map(Vec::len), Some(3));
}

#[test]
fn limits_of_models_and_groups_are_checked_and_described() {
    let api = |id: &str, more: &str| {
        format!(r#"{{ "id": "{id}", "baseUrl": "https://x.example", "apiKey": "k", "models": ["m", "n"], {more} }}"#)
    };
    let text = |apis: &[String], more: &str| format!(r#"{{ "apis": [{}] {more} }}"#, apis.join(","));
    let (code, told) = check(&text(
        &[
            api(
                "a",
                r#""tpm": 1000, "countOn": "accepted", "modelMapping": { "g": "m" }, "modelLimits": { "g": { "rpm": 2 } }"#,
            ),
            api("b", r#""quotaGroup": "acct", "modelLimits": { "o": { "tpd": 5 } }"#),
            api("c", r#""quotaGroup": "tight", "rpd": 9, "maxConcurrent": 4"#),
            api("d", r#""quotaGroup": "tight", "rpd": 7, "http2": false"#),
        ],
        r#", "quotaGroups": { "acct": { "rpm": 3, "modelLimits": { "n": { "rpd": 1 } } }, "nobody": {} },
            "store": { "url": "rediss://u:secret-4711@redis.example:6380/2" }"#,
    ));
    assert_eq!(code, Some(0), "{told}");
    for wanted in [
        "Redis at redis.example:6380, prefix api-together",
        "at most 1000 tokens a minute",
        "m: at most 2 requests a minute",
        "turns away with a 429 don't count",
        "group acct: at most 3 requests a minute",
        "group acct: n: at most 1 requests a day",
        "group tight: at most 7 requests a day",
        "group tight: at most 4 requests at the same time",
        "is spoken to in HTTP/1.1 alone",
        "apis[1].modelLimits: o is not among its models",
        "quotaGroups.nobody: no API names it",
    ] {
        assert!(told.contains(wanted), "no {wanted:?} in:\n{told}");
    }
    assert!(!told.contains("4711"), "{told}");
    let (code, told) = check(&text(
        &[
            api("a", r#""countOn": "success", "quotaGroup": "x", "reset": "UTC""#),
            api("b", r#""quotaGroup": "x", "reset": "rolling""#),
            api("c", r#""quotaGroup": "y\u0000", "modelLimits": { "": {}, "m": { "rmp": 1 } }"#),
        ],
        r#", "store": { "url": "http://secret-4711" }, "quotaGroups": { "x": { "tpm": "many" } }"#,
    ));
    assert_eq!(code, Some(2), "{told}");
    for wanted in [
        "apis[0].countOn: must be attempt or accepted",
        "apis[2].quotaGroup: holds a name that is empty or has control characters",
        "apis[2].modelLimits.m.rmp: unknown field, did you mean rpm?",
        "quotaGroups.x.tpm: must be a whole number, is a string",
        "store.url: must be redis://",
    ] {
        assert!(told.contains(wanted), "no {wanted:?} in:\n{told}");
    }
    assert!(!told.contains("4711"), "{told}");
    let groups =
        [api("a", r#""quotaGroup": "x", "reset": "UTC""#), api("b", r#""quotaGroup": "x", "reset": "rolling""#)];
    let (code, told) = check(&text(&groups, ""));
    assert_eq!(code, Some(2));
    assert_eq!(told.matches("quotaGroups.x: its APIs begin their days at different times").count(), 1, "{told}");
}

#[test]
fn a_base_url_that_ends_in_a_hash_is_taken_as_it_stands() {
    for end in ["/inference#", "/inference/#"] {
        let upstream = Upstream::start(|request| match request.method.as_str() {
            "GET" => Reply::json(200, &json!({ "data": [{ "id": "m" }] })),
            _ => Reply::chat("hi"),
        });
        let mut config = config_of(&[&upstream]);
        config["apis"][0]["baseUrl"] = json!(format!("{}{end}", upstream.url()));
        config["apis"][0].as_object_mut().expect("an API").remove("models");
        let app = App::start(&config);
        let url = format!("{}/inference/", upstream.url());
        assert!(app.banner().contains(&format!("{url}  ")) && check(&config.to_string()).1.contains(&url));
        assert_eq!(app.chat().status, 200);
        app.client().post("/v1/embeddings", &json!({ "model": "m", "input": "x" }));
        let paths: Vec<String> = upstream.received().into_iter().map(|request| request.path).collect();
        assert_eq!(paths, ["/inference/models", "/inference/chat/completions", "/inference/embeddings"]);
    }
}
