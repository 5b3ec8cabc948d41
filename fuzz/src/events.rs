//! Streams: however the bytes are cut, the same comes out, and what is taken out is usage alone.

use actix_web::web::Bytes;
use api_together::dialect::{EventStream, ROUTES, Route};
use api_together::proxy::fuzzing::{StreamVerdict, verdict};
use serde_json::Value;

use super::is_left_of;

/// Holds for the bytes of any stream.
pub fn holds(input: &[u8]) {
    for route in &ROUTES {
        let untouched = the_same_however_cut(input, route, false);
        let text = input.strip_prefix(b"\xef\xbb\xbf").unwrap_or(input);
        assert!(text.starts_with(&untouched.0), "nothing but a byte order mark was to be taken out");
        // Behind an error nothing more is passed on.
        assert!(untouched.0.len() == text.len() || untouched.1.failed.is_some(), "but what stands behind an error");
        if route.reply.usage_must_be_asked() {
            let stripped = the_same_however_cut(input, route, true);
            assert_eq!(stripped.1, untouched.1, "what is shown changes nothing of what is understood");
            only_usage_is_missing(&untouched.0, &stripped.0);
        }
    }
}

/// What the client sees, and what was understood.
type Read = (Vec<u8>, StreamVerdict);

fn the_same_however_cut(input: &[u8], route: &'static Route, strip: bool) -> Read {
    let whole = read(&[input], route, strip);
    let bytes: Vec<&[u8]> = input.chunks(1).collect();
    assert_eq!(read(&bytes, route, strip), whole, "byte by byte");
    for longest in [2, 5, 40] {
        let pieces = cut(input, longest);
        assert_eq!(read(&pieces, route, strip), whole, "in pieces of up to {longest}: {pieces:?}");
    }
    whole
}

fn read(pieces: &[&[u8]], route: &'static Route, strip: bool) -> Read {
    let mut stream = EventStream::new(route, strip);
    let mut shown: Vec<Bytes> = Vec::new();
    for piece in pieces {
        stream.feed(piece, &mut shown);
    }
    shown.extend(stream.finish());
    (shown.concat(), verdict(&stream))
}

/// Pieces of 1 to `longest` bytes: the same for the same input, and without a pattern.
fn cut(mut input: &[u8], longest: usize) -> Vec<&[u8]> {
    let mut state = longest as u64;
    let mut pieces = Vec::new();
    while let Some(first) = input.first() {
        state = (state ^ u64::from(*first)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        let (piece, rest) = input.split_at((1 + state as usize % longest).min(input.len()));
        pieces.push(piece);
        input = rest;
    }
    pieces
}

/// Every event of `input` is in `shown`: to the byte, without its `usage`, or not at all if it is there for its usage only.
fn only_usage_is_missing(input: &[u8], shown: &[u8]) {
    assert!(is_left_of(shown, input), "nothing is put in");
    let mut left = data_of(shown).into_iter().peekable();
    for sent in data_of(input) {
        if left.next_if(|seen| *seen == sent || is_without_usage(seen, &sent)).is_none() {
            let may_be_missing = object(&sent).is_none_or(|value| is_usage_alone(&value));
            assert!(may_be_missing, "lost: {}", String::from_utf8_lossy(&sent));
        }
    }
    assert_eq!(left.next(), None, "an event of its own making");
}

fn is_without_usage(seen: &[u8], sent: &[u8]) -> bool {
    let Some(mut whole) = object(sent) else { return is_left_of(seen, sent) };
    let usage = whole.as_object_mut().and_then(|fields| fields.shift_remove("usage"));
    usage.is_some() && object(seen) == Some(whole)
}

fn is_usage_alone(event: &Value) -> bool {
    let nothing = |field: &str| match event.get(field) {
        None | Some(Value::Null) => true,
        Some(Value::Array(items)) => items.is_empty(),
        Some(_) => false,
    };
    let error = match event.get("error") {
        Some(Value::Object(fields)) => !fields.is_empty(),
        Some(Value::String(text)) => !text.is_empty(),
        Some(_) | None => matches!(event["type"].as_str(), Some("error" | "response.failed")),
    };
    event.get("usage").is_some_and(|usage| !usage.is_null()) && nothing("choices") && !error
}

/// A JSON object, if it can be read; what isn't UTF-8 in its texts may be.
fn object(data: &[u8]) -> Option<Value> {
    serde_json::from_str::<Value>(&String::from_utf8_lossy(data)).ok().filter(Value::is_object)
}

/// The data of all events, read line by line as the standard has it; that of the last one without its blank line too.
fn data_of(stream: &[u8]) -> Vec<Vec<u8>> {
    let unix = String::from_utf8_lossy(stream).replace("\r\n", "\n").replace('\r', "\n");
    let events = unix.split("\n\n").map(|event| {
        let lines = event.split('\n').filter_map(|line| match line.split_once(':') {
            Some(("data", value)) => Some(value.strip_prefix(' ').unwrap_or(value)),
            None if line == "data" => Some(""),
            Some(_) | None => None,
        });
        lines.collect::<Vec<_>>()
    });
    events.filter(|lines| !lines.is_empty()).map(|lines| lines.join("\n").into_bytes()).collect()
}
