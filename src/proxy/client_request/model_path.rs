//! A request whose model stands in the path, as Gemini's clients send them.
//!
//! 1. A body may name the model as well, even several times, and must name the same. An upstream's own name takes the place of each.
//! 2. A stream without `alt=sse` in the query is a JSON list, and every piece is an element.

use std::ops::Range;

use actix_web::http::header::HeaderMap;
use actix_web::web::Bytes;
use serde_json::value::RawValue;

use super::body::{JsonBody, RequestBody};
use super::fields::absent;
use super::invalid::not_valid;
use super::session::{SessionFields, session_of};
use super::stream_options::{UsageWish, place};
use super::{ClientRequest, InvalidRequest, checked_model, client_timeout};
use crate::dialect::json_depth::{DEEPEST, is_shallow};
use crate::dialect::scanned_body::ScannedBody;
use crate::dialect::{CalledRoute, GeminiRequest, NamedObjects};
use crate::proxy::headers::client_headers;
use crate::types::{ParameterSet, Profile, resource_name};

/// Parameters of a query that ask for events.
const ASKS_FOR_EVENTS: [&str; 2] = ["alt=sse", "$alt=sse"];

impl ClientRequest {
    /// Looks into a body that came to a path with the model.
    ///
    /// # Errors
    /// When the body is no JSON object, is nested too deeply, or names another model.
    pub(super) fn of_model_path(
        called: CalledRoute,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<ClientRequest, InvalidRequest> {
        let CalledRoute { route, path, model, .. } = called;
        let invalid = |message: String| InvalidRequest { message, param: None };
        let text = std::str::from_utf8(&body).map_err(|_| invalid("the body is not UTF-8".into()))?;
        if !text.trim_start().starts_with('{') {
            return Err(invalid("the body must be a JSON object".into()));
        }
        let scanned = ScannedBody::new(text);
        let read = GeminiRequest::read(route.reply, scanned);
        let GeminiRequest { models, estimate } = read.map_err(|error| not_valid(&error))?;
        if !is_shallow(scanned) {
            return Err(invalid(format!("the body is nested deeper than {DEEPEST} levels")));
        }
        let model = checked_model(route, model.map(Into::into), false)?;
        let named_at: Vec<Range<usize>> = same_model(&models, &model)?.filter_map(|raw| place(text, raw)).collect();
        let passed = client_headers(headers, route.id.format());
        let none = absent();
        let session = session_of(&passed, &SessionFields { prompt_cache_key: none, metadata: none, user: none });
        let parameters = ParameterSet::NONE;
        let profile = Profile { model, route: route.id, estimate, session, parameters, apis: None };
        Ok(ClientRequest {
            route,
            is_moved: false,
            profile,
            models: None,
            stream: route.is_stream,
            in_list: route.is_stream,
            client_timeout: client_timeout(headers),
            query: String::new(),
            path,
            base: None,
            last_id: None,
            objects: NamedObjects::default(),
            headers: passed,
            alias: None,
            echo_model: false,
            replicates: false,
            files: None,
            body: RequestBody::Json(JsonBody {
                model_at: 0..0,
                resources_at: named_at,
                usage: UsageWish::Moot,
                options_at: None,
                bytes: body.clone(),
            }),
        })
    }
}

/// Returns whether a query asks for events in place of a list.
pub(super) fn asks_for_events(query: &str) -> bool {
    query.split('&').any(|part| ASKS_FOR_EVENTS.contains(&part))
}

/// Returns the names of models in a body, each as it stands there.
///
/// # Errors
/// When one is not the model of the path: the path alone was checked against the rights of the client's key.
fn same_model<'a>(named: &'a [&'a RawValue], model: &str) -> Result<impl Iterator<Item = &'a str>, InvalidRequest> {
    let resource = resource_name(model);
    for raw in named {
        let name: Option<String> = serde_json::from_str(raw.get()).ok();
        if name.as_deref().is_none_or(|name| name != model && name != resource) {
            let text = "names another model than the path does; name the same, or leave the body's out";
            return Err(InvalidRequest { message: format!("the body {text}"), param: Some("model") });
        }
    }
    Ok(named.iter().map(|raw| raw.get()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::GeminiPath;

    fn parsed(path: &str, body: &str) -> Result<ClientRequest, InvalidRequest> {
        let called = GeminiPath::of(path).and_then(GeminiPath::called).expect("a row").expect("a model");
        ClientRequest::parse_called(called, &HeaderMap::new(), Bytes::copy_from_slice(body.as_bytes()))
    }

    #[test]
    fn every_name_in_the_body_becomes_the_upstreams_own_and_all_else_stays() {
        let one = r#"{ "requests":[{"model":"models/m","content":{"parts":[{"text":"models/m"}]}},{"model" : "m"}] }"#;
        let request = parsed("/v1beta/models/m:batchEmbedContents", one).expect("valid");
        assert_eq!(&*request.profile.model, "m");
        assert_eq!(request.body_for(None, false), one, "the client's own bytes");
        let sent = request.body_for(Some("own"), false);
        let wanted = r#"{ "requests":[{"model":"models/own","content":{"parts":[{"text":"models/m"}]}},{"model" : "models/own"}] }"#;
        assert_eq!(sent, wanted);
        let count = r#"{"generateContentRequest":{"model":"models/m","contents":[]}}"#;
        let count = parsed("/v1beta/models/m:countTokens", count).expect("valid");
        let wanted = r#"{"generateContentRequest":{"model":"tunedModels/t","contents":[]}}"#;
        assert_eq!(count.body_for(Some("tunedModels/t"), true), wanted);
    }

    #[test]
    fn a_body_that_names_another_model_is_refused() {
        for body in [
            r#"{"model":"models/other"}"#,
            r#"{"model":7}"#,
            r#"{"requests":[{"model":"models/m"},{"model":"models/other"}]}"#,
            r#"{"generateContentRequest":{"model":"other"}}"#,
        ] {
            let refused = parsed("/v1beta/models/m:countTokens", body).expect_err(body);
            assert!(refused.message.contains("another model than the path"), "{refused}");
        }
        for body in ["", "[]", "{", "7", "{\"a\":1}x"] {
            assert!(parsed("/v1beta/models/m:generateContent", body).is_err(), "{body}");
        }
    }

    #[test]
    fn a_stream_is_a_list_unless_the_query_asks_for_events() {
        for (query, in_list) in
            [("", true), ("alt=sse", false), ("a=b&alt=sse", false), ("$alt=sse", false), ("alt=json", true)]
        {
            let mut request = parsed("/v1beta/models/m:streamGenerateContent", "{}").expect("valid");
            request.set_query(query).expect("short");
            assert_eq!((request.stream, request.in_list), (true, in_list), "{query}");
        }
        let mut request = parsed("/v1beta/models/m:generateContent", "{}").expect("valid");
        request.set_query("alt=sse&key=secret").expect("short");
        assert_eq!((request.stream, request.in_list, &*request.query), (false, false, "alt=sse"));
    }
}
