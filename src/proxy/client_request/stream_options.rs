//! A client's wish for the usage of a stream, and the places in the body where the wish stands or would stand.

use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::fields::absent;
use super::invalid::InvalidRequest;

/// Whether the client asked for a stream's usage, and where the proxy would have to put a wish for the usage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum UsageWish {
    /// Not a stream, or one whose usage comes unasked.
    Moot,
    /// The client asked for the usage.
    Asked,
    /// Put this text in place of these bytes to ask.
    Unasked(Range<usize>, &'static str),
}

#[derive(Deserialize)]
struct PeekOptions<'a> {
    #[serde(borrow, default = "absent")]
    include_usage: &'a RawValue,
}

/// Where the client's body would have to change for the upstream to tell the usage of its stream.
pub(super) fn usage_wish(text: &str, options: &RawValue) -> Result<UsageWish, InvalidRequest> {
    let Some(at) = place(text, options.get()) else {
        let brace = text.find('{').map_or(0, |i| i + 1);
        return Ok(UsageWish::Unasked(brace..brace, r#""stream_options":{"include_usage":true},"#));
    };
    if options.get() == "null" {
        return Ok(UsageWish::Unasked(at, r#"{"include_usage":true}"#));
    }
    let wrong =
        || InvalidRequest { message: "stream_options must be an object".to_owned(), param: Some("stream_options") };
    if !options.get().starts_with('{') {
        return Err(wrong());
    }
    let peek: PeekOptions<'_> = serde_json::from_str(options.get()).map_err(|_| wrong())?;
    Ok(match (place(text, peek.include_usage.get()), peek.include_usage.get()) {
        (_, "true") => UsageWish::Asked,
        (Some(at), _) => UsageWish::Unasked(at, "true"),
        (None, _) => {
            let empty = options.get().trim_start_matches('{').trim_start() == "}";
            let text = if empty { r#""include_usage":true"# } else { r#""include_usage":true,"# };
            UsageWish::Unasked(at.start + 1..at.start + 1, text)
        }
    })
}

/// Returns where `stream_options` stand in the body, with the name and one comma, so that the rest is an object without them. `None`
/// if there are none, or if the name is written in an odd way.
pub(super) fn member(text: &str, options: &RawValue) -> Option<Range<usize>> {
    let value = place(text, options.get())?;
    let before =
        text.get(..value.start)?.trim_end().strip_suffix(':')?.trim_end().strip_suffix(r#""stream_options""#)?;
    if let Some(first) = before.trim_end().strip_suffix(',') {
        return Some(first.len()..value.end);
    }
    let behind = text.get(value.end..)?;
    let comma = behind.trim_start().strip_prefix(',').map_or(0, |rest| behind.len() - rest.len());
    Some(before.len()..value.end + comma)
}

/// Where in `text` the part `raw` of it stands; `None` for a default, which stands nowhere.
pub(super) fn place(text: &str, raw: &str) -> Option<Range<usize>> {
    let start = (raw.as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
    (start + raw.len() <= text.len()).then(|| start..start + raw.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        stream_options: &'a RawValue,
    }

    #[test]
    fn the_member_is_found_with_one_comma() {
        for (body, without) in [
            (r#"{"stream_options":{"include_usage":true}}"#, Some("{}")),
            (r#"{ "stream_options" : {"a":[1,2]} , "b":1}"#, Some(r#"{  "b":1}"#)),
            (r#"{"a":1 , "stream_options":null,"b":2}"#, Some(r#"{"a":1 ,"b":2}"#)),
            (r#"{"a":"stream_options","stream_options":{ } }"#, Some(r#"{"a":"stream_options" }"#)),
            (r#"{"stream\u005foptions":{}}"#, None),
        ] {
            let options = serde_json::from_str::<Body<'_>>(body).expect("valid").stream_options;
            let found = member(body, options).map(|at| [&body[..at.start], &body[at.end..]].concat());
            assert_eq!(found.as_deref(), without, "{body}");
        }
        assert_eq!(member("{}", RawValue::NULL), None);
    }
}
