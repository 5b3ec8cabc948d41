//! What the bytes of an API mean. Pure: no I/O, no clock, no actor.
//!
//! - [`routes`]: the table of forwarded paths. [`reply_kind`]: the kinds of answers. [`first_bytes`]: what an answer is, by its first bytes.
//! - [`event_stream`]: one stream, event by event, in any dialect. [`event_meaning`]: one event. [`sse`] cuts events. [`usage`] completes reports.
//! - [`openai`]: the fields of OpenAI's API, and nothing of general use. [`anthropic`], [`gemini`]: the same of Anthropic's and Gemini's.
//! - [`large_answer`]: answers beyond the bound of memory. [`lenient`], [`json_text`], [`json_repair`], [`json_depth`], [`json_list`], [`scanned_body`], [`redact`], [`said`], [`token_estimate`]: tools.
//! - [`billed`]: what is billed beside tokens.

mod anthropic;
pub(crate) mod billed;
pub(crate) mod echo_model;
mod event_meaning;
pub(crate) mod event_stream;
pub(crate) mod first_bytes;
mod gemini;
pub(crate) mod json_depth;
mod json_list;
mod json_repair;
mod json_text;
pub(crate) mod large_answer;
mod lenient;
mod object_ids;
pub(crate) mod openai;
pub(crate) mod rate_limit_headers;
pub(crate) mod redact;
mod reply_kind;
pub(crate) mod routes;
pub(crate) use routes::Naming;
pub(crate) mod said;
pub(crate) mod scanned_body;
pub(crate) mod sse;
pub(crate) mod token_estimate;
mod usage;

pub(crate) use self::routes::SecretUse;
pub use event_stream::EventStream;
pub use reply_kind::ReplyKind;
pub use routes::{
    CalledRoute, GeminiPath, ListOrder, ModelPlace, ROUTES, RealtimeUnit, Route, SocketRoute, SocketUse, USUAL_VERSION,
    VERSIONS, WrongId, all_routes, chat_route, format_of, gemini_verbs, is_route, passed_through, routes_at,
    takes_secrets,
};

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

use actix_web::http::header::HeaderMap;
use actix_web::web::Bytes;
use serde_json::value::RawValue;

use self::anthropic::Anthropic;
use self::event_meaning::EventMeaning;
use self::gemini::Gemini;
pub(crate) use self::gemini::GeminiRequest;
pub(crate) use self::object_ids::{
    IdFields, IdPlace, MAX_NAMED, id_places, is_error_alone, is_found, learned_ids, named_beside, named_ids,
    named_in_query,
};
use self::openai::OpenAi;
use crate::config::ApiKey;
use crate::types::{Failure, Now, ObjectKey, Usage, WireFormat};

/// What the bytes of one API mean. One static value for each wire format; each route of the table names one of the dialects.
pub(crate) trait Dialect: Debug + Sync {
    /// Returns the dialect's name for people.
    #[cfg_attr(not(test), expect(dead_code, reason = "docs/api.md is made by a test"))]
    fn name(&self) -> &'static str;

    /// Returns what a response means whose status is no success.
    fn refusal(&self, response: RefusedResponse<'_>, sent: SentRequest<'_>, now: Now) -> Failure;

    /// Judges a whole success, and returns the tokens.
    ///
    /// # Errors
    /// With the failure, if the body is no answer.
    fn answer(&self, answer: WholeAnswer<'_>, sent: SentRequest<'_>) -> Result<Option<Usage>, Failure>;

    /// Reads one event of a stream.
    fn event(&self, event: StreamEvent<'_>, sent: SentRequest<'_>) -> EventMeaning;

    /// Returns a whole answer as a stream of events, if the answer has such a form.
    fn as_events(&self, answer: WholeAnswer<'_>, with_usage: bool) -> Option<Bytes>;

    /// Returns a whole stream of events as one object, if the events make up an object.
    fn as_object(&self, stream: WholeAnswer<'_>) -> Option<Bytes>;

    /// Returns the body of a 429 with the code by which clients stop and do not sleep. `None`: the body stays as it is.
    fn spent_limit(&self, _body: &[u8]) -> Option<Bytes> {
        None
    }

    /// Returns the path of the list of models below a base URL, with a query.
    fn model_list_path(&self) -> &'static str;

    /// Returns the objects that a request names by the fields of the Responses API and that live on one account, the last one first.
    fn named_objects(&self, _kind: ReplyKind, _fields: NamingFields<'_>) -> NamedObjects {
        NamedObjects::default()
    }

    /// Returns which members of a body or a query name objects, and which are left out.
    fn id_fields(&self) -> &'static IdFields;

    /// Returns the objects that a whole answer makes on the account.
    fn made_objects(&self, _answer: WholeAnswer<'_>) -> Vec<ObjectKey> {
        Vec::new()
    }

    /// Returns an answer about objects in which addresses of the account are the pool's. `None`: the answer has no such address.
    fn at_base(&self, _answer: &[u8], _base: &str) -> Option<Bytes> {
        None
    }

    /// Adds the objects that one event of a stream shows. Asked only for kinds of answers that make objects.
    fn made_by_event(&self, _event: &[u8], _made: &mut Vec<ObjectKey>) {}

    /// Returns the names in a list of models; `None` if the body is no list.
    fn model_names(&self, body: &[u8]) -> Option<BTreeSet<Arc<str>>>;
}

/// Returns the dialect of a format.
pub(crate) fn dialect_of(format: WireFormat) -> &'static dyn Dialect {
    match format {
        WireFormat::OpenAi => &OpenAi,
        WireFormat::Anthropic => &Anthropic,
        WireFormat::Gemini => &Gemini,
    }
}

/// The members of a request that may name objects. A missing one is null.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NamingFields<'a> {
    pub(crate) previous_response_id: &'a RawValue,
    pub(crate) conversation: &'a RawValue,
    pub(crate) input: &'a RawValue,
}

/// The objects that a request names.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct NamedObjects {
    /// All objects.
    pub(crate) objects: Vec<ObjectKey>,
    /// The first so many must live on one account. The other objects are pieces of an earlier answer, and may have other homes.
    pub(crate) firm: usize,
}

/// A response whose status is no success.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RefusedResponse<'a> {
    pub(crate) status: u16,
    pub(crate) headers: &'a HeaderMap,
    /// As much of the body as is there.
    pub(crate) body: &'a [u8],
}

/// The whole body of a success.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WholeAnswer<'a> {
    pub(crate) kind: ReplyKind,
    pub(crate) body: &'a [u8],
    /// The length of the request, for an estimate of tokens.
    pub(crate) prompt_bytes: usize,
}

/// One event of a stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StreamEvent<'a> {
    pub(crate) kind: ReplyKind,
    pub(crate) bytes: &'a [u8],
    /// The answer has begun, and enough pieces of text were measured.
    pub(crate) is_plain: bool,
}

/// The request as an upstream got it. An error may quote the request, and a quotation proves nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SentRequest<'a> {
    /// The upstream's name for the model.
    pub(crate) upstream_model: &'a str,
    /// The client's body, as long as it is held.
    pub(crate) body: Option<&'a [u8]>,
    /// The upstream's key, which errors may quote.
    pub(crate) key: Option<&'a ApiKey>,
}

#[cfg(test)]
mod tests;
