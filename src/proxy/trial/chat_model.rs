//! Chooses the model for a test of an account by the names of the models. Pure.

use crate::types::{is_for_chats, is_small_model};

/// Returns a model that is probably for chats; with `prefer_small` a cheap model, if there is one.
pub fn chat_model<'a>(names: impl Iterator<Item = &'a str>, prefer_small: bool) -> Option<&'a str> {
    let chatting: Vec<&str> = names.filter(|name| is_for_chats(name)).collect();
    let small = chatting.iter().find(|name| prefer_small && is_small_model(name));
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
            (&["gemini-2.5-pro", "gemini-2.5-flash"], true, Some("gemini-2.5-flash")),
        ] {
            assert_eq!(chat_model(names.iter().copied(), small), chosen, "{names:?}");
        }
    }
}
