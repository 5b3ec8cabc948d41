//! The line that the log has for each request.

use std::time::{Duration, Instant};

use actix_web::http::StatusCode;

use crate::types::{Operation, RequestId, Usage};
use crate::upstream::Endpoint;

/// Gathers what is to be said of one request, and says it when it is dropped: once, however the request ends.
#[derive(Debug)]
pub struct AccessLog {
    id: String,
    path: Operation,
    model: String,
    since: Instant,
    target: Option<String>,
    attempts: u32,
    status: Option<StatusCode>,
    first_token: Option<Duration>,
    usage: Option<Usage>,
    note: Option<String>,
}

impl AccessLog {
    /// A request has come.
    pub fn start(id: &RequestId, path: Operation) -> Self {
        AccessLog {
            id: id.to_string(),
            path,
            model: "-".to_owned(),
            since: Instant::now(),
            target: None,
            attempts: 0,
            status: None,
            first_token: None,
            usage: None,
            note: None,
        }
    }

    /// It asks for this model.
    pub fn model(&mut self, model: &str) {
        model.clone_into(&mut self.model);
    }

    /// An attempt is made.
    pub(super) fn attempt(&mut self, endpoint: &Endpoint, model: &str) {
        self.attempts += 1;
        self.target = Some(match endpoint.own_name(model) {
            Some(own) => format!("{} ({own})", endpoint.api),
            None => endpoint.api.to_string(),
        });
    }

    /// The client is told this status.
    pub fn status(&mut self, status: StatusCode) {
        self.status = Some(status);
    }

    /// The client sees the upstream's own id of this request.
    pub(super) fn upstream_id(&mut self, id: &str) {
        id.clone_into(&mut self.id);
    }

    /// What the answer cost, and when it began.
    pub(super) fn answered(&mut self, first_token: Option<Duration>, usage: Option<Usage>) {
        self.first_token = first_token;
        self.usage = usage;
    }

    /// Something else worth a word.
    pub fn note(&mut self, note: impl Into<String>) {
        self.note = Some(note.into());
    }

    fn line(&self) -> String {
        let status = self.status.map_or("499".to_owned(), |s| s.as_u16().to_string());
        let target = self.target.as_deref().unwrap_or("-");
        let first = self.first_token.map_or("-".to_owned(), |d| format!("{}ms", d.as_millis()));
        let tokens = self.usage.map_or("-".to_owned(), |u| format!("{}+{}={}", u.prompt, u.completion, u.total));
        let note = self.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
        format!(
            "{} {} {} → {target} attempts={} status={status} first={first} total={}ms tokens={tokens}{note}",
            self.id,
            self.path,
            self.model,
            self.attempts,
            self.since.elapsed().as_millis(),
        )
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        let level = match self.status {
            Some(status) if status.is_server_error() => log::Level::Error,
            Some(status) if status.is_success() && self.note.is_none() => log::Level::Info,
            // The client's mistake, a limit, or a client that left before it was answered.
            Some(_) | None => log::Level::Warn,
        };
        log::log!(target: "request", level, "{}", self.line());
    }
}
