//! The asked name in place of the upstream's in an answer: in `model`, at the top or within `response` or `message`, or in Gemini's
//! `modelVersion`.

use std::ops::Range;

use actix_web::web::Bytes;

/// Returns an object, or an event with one, with this name as its model. Without a `model` nothing changes.
pub(crate) fn with_model(bytes: Bytes, asked: &str) -> Bytes {
    let (Some(at), Ok(name)) = (model_at(&bytes), serde_json::to_string(asked)) else { return bytes };
    let (Some(before), Some(behind)) = (bytes.get(..at.start), bytes.get(at.end..)) else { return bytes };
    [before, name.as_bytes(), behind].concat().into()
}

/// Returns where the name of the model stands, with its quotes.
fn model_at(bytes: &[u8]) -> Option<Range<usize>> {
    let mut at = memchr::memchr(b'{', bytes)?;
    let mut depth = 0_usize;
    // The depth of an object in which a model may stand, beside the outermost one.
    let mut inner: Option<usize> = None;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                inner = inner.filter(|inner| *inner <= depth);
            }
            b'"' => {
                let end = end_of_string(bytes, at)?;
                let text = bytes.get(at + 1..end - 1)?;
                let is_open = depth == 1 || inner == Some(depth);
                if let Some(value) = value_behind(bytes, end).filter(|_| is_open) {
                    match (text, bytes.get(value)?) {
                        (b"model" | b"modelVersion", b'"') => return Some(value..end_of_string(bytes, value)?),
                        (b"response" | b"message", b'{') if depth == 1 => inner = Some(2),
                        _ => {}
                    }
                }
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// Returns the place behind a string that begins at `at`.
fn end_of_string(bytes: &[u8], at: usize) -> Option<usize> {
    let mut next = at + 1;
    loop {
        let found = next + memchr::memchr2(b'"', b'\\', bytes.get(next..)?)?;
        match bytes.get(found)? {
            b'"' => return Some(found + 1),
            _ => next = found + 2,
        }
    }
}

/// Returns where the value of a member begins whose name ends before `at`; `None` if no colon follows.
fn value_behind(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at..)?;
    let value = rest.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
    Some(at + rest.len() - value.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_asked_name_takes_the_place_of_the_upstreams() {
        for (before, after) in [
            (r#"{"id":"x","model":"a","choices":[]}"#, r#"{"id":"x","model":"as\"ked","choices":[]}"#),
            (
                r#"{"choices":[{"model":"no"}], "model" : "a\"b" }"#,
                r#"{"choices":[{"model":"no"}], "model" : "as\"ked" }"#,
            ),
            ("event: x\ndata: {\"model\":\"a\"}\n\n", "event: x\ndata: {\"model\":\"as\\\"ked\"}\n\n"),
            (
                r#"{"type":"r","response":{"id":"1","model":"a"}}"#,
                r#"{"type":"r","response":{"id":"1","model":"as\"ked"}}"#,
            ),
            (
                r#"{"message":{"x":{"model":"no"},"model":"a"}}"#,
                r#"{"message":{"x":{"model":"no"},"model":"as\"ked"}}"#,
            ),
            (r#"{"response":{},"x":{"model":"no"}}"#, r#"{"response":{},"x":{"model":"no"}}"#),
            ("\n,{\"modelVersion\":\"a\"}", "\n,{\"modelVersion\":\"as\\\"ked\"}"),
            (r#"{"candidates":[{}],"modelVersion":"a"}"#, r#"{"candidates":[{}],"modelVersion":"as\"ked"}"#),
            (r#"{"text":"\"model\":\"no\"","model":null}"#, r#"{"text":"\"model\":\"no\"","model":null}"#),
            (r#"{"model"#, r#"{"model"#),
            ("data: [DONE]\n\n", "data: [DONE]\n\n"),
            ("", ""),
        ] {
            assert_eq!(with_model(Bytes::from_static(before.as_bytes()), "as\"ked"), after.as_bytes(), "{before}");
        }
    }
}
