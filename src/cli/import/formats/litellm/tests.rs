//! What becomes of the parts of a LiteLLM configuration, one by one.

use serde_json::{Value, json};

use super::read;
use crate::cli::import::draft::ConfigDraft;
use crate::cli::import::formats::Format;
use crate::cli::import::input;

/// Returns the entries, and all findings as lines.
fn imported(list: &str) -> (Value, String) {
    let tree = input::parse(Format::Litellm.form(), &format!("model_list: [{list}]")).expect("reads");
    let mut draft = ConfigDraft::new(false);
    read(&tree.root(), &mut draft).expect("the form");
    let findings: Vec<String> = tree.findings().iter().map(ToString::to_string).collect();
    (draft.finish()["apis"].take(), findings.join("\n"))
}

fn deployment(asked: &str, params: &str) -> String {
    format!("{{model_name: '{asked}', litellm_params: {{{params}}}}}")
}

#[test]
fn a_whole_provider_is_an_account_with_the_models_of_its_own_list() {
    for (asked, model, said) in [
        ("groq/*", "groq/*", "clients ask for NAME here, and not for groq/NAME"),
        ("xai/*", "xai/*", "clients ask for NAME here, and not for xai/NAME"),
        ("anthropic/*", "anthropic/*", "clients ask for NAME here, and not for anthropic/NAME"),
        ("team/*", "openai/*", "clients ask for NAME here, and not for team/NAME"),
        ("*", "openai/*", "the models are those of the account's own list, and no others"),
    ] {
        let (apis, told) = imported(&deployment(asked, &format!("model: '{model}', api_key: os.environ/K")));
        assert_eq!((apis[0].get("models"), apis[0].get("modelMapping")), (None, None), "{asked}: {apis}");
        assert!(told.contains("changed   model_list[0].model_name: ") && told.contains(said), "{told}");
    }
}

#[test]
fn a_pattern_that_goes_up_as_asked_stays_and_one_of_another_name_is_the_account_s_own() {
    for (asked, model, models, fate) in [
        ("claude-*", "anthropic/claude-*", "claude-*", "carried   model_list[0].model_name"),
        ("gpt-*", "gpt-*", "gpt-*", "carried   model_list[0].model_name"),
        (
            "openrouter/qwen/*",
            "openrouter/qwen/*",
            "qwen/*",
            "changed   model_list[0].model_name: clients ask for qwen/*",
        ),
    ] {
        let (apis, told) = imported(&deployment(asked, &format!("model: '{model}', api_key: os.environ/K")));
        assert_eq!(apis[0]["models"], json!([models]), "{asked}");
        assert!(told.contains(fate), "{told}");
    }
}

#[test]
fn names_beside_a_whole_provider_are_mapped_and_patterns_are_entries_of_their_own() {
    let of = |asked: &str, model: &str| deployment(asked, &format!("model: '{model}', api_key: os.environ/K"));
    let all = [of("groq/*", "groq/*"), of("fast", "groq/llama"), of("gemma", "groq/gemma"), of("q-*", "groq/q-*")];
    let (apis, _) = imported(&all.join(", "));
    assert_eq!(apis.as_array().map(Vec::len), Some(2), "{apis}");
    assert_eq!(apis[0].get("models"), None);
    assert_eq!(apis[0]["modelMapping"], json!({ "fast": "llama", "gemma": "gemma" }));
    assert_eq!((&apis[1]["models"], &apis[1]["quotaGroup"]), (&json!(["q-*"]), &apis[0]["quotaGroup"]));
}

#[test]
fn any_provider_by_the_asked_name_is_no_account() {
    for model in ["*", "*/*", "*-mini"] {
        let (apis, told) = imported(&deployment("*", &format!("model: '{model}', api_key: os.environ/K")));
        assert_eq!(apis, json!([]), "{model}");
        assert!(told.contains("left out  model_list[0]: the asked name says the provider"), "{told}");
    }
    let (apis, _) = imported(&deployment("*", "model: '*', custom_llm_provider: groq"));
    assert_eq!(apis, json!([{ "id": "groq", "provider": "groq" }]));
}

#[test]
fn a_word_for_no_key_is_no_secret_where_none_is_needed() {
    for word in
        ["none", "None", "dummy", "EMPTY", "sk-no-key-required", "fake-key", "not-needed", "ollama", "lm-studio"]
    {
        let params = format!("model: openai/m, api_base: 'http://localhost:8000/v1', api_key: {word}");
        let (apis, told) = imported(&deployment("m", &params));
        assert_eq!((&apis[0]["apiKey"], apis[0].get("apiKeyFile")), (&json!(word), None), "{apis}");
        assert!(told.contains("carried   model_list[0].litellm_params.api_key"), "{told}");
    }
    for params in
        ["model: openai/m, api_base: 'http://localhost:8000/v1', api_key: sk-1234", "model: groq/m, api_key: none"]
    {
        let (apis, told) = imported(&deployment("m", params));
        assert_eq!(apis[0].get("apiKey"), None, "{apis}");
        assert!(told.contains("is not copied"), "{told}");
    }
}

#[test]
fn fallbacks_and_aliases_name_the_models_as_they_are_called_here() {
    let text = "
model_list:
- {model_name: 'groq/*', litellm_params: {model: 'groq/*'}}
- {model_name: 'x/*', litellm_params: {model: 'openrouter/x-ai/*'}}
- {model_name: fast, litellm_params: {model: openai/gpt-5-mini}}
router_settings:
  model_group_alias: {best: x/grok-4}
  fallbacks: [{fast: [groq/llama]}, {groq/llama: [x/grok-3, fast]}]";
    let tree = input::parse(Format::Litellm.form(), text).expect("reads");
    let mut draft = ConfigDraft::new(false);
    read(&tree.root(), &mut draft).expect("the form");
    let wanted = json!({
        "best": "x-ai/grok-4",
        "fast": ["fast", "llama"],
        "groq/llama": ["llama", "x-ai/grok-3", "fast"],
    });
    assert_eq!(draft.finish()["aliases"], wanted);
}
