//! How an upstream's actor takes up what the workers laid down in its [`super::inbox`], and saves what it changed.

use std::rc::Rc;
use std::sync::Arc;

use actix::prelude::*;

use super::UpstreamActor;
use super::actor::Attempt;
use super::inbox::{GATHER, News, TakeUp};
use super::lane::Lane;
use super::quotas::{Paused, QuotaHandle};
use super::state::Ending;
use crate::persistence::{Save, TokenChange};
use crate::types::{Blame, Failure, Now, Settlement};

/// What changed and is not sent to the store yet.
#[derive(Default)]
pub(super) struct Unsaved {
    /// Used since they were last saved.
    pub(super) quotas: Vec<QuotaHandle>,
    /// Changes of the statistics; the newest of each bucket is enough.
    pub(super) tokens: Vec<TokenChange>,
}

impl Unsaved {
    fn note_used(&mut self, ledgers: &[QuotaHandle]) {
        for ledger in ledgers {
            if !self.quotas.iter().any(|unsaved| unsaved.is(ledger)) {
                self.quotas.push(ledger.clone());
            }
        }
    }

    fn note_change(&mut self, change: TokenChange) {
        // Totals are absolute: of several changes within one hour and day, the last says all.
        let same_buckets = |a: &TokenChange, b: &TokenChange| match (a, b) {
            (TokenChange::Grown { hour, day, .. }, TokenChange::Grown { hour: h, day: d, .. }) => {
                hour.0 == h.0 && day.0 == d.0
            }
            (TokenChange::Reset, _) | (_, TokenChange::Reset) => false,
        };
        self.tokens.pop_if(|last| same_buckets(last, &change));
        self.tokens.push(change);
    }

    fn is_empty(&self) -> bool {
        self.quotas.is_empty() && self.tokens.is_empty()
    }
}

impl UpstreamActor {
    /// Takes up all news. Returns whether there were any.
    pub(super) fn take_up(&mut self) -> bool {
        // Read before the news are: what is told from here on, and is not among them, goes on pressing.
        let pressing = self.inbox.pressing();
        let any = self.hear_all();
        self.inbox.acted_on(pressing);
        any
    }

    fn hear_all(&mut self) -> bool {
        let Ok(first) = self.news.try_recv() else { return false };
        let now = Now::read();
        // What the news are of is called in once for all of them.
        let mut held: Vec<Paused> = Vec::new();
        let mut next = Some(first);
        while let Some(news) = next {
            self.hear(news, &mut held, now);
            next = self.news.try_recv().ok();
        }
        drop(held);
        for ledger in &self.unsaved.quotas {
            ledger.prefetch(now);
        }
        self.set_door();
        true
    }

    fn hear(&mut self, news: News, held: &mut Vec<Paused>, now: Now) {
        let mut hold = |ledgers: &[QuotaHandle]| {
            held.extend(ledgers.iter().filter(|ledger| !ledger.is_paused()).map(|ledger| ledger.pause(now)));
        };
        match news {
            News::Began { lane, of, stamp, demand } => {
                let Some(ledgers) = self.ledgers_of(&lane) else { return };
                hold(&ledgers);
                let (model, door) = (lane.model.clone(), lane.door.clone());
                let taken = ledgers.iter().zip(&lane.allowances);
                let shares = taken.map(|(ledger, from)| ledger.join(&stamp, demand, from.as_deref())).collect();
                let sent = self.state.joined();
                self.out.insert(stamp.id(), Attempt { model, of, ledgers, shares, sent, door });
            }
            News::Returned { lane, quotas, demand } => {
                let Some(ledgers) = self.ledgers_of(&lane) else { return };
                hold(&ledgers);
                for (ledger, allowance) in ledgers.iter().zip(&lane.allowances).take(quotas) {
                    if let Some(allowance) = allowance {
                        ledger.with(now, |quota, _| quota.give_back(allowance, demand));
                    }
                }
            }
            News::Testified { door, sent, failure, at } => {
                if Arc::ptr_eq(&door, &self.door) {
                    self.state.testified((&failure, at), (sent, now), || self.ledgers.day_ends(now));
                }
            }
            News::Answered { stamp, at, closed_for } => {
                let here = |attempt: &&mut Attempt| Arc::ptr_eq(&attempt.door, &self.door);
                let Some(attempt) = self.out.get_mut(&stamp.id()).filter(here) else { return };
                self.state.answered((attempt.sent.answered(), at), closed_for);
            }
            News::Ended { stamp, settlement } => {
                let Some(attempt) = self.out.remove(&stamp.id()) else { return };
                hold(&attempt.ledgers);
                self.settle(&attempt, &settlement, now);
            }
        }
    }

