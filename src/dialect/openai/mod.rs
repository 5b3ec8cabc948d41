//! OpenAI's dialect: what the fields of answers mean, from OpenAI and from similar upstreams.

mod as_events;
mod as_object;
pub(crate) mod error_body;
mod errors;
mod fields;
pub(in crate::dialect) mod finish;
mod json_response;
mod limit_in_error;
mod model_list;
mod objects;
mod quotation;
pub(crate) mod realtime;
mod stream_event;
mod usage;

use std::collections::BTreeSet;
use std::sync::Arc;

use actix_web::web::Bytes;

pub(in crate::dialect) use self::as_object::events;
use self::error_body::ErrorBody;
use super::event_meaning::EventMeaning;
use super::json_repair::repaired;
use super::{
    Dialect, IdFields, NamedObjects, NamingFields, RefusedResponse, ReplyKind, SentRequest, StreamEvent, WholeAnswer,
    learned_ids, rate_limit_headers,
};
use crate::types::{Failure, FailureClass, Now, ObjectKey, Usage};

/// An object of JSON, in the order of its members.
pub(in crate::dialect) type JsonObject = serde_json::Map<String, serde_json::Value>;

/// Reads an object, if clients can read one.
pub(in crate::dialect) fn object(json: &[u8]) -> Option<JsonObject> {
    serde_json::from_slice(json).ok().or_else(|| serde_json::from_str(&repaired(json)?).ok())
}

/// OpenAI's API, and all that copy it.
#[derive(Debug)]
pub(crate) struct OpenAi;

impl Dialect for OpenAi {
    fn name(&self) -> &'static str {
        "OpenAI"
    }

    fn refusal(&self, response: RefusedResponse<'_>, sent: SentRequest<'_>, now: Now) -> Failure {
        let RefusedResponse { status, headers, body } = response;
        let error = ErrorBody::from_error_response(body);
        let failure = errors::failure(Some(status), &error, sent.upstream_model);
        let detail = quotation::quote(Some(status), &error, failure.class, sent);
        let retry_after = rate_limit_headers::retry_after(headers, now.wall);
        let is_by_words =
            failure.is_doubtful() && failure.is_of_the_account() && matches!(status, 400 | 413 | 415 | 422);
        let counted = !is_by_words || !quotation::may_be_quoted(&error, sent);
        let is_limited = failure.class == FailureClass::RateLimited;
        let exhausted = || is_limited.then(|| rate_limit_headers::exhausted_for(headers, now.wall)).flatten();
        let repeated = || is_limited.then(|| limit_in_error::exhausted_by_body(body, now.wall)).flatten();
        let retry_after = retry_after.or_else(exhausted).or_else(repeated);
        limit_in_error::with_limit(Failure { detail, retry_after, counted, ..failure }, body, &error, sent)
    }

    fn answer(&self, answer: WholeAnswer<'_>, sent: SentRequest<'_>) -> Result<Option<Usage>, Failure> {
        json_response::judge(answer, sent)
    }

    fn event(&self, event: StreamEvent<'_>, sent: SentRequest<'_>) -> EventMeaning {
        stream_event::read(event.kind, event.bytes, event.is_plain, sent)
    }

    fn as_events(&self, answer: WholeAnswer<'_>, with_usage: bool) -> Option<Bytes> {
        as_events::events_of(answer.kind, answer.body, with_usage)
    }

    fn as_object(&self, stream: WholeAnswer<'_>) -> Option<Bytes> {
        as_object::object_of(stream.kind, stream.body)
    }

    fn spent_limit(&self, body: &[u8]) -> Option<Bytes> {
        let mut whole = object(body)?;
        let error = whole.get_mut("error")?.as_object_mut()?;
        error.insert("code".to_owned(), "insufficient_quota".into());
        serde_json::to_vec(&whole).ok().map(Bytes::from)
    }

    fn model_list_path(&self) -> &'static str {
        "models"
    }

    fn named_objects(&self, kind: ReplyKind, fields: NamingFields<'_>) -> NamedObjects {
        if kind == ReplyKind::Responses { objects::named(fields) } else { NamedObjects::default() }
    }

    fn id_fields(&self) -> &'static IdFields {
        &fields::ID_FIELDS
    }

    fn made_objects(&self, answer: WholeAnswer<'_>) -> Vec<ObjectKey> {
        if answer.kind == ReplyKind::Responses { objects::made(answer.body) } else { learned_ids(self, answer) }
    }

    fn made_by_event(&self, event: &[u8], made: &mut Vec<ObjectKey>) {
        objects::made_by_event(event, made);
    }

    fn model_names(&self, body: &[u8]) -> Option<BTreeSet<Arc<str>>> {
        model_list::names(body)
    }
}

/// An error that came with a 200, or as an event.
#[derive(Debug)]
pub(in crate::dialect) struct FoundError {
    /// What the error means.
    pub(in crate::dialect) failure: Failure,
    /// Whether the error stands where OpenAI's clients look for one, and Google's.
    pub(in crate::dialect) is_openai_shaped: bool,
}

/// Returns the error in the body of a success, or in the data of an event. `named`: the event is called an error, so that all of its
/// data is about one.
pub(in crate::dialect) fn error_in(data: &[u8], named: bool, sent: SentRequest<'_>) -> Option<FoundError> {
    let error = ErrorBody::from_success(data).or_else(|| named.then(|| ErrorBody::from_error_response(data)))?;
    let failure = errors::in_success(&error, sent.upstream_model);
    let quote = quotation::quote(error.status_code, &error, failure.class, sent);
    let failure = Failure { detail: format!("an error in a 200: {quote}"), ..failure };
    let failure = limit_in_error::with_limit(failure, data, &error, sent);
    Some(FoundError { failure, is_openai_shaped: error.is_openai_shaped })
}
