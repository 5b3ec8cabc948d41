//! The rows about objects that live on an account: files, batches, responses, threads and so on.
//!
//! This file has the rows of OpenAI's format. [`agents`] has the rows of OpenAI's agents, [`realtime`] the rows of realtime,
//! [`anthropic`] the rows of Anthropic's format.
//!
//! 1. A row is free, unless it runs a model: a request about an object counts against no limit.
//! 2. A request with an id, in the path, the query or the body, goes to the account that made the object.
//! 3. A fixed part of a path stands before an id at the same place.
//! 4. `{id}` in a path is the id of an object. Any other name in braces (`{version}`) stands for a part that means
//!    something within the object alone.

mod agents;
mod anthropic;
mod realtime;

use super::{ListOrder, ModelPlace, Naming, ObjectRules, Route, billed_by, in_forms, likely, named_by, route};
use crate::dialect::object_ids::RESPONSES_IDS;
use crate::dialect::reply_kind::ReplyKind;
use crate::types::{BilledUnit, RouteId, Verb};

pub(super) use self::agents::AGENT_ROUTES;
pub(super) use self::anthropic::ANTHROPIC_ROUTES;
pub(super) use self::realtime::REALTIME_ROUTES;

/// The models behind a video without a model.
const VIDEO_MODELS: &[&str] = &["sora"];

/// The rows about objects of OpenAI's format, except the rows of agents and realtime.
pub(super) static OBJECT_ROUTES: &[Route] = &[
    runs(named_by(&RESPONSES_IDS, route("responses/compact", ReplyKind::Responses))),
    Route { model: ModelPlace::BodyOrNowhere, ..post("responses/input_tokens") },
    get("responses/{id}"),
    delete("responses/{id}"),
    post("responses/{id}/cancel"),
    get("responses/{id}/input_items"),
    list("chat/completions", ListOrder::Ascending),
    get("chat/completions/{id}"),
    post("chat/completions/{id}"),
    delete("chat/completions/{id}"),
    get("chat/completions/{id}/messages"),
    runs(billed_by(BilledUnit::Search, route("rerank", ReplyKind::Json))),
    runs(billed_by(BilledUnit::Page, route("ocr", ReplyKind::Json))),
    runs(route("decisions", ReplyKind::Json)),
    in_forms(post("content_provenance_checks")),
    likely(&[], in_forms(runs(post("audio/voices")))),
    delete("audio/voices/{id}"),
    list("audio/voice_consents", ListOrder::Descending),
    in_forms(post("audio/voice_consents")),
    get("audio/voice_consents/{id}"),
    post("audio/voice_consents/{id}"),
    delete("audio/voice_consents/{id}"),
    get("safety/alerts/{id}"),
    get("safety/cases/{id}"),
    post("conversations"),
    get("conversations/{id}"),
    post("conversations/{id}"),
    delete("conversations/{id}"),
    get("conversations/{id}/items"),
    post("conversations/{id}/items"),
    get("conversations/{id}/items/{id}"),
    delete("conversations/{id}/items/{id}"),
    list("files", ListOrder::Descending),
    file(),
    get("files/{id}"),
    delete("files/{id}"),
    content("files/{id}/content"),
    post("uploads"),
    in_forms(post("uploads/{id}/parts")),
    post("uploads/{id}/complete"),
    post("uploads/{id}/cancel"),
    list("batches", ListOrder::Descending),
    blind(post("batches")),
    get("batches/{id}"),
    post("batches/{id}/cancel"),
    list("vector_stores", ListOrder::Descending),
    post("vector_stores"),
    get("vector_stores/{id}"),
    post("vector_stores/{id}"),
    delete("vector_stores/{id}"),
    post("vector_stores/{id}/search"),
    get("vector_stores/{id}/files"),
    post("vector_stores/{id}/files"),
    get("vector_stores/{id}/files/{id}"),
    post("vector_stores/{id}/files/{id}"),
    detach("vector_stores/{id}/files/{id}"),
    content("vector_stores/{id}/files/{id}/content"),
    post("vector_stores/{id}/file_batches"),
    get("vector_stores/{id}/file_batches/{id}"),
    post("vector_stores/{id}/file_batches/{id}/cancel"),
    get("vector_stores/{id}/file_batches/{id}/files"),
    list("fine_tuning/jobs", ListOrder::Descending),
    blind(post("fine_tuning/jobs")),
    get("fine_tuning/jobs/{id}"),
    post("fine_tuning/jobs/{id}/cancel"),
    post("fine_tuning/jobs/{id}/pause"),
    post("fine_tuning/jobs/{id}/resume"),
    get("fine_tuning/jobs/{id}/events"),
    get("fine_tuning/jobs/{id}/checkpoints"),
    get("fine_tuning/checkpoints/{id}/permissions"),
    post("fine_tuning/checkpoints/{id}/permissions"),
    delete("fine_tuning/checkpoints/{id}/permissions/{id}"),
    blind(runs(post("fine_tuning/alpha/graders/run"))),
    post("fine_tuning/alpha/graders/validate"),
    delete("models/{id}"),
    list("containers", ListOrder::Descending),
    post("containers"),
    get("containers/{id}"),
    delete("containers/{id}"),
    get("containers/{id}/files"),
    in_forms(post("containers/{id}/files")),
    get("containers/{id}/files/{id}"),
    delete("containers/{id}/files/{id}"),
    content("containers/{id}/files/{id}/content"),
    list("videos", ListOrder::Descending),
    in_forms(likely(VIDEO_MODELS, runs(post("videos")))),
    in_forms(likely(VIDEO_MODELS, runs(post("videos/edits")))),
    in_forms(likely(VIDEO_MODELS, runs(post("videos/extensions")))),
    in_forms(post("videos/characters")),
    get("videos/characters/{id}"),
    get("videos/{id}"),
    delete("videos/{id}"),
    content("videos/{id}/content"),
    likely(VIDEO_MODELS, runs(post("videos/{id}/remix"))),
    list("evals", ListOrder::Ascending),
    blind(post("evals")),
    get("evals/{id}"),
    post("evals/{id}"),
    delete("evals/{id}"),
    get("evals/{id}/runs"),
    blind(post("evals/{id}/runs")),
    get("evals/{id}/runs/{id}"),
    post("evals/{id}/runs/{id}"),
    post("evals/{id}/runs/{id}/cancel"),
    delete("evals/{id}/runs/{id}"),
    get("evals/{id}/runs/{id}/output_items"),
    get("evals/{id}/runs/{id}/output_items/{id}"),
    list("assistants", ListOrder::Descending),
    likely(&[], post("assistants")),
    get("assistants/{id}"),
    likely(&[], post("assistants/{id}")),
    delete("assistants/{id}"),
    post("threads"),
    run("threads/runs"),
    get("threads/{id}"),
    post("threads/{id}"),
    delete("threads/{id}"),
    get("threads/{id}/messages"),
    post("threads/{id}/messages"),
    get("threads/{id}/messages/{id}"),
    post("threads/{id}/messages/{id}"),
    delete("threads/{id}/messages/{id}"),
    get("threads/{id}/runs"),
    run("threads/{id}/runs"),
    get("threads/{id}/runs/{id}"),
    post("threads/{id}/runs/{id}"),
    post("threads/{id}/runs/{id}/cancel"),
    run("threads/{id}/runs/{id}/submit_tool_outputs"),
    get("threads/{id}/runs/{id}/steps"),
    get("threads/{id}/runs/{id}/steps/{id}"),
];

