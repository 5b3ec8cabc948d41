//! The test of one account: a chat of one word.
//!
//! 1. Only this account is asked, once, whatever `retry` says. Its limits hold, and the test counts there.
//! 2. A rest that was only inferred is no obstacle, as nobody else can serve: then the test is the probe, of which one goes each ten
//!    seconds.
//! 3. The test counts at the limits of the dashboard's key, and is not bound by the key's models and accounts.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use thiserror::Error;

use super::{ANSWER_WITHIN, OwnAnswer, OwnChat, OwnClient, OwnRequest};
use crate::config::{ApiConfig, ApiKey};
use crate::dialect::said::words_of_error;
use crate::proxy::trial::{chat_model, trial_body};
use crate::records::{AttemptResult, RequestEnd, RequestRecord};
use crate::scheduler::GetReports;
use crate::types::{ApiId, Cost, Failure, FailureClass, RequestId, Usage};

/// How long a test may take. A model that thinks before it speaks takes half a minute.
const TEST_WITHIN: Duration = Duration::from_secs(120);

/// How long the supervisor may take to tell what an account serves.
const REPORT_WITHIN: Duration = Duration::from_secs(5);

/// What came of a test.
#[derive(Debug, Clone)]
pub struct TestReport {
    /// The name of the request, to be found among the last ones.
    pub id: RequestId,
    /// The model that was asked for, by the clients' name.
    pub model: Arc<str>,
    /// `None` if no head came in time.
    pub status: Option<StatusCode>,
    /// From the attempt's start to the first content.
    pub first_token: Option<Duration>,
    /// From the begin to the end.
    pub total: Duration,
    /// The tokens, reported or estimated.
    pub usage: Option<Usage>,
    /// What the test cost. A model without a price costs nothing.
    pub cost: Cost,
    /// What the model said.
    pub text: String,
    /// Why the test failed, if so.
    pub failure: Option<TestFailure>,
}

/// Why a test failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestFailure {
    /// A word for programs: the class of the upstream's failure, or what of the pool stood in the way, as in `/v1/status`.
    pub reason: &'static str,
    /// The upstream's words without its key, or the pool's.
    pub words: String,
    /// Whether a request went to an upstream. If not, the words are of an earlier one.
    pub was_asked: bool,
}

/// A test that could not be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TestError {
    /// No account has this id.
    #[error("no API has the id {:?}", .0.as_str())]
    UnknownApi(ApiId),
    /// No model is named, and none is known that chats there.
    #[error("no model is known that chats there; name one")]
    NoModel,
}

impl OwnClient {
    /// Tests an account: costs one request. Without a name, the first known model is asked for that most likely chats.
    ///
    /// # Errors
    /// When there is nothing to ask.
    pub async fn test_account(&self, api: &ApiId, model: Option<&str>) -> Result<TestReport, TestError> {
        let unknown = || TestError::UnknownApi(api.clone());
        let config = self.config.apis.iter().find(|entry| entry.id == *api).ok_or_else(unknown)?;
        let model = match model {
            Some(model) => Arc::from(model),
            None => self.known_model(config).await.ok_or(TestError::NoModel)?,
        };
        // An entry has one base URL at least.
        let format = config.formats().next().ok_or_else(unknown)?;
        let chat = OwnChat { format, model: model.to_string(), body: trial_body(format, &model, false) };
        let answer = self.read(OwnRequest { id: RequestId::generate(), chat, only: Some(api) }, TEST_WITHIN).await;
        Ok(report(answer, model, config))
    }

    /// Returns why a chat failed, if so.
    pub fn failure(&self, answer: &OwnAnswer) -> Option<TestFailure> {
        let attempt = answer.request.as_ref().and_then(|request| request.record.attempts.last());
        let asked = attempt.and_then(|attempt| self.config.apis.iter().find(|api| api.id == attempt.api));
        let no_key = ApiKey::new("");
        failure_of(answer, asked.map_or(&no_key, |api| &api.key), ANSWER_WITHIN)
    }

    async fn known_model(&self, config: &ApiConfig) -> Option<Arc<str>> {
        let listed = config.models.listed();
        if let Some(model) = chat_model(listed.iter().map(|name| &**name), false) {
            return Some(Arc::from(model));
        }
        let reports = tokio::time::timeout(REPORT_WITHIN, self.supervisor.send(GetReports)).await.ok()?.ok()?;
        let report = reports.into_iter().find(|report| report.status.config.id == config.id)?;
        let names = report.models?.exact;
        chat_model(names.iter().map(|name| &**name), true).map(Arc::from)
    }
}

fn report(answer: OwnAnswer, model: Arc<str>, config: &ApiConfig) -> TestReport {
    let failure = failure_of(&answer, &config.key, TEST_WITHIN);
    let OwnAnswer { id, status, text, request, .. } = answer;
    let record = request.as_ref().map(|request| &request.record);
    TestReport {
        id,
        model,
        status,
        first_token: record.and_then(|record| record.first_token),
        total: record.map(|record| record.total).unwrap_or_default(),
        usage: record.and_then(|record| record.usage),
        cost: record.map(|record| record.cost()).unwrap_or_default(),
        text,
        failure,
    }
}

fn failure_of(answer: &OwnAnswer, key: &ApiKey, within: Duration) -> Option<TestFailure> {
    let attempts = answer.request.as_ref().map(|request| request.record.attempts.len());
    let was_asked = attempts.is_some_and(|attempts| attempts > 0);
    let fails = |reason, words: String| Some(TestFailure { reason, words, was_asked });
    let shown = || answer.error.as_ref().and_then(|body| words_of_error(body, key));
    let Some(record) = answer.request.as_ref().map(|request| &request.record) else {
        let is_fine = answer.status.is_some_and(|status| status.is_success());
        return if is_fine { None } else { fails("not_recorded", shown().unwrap_or_default()) };
    };
    let failed = last_failure(record);
    match (&record.end, failed) {
        (RequestEnd::Answered, _) if answer.status.is_some_and(|status| status.is_success()) => None,
        // The error of the pool's own says what the upstream said, too, but in a longer way.
        (RequestEnd::Refused { .. }, Some(failure)) => fails(failure.class.as_str(), failure.detail.clone()),
        (RequestEnd::Refused { cause, reason, .. }, None) => fails(cause, reason.clone()),
        // The prompt is ours, so that the words may quote the prompt.
        (_, Some(failure)) => fails(failure.class.as_str(), shown().unwrap_or_else(|| failure.detail.clone())),
        // An upstream's error that was passed on as the answer, or a stream that broke off.
        (RequestEnd::Failed(why), None) => {
            let (class, detail) = why.split_once(": ").unwrap_or(("", why));
            let class = FailureClass::ALL.iter().find(|known| known.as_str() == class);
            fails(class.map_or("failed", |class| class.as_str()), shown().unwrap_or_else(|| detail.to_owned()))
        }
        (RequestEnd::ClientLeft, None) => {
            fails("timeout", format!("no whole answer came within {} s", within.as_secs()))
        }
        (RequestEnd::Stopped, None) => fails("stopping", "the server stops".to_owned()),
        (RequestEnd::Answered | RequestEnd::Defect, None) => fails("internal", shown().unwrap_or_default()),
    }
}

fn last_failure(record: &RequestRecord) -> Option<&Failure> {
    match &record.attempts.last()?.result {
        AttemptResult::Failed(failure) => Some(failure),
        AttemptResult::Open | AttemptResult::Served => None,
    }
}
