//! An entry that names a provider: what the preset fills in takes effect, `check` says so, and newer presets stand beside the file.

use std::fs;

use serde_json::{Value, json};

use crate::helpers::{App, KEY, Launch, Reply, Upstream, eventually, scratch};

const GROQ_KEY: &str = "gsk-of-the-environment-0123456789";

/// A configuration of these entries.
fn config(apis: &Value) -> Value {
    json!({ "server": { "apiKey": KEY }, "apis": apis })
}

/// What a command says, and its exit code.
fn said(launch: &Launch, arguments: &[&str]) -> (Option<i32>, String) {
    let output = launch.command().args(arguments).output().expect("runs");
    (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

fn check(apis: &Value, env: &[(&str, &str)]) -> (Option<i32>, String) {
    let launch = env.iter().fold(Launch::new(&config(apis)), |launch, (name, value)| launch.env(name, value));
    said(&launch, &["check", "--config", "apis.json"])
}

/// Presets of one provider, with the base URL of an upstream.
fn presets(as_of: &str, id: &str, url: &str) -> String {
    json!({ "asOf": as_of, "providers": { id: { "name": "Ours", "keyEnv": ["OUR_KEY"], "baseUrl": url } } }).to_string()
}

#[test]
fn an_entry_is_served_with_the_key_of_the_providers_variable_and_in_the_providers_header() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let url = upstream.url();
    for (provider, variable, header, value) in [
        ("groq", "GROQ_API_KEY", "authorization", format!("Bearer {GROQ_KEY}")),
        ("azure", "AZURE_OPENAI_API_KEY", "api-key", GROQ_KEY.to_owned()),
    ] {
        let entry = json!([{ "id": "a", "provider": provider, "baseUrl": url, "models": ["m"] }]);
        let app = Launch::new(&config(&entry)).env(variable, GROQ_KEY).start();
        assert_eq!(app.chat().status, 200);
        let received = upstream.received();
        assert_eq!(received.last().and_then(|request| request.header(header)), Some(value.as_str()));
        let status = app.client().get("/v1/status").text();
        assert!(![app.banner(), app.log(), status].concat().contains("gsk-of-the-env"), "{}", app.log());
    }
}

#[test]
fn two_keys_of_one_account_have_the_accounts_limit_together() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let entry = |id: &str, more: Value| {
        let mut entry = json!({ "id": id, "provider": "groq", "baseUrl": upstream.url(), "models": ["m"], "rpm": 2,
            "apiKey": format!("gsk-{id}-0123456789") });
        entry.as_object_mut().expect("an entry").extend(more.as_object().expect("fields").clone());
        entry
    };
    let answered = |apis: Value| {
        let app = App::start(&config(&apis));
        (0..6).filter(|_| app.chat().status == 200).count()
    };
    assert_eq!(answered(json!([entry("a", json!({})), entry("b", json!({}))])), 2);
    let own = |id: &str| entry(id, json!({ "quotaGroup": format!("account-{id}") }));
    assert_eq!(answered(json!([own("a"), own("b")])), 4);
}

#[test]
fn check_says_what_was_filled_in_and_of_which_day_and_never_the_key() {
    let apis = json!([
        { "id": "g1", "provider": "groq" },
        { "id": "g2", "provider": "groq", "apiKey": "gsk-of-the-file-0123456789" },
        { "id": "az", "provider": "azure", "resource": "my-ai", "apiKey": "az-0123456789" },
        { "id": "px", "provider": "perplexity", "apiKey": "px-0123456789", "reset": "UTC" },
        { "id": "zai", "provider": "zai", "apiKey": "z-0123456789", "timeouts": { "idleMs": 9000 } },
        { "id": "local", "provider": "ollama" },
    ]);
    let (code, told) = check(&apis, &[("GROQ_API_KEY", GROQ_KEY)]);
    assert_eq!(code, Some(0), "{told}");
    for wanted in [
        "filled in from groq (2026-",
        "baseUrl https://api.groq.com/openai/v1, limitsPer model, cachedTokensCount false, ",
        "reset rolling, quotaGroup groq, apiKey from GROQ_API_KEY",
        "shares limits with g2",
        "https://my-ai.openai.azure.com/openai/v1/",
        "auth api-key",
        "https://api.perplexity.ai/  ",
        "ends at midnight in UTC",
        "first token 180s, idle 9s",
        "http://localhost:11434/v1/",
    ] {
        assert!(told.contains(wanted), "no {wanted:?} in:\n{told}");
    }
    for key in [GROQ_KEY, "gsk-of-the-file-0123456789"] {
        assert!(!told.contains(key), "{told}");
    }
}

