//! What presets fill in, and what the user's own fields do to that.

use serde_json::{Value, json};

use super::fill_in::FilledIn;
use super::{Providers, fill_in};
use crate::config::{Config, ConfigSource, Overrides, parse};
use crate::types::WireFormat;

/// The final base URLs of every preset, OpenAI's form and Anthropic's, with `x` in blanks.
const BASE_URLS: &[(&str, &str, &str)] = &[
    ("openai", "https://api.openai.com/v1/", ""),
    ("azure", "https://a.openai.azure.com/openai/v1/", ""),
    ("anthropic", "", "https://api.anthropic.com/v1/"),
    ("gemini", "https://generativelanguage.googleapis.com/v1beta/openai/", ""),
    ("openrouter", "https://openrouter.ai/api/v1/", "https://openrouter.ai/api/v1/"),
    ("groq", "https://api.groq.com/openai/v1/", ""),
    ("cerebras", "https://api.cerebras.ai/v1/", ""),
    ("mistral", "https://api.mistral.ai/v1/", ""),
    ("codestral", "https://codestral.mistral.ai/v1/", ""),
    ("together", "https://api.together.ai/v1/", ""),
    ("fireworks", "https://api.fireworks.ai/inference/v1/", ""),
    ("deepseek", "https://api.deepseek.com/v1/", "https://api.deepseek.com/anthropic/v1/"),
    ("moonshot", "https://api.moonshot.ai/v1/", "https://api.moonshot.ai/anthropic/v1/"),
    ("moonshot-cn", "https://api.moonshot.cn/v1/", "https://api.moonshot.cn/anthropic/v1/"),
    ("zhipu", "https://open.bigmodel.cn/api/paas/v4/", "https://open.bigmodel.cn/api/anthropic/v1/"),
    ("zai", "https://api.z.ai/api/paas/v4/", "https://api.z.ai/api/anthropic/v1/"),
    ("siliconflow", "https://api.siliconflow.com/v1/", ""),
    ("siliconflow-cn", "https://api.siliconflow.cn/v1/", ""),
    (
        "dashscope",
        "https://dashscope-intl.aliyuncs.com/compatible-mode/v1/",
        "https://dashscope-intl.aliyuncs.com/apps/anthropic/v1/",
    ),
    (
        "dashscope-cn",
        "https://dashscope.aliyuncs.com/compatible-mode/v1/",
        "https://dashscope.aliyuncs.com/apps/anthropic/v1/",
    ),
    ("volcengine", "https://ark.cn-beijing.volces.com/api/v3/", ""),
    ("byteplus", "https://ark.ap-southeast.bytepluses.com/api/v3/", ""),
    ("nvidia", "https://integrate.api.nvidia.com/v1/", ""),
    ("cloudflare", "https://api.cloudflare.com/client/v4/accounts/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/ai/v1/", ""),
    ("huggingface", "https://router.huggingface.co/v1/", ""),
    ("cohere", "https://api.cohere.ai/compatibility/v1/", ""),
    ("sambanova", "https://api.sambanova.ai/v1/", ""),
    ("xai", "https://api.x.ai/v1/", ""),
    ("perplexity", "https://api.perplexity.ai/", ""),
    ("nebius", "https://api.tokenfactory.nebius.com/v1/", ""),
    ("hyperbolic", "https://api.hyperbolic.xyz/v1/", ""),
    ("novita", "https://api.novita.ai/openai/v1/", ""),
    ("minimax", "https://api.minimax.io/v1/", "https://api.minimax.io/anthropic/v1/"),
    ("minimax-cn", "https://api.minimaxi.com/v1/", "https://api.minimaxi.com/anthropic/v1/"),
    ("deepinfra", "https://api.deepinfra.com/v1/openai/", "https://api.deepinfra.com/anthropic/v1/"),
    ("qianfan", "https://qianfan.baidubce.com/v2/", ""),
    ("modelscope", "https://api-inference.modelscope.cn/v1/", ""),
    ("longcat", "https://api.longcat.chat/openai/v1/", "https://api.longcat.chat/anthropic/v1/"),
    ("vercel", "https://ai-gateway.vercel.sh/v1/", "https://ai-gateway.vercel.sh/v1/"),
    ("kilo", "https://api.kilo.ai/api/gateway/", ""),
    ("opencode-zen", "https://opencode.ai/zen/v1/", "https://opencode.ai/zen/v1/"),
    ("stepfun", "https://api.stepfun.com/v1/", "https://api.stepfun.com/v1/"),
    ("upstage", "https://api.upstage.ai/v1/solar/", ""),
    ("baseten", "https://inference.baseten.co/v1/", ""),
    ("scaleway", "https://api.scaleway.ai/v1/", ""),
    ("requesty", "https://router.requesty.ai/v1/", ""),
    ("chutes", "https://llm.chutes.ai/v1/", ""),
    ("ollama", "http://localhost:11434/v1/", ""),
    ("ollama-cloud", "https://ollama.com/v1/", ""),
    ("lmstudio", "http://127.0.0.1:1234/v1/", ""),
    ("vllm", "http://localhost:8000/v1/", ""),
    ("llama.cpp", "http://localhost:8080/v1/", ""),
    ("zhipu-coding", "https://open.bigmodel.cn/api/coding/paas/v4/", "https://open.bigmodel.cn/api/anthropic/v1/"),
    ("zai-coding", "https://api.z.ai/api/coding/paas/v4/", "https://api.z.ai/api/anthropic/v1/"),
    ("kimi-coding", "https://api.kimi.com/coding/v1/", "https://api.kimi.com/coding/v1/"),
    (
        "volcengine-coding",
        "https://ark.cn-beijing.volces.com/api/coding/v3/",
        "https://ark.cn-beijing.volces.com/api/coding/v1/",
    ),
    (
        "dashscope-coding",
        "https://coding-intl.dashscope.aliyuncs.com/v1/",
        "https://coding-intl.dashscope.aliyuncs.com/apps/anthropic/v1/",
    ),
    (
        "dashscope-coding-cn",
        "https://coding.dashscope.aliyuncs.com/v1/",
        "https://coding.dashscope.aliyuncs.com/apps/anthropic/v1/",
    ),
    (
        "mimo-coding-sgp",
        "https://token-plan-sgp.xiaomimimo.com/v1/",
        "https://token-plan-sgp.xiaomimimo.com/anthropic/v1/",
    ),
    (
        "mimo-coding-cn",
        "https://token-plan-cn.xiaomimimo.com/v1/",
        "https://token-plan-cn.xiaomimimo.com/anthropic/v1/",
    ),
    (
        "mimo-coding-ams",
        "https://token-plan-ams.xiaomimimo.com/v1/",
        "https://token-plan-ams.xiaomimimo.com/anthropic/v1/",
    ),
];

