//! Anthropic's dialect: messages, whole or as events, and counts of tokens. Errors are judged by the tables of OpenAI's dialect, which
//! know the types of Anthropic's errors, too.

mod as_events;
mod as_object;
mod message;
mod stream_event;
mod usage;

use std::collections::BTreeSet;
use std::sync::Arc;

use actix_web::web::Bytes;

use super::event_meaning::EventMeaning;
use super::openai::OpenAi;
use super::{Dialect, RefusedResponse, SentRequest, StreamEvent, WholeAnswer};
use crate::types::{Failure, Now, Usage};

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

    fn model_list_path(&self) -> &'static str {
        "models?limit=1000"
    }

    fn model_names(&self, body: &[u8]) -> Option<BTreeSet<Arc<str>>> {
        OpenAi.model_names(body)
    }
}
