//! How the keys' actor applies the queued events, and saves the changes.

use std::rc::Rc;
use std::sync::Arc;

use actix::prelude::*;

use super::{KeysActor, OpenRequest};
use crate::keys::path::KeyEvent;
use crate::mailbox::ReadsInBatches;
use crate::persistence::Save;
use crate::quotas::{AppliesEvents, Drain, OwnedEvents, Paused, QuotaHandle, pause_all};
use crate::types::Now;

impl AppliesEvents for KeysActor {
    type Event = KeyEvent;

    fn events(&mut self) -> &mut OwnedEvents<KeyEvent> {
        &mut self.events
    }

    fn apply(&mut self, event: KeyEvent, held: &mut Vec<Paused>, now: Now) {
        match event {
            KeyEvent::Admitted { path, request, demand } => {
                let Some(state) = self.keys.get_mut(&path.key) else { return };
                let Some(quotas) = state.quotas_of(&path) else { return };
                pause_all(&quotas, held, now);
                let taken = quotas.iter().zip(&path.credits);
                let reservations = taken.map(|(quota, from)| quota.join(&request, demand, from.as_deref())).collect();
                state.in_flight += 1;
                let mut open = OpenRequest { key: path.key.clone(), quotas, reservations, demand };
                if !Arc::ptr_eq(&path, &state.path) {
                    open.join(&state.quotas, now);
                }
                self.open.insert(request.id(), open);
            }
            KeyEvent::Refunded { path, count, demand } => {
                let Some(quotas) = self.keys.get(&path.key).and_then(|state| state.quotas_of(&path)) else { return };
                pause_all(&quotas, held, now);
                for (quota, credits) in quotas.iter().zip(&path.credits).take(count) {
                    if let Some(credits) = credits {
                        quota.with(now, |quota, _| quota.give_back(credits, demand));
                    }
                }
            }
            KeyEvent::Settled { request, actual, completion } => {
                let Some(OpenRequest { key, quotas, reservations, .. }) = self.open.remove(&request.id()) else {
                    return;
                };
                pause_all(&quotas, held, now);
                for (quota, reservation) in quotas.iter().zip(&reservations) {
                    quota.settle(reservation, actual, now);
                }
                self.note_used(quotas);
                if let Some(state) = self.keys.get_mut(&key) {
                    state.in_flight = state.in_flight.saturating_sub(1);
                    if let Some(completion) = completion {
                        state.average.record(completion);
                        state.path.set_expected_completion(state.average.tokens());
                    }
                }
            }
        }
    }

    fn applied_all(&mut self, now: Now) {
        self.unsaved.values().flat_map(|quotas| quotas.iter()).for_each(|quota| quota.prefetch(now));
    }

    fn save(&mut self) {
        if !self.unsaved.is_empty() {
            let used = std::mem::take(&mut self.unsaved);
            let quotas = used.values().flat_map(|quotas| quotas.iter()).map(QuotaHandle::record).collect();
            self.persistence.do_send(Save { quotas, tokens: Vec::new() });
        }
    }
}

impl KeysActor {
    /// Remembers to save these quotas.
    pub(super) fn note_used(&mut self, quotas: Rc<[QuotaHandle]>) {
        self.unsaved.insert(Rc::as_ptr(&quotas).cast::<()>() as usize, quotas);
    }
}

impl Handler<Drain> for KeysActor {
    type Result = ();

    fn handle(&mut self, _: Drain, ctx: &mut Self::Context) {
        self.wake(ctx);
    }
}
