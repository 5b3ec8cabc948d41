//! Gemini's own dialect: answers, whole or in pieces, counts of tokens and embeddings. Errors are judged by the tables of OpenAI's
//! dialect: these tables have Google's words, too.

mod answer;
mod as_events;
mod as_object;
mod content;
mod request;
mod stream_event;
mod usage;

use std::collections::BTreeSet;
use std::sync::Arc;

use actix_web::web::Bytes;

pub(crate) use self::request::GeminiRequest;
pub(in crate::dialect) use self::usage::find_last as find_last_usage;
use super::event_meaning::EventMeaning;
use super::openai::OpenAi;
use super::{Dialect, IdFields, RefusedResponse, SentRequest, StreamEvent, WholeAnswer};
use crate::types::{Failure, Now, Usage};

/// No object has a path here.
static ID_FIELDS: IdFields = IdFields { naming: &[], of_objects: &[], prefixed: &[], learned: &[], skipped: &[] };

/// Gemini's API, and all copies of Gemini's API.
#[derive(Debug)]
pub(crate) struct Gemini;

impl Dialect for Gemini {
    fn name(&self) -> &'static str {
        "Gemini"
    }

    fn refusal(&self, response: RefusedResponse<'_>, sent: SentRequest<'_>, now: Now) -> Failure {
        OpenAi.refusal(response, sent, now)
    }

    fn answer(&self, answer: WholeAnswer<'_>, sent: SentRequest<'_>) -> Result<Option<Usage>, Failure> {
        answer::judge(answer, sent)
    }

    fn event(&self, event: StreamEvent<'_>, sent: SentRequest<'_>) -> EventMeaning {
        stream_event::read(event.bytes, sent)
    }

    fn as_events(&self, answer: WholeAnswer<'_>, _with_usage: bool) -> Option<Bytes> {
        as_events::events_of(answer.kind, answer.body)
    }

    fn as_object(&self, stream: WholeAnswer<'_>) -> Option<Bytes> {
        as_object::object_of(stream.kind, stream.body)
    }

    fn id_fields(&self) -> &'static IdFields {
        &ID_FIELDS
    }

    fn model_list_path(&self) -> &'static str {
        "v1beta/models?pageSize=1000"
    }

    fn model_names(&self, body: &[u8]) -> Option<BTreeSet<Arc<str>>> {
        OpenAi.model_names(body)
    }
}
