//! Where an API is, in each format, and what goes along with each request.

use std::collections::BTreeMap;
use std::sync::Arc;

use url::Url;

use super::file::{ApiFile, AuthFile};
use super::model::{AddressConfig, AuthScheme};
use super::proxies::ProxyChoice;
use super::secret::ApiKey;
use super::validator::Validator;
use super::{azure, base_url};
use crate::types::{ByFormat, WireFormat};

/// Headers made for each request, or about one connection alone.
const OF_THE_CONNECTION: [&str; 15] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

/// Headers with a key.
const OF_THE_KEY: [&str; 6] =
    ["api-key", "authorization", "cookie", "proxy-authorization", "x-api-key", "x-goog-api-key"];

impl Validator<'_> {
    /// Returns the address of an API in each format. `proxy` is the choice for an API without its own.
    pub(super) fn addresses(
        &mut self,
        index: usize,
        file: &ApiFile,
        proxy: &ProxyChoice,
    ) -> Option<ByFormat<Option<AddressConfig>>> {
        let at = |field: &str| format!("apis[{index}].{field}");
        let own = file.proxy.as_ref().map(|typed| self.proxy_choice(&at("proxy"), typed.as_deref()));
        let choice = own.as_ref().unwrap_or(proxy);
        let problems = self.problems.len();
        let api_version = self.api_version(&at("apiVersion"), file);
        let of_openai = if api_version.is_some() { AuthScheme::ApiKey } else { AuthScheme::Bearer };
        let openai = file.base_url.as_ref().map(|typed| (typed, file.auth, of_openai));
        let anthropic = file.anthropic_base_url.as_ref().map(|typed| (typed, file.anthropic_auth, AuthScheme::XApiKey));
        let gemini = file.gemini_base_url.as_ref().map(|typed| (typed, file.gemini_auth, AuthScheme::XGoogApiKey));
        let typed = ByFormat::from_fn(|format| match format {
            WireFormat::OpenAi => openai,
            WireFormat::Anthropic => anthropic,
            WireFormat::Gemini => gemini,
        });
        let addresses = ByFormat::from_fn(|format| {
            let (typed, auth, default) = (*typed.of(format))?;
            // The date is of OpenAI's format alone.
            let api_version = api_version.clone().filter(|_| format == WireFormat::OpenAi);
            let parsed = if api_version.is_some() { azure::parse(typed) } else { base_url::parse(typed, format) };
            let base_url = self.base_url(&at(format.base_url_field()), parsed)?;
            let proxy = self.proxy_for(&at("proxy"), choice, &base_url);
            let takes_version = format == WireFormat::Gemini && base_url::takes_version(typed);
            let auth = auth.map_or(default, AuthScheme::from);
            Some(AddressConfig { base_url, api_version, takes_version, auth, proxy })
        });
        for (field, is_given, of) in [
            ("auth", file.auth.is_some(), WireFormat::OpenAi),
            ("anthropicAuth", file.anthropic_auth.is_some(), WireFormat::Anthropic),
            ("geminiAuth", file.gemini_auth.is_some(), WireFormat::Gemini),
        ] {
            if is_given && typed.of(of).is_none() {
                self.warnings.push(format!("{}: is about {}, which is not given", at(field), of.base_url_field()));
            }
        }
        let is_known_as_wrong = |field: &str| self.is_known_as_wrong(&at(field));
        let has_any = addresses.iter().any(|(_, address)| address.is_some());
        let is_told = WireFormat::ALL.iter().any(|format| is_known_as_wrong(format.base_url_field()));
        if !has_any && !is_told && !is_known_as_wrong("provider") {
            return self
                .refuse(&at("baseUrl"), "is missing; give baseUrl, anthropicBaseUrl (for /v1/messages), geminiBaseUrl (for /v1beta/models), or several");
        }
        (has_any && self.problems.len() == problems).then_some(addresses)
    }

    /// Returns the date of Azure's classic form, if the API is asked in that form.
    fn api_version(&mut self, at: &str, file: &ApiFile) -> Option<Arc<str>> {
        let typed = file.api_version.as_deref()?;
        if !azure::is_version(typed) {
            let text = "must be a date as Azure lists them, such as 2024-10-21 or 2025-04-01-preview; \
                leave apiVersion out for a baseUrl that ends in /openai/v1";
            return self.refuse(at, text);
        }
        let others = [
            (WireFormat::Anthropic, file.anthropic_base_url.is_some()),
            (WireFormat::Gemini, file.gemini_base_url.is_some()),
        ];
        if let Some((other, _)) = others.iter().find(|(_, is_given)| *is_given) {
            let field = other.base_url_field();
            let text = format!(
                "is for Azure's classic form of OpenAI's API alone; give {field} in an entry of its own, and both \
                 entries one quotaGroup if they share limits"
            );
            return self.refuse(at, text);
        }
        Some(typed.into())
    }

    fn base_url(&mut self, at: &str, parsed: Result<Url, String>) -> Option<Url> {
        match parsed {
            Ok(url) => {
                if url.scheme() == "http" && !base_url::is_loopback(&url) {
                    let text = "http:// sends the key and every prompt in clear text; prefer https://";
                    self.warnings.push(format!("{at}: {text}"));
                }
                Some(url)
            }
            Err(why) => self.refuse(at, why),
        }
    }

    /// Returns the headers for each request to an API. The values may be secrets. A header that is `null` is none.
    pub(super) fn fixed_headers<'a>(
        &mut self,
        at: &str,
        typed: impl Iterator<Item = (&'a String, &'a Option<String>)>,
    ) -> BTreeMap<Arc<str>, ApiKey> {
        let typed = typed.filter_map(|(name, value)| Some((name, value.as_ref()?)));
        let is_of_key = |name: &&String| OF_THE_KEY.contains(&name.to_ascii_lowercase().as_str());
        let (of_key, others): (Vec<_>, Vec<_>) = typed.partition(|(name, _)| is_of_key(name));
        for (name, _) in of_key {
            let name = name.to_ascii_lowercase();
            self.problem(at, format!("must not hold {name}: the key goes into apiKey, and auth says how it is sent"));
        }
        self.headers(at, others.into_iter())
    }

    /// Returns headers that the server does not set by itself. The values may be secrets.
    pub(super) fn headers<'a>(
        &mut self,
        at: &str,
        typed: impl Iterator<Item = (&'a String, &'a String)>,
    ) -> BTreeMap<Arc<str>, ApiKey> {
        let mut headers = BTreeMap::new();
        for (name, value) in typed {
            let name = name.to_ascii_lowercase();
            let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
            if name.is_empty() || !name.bytes().all(is_token) {
                self.problem(at, "holds a name that is no header's name, such as X-Title");
            } else if OF_THE_CONNECTION.contains(&name.as_str()) {
                self.problem(at, format!("must not hold {name}: the server sets it for each request by itself"));
            } else if value.trim() != value || !value.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
                self.problem(at, "holds a value that fits into no header: give visible ASCII characters on one line");
            } else if headers.insert(Arc::from(name.as_str()), ApiKey::new(value)).is_some() {
                self.problem(at, format!("holds {name} twice, in two spellings"));
            }
        }
        headers
    }
}

