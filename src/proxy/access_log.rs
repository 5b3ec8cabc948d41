//! The line that the log has for each request.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::StatusCode;

use super::journey::Journey;
use crate::types::{Operation, RequestId, Usage};
use crate::upstream::Endpoint;

/// Gathers what is to be said of one request, and says it when it is dropped: once, however the request ends.
#[derive(Debug)]
pub struct AccessLog {
    id: RequestId,
    /// The upstream's own id of it, which the client saw.
    upstream_id: Option<String>,
    path: Operation,
    model: Option<Arc<str>>,
    since: Instant,
    target: Option<Arc<Endpoint>>,
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
            id: id.clone(),
            upstream_id: None,
            path,
            model: None,
            since: Instant::now(),
            target: None,
            attempts: 0,
            status: None,
            first_token: None,
            usage: None,
            note: None,
        }
    }

    /// What it asks for.
    pub fn operation(&self) -> Operation {
        self.path
    }

    /// It asks for this model.
    pub fn model(&mut self, model: &Arc<str>) {
        self.model = Some(model.clone());
    }

    /// Whom it has been to.
    pub(super) fn attempts(&mut self, journey: &Journey<'_>) {
        self.attempts = journey.exchanges.get();
        self.target = journey.target.take();
    }

    /// The client is told this status.
    pub fn status(&mut self, status: StatusCode) {
        self.status = Some(status);
    }

    /// The client sees the upstream's own id of this request.
    pub(super) fn upstream_id(&mut self, id: &str) {
        self.upstream_id = Some(id.to_owned());
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
}

impl fmt::Display for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (id, model) =
            (self.upstream_id.as_deref().unwrap_or(self.id.as_str()), self.model.as_deref().unwrap_or("-"));
        write!(f, "{id} {} {model} → ", self.path)?;
        match &self.target {
            Some(endpoint) => write!(f, "{}", endpoint.api)?,
            None => f.write_str("-")?,
        }
        if let Some(own) = self.target.as_ref().and_then(|endpoint| endpoint.upstream_model(model)) {
            write!(f, " ({own})")?;
        }
        write!(f, " attempts={} status={}", self.attempts, self.status.map_or(499, |status| status.as_u16()))?;
        match self.first_token {
            Some(first) => write!(f, " first={}ms", first.as_millis())?,
            None => f.write_str(" first=-")?,
        }
        write!(f, " total={}ms", self.since.elapsed().as_millis())?;
        match self.usage {
            Some(Usage { prompt, completion, total, .. }) => write!(f, " tokens={prompt}+{completion}={total}")?,
            None => f.write_str(" tokens=-")?,
        }
        self.note.iter().try_for_each(|note| write!(f, " ({note})"))
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.status = Some(StatusCode::INTERNAL_SERVER_ERROR);
            self.note("a defect of this program: it panicked");
        }
        let level = match self.status {
            Some(status) if status.is_server_error() => log::Level::Error,
            Some(status) if status.is_success() && self.note.is_none() => log::Level::Info,
            // The client's mistake, a limit, or a client that left before it was answered.
            Some(_) | None => log::Level::Warn,
        };
        log::log!(target: "request", level, "{self}");
    }
}
