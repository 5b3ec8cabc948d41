//! Usage beside the admitted responses: counted when the account reports the usage.
//!
//! 1. A response that is cancelled because a limit left no room, and a transcription beside a conversation, are requests for the records
//!    and the usage. No limit on requests counts them.
//! 2. Their tokens, units and money count for the account's limits and for those of the client's key.
//! 3. Prices are those of the present configuration.

use std::sync::Arc;

use actix_web::http::StatusCode;

use super::admission::ConnectionGate;
use crate::proxy::websocket::SocketHost;
use crate::records::{AttemptResult, AttemptStart};
use crate::types::{BilledUnits, Now, SentAt, Usage};

impl<H: SocketHost> ConnectionGate<H> {
    /// Records usage: of a transcriber, if one is named, else of the connection's model.
    pub(super) fn record_spent(&self, transcriber: Option<&Arc<str>>, usage: Usage) {
        let asked = self.request.asked_model();
        let own = self.request.sent_model(&self.endpoint).unwrap_or(&self.request.profile.model);
        let (asked, own) = transcriber.map_or((asked, own), |model| (model, model));
        let config = self.host.config();
        let api = config.apis.iter().find(|api| api.id == self.endpoint.api);
        let sent_at = SentAt::at(Now::read_mono());

        let mut record = self.host.open_record();
        record.with(|record| {
            record.model = Some(asked.clone()).filter(|model| !model.is_empty());
            record.route = Some(self.request.profile.route);
            record.stream = true;
        });
        record.asked();
        let place = record.attempt_began(AttemptStart {
            api: &self.endpoint.api,
            model: Some(own).filter(|own| *own != asked),
            price: api.and_then(|api| api.price(own)),
            sent_at: &sent_at,
            prompt: None,
            billed: BilledUnits::default(),
        });
        record.answered(StatusCode::OK);
        record.attempt_ended(place, AttemptResult::Served);
        record.answer_used(Some(usage));
        if let Ok(key) = self.host.key() {
            self.host.spend(&key, record.spending());
        }
        self.meter.count(own.clone(), usage);
    }
}
