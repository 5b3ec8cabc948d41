//! The rows of Gemini's own API. The model stands in the path, in front of a verb: `/v1beta/models/gemini-2.5-flash:generateContent`.
//!
//! 1. A version in front is kept, and goes upstream where the base URL has none. Without one it is `v1beta`.
//! 2. The name of a model is all behind `models/` and in front of the last colon. A name in another collection (`tunedModels/x`) is
//!    whole, the collection included.
//! 3. No way of writing a name leaves the name's place in the path.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use thiserror::Error;

use super::path::CalledRoute;
use super::{ModelPlace, Route, route};
use crate::dialect::gemini::Gemini;
use crate::dialect::reply_kind::ReplyKind;
use crate::types::{RouteId, WireFormat};

/// The versions that clients put in front of a path.
pub const VERSIONS: [&str; 3] = ["v1beta", "v1", "v1alpha"];

/// The version of a path without one.
pub const USUAL_VERSION: &str = "v1beta";

/// Where models stand. The first is no part of a model's name here.
const COLLECTIONS: [&str; 2] = ["models/", "tunedModels/"];

/// Every row of Gemini's API.
pub(super) static GEMINI_ROUTES: [Route; 5] = [
    generates("v1beta/models/{model}:generateContent"),
    Route { is_stream: true, ..generates("v1beta/models/{model}:streamGenerateContent") },
    gemini(RouteId::gemini("v1beta/models/{model}:countTokens").free(), ReplyKind::Json),
    gemini(RouteId::gemini("v1beta/models/{model}:embedContent"), ReplyKind::Json),
    gemini(RouteId::gemini("v1beta/models/{model}:batchEmbedContents"), ReplyKind::Json),
];

const fn generates(path: &'static str) -> Route {
    gemini(RouteId::gemini(path), ReplyKind::Generation)
}

const fn gemini(id: RouteId, reply: ReplyKind) -> Route {
    Route { id, dialect: &Gemini, model: ModelPlace::Path, ..route("", reply) }
}

/// A path of Gemini's API, taken apart.
#[derive(Debug, Clone, Copy)]
pub struct GeminiPath<'a> {
    /// The row of the verb; `None` if the verb is not served.
    pub route: Option<&'static Route>,
    /// As typed, or the usual one.
    version: &'a str,
    /// With the collection, if that is a part of the name.
    name: &'a str,
}

/// A name of a model that is none.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the path names no model: {0:?}; write /v1beta/models/MODEL:generateContent")]
pub struct WrongModel(String);

impl<'a> GeminiPath<'a> {
    /// Takes a path apart, if it is one of Gemini's API with a verb.
    pub fn of(path: &'a str) -> Option<GeminiPath<'a>> {
        let path = path.strip_prefix('/')?;
        let (version, below) = match path.split_once('/') {
            Some((version, below)) if VERSIONS.contains(&version) => (version, below),
            Some(_) | None => (USUAL_VERSION, path),
        };
        let collection = COLLECTIONS.iter().find(|collection| below.starts_with(**collection))?;
        let (name, verb) = below.rsplit_once(':').filter(|(_, verb)| !verb.contains('/'))?;
        let name = if *collection == COLLECTIONS[0] { name.get(collection.len()..)? } else { name };
        Some(GeminiPath { route: row(verb), version, name })
    }

    /// Returns whether a path runs a verb that is served.
    pub fn is_served(path: &str) -> bool {
        GeminiPath::of(path).is_some_and(|path| path.route.is_some())
    }

    /// Returns the row, with the version and the model of the path. `None` if the verb is not served.
    ///
    /// # Errors
    /// When the name is none.
    pub fn called(self) -> Option<Result<CalledRoute, WrongModel>> {
        let route = self.route?;
        let called = model_of(self.name).map(|model| {
            let row = route.id.path();
            let path = match row.strip_prefix(USUAL_VERSION) {
                Some(below) if self.version != USUAL_VERSION => Cow::Owned(format!("{}{below}", self.version)),
                Some(_) | None => Cow::Borrowed(row),
            };
            CalledRoute { path, model: Some(model), ..CalledRoute::of_row(route) }
        });
        Some(called)
    }
}

/// Returns the format of a path's clients, if it is Gemini's.
pub(super) fn is_gemini(path: &str) -> bool {
    let version = path.strip_prefix('/').and_then(|path| path.split('/').next()).unwrap_or_default();
    VERSIONS.contains(&version) && version != "v1" || GeminiPath::is_served(path)
}

/// Returns the row of a generation: in Gemini's format the row of a stream.
pub(super) fn chat_route(format: WireFormat) -> Option<&'static Route> {
    GEMINI_ROUTES.iter().find(|route| route.is_stream && route.id.format() == format)
}

