//! What the log, the status and the client may read of an upstream's error. Pure.
//!
//! 1. The first 200 characters of the message, without the upstream's key.
//! 2. An error about the request itself may quote the prompt: of such an error, the code and type only.
//! 3. The same holds for an error of the server whose message repeats what the client wrote.

use super::error_body::ErrorBody;
use crate::dialect::SentRequest;
use crate::dialect::redact::{contains, contains_ignore_case, redacted_error};
use crate::types::FailureClass;

/// So much of a message is quoted, in characters.
const LONGEST_QUOTE: usize = 200;

/// A text of so many characters in both the message and the client's body is a quotation, not chance.
const QUOTATION: usize = 12;

/// A longer body is not searched, in bytes: then the message counts as a quotation.
const LONGEST_SEARCH: usize = 64 << 10;

/// So many characters at the beginning of a message say what the message is about.
const BEGINNING: usize = 24;

/// Returns whether the client may have written the beginning of a message. Then the words speak for nobody.
pub(super) fn may_be_quoted(error: &ErrorBody, sent: SentRequest<'_>) -> bool {
    let beginning: String = error.message.chars().take(BEGINNING).collect();
    sent.body.is_none_or(|body| contains_ignore_case(body, &beginning.to_ascii_lowercase()))
}

/// Returns an error in short: `401 "Incorrect API key provided"`, or `400 invalid_request_error/invalid_value`.
pub(super) fn quote(status: Option<u16>, error: &ErrorBody, class: FailureClass, sent: SentRequest<'_>) -> String {
    let number = status.map_or_else(|| class.as_str().to_owned(), |status| status.to_string());
    let message = error.message.trim();
    if message.is_empty()
        || is_about_the_request(status, class)
        || !is_about_the_account(class) && repeats(message, sent)
    {
        let codes: Vec<&str> = [&*error.error_type, &*error.code].into_iter().filter(|code| !code.is_empty()).collect();
        let codes: String = codes.join("/").chars().take(LONGEST_QUOTE).collect();
        return if codes.is_empty() { number } else { format!("{number} {codes}") };
    }
    let message = match sent.key {
        Some(key) => redacted_error(message.to_owned().into(), key),
        None => message.to_owned().into(),
    };
    let short: String = String::from_utf8_lossy(&message).chars().take(LONGEST_QUOTE).collect();
    format!("{number} \"{short}\"")
}

fn is_about_the_request(status: Option<u16>, class: FailureClass) -> bool {
    matches!(class, FailureClass::Rejected | FailureClass::TooLarge) || matches!(status, Some(400 | 413 | 415 | 422))
}

/// Returns whether providers' messages of this class are about a limit, a key, money or load. Such messages quote no prompt.
fn is_about_the_account(class: FailureClass) -> bool {
    matches!(
        class,
        FailureClass::RateLimited
            | FailureClass::Unauthorized
            | FailureClass::PaymentRequired
            | FailureClass::Overloaded
    )
}

/// Returns whether a message repeats a part of what the client wrote, besides the model's name.
fn repeats(message: &str, sent: SentRequest<'_>) -> bool {
    // What is not there any more may have held the words.
    let Some(body) = sent.body.filter(|body| body.len() <= LONGEST_SEARCH) else { return true };
    let message: Vec<char> = message.replace(sent.upstream_model, "").chars().take(LONGEST_QUOTE).collect();
    message.windows(QUOTATION).any(|window| {
        let text: String = window.iter().collect();
        contains(body, &text) || !text.is_ascii() && contains(body, &escaped(&text))
    })
}

/// The text as JSON writers do that escape all but ASCII.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for unit in text.encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii() => escaped.push(char::from(byte)),
            Ok(_) | Err(_) => escaped.push_str(&format!("\\u{unit:04x}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ApiKey;

    fn quoted(status: u16, message: &str, body: &str) -> String {
        let error =
            ErrorBody { message: message.to_owned(), code: "c".into(), error_type: "t".into(), ..ErrorBody::default() };
        let key = ApiKey::new("sk-secret-0123");
        let sent = SentRequest { upstream_model: "gpt-4o-mini", body: Some(body.as_bytes()), key: Some(&key) };
        quote(Some(status), &error, FailureClass::ServerError, sent)
    }

    #[test]
    fn an_error_is_quoted_without_the_key_and_in_200_characters() {
        assert_eq!(quoted(401, "Incorrect API key: sk-secret-0123.", "{}"), r#"401 "Incorrect API key: ***.""#);
        assert_eq!(quoted(500, &"é".repeat(500), "{}").chars().count(), 206);
    }

    #[test]
    fn a_prompt_is_never_quoted() {
        let prompt = r#"{"model":"gpt-4o-mini","messages":[{"content":"my diary of 1999, 我的日记本在这里 and 日记 \u6211\u7684\u65e5\u8bb0\u672c\u5728\u8fd9\u91cc\u554a\u554a\u554a\u554a\u554a"}]}"#;
        assert_eq!(quoted(400, "bad: anything", prompt), "400 t/c", "about the request");
        assert_eq!(quoted(500, "can't parse: my diary of 1999", prompt), "500 t/c");
        assert_eq!(quoted(500, "no: 我的日记本在这里啊啊啊啊啊", prompt), "500 t/c", "escaped as Python does");
        assert_eq!(
            quoted(404, "The model gpt-4o-mini does not exist", prompt),
            r#"404 "The model gpt-4o-mini does not exist""#
        );
    }
}
