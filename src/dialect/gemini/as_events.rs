//! A whole answer as a stream, for a client of a stream whose upstream sent one JSON text: each piece of a list is an event, and one
//! object is the only event.

use actix_web::web::Bytes;
use serde_json::value::RawValue;

use crate::dialect::first_bytes::without_byte_order_mark;
use crate::dialect::reply_kind::ReplyKind;

/// Returns the events of a generation; `None` if there is no such form.
pub(super) fn events_of(kind: ReplyKind, answer: &[u8]) -> Option<Bytes> {
    if kind != ReplyKind::Generation {
        return None;
    }
    let answer = without_byte_order_mark(answer).trim_ascii();
    let pieces: Vec<&RawValue> = match answer.first() {
        Some(b'[') => serde_json::from_slice(answer).ok()?,
        _ => vec![serde_json::from_slice(answer).ok()?],
    };
    let mut text = String::with_capacity(answer.len());
    for piece in pieces {
        text.push_str("data: ");
        // Outside of strings, a line end means nothing in JSON. Within one there is none.
        text.extend(piece.get().chars().filter(|c| !matches!(c, '\r' | '\n')));
        text.push_str("\n\n");
    }
    Some(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_piece_of_a_list_is_an_event_and_one_object_is_the_only_one() {
        let events = |answer: &str| events_of(ReplyKind::Generation, answer.as_bytes());
        for (answer, wanted) in [
            (r#"{"candidates":[{"a":1.0}]}"#, "data: {\"candidates\":[{\"a\":1.0}]}\n\n"),
            ("\u{feff}[{\n  \"a\": 1\n}\n,\r\n{\"b\":\"\\n\"}\n]\n", "data: {  \"a\": 1}\n\ndata: {\"b\":\"\\n\"}\n\n"),
        ] {
            assert_eq!(events(answer).as_deref(), Some(wanted.as_bytes()), "{answer}");
        }
        assert_eq!(events("[{"), None);
        assert_eq!(events_of(ReplyKind::Json, br#"{"totalTokens":3}"#), None);
    }
}
