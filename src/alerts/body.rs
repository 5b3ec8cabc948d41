//! The body of a message. Pure.

use serde_json::{Value, json};

use super::alert::{Alert, AlertFacts};
use super::text::{named, sentence};
use crate::types::iso;

/// The longest text of a fact, in characters.
const LONGEST_FACT: usize = 500;

/// Returns the message about an event.
pub(super) fn body(alert: &Alert, server: &str) -> String {
    let text = format!("{}: {}", named(server), sentence(alert));
    written(json!({ "event": alert.event, "at": iso(alert.at), "server": named(server) }), &text, &alert.facts)
}

/// Returns the message that proves a receiver.
pub(super) fn test_body(at: i64, server: &str) -> String {
    let text = format!("{}: a test; alerts of this server arrive here", named(server));
    written(json!({ "event": "test", "at": iso(at), "server": named(server) }), &text, &AlertFacts::default())
}

/// Writes a message. The sentence stands there under each name that receivers look for: `text` (Slack, Mattermost, Telegram),
/// `content` (Discord) and `message` (ntfy, Gotify).
fn written(mut message: Value, text: &str, facts: &AlertFacts) -> String {
    // A struct of strings and numbers is an object, always.
    if let (Some(fields), Ok(Value::Object(facts))) = (message.as_object_mut(), serde_json::to_value(facts)) {
        fields.extend(["text", "content", "message"].map(|name| (name.to_owned(), json!(text))));
        fields.extend(facts.into_iter().map(|(name, value)| (name, bounded(value))));
    }
    message.to_string()
}

fn bounded(value: Value) -> Value {
    match value.as_str() {
        Some(text) if text.chars().count() > LONGEST_FACT => {
            Value::String(text.chars().take(LONGEST_FACT).chain(['…']).collect())
        }
        Some(_) | None => value,
    }
}
