//! JSON beyond the standard that clients read all the same. JavaScript, Python or their HTTP libraries accept halves of
//! surrogate pairs, `NaN` and `Infinity`, members that stand there twice, bytes that are no UTF-8, and NULs behind the end.
//! Only what the strict parser refused comes here.

use serde::de::IgnoredAny;
use serde_json::Value;

/// Returns an object in strict JSON, if clients can read the object. Cut JSON has no such form.
pub(crate) fn repaired(json: &[u8]) -> Option<String> {
    let json = trimmed(json);
    if !json.starts_with(b"{") || !json.ends_with(b"}") {
        return None;
    }
    let strict = strict(&String::from_utf8_lossy(json));
    match serde_json::from_str::<Value>(&strict) {
        // Of members with the same name, the last one counts.
        Ok(value) => Some(value.to_string()),
        // A number beyond all bounds, or too many brackets.
        Err(_) => serde_json::from_str::<IgnoredAny>(&strict).is_ok().then_some(strict),
    }
}

/// Returns JSON without the white space and NULs around.
fn trimmed(json: &[u8]) -> &[u8] {
    let is_nothing = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0;
    let start = json.iter().position(|byte| !is_nothing(byte)).unwrap_or(json.len());
    let end = json.iter().rposition(|byte| !is_nothing(byte)).map_or(start, |last| last + 1);
    json.get(start..end).unwrap_or_default()
}

/// Returns JSON with U+FFFD for halves of surrogate pairs, and null for what is no number.
fn strict(json: &str) -> String {
    let mut strict = String::with_capacity(json.len());
    let mut rest = json;
    let mut is_in_string = false;
    while let Some(next) = rest.chars().next() {
        let (length, instead) = match next {
            '\\' if is_in_string => escape(rest),
            'N' | 'I' | '-' if !is_in_string => not_a_number(rest),
            _ => (next.len_utf8(), None),
        };
        is_in_string ^= next == '"';
        let (piece, behind) = rest.split_at(length);
        strict.push_str(instead.unwrap_or(piece));
        rest = behind;
    }
    strict
}

/// Returns the length of the escape sequence at the beginning, and what to write instead.
fn escape(json: &str) -> (usize, Option<&'static str>) {
    match (code_unit(json), code_unit(json.get(6..).unwrap_or_default())) {
        (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => (12, None),
        (Some(0xD800..=0xDFFF), _) => (6, Some("\\ufffd")),
        _ => (1 + json.chars().nth(1).map_or(0, char::len_utf8), None),
    }
}

/// Reads an escape sequence of the form `\uXXXX`.
fn code_unit(json: &str) -> Option<u16> {
    u16::from_str_radix(json.strip_prefix("\\u")?.get(..4)?, 16).ok()
}

fn not_a_number(json: &str) -> (usize, Option<&'static str>) {
    let word = ["NaN", "Infinity", "-Infinity"].into_iter().find(|word| json.starts_with(word));
    word.map_or((1, None), |word| (word.len(), Some("null")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_can_read_has_a_strict_form() {
        for (json, wanted) in [
            (&br#"{"a":"x\ud83d"}"#[..], "{\"a\":\"x\u{fffd}\"}"),
            (br#"{"a":"\ude00\\ud83d\ud83d\ude00"}"#, "{\"a\":\"\u{fffd}\\\\ud83d\u{1f600}\"}"),
            (br#"{"a":[NaN,-Infinity,Infinity,-1],"b":"NaN \" NaN"}"#, r#"{"a":[null,null,null,-1],"b":"NaN \" NaN"}"#),
            (b"{\"a\":\"\xff\"}\n\0\0", "{\"a\":\"\u{fffd}\"}"),
            (br#"{"a":1,"a":2}"#, r#"{"a":2}"#),
            (br#"{"a":1e999}"#, r#"{"a":1e999}"#),
        ] {
            assert_eq!(repaired(json).as_deref(), Some(wanted), "{}", json.escape_ascii());
        }
        let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(500), "]".repeat(500));
        assert_eq!(repaired(deep.as_bytes()), Some(deep));
    }

    #[test]
    fn what_is_cut_or_no_json_has_none() {
        for json in [
            &br#"{"a":"x"#[..],
            br#"{"a":{}"#,
            br#"{"a":"}"#,
            b"{'a':1}",
            b"{}{}",
            b"[1]",
            b"",
            b"\0",
            br#"{"a":"\u12}"#,
        ] {
            assert_eq!(repaired(json), None, "{}", json.escape_ascii());
        }
    }
}
