//! How an upstream's actor applies the queued events, and saves the changes.

use std::rc::Rc;
use std::sync::Arc;

use actix::prelude::*;

use super::FastPath;
use super::events::{BATCH_INTERVAL, ConfirmedRefusal, Drain, UpstreamEvent};
use crate::persistence::{Save, TokenChange};
use crate::types::{Now, SentAt, Settlement};
use crate::upstream::UpstreamActor;
use crate::upstream::actor::Attempt;
use crate::upstream::health::ModelRoute;
use crate::upstream::ledger::{Held, Ledger};
use crate::upstream::state::Subject;

/// What changed and is not sent to the store yet.
#[derive(Default)]
pub(in crate::upstream) struct Unsaved {
    /// Quotas in use since the last save.
    quotas: Vec<Ledger>,
    /// Changes of the statistics; the newest of each bucket is enough.
    tokens: Vec<TokenChange>,
}

impl Unsaved {
    /// Records a reset of the statistics.
    pub(in crate::upstream) fn reset_tokens(&mut self) {
        self.tokens = vec![TokenChange::Reset];
    }

    fn note_used(&mut self, ledgers: &[Ledger]) {
        for ledger in ledgers {
            if !self.quotas.iter().any(|unsaved| unsaved.is(ledger)) {
                self.quotas.push(ledger.clone());
            }
        }
    }

    fn note_change(&mut self, change: TokenChange) {
        // Totals are absolute: of several changes within one hour and day, the last says all.
        self.tokens.pop_if(|last| is_of_same_buckets(last, &change));
        self.tokens.push(change);
    }

    fn is_empty(&self) -> bool {
        self.quotas.is_empty() && self.tokens.is_empty()
    }
}

fn is_of_same_buckets(one: &TokenChange, other: &TokenChange) -> bool {
    match (one, other) {
        (TokenChange::Grown { hour, day, .. }, TokenChange::Grown { hour: other_hour, day: other_day, .. }) => {
            hour.0 == other_hour.0 && day.0 == other_day.0
        }
        (TokenChange::Reset, _) | (_, TokenChange::Reset) => false,
    }
}

impl UpstreamActor {
    /// Applies all queued events. Returns whether there were any.
    pub(in crate::upstream) fn drain_events(&mut self) -> bool {
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
        let mut held: Vec<Held> = Vec::new();
        let mut next = Some(first);
        while let Some(event) = next {
            self.apply(event, &mut held, now);
            next = self.receiver.try_recv().ok();
        }
        drop(held);
        self.unsaved.quotas.iter().for_each(|ledger| ledger.draw_ahead(now));
        self.publish_state();
        true
    }

    fn apply(&mut self, event: UpstreamEvent, held: &mut Vec<Held>, now: Now) {
        match event {
            UpstreamEvent::Admitted { fast_path, operation, stamp, demand, at } => {
                let Some(ledgers) = self.ledgers_of(&fast_path) else { return };
                hold(&ledgers, held, now);
                let taken = ledgers.iter().zip(&fast_path.allowances);
                let shares = taken.map(|(ledger, from)| ledger.join(&stamp, (demand, from.as_deref()), now)).collect();
                let (model, shared) = (fast_path.model.clone(), fast_path.shared.clone());
                self.state.joined();
                self.out.insert(stamp.id(), Attempt { model, operation, ledgers, shares, sent_at: at, shared });
            }
            UpstreamEvent::Refunded { fast_path, quotas, demand } => {
                let Some(ledgers) = self.ledgers_of(&fast_path) else { return };
                hold(&ledgers, held, now);
                for (ledger, allowance) in ledgers.iter().zip(&fast_path.allowances).take(quotas) {
                    if let Some(allowance) = allowance {
                        ledger.with(now, |quota, _| quota.give_back(allowance, demand));
                    }
                }
            }
            UpstreamEvent::Responded { stamp, at, exhausted_for } => self.on_response(&stamp, at, exhausted_for),
            UpstreamEvent::Settled { stamp, settlement } => {
                let Some(attempt) = self.out.remove(&stamp.id()) else { return };
                hold(&attempt.ledgers, held, now);
                self.settle(&attempt, &settlement, now);
            }
            UpstreamEvent::Confirmed(refusal) => self.on_confirmed(&refusal, now),
        }
    }

