//! One short chat with one account, for `api-together test`: no pool, no limits, no second try elsewhere.
//!
//! 1. The request is the one that a client would send by way of the pool, streamed.
//! 2. An upstream that refuses `stream_options` is asked once more without.
//! 3. What the upstream answers is taken in either form, events or one object.

mod answer;
mod chat_model;

use std::time::Duration;

use actix_web::http::Method;
use actix_web::web::Bytes;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};
use transport::{ClientCache, IncomingResponse};

use self::answer::{Pieces, TrialAnswer};
pub use self::chat_model::chat_model;
use super::attempt_error::failure_of;
use super::headers::set_request_headers;
use super::model_list::{ANTHROPIC_VERSION, timeout};
use super::pool::target::client_of;
use crate::config::StreamUsage;
use crate::dialect::said::words_of_error;
use crate::dialect::{RefusedResponse, Route, SentRequest, chat_route};
use crate::types::{Failure, FailureClass, Now, Phase, SentAt, Usage, WireFormat};
use crate::upstream::{AskedPath, Endpoint};

/// What is asked.
const PROMPT: &str = "Say hello in one word.";

/// Anthropic's format wants a bound for the generated tokens.
const MOST_TOKENS: u32 = 64;

/// Whom to ask, and for which model.
#[derive(Debug, Clone, Copy)]
pub struct AccountTrial<'a> {
    /// The account.
    pub endpoint: &'a Endpoint,
    /// The format to speak.
    pub format: WireFormat,
    /// The upstream's own name of the model.
    pub model: &'a str,
}

/// What came of a chat.
#[derive(Debug)]
pub struct TrialReport {
    /// Whether the answer came as a stream.
    pub streamed: bool,
    /// From the request to the first piece of the answer.
    pub first: Duration,
    /// From the request to the end.
    pub total: Duration,
    /// The tokens.
    pub usage: Option<Usage>,
    /// The model, as the upstream calls it in its answer.
    pub answered_as: Option<String>,
    /// Whether the upstream took the request only without `stream_options`.
    pub without_options: bool,
}

/// A chat that came to nothing.
#[derive(Debug)]
pub struct TrialFailure {
    /// Why.
    pub failure: Failure,
    /// The upstream's own words, without its key.
    pub words: Option<String>,
}

impl From<Failure> for TrialFailure {
    fn from(failure: Failure) -> Self {
        TrialFailure { failure, words: None }
    }
}

