//! Each warning, and what has none.

use serde_json::{Value, json};

use super::unexpanded_variables;
use crate::config::{ConfigSource, Overrides, parse};

/// The warnings of a configuration that is valid.
fn warnings(config: &Value) -> Vec<String> {
    let source = ConfigSource { path: "x.json".into(), overrides: Overrides::default() };
    let parsed = parse(&config.to_string(), &source, |_| Ok("sk-your-key-here".to_owned()));
    parsed.unwrap_or_else(|e| panic!("{config}: {e}")).warnings
}

/// A configuration with a sound server and this entry.
fn with_api(fields: &Value) -> Value {
    let mut api = json!({ "id": "a", "baseUrl": "https://api.provider.net/v1", "apiKey": "sk-4f9Qm2Zk7w" });
    api.as_object_mut().expect("fields").extend(fields.as_object().expect("fields").clone());
    if api["apiKeyFile"].is_string() {
        api.as_object_mut().expect("fields").remove("apiKey");
    }
    json!({ "server": { "apiKey": "sk-0a8Lr0Tn5Vb3" }, "apis": [api] })
}

fn with_server(server: &Value) -> Value {
    let mut config = with_api(&json!({}));
    config["server"] = server.clone();
    config
}

#[test]
fn what_cannot_work_has_a_warning_with_its_place_and_no_value() {
    for (config, says) in [
        (with_api(&json!({ "apiKey": "$OPENAI_KEY_9" })), "apis[0].apiKey: looks like a variable"),
        (with_api(&json!({ "apiKey": "$OPENAI_API_KEY" })), "apis[0].apiKey: looks like a variable"),
        (with_api(&json!({ "baseUrl": "https://$OPENAI_KEY_9/v1" })), "apis[0].baseUrl: looks like a variable"),
        (with_api(&json!({ "headers": { "x-t": "$OPENAI_KEY_9" } })), "apis[0].headers.x-t: looks like a variable"),
        (with_api(&json!({ "apiKey": "sk-your-openai-key-here" })), "apis[0].apiKey: is a placeholder"),
        (with_api(&json!({ "apiKeyFile": "key" })), "apis[0].apiKeyFile: is a placeholder"),
        (with_api(&json!({ "baseUrl": "https://your-backup-api.com" })), "apis[0].baseUrl: has a placeholder"),
        (with_api(&json!({ "rpm": 60_000, "rpd": 100 })), "apis[0].rpm: is more than rpd"),
        (
            with_api(&json!({ "modelLimits": { "m": { "tpm": 6, "tpd": 5 } } })),
            "apis[0].modelLimits.m.tpm: is more than tpd",
        ),
        (with_api(&json!({ "apiKey": "sk-0a8Lr0Tn5Vb3" })), "apis[0].apiKey: is a key of server.apiKey, too"),
        (
            with_api(&json!({ "baseUrl": "https://generativelanguage.googleapis.com" })),
            "apis[0].baseUrl: is at the host of Google Gemini (AI Studio), whose base URL is https://generativelanguage.googleapis.com/v1beta/openai;",
        ),
        (with_api(&json!({ "baseUrl": "https://api.groq.com/v1" })), "\"provider\": \"groq\" instead"),
        (with_api(&json!({ "baseUrl": "https://openrouter.ai" })), "whose base URL is https://openrouter.ai/api/v1;"),
        (with_api(&json!({ "baseUrl": "https://api.perplexity.ai" })), "apis[0].baseUrl: is at the host of"),
        (
            with_api(&json!({ "baseUrl": "https://api.openai.com", "apiKey": "sk-ant-4f9Qm2Zk7w" })),
            "apis[0].apiKey: begins like a key of anthropic, and is sent to the host of OpenAI;",
        ),
        (
            with_api(&json!({ "provider": "groq", "baseUrl": "https://api.cerebras.ai/v1" })),
            "apis[0].baseUrl: is at the host of Cerebras, and provider says groq;",
        ),
        (
            with_api(&json!({ "anthropicBaseUrl": "https://api.openai.com" })),
            "apis[0].anthropicBaseUrl: is at the host of OpenAI, which has no API of Anthropic's format; baseUrl is for OpenAI's",
        ),
        (with_server(&json!({ "apiKey": "sk-choose-a-long-random-key" })), "server.apiKey: is a placeholder"),
        (with_server(&json!({ "apiKeys": ["sk-0a8Lr0Tn5Vb3", "xxx"] })), "server.apiKeys[1]: is a placeholder"),
        (with_server(&json!({ "apiKey": "sk-123", "host": "0.0.0.0" })), "server.apiKey: has fewer than 16"),
        (with_server(&json!({})), "server.apiKey is not set: anyone who reaches the address"),
        (with_server(&json!({ "host": "0.0.0.0", "open": true })), "server.host (0.0.0.0) lets the network in"),
        (with_server(&json!({ "host": "::", "open": true })), "server.host (::) lets the network in"),
        (with_server(&json!({ "host": "pool.provider.net", "open": true })), "server.host lets the network in"),
    ] {
        let told = warnings(&config);
        assert!(told.len() == 1 && told[0].contains(says), "no {says:?} in {told:#?}");
        for value in ["OPENAI_KEY_9", "sk-your", "sk-choose", "sk-0a8Lr0Tn5Vb3", "sk-123"] {
            assert!(!told[0].contains(value), "{told:?}");
        }
    }
}

