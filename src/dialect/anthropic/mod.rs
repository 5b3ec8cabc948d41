//! Anthropic's dialect: messages, whole or as events, and counts of tokens. Errors are judged by the tables of OpenAI's dialect, which
//! know the types of Anthropic's errors, too.

mod as_events;
mod as_object;
mod message;
mod results_url;
mod stream_event;
mod usage;

use std::collections::BTreeSet;
use std::sync::Arc;

use actix_web::web::Bytes;

use super::event_meaning::EventMeaning;
use super::openai::OpenAi;
use super::{Dialect, IdFields, RefusedResponse, SentRequest, StreamEvent, WholeAnswer, learned_ids};
use crate::types::{Failure, Now, ObjectKey, Usage};

/// What names objects. What a model gives to a tool is the client's own.
static ID_FIELDS: IdFields = IdFields {
    naming: &["file_id", "container"],
    of_objects: &[
        "agent",
        "agent_id",
        "agents",
        "deployment_id",
        "environment_id",
        "memory_store_id",
        "session_ids",
        "vault_ids",
    ],
    prefixed: &[("skill_id", "skill_")],
    learned: &["id", "container", "deployment_id", "environment_id", "memory_store_id", "session_id", "vault_ids"],
    // The model of an agent has an `id`, too.
    skipped: &["metadata", "input", "input_schema", "schema", "model"],
};

/// Anthropic's API, and all that copy it.
#[derive(Debug)]
pub(crate) struct Anthropic;

impl Dialect for Anthropic {
    fn name(&self) -> &'static str {
        "Anthropic"
    }

    fn refusal(&self, response: RefusedResponse<'_>, sent: SentRequest<'_>, now: Now) -> Failure {
        OpenAi.refusal(response, sent, now)
    }

    fn answer(&self, answer: WholeAnswer<'_>, sent: SentRequest<'_>) -> Result<Option<Usage>, Failure> {
        message::judge(answer, sent)
    }

    fn event(&self, event: StreamEvent<'_>, sent: SentRequest<'_>) -> EventMeaning {
        stream_event::read(event, sent)
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

    fn made_objects(&self, answer: WholeAnswer<'_>) -> Vec<ObjectKey> {
        learned_ids(self, answer)
    }

    fn at_base(&self, answer: &[u8], base: &str) -> Option<Bytes> {
        results_url::at_base(answer, base)
    }

    fn model_list_path(&self) -> &'static str {
        "models?limit=1000"
    }

    fn model_names(&self, body: &[u8]) -> Option<BTreeSet<Arc<str>>> {
        OpenAi.model_names(body)
    }
}