#[test]
fn what_a_preset_cant_fill_in_is_refused_with_the_place_and_the_mend() {
    let apis = json!([
        { "id": "a", "provider": "gemini" },
        { "id": "b", "provider": "azure", "apiKey": "k" },
        { "id": "c", "provider": "cloudflare", "apiKey": "k", "account": "sk-secret/1" },
        { "id": "d", "provider": "gorq", "apiKey": "sk-secret-2" },
        { "id": "e", "provider": "sk-secret-3", "apiKey": "k" },
        { "id": "f", "provider": "github-models", "apiKey": "k" },
        { "id": "g", "provider": 7, "apiKey": "k", "baseUrl": "https://x.example" },
        { "id": "h", "provider": "", "apiKey": "k", "baseUrl": "https://x.example" },
        { "id": "i", "provider": "groq", "apiKey": "k", "timeouts": 5, "baseUrl": "nonsense" },
    ]);
    let (code, told) = check(&apis, &[]);
    assert_eq!(code, Some(2), "{told}");
    for wanted in [
        "apis[0].apiKey: is missing; set GEMINI_API_KEY, in the environment or in .env, or give apiKey or apiKeyFile",
        "apis[1].resource: is missing; give the name of your Azure OpenAI resource",
        "apis[2].account: must be the id of your Cloudflare account",
        "apis[3].provider: is not known, did you mean groq?",
        "apis[4].provider: is not known; `api-together presets` lists all",
        "apis[5].provider: GitHub Models was retired on 2026-07-30",
        "apis[6].provider: must be a string, is a whole number",
        "apis[7].provider: must not be empty",
        "apis[8].timeouts: must be an object, is a whole number",
        "apis[8].baseUrl: ",
    ] {
        assert!(told.contains(wanted), "no {wanted:?} in:\n{told}");
    }
    assert!(told.contains("10 problems:"), "each once:\n{told}");
    assert!(!told.contains("secret"), "{told}");
}

#[test]
fn presets_beside_the_configuration_take_effect_at_once_and_a_mistake_there_costs_nothing() {
    let [one, two] = ["one", "two"].map(|text| Upstream::always(Reply::chat(text)));
    let launch = Launch::new(&config(&json!([{ "id": "a", "provider": "ours", "models": ["m"] }])));
    let file = launch.folder.join("presets.json");
    fs::write(&file, presets("2026-01-01", "ours", &one.url())).expect("writes");
    let app = launch.env("OUR_KEY", "sk-ours-0123456789").start();
    assert!(app.chat().text().contains("one"));
    fs::write(&file, "{ \"asOf\": ").expect("writes");
    app.logged("presets.json:1:10: not valid JSON");
    assert!(app.chat().text().contains("one"));
    fs::write(&file, presets("2026-01-01", "ours", &two.url())).expect("writes");
    eventually("the new address is asked", || app.chat().text().contains("two"));
    fs::remove_file(&file).expect("removes");
    app.logged("apis[0].provider: is not known");
    assert!(app.chat().text().contains("two"));
}

#[test]
fn of_two_presets_with_one_name_the_newer_one_is_used() {
    let launch = Launch::new(&config(&json!([{ "id": "a", "provider": "groq", "apiKey": "k" }])));
    let newer = launch.folder.join("newer.json");
    fs::write(&newer, presets("2099-01-01", "groq", "https://newer.example")).expect("writes");
    let older = launch.folder.join("older.json");
    fs::write(&older, presets("2020-01-01", "groq", "https://older.example")).expect("writes");
    let told = |file: &str| said(&launch, &["check", "--config", "apis.json", "--presets", file]).1;
    assert!(told("newer.json").contains("filled in from groq (2099-01-01): baseUrl https://newer.example"));
    assert!(told("older.json").contains("https://api.groq.com/openai/v1/"));
    let (code, told) = said(&launch, &["check", "--config", "apis.json", "--presets", "none.json"]);
    assert!(code == Some(2) && told.contains("none.json: can't be read"), "{told}");
    assert!(told.contains("name another with --presets"), "{told}");
    fs::write(launch.folder.join("broken.json"), "{\n  \"asOf\": \"2099-01-01\",\n  // mine\n}").expect("writes");
    let (code, told) = said(&launch, &["check", "--config", "apis.json", "--presets", "broken.json"]);
    let says = "broken.json:3:3: not valid JSON: comments are not allowed\n";
    assert!(code == Some(2) && told.contains(says) && told.contains('^'), "{told}");
}

