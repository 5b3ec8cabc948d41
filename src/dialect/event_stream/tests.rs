//! What a stream's events mean together, and what the client sees of them, however the bytes are cut.

use super::*;
use crate::dialect::ReplyKind;
use crate::dialect::routes::any;
use crate::types::UsageSource;

/// Feeds one event; returns what the client sees of it.
fn event(stream: &mut EventStream, json: &str) -> Option<String> {
    let mut shown: Vec<Bytes> = Vec::new();
    stream.feed(format!("data: {json}\n\n").as_bytes(), &mut shown);
    (!shown.is_empty()).then(|| String::from_utf8(shown.concat()).expect("UTF-8"))
}

fn total(stream: &EventStream) -> Option<u64> {
    stream.progress.usage(0).map(|usage| usage.total)
}

#[test]
fn usage_that_only_the_proxy_asked_for_is_taken_out_to_the_byte() {
    let mut stream = EventStream::new(any(ReplyKind::Chat), true);
    for (sent, seen) in [
        (r#"{"choices":[{"delta":{"content":"a"}}],"usage":null}"#, r#"{"choices":[{"delta":{"content":"a"}}]}"#),
        (
            r#"{ "usage" : null , "choices":[{"delta":{"content":"b"}}]}"#,
            r#"{  "choices":[{"delta":{"content":"b"}}]}"#,
        ),
        (r#"{"id":1, "usage": null, "choices":[{}]}"#, r#"{"id":1, "choices":[{}]}"#),
        (
            r#"{"choices":[{"delta":{"content":"usage: \"usage\":null"}}]}"#,
            r#"{"choices":[{"delta":{"content":"usage: \"usage\":null"}}]}"#,
        ),
        (r#"{"usage":null}"#, "{}"),
    ] {
        assert_eq!(event(&mut stream, sent), Some(format!("data: {seen}\n\n")));
    }
    let extra = r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}"#;
    assert_eq!(event(&mut stream, extra), None);
    assert_eq!(total(&stream), Some(7));
    let mut shown: Vec<Bytes> = Vec::new();
    for piece in [format!("data: {extra}\r\n\r").as_bytes(), b"\n"] {
        stream.feed(piece, &mut shown);
    }
    assert!(shown.is_empty(), "a late LF belongs to what was taken out");
}

#[test]
fn a_report_before_most_of_the_text_counts_no_more_than_the_text() {
    let first =
        r#"{"choices":[{"delta":{"content":"a"}}],"usage":{"prompt_tokens":5,"completion_tokens":1,"total_tokens":6}}"#;
    let mut stream = EventStream::new(any(ReplyKind::Chat), false);
    event(&mut stream, first);
    let piece = format!(r#"{{"choices":[{{"delta":{{"content":"{}"}}}}]}}"#, "x".repeat(1_000));
    for _ in 0..10 {
        event(&mut stream, &piece);
    }
    event(&mut stream, r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#);
    let usage = stream.progress.usage(40).expect("known");
    assert!(usage.prompt == 5 && usage.completion >= 2_400, "{usage:?}");
    event(&mut stream, r#"{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":9,"total_tokens":14}}"#);
    assert_eq!(total(&stream), Some(14), "a report at the end counts all");
}

#[test]
fn the_first_failure_decides_however_the_bytes_are_cut() {
    let (word, error) = (r#"{"choices":[{"delta":{"content":"a"}}]}"#, r#"{"error":{"code":429}}"#);
    for (events, shown) in [([error, word, "[DONE]"], 1), ([word, error, "[DONE]"], 2), ([word, "[DONE]", error], 3)] {
        let text: Vec<String> = events.iter().map(|event| format!("data: {event}\r\n\r\n")).collect();
        let seen = text.iter().take(shown).cloned().collect::<String>();
        let text = text.concat();
        for (i, j) in (0..=text.len()).flat_map(|i| (i..=text.len()).map(move |j| (i, j))) {
            let mut stream = EventStream::new(any(ReplyKind::Chat), true);
            let mut out: Vec<Bytes> = Vec::new();
            for piece in [&text[..i], &text[i..j], &text[j..]] {
                stream.feed(piece.as_bytes(), &mut out);
            }
            out.extend(stream.finish());
            let progress = &stream.progress;
            let status = progress.failed().map(|failed| failed.failure.status);
            let wanted = (shown > 1, shown == 3, (shown < 3).then_some(Some(429)));
            assert_eq!((progress.began(), progress.closed(), status), wanted, "{events:?}, cut at {i} and {j}");
            assert_eq!(out.concat(), seen.as_bytes(), "{events:?}, cut at {i} and {j}");
        }
    }
}

#[test]
fn an_event_that_is_no_text_is_not_taken_out_for_its_usage() {
    let mut stream = EventStream::new(any(ReplyKind::Chat), true);
    let odd = Bytes::from_static(b"data: {\"error\":{\"\xe3ode\":500},\"usage\":{\"prompt_tokens\":3}}\n\n");
    let mut shown: Vec<Bytes> = Vec::new();
    stream.feed(&odd, &mut shown);
    assert_eq!(shown, [odd]);
}

#[test]
fn a_choice_that_is_an_empty_list_is_no_lack_of_choices() {
    let odd = r#"{"choices":[[]],"usage":{"prompt_tokens":3}}"#;
    assert!(event(&mut EventStream::new(any(ReplyKind::Chat), true), odd).is_some());
}

#[test]
fn usage_that_the_client_asked_for_stays() {
    let mut stream = EventStream::new(any(ReplyKind::Chat), false);
    let extra = r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#;
    assert_eq!(event(&mut stream, extra), Some(format!("data: {extra}\n\n")));
    assert_eq!(total(&stream), Some(7));
}

#[test]
fn the_last_usage_wins_and_a_responses_stream_tells_it_inside() {
    let mut stream = EventStream::new(any(ReplyKind::Chat), true);
    event(&mut stream, r#"{"choices":[{"delta":{"content":"a"}}],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#);
    event(&mut stream, r#"{"choices":[{"delta":{"content":"b"}}],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#);
    assert_eq!(total(&stream), Some(3));
    let mut stream = EventStream::new(any(ReplyKind::Responses), false);
    let done =
        r#"{"type":"response.completed","response":{"usage":{"input_tokens":5,"output_tokens":6,"total_tokens":11}}}"#;
    event(&mut stream, done);
    assert_eq!(total(&stream), Some(11));
    assert!(stream.progress.is_whole());
}

#[test]
fn a_stream_is_whole_with_an_end_mark_only() {
    let mut stream = EventStream::new(any(ReplyKind::Chat), false);
    event(&mut stream, r#"{"choices":[{"delta":{"content":"say \"finish_reason\":\"stop\""},"finish_reason":null}]}"#);
    assert!(!stream.progress.is_whole(), "words in the text end nothing");
    event(&mut stream, r#"{"choices":[{"delta":{},"finish_reason": "stop"}]}"#);
    assert!(stream.progress.is_whole(), "some upstreams send no [DONE]");
    let mut stream = EventStream::new(any(ReplyKind::Chat), false);
    event(&mut stream, r#"{"choices":[{"delta":{"content":"a"}}]}"#);
    event(&mut stream, "[DONE]");
    assert!(stream.progress.is_whole());
}

#[test]
fn an_error_in_any_words_is_one_and_is_not_taken_out_for_the_usage_beside_it() {
    let word = r#"{"choices":[{"delta":{"content":"a"}}]}"#;
    let failed = r#"{"type":"response.failed","response":{"status":"failed"},"usage":{"total_tokens":7}}"#;
    for (kind, begun, error) in [
        (ReplyKind::Chat, word, r#"{"error":{"code":500},"usage":{"prompt_tokens":3}}"#),
        (ReplyKind::Chat, word, r#"{"type":"error","choices":[],"usage":{}}"#),
        (ReplyKind::Chat, word, failed),
        (ReplyKind::Responses, r#"{"type":"response.output_text.delta","delta":"a"}"#, failed),
    ] {
        let mut stream = EventStream::new(any(kind), true);
        event(&mut stream, begun);
        assert_eq!(event(&mut stream, error), Some(format!("data: {error}\n\n")));
        assert!(stream.progress.failed().is_some());
    }
}

#[test]
fn our_wish_for_usage_shows_in_no_chunk() {
    let mut stream = EventStream::new(any(ReplyKind::Chat), true);
    let choices = r#""choices":[{"delta":{"content":"a"}}]"#;
    for usage in ["null", r#"{"prompt_tokens":5,"completion_tokens":1,"total_tokens":6}"#, "{}", "7"].repeat(8) {
        for sent in [format!(r#"{{{choices},"usage":{usage}}}"#), format!(r#"{{"usage":{usage},{choices}}}"#)] {
            assert_eq!(event(&mut stream, &sent), Some(format!("data: {{{choices}}}\n\n")));
        }
    }
    let last = r#"{"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":8,"total_tokens":13}}"#;
    assert_eq!(
        event(&mut stream, last),
        Some("data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n".into())
    );
    assert_eq!(total(&stream), Some(13));
}

#[test]
fn a_stream_whose_usage_is_zero_is_estimated_by_its_text() {
    let zeros = r#""usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}"#;
    for text in ["word", &"word".repeat(10), &"word".repeat(200)] {
        for each in [true, false] {
            let mut stream = EventStream::new(any(ReplyKind::Chat), false);
            event(&mut stream, r#"{"choices":[{"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#);
            let usage = if each { format!(",{zeros}") } else { String::new() };
            let word = format!(r#"{{"choices":[{{"delta":{{"content":"{text}"}},"finish_reason":null}}]{usage}}}"#);
            (0..50).for_each(|_| drop(event(&mut stream, &word)));
            event(&mut stream, &format!(r#"{{"choices":[{{"delta":{{}},"finish_reason":"stop"}}],{zeros}}}"#));
            let usage = stream.progress.usage(40).expect("estimated");
            let tokens = 50 * text.len() as u64 / 4;
            assert!((tokens..=tokens + 5).contains(&usage.completion), "{} of {tokens}", usage.completion);
            assert_eq!((usage.prompt, usage.source), (10, UsageSource::Estimated));
        }
    }
    let mut stream = EventStream::new(any(ReplyKind::Responses), false);
    let text = "word".repeat(20);
    let delta = format!(r#"{{"type":"response.output_text.delta","sequence_number":10,"delta":"{text}"}}"#);
    (0..50).for_each(|_| drop(event(&mut stream, &delta)));
    event(&mut stream, &format!(r#"{{"type":"response.output_text.done","text":"{}"}}"#, text.repeat(50)));
    let zeros = r#"{"input_tokens":0,"output_tokens":0,"total_tokens":0}"#;
    event(&mut stream, &format!(r#"{{"type":"response.completed","response":{{"usage":{zeros}}}}}"#));
    let usage = stream.progress.usage(40).expect("estimated");
    assert!((950..=1_050).contains(&usage.completion), "each text counts once: {}", usage.completion);
}

#[test]
fn a_reason_that_means_nothing_ends_nothing() {
    for reason in [r#""""#, r#""null""#, "null", r#""none""#] {
        let mut stream = EventStream::new(any(ReplyKind::Chat), false);
        let delta =
            |text: &str| format!(r#"{{"choices":[{{"delta":{{"content":"{text}"}},"finish_reason":{reason}}}]}}"#);
        event(&mut stream, &delta(""));
        assert!(!stream.progress.began(), "{reason}");
        (0..9).for_each(|_| drop(event(&mut stream, &delta("a"))));
        assert!(stream.progress.began() && !stream.progress.is_whole(), "{reason}");
    }
}

#[test]
fn an_end_with_an_error_is_a_failure_before_and_behind_content() {
    let end = r#"{"choices":[{"delta":{},"finish_reason":"error"}]}"#;
    let mut stream = EventStream::new(any(ReplyKind::Chat), false);
    event(&mut stream, end);
    assert!(stream.progress.failed().is_some() && !stream.progress.began());
    let mut stream = EventStream::new(any(ReplyKind::Chat), false);
    (0..9).for_each(|_| drop(event(&mut stream, r#"{"choices":[{"delta":{"content":"a"},"finish_reason":null}]}"#)));
    assert!(event(&mut stream, end).is_some(), "the client sees it");
    assert!(stream.progress.failed().is_some_and(|failed| !failed.is_plain), "and is told besides");
}

#[test]
fn an_event_that_is_cut_is_a_failure_that_no_client_sees() {
    let cut = r#"{"choices":[{"delta":{"cont"#;
    for before in [0, 9] {
        let mut stream = EventStream::new(any(ReplyKind::Chat), false);
        (0..before).for_each(|_| drop(event(&mut stream, r#"{"choices":[{"delta":{"content":"a"}}]}"#)));
        assert_eq!(event(&mut stream, cut), None, "behind {before} events");
        let failed = stream.progress.failed().expect("a failure");
        assert_eq!(failed.failure.class, crate::types::FailureClass::Protocol);
    }
}

#[test]
fn a_client_that_hangs_up_behind_the_end_has_its_answer() {
    let word = r#"{"choices":[{"delta":{"content":"a"}}]}"#;
    let stop = r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#;
    let usage = r#"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#;
    let completed = r#"{"type":"response.completed","response":{}}"#;
    for (kind, events, wanted) in [
        (ReplyKind::Chat, &[word][..], false),
        (ReplyKind::Chat, &[word, stop], false),
        (ReplyKind::Chat, &[word, usage], false),
        (ReplyKind::Chat, &[word, stop, usage], true),
        (ReplyKind::Chat, &[word, "[DONE]"], true),
        (ReplyKind::Responses, &[r#"{"type":"response.output_text.delta","delta":"a"}"#], false),
        (ReplyKind::Responses, &[completed], true),
    ] {
        let mut stream = EventStream::new(any(kind), true);
        events.iter().for_each(|json| drop(event(&mut stream, json)));
        assert_eq!(stream.progress.has_answered(), wanted, "{events:?}");
    }
}

#[test]
fn a_byte_order_mark_is_left_out_however_it_is_cut() {
    let text = b"\xef\xbb\xbfdata: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: [DONE]\n\n";
    for size in [1, 2, 3, 4, 1_000] {
        let mut stream = EventStream::new(any(ReplyKind::Chat), false);
        let mut shown: Vec<Bytes> = Vec::new();
        text.chunks(size).for_each(|chunk| stream.feed(chunk, &mut shown));
        assert_eq!(shown.concat(), text[3..], "in pieces of {size}");
        assert!(stream.progress.began() && stream.progress.closed());
    }
}

#[test]
fn events_that_come_together_leave_together_without_a_key_and_without_usage() {
    let key = ApiKey::new("sk-0123456789");
    let word =
        |text: &str| format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}}}}],\"usage\":null}}\n\n");
    let text = [word("a"), word("b"), word("my key is sk-0123456789"), word("c"), word("d")].concat();
    let mut stream = EventStream::new(any(ReplyKind::Chat), true).of_upstream("m", Bytes::new(), key);
    let mut shown: Vec<Bytes> = Vec::new();
    stream.feed(text.as_bytes(), &mut shown);
    let wanted = text.replace(",\"usage\":null", "").replace("sk-0123456789", "***");
    assert_eq!(String::from_utf8(shown.concat()).expect("UTF-8"), wanted);
    assert_eq!(shown.len(), 3, "before the key, with it, and behind it");
}
