//! The waiting line: requests that found every quota spent, and may wait a moment for one to free.
//!
//! One line for each model, first come first served: who comes later does not pass who waits, but for upstreams that nobody
//! who waits may use (those that failed it, which is a line of its own). The head of a line is tried again when a quota is to free, and every [`RETRY`] in any case, since a slot may come free earlier (a refund, an
//! answer that ends, a new configuration).

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::oneshot;

use super::SupervisorActor;
use super::messages::AdmissionError;
use super::selection::Selected;
use crate::types::{ApiId, Now, Profile};

/// How often the head of a line is tried.
const RETRY: Duration = Duration::from_millis(10);

/// A request in the line.
pub(super) struct Waiter {
    pub(super) profile: Profile,
    pub(super) tried: Vec<ApiId>,
    /// When it has waited long enough (ms, monotonic).
    pub(super) deadline: u64,
    /// Gone when its client has left.
    pub(super) client: Weak<()>,
    pub(super) reply: oneshot::Sender<Result<Selected, AdmissionError>>,
}

/// The lines of all models.
#[derive(Default)]
pub(super) struct Lines {
    by_model: BTreeMap<Arc<str>, Vec<Line>>,
    planned: bool,
}

/// Who is ahead of a request that comes now.
pub(super) struct Ahead {
    /// Upstreams that nobody of them may use.
    pub(super) open: Vec<ApiId>,
    /// Why they wait, as the upstreams last said it.
    pub(super) refused: AdmissionError,
}

/// Those who wait for one model, and may use the same upstreams for it.
struct Line {
    /// All but these.
    tried: Vec<ApiId>,
    waiters: VecDeque<Waiter>,
    /// The head is out, to be tried.
    trying: bool,
    /// Why they wait, as the upstreams last said it.
    refused: AdmissionError,
}

impl Lines {
    /// Those who wait for this model, if anyone does: a later request waits behind.
    pub(super) fn ahead(&self, model: &str) -> Option<Ahead> {
        let (first, others) = self.by_model.get(model)?.split_first()?;
        let to_all = |api: &&ApiId| others.iter().all(|line| line.tried.contains(api));
        Some(Ahead { open: first.tried.iter().filter(to_all).cloned().collect(), refused: first.refused.clone() })
    }

    /// How many wait, whose clients are still there.
    pub(super) fn len(&self) -> usize {
        let there = |line: &Line| {
            line.waiters.iter().filter(|waiter| waiter.client.strong_count() > 0).count() + usize::from(line.trying)
        };
        self.by_model.values().flatten().map(there).sum()
    }

    /// Joins the line.
    pub(super) fn join(&mut self, waiter: Waiter, refused: AdmissionError) {
        let lines = self.by_model.entry(waiter.profile.model.clone()).or_default();
        match lines.iter_mut().find(|line| line.tried == waiter.tried) {
            Some(line) => line.waiters.push_back(waiter),
            None => {
                let tried = waiter.tried.clone();
                lines.push(Line { tried, waiters: VecDeque::from([waiter]), trying: false, refused });
            }
        }
    }

    /// The heads that are to be tried. Those whose time is up are told so, those whose client has left are let go.
    fn heads(&mut self, now: Now) -> Vec<Waiter> {
        let mut heads = Vec::new();
        for line in self.by_model.values_mut().flatten() {
            while let Some(waiter) =
                line.waiters.pop_front_if(|w| w.client.strong_count() == 0 || w.deadline <= now.mono)
            {
                // Who has left hears nothing.
                let _ = waiter.reply.send(Err(line.refused.clone()));
            }
            if !line.trying
                && let Some(head) = line.waiters.pop_front()
            {
                line.trying = true;
                heads.push(head);
            }
        }
        self.by_model.values_mut().for_each(|lines| lines.retain(|line| line.trying || !line.waiters.is_empty()));
        self.by_model.retain(|_, lines| !lines.is_empty());
        heads
    }

    /// A head of those who have tried these was tried; in vain, if it is given back: then it is the head again.
    fn tried(&mut self, (model, tried): (&str, &[ApiId]), in_vain: Option<(Waiter, AdmissionError)>) {
        let mut lines = self.by_model.get_mut(model).into_iter().flatten();
        let Some(line) = lines.find(|line| line.tried == tried) else { return };
        line.trying = false;
        if let Some((waiter, refused)) = in_vain {
            line.refused = refused;
            line.waiters.push_front(waiter);
        }
    }
}

impl SupervisorActor {
    /// Tries the lines again soon, if anyone waits.
    pub(super) fn plan_lines(&mut self, ctx: &mut Context<Self>) {
        // Where somebody waits, nobody passes them by a lane.
        self.board.signs.queueing.store(self.lines.len() > 0, Ordering::Release);
        if self.lines.len() > 0 && !std::mem::replace(&mut self.lines.planned, true) {
            ctx.run_later(RETRY, |actor, ctx| {
                actor.lines.planned = false;
                actor.try_lines(ctx);
            });
        }
    }

    fn try_lines(&mut self, ctx: &mut Context<Self>) {
        for waiter in self.lines.heads(Now::read()) {
            self.selection(&waiter.profile, (waiter.tried.clone(), None), ctx)
                .into_actor(self)
                .map(move |selected, actor, ctx| {
                    let (model, tried) = (waiter.profile.model.clone(), waiter.tried.clone());
                    match selected {
                        Ok(selected) => {
                            actor.lines.tried((&model, &tried), None);
                            // If its client has left in the meantime, the permit gives itself back.
                            let _ = waiter.reply.send(Ok(selected));
                            actor.try_lines(ctx);
                        }
                        Err(refused) => actor.lines.tried((&model, &tried), Some((waiter, refused))),
                    }
                })
                .spawn(ctx);
        }
        self.plan_lines(ctx);
    }
}
