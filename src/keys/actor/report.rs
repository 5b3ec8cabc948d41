//! What keys have used, for the status, the metrics and the alerts.

use actix::prelude::*;

use super::{KeyState, KeysActor};
use crate::keys::messages::{GetKeyStatus, KeyStatus};
use crate::quotas::AppliesEvents;
use crate::types::Now;

impl KeyState {
    fn status(&self, now: Now) -> KeyStatus {
        KeyStatus {
            config: self.config.clone(),
            quotas: self.quotas.iter().map(|quota| quota.status(None, now)).collect(),
            in_flight: self.in_flight,
            refused: self.refused.by_reason(),
        }
    }
}

impl Handler<GetKeyStatus> for KeysActor {
    type Result = MessageResult<GetKeyStatus>;

    fn handle(&mut self, GetKeyStatus { only }: GetKeyStatus, _: &mut Self::Context) -> Self::Result {
        self.drain_events();
        let now = Now::read();
        let wanted = self.configured.iter().filter(|name| only.as_ref().is_none_or(|only| only == *name));
        MessageResult(wanted.filter_map(|name| self.keys.get(name)).map(|key| key.status(now)).collect())
    }
}
