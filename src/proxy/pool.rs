//! The loop's access to the pool: permits, exchanges, and the retry budget.

pub(super) mod budget;
pub(super) mod target;

use std::borrow::Cow;
use std::future::ready;
use std::sync::Arc;

use actix::prelude::*;
use actix_web::http::Method;
use actix_web::http::header::CONTENT_TYPE;
use transport::{ClientCache, IncomingResponse, OutgoingBody, SendError};

use self::budget::RetryBudget;
use self::target::client_of;
use super::client_secrets::ClientSecrets;
use super::file_copies::FileCopies;
use super::headers::{self, Header};
use crate::homes::Homes;
use crate::scheduler::{AdmissionError, Admitted, GetSimilarNames, SchedulerActor, Select};
use crate::types::{SentAt, Verb};
use crate::upstream::{AskedPath, Endpoint, Reach};

/// A request as it goes to one upstream.
pub struct OutgoingRequest<'a> {
    pub(super) verb: Verb,
    pub(super) path: &'a Cow<'static, str>,
    pub(super) query: &'a str,
    /// The upstream's own name of the model, empty where there is none.
    pub(super) model: &'a str,
    pub(super) headers: &'a [Header],
    pub(super) body: OutgoingBody,
    pub(super) sent_at: &'a SentAt,
}

impl OutgoingRequest<'_> {
    /// Returns path and query at one of an upstream's addresses.
    fn place(&self, reach: &Reach) -> Cow<'_, str> {
        reach.place(AskedPath { path: self.path, query: self.query, model: self.model })
    }
}

/// What the loop needs of the world: permits, exchanges, and the retry budget. Some work outlives a request.
pub trait Upstreams: 'static {
    /// Returns the permit for one attempt.
    fn select(&self, select: Select) -> impl Future<Output = Result<Admitted, AdmissionError>>;

    /// Sends a request to one of an upstream's addresses, and waits for the head of its response.
    fn send(
        &self,
        to: (&Endpoint, &Reach),
        request: OutgoingRequest<'_>,
    ) -> impl Future<Output = Result<IncomingResponse, SendError>>;

    /// Returns the names that are near to one that does not exist.
    fn similar_names(&self, _: GetSimilarNames) -> impl Future<Output = Vec<Arc<str>>> {
        ready(Vec::new())
    }

    /// What may be spent on trying again.
    fn budget(&self) -> &RetryBudget;

    /// Where objects live.
    fn homes(&self) -> &Homes;

    /// What is kept of files, if anything is.
    fn copies(&self) -> Option<&Arc<FileCopies>> {
        None
    }

    /// Whose the secrets of realtime sessions are, if anybody remembers.
    fn secrets(&self) -> Option<&ClientSecrets> {
        None
    }
}

/// What one worker has of the pool.
pub struct Pool {
    /// This worker's scheduler, which admits.
    pub scheduler: Addr<SchedulerActor>,
    /// This worker's connections.
    pub clients: ClientCache,
    /// What all workers may spend on trying again.
    pub budget: Arc<RetryBudget>,
    /// Where objects live.
    pub homes: Homes,
    /// Whose the secrets of realtime sessions are.
    pub secrets: Arc<ClientSecrets>,
    /// What is kept of files.
    pub copies: Arc<FileCopies>,
}

impl Upstreams for Pool {
    async fn select(&self, select: Select) -> Result<Admitted, AdmissionError> {
        self.scheduler.send(select).await.unwrap_or(Err(AdmissionError::Stopping))
    }

    async fn send(
        &self,
        (endpoint, reach): (&Endpoint, &Reach),
        request: OutgoingRequest<'_>,
    ) -> Result<IncomingResponse, SendError> {
        let client = client_of(&self.clients, endpoint, reach);
        let method = method_of(request.verb);
        let mut outgoing = match request.path {
            Cow::Borrowed(_) => client.request(method, &request.place(reach)),
            // An id makes the path one of very many.
            Cow::Owned(_) => client.request_once(method, &request.place(reach)),
        };
        headers::set_request_headers(outgoing.headers_mut(), request.headers, endpoint);
        if request.body.is_empty() {
            outgoing.headers_mut().remove(CONTENT_TYPE);
        }
        client.send(outgoing, request.body, request.sent_at).await
    }

    async fn similar_names(&self, asked: GetSimilarNames) -> Vec<Arc<str>> {
        self.scheduler.send(asked).await.unwrap_or_default()
    }

    fn budget(&self) -> &RetryBudget {
        &self.budget
    }

    fn homes(&self) -> &Homes {
        &self.homes
    }

    fn copies(&self) -> Option<&Arc<FileCopies>> {
        Some(&self.copies)
    }

    fn secrets(&self) -> Option<&ClientSecrets> {
        Some(&self.secrets)
    }
}

fn method_of(verb: Verb) -> Method {
    match verb {
        Verb::Get => Method::GET,
        Verb::Post => Method::POST,
        Verb::Put => Method::PUT,
        Verb::Patch => Method::PATCH,
        Verb::Delete => Method::DELETE,
    }
}
