//! One request, from the first byte to the end: the question, the attempts, the client's answer.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::{Method, StatusCode};

use super::Recorder;
use super::request_end::RequestEnd;
use crate::keys::KeyPermit;
use crate::types::{
    ApiId, AppName, BilledUnits, Cost, Failure, KeyName, Price, RequestId, RouteId, SendProgress, SentAt, Usage,
};

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
    /// The name of the key that was presented, or of the key of all clients where none is needed.
    pub key: Option<KeyName>,
    /// The client's program.
    pub app: AppName,
    /// The route of a forwarded request.
    pub route: Option<RouteId>,
    /// The client asked for a stream.
    pub stream: bool,
    /// From the request's head to the whole request, body included.
    pub asked: Duration,
    /// How long the request waited for a limit to free before the first attempt.
    pub waited: Duration,
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
    /// From the upstream's first content to the client's.
    pub passed_on: Duration,
    /// From the request's head to the end.
    pub total: Duration,
    /// The tokens of the answer, reported or estimated, and what is billed beside tokens.
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
    /// The tokens, reported or estimated, and what is billed beside tokens. `None`: none, as far as anybody knows.
    pub usage: Option<Usage>,
    /// The price of the model there.
    pub price: Option<Price>,
    /// Tells whether the request was written to the upstream.
    pub sent_at: SentAt,
    /// The tokens of the prompt, estimated. `None`: the route takes none.
    pub prompt: Option<u64>,
    /// What the request asks for that is billed beside tokens.
    pub billed: BilledUnits,
}

impl AttemptRecord {
    /// Returns what the attempt cost. A model without a price costs nothing.
    pub fn cost(&self) -> Cost {
        self.known_cost().unwrap_or_default()
    }

    /// Returns what the attempt cost; `None` if nobody knows.
    pub(super) fn known_cost(&self) -> Option<Cost> {
        self.usage.and_then(|usage| self.price.map_or(Some(Cost::ZERO), |price| price.known_cost(&usage)))
    }

    /// Returns whether any of the request was written to the upstream.
    pub fn was_sent(&self) -> bool {
        self.sent_at.read() != SendProgress::NotStarted
    }
}

/// What is known of an attempt at its begin.
#[derive(Debug)]
pub struct AttemptStart<'a> {
    /// The upstream.
    pub api: &'a ApiId,
    /// The upstream's own name for the model, if different.
    pub model: Option<&'a Arc<str>>,
    /// The price of the model there.
    pub price: Option<Price>,
    /// Tells whether the request was written.
    pub sent_at: &'a SentAt,
    /// The tokens of the prompt, estimated. `None`: the route takes none.
    pub prompt: Option<u64>,
    /// What the request asks for that is billed beside tokens.
    pub billed: BilledUnits,
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

/// The record of a request under way. The drop ends and sends the record, once, at any end of the request.
#[derive(Debug)]
pub struct OpenRecord {
    pub(super) record: Option<Box<RequestRecord>>,
    since: Instant,
    recorder: Recorder,
    /// What the client's key gave, if anything of the key is limited. Boxed: most requests have none.
    pub(super) key_permit: Option<Box<KeyPermit>>,
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
            key: None,
            app: AppName::NONE,
            route: None,
            stream: false,
            asked: Duration::ZERO,
            waited: Duration::ZERO,
            model: None,
            attempts: Vec::new(),
            status: None,
            end: RequestEnd::ClientLeft,
            first_token: None,
            passed_on: Duration::ZERO,
            total: Duration::ZERO,
            usage: None,
        };
        OpenRecord { record: Some(Box::new(record)), since: Instant::now(), recorder, key_permit: None }
    }

    /// Gives the record up: nothing is recorded, and what the client's key gave goes back.
    pub fn discard(mut self) {
        self.record = None;
    }

    /// Records something of the request.
    pub fn with(&mut self, set: impl FnOnce(&mut RequestRecord)) {
        if let Some(record) = &mut self.record {
            set(record);
        }
    }

    /// Records that the whole request is there.
    pub fn asked(&mut self) {
        let asked = self.since.elapsed();
        self.with(|record| record.asked = asked);
    }

    pub(super) fn recorder(&self) -> &Recorder {
        &self.recorder
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

    /// Records a wait for a limit to free. What is waited between attempts is none of the pool's own time anyway.
    pub fn waited(&mut self, waited: Duration) {
        self.with(|record| {
            if record.attempts.is_empty() {
                record.waited += waited;
            }
        });
    }

    /// Records the begin of an attempt. Returns the place for [`OpenRecord::attempt_ended`].
    pub fn attempt_began(&mut self, start: AttemptStart<'_>) -> usize {
        let began = self.since.elapsed();
        let mut place = 0;
        self.with(|record| {
            place = record.attempts.len();
            record.attempts.push(AttemptRecord {
                api: start.api.clone(),
                model: start.model.cloned(),
                began,
                took: Duration::ZERO,
                result: AttemptResult::Open,
                usage: None,
                price: start.price,
                sent_at: start.sent_at.clone(),
                prompt: start.prompt,
                billed: start.billed,
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

    /// Records the tokens of an attempt.
    pub fn attempt_used(&mut self, place: usize, usage: Option<Usage>) {
        self.with(|record| {
            if let Some(attempt) = record.attempts.get_mut(place) {
                attempt.usage = usage;
            }
        });
    }

    /// Records the tokens of the answer, those of the serving attempt.
    pub fn answer_used(&mut self, usage: Option<Usage>) {
        self.with(|record| {
            record.usage = usage;
            let is_serving = |attempt: &&mut AttemptRecord| matches!(attempt.result, AttemptResult::Served);
            if let Some(serving) = record.attempts.iter_mut().rfind(is_serving) {
                serving.usage = usage;
            }
        });
    }
}

impl Drop for OpenRecord {
    fn drop(&mut self) {
        let Some(mut record) = self.record.take() else { return };
        record.total = self.since.elapsed();
        for attempt in &mut record.attempts {
            attempt.usage = attempt.usage.or_else(|| attempt.given_up());
        }
        if let Some(permit) = self.key_permit.take() {
            permit.settle(record.key_spending());
        }
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