fn loaded(apis: &Value) -> Result<Config, String> {
    let source = ConfigSource { path: "nowhere/x.json".into(), overrides: Overrides::default() };
    let text = json!({ "apis": apis }).to_string();
    parse(&text, &source, |_| Ok("sk-of-a-file".to_owned())).map_err(|error| error.to_string())
}

/// Fills in one entry, in an environment where `GROQ_API_KEY` and `CLOUDFLARE_ACCOUNT_ID` are set.
fn filled(entry: Value) -> (Value, FilledIn) {
    let mut document = json!({ "apis": [entry] });
    let variable = |name: &str| match name {
        "GROQ_API_KEY" => Some("gsk-of-the-environment".to_owned()),
        "CLOUDFLARE_ACCOUNT_ID" => Some("0123abc".to_owned()),
        _ => None,
    };
    let done = fill_in(&mut document, Providers::embedded(), &variable);
    (document["apis"][0].take(), done)
}

fn problems(entry: Value) -> Vec<String> {
    filled(entry).1.problems.iter().map(ToString::to_string).collect()
}

#[test]
fn every_preset_fills_in_a_valid_entry_with_the_base_urls_of_its_provider() {
    let known = Providers::embedded().list();
    let ids: Vec<&str> = known.iter().map(|provider| provider.id.as_str()).collect();
    let expected: Vec<&str> = BASE_URLS.iter().map(|(id, _, _)| *id).collect();
    assert_eq!(ids, expected);
    for (provider, (id, openai, anthropic)) in known.iter().zip(BASE_URLS) {
        let mut entry = json!({ "id": "a", "provider": id });
        for (name, blank) in &provider.blanks {
            entry[name] = json!("a".repeat(blank.hex_digits.unwrap_or(1)));
        }
        if provider.needs_key() {
            entry["apiKey"] = json!("sk-0123456789");
        }
        for plan in provider.plans.values().map(Some).chain([None]) {
            let mut entry = entry.clone();
            entry.as_object_mut().expect("an entry").extend(plan.iter().flat_map(|plan| plan.fields.clone()));
            let config = loaded(&json!([entry])).unwrap_or_else(|why| panic!("{id}: {why}"));
            let api = &config.apis[0];
            for (format, wanted) in [(WireFormat::OpenAi, openai), (WireFormat::Anthropic, anthropic)] {
                let url = api.addresses.of(format).as_ref().map(|address| address.base_url.as_str());
                assert_eq!(url.unwrap_or_default(), *wanted, "{id}");
            }
            let about: Vec<&String> = config.warnings.iter().filter(|text| text.starts_with("apis")).collect();
            assert!(about.is_empty(), "{id}: {about:?}");
            assert_eq!(config.presets["a"].provider, *id);
        }
    }
}