#[test]
fn a_variable_or_a_file_that_holds_the_name_of_a_variable_has_a_warning() {
    let entry = json!({ "apiKey": "sk-${A}${B}", "headers": { "x": "${GOOD}", "y": "$${A}" } });
    let told = unexpanded_variables(&entry, &|name| match name {
        "A" => Some("os.environ/OTHER_A".to_owned()),
        "B" => Some("${OTHER_B}".to_owned()),
        _ => Some("sk-4f9Qm2Zk7w".to_owned()),
    });
    let of =
        |name: &str| format!("apiKey: the variable {name} holds the name of another variable, which nothing puts in; ");
    assert!(told.len() == 2 && told[0].starts_with(&of("A")) && told[1].starts_with(&of("B")), "{told:?}");
    assert!(!told.concat().contains("OTHER"), "{told:?}");
    let source = ConfigSource { path: "x.json".into(), overrides: Overrides::default() };
    let config = with_api(&json!({ "apiKeyFile": "key" })).to_string();
    let told = parse(&config, &source, |_| Ok("%OTHER_KEY%\n".to_owned())).expect("valid").warnings;
    let says = "apis[0].apiKeyFile: the file holds the name of a variable, which nothing puts in; put the key itself";
    assert!(told.len() == 1 && told[0].starts_with(says), "{told:?}");
}

#[test]
fn one_key_in_two_entries_has_a_warning_unless_the_entries_share_a_group() {
    let two = |second: &Value| {
        let mut config = with_api(&json!({ "quotaGroup": "g" }));
        let mut other = config["apis"][0].clone();
        other["id"] = json!("b");
        other.as_object_mut().expect("fields").extend(second.as_object().expect("fields").clone());
        config["apis"].as_array_mut().expect("a list").push(other);
        warnings(&config)
    };
    let told = two(&json!({ "quotaGroup": "other" }));
    assert!(told.len() == 1 && told[0].starts_with("apis[1].apiKey: is the key of apis[0], too"), "{told:?}");
    for sound in [
        json!({}),
        json!({ "quotaGroup": "other", "apiKey": "sk-another-7w" }),
        json!({ "quotaGroup": "other", "baseUrl": "https://api.another.net" }),
        json!({ "quotaGroup": "other", "enabled": false }),
    ] {
        assert_eq!(two(&sound), Vec::<String>::new(), "{sound}");
    }
}

#[test]
fn no_preset_has_a_warning_however_its_base_url_is_written() {
    use crate::config::Providers;
    use crate::types::WireFormat;
    for provider in Providers::embedded().list() {
        for format in WireFormat::ALL {
            let Some(base) = provider.base_url(format) else { continue };
            let filled = base.replace("{account}", "0a1b").replace("{resource}", "mine");
            let other_ways = [format!("{filled}/"), filled.trim_end_matches("/v1").to_owned()];
            // Another version in the path takes the place of /v1.
            let is_exact = filled.ends_with('#') || filled.contains("/v4/");
            for typed in other_ways.into_iter().filter(|_| !is_exact).chain([filled.clone()]) {
                let mut config = with_api(&json!({}));
                config["apis"][0].as_object_mut().expect("fields").remove("baseUrl");
                config["apis"][0][format.base_url_field()] = json!(typed);
                assert_eq!(warnings(&config), Vec::<String>::new(), "{} {typed}", provider.id);
            }
        }
    }
}

#[test]
fn what_is_sound_has_no_warning() {
    for config in [
        with_api(&json!({})),
        with_api(&json!({ "baseUrl": "http://localhost:11434", "apiKey": "xxx" })),
        with_api(&json!({ "baseUrl": "http://127.0.0.1:8000/v1", "apiKey": "sk-0a8Lr0Tn5Vb3" })),
        with_api(&json!({ "rpm": 60, "rpd": -1, "tpm": 5, "tpd": 5 })),
        with_api(&json!({ "rpm": 60, "rpd": 0 })),
        with_server(&json!({ "apiKey": "sk-123" })),
        with_server(&json!({ "apiKey": "sk-123", "host": "127.0.0.1" })),
        with_server(&json!({ "apiKey": "sk-123", "host": "::1" })),
        with_server(&json!({
            "apiKey": "sha256:67af08925208c90be925e3a555fe44e8a1cef149772323b3d15dc43a392fc57d", "host": "0.0.0.0",
        })),
        with_server(&json!({ "apiKey": "sk-0a8Lr0Tn5Vb34f9Qm2Zk7w", "host": "0.0.0.0" })),
    ] {
        let told = warnings(&config);
        let about_all = |text: &&String| !text.contains("every API is disabled");
        assert_eq!(told.iter().filter(about_all).collect::<Vec<_>>(), Vec::<&String>::new(), "{config}");
    }
}