/// Unknown paths, by method, where the configuration lets them pass. They count, since they may run a model.
static PASSED_THROUGH: [Route; 5] =
    [unread(Verb::Get), unread(Verb::Post), unread(Verb::Put), unread(Verb::Patch), unread(Verb::Delete)];

/// Returns the row of all unknown paths with this method.
pub fn passed_through(verb: Verb) -> Option<&'static Route> {
    PASSED_THROUGH.iter().find(|row| row.id.verb() == verb)
}

const fn unread(verb: Verb) -> Route {
    let model = ModelPlace::Unread;
    blind(Route { id: RouteId::new("*").by(verb), model, ..content("") })
}

/// Returns the row of a question.
const fn get(path: &'static str) -> Route {
    let id = RouteId::new(path).by(Verb::Get).free();
    Route { id, model: ModelPlace::Nowhere, ..route("", ReplyKind::Object) }
}

/// Returns the row of a question for bytes.
const fn content(path: &'static str) -> Route {
    Route { reply: ReplyKind::File, ..get(path) }
}

/// Returns the row of a question for the objects of all accounts.
const fn list(path: &'static str, order: ListOrder) -> Route {
    Route { objects: ObjectRules { list: Some(order), ..ObjectRules::NONE }, ..get(path) }
}

/// Returns the row of a request that makes or changes an object.
const fn post(path: &'static str) -> Route {
    let objects = ObjectRules { names: Naming::Anywhere, makes: true, ..ObjectRules::NONE };
    Route { id: RouteId::new(path).free(), objects, ..get("") }
}

/// Returns the row of a request that uploads a file.
const fn file() -> Route {
    let row = in_forms(post("files"));
    Route { objects: ObjectRules { is_file: true, ..row.objects }, ..row }
}

/// Returns the row of a request that runs an assistant: the model stands in the body, or with the assistant.
const fn run(path: &'static str) -> Route {
    blind(runs(Route { model: ModelPlace::BodyOrNowhere, ..post(path) }))
}

/// Returns the row of a request that removes the object of the last id.
const fn delete(path: &'static str) -> Route {
    let objects = ObjectRules { forgets: true, ..ObjectRules::NONE };
    Route { id: RouteId::new(path).by(Verb::Delete).free(), objects, ..get("") }
}

/// Returns the row of a request that removes an object from another object, and leaves the object.
const fn detach(path: &'static str) -> Route {
    Route { objects: ObjectRules::NONE, ..delete(path) }
}

/// Returns the row for requests that run a model, and so count.
const fn runs(row: Route) -> Route {
    Route { id: row.id.counted(), ..row }
}

/// Returns the row for requests that run a model whose name the pool can't see, now or later.
const fn blind(row: Route) -> Route {
    Route { objects: ObjectRules { is_blind: true, ..row.objects }, ..row }
}
