//! What keys begin with. Pure.

/// The beginnings of keys, and the provider whose keys begin so, if only one has such keys.
const BEGINNINGS: [(&str, Option<&str>); 24] = [
    ("sk-", None),
    ("sk_", None),
    ("sk-ant-", Some("anthropic")),
    ("sk-or-", Some("openrouter")),
    ("gsk_", Some("groq")),
    ("AIza", Some("gemini")),
    ("xai-", Some("xai")),
    ("csk-", Some("cerebras")),
    ("nvapi-", Some("nvidia")),
    ("hf_", Some("huggingface")),
    ("pplx-", Some("perplexity")),
    ("fw_", None),
    ("r8_", None),
    ("ghp_", None),
    ("gho_", None),
    ("github_pat_", None),
    ("glpat-", None),
    ("xoxb-", None),
    ("xoxp-", None),
    ("ya29.", None),
    ("AKIA", None),
    ("eyJ", None),
    ("Bearer ", None),
    ("Basic ", None),
];

/// Returns whether a text begins like a key, of a provider or of others.
pub(crate) fn begins_like_key(text: &str) -> bool {
    BEGINNINGS.iter().any(|(beginning, _)| text.starts_with(beginning))
}

/// Returns the id of the provider whose keys begin like this one.
pub(super) fn provider_of(key: &str) -> Option<&'static str> {
    let fitting = BEGINNINGS.iter().filter(|(beginning, _)| key.starts_with(beginning));
    fitting.max_by_key(|(beginning, _)| beginning.len()).and_then(|(_, provider)| *provider)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_beginnings_the_longest_names_the_provider() {
        for (key, provider) in [
            ("sk-ant-api03-4f9", Some("anthropic")),
            ("sk-or-v1-4f9", Some("openrouter")),
            ("sk-4f9", None),
            ("gsk_4f9", Some("groq")),
            ("ghp_4f9", None),
            ("4f9", None),
        ] {
            assert_eq!(provider_of(key), provider, "{key}");
        }
        assert!(begins_like_key("sk-4f9") && begins_like_key("Bearer 4f9") && !begins_like_key("4f9-sk-"));
    }
}