impl From<AuthFile> for AuthScheme {
    fn from(typed: AuthFile) -> Self {
        match typed {
            AuthFile::Bearer => AuthScheme::Bearer,
            AuthFile::XApiKey => AuthScheme::XApiKey,
            AuthFile::ApiKey => AuthScheme::ApiKey,
            AuthFile::XGoogApiKey => AuthScheme::XGoogApiKey,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ConfigSource, Overrides, parse};

    /// The configuration of one API with these fields, or the problems.
    fn parsed(fields: &str) -> Result<crate::config::Config, String> {
        let source = ConfigSource { path: "x.json".into(), overrides: Overrides::default() };
        let text = format!(r#"{{"apis": [{{"id": "a", "apiKey": "sk-upstream-0123", {fields}}}]}}"#);
        parse(&text, &source, |_| Ok(String::new())).map_err(|error| error.to_string())
    }

    #[test]
    fn an_api_has_one_base_url_or_two_each_with_its_own_header_for_the_key() {
        let both = r#""baseUrl": "https://x.example", "anthropicBaseUrl": "https://y.example/anthropic""#;
        for (fields, openai, anthropic) in [
            (r#""baseUrl": "https://x.example""#.to_owned(), Some(AuthScheme::Bearer), None),
            (r#""anthropicBaseUrl": "https://x.example""#.to_owned(), None, Some(AuthScheme::XApiKey)),
            (both.to_owned(), Some(AuthScheme::Bearer), Some(AuthScheme::XApiKey)),
            (
                r#""baseUrl": "https://x.example", "apiVersion": "2024-10-21""#.to_owned(),
                Some(AuthScheme::ApiKey),
                None,
            ),
            (
                r#""baseUrl": "https://x.example", "apiVersion": "2024-10-21", "auth": "bearer""#.to_owned(),
                Some(AuthScheme::Bearer),
                None,
            ),
            (
                r#""provider": "azure", "resource": "r", "apiVersion": "2024-10-21""#.to_owned(),
                Some(AuthScheme::ApiKey),
                None,
            ),
            (
                format!(r#"{both}, "auth": "api-key", "anthropicAuth": "bearer""#),
                Some(AuthScheme::ApiKey),
                Some(AuthScheme::Bearer),
            ),
        ] {
            let config = parsed(&fields).expect("valid");
            let auth = |format| config.apis[0].addresses.of(format).as_ref().map(|address| address.auth);
            assert_eq!((auth(WireFormat::OpenAi), auth(WireFormat::Anthropic)), (openai, anthropic), "{fields}");
        }
        for (fields, gemini) in [
            (r#""geminiBaseUrl": "https://x.example""#, AuthScheme::XGoogApiKey),
            (r#""baseUrl": "https://x.example", "geminiBaseUrl": "https://x.example/v1beta""#, AuthScheme::XGoogApiKey),
            (r#""geminiBaseUrl": "https://x.example", "geminiAuth": "bearer""#, AuthScheme::Bearer),
        ] {
            let config = parsed(fields).expect("valid");
            let address = config.apis[0].addresses.of(WireFormat::Gemini).as_ref().expect("given");
            assert_eq!((address.auth, address.takes_version), (gemini, !fields.contains("v1beta")), "{fields}");
        }
        let missing = parsed(r#""name": "x""#).expect_err("no address");
        assert!(missing.contains("apis[0].baseUrl: is missing; give baseUrl, anthropicBaseUrl"), "{missing}");
        let wrong = parsed(r#""anthropicBaseUrl": 7"#).expect_err("no text");
        assert!(wrong.contains("apis[0].anthropicBaseUrl: must be a string") && !wrong.contains("missing"), "{wrong}");
        let unknown = parsed(r#""baseUrl": "https://x.example", "auth": "basic""#).expect_err("unknown");
        assert!(
            unknown.contains("apis[0].auth: must be bearer or x-api-key or api-key or x-goog-api-key"),
            "{unknown}"
        );
        let idle = parsed(r#""baseUrl": "https://x.example", "anthropicAuth": "bearer""#).expect("valid");
        assert!(idle.warnings.iter().any(|warning| warning.contains("anthropicBaseUrl, which is not given")));
    }

    #[test]
    fn fixed_headers_are_secrets_and_neither_keys_nor_framing() {
        let with = |headers: &str| parsed(&format!(r#""baseUrl": "https://x.example", "headers": {headers}"#));
        let config = with(r#"{"X-Title": "my pool", "HTTP-Referer": "https://me.example"}"#).expect("valid");
        let names: Vec<&str> = config.apis[0].headers.keys().map(|name| &**name).collect();
        assert_eq!(names, ["http-referer", "x-title"]);
        assert!(!format!("{config:?}").contains("my pool"));
        for (headers, says) in [
            (r#"{"Authorization": "Bearer x-secret-9"}"#, "apis[0].headers: must not hold authorization: the key goes"),
            (r#"{"x-api-key": "x-secret-9"}"#, "must not hold x-api-key"),
            (r#"{"Host": "x-secret-9"}"#, "must not hold host: the server sets"),
            (r#"{"Content-Length": "x-secret-9"}"#, "must not hold content-length"),
            (r#"{"Transfer-Encoding": "x-secret-9"}"#, "must not hold transfer-encoding"),
            (r#"{"Connection": "x-secret-9"}"#, "must not hold connection"),
            (r#"{"x y": "x-secret-9"}"#, "no header's name"),
            (r#"{"": "x-secret-9"}"#, "no header's name"),
            (r#"{"x": "x-secret-9\r\ny: z"}"#, "fits into no header"),
            (r#"{"x": " x-secret-9"}"#, "fits into no header"),
            (r#"{"x": "a", "X": "x-secret-9"}"#, "holds x twice"),
            (r#"{"x": 7}"#, "apis[0].headers.x: must be a string"),
        ] {
            let why = with(headers).expect_err(headers);
            assert!(why.contains(says) && !why.contains("x-secret-9"), "{headers}: {why}");
        }
    }
}
