//! An upstream's no: to a handshake, or as an event. Both are judged as a refusal over HTTP is.

use std::collections::VecDeque;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::web::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::{Instant, timeout_at};
use transport::SocketMessage;

use super::SocketHost;
use super::connection::SocketConnection;
use super::ending::Ending;
use super::evidence::{Speaks, ask, is_unclear};
use super::upstream_side::{NotOpened, Opening, UpstreamSide};
use crate::dialect::redact::redacted_error;
use crate::dialect::{RefusedResponse, Route, SentRequest};
use crate::proxy::attempt_error::{AttemptError, ErrorResponse, failure_of};
use crate::proxy::client_request::ClientRequest;
use crate::types::{Failure, FailureClass, Now, Phase};
use crate::upstream::{Endpoint, Permit};

/// A failed attempt of a turn.
pub(super) struct FailedTurn {
    pub(super) error: AttemptError,
    /// The upstream's own events that tell the failure: the client gets them if nobody serves the turn.
    pub(super) told: VecDeque<SocketMessage>,
}

impl<E: Into<AttemptError>> From<E> for FailedTurn {
    fn from(error: E) -> Self {
        FailedTurn { error: error.into(), told: VecDeque::new() }
    }
}

impl<H: SocketHost> SocketConnection<H> {
    /// Ends the connection to an upstream that is not chosen.
    pub(super) async fn leave_upstream(&mut self) -> Result<(), Ending> {
        match self.upstream.take() {
            Some(upstream) => self.client.beside(upstream.close(UpstreamSide::not_needed())).await,
            None => Ok(()),
        }
    }

    /// Opens the connection to the permit's upstream, if it is not open. Returns whether the upstream speaks WebSockets.
    pub(super) async fn connect(
        &mut self,
        permit: &Permit,
        request: &ClientRequest,
        deadline: Instant,
    ) -> Result<Result<bool, FailedTurn>, Ending> {
        let endpoint = permit.endpoint();
        if self.upstream.as_ref().is_some_and(|upstream| upstream.endpoint.api == endpoint.api) {
            return Ok(Ok(true));
        }
        self.leave_upstream().await?;
        let route = self.upgrade.route.route;
        let opening = Opening { route: route.id, query: &request.query, headers: &request.headers };
        let opening = UpstreamSide::open(endpoint, opening);
        let Ok(opened) = self.client.beside(timeout_at(deadline, opening)).await? else {
            return Ok(Err(late().into()));
        };
        let config = self.host.config();
        let refusal = match opened {
            Ok(upstream) => {
                self.host.evidence().note(&config, &endpoint.api, Speaks::Yes);
                self.upstream = Some(upstream);
                return Ok(Ok(true));
            }
            // The configuration may have changed since the upstream was selected.
            Err(NotOpened::NoAddress) => {
                self.host.evidence().note(&config, &endpoint.api, Speaks::no());
                return Ok(Ok(false));
            }
            Err(NotOpened::Failed(error)) => return Ok(Err(failure_of(error).into())),
            Err(NotOpened::Refused(refusal)) => refusal,
        };
        if !is_unclear(refusal.status) {
            // The client's query or headers may be the reason.
            let speaks = self.client.beside(ask(endpoint, self.upgrade.route)).await?;
            let is_news = self.host.evidence().note(&config, &endpoint.api, speaks);
            if speaks != Speaks::Yes {
                if is_news {
                    let status = refusal.status;
                    log::warn!("{}: speaks no WebSockets (a handshake was answered with {status})", endpoint.api);
                }
                return Ok(Ok(false));
            }
        }
        let response = RefusedResponse {
            status: refusal.status.as_u16(),
            headers: &refusal.headers,
            body: &redacted_error(refusal.body, &endpoint.key),
        };
        Ok(Err(refused_attempt(route, response, sent(request, endpoint)).into()))
    }

    /// Returns the failure that an event tells, if the event is a refusal with a status.
    pub(super) fn error_event(&self, text: &Bytes, sent: SentRequest<'_>) -> Option<AttemptError> {
        let event: ErrorEvent<'_> = serde_json::from_slice(text).ok()?;
        let status = event.status.filter(|status| (400..=599).contains(status) && event.kind == "error")?;
        let body = format!(r#"{{"error":{}}}"#, event.error?.get());
        let mut headers = HeaderMap::new();
        for (name, value) in event.headers.unwrap_or_default() {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                headers.insert(name, value);
            }
        }
        let refused = RefusedResponse { status, headers: &headers, body: body.as_bytes() };
        Some(refused_attempt(self.upgrade.route.route, refused, sent))
    }
}

/// Returns the failure of a refusal. The response stands by in case nobody serves the turn.
pub(super) fn refused_attempt(
    route: &'static Route,
    response: RefusedResponse<'_>,
    sent: SentRequest<'_>,
) -> AttemptError {
    let failure = route.dialect.refusal(response, sent, Now::read());
    let kept = ["retry-after", "retry-after-ms", "x-should-retry", "x-request-id"];
    let kept = kept.map(HeaderName::from_static);
    let headers = kept.into_iter().filter_map(|name| Some((name.clone(), response.headers.get(&name)?.clone())));
    let response = ErrorResponse {
        status: StatusCode::from_u16(response.status).unwrap_or(StatusCode::BAD_GATEWAY),
        headers: headers.collect(),
        body: Bytes::copy_from_slice(response.body),
    };
    AttemptError { response: Some(Box::new(response)), ..AttemptError::from(failure) }
}

/// An event about an error, with the status that it has over HTTP.
#[derive(Deserialize)]
struct ErrorEvent<'a> {
    #[serde(rename = "type")]
    kind: String,
    #[serde(alias = "status_code")]
    status: Option<u16>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(default)]
    headers: Option<serde_json::Map<String, serde_json::Value>>,
}

/// Returns the request as the upstream got it.
pub(super) fn sent<'a>(request: &'a ClientRequest, endpoint: &'a Endpoint) -> SentRequest<'a> {
    let asked = &request.profile.model;
    SentRequest {
        upstream_model: endpoint.upstream_model(asked).unwrap_or(asked),
        body: Some(request.json()),
        key: Some(&endpoint.key),
    }
}

/// Returns the failure of an answer that did not begin in time.
pub(super) fn late() -> Failure {
    Failure::new(FailureClass::Timeout, Phase::Head, "no answer in time")
}
