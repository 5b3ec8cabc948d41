//! Answers as streams, and back again.

use super::*;
use crate::dialect::openai::as_object::object_of;

fn events(kind: ReplyKind, answer: &Value, with_usage: bool) -> Vec<Value> {
    let text = events_of(kind, answer.to_string().as_bytes(), with_usage).expect("events");
    let text = String::from_utf8(text.to_vec()).expect("UTF-8");
    let data = text.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
    data.map(|data| serde_json::from_str(data).expect("JSON")).collect()
}

/// Puts events together again.
fn put_together(kind: ReplyKind, answer: &Value) -> Value {
    let stream = events_of(kind, answer.to_string().as_bytes(), true).expect("events");
    serde_json::from_slice(&object_of(kind, &stream).expect("an object")).expect("JSON")
}

#[test]
fn an_answer_told_as_a_stream_and_put_together_is_the_same() {
    let chat = json!({ "id": "c1", "object": "chat.completion", "created": 1, "model": "m", "system_fingerprint": "fp",
        "choices": [
            { "index": 0, "message": { "role": "assistant", "content": "hi", "reasoning_content": "hm",
                "tool_calls": [{ "id": "t1", "type": "function", "function": { "name": "f", "arguments": "{}" } }] },
                "finish_reason": "tool_calls", "logprobs": null },
            { "index": 1, "message": { "role": "assistant", "content": null, "refusal": "no" }, "finish_reason": "stop", "logprobs": null },
        ],
        "usage": { "total_tokens": 9 } });
    let completion = json!({ "id": "c1", "object": "text_completion",
        "choices": [{ "index": 0, "text": "ab", "finish_reason": "length", "logprobs": null }], "usage": { "total_tokens": 9 } });
    let response = json!({ "id": "resp_1", "object": "response", "status": "completed", "output": [
        { "id": "rs_1", "type": "reasoning", "summary": [{ "type": "summary_text", "text": "hm" }] },
        { "id": "msg_1", "type": "message", "role": "assistant", "content": [
            { "type": "output_text", "text": "hi", "annotations": [] }, { "type": "refusal", "refusal": "no" }] },
        { "id": "fc_1", "type": "function_call", "call_id": "t1", "name": "f", "arguments": "{}" },
    ], "usage": { "total_tokens": 9 } });
    for (kind, answer) in
        [(ReplyKind::Chat, chat), (ReplyKind::Completion, completion), (ReplyKind::Responses, response)]
    {
        assert_eq!(put_together(kind, &answer), answer, "{kind:?}");
    }
}

#[test]
fn a_stream_has_an_end_and_the_usage_only_if_the_client_asked() {
    let answer =
        json!({ "choices": [{ "message": { "content": "hi" }, "finish_reason": "" }], "usage": { "total_tokens": 9 } });
    let with = events(ReplyKind::Chat, &answer, true);
    assert_eq!((with.len(), &with[2]["usage"]["total_tokens"], &with[2]["choices"]), (3, &json!(9), &json!([])));
    let without = events(ReplyKind::Chat, &answer, false);
    assert_eq!((without.len(), &without[1]["choices"][0]["finish_reason"]), (2, &json!("stop")));
    assert!(without.iter().all(|chunk| chunk.get("usage").is_none()));
}

#[test]
fn the_events_of_a_response_come_in_the_order_of_the_api() {
    let response = json!({ "status": "incomplete", "output": [
        { "id": "rs_1", "type": "reasoning", "summary": [{ "type": "summary_text", "text": "hm" }] },
        { "id": "fc_1", "type": "function_call", "name": "f", "arguments": "{}" } ] });
    let events = events(ReplyKind::Responses, &response, false);
    let names: Vec<&str> =
        events.iter().filter_map(|event| event["type"].as_str()?.strip_prefix("response.")).collect();
    assert_eq!(
        names,
        [
            "created",
            "in_progress",
            "output_item.added",
            "reasoning_summary_part.added",
            "reasoning_summary_text.delta",
            "reasoning_summary_text.done",
            "reasoning_summary_part.done",
            "output_item.done",
            "output_item.added",
            "function_call_arguments.delta",
            "function_call_arguments.done",
            "output_item.done",
            "incomplete"
        ]
    );
    assert_eq!((&events[0]["response"]["output"], &events[2]["item"]["summary"]), (&json!([]), &json!([])));
    assert_eq!(
        (&events[4]["delta"], &events[4]["item_id"], &events[4]["summary_index"]),
        (&json!("hm"), &json!("rs_1"), &json!(0))
    );
    assert_eq!((&events[8]["item"]["arguments"], &events[10]["arguments"]), (&json!(""), &json!("{}")));
}

#[test]
fn images_are_told_one_by_one_and_other_objects_have_no_stream() {
    let images =
        json!({ "created": 1, "data": [{ "b64_json": "AA" }, { "b64_json": "BB" }], "usage": { "total_tokens": 9 } });
    let events = events(ReplyKind::Json, &images, false);
    assert_eq!(
        (events.len(), &events[1]["b64_json"], &events[1]["type"]),
        (2, &json!("BB"), &json!("image_generation.completed"))
    );
    for other in [json!({ "data": [{ "embedding": [0.1] }] }), json!({ "data": [] }), json!({ "results": [] })] {
        assert_eq!(events_of(ReplyKind::Json, other.to_string().as_bytes(), true), None, "{other}");
    }
}
