//! The single writer of one upstream's facts: wiring between messages, the store and [`State`].

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::*;
use jiff::tz::TimeZone;
use tokio::sync::oneshot;

use super::messages::{
    ApiStatus, Forward, GetStatus, GetTokens, Reconfigure, Refusal, ResetTokens, Retire, Settle, Stop,
    StreamOptionsRefused, TokenReport,
};
use super::permit::Terms;
use super::state::{Decision, State};
use super::{Endpoint, Permit};
use crate::config::ApiConfig;
use crate::persistence::{Flush, PersistenceActor, Reserve, Restore, Save, Saved, TokenChange};
use crate::types::{Now, Uptime, WriteStamp};

/// A change is saved at once. Only changes that follow each other more closely than this are gathered …
const SAVE_GAP: Duration = Duration::from_micros(500);

/// … for so long: what a `kill -9` under load may cost the statistics, so that a load costs 50 commits a second.
const GATHER: Duration = Duration::from_millis(20);

/// How long after a failed reservation the store is asked again.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// Owns one upstream.
pub struct UpstreamActor {
    state: State,
    endpoint: Arc<Endpoint>,
    persistence: Addr<PersistenceActor>,
    ask_usage: bool,
    /// Attempts that wait for a grant, first come first served.
    waiting: VecDeque<oneshot::Sender<Result<Permit, Refusal>>>,
    /// Changes of the statistics that are not yet sent to the store; the newest of each bucket is enough.
    unsaved: Vec<TokenChange>,
    save_planned: bool,
    last_change: Instant,
}

impl UpstreamActor {
    /// Starts the actor of a configured API on the current arbiter. It takes up its saved counts before it admits
    /// anything.
    pub fn start(config: Arc<ApiConfig>, persistence: Addr<PersistenceActor>) -> Addr<Self> {
        let actor = UpstreamActor {
            endpoint: Arc::new(Endpoint::new(&config)),
            state: State::restore(config, TimeZone::system(), Saved::default(), Now::read()),
            persistence,
            ask_usage: true,
            waiting: VecDeque::new(),
            unsaved: Vec::new(),
            save_planned: false,
            last_change: Instant::now(),
        };
        Actor::start(actor)
    }

    /// Admits, refuses, or (`None`) must wait for the store.
    fn decide(&mut self, ctx: &mut Context<Self>) -> Option<Result<Permit, Refusal>> {
        let decision = self.state.admit(Now::read());
        self.top_up(matches!(decision, Decision::WaitForGrant), ctx);
        match decision {
            Decision::Go { stamp, probe } => Some(Ok(self.permit(stamp, probe, ctx))),
            Decision::Refuse(refusal) => Some(Err(refusal)),
            Decision::WaitForGrant => None,
        }
    }

    fn permit(&self, stamp: WriteStamp, probe: bool, ctx: &Context<Self>) -> Permit {
        Permit::new(self.endpoint.clone(), Terms { stamp, probe, ask_usage: self.ask_usage }, ctx.address())
    }

    /// Draws a block of units from the store when it is time to.
    fn top_up(&mut self, needed: bool, ctx: &mut Context<Self>) {
        let Some(record) = self.state.quota.reserve(needed, Now::read()) else { return };
        self.persistence
            .send(Reserve(self.state.config.id.clone(), record.marked(Uptime::read())))
            .into_actor(self)
            .map(|reply, actor, ctx| {
                let durable = matches!(reply, Ok(Ok(())));
                actor.state.reserved(durable);
                if !durable {
                    ctx.run_later(STORE_RETRY, |actor, ctx| actor.top_up(true, ctx));
                }
                actor.serve_waiting(ctx);
            })
            .spawn(ctx);
    }

    fn serve_waiting(&mut self, ctx: &mut Context<Self>) {
        while let Some(waiter) = self.waiting.pop_front() {
            // Whoever left while waiting takes nothing with them.
            if waiter.is_closed() {
                continue;
            }
            match self.decide(ctx) {
                Some(reply) => drop(waiter.send(reply)),
                None => {
                    self.waiting.push_front(waiter);
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
        self.persistence.do_send(Save {
            api: self.state.config.id.clone(),
            quota: self.state.record(Now::read()).marked(Uptime::read()),
            tokens: std::mem::take(&mut self.unsaved),
        });
    }
}

impl Actor for UpstreamActor {
    type Context = Context<Self>;

    /// Nothing is admitted before the saved counts are there: the mailbox waits.
    fn started(&mut self, ctx: &mut Self::Context) {
        self.persistence
            .send(Restore(self.state.config.id.clone()))
            .into_actor(self)
            .map(|saved, actor, _| {
                // Without an answer the process is about to stop: nothing is admitted on a guess.
                let saved = saved.unwrap_or_else(|_| Saved { lost: true, ..Saved::default() });
                let (lost, now) = (saved.lost, Now::read());
                let quota = saved.quota.map(|record| record.by_the_clock_of(now, Uptime::read().as_ref()));
                let saved = Saved { quota, ..saved };
                actor.state = State::restore(actor.state.config.clone(), TimeZone::system(), saved, now);
                if lost {
                    // So that the next start knows it too.
                    actor.save();
                }
            })
            .wait(ctx);
    }
}

impl Handler<Forward> for UpstreamActor {
    type Result = ActorResponse<Self, Result<Permit, Refusal>>;

    fn handle(&mut self, Forward { profile: _ }: Forward, ctx: &mut Self::Context) -> Self::Result {
        if self.waiting.is_empty()
            && let Some(reply) = self.decide(ctx)
        {
            return ActorResponse::reply(reply);
        }
        let (tell, told) = oneshot::channel();
        self.waiting.push_back(tell);
        let reply = async { told.await.unwrap_or(Err(Refusal::Retiring)) };
        ActorResponse::r#async(reply.into_actor(self))
    }
}

impl Handler<Settle> for UpstreamActor {
    type Result = ();

    fn handle(&mut self, attempt: Settle, ctx: &mut Self::Context) {
        let change = self.state.settle(&attempt, Now::read());
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
        self.state.reconfigure(config, Now::read());
    }
}

impl Handler<Retire> for UpstreamActor {
    type Result = ();

    fn handle(&mut self, _: Retire, _: &mut Self::Context) {
        self.state.retire();
    }
}

impl Handler<Stop> for UpstreamActor {
    type Result = ();

    fn handle(&mut self, _: Stop, _: &mut Self::Context) {
        self.state.retire();
        self.state.quota.release_grant();
        self.save();
    }
}

impl Handler<GetStatus> for UpstreamActor {
    type Result = ApiStatus;

    fn handle(&mut self, _: GetStatus, _: &mut Self::Context) -> ApiStatus {
        self.state.status(Now::read())
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
