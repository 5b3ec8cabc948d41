//! How the keys' actor applies the queued events, and saves the changes.

use std::rc::Rc;

use actix::prelude::*;

use super::{KeysActor, OpenRequest};
use crate::keys::path::KeyEvent;
use crate::mailbox::Context;
use crate::persistence::Save;
use crate::quotas::{BATCH_INTERVAL, Drain, Paused, QuotaHandle, pause_all};
use crate::types::Now;

/// Under load, changes go to the store with every so many batches: the store commits no oftener.
const BATCHES_A_SAVE: u32 = 5;

impl KeysActor {
    /// Applies all queued events. Returns whether there were any.
    pub(super) fn drain_events(&mut self) -> bool {
        // The count is read before the events: a later event goes on blocking.
        let blocking = self.events.pending_blocking();
        let any = self.apply_all();
        self.events.applied(blocking);
        any
    }

    fn apply_all(&mut self) -> bool {
        let Ok(first) = self.receiver.try_recv() else { return false };
        let now = Now::read();
        // A quota of several events is looked at once for all.
        let mut held: Vec<Paused> = Vec::new();
        let mut next = Some(first);
        while let Some(event) = next {
            self.apply(event, &mut held, now);
            next = self.receiver.try_recv().ok();
        }
        drop(held);
        self.unsaved.values().flat_map(|quotas| quotas.iter()).for_each(|quota| quota.prefetch(now));
        true
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
                self.open.insert(request.id(), OpenRequest { key: path.key.clone(), quotas, reservations });
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
                let Some(OpenRequest { key, quotas, reservations }) = self.open.remove(&request.id()) else { return };
                pause_all(&quotas, held, now);
                for (quota, reservation) in quotas.iter().zip(&reservations) {
                    quota.settle(reservation, actual, now);
                }
                self.unsaved.insert(Rc::as_ptr(&quotas).cast::<()>() as usize, quotas);
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

    /// Sends what changed to the store.
    pub(super) fn save(&mut self) {
        if !self.unsaved.is_empty() {
            let used = std::mem::take(&mut self.unsaved);
            let quotas = used.values().flat_map(|quotas| quotas.iter()).map(QuotaHandle::record).collect();
            self.persistence.do_send(Save { quotas, tokens: Vec::new() });
        }
    }

    /// Drains the queue each [`BATCH_INTERVAL`], until one passes without an event. `batch`: how many came before.
    fn poll_while_busy(&mut self, batch: u32, ctx: &mut Context<Self>) {
        self.awake = true;
        ctx.run_later(BATCH_INTERVAL, move |actor, ctx| {
            let more = actor.drain_events();
            if !more || batch.is_multiple_of(BATCHES_A_SAVE) {
                actor.save();
            }
            if more {
                return actor.poll_while_busy(batch.wrapping_add(1), ctx);
            }
            actor.awake = false;
            actor.events.set_awake(false);
            // An event in between woke nobody.
            if actor.drain_events() {
                actor.events.set_awake(true);
                actor.poll_while_busy(0, ctx);
            }
        });
    }
}

impl Handler<Drain> for KeysActor {
    type Result = ();

    /// After a silence the change is saved at once; under load, what changed since the last save.
    fn handle(&mut self, _: Drain, ctx: &mut Self::Context) {
        self.drain_events();
        if !self.awake {
            self.save();
            self.events.set_awake(true);
            self.poll_while_busy(0, ctx);
        }
    }
}
