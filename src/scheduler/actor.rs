//! Answers selections on the thread that serves the client: at once where a lane is open, else with what the supervisor says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix::prelude::*;
use quota::{PoolLimitsReader, TakeError};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::board::{Board, BoardChanged, Follow, Mailed};
use super::messages::{AdmissionError, Admitted, Ask, Granted, Select};
use super::strategy::Lot;
use super::supervisor::{MAX_MODELS, SupervisorActor};
use crate::types::Now;
use crate::upstream::FastPath;

/// How long the supervisor may take: it only waits for the disk, and only when a block of units is used up.
const SELECT_WITHIN: Duration = Duration::from_secs(5);

/// So many upstreams that have nothing just now are passed over before the supervisor is asked.
const MOST_PASSED_OVER: usize = 8;

/// The scheduler of one worker.
pub struct SchedulerActor {
    supervisor: Addr<SupervisorActor>,
    board: Arc<Board>,
    /// What it has learned of each model from what it was granted.
    desks: BTreeMap<Arc<str>, Desk>,
}

/// One model.
struct Desk {
    limits: PoolLimitsReader,
    lot: Arc<Lot>,
    /// The short ways to its upstreams, by their positions.
    lanes: Vec<Option<Arc<FastPath>>>,
}

impl SchedulerActor {
    /// A scheduler that knows nothing yet, and asks this supervisor.
    pub fn new(supervisor: Addr<SupervisorActor>) -> Self {
        SchedulerActor { supervisor, board: Arc::default(), desks: BTreeMap::new() }
    }

    /// A permit through a lane; or whom the supervisor is to ask first, if one was drawn.
    fn at_once(&mut self, select: &Select) -> Result<Admitted, Option<usize>> {
        // Who was refused elsewhere, or goes behind those who wait, is the supervisor's.
        if !select.tried.is_empty() || self.board.signs.queueing.load(Ordering::Acquire) {
            return Err(None);
        }
        let now = Now::read();
        let desk = self.desks.get_mut(&select.profile.model).ok_or(None)?;
        let mut passed_over: Vec<usize> = Vec::new();
        let mut rng = rand::rng();
        while passed_over.len() < MOST_PASSED_OVER {
            let slot = desk.lot.draw(&mut rng, |slot| passed_over.contains(&slot)).ok_or(None)?;
            let lane = desk.lanes.get(slot).and_then(Option::as_ref).ok_or(Some(slot))?;
            match lane.try_admit(&select.profile, now) {
                Ok(permit) => return Ok(Admitted { permit, rate: desk.limits.after_one_more(now.mono) }),
                Err(TakeError::AskActor) => return Err(Some(slot)),
                Err(TakeError::Exhausted) => passed_over.push(slot),
            }
        }
        Err(None)
    }

    /// Puts the question to the supervisor, if its mailbox has room.
    fn ask(&self, select: Select, first: Option<usize>) -> oneshot::Receiver<Result<Granted, AdmissionError>> {
        let (reply, told) = oneshot::channel();
        let first = first.and_then(|slot| self.board.seats.get(slot)).map(|seat| seat.api.clone());
        // `try_send`, on an address that lives as long as the worker: all else ignores the mailbox's bound.
        match self.supervisor.try_send(Ask { select, first, reply, mailed: Mailed::new(&self.board.signs) }) {
            Ok(()) => {}
            Err(SendError::Full(Ask { reply, .. })) => {
                self.board.signs.mailbox_was_full();
                // Who has left hears nothing.
                let _ = reply.send(Err(AdmissionError::Overloaded));
            }
            // Then there is nobody to reply, which is told by that.
            Err(SendError::Closed(_)) => {}
        }
        told
    }

    /// Keeps what was granted besides the permit: the next request like it may be answered at once.
    fn learn(&mut self, model: Arc<str>, Granted { permit, lanes, limits, board }: Granted) -> Admitted {
        let now = Now::read_mono();
        self.adopt(&board);
        if board.serial != self.board.serial {
            return Admitted { permit, rate: limits.summary(now) };
        }
        if self.desks.len() >= MAX_MODELS {
            self.desks.clear();
        }
        let lot = self.board.routes.lot(&model);
        let new_desk = || Desk { limits: PoolLimitsReader::new(limits), lot: lot.clone(), lanes: Vec::new() };
        let desk = self.desks.entry(model).or_insert_with(new_desk);
        for (slot, lane) in lanes {
            if desk.lanes.len() <= slot {
                desk.lanes.resize(slot + 1, None);
            }
            if let Some(known) = desk.lanes.get_mut(slot) {
                *known = Some(lane);
            }
        }
        Admitted { permit, rate: desk.limits.after_one_more(now) }
    }

    fn adopt(&mut self, board: &Arc<Board>) {
        if board.serial > self.board.serial {
            self.board = board.clone();
            self.desks.clear();
        }
    }
}

impl Actor for SchedulerActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.supervisor.do_send(Follow(ctx.address().recipient()));
    }
}

impl Handler<BoardChanged> for SchedulerActor {
    type Result = ();

    fn handle(&mut self, BoardChanged(board): BoardChanged, _: &mut Self::Context) {
        self.adopt(&board);
    }
}

impl Handler<Select> for SchedulerActor {
    type Result = ActorResponse<Self, Result<Admitted, AdmissionError>>;

    fn handle(&mut self, select: Select, _: &mut Self::Context) -> Self::Result {
        let first = match self.at_once(&select) {
            Ok(admitted) => return ActorResponse::reply(Ok(admitted)),
            Err(first) => first,
        };
        let model = select.profile.model.clone();
        let told = timeout(SELECT_WITHIN + self.board.max_wait, self.ask(select, first));
        ActorResponse::r#async(told.into_actor(self).map(move |told, actor, _| match told {
            Ok(Ok(Ok(granted))) => Ok(actor.learn(model, granted)),
            Ok(Ok(Err(refused))) => Err(refused),
            Ok(Err(_)) => Err(AdmissionError::Stopping),
            Err(_) => Err(AdmissionError::NotInTime),
        }))
    }
}