#[test]
fn a_file_of_presets_is_checked_as_the_configuration_is() {
    let launch = Launch::new(&config(&json!([{ "id": "a", "provider": "groq", "apiKey": "k" }])));
    let wrong = json!({ "asOf": "yesterday", "providers": {
        "a": { "name": "A", "baseUrl": "https://u:p@x.example", "rmp": 5 },
        "b": { "baseUrl": "https://x.example", "scope": "everybody" },
        "c": { "name": "C", "id": "c", "timeouts": { "idleMs": 0 }, "plans": { "free": { "asOf": "x", "source": "y", "rpm": "1" } } },
        "d": { "name": "D", "baseUrl": "https://{place}.example", "blanks": { "place": { "about": "where" } } },
    }, "more": 1 });
    fs::write(launch.folder.join("presets.json"), wrong.to_string()).expect("writes");
    let (code, told) = said(&launch, &["check", "--config", "apis.json"]);
    assert_eq!(code, Some(2), "{told}");
    for wanted in [
        "presets.json: ",
        "asOf: must be a date such as 2026-11-28",
        "more: unknown field",
        "providers.a.baseUrl: must not hold a user or a password",
        "providers.a.rmp: unknown field, did you mean rpm?",
        "providers.b.name: is missing",
        "providers.b.scope: must be account or key",
        "providers.c.id: belongs to an entry, not to a preset",
        "providers.c.timeouts.idleMs: must be between 1",
        "providers.c.plans.free.rpm: must be a whole number",
        "providers.d.blanks.place: is no blank; use resource or account",
    ] {
        assert!(told.contains(wanted), "no {wanted:?} in:\n{told}");
    }
    // A file that nobody uses is nobody's trouble.
    let apis = json!([{ "id": "a", "baseUrl": "https://x.example", "apiKey": "k" }]);
    fs::write(launch.folder.join("apis.json"), config(&apis).to_string()).expect("writes");
    assert_eq!(said(&launch, &["check", "--config", "apis.json"]).0, Some(0));
}

#[test]
fn a_secret_in_a_file_of_presets_is_shown_to_nobody() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let launch = Launch::new(&config(&json!([{ "id": "a", "provider": "ours", "models": ["m"] }])));
    let ours = json!({ "name": "Ours", "baseUrl": upstream.url(), "apiKey": "sk-shared-secret-0123", "headers": { "x-team": "team-secret-4567" } });
    let proxied =
        json!({ "name": "Ours", "baseUrl": "https://x.example", "proxy": "http://u:proxy-secret-89@127.0.0.1:1" });
    let file = json!({ "$schema": "x", "asOf": "2026-01-01", "providers": { "ours": ours, "proxied": proxied } });
    fs::write(launch.folder.join("presets.json"), file.to_string()).expect("writes");
    let told = [&["check", "--config", "apis.json"][..], &["presets", "ours", "--config", "apis.json"]]
        .map(|arguments| said(&launch, arguments));
    for (code, told) in &told {
        assert!(*code == Some(0) && !told.contains("secret") && told.contains("sk-…0123"), "{told}");
        assert!(told.contains("x-team"), "{told}");
    }
    let (code, proxied) = said(&launch, &["presets", "proxied", "--config", "apis.json"]);
    assert!(code == Some(0) && proxied.contains("\"proxy\"") && !proxied.contains("secret"), "{proxied}");
    assert!(told[0].1.contains("presets.json: others on this machine may read the keys in it"), "{}", told[0].1);
    let app = launch.start();
    assert_eq!(app.chat().status, 200);
    let received = upstream.received();
    assert_eq!(received[0].header("authorization"), Some("Bearer sk-shared-secret-0123"));
    assert_eq!(received[0].header("x-team"), Some("team-secret-4567"));
    let status = app.client().get("/v1/status").text();
    assert!(![app.banner(), app.log(), status].concat().contains("secret"));
}

#[test]
fn presets_lists_all_and_prints_one() {
    let launch = Launch { folder: scratch(), args: Vec::new(), env: Vec::new() };
    let (code, told) = said(&launch, &["presets"]);
    assert_eq!(code, Some(0), "{told}");
    let rows = told.lines().filter(|line| line.contains("http")).count();
    assert!(rows >= 45 && told.contains(&format!("{rows} presets, of 20")), "{told}");
    let row = |id: &str| told.lines().find(|line| line.trim().starts_with(id)).unwrap_or_default().to_owned();
    assert!(row("deepseek ").contains("DEEPSEEK_API_KEY") && row("deepseek ").ends_with("openai, anthropic"));
    let (code, told) = said(&launch, &["presets", "groq"]);
    assert_eq!(code, Some(0), "{told}");
    for wanted in
        ["${GROQ_API_KEY}", "\"quotaGroup\": \"groq\"", "https://api.groq.com/openai/v1", "Plan free, as of 20"]
    {
        assert!(told.contains(wanted), "no {wanted:?} in:\n{told}");
    }
    for (typed, says) in [
        ("google", "did you mean gemini?"),
        ("gork", "did you mean xai?"),
        ("github-models", "was retired on 2026-07-30"),
        ("sk-secret-9", "`api-together presets` lists all"),
    ] {
        let (code, told) = said(&launch, &["presets", typed]);
        assert!(code == Some(2) && told.contains(says) && !told.contains("secret"), "{typed}: {told}");
    }
}
