//! Paths as people type base URLs: with `/v1` twice or not at all, with doubled or trailing slashes, with Azure's prefix, with one of
//! Gemini's versions or none.
//!
//! 1. A path is straightened once, in front of the router, the check for a key and the log.
//! 2. A path is only changed into one that is served. Any other stays as typed, so the 404 quotes what was typed.

use actix_web::dev::ServiceRequest;
use actix_web::http::Uri;
use actix_web::http::uri::PathAndQuery;

use super::endpoints::OWN_ENDPOINTS;
use crate::dialect::{GeminiPath, ROUTES, USUAL_VERSION, VERSIONS, is_route};

/// In front of every path that needs a key.
const VERSION: &str = "v1";

/// In front of OpenAI's own paths at Azure.
const AZURE: &str = "openai";

/// Behind [`AZURE`], in front of the name of a deployment. The body names the model as well.
const DEPLOYMENTS: &str = "deployments";

/// Changes the path into the one that is meant. The query stays.
pub(super) fn straighten(request: &mut ServiceRequest) {
    let path = request.uri().path();
    if is_straight(path) {
        return;
    }
    let Some(meant) = meant_by(path) else { return };
    let query = request.uri().query();
    let target = query.map_or_else(|| meant.clone(), |query| format!("{meant}?{query}"));
    let mut parts = request.uri().clone().into_parts();
    let Ok(target) = PathAndQuery::try_from(target) else { return };
    parts.path_and_query = Some(target);
    let Ok(uri) = Uri::from_parts(parts) else { return };
    request.match_info_mut().get_mut().update(&uri);
    request.head_mut().uri = uri;
}

/// Returns whether a path has none of the forms that are straightened. Most have none.
fn is_straight(path: &str) -> bool {
    let Some(below) = path.strip_prefix("/v1/") else { return path == "/" || path == "/health" };
    !below.starts_with("v1/") && !below.ends_with('/') && !path.as_bytes().windows(2).any(|pair| pair == b"//")
}

/// Returns the served path that is meant.
fn meant_by(typed: &str) -> Option<String> {
    let segments: Vec<&str> = typed.split('/').filter(|segment| !segment.is_empty()).collect();
    let rest = match segments.as_slice() {
        [AZURE, DEPLOYMENTS, _, rest @ ..] | [AZURE, rest @ ..] => rest,
        // OpenAI's format at Google's host.
        [USUAL_VERSION, AZURE, rest @ ..] => rest,
        // Cohere's clients ask for a later version of the same.
        ["v2", "rerank"] => &["rerank"],
        rest => rest,
    };
    if let Some(meant) = of_gemini(rest) {
        return Some(meant);
    }
    let versions = rest.iter().take_while(|segment| **segment == VERSION).count();
    let below = rest.get(versions..).unwrap_or_default().join("/");
    if is_served_below(&below) {
        return Some(format!("/{VERSION}/{below}"));
    }
    let bare = format!("/{}", segments.join("/"));
    OWN_ENDPOINTS.iter().any(|own| own.path == bare).then_some(bare)
}

/// Returns the path of Gemini's API that is meant: under the last version that is typed.
fn of_gemini(segments: &[&str]) -> Option<String> {
    let versions = segments.iter().take_while(|segment| VERSIONS.contains(*segment));
    let (count, last) = versions.fold((0, None), |(count, _), version| (count + 1, Some(*version)));
    let below = segments.get(count..)?.join("/");
    let meant = format!("/{}/{below}", last.unwrap_or(USUAL_VERSION));
    if GeminiPath::is_served(&meant) {
        return Some(meant);
    }
    let is_list = below == "models" || below.starts_with("models/");
    (is_list && last.is_some_and(|last| last != VERSION)).then(|| format!("/{USUAL_VERSION}/{below}"))
}

fn is_served_below(below: &str) -> bool {
    below.starts_with("models/") || served_below().any(|served| below == served) || is_route(below)
}

/// Returns the part below `/v1/` of every served path.
pub(super) fn served_below() -> impl Iterator<Item = &'static str> {
    let own = OWN_ENDPOINTS.iter().filter_map(|own| own.path.strip_prefix("/v1/"));
    ROUTES.iter().map(|route| route.id.path()).chain(own.filter(|path| !path.contains('{')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_taken_as_it_is_meant_or_left_as_typed() {
        for (typed, meant) in [
            ("/chat/completions", Some("/v1/chat/completions")),
            ("/v1/v1/chat/completions", Some("/v1/chat/completions")),
            ("/v1/v1/v1/models", Some("/v1/models")),
            ("/v1/chat/completions/", Some("/v1/chat/completions")),
            ("//v1//chat///completions//", Some("/v1/chat/completions")),
            ("/openai/v1/embeddings", Some("/v1/embeddings")),
            ("/openai/deployments/gpt/chat/completions", Some("/v1/chat/completions")),
            ("/models/", Some("/v1/models")),
            ("/models/a/b", Some("/v1/models/a/b")),
            ("/health/", Some("/health")),
            ("/v2/rerank", Some("/v1/rerank")),
            ("/files/file-1/content", Some("/v1/files/file-1/content")),
            ("/models/m:generateContent", Some("/v1beta/models/m:generateContent")),
            ("/v1beta/models/m:countTokens", Some("/v1beta/models/m:countTokens")),
            ("/v1/v1beta//models/m:countTokens/", Some("/v1beta/models/m:countTokens")),
            ("/v1beta/v1/models/m:embedContent", Some("/v1/models/m:embedContent")),
            ("/v1alpha/tunedModels/m:generateContent", Some("/v1alpha/tunedModels/m:generateContent")),
            ("/v1alpha/models", Some("/v1beta/models")),
            ("/v1beta/models/m", Some("/v1beta/models/m")),
            ("/v1beta/openai/chat/completions", Some("/v1/chat/completions")),
            ("/v1beta/files", None),
            ("//", Some("/")),
            ("/v1/health", None),
            ("/v1", None),
            ("/v1/", None),
            ("/v1//", None),
            ("/openai", None),
            ("/v2/models", None),
            ("/chat", None),
            ("/CHAT/completions", None),
            ("/v1/nothing/", None),
        ] {
            assert_eq!(meant_by(typed).as_deref(), meant, "{typed}");
            assert!(meant.is_none() || !is_straight(typed), "{typed}");
        }
    }

    #[test]
    fn every_served_path_is_straight() {
        for below in served_below() {
            let path = format!("/{VERSION}/{below}");
            assert!(is_straight(&path) && meant_by(&path) == Some(path.clone()), "{path}");
        }
    }
}
