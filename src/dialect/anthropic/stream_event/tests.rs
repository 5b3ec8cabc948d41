//! Events of a message's stream, one by one and in a row.

use super::*;
use crate::dialect::EventStream;
use crate::dialect::reply_kind::ReplyKind;
use crate::dialect::routes::any;
use crate::types::{CountedTokens, Usage, UsageSource};
use actix_web::web::Bytes;

const SENT: SentRequest<'static> = SentRequest { upstream_model: "m", body: Some(b"{}"), key: None };

fn meaning(event: &str) -> EventMeaning {
    read(StreamEvent { kind: ReplyKind::Messages, bytes: event.as_bytes(), is_plain: false }, SENT)
}

fn named(kind: &str, rest: &str) -> String {
    format!("event: {kind}\ndata: {{\"type\":\"{kind}\"{rest}}}\n\n")
}

#[test]
fn only_content_begins_a_message() {
    let block = |block: &str| named("content_block_start", &format!(r#","index":0,"content_block":{block}"#));
    let delta = |delta: &str| named("content_block_delta", &format!(r#","index":0,"delta":{delta}"#));
    let stop = |reason: &str| named("message_delta", &format!(r#","delta":{{"stop_reason":{reason}}}"#));
    for (event, is_content, end) in [
        (
            named("message_start", r#","message":{"content":[],"usage":{"input_tokens":1,"output_tokens":1}}"#),
            false,
            End::Open,
        ),
        (named("ping", ""), false, End::Open),
        (": comment\n\n".to_owned(), false, End::Open),
        (named("a_new_type", r#","x":"y""#), false, End::Open),
        (block(r#"{"type":"text","text":""}"#), false, End::Open),
        (block(r#"{"type":"thinking","thinking":"","signature":""}"#), false, End::Open),
        (block(r#"{"type":"redacted_thinking","data":"x"}"#), true, End::Open),
        (block(r#"{"type":"tool_use","id":"t","name":"f","input":{}}"#), true, End::Open),
        (delta(r#"{"type":"text_delta","text":"hi"}"#), true, End::Open),
        (delta(r#"{"type":"text_delta","text":""}"#), false, End::Open),
        (delta(r#"{"type":"input_json_delta","partial_json":""}"#), false, End::Open),
        (delta(r#"{"type":"input_json_delta","partial_json":"{"}"#), true, End::Open),
        (delta(r#"{"type":"thinking_delta","thinking":"hm"}"#), true, End::Open),
        (delta(r#"{"type":"signature_delta","signature":"s"}"#), true, End::Open),
        (named("content_block_stop", r#","index":0"#), false, End::Open),
        (stop(r#""end_turn""#), false, End::Finished),
        (stop(r#""tool_use""#), false, End::Finished),
        (stop(r#""max_tokens""#), true, End::Finished),
        (stop(r#""refusal""#), true, End::Finished),
        (stop("null"), false, End::Open),
        (stop(r#""""#), false, End::Open),
        (named("message_stop", ""), false, End::Closed),
        ("event: message_stop\ndata: {}\n\n".to_owned(), false, End::Closed),
        ("data: {\"type\":\"message_stop\"}\n\n".to_owned(), false, End::Closed),
    ] {
        let found = meaning(&event);
        assert_eq!((matches!(found.kind, EventKind::Content(_)), found.end), (is_content, end), "{event}");
        assert!(!matches!(found.kind, EventKind::Error(_)), "{event}");
    }
}

#[test]
fn an_error_is_one_in_every_form() {
    let overloaded = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    for (event, class, is_plain) in [
        (format!("event: error\ndata: {overloaded}\n\n"), FailureClass::Overloaded, true),
        (format!("data: {overloaded}\n\n"), FailureClass::Overloaded, false),
        ("event: error\ndata: broken\n\n".to_owned(), FailureClass::ServerError, true),
        ("data: {\"error\":{\"message\":\"x\",\"code\":429}}\n\n".to_owned(), FailureClass::RateLimited, false),
        (named("message_delta", r#","delta":{"stop_reason":"error"}"#), FailureClass::ServerError, false),
        ("event: content_block_delta\ndata: {\"type\":\"content_b\n\n".to_owned(), FailureClass::Protocol, false),
    ] {
        let EventKind::Error(error) = meaning(&event).kind else { panic!("no error: {event}") };
        assert_eq!((error.failure.class, error.is_plain), (class, is_plain), "{event}");
    }
}

/// What a stream of these events cost.
fn usage(events: &[String]) -> Usage {
    let mut stream = EventStream::new(any(ReplyKind::Messages), false);
    let mut shown: Vec<Bytes> = Vec::new();
    stream.feed(events.concat().as_bytes(), &mut shown);
    assert_eq!(shown.concat(), events.concat().as_bytes());
    stream.progress.usage(400).expect("known")
}

#[test]
fn the_counts_at_the_end_replace_those_at_the_start_each_by_itself() {
    let start = named(
        "message_start",
        r#","message":{"content":[],"usage":{"input_tokens":2679,"cache_creation_input_tokens":10,"cache_read_input_tokens":600,"output_tokens":1}}"#,
    );
    let word = named("content_block_delta", r#","index":0,"delta":{"type":"text_delta","text":"hello"}"#);
    let words: Vec<String> = vec![word; 30];
    let end =
        |usage: &str| named("message_delta", &format!(r#","delta":{{"stop_reason":"end_turn"}},"usage":{usage}"#));
    let stop = named("message_stop", "");
    let of = |usage_at_end: &str| usage(&[&[start.clone()][..], &words, &[end(usage_at_end), stop.clone()]].concat());

    let whole = of(r#"{"output_tokens":15}"#);
    assert_eq!((whole.prompt, whole.completion, whole.kinds.cached, whole.kinds.cache_write_5m), (3289, 15, 600, 10));
    assert_eq!((whole.counted(CountedTokens::ALL), whole.source), (Some(2704), UsageSource::Reported));
    let grown = of(r#"{"input_tokens":10682,"output_tokens":510}"#);
    assert_eq!((grown.prompt, grown.completion, grown.source), (11_292, 510, UsageSource::Reported));
    // Zero tokens beside a text are no report.
    let zeros = of(r#"{"input_tokens":0,"output_tokens":0}"#);
    assert_eq!((zeros.prompt, zeros.source), (3289, UsageSource::Estimated));
    assert!(zeros.completion >= 30);
    // A break: the placeholder at the start is no count of what came.
    let cut = usage(&[&[start.clone()][..], &words].concat());
    assert!(cut.completion >= 30 && cut.source == UsageSource::Estimated && cut.prompt == 3289, "{cut:?}");
}

#[test]
fn a_stream_is_empty_if_no_more_than_a_frame_has_come() {
    let mut stream = EventStream::new(any(ReplyKind::Messages), false);
    let frame = named("message_start", r#","message":{"usage":{"input_tokens":1,"output_tokens":1}}"#);
    let events = [frame, named("ping", ""), named("message_delta", r#","delta":{"stop_reason":"end_turn"}"#)];
    stream.feed(events.concat().as_bytes(), &mut Vec::new());
    assert!(!stream.progress.began() && !stream.progress.generated() && stream.progress.is_whole());
}
