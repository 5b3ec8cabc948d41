//! Base URLs, in all the ways people write them. Pure.

use std::net::IpAddr;

use url::{Host, Url};

use crate::types::WireFormat;

/// `localhost:8080` is a URL with the scheme `localhost`.
const NO_SCHEME: &str = "must begin with https:// or http://, as in https://api.openai.com";

/// Ends of URLs that name an endpoint, and not the base: of two that fit, the longer stands first.
const ENDPOINTS: [&str; 10] = [
    "/chat/completions",
    "/completions",
    "/embeddings",
    "/responses",
    "/messages",
    "/count_tokens",
    "/moderations",
    "/images/generations",
    "/audio/speech",
    "/audio/transcriptions",
];

/// Returns the base in front of an endpoint's URL, and what is behind; `None` if the URL names no endpoint.
pub(crate) fn without_endpoint(url: &str) -> Option<(&str, &'static str)> {
    let url = url.trim().trim_end_matches('/');
    let ends = ENDPOINTS.iter().chain(&["/models"]);
    ends.filter_map(|end| Some((url.strip_suffix(end)?, *end))).next()
}

/// Returns why a text is no base URL of OpenAI's format.
///
/// # Errors
/// With the mistake and the mend, and never with the text itself.
pub(crate) fn check(typed: &str) -> Result<(), String> {
    parse(typed, WireFormat::OpenAi).map(drop)
}

