//! Asks the running server. Messages name the server, and say what to do.

use std::path::PathBuf;
use std::time::Duration;

use actix_web::http::Method;
use actix_web::http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use actix_web::rt::Runtime;
use actix_web::web::Bytes;
use clock::SentAt;
use futures_util::StreamExt;
use serde_json::Value;
use tokio::time::timeout;
use transport::{ClientCache, IncomingResponse, Target};
use url::Url;

use crate::cli::CliError;
use crate::config::ApiKey;

/// Holds a key of the server.
pub(in crate::cli) const KEY_VARIABLE: &str = "API_TOGETHER_KEY";

/// How long the server may take, which answers from memory.
const WITHIN: Duration = Duration::from_secs(10);

/// The largest answer, in bytes: the status of thousands of accounts.
const MOST_BYTES: usize = 64 << 20;

/// A server that runs, maybe.
#[derive(Debug)]
pub(crate) struct RunningServer {
    /// Its root: ends in `/`.
    pub(crate) url: Url,
    pub(crate) key: Option<ApiKey>,
    /// The certificate in the server's configuration, which is trusted.
    pub(crate) certificate: Option<PathBuf>,
    /// Does the configuration have digests of keys only?
    pub(crate) lacks_key: bool,
}

/// An answer.
struct Answer {
    status: u16,
    body: Vec<u8>,
}

impl RunningServer {
    /// Returns the URL as clients have it, without the final `/`.
    pub(crate) fn root(&self) -> &str {
        self.url.as_str().trim_end_matches('/')
    }

    /// Asks for a path below the root.
    ///
    /// # Errors
    /// When there is no answer, or another one than success.
    pub(crate) fn get(&self, path: &str, headers: &[(&'static str, &'static str)]) -> Result<Value, CliError> {
        let Answer { status, body } = self.answer(path, headers)?;
        let body = serde_json::from_slice(&body).unwrap_or_default();
        if (200..300).contains(&status) { Ok(body) } else { Err(self.refused(status, &body)) }
    }

    /// Does the same with a path that is for operators. Returns nothing if the key is a client's.
    ///
    /// # Errors
    /// When there is no answer, or another one.
    pub(crate) fn get_as_operator(&self, path: &str) -> Result<Option<Value>, CliError> {
        let Answer { status, body } = self.answer(path, &[])?;
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        match status {
            200..300 => Ok(Some(body)),
            403 if body.pointer("/error/code").and_then(Value::as_str) == Some("not_permitted") => Ok(None),
            _ => Err(self.refused(status, &body)),
        }
    }

    /// Asks for a text below the root.
    ///
    /// # Errors
    /// When there is no answer, or another one than success.
    pub(crate) fn get_text(&self, path: &str) -> Result<String, CliError> {
        let Answer { status, body } = self.answer(path, &[])?;
        if (200..300).contains(&status) {
            return Ok(String::from_utf8_lossy(&body).into_owned());
        }
        Err(self.refused(status, &serde_json::from_slice(&body).unwrap_or_default()))
    }

    fn answer(&self, path: &str, headers: &[(&'static str, &'static str)]) -> Result<Answer, CliError> {
        if self.lacks_key {
            let why =
                "no key for this stands in the configuration in clear text (digests, and variables that are not set)";
            return Err(CliError::Usage(format!("{why}; give a key with --key or {KEY_VARIABLE}")));
        }
        if let Some(certificate) = &self.certificate {
            transport::trust_also(certificate);
        }
        let asked = async { timeout(WITHIN, self.ask(path, headers)).await };
        let late = |_| self.unreachable("no answer within 10 s");
        Runtime::new()?.block_on(asked).map_err(late)?
    }

    async fn ask(&self, path: &str, headers: &[(&'static str, &'static str)]) -> Result<Answer, CliError> {
        let tls = self.url.scheme() == "https";
        let host = self.url.host_str().unwrap_or_default();
        let port = self.url.port_or_known_default().unwrap_or(80);
        let base = format!("http://{host}:{port}{}", self.url.path());
        let key = self
            .key
            .iter()
            .filter_map(|key| Some((AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {}", key.expose())).ok()?)));
        let fixed =
            headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let headers = key.chain(fixed).collect();
        let id = "server".to_owned();
        let target = Target { id, base, tls, http2: false, proxy: None, headers, connect_timeout: WITHIN };
        let client = ClientCache::default().get(0, || target);
        let sent_at = SentAt::default();
        let sending = client.send(client.request(Method::GET, path), Bytes::new(), &sent_at);
        let IncomingResponse { head, mut body } =
            sending.await.map_err(|error| self.unreachable(&error.to_string()))?;
        let mut bytes = Vec::new();
        while let Some(piece) = body.next().await {
            bytes.extend(piece.map_err(|error| self.unreachable(&format!("the answer broke off: {error}")))?);
            if bytes.len() > MOST_BYTES {
                return Err(self.unreachable("the answer is larger than 64 MiB"));
            }
        }
        let status = head.status().as_u16();
        Ok(Answer { status, body: bytes })
    }

    /// Says that the server can't be asked.
    fn unreachable(&self, why: &str) -> CliError {
        let mend = match (why.contains("certificate"), &self.certificate) {
            (true, Some(_)) => "name the server as its certificate does, with --url https://NAME:PORT",
            (true, None) => "trust its certificate with SSL_CERT_FILE=FILE",
            (false, _) => "is api-together running there? Name another with --url",
        };
        CliError::Server(format!("{}: {why}; {mend}", self.root()))
    }

    /// Says that the server refused.
    fn refused(&self, status: u16, body: &Value) -> CliError {
        let said = body.pointer("/error/message").and_then(Value::as_str);
        let mend = match (status, &self.key) {
            (401 | 403, None) => format!("it wants a key: give one with --key or {KEY_VARIABLE}"),
            (401 | 403, Some(key)) => format!("it refused the key {key}: {}", said.unwrap_or("no reason given")),
            (_, _) => said.unwrap_or("is an api-together running there? Name another with --url").to_owned(),
        };
        CliError::Server(format!("{} answered {status}: {mend}", self.root()))
    }
}
