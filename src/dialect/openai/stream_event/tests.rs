//! Single events, in the order of their kinds, and the short way beside the parser.

use super::*;

const SENT: SentRequest<'_> = SentRequest { upstream_model: "m", body: None, key: None };

fn meaning(kind: ReplyKind, data: &str) -> EventMeaning {
    read(kind, format!("data: {data}\n\n").as_bytes(), false, SENT)
}

/// A word for each kind.
fn word(meaning: &EventMeaning) -> &'static str {
    match &meaning.kind {
        EventKind::Preamble => "preamble",
        EventKind::Content(_) => "content",
        EventKind::Usage => "usage",
        EventKind::Error(error) if error.is_readable => "error",
        EventKind::Error(_) => "broken",
        EventKind::End => "end",
    }
}

use ReplyKind::{Bytes, Chat, Completion, Json, Responses};

#[test]
fn an_event_of_a_chat_is_what_its_fields_say() {
    for (data, wanted) in [
        (r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#, "preamble"),
        (r#"{"choices":[{"delta":{"role":"assistant","content":null,"tool_calls":[]}}]}"#, "preamble"),
        (r#"{"choices":[{"delta":{"content":"","tool_calls":null,"reasoning_content":""}}],"usage":null}"#, "preamble"),
        (r#"{"choices":[],"prompt_filter_results":[{}]}"#, "preamble"),
        (r#"{"choices":null}"#, "preamble"),
        (r#"{"choices":[{}]}"#, "preamble"),
        (r#"{"choices":[null]}"#, "preamble"),
        (r#"{"choices":[{"delta":null}]}"#, "preamble"),
        (r#"{"choices":[{"delta":{}}],"usage":{}}"#, "preamble"),
        (r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#, "preamble"),
        (r#"{"choices":[{"delta":{},"finish_reason":""}]}"#, "preamble"),
        (r#"{"choices":[{"delta":{},"finish_reason":"null"}]}"#, "preamble"),
        (r#"{"choices":[{"delta":{"tool_calls":[{"index":0}]}}]}"#, "preamble"),
        (r#"{"choices":[],"error":null}"#, "preamble"),
        (r#"{"choices":[],"error":{}}"#, "preamble"),
        (r#"{"choices":[],"error":""}"#, "preamble"),
        (r#"{"choices":[],"error":false}"#, "preamble"),
        (r#"{"type":"ping"}"#, "preamble"),
        ("{}", "preamble"),
        ("null", "preamble"),
        ("[]", "preamble"),
        ("\"\"", "preamble"),
        ("ping", "preamble"),
        ("7", "preamble"),
        ("Internal Server Error", "preamble"),
        (r#"{"choices":[],"usage":{"total_tokens":9}}"#, "usage"),
        (r#"{"usage":{"total_tokens":9}}"#, "usage"),
        (r#"{"choices":[{"delta":{"content":"a"}}]}"#, "content"),
        (r#"{"choices":[{"delta":{"reasoning_content":"a"}}]}"#, "content"),
        (r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"name":"f"}}]}}]}"#, "content"),
        (r#"{"choices":[{"delta":{},"finish_reason":"content_filter"}]}"#, "content"),
        (r#"{"choices":[{"delta":{},"finish_reason":"length"}]}"#, "content"),
        (r#"{"choices":[[]]}"#, "preamble"),
        (r#"{"status":"ok"}"#, "preamble"),
        (r#"{"choices":[{"delta":{},"finish_reason":"error"}]}"#, "error"),
        (r#"{"choices":[{"delta":{"content":"a"},"finish_reason":"network_error"}]}"#, "error"),
        (r#"{"error":{"code":429}}"#, "error"),
        (r#"{"choices":[{"error":{"code":429}}]}"#, "error"),
        (r#"{"choices":[{"del"#, "broken"),
        (r#"{"choices":[]}{"choices":[]}"#, "broken"),
        ("{'error': 1}", "broken"),
        ("[DONE]", "end"),
    ] {
        assert_eq!(word(&meaning(Chat, data)), wanted, "{data}");
    }
    assert_eq!(word(&read(Chat, b": ping\n\n", false, SENT)), "preamble");
    assert_eq!(word(&meaning(Completion, r#"{"choices":[{"text":"a"}]}"#)), "content");
    assert_eq!(word(&meaning(Completion, r#"{"choices":[{"text":"","finish_reason":"stop"}]}"#)), "content");
    assert_eq!(word(&meaning(Bytes, "no JSON")), "content");
    assert_eq!(word(&meaning(Json, r#"{"type":"image_generation.partial_image","b64_json":"a"}"#)), "content");
    assert_eq!(word(&meaning(Json, r#"{"type":"ping"}"#)), "preamble");
}

#[test]
fn json_that_only_clients_read_means_what_they_read() {
    for (data, wanted) in [
        (r#"{"choices":[{"delta":{"content":"\ud83d"}}]}"#, "content"),
        (r#"{"choices":[{"delta":{"content":""},"logprobs":{"x":NaN}}]}"#, "preamble"),
        (r#"{"choices":[],"choices":[{"delta":{"content":"a"}}]}"#, "content"),
        (r#"{"error":{"message":"cut \ud83d"}}"#, "error"),
        (r#"{"choices":[{"delta":{"content":"\ud83d"#, "broken"),
    ] {
        assert_eq!(word(&meaning(Chat, data)), wanted, "{data}");
    }
    let no_utf8 = b"data: {\"choices\":[{\"delta\":{\"content\":\"\xf0\"}}]}\n\n";
    assert_eq!(word(&read(Chat, no_utf8, false, SENT)), "content");
    let deep = format!(r#"{{"choices":[{{"delta":{{"content":"a","x":{}{}}}}}]}}"#, "[".repeat(500), "]".repeat(500));
    assert_eq!(word(&meaning(Chat, &deep)), "content");
}

#[test]
fn an_event_of_a_response_is_what_its_type_says() {
    for (data, wanted) in [
        (r#"{"type":"response.created","response":{"error":null}}"#, "preamble"),
        (r#"{"type":"response.output_item.added","item":{"type":"message","content":[]}}"#, "preamble"),
        (r#"{"type":"response.output_item.added","item":{"type":"reasoning","id":"rs_1","summary":[]}}"#, "preamble"),
        (r#"{"type":"response.output_item.added","item":{"type":"function_call","name":"f"}}"#, "content"),
        (r#"{"type":"response.content_part.added","part":{"type":"output_text","text":""}}"#, "preamble"),
        (r#"{"type":"response.content_part.added","part":{"type":"output_text","text":"a"}}"#, "content"),
        (r#"{"type":"response.output_text.delta","delta":"a"}"#, "content"),
        (r#"{"type":"response.output_text.delta","delta":""}"#, "preamble"),
        (r#"{"type":"response.output_text.done","text":""}"#, "preamble"),
        (r#"{"type":"response.output_item.done","item":{"type":"message","content":[{"text":""}]}}"#, "preamble"),
        (r#"{"type":"response.web_search_call.searching"}"#, "preamble"),
        (r#"{"type":"response.rate_limits.updated","rate_limits":[{"name":"requests"}]}"#, "preamble"),
        (r#"{"type":"response.mcp_list_tools.in_progress","item_id":"m"}"#, "preamble"),
        (r#"{"type":"response.image_generation_call.partial_image","partial_image_b64":"a"}"#, "content"),
        (r#"{"type":"response.function_call_arguments.done","arguments":"{}"}"#, "content"),
        (r#"{"type":"response.cancelled","response":{"status":"cancelled"}}"#, "error"),
        (r#"{"type":"response.completed","response":{"status":"failed","output":[]}}"#, "error"),
        ("Internal Server Error", "preamble"),
        (r#"{"type":"response.completed","response":{"output":[]}}"#, "end"),
        (r#"{"type":"response.completed","response":{"output":[{"content":[{"text":"a"}]}]}}"#, "content"),
        (r#"{"type":"response.incomplete","response":{"output":[]}}"#, "content"),
        (r#"{"type":"response.failed","response":{"error":{"code":"server_error"}}}"#, "error"),
        (r#"{"type":"response.failed","response":{"status":"failed"}}"#, "error"),
        (r#"{"type":"error","message":"x"}"#, "error"),
    ] {
        assert_eq!(word(&meaning(Responses, data)), wanted, "{data}");
    }
    let closed = meaning(Responses, r#"{"type":"response.completed","response":{"usage":{"total_tokens":11}}}"#);
    assert_eq!((closed.end, closed.usage.total), (End::Closed, Some(11)));
}

#[test]
fn an_event_that_is_called_an_error_is_one() {
    for is_plain in [false, true] {
        let event = b"event: error\ndata: {\"code\":500}\n\n";
        assert_eq!(word(&read(Chat, event, is_plain, SENT)), "error");
    }
}

#[test]
fn a_plain_event_means_the_same_as_when_it_is_parsed() {
    for (kind, data) in [
        (Chat, r#"{"choices":[{"delta":{"content":"a"},"finish_reason":null}]}"#),
        (Chat, r#"{"choices":[{"delta":{"content":"a"},"finish_reason" : null}],"usage": null }"#),
        (Chat, r#"{"choices":[{"delta":{"content":"a"}}],"usage":null,"obfuscation":"xyz"}"#),
        (Chat, r#"{"usage":null,"choices":[{"delta":{"content":"a"}}]}"#),
        (Chat, r#"{"choices":[{"delta":{"content":"a"},"usage":null}]}"#),
        (Chat, r#"{"choices":[{"delta":{"content":"\"usage\":null"}}]}"#),
        (Chat, r#"{"choices":[{"delta":{"content":"a"}}],"usage":{"total_tokens":7}}"#),
        (Chat, r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#),
        (Chat, r#"{"choices":[{"delta":{"content":"a"},"finish_reason":null},{"delta":{},"finish_reason":"stop"}]}"#),
        (Chat, r#"{"choices":[{"delta":{"content":"an error"}}]}"#),
        (Chat, r#"{"error":{"message":"x"}}"#),
        (Chat, r#"{"choices":[{"delta":{"cont"#),
        (Completion, r#"{"choices":[{"text":"a","finish_reason":null}]}"#),
        (Responses, r#"{"type":"response.output_text.delta","delta":"a"}"#),
        (Responses, r#"{"type":"response.completed","response":{"usage":{"total_tokens":7}}}"#),
        (Responses, r#"{"type":"response.failed","response":{"error":null}}"#),
        (Chat, "[DONE]"),
    ] {
        let event = format!("data: {data}\n\n");
        let (plain, parsed) = (read(kind, event.as_bytes(), true, SENT), read(kind, event.as_bytes(), false, SENT));
        let of = |meaning: &EventMeaning| (word(meaning), meaning.end, meaning.usage, meaning.usage_at.clone());
        assert_eq!(of(&plain), of(&parsed), "{data}");
    }
}
