//! What a stream's events mean, and what the client sees of them, however the bytes are cut.

use super::*;

fn event(meter: &mut Meter, json: &str) -> Option<String> {
    let shown = meter.event(Bytes::from(format!("data: {json}\n\n")));
    shown.map(|bytes| String::from_utf8(bytes.to_vec()).expect("UTF-8"))
}

#[test]
fn usage_that_only_the_proxy_asked_for_is_taken_out_to_the_byte() {
    let mut meter = Meter::new(Operation::ChatCompletions, true);
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
        assert_eq!(event(&mut meter, sent), Some(format!("data: {seen}\n\n")));
    }
    let extra = r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}"#;
    assert_eq!(event(&mut meter, extra), None);
    assert_eq!(meter.usage(0).map(|u| u.total), Some(7));
    assert_eq!(meter.late_lf(Bytes::from_static(b"\n")), None, "it belongs to what was taken out");
}

#[test]
fn an_error_that_tells_a_usage_too_is_not_taken_out_with_it() {
    for error in
        [r#"{"error":{"code":500},"usage":{"prompt_tokens":3}}"#, r#"{"type":"error","choices":[],"usage":{}}"#]
    {
        let mut meter = Meter::new(Operation::ChatCompletions, true);
        event(&mut meter, r#"{"choices":[{"delta":{"content":"a"}}]}"#);
        assert_eq!(event(&mut meter, error), Some(format!("data: {error}\n\n")));
        assert!(meter.failed().is_some());
    }
}

#[test]
fn the_first_failure_decides_however_the_bytes_are_cut() {
    let (word, error) = (r#"{"choices":[{"delta":{"content":"a"}}]}"#, r#"{"error":{"code":429}}"#);
    for (events, shown) in [([error, word, "[DONE]"], 1), ([word, error, "[DONE]"], 2), ([word, "[DONE]", error], 3)] {
        let text: Vec<String> = events.iter().map(|event| format!("data: {event}\r\n\r\n")).collect();
        let seen = text.iter().take(shown).cloned().collect::<String>();
        let text = text.concat();
        for (i, j) in (0..=text.len()).flat_map(|i| (i..=text.len()).map(move |j| (i, j))) {
            let mut stream = EventStream::new(Operation::ChatCompletions, true);
            let mut out: Vec<Bytes> = Vec::new();
            for piece in [&text[..i], &text[i..j], &text[j..]] {
                stream.feed(piece.as_bytes(), &mut out);
            }
            out.extend(stream.finish());
            let meter = &stream.meter;
            let told = meter.failed().map(|fault| fault.failure.status);
            let wanted = (shown > 1, shown == 3, (shown < 3).then_some(Some(429)));
            assert_eq!((meter.began(), meter.done(), told), wanted, "{events:?}, cut at {i} and {j}");
            assert_eq!(out.concat(), seen.as_bytes(), "{events:?}, cut at {i} and {j}");
        }
    }
}

#[test]
fn an_event_that_is_no_text_is_not_taken_out_for_its_usage() {
    let mut meter = Meter::new(Operation::ChatCompletions, true);
    let odd = Bytes::from_static(b"data: {\"error\":{\"\xe3ode\":500},\"usage\":{\"prompt_tokens\":3}}\n\n");
    assert_eq!(meter.event(odd.clone()), Some(odd));
}

#[test]
fn a_choice_that_is_an_empty_list_is_no_lack_of_choices() {
    let odd = r#"{"choices":[[]],"usage":{"prompt_tokens":3}}"#;
    assert!(event(&mut Meter::new(Operation::ChatCompletions, true), odd).is_some());
}

#[test]
fn usage_that_the_client_asked_for_stays() {
    let mut meter = Meter::new(Operation::ChatCompletions, false);
    let extra = r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#;
    assert_eq!(event(&mut meter, extra), Some(format!("data: {extra}\n\n")));
    assert_eq!(meter.usage(0).map(|u| u.total), Some(7));
}

#[test]
fn the_last_usage_wins_and_a_responses_stream_tells_it_inside() {
    let mut meter = Meter::new(Operation::ChatCompletions, true);
    event(&mut meter, r#"{"choices":[{"delta":{"content":"a"}}],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#);
    event(&mut meter, r#"{"choices":[{"delta":{"content":"b"}}],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#);
    assert_eq!(meter.usage(0).map(|u| u.total), Some(3));
    let mut meter = Meter::new(Operation::Responses, false);
    let done =
        r#"{"type":"response.completed","response":{"usage":{"input_tokens":5,"output_tokens":6,"total_tokens":11}}}"#;
    event(&mut meter, done);
    assert_eq!(meter.usage(0).map(|u| u.total), Some(11));
    assert!(meter.is_whole());
}

#[test]
fn a_stream_is_whole_with_an_end_mark_only() {
    let mut meter = Meter::new(Operation::ChatCompletions, false);
    event(&mut meter, r#"{"choices":[{"delta":{"content":"say \"finish_reason\":\"stop\""},"finish_reason":null}]}"#);
    assert!(!meter.is_whole(), "words in the text end nothing");
    event(&mut meter, r#"{"choices":[{"delta":{},"finish_reason": "stop"}]}"#);
    assert!(meter.is_whole(), "some upstreams send no [DONE]");
    let mut meter = Meter::new(Operation::ChatCompletions, false);
    event(&mut meter, r#"{"choices":[{"delta":{"content":"a"}}]}"#);
    event(&mut meter, "[DONE]");
    assert!(meter.is_whole());
}

#[test]
fn a_failure_in_other_words_than_error_is_one_in_the_middle_of_a_stream_too() {
    let failed = r#"{"type":"response.failed","response":{"status":"failed"},"usage":{"total_tokens":7}}"#;
    let mut meter = Meter::new(Operation::Responses, false);
    event(&mut meter, r#"{"type":"response.output_text.delta","delta":"a"}"#);
    assert!(event(&mut meter, failed).is_some() && meter.failed().is_some());
    let mut meter = Meter::new(Operation::ChatCompletions, true);
    event(&mut meter, r#"{"choices":[{"delta":{"content":"a"}}]}"#);
    assert!(event(&mut meter, failed).is_some(), "of an error nothing is taken out for the usage beside it");
}
