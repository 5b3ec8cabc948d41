//! The query of a client's URL: everything but the key goes upstream, byte for byte.

use std::borrow::Cow;

use url::form_urlencoded;

/// The names of the parameter with a key: as Google's clients send one, and as Azure's do in browsers.
const KEYS: [&str; 2] = ["key", "api-key"];

/// Returns the query for an upstream.
pub(in crate::proxy) fn without_key(query: &str) -> Cow<'_, str> {
    if !query.split('&').any(is_key) {
        return Cow::Borrowed(query);
    }
    Cow::Owned(query.split('&').filter(|part| !is_key(part)).collect::<Vec<_>>().join("&"))
}

/// Returns the key in a query, if there is one.
pub fn key_in_query(query: &str) -> Option<String> {
    let part = query.split('&').find(|part| is_key(part))?;
    form_urlencoded::parse(part.as_bytes()).next().map(|(_, value)| value.into_owned())
}

fn is_key(part: &str) -> bool {
    form_urlencoded::parse(part.as_bytes()).next().is_some_and(|(name, _)| KEYS.contains(&&*name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_keeps_each_byte_but_the_key() {
        for (typed, sent, key) in [
            ("", "", None),
            ("beta=true", "beta=true", None),
            ("include[]=a&include%5B%5D=b%20c+d&&x", "include[]=a&include%5B%5D=b%20c+d&&x", None),
            ("key=secret", "", Some("secret")),
            ("alt=sse&key=se%63ret&z=%2f", "alt=sse&z=%2f", Some("secret")),
            ("%6Bey=secret&a", "a", Some("secret")),
            ("key=one&key=two&b=", "b=", Some("one")),
            ("key", "", Some("")),
            ("api-version=1&api-key=secret", "api-version=1", Some("secret")),
            ("keys=1&apikey=2&Key=3", "keys=1&apikey=2&Key=3", None),
        ] {
            assert_eq!((&*without_key(typed), key_in_query(typed).as_deref()), (sent, key), "{typed}");
        }
    }
}
