//! The single writer of one upstream's facts: wiring between messages, the store and [`State`].

use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::*;
use jiff::tz::TimeZone;
use tokio::sync::oneshot;

use super::admission::{Admission, admit, room};
use super::books::{ApiLedgers, Books};
use super::ledger::Ledger;
use super::messages::{
    ApiStatus, Forward, GetStatus, GetTokens, QuotaStatus, Reconfigure, Refusal, ResetTokens, Retire, Settle,
    StreamOptionsRefused, TokenReport,
};
use super::permit::Terms;
use super::quota::Share;
use super::state::{Ending, State};
use super::{Endpoint, Permit};
use crate::config::ApiConfig;
use crate::persistence::{Flush, PersistenceActor, RestoreTokens, Save, TokenChange};
use crate::types::{Now, Profile, TokenStats};

/// A change is saved at once. Only changes that follow each other more closely than this are gathered …
const SAVE_GAP: Duration = Duration::from_micros(500);

/// … for so long: what a `kill -9` under load may cost the statistics, so that a load costs 50 commits a second.
const GATHER: Duration = Duration::from_millis(20);

/// Owns one upstream.
pub struct UpstreamActor {
    state: State,
    endpoint: Arc<Endpoint>,
    persistence: Addr<PersistenceActor>,
    books: Books,
    ledgers: ApiLedgers,
    /// Attempts that were admitted and are not settled, by their number.
    out: HashMap<u64, Attempt>,
    next_attempt: u64,
    ask_usage: bool,
    /// Attempts that wait for a store, first come first served.
    waiting: VecDeque<Waiting>,
    /// Ledgers that were used since they were last saved.
    unsaved_quotas: Vec<Ledger>,
    /// Changes of the statistics that are not yet sent to the store; the newest of each bucket is enough.
    unsaved: Vec<TokenChange>,
    save_planned: bool,
    last_change: Instant,
}

/// An attempt that is out: its shares of the quotas.
struct Attempt {
    ledgers: Rc<[Ledger]>,
    shares: Vec<Share>,
    probe: bool,
}

struct Waiting {
    profile: Profile,
    tell: oneshot::Sender<Result<Permit, Refusal>>,
}

impl UpstreamActor {
    /// Starts the actor of a configured API on the current arbiter. It takes up its saved counts before it admits
    /// anything.
    pub fn start(config: Arc<ApiConfig>, persistence: Addr<PersistenceActor>, books: Books) -> Addr<Self> {
        let actor = UpstreamActor {
            endpoint: Arc::new(Endpoint::new(&config)),
            ledgers: books.of(&config),
            state: State::restore(config, TimeZone::system(), TokenStats::default(), Now::read()),
            persistence,
            books,
            out: HashMap::new(),
            next_attempt: 0,
            ask_usage: true,
            waiting: VecDeque::new(),
            unsaved_quotas: Vec::new(),
            unsaved: Vec::new(),
            save_planned: false,
            last_change: Instant::now(),
        };
        Actor::start(actor)
    }

    /// Admits, refuses, or (`None`) must wait for a store.
    fn decide(&mut self, profile: &Profile, ctx: &mut Context<Self>) -> Option<Result<Permit, Refusal>> {
        let now = Now::read();
        if let Err(refusal) = self.state.health(now) {
            return Some(Err(refusal));
        }
        let own_name = self.endpoint.own_name(&profile.model).unwrap_or(&profile.model);
        let ledgers = self.ledgers.for_model(own_name, &self.books);
        match admit(&ledgers, self.state.demand(profile), self.waiting.len() + 1, now) {
            Admission::Admitted(stamp, shares) => {
                self.next_attempt += 1;
                let attempt = Attempt { ledgers, shares, probe: self.state.admitted() };
                self.out.insert(self.next_attempt, attempt);
                let terms = Terms { attempt: self.next_attempt, stamp, ask_usage: self.ask_usage };
                Some(Ok(Permit::new(self.endpoint.clone(), terms, ctx.address())))
            }
            Admission::Refused(refusal) => Some(Err(refusal)),
            Admission::Wait(answered) => {
                let then = answered.into_actor(self).map(|_, actor, ctx| actor.serve_waiting(ctx));
                ctx.spawn(then);
                None
            }
        }
    }

    fn serve_waiting(&mut self, ctx: &mut Context<Self>) {
        while let Some(waiting) = self.waiting.pop_front() {
            // Whoever left while waiting takes nothing with them.
            if waiting.tell.is_closed() {
                continue;
            }
            match self.decide(&waiting.profile, ctx) {
                Some(reply) => drop(waiting.tell.send(reply)),
                None => {
                    self.waiting.push_front(waiting);
                    return;
                }
            }
        }
    }