impl AccountTrial<'_> {
    /// Returns the URL that is asked.
    pub fn url(&self) -> String {
        let reach = self.endpoint.reach(self.format);
        let shown = |route: &Route| Some(reach?.shown_url(route.id.path(), self.model));
        self.route().and_then(shown).unwrap_or_default()
    }

    /// Asks, and shows the text as the text comes.
    ///
    /// # Errors
    /// When there is no whole answer.
    pub async fn run(&self, clients: &ClientCache, show: &mut impl FnMut(&str)) -> Result<TrialReport, TrialFailure> {
        let started = Instant::now();
        let deadline = started + self.endpoint.timeouts.stream_total;
        let may_ask = match self.endpoint.quirks.stream_usage {
            StreamUsage::Ask => self.format == WireFormat::OpenAi,
            StreamUsage::Unasked | StreamUsage::Never => false,
        };
        let mut body = self.body(may_ask);
        let mut response = self.send(clients, body.clone(), deadline).await?;
        // Unknown fields are refused before any work.
        let may_be_the_options = matches!(response.head.status().as_u16(), 400 | 422);
        let without_options = may_be_the_options && may_ask;
        if without_options {
            body = self.body(false);
            response = self.send(clients, body.clone(), deadline).await?;
        }
        if !response.head.status().is_success() {
            return Err(self.refused(response, deadline).await);
        }
        let pieces = Pieces::new(response.body, self.endpoint.timeouts.idle, deadline);
        let Some(route) = self.route() else { return Err(no_address(self.format)) };
        let answer = TrialAnswer { trial: self, route, started, prompt_bytes: body.len() };
        let report = answer.read(pieces, show).await?;
        Ok(TrialReport { without_options, ..report })
    }

    fn route(&self) -> Option<&'static Route> {
        chat_route(self.format)
    }

    fn body(&self, ask_usage: bool) -> Bytes {
        trial_body(self.format, self.model, ask_usage)
    }

    async fn send(
        &self,
        clients: &ClientCache,
        body: Bytes,
        deadline: Instant,
    ) -> Result<IncomingResponse, TrialFailure> {
        let (Some(reach), Some(route)) = (self.endpoint.reach(self.format), self.route()) else {
            return Err(no_address(self.format));
        };
        let client = client_of(clients, self.endpoint, reach);
        let asked = AskedPath { path: route.id.path(), query: stream_query(self.format), model: self.model };
        let mut request = client.request(Method::POST, &reach.place(asked));
        set_request_headers(request.headers_mut(), &[], self.endpoint);
        if let (WireFormat::Anthropic, false) = (self.format, request.headers().contains_key(ANTHROPIC_VERSION.0)) {
            request = request.insert_header(ANTHROPIC_VERSION);
        }
        let first = deadline.min(Instant::now() + self.endpoint.timeouts.first_token);
        let sent_at = SentAt::default();
        let sent = timeout_at(first, client.send(request, body, &sent_at)).await.map_err(|_| timeout())?;
        Ok(sent.map_err(failure_of)?)
    }

    /// Returns what a refusal means.
    async fn refused(&self, response: IncomingResponse, deadline: Instant) -> TrialFailure {
        let status = response.head.status();
        let mut pieces = Pieces::new(response.body, self.endpoint.timeouts.idle, deadline);
        let mut body = Vec::new();
        while let Ok(Some(piece)) = pieces.next().await {
            body.extend_from_slice(&piece);
        }
        let Some(route) = self.route() else { return timeout().into() };
        let refused = RefusedResponse { status: status.as_u16(), headers: response.head.headers(), body: &body };
        let failure = route.dialect.refusal(refused, self.sent(), Now::read());
        // The prompt is ours, so that words may quote the prompt.
        TrialFailure { failure, words: words_of_error(&body, &self.endpoint.key) }
    }

    fn sent(&self) -> SentRequest<'_> {
        SentRequest { upstream_model: self.model, body: Some(b""), key: Some(&self.endpoint.key) }
    }
}

/// Returns the request for one word. `ask_usage`: with the wish for the usage of a stream.
pub(super) fn trial_body(format: WireFormat, model: &str, ask_usage: bool) -> Bytes {
    let mut body = chat_body(format, model, PROMPT);
    if let Some(fields) = body.as_object_mut() {
        match format {
            WireFormat::OpenAi if ask_usage => {
                fields.insert("stream_options".to_owned(), json!({ "include_usage": true }));
            }
            WireFormat::OpenAi | WireFormat::Gemini => {}
            WireFormat::Anthropic => drop(fields.insert("max_tokens".to_owned(), MOST_TOKENS.into())),
        }
    }
    Bytes::from(body.to_string())
}

/// Returns the request for a streamed answer to one message.
pub(super) fn chat_body(format: WireFormat, model: &str, message: &str) -> Value {
    match format {
        WireFormat::OpenAi | WireFormat::Anthropic => {
            json!({ "model": model, "stream": true, "messages": [{ "role": "user", "content": message }] })
        }
        // The path names the model, and asks for the stream.
        WireFormat::Gemini => json!({ "contents": [{ "role": "user", "parts": [{ "text": message }] }] }),
    }
}

/// Returns the query that asks for a stream as events.
pub(super) const fn stream_query(format: WireFormat) -> &'static str {
    match format {
        WireFormat::OpenAi | WireFormat::Anthropic => "",
        WireFormat::Gemini => "alt=sse",
    }
}

fn no_address(format: WireFormat) -> TrialFailure {
    let detail = format!("it has no {}", format.base_url_field());
    Failure::new(FailureClass::Connect, Phase::Connect, detail).into()
}
