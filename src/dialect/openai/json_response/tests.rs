//! Whole answers: errors, empty ones, ends, and counts.

use super::*;
use crate::types::UsageSource;

const SENT: SentRequest<'_> = SentRequest { upstream_model: "m", body: None, key: None };

fn judged(kind: ReplyKind, body: impl AsRef<[u8]>) -> Result<Option<Usage>, FailureClass> {
    judge(WholeAnswer { kind, body: body.as_ref(), prompt_bytes: 40 }, SENT).map_err(|failure| failure.class)
}

/// The total, or why it is no answer.
fn total(kind: ReplyKind, body: &str) -> Result<Option<u64>, FailureClass> {
    judged(kind, body).map(|usage| usage.map(|usage| usage.total))
}

use FailureClass::{EmptyResponse, Protocol, RateLimited, ServerError};
use ReplyKind::{Chat, Completion, Json, Responses};

#[test]
fn a_body_with_nothing_in_it_or_without_json_is_a_failure() {
    for (body, wanted) in [
        ("", EmptyResponse),
        (" \n", EmptyResponse),
        ("{ }", EmptyResponse),
        ("null", EmptyResponse),
        ("[]", EmptyResponse),
        (r#"[{"error":null,"usage":null}]"#, Protocol),
        (r#"{"choices":[{"mess"#, Protocol),
        ("data: {}\n\n", Protocol),
        (r#"{"error":{"code":429}}"#, RateLimited),
        (r#"{"object":"error","message":"x"}"#, ServerError),
        (r#"{"code":429,"message":"slow down"}"#, RateLimited),
        (r#"{"detail":"Not authenticated"}"#, ServerError),
    ] {
        for kind in [Chat, Completion, Responses, Json] {
            assert_eq!(judged(kind, body), Err(wanted), "{kind:?} {body}");
        }
    }
}

#[test]
fn an_error_field_that_says_nothing_is_no_error() {
    for error in ["null", "{}", "false", "\"\"", "[]", "0"] {
        let body = format!(r#"{{"choices":[{{"message":{{"content":"hi"}}}}],"error":{error}}}"#);
        assert!(judged(Chat, &body).is_ok(), "{error}");
    }
    assert!(judged(Json, r#"{"data":[{"url":"x"}],"message":"hello"}"#).is_ok());
    assert!(judged(Chat, r#"{"message":"hello","choices":[{"text":"a"}]}"#).is_ok());
    let quoting = r#"{"choices":[{"message":{"content":"\"error\":"},"error":null}]}"#;
    assert!(judged(Chat, quoting).is_ok());
}

#[test]
fn an_answer_that_shows_and_reports_nothing_is_empty() {
    for (kind, body) in [
        (Chat, r#"{"choices":[]}"#),
        (Chat, r#"{"choices":[ ],"usage":{}}"#),
        (Chat, r#"{"choices":null,"usage":null}"#),
        (Chat, r#"{"choices":[{"message":{}}]}"#),
        (Chat, r#"{"choices":[{"finish_reason":"stop"}]}"#),
        (
            Chat,
            r#"{"choices":[{"message":{"role":"assistant","content":"","tool_calls":null},"finish_reason":"stop"}]}"#,
        ),
        (
            Chat,
            r#"{"choices":[{"message":{"content":""}}],"usage":{"prompt_tokens":5,"completion_tokens":0,"total_tokens":90}}"#,
        ),
        (Chat, r#"{"choices":[{"message":{"content":null,"tool_calls":[]},"finish_reason":"tool_calls"}]}"#),
        (Chat, r#"{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":0}}"#),
        (Completion, r#"{"choices":[]}"#),
        (Completion, r#"{"choices":[{"text":""}],"usage":{"prompt_tokens":5,"completion_tokens":0}}"#),
        (Responses, r#"{"status":"completed","output":[],"usage":{"input_tokens":5,"output_tokens":0}}"#),
        (
            Responses,
            r#"{"status":"completed","output":[{"type":"message","id":"m","content":[{"type":"output_text","text":""}]}]}"#,
        ),
        (Responses, r#"{"output":[],"usage":{"input_tokens":0,"output_tokens":0}}"#),
    ] {
        assert_eq!(judged(kind, body), Err(EmptyResponse), "{kind:?} {body}");
    }
}

#[test]
fn what_explains_an_empty_answer_makes_it_one() {
    for (kind, body, wanted) in [
        (Chat, r#"{"choices":[{"finish_reason":"length","message":{}}],"usage":{"prompt_tokens":9}}"#, Some(9)),
        (Chat, r#"{"choices":[{"finish_reason":"content_filter","message":{"content":""}}]}"#, Some(10)),
        (Chat, r#"{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}}"#, Some(7)),
        (Chat, r#"{"choices":[{}],"usage":{"prompt_tokens":5,"total_tokens":9}}"#, Some(9)),
        (Chat, r#"{"choices":[{"message":{}}],"usage":{"prompt_tokens":5,"total_tokens":90}}"#, Some(90)),
        (Completion, r#"{"choices":[{"text":"","finish_reason":"stop"}],"usage":{"prompt_tokens":5}}"#, Some(5)),
        (Completion, r#"{"choices":[{"text":"x"}],"usage":{"prompt_tokens":5,"total_tokens":5}}"#, Some(6)),
        (Responses, r#"{"output":[],"usage":{"input_tokens":5,"output_tokens":6}}"#, Some(11)),
        (Responses, r#"{"status":"queued","output":[]}"#, Some(10)),
        (Json, r#"{"results":[{"flagged":false}]}"#, None),
        (Json, r#"{"data":[{"embedding":[0.5]}],"usage":{"prompt_tokens":5,"total_tokens":5}}"#, Some(5)),
    ] {
        assert_eq!(total(kind, body), Ok(wanted), "{kind:?} {body}");
    }
}

#[test]
fn what_is_not_in_the_place_of_an_answer_is_no_answer() {
    for body in [
        r#"{"status":"ok"}"#,
        r#"{"ok":true}"#,
        r#"{"a":1}"#,
        r#"{"status":500,"path":"/v1","timestamp":"q"}"#,
        r#"{"code":"InternalError"}"#,
        r#"{"code":10001}"#,
        r#"{"errcode":40001,"errmsg":"invalid credential"}"#,
        r#"{"errno":1,"errmsg":"x"}"#,
        r#"{"ret":-1,"retmsg":"boom"}"#,
        r#"{"header":{"code":10013,"message":"bad"}}"#,
        r#"{"Response":{"Error":{"Code":"AuthFailure"},"RequestId":"x"}}"#,
        r#"{"id":"q","status":"queued"}"#,
        r#"{"choices":[{}]}"#,
        r#"{"choices":[null],"usage":null}"#,
        r#"{"choices":[[]]}"#,
        r#"{"choices":7}"#,
        r#"{"choices":[{"message":{"content":""},"finish_reason":"other"}]}"#,
        r#"{"choices":[{"message":{"content":""},"finish_reason":"malformed_function_call"}]}"#,
        r#"{"output":[]}"#,
        r#"{"output":null,"status":"queued"}"#,
        r#"{"data":null}"#,
        r#"{"data":[],"usage":{"prompt_tokens":5,"total_tokens":5}}"#,
        r#"{"data":[{"object":"embedding","index":0,"embedding":null}]}"#,
        r#"{"results":[]}"#,
    ] {
        for kind in [Chat, Responses, Json] {
            assert_eq!(judged(kind, body), Err(EmptyResponse), "{kind:?} {body}");
        }
    }
    for body in [r#"{"status":"failed","error":null,"output":[]}"#, r#"{"status":"cancelled","output":[{"text":"a"}]}"#]
    {
        assert_eq!(judged(Responses, body), Err(ServerError), "{body}");
    }
}

#[test]
fn an_answer_that_finished_with_an_error_is_a_failure() {
    for reason in ["error", "network_error", "insufficient_system_resource"] {
        for message in [r#"{"content":""}"#, r#"{"content":"half"}"#] {
            let body = format!(r#"{{"choices":[{{"finish_reason":"{reason}","message":{message}}}]}}"#);
            assert_eq!(judged(Chat, &body), Err(ServerError), "{body}");
        }
    }
    let with_error = r#"{"choices":[{"finish_reason":"error","message":{},"error":{"code":429,"message":"x"}}]}"#;
    assert_eq!(judged(Chat, with_error), Err(RateLimited));
}

#[test]
fn zeros_beside_content_are_no_report() {
    let text = "word".repeat(500);
    let zeros = r#""usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}"#;
    let message = format!(r#"{{"choices":[{{"message":{{"content":"{text}"}},"finish_reason":"stop"}}],{zeros}}}"#);
    let item = format!(r#"{{"type":"message","content":[{{"type":"output_text","text":"{text}"}}]}}"#);
    for (kind, body, completion) in [
        (Chat, message, 500),
        (Completion, format!(r#"{{"choices":[{{"text":"{text}"}}],{zeros}}}"#), 500),
        (Responses, format!(r#"{{"output":[{item}],"usage":{{"input_tokens":0,"output_tokens":0}}}}"#), 500),
        (Json, format!(r#"{{"data":[{{"embedding":[0.1]}}],{zeros}}}"#), 0),
    ] {
        let usage = judged(kind, &body).expect("an answer").expect("estimated");
        let found = (usage.prompt, usage.completion, usage.source);
        assert_eq!(found, (10, completion, UsageSource::Estimated), "{kind:?}");
    }
}

#[test]
fn json_that_only_clients_read_is_judged_by_what_they_read() {
    for (kind, body, wanted) in [
        (Chat, r#"{"choices":[{"message":{"content":"GOOD\ud83d"}}],"usage":{"total_tokens":70}}"#, Ok(Some(70))),
        (
            Chat,
            r#"{"choices":[{"message":{"content":"GOOD"},"logprobs":[-Infinity]}],"usage":{"total_tokens":70}}"#,
            Ok(Some(70)),
        ),
        (Chat, "{\"choices\":[{\"message\":{\"content\":\"GOOD\"}}]}\n\0", Ok(Some(11))),
        (Chat, r#"{"usage":null,"usage":null,"choices":[{"message":{"content":"GOOD"}}]}"#, Ok(Some(11))),
        (Chat, r#"{"choices":[],"choices":[{"message":{"content":"GOOD","z":1e999}}]}"#, Ok(Some(27))),
        (Json, r#"{"data":[{"embedding":[NaN,1]}],"usage":{"prompt_tokens":1,"total_tokens":1}}"#, Ok(Some(1))),
        (Chat, r#"{"choices":[{"message":{"content":""},"x":NaN}]}"#, Err(EmptyResponse)),
        (Chat, r#"{"error":{"code":429,"message":"cut \ud83d"}}"#, Err(RateLimited)),
        (Chat, r#"{"choices":[{"message":{"content":"GOOD\ud83d"#, Err(Protocol)),
        (Chat, r#"{"choices":[{"message":{"content":"GOOD\ud83d"}}]"#, Err(Protocol)),
    ] {
        assert_eq!(total(kind, body), wanted, "{body}");
    }
    let no_utf8 = b"{\"choices\":[{\"message\":{\"content\":\"GOOD\xff\"}}]}";
    assert!(judged(Chat, no_utf8).is_ok());
}

#[test]
fn a_byte_order_mark_and_white_space_before_the_object_mean_nothing() {
    let body = "\u{feff}\r\n {\"choices\":[{\"message\":{\"content\":\"a\"}}],\"usage\":{\"total_tokens\":70}}\n";
    assert_eq!(total(Chat, body), Ok(Some(70)));
}

#[test]
fn a_body_that_is_no_json_is_described_without_a_word_of_it() {
    let body = br#"{"choices":sk-secret}"#;
    let failure = judge(WholeAnswer { kind: Chat, body, prompt_bytes: 0 }, SENT).expect_err("no JSON");
    assert!(!failure.detail.contains("sk-"), "{}", failure.detail);
}
