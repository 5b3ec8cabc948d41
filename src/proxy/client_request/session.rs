//! The session of a request: what names one, if anything does.
//!
//! Requests of one session prefer one upstream, so that the provider's cache of prompts pays. A client can name any session. The name
//! decides only which upstream is asked first.

use actix_web::http::header::HeaderName;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::proxy::headers::Header;
use crate::types::SessionHash;

/// Headers with the name of a session, the first first: Claude Code's, Codex's two, opencode's two.
static HEADERS: [HeaderName; 5] = [
    HeaderName::from_static("x-claude-code-session-id"),
    HeaderName::from_static("session-id"),
    HeaderName::from_static("thread-id"),
    HeaderName::from_static("x-session-affinity"),
    HeaderName::from_static("x-session-id"),
];

/// The longest name of a session, in bytes. A longer one is none: hashing would take time.
const LONGEST_NAME: usize = 1_024;

/// The members of a body with the name of a session.
pub(in crate::proxy) struct SessionFields<'a> {
    pub(in crate::proxy) prompt_cache_key: &'a RawValue,
    pub(in crate::proxy) metadata: &'a RawValue,
    pub(in crate::proxy) user: &'a RawValue,
}

/// Anthropic's place for the name of a user. Claude Code's name holds the session.
#[derive(Deserialize)]
struct Metadata<'a> {
    #[serde(borrow)]
    user_id: Option<&'a RawValue>,
}

/// Returns the session that a request names, by headers before the body.
pub(in crate::proxy) fn session_of(headers: &[Header], fields: &SessionFields<'_>) -> Option<SessionHash> {
    let by_header = || {
        let values = |of: &'static HeaderName| headers.iter().filter(move |(name, _)| name == of);
        HEADERS.iter().flat_map(values).map(|(_, value)| value.as_bytes().trim_ascii())
    };
    let user_id = || {
        let metadata = fields.metadata.get();
        let metadata = metadata.starts_with('{').then(|| serde_json::from_str::<Metadata<'_>>(metadata).ok());
        metadata.flatten().and_then(|metadata| metadata.user_id).and_then(text)
    };
    let named = |name: &&[u8]| !name.is_empty() && name.len() <= LONGEST_NAME;
    let name = by_header().find(named).or_else(|| {
        let by_body = text(fields.prompt_cache_key).filter(named).or_else(|| user_id().filter(named));
        by_body.or_else(|| text(fields.user).filter(named))
    });
    name.map(SessionHash::of)
}

/// Returns what stands between the quotes of a string.
fn text(value: &RawValue) -> Option<&[u8]> {
    value.get().strip_prefix('"')?.strip_suffix('"').map(str::as_bytes)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn session(headers: &[(&'static str, &'static str)], body: [&str; 3]) -> Option<SessionHash> {
        let headers =
            headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let raw = body.map(|json| RawValue::from_string(json.to_owned()).expect("JSON"));
        let [prompt_cache_key, metadata, user] = &raw;
        session_of(&headers.collect::<Vec<_>>(), &SessionFields { prompt_cache_key, metadata, user })
    }

    #[test]
    fn the_first_key_of_the_list_names_the_session() {
        let of = |name: &str| Some(SessionHash::of(name.as_bytes()));
        let metadata = r#"{"user_id":"m"}"#;
        for (headers, body, name) in [
            (&[("x-session-id", "e"), ("x-claude-code-session-id", "a")][..], ["\"p\"", metadata, "\"u\""], of("a")),
            (&[("thread-id", "c"), ("session-id", "b")], ["null", "null", "null"], of("b")),
            (&[("thread-id", "c"), ("session-id", " ")], ["null", "null", "null"], of("c")),
            (&[("x-session-id", "e"), ("x-session-affinity", "d")], ["\"p\"", "null", "null"], of("d")),
            (&[], ["\"p\"", metadata, "\"u\""], of("p")),
            (&[], ["\"\"", metadata, "\"u\""], of("m")),
            (&[], ["7", r#"{"a":1}"#, "\"u\""], of("u")),
            (&[], ["null", "[]", "null"], None),
            (&[("user-agent", "x")], ["null", "null", "{}"], None),
        ] {
            assert_eq!(session(headers, body), name, "{headers:?} {body:?}");
        }
        let long = format!("\"{}\"", "x".repeat(LONGEST_NAME + 1));
        assert_eq!(session(&[], [&long, "null", "null"]), None, "a name beyond the bound is none");
    }
}
