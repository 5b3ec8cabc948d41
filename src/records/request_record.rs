//! One request, from the first byte to the end: the question, the attempts, the client's answer.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::{Method, StatusCode};

use super::Recorder;
use crate::types::{ApiId, Failure, RequestId, Usage};

/// All facts of one request, known at its end.
#[derive(Debug, Clone)]
pub struct RequestRecord {
    /// Ours.
    pub id: RequestId,
    /// The upstream's own id of the request, if the client saw one.
    pub upstream_id: Option<String>,
    /// As sent.
    pub method: Method,
    /// As sent, without the query.
    pub path: Cow<'static, str>,
    /// The client's address.
    pub client: Option<IpAddr>,
    /// The model by the client's name.
    pub model: Option<Arc<str>>,
    /// Every exchange with an upstream, in order of begin.
    pub attempts: Vec<AttemptRecord>,
    /// The client's status; `None` if the client left before.
    pub status: Option<StatusCode>,
    /// How the request ended.
    pub end: RequestEnd,
    /// From the start of the serving attempt to the first content.
    pub first_token: Option<Duration>,
    /// From the request's head to the end.
    pub total: Duration,
    /// The tokens of the answer, reported or estimated.
    pub usage: Option<Usage>,
}

/// One exchange with one upstream.
#[derive(Debug, Clone)]
pub struct AttemptRecord {
    /// The upstream.
    pub api: ApiId,
    /// The upstream's own name for the model, if different.
    pub model: Option<Arc<str>>,
    /// From the start of the request to the start of the attempt.
    pub began: Duration,
    /// From the start of the attempt to the answer or failure.
    pub took: Duration,
    /// The end.
    pub result: AttemptResult,
}

/// How an attempt ended.
#[derive(Debug, Clone)]
pub enum AttemptResult {
    /// No answer yet. At the end of a request: the attempt was given up.
    Open,
    /// The answer went to the client.
    Served,
    /// A failure, with the reason.
    Failed(Failure),
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestEnd {
    /// The client got an answer, whole.
    Answered,
    /// The pool itself refused: the error's code, and why.
    Refused {
        /// `error.code` of the client's answer.
        code: &'static str,
        /// For a person.
        reason: String,
    },
    /// The client got an upstream's error, or a part of an answer: why.
    Failed(String),
    /// The client left before the end.
    ClientLeft,
    /// The server stopped, and cut the answer off.
    Stopped,
    /// This program panicked.
    Defect,
}

/// The record of a request under way. The drop ends and sends the record, once, at any end of the request.
#[derive(Debug)]
pub struct OpenRecord {
    record: Option<Box<RequestRecord>>,
    since: Instant,
    recorder: Recorder,
}

impl OpenRecord {
    /// Opens the record of a request.
    pub fn new(recorder: Recorder, id: RequestId, method: Method, path: Cow<'static, str>) -> Self {
        let record = RequestRecord {
            id,
            upstream_id: None,
            method,
            path,
            client: None,
            model: None,
            attempts: Vec::new(),
            status: None,
            end: RequestEnd::ClientLeft,
            first_token: None,
            total: Duration::ZERO,
            usage: None,
        };
        OpenRecord { record: Some(Box::new(record)), since: Instant::now(), recorder }
    }

    /// Records something of the request.
    pub fn with(&mut self, set: impl FnOnce(&mut RequestRecord)) {
        if let Some(record) = &mut self.record {
            set(record);
        }
    }

    /// Returns the id of the request, for other lines of the log.
    pub fn id(&self) -> &str {
        self.record.as_ref().map_or("-", |record| record.id.as_str())
    }

    /// Records the status of the client's answer. The answer is whole, unless a later call says otherwise.
    pub fn answered(&mut self, status: StatusCode) {
        self.with(|record| {
            record.status = Some(status);
            record.end = RequestEnd::Answered;
        });
    }

    /// Records how the request ended.
    pub fn ended(&mut self, end: RequestEnd) {
        self.with(|record| record.end = end);
    }

    /// Records the begin of an attempt. Returns the place for [`OpenRecord::attempt_ended`].
    pub fn attempt_began(&mut self, api: &ApiId, model: Option<&Arc<str>>) -> usize {
        let began = self.since.elapsed();
        let mut place = 0;
        self.with(|record| {
            place = record.attempts.len();
            record.attempts.push(AttemptRecord {
                api: api.clone(),
                model: model.cloned(),
                began,
                took: Duration::ZERO,
                result: AttemptResult::Open,
            });
        });
        place
    }

    /// Records the end of an attempt.
    pub fn attempt_ended(&mut self, place: usize, result: AttemptResult) {
        let now = self.since.elapsed();
        self.with(|record| {
            if let Some(attempt) = record.attempts.get_mut(place) {
                attempt.took = now.saturating_sub(attempt.began);
                attempt.result = result;
            }
        });
    }
}

impl Drop for OpenRecord {
    fn drop(&mut self) {
        let Some(mut record) = self.record.take() else { return };
        record.total = self.since.elapsed();
        if std::thread::panicking() {
            record.status = Some(StatusCode::INTERNAL_SERVER_ERROR);
            record.end = RequestEnd::Defect;
        } else if record.end == RequestEnd::ClientLeft && self.recorder.is_cutting_off() {
            record.end = RequestEnd::Stopped;
            // Without an answer so far, the client gets the 503 of a server that stops.
            record.status.get_or_insert(StatusCode::SERVICE_UNAVAILABLE);
        }
        self.recorder.record(record);
    }
}
