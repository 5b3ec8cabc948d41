//! Chooses the model for a test of an account by the names of the models. Pure.

/// Parts of the names of models without chats.
const OTHER_KINDS: [&str; 16] = [
    "embed",
    "whisper",
    "tts",
    "image",
    "audio",
    "realtime",
    "moderation",
    "rerank",
    "transcribe",
    "guard",
    "dall-e",
    "sora",
    "veo",
    "ocr",
    "davinci",
    "babbage",
];

/// Parts of the names of cheap models.
const SMALL_ONES: [&str; 9] = ["nano", "mini", "lite", "flash", "haiku", "small", "instant", "8b", "fast"];

/// Returns a model that is probably for chats; with `prefer_small` a cheap model, if there is one.
pub fn chat_model<'a>(names: impl Iterator<Item = &'a str>, prefer_small: bool) -> Option<&'a str> {
    let has = |name: &str, parts: &[&str]| parts.iter().any(|part| name.to_ascii_lowercase().contains(part));
    let chatting: Vec<&str> = names.filter(|name| !has(name, &OTHER_KINDS)).collect();
    let small = chatting.iter().find(|name| prefer_small && has(name, &SMALL_ONES));
    small.or(chatting.first()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_that_chats_is_chosen_and_a_small_one_where_there_is_a_choice() {
        for (names, small, chosen) in [
            (&["text-embedding-3", "gpt-5", "gpt-5-mini", "whisper-1"][..], true, Some("gpt-5-mini")),
            (&["gpt-5", "gpt-5-mini"], false, Some("gpt-5")),
            (&["babbage-002", "o3"], true, Some("o3")),
            (&["tts-1"], true, None),
        ] {
            assert_eq!(chat_model(names.iter().copied(), small), chosen, "{names:?}");
        }
    }
}