#[test]
fn the_users_own_fields_win_and_objects_are_merged_member_by_member() {
    let (entry, _) = filled(json!({ "id": "a", "provider": "zai", "apiKey": "k", "reset": "UTC", "quotaGroup": "mine",
        "timeouts": { "firstTokenTimeoutMs": 7, "idleMs": 8 } }));
    assert_eq!(entry["reset"], "UTC");
    assert_eq!(entry["quotaGroup"], "mine");
    assert_eq!(entry["timeouts"], json!({ "firstTokenTimeoutMs": 7, "idleMs": 8 }));
    let (entry, _) = filled(json!({ "id": "a", "provider": "zai", "apiKey": "k", "timeouts": { "idleMs": 8 } }));
    assert_eq!(entry["timeouts"], json!({ "idleMs": 8, "firstTokenTimeoutMs": 180_000 }));
    let (entry, _) =
        filled(json!({ "id": "a", "provider": "gemini", "apiKey": "k", "reset": null, "quotaGroup": null }));
    assert!(entry["reset"].is_null() && entry["quotaGroup"].is_null(), "{entry}");
}

#[test]
fn an_entry_with_a_base_url_of_its_own_gets_neither_of_the_presets() {
    let (entry, done) =
        filled(json!({ "id": "a", "provider": "deepseek", "apiKey": "k", "baseUrl": "http://127.0.0.1:1" }));
    assert_eq!((&entry["baseUrl"], entry.get("anthropicBaseUrl")), (&json!("http://127.0.0.1:1"), None));
    // An auth scheme without an address would only be warned of.
    let (entry, _) =
        filled(json!({ "id": "a", "provider": "openrouter", "apiKey": "k", "baseUrl": "http://127.0.0.1:1" }));
    assert_eq!(entry.get("anthropicAuth"), None);
    assert!(done.problems.is_empty());
    let (entry, _) = filled(json!({ "id": "a", "provider": "deepseek", "apiKey": "k", "anthropicBaseUrl": null }));
    assert_eq!((&entry["baseUrl"], &entry["anthropicBaseUrl"]), (&json!("https://api.deepseek.com/v1"), &Value::Null));
    let own = json!({ "id": "a", "provider": "azure", "apiKey": "k", "baseUrl": "https://x.example", "resource": "r" });
    let (_, done) = filled(own);
    assert_eq!(done.warnings, ["apis[0].resource: is not used, as the entry has a base URL of its own"]);
}

#[test]
fn a_blank_is_filled_by_its_field_or_its_variable_and_is_refused_by_name() {
    let (entry, _) = filled(json!({ "id": "a", "provider": "azure", "apiKey": "k", "resource": "my-ai" }));
    assert_eq!(entry["baseUrl"], "https://my-ai.openai.azure.com/openai/v1");
    assert_eq!((&entry["auth"], &entry["quotaGroup"]), (&json!("api-key"), &json!("azure:my-ai")));
    let (entry, _) = filled(json!({ "id": "a", "provider": "cloudflare", "apiKey": "k" }));
    assert_eq!(entry["baseUrl"], "https://api.cloudflare.com/client/v4/accounts/0123abc/ai/v1");
    assert_eq!(
        problems(json!({ "id": "a", "provider": "azure", "apiKey": "k" })),
        [
            "apis[0].resource: is missing; give the name of your Azure OpenAI resource for https://{resource}.openai.azure.com/openai/v1, \
          or set AZURE_RESOURCE_NAME, or give a baseUrl"
        ]
    );
    for wrong in ["", "a/b", "x.example#", "sk secret"] {
        let found = problems(json!({ "id": "a", "provider": "azure", "apiKey": "k", "resource": wrong }));
        let rule =
            "apis[0].resource: must be the name of your Azure OpenAI resource alone: letters, digits and hyphens";
        assert_eq!(found, [rule], "{wrong}");
    }
    // With another problem beside: each is told once.
    let why = loaded(&json!([{ "id": "a", "provider": "azure" }])).expect_err("two mistakes");
    assert!(why.contains("2 problems") && why.contains("apis[0].resource") && why.contains("apis[0].apiKey"), "{why}");
}

