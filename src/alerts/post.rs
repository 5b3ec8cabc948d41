//! One try: the message is posted, and the receiver's status read.

use std::time::Duration;

use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::web::Bytes;
use tokio::time::timeout;
use transport::{ClientCache, Target};
use url::{Position, Url};

use super::body::test_body;
use crate::config::AlertConfig;
use crate::types::{Now, SentAt};

/// How long one try may take, the connection included.
const TRY_WITHIN: Duration = Duration::from_secs(10);

/// How long the connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// Why a message was not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostFailure {
    /// In words. Never with the URL's path or a header.
    pub why: String,
    /// Another try may succeed.
    pub(super) may_pass: bool,
    /// The receiver names the time of the next try.
    pub(super) retry_after: Option<Duration>,
}

/// Posts one message, in time.
///
/// # Errors
/// When no 2xx came.
pub(super) async fn post(
    clients: &ClientCache,
    (receiver, serial): (&AlertConfig, u64),
    body: Bytes,
) -> Result<(), PostFailure> {
    let passing = |why: String| PostFailure { why, may_pass: true, retry_after: None };
    let Ok(url) = Url::parse(receiver.url.expose()) else {
        return Err(PostFailure { may_pass: false, ..passing("its url is no URL".to_owned()) });
    };
    let client = clients.get(serial, || target(receiver, &url, serial));
    let path = url[Position::BeforePath..].trim_start_matches('/');
    let request = client.request(Method::POST, path).insert_header((header::CONTENT_TYPE, "application/json"));
    let sent_at = SentAt::default();
    let sending = client.send(request, body, &sent_at);
    let answer = timeout(TRY_WITHIN, Box::pin(sending)).await;
    let answer = answer.map_err(|_| passing(format!("no answer within {} s", TRY_WITHIN.as_secs())))?;
    let answer = answer.map_err(|error| passing(error.to_string()))?;
    judge(answer.head.status(), answer.head.headers())
}

/// Posts the message of a test to a receiver.
///
/// # Errors
/// When no 2xx came.
pub async fn post_test(receiver: &AlertConfig, server: &str) -> Result<(), PostFailure> {
    let body = test_body(Now::read().wall, server);
    post(&ClientCache::default(), (receiver, 0), Bytes::from(body)).await
}

/// Returns what a status says. Only an overloaded or broken receiver may take the same message later.
fn judge(status: StatusCode, headers: &HeaderMap) -> Result<(), PostFailure> {
    if status.is_success() {
        return Ok(());
    }
    let seconds = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let mend = match status.as_u16() {
        300..=399 => ": it answers with a redirect, which is not followed; give the URL behind it",
        401 | 403 => ": it refuses the message; check the url and the headers",
        404 | 410 => ": there is no such webhook; check the url",
        _ => "",
    };
    Err(PostFailure {
        why: format!("{}{mend}", status.as_u16()),
        may_pass: status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429),
        retry_after: seconds.map(Duration::from_secs),
    })
}

fn target(receiver: &AlertConfig, url: &Url, serial: u64) -> Target {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or(80);
    let sendable = receiver.headers.iter().filter_map(|(name, value)| {
        let value = HeaderValue::from_str(value.expose()).ok()?;
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value))
    });
    let agent = HeaderValue::from_static(concat!("api-together/", env!("CARGO_PKG_VERSION")));
    Target {
        id: format!("alerts-{serial}"),
        base: format!("http://{host}:{port}/"),
        tls: url.scheme() == "https",
        http2: true,
        proxy: receiver.proxy.clone(),
        headers: std::iter::once((header::USER_AGENT, agent)).chain(sendable).collect(),
        connect_timeout: CONNECT_WITHIN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_broken_or_busy_receiver_is_asked_again() {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("7"));
        for (status, may_pass) in
            [(301, false), (400, false), (404, false), (408, true), (429, true), (500, true), (503, true)]
        {
            let status = StatusCode::from_u16(status).expect("a status");
            let failure = judge(status, &headers).expect_err("no success");
            assert_eq!((failure.may_pass, failure.retry_after), (may_pass, Some(Duration::from_secs(7))), "{status}");
        }
        assert_eq!(judge(StatusCode::NO_CONTENT, &headers), Ok(()));
    }
}