    fn ledgers_of(&self, lane: &Arc<Lane>) -> Option<Rc<[QuotaHandle]>> {
        let known = self.lanes.iter().find(|(known, _)| Arc::ptr_eq(known, lane));
        known.map(|(_, ledgers)| ledgers.clone())
    }

    fn settle(&mut self, attempt: &Attempt, settlement: &Settlement, now: Now) {
        let spent = self.state.spent(settlement);
        for (ledger, share) in attempt.ledgers.iter().zip(&attempt.shares) {
            ledger.settle(share, spent, now);
        }
        self.unsaved.note_used(&attempt.ledgers);
        // A key or an address that was changed since is not judged by what became of the old one.
        if Arc::ptr_eq(&attempt.door, &self.door) {
            self.judge(attempt, settlement, now);
        }
        if let Some(change) = self.state.left(settlement, now) {
            self.unsaved.note_change(change);
        }
    }

    fn judge(&mut self, Attempt { model, of, sent, .. }: &Attempt, settlement: &Settlement, now: Now) {
        let of_the_model = |failure: &&Failure| failure.class.is_of_the_model() && failure.blame != Blame::Request;
        if let Some(failure) = settlement.failure().filter(of_the_model) {
            let api = &self.state.config.id;
            log::warn!("{api}: does not serve {model:?} at {of}, it says ({failure}); it is asked for all else");
            let until = self.state.absent.rest((model, *of), failure, now);
            self.lanes.iter().filter(|(lane, _)| lane.model == *model).for_each(|(lane, _)| lane.rest(*of, until));
        }
        self.state.judge(settlement, Ending { sent: *sent, now }, || self.ledgers.day_ends(now));
    }

    /// Sends what changed to the store.
    pub(super) fn save(&mut self) {
        if self.unsaved.is_empty() {
            return;
        }
        let api = &self.state.config.id;
        self.persistence.do_send(Save {
            quotas: self.unsaved.quotas.drain(..).map(|ledger| ledger.record()).collect(),
            tokens: self.unsaved.tokens.drain(..).map(|change| (api.clone(), change)).collect(),
        });
    }

    /// Looks for news until there are none, [`GATHER`] apart.
    fn stay_awake(&mut self, ctx: &mut Context<Self>) {
        self.awake = true;
        ctx.run_later(GATHER, |actor, ctx| {
            let more = actor.take_up();
            actor.save();
            if more {
                return actor.stay_awake(ctx);
            }
            actor.awake = false;
            actor.inbox.set_awake(false);
            // What came in between woke nobody.
            if actor.take_up() {
                actor.inbox.set_awake(true);
                actor.stay_awake(ctx);
            }
        });
    }
}

impl Handler<TakeUp> for UpstreamActor {
    type Result = ();

    /// After a silence what changed is saved at once; under load, what changed since it was last saved.
    fn handle(&mut self, _: TakeUp, ctx: &mut Self::Context) {
        self.take_up();
        if !self.awake {
            self.save();
            self.inbox.set_awake(true);
            self.stay_awake(ctx);
        }
    }
}
