//! What the name of a model tells of the model. Pure.

/// Parts of the names of embeddings, images, voices and other models without chats.
const OTHER_KINDS: [&str; 17] = [
    "audio",
    "babbage",
    "bge-",
    "dall-e",
    "davinci",
    "embed",
    "guard",
    "image",
    "moderation",
    "ocr",
    "realtime",
    "rerank",
    "sora",
    "transcribe",
    "tts",
    "veo",
    "whisper",
];

/// Parts of the names of embeddings.
const EMBEDDINGS: [&str; 2] = ["bge-", "embed"];

/// Parts of the names of small and cheap models.
const SMALL: [&str; 9] = ["8b", "fast", "flash", "haiku", "instant", "lite", "mini", "nano", "small"];

/// Returns whether a model is probably for chats.
pub fn is_for_chats(name: &str) -> bool {
    !has_part(name, &OTHER_KINDS)
}

/// Returns whether a model is probably for embeddings.
pub fn is_for_embeddings(name: &str) -> bool {
    has_part(name, &EMBEDDINGS)
}

/// Returns whether a model is probably a small and cheap one.
pub fn is_small_model(name: &str) -> bool {
    // Each Gemini has "mini" in the name.
    has_part(&name.to_ascii_lowercase().replace("gemini", ""), &SMALL)
}

fn has_part(name: &str, parts: &[&str]) -> bool {
    let name = name.to_ascii_lowercase();
    parts.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_a_model_is_for_and_whether_the_model_is_small() {
        for (name, chats, small) in [
            ("gpt-5", true, false),
            ("GPT-5-Mini", true, true),
            ("gemini-2.5-pro", true, false),
            ("Gemini-2.5-Flash", true, true),
            ("gemini-embedding-001", false, false),
            ("imagen-4", false, false),
            ("text-embedding-3-small", false, true),
            ("Whisper-1", false, false),
            ("kimi-k3", true, false),
        ] {
            assert_eq!((is_for_chats(name), is_small_model(name)), (chats, small), "{name}");
        }
    }
}
