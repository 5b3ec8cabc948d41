//! Messages of both sides, and what they mean.

use serde_json::json;

use super::*;

const SENT: SentRequest<'static> = SentRequest { upstream_model: "m", body: None, key: None };

#[test]
fn only_a_create_asks_for_a_response() {
    for (message, asked) in [
        (r#"{"type":"response.create"}"#, RealtimeQuestion::Response(None)),
        (r#"{"event_id":"e1","type":"response\u002ecreate"}"#, RealtimeQuestion::Response(Some("e1".to_owned()))),
        (r#"{"type":"response.cancel"}"#, RealtimeQuestion::Other),
        (r#"{"item":{"type":"response.create"}}"#, RealtimeQuestion::Other),
        ("[]", RealtimeQuestion::Other),
        ("", RealtimeQuestion::Other),
    ] {
        assert_eq!(read_question(message.as_bytes()), asked, "{message}");
    }
}

#[test]
fn the_begin_and_the_end_of_a_response_are_seen_with_its_usage() {
    let read = |message: serde_json::Value| read_event(message.to_string().as_bytes(), SENT);
    assert_eq!(
        read(json!({ "type": "response.created", "event_id": "e", "response": { "id": "r", "usage": null } })),
        RealtimeEvent::Created("r".to_owned())
    );
    assert_eq!(
        read(json!({ "type": "response.output_audio.delta", "response_id": "r", "delta": "AAAA" })),
        RealtimeEvent::Content("r".to_owned())
    );
    let usage = json!({ "total_tokens": 253, "input_tokens": 132, "output_tokens": 121,
        "input_token_details": { "text_tokens": 119, "audio_tokens": 13, "cached_tokens": 64,
            "cached_tokens_details": { "text_tokens": 64, "audio_tokens": 0 } },
        "output_token_details": { "text_tokens": 30, "audio_tokens": 91 } });
    let done = json!({ "type": "response.done", "response": { "id": "r", "status": "completed", "usage": usage } });
    let RealtimeEvent::Done(end) = read(done) else { panic!("an end") };
    let usage = end.usage.expect("reported");
    assert_eq!((usage.prompt, usage.completion, usage.total, usage.kinds.cached), (132, 121, 253, 64));
    assert_eq!((end.id.as_deref(), end.failure), (Some("r"), None));
}

#[test]
fn a_strange_member_hides_no_other() {
    let usage = r#"{"input_tokens":3,"output_tokens":4}"#;
    for (response, id) in [
        (format!(r#"{{"id":"r","status":7,"usage":{usage}}}"#), Some("r")),
        (format!(r#"{{"id":7,"usage":{usage}}}"#), None),
        (format!(r#"{{"usage":{usage},"status_details":"x"}}"#), None),
    ] {
        let done = format!(r#"{{"type":"response.done","event_id":7,"response_id":[],"response":{response}}}"#);
        let RealtimeEvent::Done(end) = read_event(done.as_bytes(), SENT) else { panic!("an end: {done}") };
        assert_eq!((end.id.as_deref(), end.usage.map(|usage| usage.total)), (id, Some(7)), "{done}");
    }
    for done in [r#"{"type":"response.done"}"#, r#"{"type":"response.done","response":[]}"#] {
        let end = RealtimeEnd { id: None, usage: None, failure: None };
        assert_eq!(read_event(done.as_bytes(), SENT), RealtimeEvent::Done(end), "{done}");
    }
}

#[test]
fn a_transcription_tells_its_tokens_or_its_seconds() {
    let read = |usage: &str| {
        let kind = "conversation.item.input_audio_transcription.completed";
        let event = format!(r#"{{"type":"{kind}","transcript":"hi","usage":{usage}}}"#);
        let RealtimeEvent::Transcribed(usage) = read_event(event.as_bytes(), SENT) else { panic!("{event}") };
        usage.map(|usage| (usage.prompt, usage.completion, usage.billed.get(BilledUnit::AudioSecond)))
    };
    let tokens = r#"{"type":"tokens","total_tokens":22,"input_tokens":13,"input_token_details":{"text_tokens":0,"audio_tokens":13},"output_tokens":9}"#;
    assert_eq!(read(tokens), Some((13, 9, 0)));
    assert_eq!(read(r#"{"type":"duration","seconds":2.5}"#), Some((0, 0, 3)));
    assert_eq!([read("null"), read("{}"), read("7")], [None; 3]);
}

#[test]
fn a_session_names_the_model_that_writes_down_what_is_said() {
    let present = r#"{"audio":{"input":{"transcription":{"model":"gpt-4o-transcribe"}}}}"#;
    let beta = r#"{"input_audio_transcription":{"model":"whisper-1"}}"#;
    for (session, model) in [(present, Some("gpt-4o-transcribe")), (beta, Some("whisper-1")), ("{}", None), ("7", None)]
    {
        let asked = format!(r#"{{"type":"session.update","session":{session}}}"#);
        let wanted = model.map_or(RealtimeQuestion::Other, |model| RealtimeQuestion::Transcriber(model.to_owned()));
        assert_eq!(read_question(asked.as_bytes()), wanted, "{asked}");
        let told = format!(r#"{{"type":"session.updated","session":{session}}}"#);
        let wanted = model.map_or(RealtimeEvent::Other, |model| RealtimeEvent::Transcriber(model.to_owned()));
        assert_eq!(read_event(told.as_bytes(), SENT), wanted, "{told}");
    }
}

#[test]
fn an_error_about_another_message_refuses_no_response() {
    for (error, may_be) in [
        (r#"{"code":"conversation_already_has_active_response"}"#, true),
        (r#"{"code":"invalid_value","param":"response.voice"}"#, true),
        (r#"{"code":"invalid_value","param":"session.voice","event_id":null}"#, false),
        (r#"{"code":"input_audio_buffer_commit_empty"}"#, false),
        (r#"{"code":"response_cancel_not_active"}"#, false),
        (r#"{"code":"item_truncate_invalid_item_id"}"#, false),
    ] {
        let wanted = if may_be { RealtimeEvent::Refused(None) } else { RealtimeEvent::Other };
        let event = format!(r#"{{"type":"error","error":{error}}}"#);
        assert_eq!(read_event(event.as_bytes(), SENT), wanted, "{error}");
    }
}

#[test]
fn a_failed_response_tells_why() {
    for (error, class) in [
        (json!({ "type": "server_error", "code": "rate_limit_exceeded" }), FailureClass::RateLimited),
        (json!({ "type": "insufficient_quota", "code": "insufficient_quota" }), FailureClass::RateLimited),
        (json!(null), FailureClass::ServerError),
    ] {
        let response = json!({ "id": "r", "status": "failed", "status_details": { "error": error } });
        let done = json!({ "type": "response.done", "response": response }).to_string();
        let RealtimeEvent::Done(end) = read_event(done.as_bytes(), SENT) else { panic!("an end") };
        assert_eq!((end.usage, end.failure.map(|failure| failure.class)), (None, Some(class)), "{error}");
    }
}

#[test]
fn a_refusal_names_the_message() {
    let refused = json!({ "type": "error", "event_id": "e", "error": { "event_id": "mine", "code": "x" } });
    let read = read_event(refused.to_string().as_bytes(), SENT);
    assert_eq!(read, RealtimeEvent::Refused(Some("mine".to_owned())));
    assert_eq!(read_event(br#"{"type":"error"}"#, SENT), RealtimeEvent::Refused(None));
    assert_eq!(read_event(br#"{"type":"session.created"}"#, SENT), RealtimeEvent::Other);
    assert_eq!(read_event(b"\xff", SENT), RealtimeEvent::Other);
}
