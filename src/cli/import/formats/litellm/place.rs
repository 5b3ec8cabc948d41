//! From `model: provider/name` and `api_base` to an address and the account's own name for the model.

use crate::cli::import::address::{Address, has_password};
use crate::cli::import::secrets::KeySource;
use crate::cli::import::tree::Node;
use crate::config::Providers;
use crate::types::WireFormat;

/// What LiteLLM drives in a way that is not an API of OpenAI's or Anthropic's format, with a key.
const REFUSED: [(&[&str], &str); 5] = [
    (
        &["bedrock", "bedrock_converse", "sagemaker", "sagemaker_chat"],
        "AWS wants signed requests, which the pool does not send",
    ),
    (
        &["vertex_ai", "vertex_ai_beta", "vertex", "palm"],
        "Google's Vertex wants a log-in; use gemini with a key of AI Studio",
    ),
    (&["github"], "GitHub Models was retired on 2026-07-30"),
    (&["github_copilot", "chatgpt"], "a subscription's log-in is not for other programs"),
    (
        &["watsonx", "watsonx_text", "oci", "snowflake", "databricks", "replicate", "petals", "nlp_cloud"],
        "has no API with a plain key",
    ),
];

/// Why a model such as `*` has no address.
const ANY_PROVIDER: &str =
    "the asked name says the provider; give each provider an item (groq/*), or an entry here by hand";

/// LiteLLM's words for providers that presets know by others.
const WORDS: [(&str, &str); 9] = [
    ("cohere_chat", "cohere"),
    ("text-completion-openai", "openai"),
    ("custom_openai", "openai"),
    ("openai_like", "openai"),
    ("azure_text", "azure"),
    ("anthropic_text", "anthropic"),
    ("ollama_chat", "ollama"),
    ("hosted_vllm", "vllm"),
    ("lm_studio", "lmstudio"),
];

/// Servers of one's own, that need no key.
const KEYLESS: [&str; 6] = ["ollama", "vllm", "lmstudio", "llamafile", "xinference", "docker_model_runner"];

/// Where a deployment is, and under which name.
pub(super) struct Placed {
    pub(super) address: Address,
    pub(super) own: String,
    /// The key, where the deployment names none.
    pub(super) usual_key: KeySource,
    word: String,
}

/// Finds the address.
///
/// # Errors
/// With the reason, if the pool can't serve the deployment.
pub(super) fn place(model: &str, provider: Option<&Node<'_>>, base: Option<&Node<'_>>) -> Result<Placed, String> {
    let provider = provider.and_then(Node::text);
    let (word, own) = split(model, provider.as_deref());
    let is_of_any = provider.is_none() && !model.contains('/') && model.starts_with('*') && base.is_none();
    if is_of_any || word.contains('*') {
        return Err(ANY_PROVIDER.to_owned());
    }
    let word = WORDS.iter().find(|(theirs, _)| *theirs == word).map_or(word.as_str(), |(_, ours)| ours).to_owned();
    if let Some((_, why)) = REFUSED.iter().find(|(words, _)| words.contains(&word.as_str())) {
        return Err(format!("{word}: {why}"));
    }
    let base = base.and_then(Node::text);
    if base.as_deref().is_some_and(has_password) {
        return Err("api_base holds a password, which a base URL may not; use extra_headers".to_owned());
    }
    let address = match base {
        Some(base) => at(&word, &reference(&base)),
        None => known(&word)?,
    };
    let usual_key = match &address {
        Address::Own { .. } if !KEYLESS.contains(&word.as_str()) => KeySource::Variable("OPENAI_API_KEY".to_owned()),
        Address::Own { .. } | Address::Preset { .. } => KeySource::Usual,
    };
    Ok(Placed { address, own, usual_key, word })
}

impl Placed {
    /// Says what became of the model and of the base.
    pub(super) fn say(&self, model: &Node<'_>, base: Option<&Node<'_>>) {
        let only_anthropic = match &self.address {
            Address::Own { format, .. } => *format == WireFormat::Anthropic,
            Address::Preset { .. } => {
                self.address.provider().is_some_and(|provider| provider.base_url(WireFormat::OpenAi).is_none())
            }
        };
        if only_anthropic {
            model.change(
                "is served at /v1/messages alone: the pool does not turn chat completions into Anthropic's format",
            );
        } else if matches!(self.address, Address::Preset { .. }) {
            model.change(format!("the provider is the preset {}", self.address.name()));
        } else {
            model.change(format!("without the provider {}", self.word));
        }
        let Some(base) = base else { return };
        match &self.address {
            Address::Preset { .. } => base.change("is the preset's"),
            Address::Own { url, .. } if base.text().as_deref() == Some(url) => base.carry(),
            Address::Own { url, .. } if url.ends_with('#') => base.change("ends in #: LiteLLM adds no /v1"),
            Address::Own { .. } => base.change("as baseUrl has it"),
        }
    }

    /// Returns a name for the account.
    pub(super) fn name(&self) -> String {
        match self.address {
            Address::Own { .. } if !["openai", "anthropic"].contains(&self.word.as_str()) => self.word.clone(),
            Address::Own { .. } | Address::Preset { .. } => self.address.name(),
        }
    }
}

/// `groq/llama-3` as `groq` and `llama-3`.
fn split(model: &str, provider: Option<&str>) -> (String, String) {
    match (provider, model.split_once('/')) {
        (Some(provider), Some((word, own))) if word == provider => (provider.to_owned(), own.to_owned()),
        (Some(provider), _) => (provider.to_owned(), model.to_owned()),
        (None, Some((word, own))) => (word.to_owned(), own.to_owned()),
        (None, None) => (family(model).to_owned(), model.to_owned()),
    }
}

/// Returns whose model a name without a provider is, as LiteLLM takes it.
fn family(model: &str) -> &'static str {
    let families = [("claude", "anthropic"), ("command", "cohere"), ("gemini", "vertex_ai"), ("deepseek", "deepseek")];
    families.iter().find(|(start, _)| model.starts_with(start)).map_or("openai", |(_, word)| word)
}

/// Returns a base as the configuration writes one.
fn reference(base: &str) -> String {
    base.strip_prefix("os.environ/").map_or_else(|| base.to_owned(), |name| format!("${{{name}}}"))
}

fn at(word: &str, base: &str) -> Address {
    let is_variable = base.starts_with("${");
    match word {
        "azure" | "azure_ai" if is_variable => {
            Address::Own { format: WireFormat::OpenAi, url: format!("{base}/openai/v1"), auth: Some("api-key") }
        }
        "azure" | "azure_ai" => Address::azure(base),
        "anthropic" => Address::of_anthropic(base),
        "ollama" => Address::at(base),
        "gemini" => Address::of_provider("gemini").unwrap_or_else(|| Address::at(base)),
        _ => Address::exactly(base),
    }
}

fn known(word: &str) -> Result<Address, String> {
    match word {
        "ollama" => Ok(Address::at("http://localhost:11434")),
        "azure" | "azure_ai" => Err("Azure: api_base is missing".to_owned()),
        _ => Address::of_provider(word).ok_or_else(|| {
            let refusal = Providers::embedded().refusal(word);
            format!("{word}: {}", refusal.unwrap_or("no preset knows the provider; give an entry its base URL by hand"))
        }),
    }
}
