//! Asks an upstream for its list of models. No quota counts the request, as providers don't.

use std::collections::BTreeSet;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::{Method, header};
use actix_web::web::Bytes;
use futures_util::StreamExt;
use transport::ClientCache;

use super::pool::target::client_of;
use crate::dialect::{RefusedResponse, SentRequest, dialect_of};
use crate::types::{Failure, FailureClass, Now, Phase, SentAt, WireFormat};
use crate::upstream::{AskedPath, Endpoint, Reach};

/// The largest list, in bytes.
const LARGEST_LIST: usize = 8 << 20;

/// Anthropic's API answers no request without this header. The oldest version knows the list.
pub(super) const ANTHROPIC_VERSION: (&str, &str) = ("anthropic-version", "2023-06-01");

/// What an upstream says of its models.
#[derive(Debug)]
pub enum ModelListReply {
    /// These.
    Names(BTreeSet<Arc<str>>),
    /// There is no list at the place (404, 405, 501).
    NoList(u16),
}

/// Asks for the list. The caller sets the deadline.
///
/// # Errors
/// When no list came, and the upstream did not say that there is none.
pub async fn ask(clients: &ClientCache, endpoint: &Endpoint) -> Result<ModelListReply, Failure> {
    let Some(reach) = endpoint.list_reach() else { return Ok(ModelListReply::NoList(404)) };
    let dialect = dialect_of(reach.format);
    let client = client_of(clients, endpoint, reach);
    let asked = AskedPath { path: dialect.model_list_path(), query: "", model: "" };
    let mut request = client.request(Method::GET, &reach.place(asked));
    if let (WireFormat::Anthropic, false) = (reach.format, request.headers().contains_key(ANTHROPIC_VERSION.0)) {
        request = request.insert_header(ANTHROPIC_VERSION);
    }
    let request = request
        .insert_header((header::ACCEPT, "application/json"))
        .insert_header((header::ACCEPT_ENCODING, "identity"));
    // No quota waits for it.
    let answer = client.send(request, Bytes::new(), &SentAt::default()).await;
    let answer = answer.map_err(|e| failure(FailureClass::Connect, e.to_string()))?;
    match answer.head.status().as_u16() {
        200 => {
            let body = whole(answer.body).await?;
            let names = dialect.model_names(&body).map(ModelListReply::Names);
            names.ok_or_else(|| failure(FailureClass::ModelNotFound, "200, but its answer is no list of models"))
        }
        status @ (404 | 405 | 501) => Ok(ModelListReply::NoList(status)),
        status => {
            let body = whole(answer.body).await.unwrap_or_default();
            let refused = RefusedResponse { status, headers: answer.head.headers(), body: &body };
            // Nothing of a client's stands in the answer.
            let sent = SentRequest { upstream_model: "", body: Some(b""), key: Some(&endpoint.key) };
            Err(dialect.refusal(refused, sent, Now::read()))
        }
    }
}

/// Returns the URL of the list, for people.
pub fn shown_url(reach: &Reach) -> String {
    let path = dialect_of(reach.format).model_list_path();
    reach.shown_url(path.split_once('?').map_or(path, |(path, _)| path), "")
}

/// Returns the failure of an upstream that did not answer in time.
pub fn timeout() -> Failure {
    failure(FailureClass::Timeout, "no answer in time")
}

fn failure(class: FailureClass, detail: impl Into<String>) -> Failure {
    Failure::new(class, Phase::Head, detail)
}

async fn whole(mut payload: Payload) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(piece) = payload.next().await {
        body.extend_from_slice(&piece.map_err(|e| failure(FailureClass::Protocol, e.to_string()))?);
        if body.len() > LARGEST_LIST {
            return Err(failure(FailureClass::ModelNotFound, "200, but its list is too long"));
        }
    }
    Ok(body)
}
