//! Where below a base URL a request goes: at the path below `/v1/`, in Azure's classic form, or in Gemini's own.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::form_urlencoded;

use super::Reach;
use crate::types::{WireFormat, resource_name};

/// The paths of Azure's classic form that run a model at a deployment: these, or all below one with a slash.
const AT_A_DEPLOYMENT: [&str; 5] = ["chat/completions", "completions", "embeddings", "audio/", "images/"];

/// The parameter with the version of Azure's API.
const API_VERSION: &str = "api-version";

/// Kept as they are in a part of a path.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Stands for the model, with its collection, in the paths of Gemini's format.
const MODEL: &str = "models/{model}";

/// Kept as they are in a model's name there. A colon stands in front of the verb, and the last one counts.
const ESCAPED_IN_NAME: &AsciiSet = &ESCAPED.remove(b'/').remove(b':').remove(b'@');

/// What is asked of an upstream.
#[derive(Debug, Clone, Copy)]
pub struct AskedPath<'a> {
    /// The path below `/v1/`. Of Gemini's format: below the root, with the version.
    pub path: &'a str,
    /// The client's query, without a `?`.
    pub query: &'a str,
    /// The upstream's own name of the model. Empty where there is none.
    pub model: &'a str,
}

impl Reach {
    /// Returns whether the API is asked in Azure's classic form.
    pub fn is_classic(&self) -> bool {
        self.api_version.is_some()
    }

    /// Returns path and query below the base URL.
    pub fn place<'a>(&self, asked: AskedPath<'a>) -> Cow<'a, str> {
        let AskedPath { path, query, .. } = asked;
        match &self.api_version {
            Some(version) => Cow::Owned(classic_place(asked, version)),
            None if self.format == WireFormat::Gemini => Cow::Owned(gemini_place(asked, self.takes_version)),
            None if query.is_empty() => Cow::Borrowed(path),
            None => Cow::Owned(format!("{path}?{query}")),
        }
    }
}

/// Returns path and query in Azure's classic form: the version first, and the client's own left out.
fn classic_place(asked: AskedPath<'_>, version: &str) -> String {
    let AskedPath { path, query, model } = asked;
    let (path, own_query) = path.split_once('?').unwrap_or((path, ""));
    let fits = |known: &&str| if known.ends_with('/') { path.starts_with(*known) } else { path == *known };
    let mut place = match !model.is_empty() && AT_A_DEPLOYMENT.iter().any(fits) {
        true => format!("deployments/{}/{path}", utf8_percent_encode(model, ESCAPED)),
        false => path.to_owned(),
    };
    place.push_str(&format!("?{API_VERSION}={version}"));
    let parts = [own_query, query].into_iter().flat_map(|query| query.split('&'));
    for part in parts.filter(|part| !part.is_empty() && !is_api_version(part)) {
        place.push('&');
        place.push_str(part);
    }
    place
}

/// Returns path and query in Gemini's own form: with the model in the path, and with the version if the base has none.
fn gemini_place(asked: AskedPath<'_>, takes_version: bool) -> String {
    let AskedPath { path, query, model } = asked;
    let below = path.split_once('/').map_or(path, |(_, below)| below);
    let path = if takes_version { path } else { below };
    let name = utf8_percent_encode(&resource_name(model), ESCAPED_IN_NAME).to_string();
    let place = path.replace(MODEL, &name);
    match query {
        "" => place,
        query => format!("{place}{}{query}", if place.contains('?') { '&' } else { '?' }),
    }
}

fn is_api_version(part: &str) -> bool {
    form_urlencoded::parse(part.as_bytes()).next().is_some_and(|(name, _)| name.eq_ignore_ascii_case(API_VERSION))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_stands_in_the_path_and_the_base_may_have_a_version_of_its_own() {
        let path = "v1beta/models/{model}:generateContent";
        for (path, query, model, takes_version, wanted) in [
            (path, "", "gemini-2.5-flash", true, "v1beta/models/gemini-2.5-flash:generateContent"),
            (path, "alt=sse", "m", false, "models/m:generateContent?alt=sse"),
            ("v1/models/{model}:countTokens", "a=%2f&b", "m", true, "v1/models/m:countTokens?a=%2f&b"),
            (path, "", "tunedModels/t-1", true, "v1beta/tunedModels/t-1:generateContent"),
            (path, "", "google/gemma:2b@x", true, "v1beta/models/google/gemma:2b@x:generateContent"),
            (path, "", "a b?c#d%é", true, "v1beta/models/a%20b%3Fc%23d%25%C3%A9:generateContent"),
            ("v1beta/models?pageSize=1000", "", "", false, "models?pageSize=1000"),
            ("v1beta/models?pageSize=1000", "pageToken=x", "", true, "v1beta/models?pageSize=1000&pageToken=x"),
        ] {
            assert_eq!(gemini_place(AskedPath { path, query, model }, takes_version), wanted);
        }
    }

    #[test]
    fn what_runs_a_model_goes_to_its_deployment_and_the_rest_beside() {
        for (path, query, model, wanted) in [
            ("chat/completions", "", "gpt-4o", "deployments/gpt-4o/chat/completions?api-version=V"),
            ("completions", "a=b", "m", "deployments/m/completions?api-version=V&a=b"),
            ("embeddings", "", "text_1.~", "deployments/text_1.~/embeddings?api-version=V"),
            ("audio/speech", "", "m", "deployments/m/audio/speech?api-version=V"),
            ("audio/transcriptions", "", "m", "deployments/m/audio/transcriptions?api-version=V"),
            ("images/generations", "", "m", "deployments/m/images/generations?api-version=V"),
            ("images/edits", "", "", "images/edits?api-version=V"),
            (
                "chat/completions",
                "",
                "a/b c?d#e%é",
                "deployments/a%2Fb%20c%3Fd%23e%25%C3%A9/chat/completions?api-version=V",
            ),
            ("chat/completions", "limit=2", "", "chat/completions?api-version=V&limit=2"),
            ("chat/completions/chatcmpl-1", "", "m", "chat/completions/chatcmpl-1?api-version=V"),
            ("responses", "", "m", "responses?api-version=V"),
            ("models", "", "", "models?api-version=V"),
            ("models?limit=9", "", "", "models?api-version=V&limit=9"),
            ("files/file-1/content", "", "", "files/file-1/content?api-version=V"),
            ("files", "api-version=2020-01-01", "", "files?api-version=V"),
            ("files", "a=1&API%2Dversion=x&b=%2f&api-version", "", "files?api-version=V&a=1&b=%2f"),
            ("files", "api-versions=x&&", "", "files?api-version=V&api-versions=x"),
        ] {
            assert_eq!(classic_place(AskedPath { path, query, model }, "V"), wanted, "{path}?{query} {model}");
        }
    }
}
