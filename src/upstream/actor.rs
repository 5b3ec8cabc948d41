//! The single writer of one upstream's facts: wiring between messages, the store and [`State`].

use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::{Arc, mpsc};

use actix::prelude::*;
use jiff::tz::TimeZone;
use quota::{ActualUsage, Reservation};
use tokio::sync::oneshot;

use super::inbox::{Inbox, News};
use super::lane::{Allowances, Door, Lane, Way};
use super::messages::{
    ApiStatus, Declined, Forward, GetStatus, GetTokens, QuotaStatus, Reconfigure, Refusal, ResetTokens, Retire,
    TokenReport,
};
use super::quotas::{Admission, ApiQuotas, QuotaHandle, QuotaRegistry, admit, room};
use super::state::{Sent, State};
use super::taking_up::Unsaved;
use super::{Endpoint, Permit};
use crate::config::ApiConfig;
use crate::persistence::{Flush, PersistenceActor, RestoreTokens, TokenChange};
use crate::types::{Now, Operation, TokenStats};

/// Owns one upstream.
pub struct UpstreamActor {
    pub(super) state: State,
    pub(super) persistence: Addr<PersistenceActor>,
    books: QuotaRegistry,
    pub(super) ledgers: ApiQuotas,
    /// What the workers see of it.
    pub(super) door: Arc<Door>,
    pub(super) inbox: Arc<Inbox>,
    pub(super) news: mpsc::Receiver<News>,
    /// It looks for news by itself.
    pub(super) awake: bool,
    /// Lanes that may be in use, with the quotas that they stand for.
    pub(super) lanes: Vec<(Arc<Lane>, Rc<[QuotaHandle]>)>,
    /// Attempts that were admitted and are not settled, by their stamps.
    pub(super) out: HashMap<usize, Attempt>,
    /// Attempts that wait for a store, first come first served.
    waiting: VecDeque<Waiting>,
    /// What changed and is not sent to the store yet.
    pub(super) unsaved: Unsaved,
}

/// An attempt that is out: its shares of the quotas.
pub(super) struct Attempt {
    /// By the upstream's own name.
    pub(super) model: Arc<str>,
    pub(super) of: Operation,
    pub(super) ledgers: Rc<[QuotaHandle]>,
    pub(super) shares: Vec<Reservation>,
    pub(super) sent: Sent,
    /// Behind which it went: if another stands here by now, it says nothing of what is behind that.
    pub(super) door: Arc<Door>,
}

struct Waiting {
    asked: Forward,
    tell: oneshot::Sender<Result<Permit, Declined>>,
}

impl UpstreamActor {
    /// Starts the actor of a configured API on the current arbiter. It takes up its saved counts before it admits
    /// anything.
    pub fn start(config: Arc<ApiConfig>, persistence: Addr<PersistenceActor>, books: QuotaRegistry) -> Addr<Self> {
        UpstreamActor::create(|ctx| {
            let (inbox, news) = Inbox::new(ctx.address());
            UpstreamActor {
                door: Arc::new(Door::new(Arc::new(Endpoint::new(&config)), inbox.clone())),
                inbox,
                news,
                awake: false,
                lanes: Vec::new(),
                ledgers: books.open_for(&config),
                state: State::restore(config, TimeZone::system(), TokenStats::default(), Now::read()),
                persistence,
                books,
                out: HashMap::new(),
                waiting: VecDeque::new(),
                unsaved: Unsaved::default(),
            }
        })
    }

    /// Admits, refuses, or (`None`) must wait for a store.
    fn decide(&mut self, asked: &Forward, ctx: &mut Context<Self>) -> Option<Result<Permit, Declined>> {
        let (now, profile) = (Now::read(), &asked.profile);
        let model = self.door.endpoint.own_name(&profile.model).unwrap_or(&profile.model).clone();
        let ledgers = self.ledgers.for_model(&model, &self.books);
        if let Err(refusal) = self.state.may_serve((&model, profile.operation), asked.last_resort, now) {
            return Some(Err(Declined { refusal, lane: self.lane(&model, &ledgers) }));
        }
        let demand = self.state.demand(profile);
        match admit(&ledgers, demand, self.waiting.len() + 1, now) {
            Admission::Admitted { sent_at: stamp, reservations: shares } => {
                let (sent, lane) = (self.state.admitted(now), self.lane(&model, &ledgers));
                let tightest = ledgers.iter().filter_map(QuotaHandle::tightest_tokens).min();
                let (of, door) = (profile.operation, self.door.clone());
                let permit = Permit::new(door.clone(), (demand, tightest), stamp.clone());
                self.out.insert(stamp.id(), Attempt { model, of, ledgers, shares, sent, door });
                Some(Ok(permit.on_terms(lane, sent)))
            }
            Admission::Refused(refusal) => Some(Err(Declined { refusal, lane: self.lane(&model, &ledgers) })),
            Admission::Wait(answered) => {
                let then = answered.into_actor(self).map(|_, actor, ctx| {
                    actor.take_up();
                    actor.serve_waiting(ctx);
                    actor.set_door();
                });
                ctx.spawn(then);
                None
            }
        }
    }