    fn ledgers_of(&self, fast_path: &Arc<FastPath>) -> Option<Rc<[Ledger]>> {
        let known = self.fast_paths.iter().find(|(known, _)| Arc::ptr_eq(known, fast_path));
        known.map(|(_, ledgers)| ledgers.clone())
    }

    fn on_response(&mut self, stamp: &SentAt, at: Now, exhausted_for: Option<std::time::Duration>) {
        // An attempt of another entry's says nothing of this one.
        if let Some(attempt) = self.out.get(&stamp.id()).filter(|attempt| Arc::ptr_eq(&attempt.shared, &self.shared)) {
            self.state.on_response(attempt.subject(at), exhausted_for);
        }
    }

    fn settle(&mut self, attempt: &Attempt, settlement: &Settlement, now: Now) {
        let spent = self.state.spent(settlement);
        for (ledger, share) in attempt.ledgers.iter().zip(&attempt.shares) {
            ledger.settle(share, spent, now);
        }
        self.unsaved.note_used(&attempt.ledgers);
        // The end of an attempt says nothing of a key or an address that changed meanwhile.
        if Arc::ptr_eq(&attempt.shared, &self.shared) {
            let day_ends = if settlement.failure().is_some() { self.ledgers.day_ends(now) } else { now.mono };
            self.state.apply_outcome(settlement, attempt.subject(now), day_ends);
        }
        if let Some(change) = self.state.left(settlement, now) {
            self.unsaved.note_change(change);
        }
    }

    fn on_confirmed(&mut self, refusal: &ConfirmedRefusal, now: Now) {
        let ConfirmedRefusal { endpoint_serial, model, operation, sent_at, failure } = refusal;
        if *endpoint_serial == self.shared.endpoint.serial {
            let of = ModelRoute { model, route: *operation };
            let url = self.shared.endpoint.shown_url(*operation);
            self.state.on_confirmed(failure, Subject { of, sent_at: *sent_at, now }, &url);
        }
    }

    /// Sends what changed to the store.
    pub(in crate::upstream) fn save(&mut self) {
        if self.unsaved.is_empty() {
            return;
        }
        let api = &self.state.config.id;
        self.persistence.do_send(Save {
            quotas: self.unsaved.quotas.drain(..).map(|ledger| ledger.record()).collect(),
            tokens: self.unsaved.tokens.drain(..).map(|change| (api.clone(), change)).collect(),
        });
    }

    /// Drains the queue each [`BATCH_INTERVAL`], until one passes without an event.
    fn poll_while_busy(&mut self, ctx: &mut Context<Self>) {
        self.awake = true;
        ctx.run_later(BATCH_INTERVAL, |actor, ctx| {
            let more = actor.drain_events();
            actor.save();
            if more {
                return actor.poll_while_busy(ctx);
            }
            actor.awake = false;
            actor.events.set_awake(false);
            // An event in between woke nobody.
            if actor.drain_events() {
                actor.events.set_awake(true);
                actor.poll_while_busy(ctx);
            }
        });
    }
}

fn hold(ledgers: &[Ledger], held: &mut Vec<Held>, now: Now) {
    held.extend(ledgers.iter().filter(|ledger| !ledger.is_held()).map(|ledger| ledger.hold(now)));
}

impl Handler<Drain> for UpstreamActor {
    type Result = ();

    /// After a silence the change is saved at once; under load, what changed since the last save.
    fn handle(&mut self, _: Drain, ctx: &mut Self::Context) {
        self.drain_events();
        if !self.awake {
            self.save();
            self.events.set_awake(true);
            self.poll_while_busy(ctx);
        }
    }
}
