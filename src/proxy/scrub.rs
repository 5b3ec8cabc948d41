//! Takes an upstream's key out of what it says: some quote it in their errors.

use std::ops::Range;

use actix_web::web::Bytes;
use memchr::memmem::Finder;

use crate::config::ApiKey;

/// What stands in the key's place.
const MASK: &[u8] = b"***";

/// What is shorter is no secret: upstreams that need no key are given any text, and theirs may stand in any word.
const SHORTEST_SECRET: usize = 8;

/// The key, if it is one that nobody may see.
pub(super) fn secret(key: &ApiKey) -> Option<&str> {
    Some(key.expose()).filter(|key| key.len() >= SHORTEST_SECRET)
}

/// Finds a key in texts that are no errors: as it is, for these are many.
#[derive(Debug)]
pub(super) struct Watch {
    key: ApiKey,
    finder: Option<Finder<'static>>,
}

impl Watch {
    pub(super) fn new(key: ApiKey) -> Self {
        let finder = secret(&key).map(|key| Finder::new(key).into_owned());
        Watch { key, finder }
    }

    /// The text without the key.
    pub(super) fn passed(&self, text: Bytes) -> Bytes {
        match self.finder.as_ref().is_some_and(|finder| finder.find(&text).is_some()) {
            true => scrubbed(text, &self.key),
            false => text,
        }
    }

    /// An error without it, however it is written.
    pub(super) fn scrubbed(&self, error: Bytes) -> Bytes {
        scrubbed(error, &self.key)
    }
}

/// The text without the key, as it is or with characters of it escaped as JSON allows.
pub(super) fn scrubbed(text: Bytes, key: &ApiKey) -> Bytes {
    let Some(key) = secret(key) else { return text };
    let (mut clean, mut rest) = (Vec::new(), &*text);
    while let Some(at) = find(rest, key) {
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

/// Does a text hold this word (in lower case), in whatever case, with characters of it escaped as JSON allows or not?
pub(super) fn says(text: &[u8], word: &str) -> bool {
    let Some(first) = word.bytes().next() else { return true };
    memchr::memchr3_iter(first, first.to_ascii_uppercase(), b'\\', text)
        .any(|at| text.get(at..).is_some_and(|text| without(text, word.as_bytes(), u8::eq_ignore_ascii_case).is_some()))
}

/// Where a word stands in a text, however it is written.
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

/// What follows the word, if `text` begins with it.
fn without<'a>(text: &'a [u8], word: &[u8], is: impl Fn(&u8, &u8) -> bool) -> Option<&'a [u8]> {
    word.iter().try_fold(text, |rest, wanted| {
        let (character, after) = character(rest)?;
        is(&character, wanted).then_some(after)
    })
}

/// The first character, if it is one that a key or a name may have.
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
        for (told, seen) in [
            (r"nothing \u0073 of \ it", r"nothing \u0073 of \ it"),
            ("a sk-a/b\"c b", "a *** b"),
            (r#"{"m":"bad key sk-a\/b\"c, sk-a\/b\"c"}"#, r#"{"m":"bad key ***, ***"}"#),
            (r#"\u0073\u006B\u002da/b\u0022c"#, "***"),
            (r"sk-a/b\u0022", r"sk-a/b\u0022"),
            (r"sk-a/b\u00", r"sk-a/b\u00"),
        ] {
            let bytes = scrubbed(Bytes::copy_from_slice(told.as_bytes()), &key);
            assert_eq!(String::from_utf8_lossy(&bytes), seen, "{told}");
        }
        let told = Bytes::from_static(b"max_tokens");
        assert_eq!(scrubbed(told.clone(), &ApiKey::new("x")), told, "any text will do as a key");
    }
}
