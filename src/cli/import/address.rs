//! Where an account is: at a known provider, or at an address of its own.
//!
//! 1. An address of a known provider becomes the provider's preset, which knows more than the address.
//! 2. Any other address is written down, and no preset.
//! 3. Many programs send to `{base}/chat/completions` and add no version. Such a base without a version ends in `#` here.

use serde_json::{Map, Value, json};
use url::Url;

use super::secrets::literal;
use crate::config::{Provider, Providers, has_version, without_endpoint};
use crate::types::WireFormat;

/// Where an account is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    /// At a known provider.
    Preset {
        /// What `provider` says.
        id: String,
        /// The field that fills the blank of the preset's base URL, and what it is filled with.
        blank: Option<(String, String)>,
    },
    /// Elsewhere.
    Own {
        /// The field of the base URL.
        format: WireFormat,
        url: String,
        /// The header of the key, if not the usual one.
        auth: Option<&'static str>,
    },
}

impl Address {
    /// Takes the base URL of OpenAI's format, to which a version may be added.
    pub(super) fn at(url: &str) -> Address {
        Self::base(url, WireFormat::OpenAi)
    }

    /// Takes the base URL of OpenAI's format, to which nothing may be added.
    pub(super) fn exactly(url: &str) -> Address {
        match Self::at(url) {
            Address::Own { format, url, auth } if !has_version(&url) && !url.ends_with('#') => {
                Address::Own { format, url: format!("{}#", url.trim_end_matches('/')), auth }
            }
            other @ (Address::Preset { .. } | Address::Own { .. }) => other,
        }
    }

    /// Takes the base URL of Anthropic's format.
    pub(super) fn of_anthropic(url: &str) -> Address {
        Self::base(url, WireFormat::Anthropic)
    }

    /// Takes an endpoint's URL, such as `https://host/v1/chat/completions`, or a base.
    pub(super) fn endpoint(url: &str) -> Address {
        match without_endpoint(url) {
            Some((base, "/messages")) => Self::of_anthropic(base),
            Some((base, _)) => Self::exactly(base),
            None => Self::at(url.trim().trim_end_matches('/')),
        }
    }

    /// Takes an Azure resource's address. Azure's API of today needs no version, and no deployment in the path.
    pub(super) fn azure(url: &str) -> Address {
        let host = Url::parse(url.trim()).ok().and_then(|url| url.host_str().map(str::to_owned));
        let base = match &host {
            Some(host) => format!("https://{host}/openai/v1"),
            None => url.trim().to_owned(),
        };
        match Self::at(&base) {
            Address::Own { format, url, .. } => Address::Own { format, url, auth: Some("api-key") },
            preset => preset,
        }
    }

    /// Returns the address of a provider by the name that other programs give, too.
    pub(super) fn of_provider(word: &str) -> Option<Address> {
        let provider = Providers::embedded().find_by_word(word)?;
        Some(Address::Preset { id: provider.id.clone(), blank: None })
    }

    fn base(url: &str, format: WireFormat) -> Address {
        let url = url.trim();
        // A server on this machine is its address: the port says little about the program.
        let remote = Providers::embedded().list().iter().filter(|provider| provider.needs_key());
        let known = remote.filter_map(|provider| matching(provider, url, format)).next();
        known.unwrap_or_else(|| Address::Own { format, url: url.to_owned(), auth: None })
    }

    /// Returns the preset's provider.
    pub(super) fn provider(&self) -> Option<&'static Provider> {
        match self {
            Address::Preset { id, .. } => Providers::embedded().find(id),
            Address::Own { .. } => None,
        }
    }

    /// Returns a name for people who have several accounts: the provider's, or one made of the host.
    pub(super) fn name(&self) -> String {
        match self {
            Address::Preset { id, .. } => id.clone(),
            Address::Own { url, .. } => host_name(url).unwrap_or_else(|| "api".to_owned()),
        }
    }

    /// Returns the name of the account whose entries share limits: the preset, and what fills the blank.
    pub(super) fn account(&self) -> String {
        match self {
            Address::Preset { id, blank: Some((_, word)) } => format!("{id}:{word}"),
            Address::Preset { .. } | Address::Own { .. } => self.name(),
        }
    }

    /// Returns the fields of the entry.
    pub(super) fn fields(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        match self {
            Address::Preset { id, blank } => {
                fields.insert("provider".to_owned(), json!(id));
                fields.extend(blank.iter().map(|(name, value)| (name.clone(), json!(literal(value)))));
            }
            Address::Own { format, url, auth } => {
                fields.insert(format.base_url_field().to_owned(), json!(url));
                fields.extend(auth.map(|auth| ("auth".to_owned(), json!(auth))));
            }
        }
        fields
    }
}

