//! What the discovery has learned of upstreams' lists of models.

use actix::prelude::*;

use super::SupervisorActor;
use crate::scheduler::messages::{ModelsFound, ModelsUnavailable};
use crate::types::FailureClass;
use crate::upstream::ListFailed;

impl Handler<ModelsFound> for SupervisorActor {
    type Result = ();

    fn handle(&mut self, ModelsFound { api, models }: ModelsFound, _: &mut Self::Context) {
        if self.found.insert(api, models.clone()) != Some(models) {
            self.publish_snapshot();
        }
    }
}

impl Handler<ModelsUnavailable> for SupervisorActor {
    type Result = ();

    fn handle(&mut self, message: ModelsUnavailable, _: &mut Self::Context) {
        let ModelsUnavailable { api, retry_at, class, detail } = message;
        // A refusal of the key or the address is an answer: the list does not come by waiting.
        let is_final = class.is_refusal() || class == FailureClass::Rejected;
        if let Some(upstream) = self.upstream(&api) {
            upstream.do_send(ListFailed { class, detail });
        }
        self.unlisted.insert(api, (class, (!is_final).then_some(retry_at)));
    }
}
