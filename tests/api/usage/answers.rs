//! What an upstream answers to a request of [`super::traffic`].

use serde_json::{Value, json};

use super::traffic::{Kind, Kinds};
use crate::helpers::{Reply, Step};

/// Returns the tokens of a request, by its number.
pub fn tokens(kind: Kind, n: u64) -> Kinds {
    let (prompt, answer) = (100 + n * 7_919 % 5_000, 3 + n * 31 % 900);
    let (cached, thought) = (prompt * (n % 4) / 8, answer * (n % 3) / 4);
    match kind {
        Kind::Embeddings => [prompt, 0, 0, 0, 0, 0],
        Kind::Messages | Kind::MessagesStream => [prompt, cached, n % 41, n % 17, answer, 0],
        Kind::Plain | Kind::Stream | Kind::Failing | Kind::Refused | Kind::Hedged => {
            [prompt - cached, cached, 0, 0, answer - thought, thought]
        }
        Kind::Silent | Kind::Cut | Kind::Left => Kinds::default(),
    }
}

/// Returns the answer that reports these tokens.
pub fn report(kind: Kind, tokens: Kinds) -> Reply {
    let [input, cached, written, hour, output, reasoning] = tokens;
    let usage = json!({
        "prompt_tokens": input + cached, "completion_tokens": output + reasoning,
        "total_tokens": tokens.iter().sum::<u64>(),
        "prompt_tokens_details": { "cached_tokens": cached },
        "completion_tokens_details": { "reasoning_tokens": reasoning },
    });
    let message = json!({
        "input_tokens": input, "cache_read_input_tokens": cached, "cache_creation_input_tokens": written + hour,
        "cache_creation": { "ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": hour },
        "output_tokens": output,
    });
    match kind {
        Kind::Embeddings => Reply::json(
            200,
            &json!({
                "object": "list", "data": [{ "object": "embedding", "index": 0, "embedding": [0.5] }],
                "model": "m", "usage": { "prompt_tokens": input, "total_tokens": input },
            }),
        ),
        Kind::Messages => Reply::json(
            200,
            &json!({
                "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
                "content": [{ "type": "text", "text": "hi" }], "usage": message,
            }),
        ),
        Kind::MessagesStream => messages_stream(message, output),
        Kind::Stream => {
            let end = json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }] });
            let last = json!({ "choices": [], "usage": usage });
            let steps =
                vec![word(), Step::event(&end.to_string()), Step::event(&last.to_string()), Step::event("[DONE]")];
            Reply::stream(steps, true)
        }
        Kind::Plain | Kind::Failing | Kind::Refused | Kind::Hedged => Reply::json(200, &chat(Some(usage))),
        Kind::Silent | Kind::Cut | Kind::Left => panic!("{kind:?} reports nothing"),
    }
}

fn messages_stream(mut usage: Value, output: u64) -> Reply {
    usage["output_tokens"] = json!(1);
    let events = [
        json!({ "type": "message_start", "message": { "id": "msg_1", "type": "message", "role": "assistant",
            "model": "m", "content": [], "usage": usage } }),
        json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" } }),
        json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": "hi" } }),
        json!({ "type": "content_block_stop", "index": 0 }),
        json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn" }, "usage": { "output_tokens": output } }),
        json!({ "type": "message_stop" }),
    ];
    let steps = events.iter().map(|event| {
        let name = event["type"].as_str().expect("a name");
        Step::chunk(format!("event: {name}\ndata: {event}\n\n").as_bytes())
    });
    Reply::stream(steps.collect(), true)
}

/// A whole chat completion.
pub fn chat(usage: Option<Value>) -> Value {
    let message = json!({ "role": "assistant", "content": "hi" });
    let mut chat = json!({
        "id": "c", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }],
    });
    if let Some(usage) = usage {
        chat["usage"] = usage;
    }
    chat
}

/// An event with a word.
pub fn word() -> Step {
    Step::event(r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":"some words "}}]}"#)
}