#[test]
fn a_key_is_the_entrys_own_or_the_providers_variable_or_not_needed() {
    let key = |entry: Value| filled(entry).0["apiKey"].clone();
    assert_eq!(key(json!({ "id": "a", "provider": "groq" })), "gsk-of-the-environment");
    assert_eq!(key(json!({ "id": "a", "provider": "groq", "apiKey": "own" })), "own");
    assert_eq!(key(json!({ "id": "a", "provider": "groq", "apiKeyFile": "f" })), Value::Null);
    assert_eq!(key(json!({ "id": "a", "provider": "groq", "apiKey": null })), "gsk-of-the-environment");
    assert_eq!(key(json!({ "id": "a", "provider": "ollama" })), "ollama");
    assert_eq!(key(json!({ "id": "a", "provider": "ollama", "apiKeyFile": "f" })), Value::Null);
    let missing =
        "apis[0].apiKey: is missing; set GEMINI_API_KEY, in the environment or in .env, or give apiKey or apiKeyFile";
    assert_eq!(problems(json!({ "id": "a", "provider": "gemini" })), [missing]);
    let (_, done) = filled(json!({ "id": "a", "provider": "groq" }));
    assert!(!format!("{done:?}").contains("gsk-of"), "{done:?}");
    let shown = &done.uses["a"].filled;
    assert!(shown.contains(&("apiKey".to_owned(), "from GROQ_API_KEY".to_owned())), "{shown:?}");
}

#[test]
fn entries_of_one_account_share_a_group_unless_they_name_another() {
    let config = loaded(&json!([
        { "id": "a", "provider": "groq", "apiKey": "k1", "rpm": 30 },
        { "id": "b", "provider": "groq", "apiKey": "k2" },
        { "id": "c", "provider": "groq", "apiKey": "k3", "quotaGroup": "other" },
        { "id": "d", "provider": "vllm" },
    ]))
    .expect("valid");
    let group = |nth: usize| config.apis[nth].group.as_ref().map(|group| &*group.name);
    assert_eq!([group(0), group(1), group(2), group(3)], [Some("groq"), Some("groq"), Some("other"), None]);
}

#[test]
fn an_unknown_provider_is_refused_with_the_one_that_was_meant() {
    for (typed, told) in [
        ("grok", "did you mean xai?"),
        ("google", "did you mean gemini?"),
        ("gork", "did you mean xai?"),
        ("Kimi", "did you mean moonshot?"),
        ("GROQ", "did you mean groq?"),
        ("mistrall", "did you mean mistral?"),
        ("https://api.groq.com/openai/v1", "did you mean groq?"),
        ("api.x.ai", "did you mean xai?"),
        ("sk-or-v1-0123456789", "is not known; `api-together presets` lists all"),
        ("github-models", "retired on 2026-07-30"),
        ("vertex-express", "speaks only Google's own wire format"),
        ("claude-max", "is a subscription"),
    ] {
        let found = problems(json!({ "id": "a", "provider": typed, "apiKey": "k" }));
        let [one] = &found[..] else { panic!("{typed}: {found:?}") };
        assert!(one.starts_with("apis[0].provider: ") && one.contains(told), "{typed}: {one}");
        assert!(!one.contains("sk-or"), "{one}");
    }
}

#[test]
fn a_known_host_tells_when_its_day_begins() {
    let reset = |entry: Value| filled(entry).0["reset"].clone();
    let at = |url: &str| reset(json!({ "id": "a", "apiKey": "k", "baseUrl": url }));
    assert_eq!(at("https://generativelanguage.googleapis.com/v1beta/openai"), "America/Los_Angeles");
    assert_eq!(at(" https://OpenRouter.ai/api "), "UTC");
    assert_eq!(at("https://api.openai.com"), Value::Null);
    assert_eq!(reset(json!({ "id": "a", "baseUrl": "https://openrouter.ai/api", "reset": "rolling" })), "rolling");
    assert_eq!(reset(json!({ "id": "a", "anthropicBaseUrl": "https://openrouter.ai/api" })), "UTC");
}

#[test]
fn a_provider_is_found_by_its_key_variable() {
    let found = |name: &str| Providers::embedded().find_by_variable(name).map(|provider| provider.id.as_str());
    for (name, id) in [
        ("GROQ_API_KEY", Some("groq")),
        ("GEMINI_API_KEY_2", Some("gemini")),
        ("GROQ_API_KEY3", Some("groq")),
        ("MOONSHOT_API_KEY", Some("moonshot")),
        ("MOONSHOT_CN_API_KEY", Some("moonshot-cn")),
        ("ARK_API_KEY", Some("volcengine")),
        ("GOOGLE_API_KEY", Some("gemini")),
        ("OTHER_API_KEY", None),
    ] {
        assert_eq!(found(name), id, "{name}");
    }
    let usual: Vec<&String> = Providers::embedded().list().iter().filter_map(|p| p.key_env.first()).collect();
    for variable in &usual {
        assert_eq!(usual.iter().filter(|other| other == &variable).count(), 1, "{variable} is the usual one of two");
    }
}
