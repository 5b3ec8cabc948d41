//! What the client asked: a peek at the body, and the few bytes there with a possible change.
//!
//! Nothing is re-encoded: a mapped model's name, and the wish for a stream's usage, are spliced into the client's bytes.

pub(super) mod alias;
mod aliased;
mod body;
mod client_timeout;
mod fields;
mod form;
mod invalid;
mod model_path;
mod named_files;
pub(super) mod query;
mod query_model;
mod session;
mod stream_options;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{CONTENT_TYPE, HeaderMap};
use actix_web::web::Bytes;
use serde_json::value::RawValue;

use self::alias::AliasedModels;
pub(super) use self::body::{BodyChanges, BodyEdit, FormSource};
use self::body::{JsonBody, RequestBody};
use self::client_timeout::client_timeout;
use self::fields::RequestFields;
pub use self::invalid::InvalidRequest;
use self::invalid::not_valid;
use self::model_path::asks_for_events;
pub(super) use self::named_files::{NamedFile, NamedFiles};
use self::query::without_key;
use self::session::{SessionFields, session_of};
use self::stream_options::{UsageWish, member, place, usage_wish};
use super::headers::{Header, client_headers};
use crate::dialect::billed::billed_by_request;
use crate::dialect::json_depth::{DEEPEST, is_shallow};
use crate::dialect::scanned_body::ScannedBody;
use crate::dialect::token_estimate::{CompletionBounds, estimate};
use crate::dialect::{
    CalledRoute, ModelPlace, NamedObjects, Naming, NamingFields, ReplyKind, Route, is_found, named_beside, named_ids,
    named_in_query,
};
use crate::types::{NameList, ObjectKey, ParameterSet, Profile, TokenEstimate};

/// The longest name of a model, in bytes. Counts are kept by name, and errors and the log quote names.
const LONGEST_MODEL: usize = 256;

/// The longest query, in bytes. Beyond 64 KiB a URL could not be written.
const LONGEST_QUERY: usize = 8 << 10;

/// A request of a client, understood as far as routing needs.
#[derive(Debug)]
pub struct ClientRequest {
    /// The row of the route table.
    pub(super) route: &'static Route,
    /// The body came by another path than the one for its shape.
    pub(super) is_moved: bool,
    /// What is asked of the pool.
    pub profile: Profile,
    /// The names of models that the client may know; `None` for all.
    pub(super) models: Option<Arc<NameList>>,
    /// Does the client want a stream of events?
    pub stream: bool,
    /// Is the stream a JSON list, and no events? (Of Gemini's format.)
    pub in_list: bool,
    /// How long the client waits for the head of the answer, if a header says so.
    pub(super) client_timeout: Option<Duration>,
    /// The query for the upstream, without a question mark.
    pub(super) query: String,
    /// The path below a base URL.
    pub(super) path: Cow<'static, str>,
    /// Where the client reaches the pool, as answers about objects may tell.
    pub base: Option<Box<str>>,
    /// The object of the last id in the path.
    pub(super) last_id: Option<ObjectKey>,
    /// The named objects that live on one upstream.
    pub(super) objects: NamedObjects,
    /// The client's headers for the upstream.
    pub(super) headers: Vec<Header>,
    /// The models behind the name, if it is an alias. The present one is in `profile`.
    alias: Option<Box<AliasedModels>>,
    /// Answers get the asked name of the model.
    pub echo_model: bool,
    /// Files go to the accounts that need them (`server.replicateFiles`).
    pub replicates: bool,
    /// The files that the body names and that any account may have.
    pub(super) files: Option<Box<NamedFiles>>,
    body: RequestBody,
}

impl ClientRequest {
    /// Looks into a body that came to a path without ids.
    ///
    /// # Errors
    /// When the body is no JSON object, is nested too deeply, or names no model.
    pub fn parse(asked: &'static Route, headers: &HeaderMap, body: Bytes) -> Result<Self, InvalidRequest> {
        ClientRequest::parse_called(CalledRoute::of_row(asked), headers, body)
    }

