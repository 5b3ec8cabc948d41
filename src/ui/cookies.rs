//! Cookies for the pages: names and values have letters, digits and dashes alone.

use actix_web::HttpRequest;
use actix_web::http::header::{COOKIE, HeaderValue};

/// A cookie for the browser. No script can read the cookie, and requests from other sites come without the cookie.
#[derive(Debug, Clone, Copy)]
pub(super) struct NewCookie<'a> {
    pub(super) name: &'a str,
    pub(super) value: &'a str,
    pub(super) path: &'static str,
    /// The browser sends the cookie over TLS alone.
    pub(super) is_secure: bool,
    /// How long the browser keeps the cookie, in seconds. `None`: until the browser is closed. 0 removes the cookie.
    pub(super) seconds: Option<u64>,
}

impl NewCookie<'_> {
    /// Returns the value of `set-cookie`.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let NewCookie { name, value, path, is_secure, seconds } = self;
        let age = seconds.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
        let secure = if *is_secure { "; Secure" } else { "" };
        HeaderValue::try_from(format!("{name}={value}; Path={path}; HttpOnly; SameSite=Strict{secure}{age}")).ok()
    }
}

/// Returns the value of a cookie of a request.
pub(super) fn sent(request: &HttpRequest, name: &str) -> Option<String> {
    let headers = request.headers().get_all(COOKIE).filter_map(|header| header.to_str().ok());
    let mut pairs = headers.flat_map(|header| header.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(of, _)| *of == name).map(|(_, value)| value.to_owned())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_cookie_is_found_among_others_and_set_for_this_site_alone() {
        let request = TestRequest::default()
            .insert_header(("cookie", "a=1; api-together=abc; xapi-together=no"))
            .append_header(("cookie", "ui-theme=dark"))
            .to_http_request();
        for (name, value) in
            [("api-together", Some("abc")), ("ui-theme", Some("dark")), ("b", None), ("together", None)]
        {
            assert_eq!(sent(&request, name).as_deref(), value, "{name}");
        }
        let cookie = NewCookie { name: "n", value: "v", path: "/", is_secure: true, seconds: Some(0) };
        let header = cookie.header().expect("a header");
        assert_eq!(header, "n=v; Path=/; HttpOnly; SameSite=Strict; Secure; Max-Age=0");
        let odd = NewCookie { value: "a\r\nset-cookie: b", ..cookie };
        assert!(odd.header().is_none());
    }
}
