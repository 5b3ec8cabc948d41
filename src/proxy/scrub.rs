//! Takes an upstream's key out of what it says: some quote it in their errors.

use actix_web::web::Bytes;

/// What stands in the key's place.
const MASK: &[u8] = b"***";

/// The text without the key, as it is or with characters of it escaped as JSON allows.
pub(super) fn scrubbed(text: Bytes, key: &str) -> Bytes {
    let holds_escapes = memchr::memchr(b'\\', &text).is_some();
    if key.is_empty() || (!holds_escapes && memchr::memmem::find(&text, key.as_bytes()).is_none()) {
        return text;
    }
    let mut clean = Vec::with_capacity(text.len());
    let mut rest: &[u8] = &text;
    while let Some((first, behind)) = rest.split_first() {
        match without(rest, key.as_bytes()) {
            Some(after) => {
                clean.extend_from_slice(MASK);
                rest = after;
            }
            None => {
                clean.push(*first);
                rest = behind;
            }
        }
    }
    clean.into()
}

/// What follows the key, if `text` begins with it.
fn without<'a>(text: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    key.iter().try_fold(text, |rest, wanted| {
        let (character, after) = character(rest)?;
        (character == *wanted).then_some(after)
    })
}

/// The first character, if it is one that a key may have.
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
        let key = "sk-a/b\"c";
        for (told, seen) in [
            (r"nothing \u0073 of \ it", r"nothing \u0073 of \ it"),
            ("a sk-a/b\"c b", "a *** b"),
            (r#"{"m":"bad key sk-a\/b\"c, sk-a\/b\"c"}"#, r#"{"m":"bad key ***, ***"}"#),
            (r#"\u0073\u006B\u002da/b\u0022c"#, "***"),
            (r"sk-a/b\u0022", r"sk-a/b\u0022"),
            (r"sk-a/b\u00", r"sk-a/b\u00"),
        ] {
            let bytes = scrubbed(Bytes::copy_from_slice(told.as_bytes()), key);
            assert_eq!(String::from_utf8_lossy(&bytes), seen, "{told}");
        }
    }
}