    /// Looks into a body.
    ///
    /// # Errors
    /// When the body is no JSON object, is nested too deeply, or names no model where one is needed.
    pub fn parse_called(called: CalledRoute, headers: &HeaderMap, body: Bytes) -> Result<Self, InvalidRequest> {
        match called.route.model {
            ModelPlace::Path => ClientRequest::of_model_path(called, headers, body),
            ModelPlace::Body
            | ModelPlace::BodyOrNowhere
            | ModelPlace::BodyOrSession
            | ModelPlace::QueryOrNowhere
            | ModelPlace::Nowhere
            | ModelPlace::Unread => ClientRequest::of_json(called, headers, body),
        }
    }

    fn of_json(called: CalledRoute, headers: &HeaderMap, body: Bytes) -> Result<Self, InvalidRequest> {
        let invalid = |message: String, param| InvalidRequest { message, param };
        let CalledRoute { route: asked, path, ids, .. } = called;
        // What is asked of an object needs no body.
        let is_without = body.is_empty() && matches!(asked.reply, ReplyKind::Object | ReplyKind::File);
        let is_opaque = matches!(asked.model, ModelPlace::Unread | ModelPlace::QueryOrNowhere);
        let text = if is_opaque || is_without { Ok("{}") } else { std::str::from_utf8(&body) };
        let text = text.map_err(|_| invalid("the body is not UTF-8".into(), None))?;
        // A list would be taken for a struct by its order.
        if !text.trim_start().starts_with('{') {
            return Err(invalid("the body must be a JSON object".into(), None));
        }
        let peek: RequestFields<'_> = serde_json::from_str(text).map_err(|error| not_valid(&error))?;
        let scanned = ScannedBody::new(text);
        if !is_shallow(scanned) {
            return Err(invalid(format!("the body is nested deeper than {DEEPEST} levels"), None));
        }
        let is_responses = peek.input.get() != "null" && peek.messages.get() == "null";
        let meant = asked.with_input.filter(|_| is_responses);
        let route = meant.unwrap_or(asked);
        let model_text = peek.model_at(route.model);
        let is_absent = matches!(model_text, None | Some("null"));
        let model = model_text.and_then(|raw| serde_json::from_str(raw).ok());
        let model = checked_model(route, model, is_absent)?;
        let model_at = model_text.and_then(|raw| place(text, raw)).unwrap_or_default();
        let stream = peek.stream.unwrap_or(false);
        let usage = match stream && route.reply.usage_must_be_asked() {
            true => usage_wish(text, peek.stream_options)?,
            false => UsageWish::Moot,
        };
        let options_at = if usage == UsageWish::Moot { None } else { member(text, peek.stream_options) };
        let parameters = if route.reply == ReplyKind::Object { ParameterSet::NONE } else { peek.parameters() };
        let estimate = likely_use(route, scanned, &peek);
        let RequestFields { previous_response_id, conversation, input, prompt_cache_key, metadata, user, .. } = peek;
        let naming = NamingFields { previous_response_id, conversation, input };
        let objects = all_named(route, &ids, route.dialect.named_objects(route.reply, naming), scanned);
        let mut passed = client_headers(headers, route.id.format());
        if is_opaque {
            passed.extend(headers.get(CONTENT_TYPE).map(|kind| (CONTENT_TYPE, kind.clone())));
        }
        let session = session_of(&passed, &SessionFields { prompt_cache_key, metadata, user });
        let profile = Profile { model, route: route.id, estimate, session, parameters, apis: None };
        let client_timeout = client_timeout(headers);
        Ok(ClientRequest {
            route,
            is_moved: meant.is_some(),
            profile,
            models: None,
            stream,
            in_list: false,
            client_timeout,
            query: String::new(),
            path: if meant.is_some() { Cow::Borrowed(route.id.path()) } else { path },
            base: None,
            last_id: ids.last().map(|id| ObjectKey::of_id(id)),
            objects,
            headers: passed,
            alias: None,
            echo_model: false,
            replicates: false,
            files: None,
            body: RequestBody::Json(JsonBody { bytes: body, model_at, resources_at: Vec::new(), usage, options_at }),
        })
    }