    fn save_soon(&mut self, change: Option<TokenChange>, ctx: &mut Context<Self>) {
        // Totals are absolute: of several changes within one hour and day, the last says all.
        let same_buckets = |a: &TokenChange, b: &TokenChange| match (a, b) {
            (TokenChange::Grown { hour, day, .. }, TokenChange::Grown { hour: h, day: d, .. }) => {
                hour.0 == h.0 && day.0 == d.0
            }
            (TokenChange::Reset, _) | (_, TokenChange::Reset) => false,
        };
        if let Some(change) = change {
            self.unsaved.pop_if(|last| same_buckets(last, &change));
            self.unsaved.push(change);
        }
        let gap = self.last_change.elapsed();
        self.last_change = Instant::now();
        if self.save_planned {
            return;
        }
        if gap > SAVE_GAP {
            self.save();
        } else {
            self.save_planned = true;
            ctx.run_later(GATHER, |actor, _| actor.save());
        }
    }

    fn save(&mut self) {
        self.save_planned = false;
        let api = &self.state.config.id;
        self.persistence.do_send(Save {
            quotas: self.unsaved_quotas.drain(..).map(|ledger| ledger.record()).collect(),
            tokens: self.unsaved.drain(..).map(|change| (api.clone(), change)).collect(),
        });
    }

    fn quotas(&self, now: Now) -> Vec<QuotaStatus> {
        self.ledgers.each().into_iter().map(|(model, ledger)| ledger.status(model, now)).collect()
    }
}

impl Actor for UpstreamActor {
    type Context = Context<Self>;

    /// The mailbox waits until the saved statistics are there.
    fn started(&mut self, ctx: &mut Self::Context) {
        self.persistence
            .send(RestoreTokens(self.state.config.id.clone()))
            .into_actor(self)
            .map(|saved, actor, _| {
                let config = actor.state.config.clone();
                actor.state = State::restore(config, TimeZone::system(), saved.unwrap_or_default(), Now::read());
            })
            .wait(ctx);
    }
}

impl Handler<Forward> for UpstreamActor {
    type Result = ActorResponse<Self, Result<Permit, Refusal>>;

    fn handle(&mut self, Forward { profile }: Forward, ctx: &mut Self::Context) -> Self::Result {
        if self.waiting.is_empty()
            && let Some(reply) = self.decide(&profile, ctx)
        {
            return ActorResponse::reply(reply);
        }
        let (tell, told) = oneshot::channel();
        self.waiting.push_back(Waiting { profile, tell });
        let reply = async { told.await.unwrap_or(Err(Refusal::Retiring)) };
        ActorResponse::r#async(reply.into_actor(self))
    }
}

impl Handler<Settle> for UpstreamActor {
    type Result = ();

    fn handle(&mut self, Settle { attempt, settlement }: Settle, ctx: &mut Self::Context) {
        let Some(Attempt { ledgers, shares, probe }) = self.out.remove(&attempt) else { return };
        let now = Now::read();
        let spent = self.state.spent(&settlement);
        for (ledger, share) in ledgers.iter().zip(&shares) {
            ledger.settle(share, spent, now);
            if !self.unsaved_quotas.iter().any(|unsaved| unsaved.is(ledger)) {
                self.unsaved_quotas.push(ledger.clone());
            }
        }
        let ending = Ending { probe, day_ends: self.ledgers.day_ends(now), now };
        let change = self.state.settle(&settlement, ending);
        self.save_soon(change, ctx);
    }
}

impl Handler<StreamOptionsRefused> for UpstreamActor {
    type Result = ();

    fn handle(&mut self, _: StreamOptionsRefused, _: &mut Self::Context) {
        if std::mem::replace(&mut self.ask_usage, false) {
            log::warn!("{}: does not take stream_options; usage of its streams is estimated", self.state.config.id);
        }
    }
}

impl Handler<Reconfigure> for UpstreamActor {
    type Result = ();

    fn handle(&mut self, Reconfigure(config): Reconfigure, _: &mut Self::Context) {
        if config != self.state.config {
            self.endpoint = Arc::new(Endpoint::new(&config));
            self.ask_usage = true;
        }
        self.ledgers = self.books.of(&config);
        self.state.reconfigure(config);
    }
}

impl Handler<Retire> for UpstreamActor {
    type Result = ();

    fn handle(&mut self, _: Retire, _: &mut Self::Context) {
        self.state.retire();
    }
}

impl Handler<GetStatus> for UpstreamActor {
    type Result = ApiStatus;

    fn handle(&mut self, _: GetStatus, _: &mut Self::Context) -> ApiStatus {
        let now = Now::read();
        let room = room(self.ledgers.common(), 1, now);
        self.state.status(self.quotas(now), room, now)
    }
}

impl Handler<GetTokens> for UpstreamActor {
    type Result = TokenReport;

    fn handle(&mut self, _: GetTokens, _: &mut Self::Context) -> TokenReport {
        self.state.token_report(Now::read())
    }
}

impl Handler<ResetTokens> for UpstreamActor {
    type Result = ResponseFuture<()>;

    /// Answered when it is durable: what was reset does not come back.
    fn handle(&mut self, _: ResetTokens, _: &mut Self::Context) -> Self::Result {
        self.state.reset_tokens();
        self.unsaved = vec![TokenChange::Reset];
        self.save();
        let flushed = self.persistence.send(Flush);
        Box::pin(async {
            // A store that can't be written says so in the log, once.
            let _ = flushed.await;
        })
    }
}