fn row(verb: &str) -> Option<&'static Route> {
    GEMINI_ROUTES.iter().find(|route| route.id.path().ends_with(verb) && verb_of(route) == verb)
}

/// Returns the verb of a row.
fn verb_of(route: &Route) -> &'static str {
    route.id.path().rsplit(':').next().unwrap_or_default()
}

/// Returns the verbs that are served.
pub fn gemini_verbs() -> impl Iterator<Item = &'static str> {
    GEMINI_ROUTES.iter().map(verb_of)
}

fn model_of(typed: &str) -> Result<String, WrongModel> {
    /// Errors quote no more.
    const QUOTED: usize = 256;
    let wrong = || WrongModel(typed.chars().take(QUOTED).collect());
    let model = percent_decode_str(typed).decode_utf8().map_err(|_| wrong())?;
    let is_sound = |part: &str| part.bytes().any(|byte| byte != b'.') && !part.contains('\\');
    let is_model = model.split('/').all(is_sound) && !model.chars().any(char::is_control);
    if is_model { Ok(model.into_owned()) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(path: &str) -> Option<(String, String, bool)> {
        let called = GeminiPath::of(path)?.called()?.ok()?;
        Some((called.path.into_owned(), called.model?, called.route.is_stream))
    }

    #[test]
    fn version_model_and_verb_are_read_from_the_path() {
        for (path, wanted) in [
            (
                "/v1beta/models/gemini-2.5-flash:generateContent",
                Some(("v1beta/models/{model}:generateContent", "gemini-2.5-flash", false)),
            ),
            ("/v1/models/m:streamGenerateContent", Some(("v1/models/{model}:streamGenerateContent", "m", true))),
            ("/v1alpha/models/m:countTokens", Some(("v1alpha/models/{model}:countTokens", "m", false))),
            ("/models/m:embedContent", Some(("v1beta/models/{model}:embedContent", "m", false))),
            (
                "/v1beta/models/google/gemma:2b:batchEmbedContents",
                Some(("v1beta/models/{model}:batchEmbedContents", "google/gemma:2b", false)),
            ),
            (
                "/v1beta/tunedModels/t-1:generateContent",
                Some(("v1beta/models/{model}:generateContent", "tunedModels/t-1", false)),
            ),
            (
                "/v1beta/models/a%20b%2Fc:generateContent",
                Some(("v1beta/models/{model}:generateContent", "a b/c", false)),
            ),
            ("/v1beta/models/m:predict", None),
            ("/v1beta/models/m:ent", None),
            ("/v1beta/models/m", None),
            ("/v1beta/models/m:x/generateContent", None),
            ("/v2/models/m:generateContent", None),
            ("/v1beta/files/m:generateContent", None),
            ("/v1beta/models/:generateContent", None),
            ("/v1beta/models/..:generateContent", None),
            ("/v1beta/models/%2e%2e/m:generateContent", None),
            ("/v1beta/models/a//b:generateContent", None),
            ("/v1beta/models/a%5c..%5cb:generateContent", None),
            ("/v1beta/models/a%0d%0ab:generateContent", None),
            ("/v1beta/models/%ff:generateContent", None),
        ] {
            let wanted = wanted.map(|(path, model, is_stream)| (path.to_owned(), model.to_owned(), is_stream));
            assert_eq!(called(path), wanted, "{path}");
        }
    }

    #[test]
    fn a_path_is_geminis_by_its_version_or_by_its_verb() {
        for (path, is) in [
            ("/v1beta/models", true),
            ("/v1alpha/anything", true),
            ("/v1/models/m:generateContent", true),
            ("/v1/models", false),
            ("/v1/models/m:latest", false),
            ("/v1/chat/completions", false),
            ("/v1betas/x", false),
        ] {
            assert_eq!(is_gemini(path), is, "{path}");
        }
    }
}
