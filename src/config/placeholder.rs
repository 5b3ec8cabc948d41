//! Tells keys from texts that stand in a key's place. Pure.
//!
//! 1. A placeholder says so in words (`sk-your-openai-key-here`, `YOUR_API_KEY`, `sk-choose-…`, `<key>`), or is one character over and
//!    over behind the last `-` or `_` (`xxx`, `sk-...`, `sk-ant-XXXXXXXX`).
//! 2. The value of a variable stands in for `${NAME}` only, not for other forms (`$NAME`, `os.environ/NAME`, `%NAME%`).

/// Words of placeholders, in lower case and with `-`. Of a million random keys of 64 characters, one has such a word.
const WORDS: [&str; 11] = [
    "your-",
    "yourkey",
    "choose-",
    "placeholder",
    "changeme",
    "change-me",
    "replace-",
    "replaceme",
    "insert-",
    "paste-",
    "example",
];

/// What placeholders end in.
const ENDS: [&str; 2] = ["-here", "api-key"];

/// What stands before a repeated character: the first parts of a key, each so long at most.
const LONGEST_PART: usize = 5;

/// So often stands one character in a placeholder of one character.
const REPEATED: usize = 3;

/// What variables are called in other programs' files, and what stands behind the name.
const OTHER_WAYS: [(&str, &str); 7] =
    [("$", ""), ("$(", ")"), ("{{", "}}"), ("%", "%"), ("os.environ/", ""), ("process.env.", ""), ("env:", "")];

/// Returns whether a text stands in the place of a key, and is none.
pub fn is_placeholder(key: &str) -> bool {
    let plain = key.trim().to_ascii_lowercase().replace('_', "-");
    let is_bracketed = plain.starts_with(['<', '[', '{']) && plain.ends_with(['>', ']', '}']);
    is_bracketed
        || is_one_character(&plain)
        || WORDS.iter().any(|word| plain.contains(word))
        || ENDS.iter().any(|end| plain.ends_with(end))
}

/// Returns whether a variable's value is the name of another variable, in any form. Nobody looks the other variable up.
pub fn is_reference(value: &str) -> bool {
    let in_braces = value.trim().strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    let name = in_braces.map(|inner| inner.split_once(":-").map_or(inner, |(name, _)| name));
    name.is_some_and(is_name) || names_variable(value)
}

/// Says that a variable holds the name of another one.
pub(super) fn held_by(variable: &str) -> String {
    format!(
        "the variable {variable} holds the name of another variable, which nothing puts in; set {variable} to the value itself"
    )
}

/// Returns why a text is no key, and the mend, if the text can't be the value of a header.
pub fn why_no_key(text: &str) -> &'static str {
    let begins_with_bearer = text.split_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case("bearer"));
    if begins_with_bearer {
        "must be the key alone: leave Bearer out, as the header is made here"
    } else if is_placeholder(text) {
        "is a placeholder; give the key itself, or ${NAME} for a variable that holds it"
    } else {
        "must be of visible ASCII characters without spaces, as it is sent in a header"
    }
}

fn is_one_character(plain: &str) -> bool {
    let (before, last) = plain.rsplit_once('-').unwrap_or(("", plain));
    let is_part = |part: &str| part.len() <= LONGEST_PART && part.bytes().all(|b| b.is_ascii_lowercase());
    let mut characters = last.chars();
    let first = characters.next();
    last.len() >= REPEATED && characters.all(|c| Some(c) == first) && before.split('-').all(is_part)
}

/// Returns whether a text, or a part of a URL or a header, is a variable's name in a form other than `${NAME}`.
pub(super) fn names_variable(text: &str) -> bool {
    let parts = text.split(['/', '@', ':', ' ', '?', '&', '=']);
    let is_written = |text: &str, (before, behind): (&str, &str)| {
        text.strip_prefix(before).and_then(|rest| rest.strip_suffix(behind)).is_some_and(is_name)
    };
    OTHER_WAYS.into_iter().any(|way| is_written(text.trim(), way))
        || parts.into_iter().any(|part| is_written(part, ("$", "")))
}

/// Returns whether a text is a variable's name as people choose it: capitals, digits and `_`.
fn is_name(text: &str) -> bool {
    text.len() >= 3
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placeholder_is_told_from_a_key() {
        for placeholder in [
            "sk-your-openai-key-here",
            "sk-your-backup-key-here",
            "YOUR_API_KEY",
            "your_api_key_here",
            "YourKey",
            "sk-choose-a-long-random-key",
            "xxx",
            "XXXX",
            "sk-xxx",
            "sk-ant-XXXXXXXXXXXX",
            "sk-...",
            "...",
            "sk-***",
            "<key>",
            "<your key>",
            "[API_KEY]",
            "{key}",
            "changeme",
            "CHANGE_ME",
            "replace-with-key",
            "insert-key",
            "paste_key",
            "OPENAI_API_KEY",
            "sk-example-key",
            "key-here",
            "00000000",
        ] {
            assert!(is_placeholder(placeholder), "{placeholder}");
        }
        for key in [
            "sk-123",
            "sk-proj-4f9Qm2Zk7wXxXa8Lr0Tn5Vb3",
            "gsk_8fJq2LmNv7XcR4tYpW9sKdHaBzUeGoQi",
            "AIzaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY",
            "sk-upstream-a-0123456789",
            "ollama",
            "none",
            "sk-the-key-of-the-pool-0123456789",
            "sk-at-aaa1",
            "xx",
            "",
        ] {
            assert!(!is_placeholder(key), "{key}");
        }
    }

    #[test]
    fn a_value_that_names_another_variable_is_seen() {
        for value in ["$FOO_KEY", "${FOO_KEY}", " ${FOO_KEY:-x}", "%FOO_KEY%", "os.environ/FOO", "Bearer $TOKEN"] {
            assert!(is_reference(value), "{value}");
        }
        for value in ["", "gsk_4f9", "${foo", "$${x}", "pa$$word", "50%"] {
            assert!(!is_reference(value), "{value}");
        }
    }

    #[test]
    fn a_variable_without_braces_is_seen() {
        for text in [
            "$OPENAI_API_KEY",
            " $KEY_1",
            "$(OPENAI_API_KEY)",
            "{{ GROQ }}".replace(' ', "").as_str(),
            "%OPENAI_API_KEY%",
            "os.environ/OPENAI_API_KEY",
            "process.env.OPENAI_API_KEY",
            "env:OPENAI_API_KEY",
            "https://$HOST_NAME/v1",
            "redis://:$REDIS_PASSWORD@host",
            "Bearer $TOKEN",
        ] {
            assert!(names_variable(text), "{text}");
        }
        for text in [
            "",
            "$",
            "$5",
            "$ab",
            "sk-a$BCD",
            "sk-$KEY",
            "${KEY}",
            "$${KEY}",
            "50%",
            "pa$$word",
            "https://host/v1",
            "ENV",
        ] {
            assert!(!names_variable(text), "{text}");
        }
    }
}