/// Returns whether a URL holds a password, which a base URL may not.
pub(super) fn has_password(url: &str) -> bool {
    Url::parse(url.trim()).is_ok_and(|url| !url.username().is_empty() || url.password().is_some())
}

/// Returns the provider's preset, if the URL is the provider's.
fn matching(provider: &Provider, url: &str, format: WireFormat) -> Option<Address> {
    let known = plain(provider.base_url(format)?);
    let typed = plain(url);
    let blank = match known.split_once('{') {
        None => (known == typed).then_some(None),
        Some((before, rest)) => {
            let (name, after) = rest.split_once('}')?;
            let value = typed.strip_prefix(before)?.strip_suffix(after)?;
            let is_one = !value.is_empty() && !value.contains(['/', '.', '{']);
            is_one.then(|| Some((name.to_owned(), value.to_owned())))
        }
    };
    Some(Address::Preset { id: provider.id.clone(), blank: blank? })
}

/// Returns a URL without what makes no difference.
fn plain(url: &str) -> String {
    let url = url.trim().trim_end_matches('#').trim_end_matches('/').to_ascii_lowercase();
    url.strip_suffix("/v1").unwrap_or(&url).to_owned()
}

/// `https://api.relay.example/v1` as `relay`; an address in numbers as it is.
fn host_name(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let host = url.host_str()?;
    let is_number = host.chars().all(|c| c.is_ascii_digit() || ".:[]".contains(c));
    let port = url.port().map(|port| format!("-{port}")).unwrap_or_default();
    if is_number || !host.contains('.') {
        return Some(format!("{}{port}", host.trim_matches(['[', ']'])));
    }
    let mut labels = host.split('.').filter(|label| !["api", "www"].contains(label));
    labels.next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(address: &Address) -> String {
        Value::Object(address.fields()).to_string()
    }

    #[test]
    fn a_known_address_becomes_a_preset_and_any_other_stays() {
        for (address, fields) in [
            (Address::at("https://api.groq.com/openai/v1/"), r#"{"provider":"groq"}"#),
            (Address::exactly("https://api.deepseek.com"), r#"{"provider":"deepseek"}"#),
            (Address::of_anthropic("https://api.anthropic.com"), r#"{"provider":"anthropic"}"#),
            (Address::endpoint("https://api.anthropic.com/v1/messages"), r#"{"provider":"anthropic"}"#),
            (Address::endpoint("https://openrouter.ai/api/v1/chat/completions"), r#"{"provider":"openrouter"}"#),
            (Address::azure("https://my-eu.openai.azure.com/"), r#"{"provider":"azure","resource":"my-eu"}"#),
            (
                Address::azure("https://x.cognitiveservices.azure.com"),
                r#"{"baseUrl":"https://x.cognitiveservices.azure.com/openai/v1","auth":"api-key"}"#,
            ),
            (
                Address::at("https://api.cloudflare.com/client/v4/accounts/0a1b/ai/v1"),
                r#"{"provider":"cloudflare","account":"0a1b"}"#,
            ),
            (Address::at("https://groq.relay.example/v1"), r#"{"baseUrl":"https://groq.relay.example/v1"}"#),
            (Address::exactly("http://10.0.0.5:8000/"), r#"{"baseUrl":"http://10.0.0.5:8000#"}"#),
            (Address::exactly("http://10.0.0.5:8000/v1"), r#"{"baseUrl":"http://10.0.0.5:8000/v1"}"#),
            (Address::endpoint("https://x.example/chat/completions"), r#"{"baseUrl":"https://x.example#"}"#),
            (Address::endpoint("https://x.example/v1/messages"), r#"{"anthropicBaseUrl":"https://x.example/v1"}"#),
        ] {
            assert_eq!(written(&address), fields);
        }
    }

    #[test]
    fn an_entry_is_named_after_the_provider_or_the_host() {
        for (url, name) in [
            ("https://api.groq.com/openai/v1", "groq"),
            ("https://api.relay.example/v1", "relay"),
            ("http://10.0.0.5:8000", "10.0.0.5-8000"),
            ("http://localhost:8080/v1", "localhost-8080"),
            ("http://gpu-1:9/v1", "gpu-1-9"),
            ("nonsense", "api"),
        ] {
            assert_eq!(Address::at(url).name(), name);
        }
    }
}