    /// Adds the query of the client's URL, which goes upstream byte for byte, without a key.
    ///
    /// # Errors
    /// When the query is too long.
    pub fn set_query(&mut self, query: &str) -> Result<(), InvalidRequest> {
        if query.len() > LONGEST_QUERY {
            let message = format!("the query is longer than {LONGEST_QUERY} bytes");
            return Err(InvalidRequest { message, param: None });
        }
        self.query = without_key(query).into_owned();
        if self.route.model == ModelPlace::QueryOrNowhere {
            self.read_model_of_query()?;
        }
        self.in_list = self.in_list && !asks_for_events(&self.query);
        // A list is asked of all accounts, whatever it is narrowed to.
        if !self.query.is_empty() && self.route.reply == ReplyKind::Object && !self.is_list() {
            let named = named_in_query(self.route.dialect, &self.query);
            let at = self.objects.firm;
            self.objects.firm += named.len();
            self.objects.objects.splice(at..at, named);
            self.stream |= self.query.split('&').any(|part| part == "stream=true");
        }
        Ok(())
    }

    /// Returns whether the answer is a list of the objects of all accounts.
    pub fn is_list(&self) -> bool {
        self.route.objects.list.is_some()
    }

    /// Returns the same question to one account, with another query. For requests without a body.
    pub(super) fn of_account(&self, query: String) -> ClientRequest {
        ClientRequest {
            profile: self.profile.clone(),
            models: None,
            query,
            path: self.path.clone(),
            base: self.base.clone(),
            objects: self.objects.clone(),
            headers: self.headers.clone(),
            alias: None,
            files: None,
            body: RequestBody::none(),
            ..*self
        }
    }
}

/// Returns what a request may take, as far as the body tells.
fn likely_use(route: &Route, body: ScannedBody<'_>, fields: &RequestFields<'_>) -> TokenEstimate {
    let tokens = [fields.max_completion_tokens, fields.max_tokens, fields.max_output_tokens].map(RawValue::get);
    let estimate = estimate(route.reply, body, CompletionBounds { tokens, n: fields.n.get() });
    TokenEstimate { billed: billed_by_request(route.billed, fields.n.get(), fields.input), ..estimate }
}

/// Returns the model of a request; the empty name where none is needed, and none stands.
fn checked_model(route: &Route, model: Option<Arc<str>>, is_absent: bool) -> Result<Arc<str>, InvalidRequest> {
    let invalid = |message: String| InvalidRequest { message, param: Some("model") };
    if route.model != ModelPlace::Body && is_absent {
        return Ok(Arc::default());
    }
    match model.filter(|model| !model.is_empty()) {
        Some(model) if model.len() > LONGEST_MODEL => {
            Err(invalid(format!("model is longer than {LONGEST_MODEL} bytes")))
        }
        Some(model) => Ok(model),
        None => Err(invalid("you must provide a model parameter, a string".into())),
    }
}

/// Returns the objects of a request: by the ids in the path and in the body, and by what the dialect finds.
fn all_named(route: &Route, ids: &[String], by_dialect: NamedObjects, body: ScannedBody<'_>) -> NamedObjects {
    let text = body.text().as_bytes();
    let in_body = match route.objects.names {
        Naming::WhereFound(needles) if is_found(needles, body) => named_ids(route.dialect, text),
        Naming::Anywhere => named_beside(route.dialect, text),
        Naming::Nowhere | Naming::WhereFound(_) => Vec::new(),
    };
    if ids.is_empty() && in_body.is_empty() {
        return by_dialect;
    }
    let mut objects: Vec<ObjectKey> = ids.iter().map(|id| ObjectKey::of_id(id)).collect();
    objects.extend(in_body);
    let firm = objects.len() + by_dialect.firm;
    objects.extend(by_dialect.objects);
    NamedObjects { objects, firm }
}

#[cfg(test)]
mod tests;