    /// The short way past this actor for a model, which counts in these quotas, if there is one. (Those that are too many to be
    /// counted for themselves have none.)
    fn lane(&mut self, model: &Arc<str>, ledgers: &Rc<[QuotaHandle]>) -> Option<Arc<Lane>> {
        if Rc::ptr_eq(ledgers, self.ledgers.common()) {
            return None;
        }
        let mut allowances = Allowances::default();
        for (place, ledger) in allowances.iter_mut().zip(ledgers.iter()) {
            if !ledger.allows_fast_path() {
                return None;
            }
            *place = ledger.credits();
        }
        let same = |(lane, to): &&(Arc<Lane>, Rc<[QuotaHandle]>)| {
            Rc::ptr_eq(to, ledgers) && lane.leads(&self.door, &allowances)
        };
        if let Some((lane, _)) = self.lanes.iter().find(same) {
            return Some(lane.clone());
        }
        // One that nobody holds any more will bring no news.
        self.lanes.retain(|(lane, _)| Arc::strong_count(lane) > 1);
        let lane = Arc::new(Lane::new(self.door.clone(), model.clone(), allowances));
        let now = Now::read();
        for of in Operation::ALL {
            let absence = self.state.absent.get(model, of, now);
            absence.into_iter().for_each(|absence| lane.rest(of, absence.until));
        }
        self.lanes.push((lane.clone(), ledgers.clone()));
        Some(lane)
    }

    /// Shows the workers which way to go.
    pub(super) fn set_door(&self) {
        let way = if self.waiting.is_empty() { self.state.way(Now::read()) } else { Way::AskFrom(0) };
        self.door.expect(self.state.tally.typical_completion());
        self.door.set(way);
    }

    fn serve_waiting(&mut self, ctx: &mut Context<Self>) {
        while let Some(waiting) = self.waiting.pop_front() {
            // Whoever left while waiting takes nothing with them.
            if waiting.tell.is_closed() {
                continue;
            }
            match self.decide(&waiting.asked, ctx) {
                Some(reply) => drop(waiting.tell.send(reply)),
                None => {
                    self.waiting.push_front(waiting);
                    return;
                }
            }
        }
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
                actor.set_door();
            })
            .wait(ctx);
    }
}

impl Drop for UpstreamActor {
    /// If it ends by a defect, nobody goes past it any more, and nobody will settle what is out.
    fn drop(&mut self) {
        self.door.set(Way::AskFrom(0));
        let (now, unknown) = (Now::read(), ActualUsage { counts: true, tokens: None });
        for Attempt { ledgers, shares, .. } in self.out.values() {
            ledgers.iter().zip(shares).for_each(|(ledger, share)| ledger.settle(share, unknown, now));
        }
    }
}

impl Handler<Forward> for UpstreamActor {
    type Result = ActorResponse<Self, Result<Permit, Declined>>;

    fn handle(&mut self, asked: Forward, ctx: &mut Self::Context) -> Self::Result {
        self.take_up();
        let decided = if self.waiting.is_empty() { self.decide(&asked, ctx) } else { None };
        let reply = match decided {
            Some(reply) => Ok(reply),
            None => {
                let (tell, told) = oneshot::channel();
                self.waiting.push_back(Waiting { asked, tell });
                Err(told)
            }
        };
        self.set_door();
        let told = match reply {
            Ok(reply) => return ActorResponse::reply(reply),
            Err(told) => told,
        };
        let reply = async { told.await.unwrap_or(Err(Declined { refusal: Refusal::Retiring, lane: None })) };
        ActorResponse::r#async(reply.into_actor(self))
    }
}

impl Handler<Reconfigure> for UpstreamActor {
    type Result = ();

    fn handle(&mut self, Reconfigure(config): Reconfigure, _: &mut Self::Context) {
        self.take_up();
        if config != self.state.config {
            self.door.set(Way::AskFrom(0));
            self.door = Arc::new(Door::new(Arc::new(Endpoint::new(&config)), self.inbox.clone()));
        }
        self.ledgers = self.books.open_for(&config);
        self.state.reconfigure(config);
        self.set_door();
    }
}

impl Handler<Retire> for UpstreamActor {
    type Result = ();

    fn handle(&mut self, _: Retire, _: &mut Self::Context) {
        self.take_up();
        self.save();
        self.state.retire();
        self.set_door();
    }
}

impl Handler<GetStatus> for UpstreamActor {
    type Result = ApiStatus;

    fn handle(&mut self, _: GetStatus, _: &mut Self::Context) -> ApiStatus {
        self.take_up();
        let now = Now::read();
        let room = room(self.ledgers.common(), 1, now);
        self.state.status(self.quotas(now), room, now)
    }
}

impl Handler<GetTokens> for UpstreamActor {
    type Result = TokenReport;

    fn handle(&mut self, _: GetTokens, _: &mut Self::Context) -> TokenReport {
        self.take_up();
        self.state.tally.report(self.state.config.id.clone(), Now::read())
    }
}

impl Handler<ResetTokens> for UpstreamActor {
    type Result = ResponseFuture<()>;

    /// Answered when it is durable: what was reset does not come back.
    fn handle(&mut self, _: ResetTokens, _: &mut Self::Context) -> Self::Result {
        self.take_up();
        self.state.tally.reset();
        self.unsaved.tokens = vec![TokenChange::Reset];
        self.save();
        let flushed = self.persistence.send(Flush);
        Box::pin(async {
            // A store that can't be written says so in the log, once.
            let _ = flushed.await;
        })
    }
}
