//! From a channel's type and base URL to an address.

use crate::cli::import::address::{Address, has_password};
use crate::cli::import::tree::Node;
use crate::types::WireFormat;

/// A type of channel: the number, the preset, and what a base URL of one's own gets behind.
struct ChannelKind(i64, &'static str, &'static str);

const KINDS: [ChannelKind; 25] = [
    ChannelKind(1, "openai", ""),
    ChannelKind(3, "azure", ""),
    ChannelKind(4, "ollama", ""),
    ChannelKind(8, "custom", ""),
    ChannelKind(14, "anthropic", ""),
    ChannelKind(16, "zhipu", "/api/paas/v4"),
    ChannelKind(17, "dashscope-cn", "/compatible-mode/v1"),
    ChannelKind(19, "https://api.360.cn", ""),
    ChannelKind(20, "openrouter", ""),
    ChannelKind(24, "gemini", "/v1beta/openai"),
    ChannelKind(25, "moonshot-cn", ""),
    ChannelKind(26, "zhipu", "/api/paas/v4"),
    ChannelKind(27, "perplexity", "#"),
    ChannelKind(31, "https://api.lingyiwanwu.com", ""),
    ChannelKind(34, "cohere", "/compatibility/v1"),
    ChannelKind(35, "minimax-cn", ""),
    ChannelKind(38, "https://api.jina.ai", ""),
    ChannelKind(39, "cloudflare", ""),
    ChannelKind(40, "siliconflow-cn", ""),
    ChannelKind(42, "mistral", ""),
    ChannelKind(43, "deepseek", ""),
    ChannelKind(45, "volcengine", "/api/v3"),
    ChannelKind(46, "qianfan", "/v2"),
    ChannelKind(47, "custom", ""),
    ChannelKind(48, "xai", ""),
];

/// What stands in place of a base URL for plans.
const PLANS: [(&str, &str); 4] = [
    ("glm-coding-plan", "zhipu-coding"),
    ("glm-coding-plan-international", "zai-coding"),
    ("kimi-coding-plan", "kimi-coding"),
    ("doubao-coding-plan", "volcengine-coding"),
];

/// Returns where a channel is.
pub(super) fn address(channel: &Node<'_>) -> Result<Address, String> {
    let number = channel.get("type").and_then(|kind| kind.whole()).unwrap_or(0);
    let Some(ChannelKind(_, word, behind)) = KINDS.iter().find(|kind| kind.0 == number) else {
        return Err(format!("type {number} has no API of OpenAI's or Anthropic's format with a plain key"));
    };
    let field = channel.get("base_url").filter(|base| base.text().is_some());
    let base = field.as_ref().and_then(Node::text);
    if base.as_deref().is_some_and(has_password) {
        return Err("base_url holds a password, which a base URL may not".to_owned());
    }
    let own = base.as_deref().map(|base| base.trim_end_matches('/'));
    let plan = own.and_then(|own| PLANS.iter().find(|(name, _)| *name == own));
    let address = match (own, plan, *word) {
        (_, Some((_, preset)), _) => Address::of_provider(preset),
        (Some(own), _, "azure") => Some(Address::azure(own)),
        (Some(own), _, "anthropic") => Some(Address::of_anthropic(own)),
        (Some(own), _, "custom") => Some(Address::endpoint(own)),
        (_, _, "cloudflare") => cloudflare(channel),
        (Some(own), ..) => Some(Address::at(&format!("{own}{behind}"))),
        (None, _, "azure" | "custom") => None,
        (None, _, "ollama") => Some(Address::at("http://localhost:11434")),
        (None, _, word) if word.starts_with("https://") => Some(Address::at(word)),
        (None, _, word) => Address::of_provider(word),
    };
    let address = address.ok_or_else(|| format!("type {number} ({word}): base_url is missing"))?;
    if let Some(kind) = channel.get("type") {
        kind.change(match &address {
            Address::Preset { id, .. } => format!("is the preset {id}"),
            Address::Own { .. } => "the address says which format is spoken".to_owned(),
        });
    }
    say_base(field.as_ref(), &address);
    if let Some(other) = channel.get("other")
        && *word != "cloudflare"
    {
        other.leave("Azure's API of today (/openai/v1) needs no version; nor do the others");
    }
    Ok(address)
}

fn say_base(field: Option<&Node<'_>>, address: &Address) {
    let Some(field) = field else { return };
    match address {
        Address::Preset { id, .. } => field.change(format!("is the preset {id}")),
        Address::Own { url, .. } if field.text().as_deref() == Some(url) => field.carry(),
        Address::Own { format: WireFormat::Anthropic, .. } => field.change("is anthropicBaseUrl"),
        Address::Own { .. } => field.change("is baseUrl, with the path of OpenAI's format"),
    }
}

fn cloudflare(channel: &Node<'_>) -> Option<Address> {
    let (field, account) = channel.get("other").and_then(|field| Some((field.clone(), field.text()?)))?;
    field.change("is account");
    Some(Address::Preset { id: "cloudflare".to_owned(), blank: Some(("account".to_owned(), account)) })
}
