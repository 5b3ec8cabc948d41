//! The admission of one response: by the client's key, and by the account of the connection.

use std::rc::Rc;
use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use transport::SocketMessage;

use super::responses::Reserved;
use crate::config::{Config, KeyConfig};
use crate::dialect::openai::realtime::{RealtimeEvent, read_event};
use crate::error::ApiError;
use crate::proxy::client_request::ClientRequest;
use crate::proxy::dispatch::refuse;
use crate::proxy::pool::{Pool, Upstreams};
use crate::proxy::websocket::SocketHost;
use crate::proxy::websocket::ending::event;
use crate::proxy::websocket::refusal::sent;
use crate::records::AttemptStart;
use crate::scheduler::{AdmissionError, Select};
use crate::types::{BilledUnits, Profile, RequestId, RequestTarget, TokenEstimate};
use crate::upstream::{Endpoint, Refusal, UsageMeter};

/// What admits the responses of one connection.
pub(super) struct ConnectionGate<H> {
    pub(super) host: H,
    pub(super) request: ClientRequest,
    pool: Rc<Pool>,
    /// As it was at the upgrade.
    pub(super) endpoint: Arc<Endpoint>,
    /// Counts what is not admitted.
    pub(super) meter: UsageMeter,
    /// Alive as long as the client is there.
    client: Arc<()>,
}

/// The account behind a connection.
pub(super) struct ServedBy {
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) meter: UsageMeter,
}

/// A response that is not admitted.
pub(super) struct NotAdmitted {
    pub(super) event: Bytes,
    /// Asking again would not help: the connection ends.
    pub(super) is_final: bool,
}

impl NotAdmitted {
    /// Returns a refusal after which the connection goes on.
    pub(super) fn of(error: &ApiError) -> Self {
        NotAdmitted { event: realtime_event(actix_web::ResponseError::error_response(error)), is_final: false }
    }
}

impl<H: SocketHost> ConnectionGate<H> {
    pub(super) fn new(pool: Rc<Pool>, host: H, request: ClientRequest, served: ServedBy) -> Self {
        let ServedBy { endpoint, meter } = served;
        ConnectionGate { host, request, pool, endpoint, meter, client: Arc::new(()) }
    }

    /// Admits a response with a prompt of so many tokens, or what a model of its own wrote down.
    ///
    /// # Errors
    /// With the event for the client.
    pub(super) async fn admit(
        &self,
        prompt: u64,
        transcriber: Option<&Arc<str>>,
    ) -> Result<Reserved<H::Slot>, NotAdmitted> {
        let mut record = self.host.open_record();
        let estimate = TokenEstimate { prompt, ..TokenEstimate::default() };
        let mut profile = Profile { estimate, ..self.request.profile.clone() };
        let named = transcriber.unwrap_or(self.request.asked_model());
        record.with(|record| {
            record.model = Some(named.clone()).filter(|model| !model.is_empty());
            record.route = Some(profile.route);
            record.stream = true;
        });
        record.asked();
        let refused = |error: ApiError, record: &mut _| {
            let is_final = matches!(
                error.status(),
                StatusCode::UNAUTHORIZED | StatusCode::PAYMENT_REQUIRED | StatusCode::FORBIDDEN
            );
            NotAdmitted { event: realtime_event(refuse(error, record)), is_final }
        };
        let (slot, key) = self.host.admit().map_err(|error| refused(error, &mut record))?;
        let rights = self.request.check_rights(&key, &self.endpoint.api);
        rights.map_err(|error| refused(error.into(), &mut record))?;
        profile.apis.clone_from(&key.apis);
        match self.host.admit_key(&key, &profile).await {
            Ok(permit) => record.admitted_by_key(permit),
            Err(error) => return Err(refused(error.into(), &mut record)),
        }
        if !self.is_configured(&self.host.config()) {
            return Err(refused(self.gone(), &mut record));
        }
        let select = Select {
            profile,
            target: RequestTarget::Home(self.endpoint.api.clone()),
            excluded: Vec::new(),
            client: Arc::downgrade(&self.client),
            // The client has its own clock: it speaks now.
            may_queue: false,
            may_panic: true,
        };
        let admitted = self.pool.select(select).await.map_err(|error| refused(error.into(), &mut record))?;
        let permit = admitted.permit;
        let endpoint = permit.endpoint();
        record.attempt_began(AttemptStart {
            api: &endpoint.api,
            model: self.request.sent_model(endpoint).filter(|_| transcriber.is_none()),
            price: endpoint.price(transcriber.unwrap_or(&self.request.profile.model)),
            sent_at: &permit.sent_at,
            prompt: Some(prompt),
            billed: BilledUnits::default(),
        });
        Ok(Reserved { permit, record, slot })
    }

    /// Reads a message of the account.
    pub(super) fn read(&self, message: &SocketMessage) -> RealtimeEvent {
        match message {
            SocketMessage::Text(text) => read_event(text, sent(&self.request, &self.endpoint)),
            SocketMessage::Binary(_) | SocketMessage::Ping(_) | SocketMessage::Pong(_) | SocketMessage::Close(_) => {
                RealtimeEvent::Other
            }
        }
    }

    /// Returns why the connection may not go on, if the configuration says so.
    pub(super) fn is_over(&self) -> Option<ApiError> {
        let check = |key: Arc<KeyConfig>| Ok(self.request.check_rights(&key, &self.endpoint.api)?);
        let key = self.host.key().and_then(check).err();
        key.or_else(|| (!self.is_configured(&self.host.config())).then(|| self.gone()))
    }

    /// Returns whether the account of the connection is still served.
    fn is_configured(&self, config: &Config) -> bool {
        config.apis.iter().any(|api| api.id == self.endpoint.api && api.enabled)
    }

    fn gone(&self) -> ApiError {
        let model = self.request.asked_model().clone();
        let refusals = vec![(self.endpoint.api.clone(), Refusal::Retiring)];
        AdmissionError::NoneAvailable { model, refusals, rate: None }.into()
    }
}

/// Returns an error response as an event of the Realtime API, which has an id.
pub(super) fn realtime_event(response: HttpResponse) -> Bytes {
    const BEGIN: &[u8] = br#"{"type":"error","#;
    let event = event(response);
    let rest = event.strip_prefix(BEGIN).unwrap_or_default();
    let id = RequestId::generate();
    Bytes::from([BEGIN, format!(r#""event_id":"event_{}","#, id.as_str()).as_bytes(), rest].concat())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_refusal_is_an_event_with_an_id() {
        let NotAdmitted { event, is_final } = NotAdmitted::of(&ApiError::Overloaded("x"));
        let event: Value = serde_json::from_slice(&event).expect("JSON");
        assert!(event["event_id"].as_str().is_some_and(|id| id.starts_with("event_") && id.len() > 12), "{event}");
        assert_eq!(
            (&event["type"], &event["error"]["code"], is_final),
            (&"error".into(), &"server_overloaded".into(), false)
        );
    }
}