/// Returns the URL in front of every operation's path. The URL ends in a slash. A version is added where there is none,
/// unless a `#` at the end says that the path is meant as typed. A base of Anthropic's format has the version at its end,
/// as all clients of the format put `/v1` behind the base. A base of Gemini's format stays as typed: see [`takes_version`].
///
/// # Errors
/// With the mistake and the mend, and never with the text itself: a URL may hold a password.
pub(super) fn parse(typed: &str, format: WireFormat) -> Result<Url, String> {
    let mut url = Url::parse(typed.trim()).map_err(|why| match typed.contains("://") {
        true => format!("is not a URL ({why}); write it as https://api.openai.com"),
        false => NO_SCHEME.to_owned(),
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(NO_SCHEME.to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user or a password; the key goes into apiKey".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some_and(|behind| !behind.is_empty()) {
        return Err("must not hold a query (?), nor anything behind a #".to_owned());
    }
    let as_it_stands = url.fragment().is_some();
    url.set_fragment(None);
    let path = url.path().trim_end_matches('/').to_owned();
    let is_endpoint =
        ENDPOINTS.iter().any(|end| path.ends_with(end)) || format == WireFormat::Gemini && path.contains("/models/");
    let example = match format {
        WireFormat::OpenAi => "https://api.openai.com/v1",
        WireFormat::Anthropic => "https://api.anthropic.com",
        WireFormat::Gemini => "https://generativelanguage.googleapis.com",
    };
    if is_endpoint || (path.ends_with("/models") && !as_it_stands) {
        return Err(format!("must be the base alone, such as {example}, not an endpoint's URL"));
    }
    // OpenAI's own base has no version in the path, other bases have one (/v1, /api/paas/v4, /v1beta/openai).
    let mut segments = path.split('/');
    let has_version = as_it_stands
        || match format {
            WireFormat::OpenAi => segments.any(is_version),
            WireFormat::Anthropic => segments.next_back().is_some_and(is_version),
            // Each request brings its own.
            WireFormat::Gemini => true,
        };
    url.set_path(&format!("{path}{}/", if has_version { "" } else { "/v1" }));
    Ok(url)
}

/// Returns whether the version in the path of a client of Gemini's format goes behind this base: unless the base has one, or a `#` at
/// the end.
pub(super) fn takes_version(typed: &str) -> bool {
    !typed.trim().ends_with('#') && !has_version(typed)
}

/// Returns whether only programs on this machine reach an address to listen on.
pub(super) fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.ends_with(".localhost") || address.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

/// Does what is sent there stay on this machine?
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// Returns whether the path of a URL has a version in it, so that none is added.
pub(crate) fn has_version(url: &str) -> bool {
    Url::parse(url.trim()).is_ok_and(|url| url.path().split('/').any(is_version))
}

/// `v1`, `v4`, `v1beta`, `v1beta2`: a path segment with a version of the API.
fn is_version(segment: &str) -> bool {
    let Some(version) = segment.strip_prefix(['v', 'V']) else { return false };
    let digits = version.trim_start_matches(|c: char| c.is_ascii_digit());
    let stage = digits.trim_end_matches(|c: char| c.is_ascii_digit());
    digits.len() < version.len() && matches!(stage, "" | "alpha" | "beta")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_base_url_reaches_the_versioned_base() {
        for (typed, meant) in [
            ("https://api.openai.com", "https://api.openai.com/v1/"),
            ("https://api.openai.com/", "https://api.openai.com/v1/"),
            ("https://api.openai.com/v1", "https://api.openai.com/v1/"),
            ("https://api.openai.com/v1//", "https://api.openai.com/v1/"),
            ("https://host/proxy/openai", "https://host/proxy/openai/v1/"),
            ("https://host/proxy/openai/v1", "https://host/proxy/openai/v1/"),
            ("https://open.bigmodel.cn/api/paas/v4", "https://open.bigmodel.cn/api/paas/v4/"),
            ("https://g.example/v1beta/openai/", "https://g.example/v1beta/openai/"),
            ("http://[::1]:8080", "http://[::1]:8080/v1/"),
            ("https://voyage.example", "https://voyage.example/v1/"),
            ("https://host/v2ray", "https://host/v2ray/v1/"),
            ("https://host/V1", "https://host/V1/"),
            ("https://models.example/inference#", "https://models.example/inference/"),
            ("https://models.example/inference/#", "https://models.example/inference/"),
            (" https://api.example# ", "https://api.example/"),
            ("https://api.example/#", "https://api.example/"),
            ("https://host/v1#", "https://host/v1/"),
            ("https://host/models#", "https://host/models/"),
        ] {
            assert_eq!(parse(typed, WireFormat::OpenAi).map(|url| url.to_string()).as_deref(), Ok(meant), "{typed}");
        }
    }

    #[test]
    fn what_is_no_base_url_is_refused() {
        let wrong = "api.openai.com ftp://x https://u:p@x https://x/?a=1 https://x/?a=1# https://x/#a \
             https://x/v1/chat/completions https://x/v1/messages https://x/v1/images/generations https://x/v1/audio/speech https://x/v1/messages/count_tokens https://x/chat/completions# https://x/v1/models";
        for typed in wrong.split(' ').chain([""]) {
            assert!(parse(typed, WireFormat::OpenAi).is_err(), "{typed}");
            assert!(parse(typed, WireFormat::Anthropic).is_err(), "{typed}");
        }
    }

    #[test]
    fn a_base_of_geminis_format_stays_and_may_have_a_version_of_its_own() {
        for (typed, meant, takes) in [
            ("https://g.example", "https://g.example/", true),
            ("https://g.example/proxy/", "https://g.example/proxy/", true),
            ("https://g.example/v1beta", "https://g.example/v1beta/", false),
            ("https://g.example/v1/publishers/google", "https://g.example/v1/publishers/google/", false),
            ("https://g.example/gemini#", "https://g.example/gemini/", false),
        ] {
            assert_eq!(parse(typed, WireFormat::Gemini).map(|url| url.to_string()).as_deref(), Ok(meant), "{typed}");
            assert_eq!(takes_version(typed), takes, "{typed}");
        }
        assert!(parse("https://g.example/v1beta/models/m:generateContent", WireFormat::Gemini).is_err());
        assert!(parse("https://g.example/v1beta/models", WireFormat::Gemini).is_err());
    }

    #[test]
    fn a_base_of_anthropics_format_ends_in_its_version() {
        for (typed, meant) in [
            ("https://api.anthropic.com", "https://api.anthropic.com/v1/"),
            ("https://api.anthropic.com/", "https://api.anthropic.com/v1/"),
            ("https://api.anthropic.com/v1", "https://api.anthropic.com/v1/"),
            ("https://api.anthropic.com/v1/", "https://api.anthropic.com/v1/"),
            ("https://api.deepseek.com/anthropic", "https://api.deepseek.com/anthropic/v1/"),
            ("https://x.example/api/v2/apps/anthropic", "https://x.example/api/v2/apps/anthropic/v1/"),
            ("https://x.example/claude#", "https://x.example/claude/"),
            ("https://x.example#", "https://x.example/"),
        ] {
            assert_eq!(parse(typed, WireFormat::Anthropic).map(|url| url.to_string()).as_deref(), Ok(meant), "{typed}");
        }
    }
}
