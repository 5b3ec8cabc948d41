//! Takes an upstream's secrets out of texts from the upstream: some quote their keys in errors, and some all headers.

use std::ops::Range;

use actix_web::web::Bytes;

use crate::config::ApiKey;

/// What stands in the key's place.
const MASK: &[u8] = b"***";

/// Returns the text without the key, plain or with JSON's escapes.
pub(crate) fn redacted(text: Bytes, key: &ApiKey) -> Bytes {
    let is_escaped = memchr::memchr(b'\\', &text).is_some();
    if !key.is_secret() || !is_escaped && key.find_in(&text).is_none() {
        return text;
    }
    let (mut clean, mut rest) = (Vec::new(), &*text);
    while let Some(at) = find(rest, key.expose()) {
        clean.extend_from_slice(rest.get(..at.start).unwrap_or_default());
        clean.extend_from_slice(MASK);
        rest = rest.get(at.end..).unwrap_or_default();
    }
    if clean.is_empty() {
        return text;
    }
    clean.extend_from_slice(rest);
    clean.into()
}

/// Returns an error without the key, and without the values of the fixed headers. These stay in answers: such a value may be a
/// word like any other.
pub(crate) fn redacted_error(text: Bytes, key: &ApiKey) -> Bytes {
    key.beside().iter().fold(redacted(text, key), redacted)
}

/// Returns whether a text contains this word, plain or with JSON's escapes.
pub(crate) fn contains(text: &[u8], word: &str) -> bool {
    find(text, word).is_some()
}

/// Returns the same for a word in lower case, whatever case the text has.
pub(crate) fn contains_ignore_case(text: &[u8], word: &str) -> bool {
    let Some(first) = word.bytes().next() else { return true };
    memchr::memchr3_iter(first, first.to_ascii_uppercase(), b'\\', text)
        .any(|at| text.get(at..).is_some_and(|text| without(text, word.as_bytes(), u8::eq_ignore_ascii_case).is_some()))
}

/// Returns where a word stands in a text, plain or with JSON's escapes.
fn find(text: &[u8], word: &str) -> Option<Range<usize>> {
    if memchr::memchr(b'\\', text).is_none() {
        return memchr::memmem::find(text, word.as_bytes()).map(|at| at..at + word.len());
    }
    let first = word.bytes().next()?;
    memchr::memchr2_iter(first, b'\\', text).find_map(|at| {
        let behind = without(text.get(at..)?, word.as_bytes(), u8::eq)?;
        Some(at..text.len() - behind.len())
    })
}

/// Returns the text behind the word, if `text` begins with the word.
fn without<'a>(text: &'a [u8], word: &[u8], is: impl Fn(&u8, &u8) -> bool) -> Option<&'a [u8]> {
    word.iter().try_fold(text, |rest, wanted| {
        let (character, after) = character(rest)?;
        is(&character, wanted).then_some(after)
    })
}

/// Returns the first character, if a key or a name may have such a one, and the text behind.
fn character(text: &[u8]) -> Option<(u8, &[u8])> {
    match text {
        [b'\\', b'u', b'0', b'0', rest @ ..] => {
            let (digits, after) = rest.split_at_checked(2)?;
            Some((u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?, after))
        }
        [b'\\', escaped @ (b'"' | b'\\' | b'/'), after @ ..] => Some((*escaped, after)),
        [plain, after @ ..] => Some((*plain, after)),
        [] => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_however_it_is_written() {
        let key = ApiKey::new("sk-a/b\"c");
        for (text, seen) in [
            (r"nothing \u0073 of \ it", r"nothing \u0073 of \ it"),
            ("a sk-a/b\"c b", "a *** b"),
            (r#"{"m":"bad key sk-a\/b\"c, sk-a\/b\"c"}"#, r#"{"m":"bad key ***, ***"}"#),
            (r#"\u0073\u006B\u002da/b\u0022c"#, "***"),
            (r"sk-a/b\u0022", r"sk-a/b\u0022"),
            (r"sk-a/b\u00", r"sk-a/b\u00"),
        ] {
            let bytes = redacted(Bytes::copy_from_slice(text.as_bytes()), &key);
            assert_eq!(String::from_utf8_lossy(&bytes), seen, "{text}");
        }
        let text = Bytes::from_static(b"max_tokens");
        assert_eq!(redacted(text.clone(), &ApiKey::new("x")), text, "any text will do as a key");
    }
}
