//! What an upstream says to the request of an id: the same whoever is asked, so that each client knows what it must be told.

use std::hash::{DefaultHasher, Hash, Hasher};

/// Requests whose id begins so get a long answer.
pub const LONG: &str = "long";

/// The whole answer to a chat that is no stream.
pub fn answer(id: &str) -> String {
    let text: String = words(id).collect();
    format!(
        r#"{{"id":"chatcmpl-{id}","object":"chat.completion","created":1,"model":"m","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}"}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}}}"#
    )
}

/// The events of a stream, with the usage if it was asked for.
pub fn events(id: &str, usage: bool) -> Vec<String> {
    let null = if usage { r#","usage":null"# } else { "" };
    let event = |delta: &str, reason: &str| {
        format!(
            "data: {{\"id\":\"chatcmpl-{id}\",\"object\":\"chat.completion.chunk\",\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{{{delta}}},\"finish_reason\":{reason}}}]{null}}}\n\n"
        )
    };
    let mut events = vec![event(r#""role":"assistant","content":"""#, "null")];
    events.extend(words(id).map(|word| event(&format!(r#""content":"{word}""#), "null")));
    events.push(event("", r#""stop""#));
    if usage {
        events.push(format!(
            "data: {{\"id\":\"chatcmpl-{id}\",\"choices\":[],\"usage\":{{\"prompt_tokens\":3,\"completion_tokens\":4,\"total_tokens\":7}}}}\n\n"
        ));
    }
    events.push("data: [DONE]\n\n".to_owned());
    events
}

fn words(id: &str) -> impl Iterator<Item = String> {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    let (count, length) = match id.starts_with(LONG) {
        true => (2_000, 1_000),
        false => (3 + (hasher.finish() % 30) as usize, 0),
    };
    (0..count).map(move |nth| format!("{id}.{nth}{} ", "x".repeat(length)))
}
