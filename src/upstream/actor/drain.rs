//! How an upstream's actor applies the queued events, and saves the changes.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;

use super::{Attempt, UpstreamActor, price};
use crate::mailbox::ReadsInBatches;
use crate::persistence::{Save, TokenChange};
use crate::quotas::{AppliesEvents, Drain, OwnedEvents, Paused, QuotaHandle, pause_all, spend};
use crate::types::{Now, Outcome, SentAt, Settlement};
use crate::upstream::fast_path::FastPath;
use crate::upstream::health::ModelRoute;
use crate::upstream::shared_state::{ConfirmedRefusal, ModelCredits, UpstreamEvent};
use crate::upstream::state::Subject;

/// What changed and is not sent to the store yet.
#[derive(Default)]
pub(super) struct Unsaved {
    /// Quotas in use since the last save.
    quotas: Vec<QuotaHandle>,
    /// Changes of the statistics; the newest of each bucket is enough.
    tokens: Vec<TokenChange>,
}

impl Unsaved {
    /// Records a reset of the statistics.
    pub(super) fn reset_tokens(&mut self) {
        self.tokens = vec![TokenChange::Reset];
    }

    fn note_used(&mut self, quotas: &[QuotaHandle]) {
        for quota in quotas {
            if !self.quotas.iter().any(|unsaved| unsaved.is(quota)) {
                self.quotas.push(quota.clone());
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

impl AppliesEvents for UpstreamActor {
    type Event = UpstreamEvent;

    fn events(&mut self) -> &mut OwnedEvents<UpstreamEvent> {
        &mut self.events
    }

    fn apply(&mut self, event: UpstreamEvent, held: &mut Vec<Paused>, now: Now) {
        match event {
            UpstreamEvent::Admitted { credits, route, sent_at, demand, admitted_at } => {
                let Some((fast_path, quotas)) = self.fast_path_with(&credits) else { return };
                let shared = fast_path.shared.clone();
                pause_all(&quotas, held, now);
                let taken = quotas.iter().zip(&credits.credits);
                let reservations = taken.map(|(quota, from)| quota.join(&sent_at, demand, from.as_deref())).collect();
                let model = credits.model.clone();
                self.state.admitted_by_fast_path();
                let mut attempt = Attempt { model, route, quotas, reservations, demand, admitted_at, shared };
                attempt.join(&mut self.quotas, &self.registry, now);
                self.out.insert(sent_at.id(), attempt);
            }
            UpstreamEvent::Refunded { credits, count, demand } => {
                let Some((_, quotas)) = self.fast_path_with(&credits) else { return };
                pause_all(&quotas, held, now);
                for (quota, credits) in quotas.iter().zip(&credits.credits).take(count) {
                    if let Some(credits) = credits {
                        quota.with(now, |quota, _| quota.give_back(credits, demand));
                    }
                }
            }
            UpstreamEvent::Responded { sent_at, at, exhausted_for } => self.on_response(&sent_at, at, exhausted_for),
            UpstreamEvent::Settled { sent_at, settlement } => {
                let Some(attempt) = self.out.remove(&sent_at.id()) else { return };
                pause_all(&attempt.quotas, held, now);
                self.settle(&attempt, &settlement, now);
            }
            UpstreamEvent::Spent { model, usage } => {
                let quotas = self.quotas.for_model(&model, &self.registry);
                pause_all(&quotas, held, now);
                let price = price(&self.shared, &quotas, &model);
                let told = Settlement { usage: Some(usage), ..Settlement::of(Outcome::Completed, Duration::ZERO) };
                spend(&quotas, self.state.actual_usage(&told, price), now);
                self.unsaved.note_used(&quotas);
                self.unsaved.note_change(self.state.spent(usage, now));
            }
            UpstreamEvent::Confirmed(refusal) => self.on_confirmed(&refusal, now),
        }
    }

    fn applied_all(&mut self, now: Now) {
        self.unsaved.quotas.iter().for_each(|quota| quota.prefetch(now));
        self.publish_state();
    }

    fn save(&mut self) {
        if self.unsaved.is_empty() {
            return;
        }
        let ledger = &self.state.config.ledger;
        self.persistence.do_send(Save {
            quotas: self.unsaved.quotas.drain(..).map(|quota| quota.record()).collect(),
            tokens: self.unsaved.tokens.drain(..).map(|change| (ledger.clone(), change)).collect(),
        });
    }
}

impl UpstreamActor {
    fn fast_path_with(&self, credits: &Arc<ModelCredits>) -> Option<(&FastPath, Rc<[QuotaHandle]>)> {
        let (fast_path, quotas) = self.fast_paths.iter().find(|(known, _)| Arc::ptr_eq(&known.credits, credits))?;
        Some((fast_path, quotas.clone()))
    }

    fn on_response(&mut self, sent_at: &SentAt, at: Now, exhausted_for: Option<std::time::Duration>) {
        // An attempt of another entry's says nothing of this one.
        if let Some(attempt) = self.out.get(&sent_at.id()).filter(|attempt| Arc::ptr_eq(&attempt.shared, &self.shared))
        {
            self.state.on_response(attempt.subject(at), exhausted_for);
        }
    }

    fn settle(&mut self, attempt: &Attempt, settlement: &Settlement, now: Now) {
        let price = price(&attempt.shared, &attempt.quotas, &attempt.model);
        let actual = self.state.actual_usage(settlement, price);
        for (quota, reservation) in attempt.quotas.iter().zip(&attempt.reservations) {
            quota.settle(reservation, actual, now);
        }
        self.unsaved.note_used(&attempt.quotas);
        // The end of an attempt says nothing of a key or an address that changed meanwhile.
        if Arc::ptr_eq(&attempt.shared, &self.shared) {
            let day_ends = if settlement.failure().is_some() { self.quotas.day_ends(now) } else { now.mono };
            self.state.apply_outcome(settlement, attempt.subject(now), day_ends);
        }
        if let Some(change) = self.state.left(settlement, attempt.route, now) {
            self.unsaved.note_change(change);
        }
    }

    fn on_confirmed(&mut self, refusal: &ConfirmedRefusal, now: Now) {
        let ConfirmedRefusal { endpoint_serial, model, route, admitted_at, failure } = refusal;
        if *endpoint_serial == self.shared.endpoint.serial {
            let of = ModelRoute { model, route: *route };
            let url = self.shared.endpoint.shown_url(*route, model);
            self.state.on_confirmed(failure, Subject { of, admitted_at: *admitted_at, now }, &url);
        }
    }
}

impl Handler<Drain> for UpstreamActor {
    type Result = ();

    fn handle(&mut self, _: Drain, ctx: &mut Self::Context) {
        self.wake(ctx);
    }
}
