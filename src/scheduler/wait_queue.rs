//! Requests in wait for a limit of an upstream to free.
//!
//! 1. One queue for each model: first come, first served.
//! 2. A request overtakes others only to an upstream that none of them may use, because it has failed each of them. The rule
//!    holds for a new request as for one in the queue.
//! 3. A request that has waited for `queue.maxWaitMs` is refused. A request whose client has left is dropped.
//!
//! No actix, no clock: functions of the queues, the input and `now`. Only the replies go out.

use std::collections::BTreeMap;
use std::sync::Weak;

use tokio::sync::oneshot;

use super::messages::AdmissionError;
use super::selection::ChosenUpstream;
use crate::types::{ApiId, ModelKey, Now, Profile};

/// The upstreams that a request may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Allowed {
    /// None of the upstreams that have failed the request.
    pub(super) excluded: Vec<ApiId>,
    /// These alone, as others wait for the rest.
    pub(super) overtakes_to: Option<Vec<ApiId>>,
}

impl Allowed {
    /// Returns whether the request may use an upstream now.
    pub(super) fn allows(&self, api: &ApiId) -> bool {
        !self.excluded.contains(api) && self.overtakes_to.as_ref().is_none_or(|to| to.contains(api))
    }
}

/// A request in wait.
#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) profile: Profile,
    /// Upstreams that have failed the request.
    pub(super) excluded: Vec<ApiId>,
    /// The begin of the wait (ms, monotonic).
    pub(super) since: u64,
    /// The end of the wait (ms, monotonic).
    pub(super) deadline: u64,
    /// Gone when the client has left.
    pub(super) client: Weak<()>,
    pub(super) reply: oneshot::Sender<Result<ChosenUpstream, AdmissionError>>,
}

/// What a new request may do while others wait for the same model.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Overtaking {
    /// The upstreams that nobody in the queue may use.
    pub(super) upstreams: Vec<ApiId>,
    /// Why the others wait: the pool's latest refusal.
    pub(super) refused: AdmissionError,
}

/// A selection to make for a request in wait.
#[derive(Debug)]
pub(super) struct Trial {
    pub(super) id: u64,
    pub(super) profile: Profile,
    pub(super) allowed: Allowed,
}

/// The queues of all models.
#[derive(Debug, Default)]
pub(super) struct WaitQueues {
    by_model: BTreeMap<ModelKey, WaitQueue>,
    last_id: u64,
}

#[derive(Debug)]
struct WaitQueue {
    /// Never empty.
    waiting: Vec<QueueEntry>,
    /// The pool's latest refusal of the first request.
    refused: AdmissionError,
}

#[derive(Debug)]
struct QueueEntry {
    id: u64,
    waiter: Waiter,
    /// A trial is under way.
    is_tried: bool,
}

impl WaitQueues {
    /// Returns what a new request for a model may do, if others wait.
    pub(super) fn overtaking(&self, model: &ModelKey) -> Option<Overtaking> {
        let queue = self.by_model.get(model)?;
        Some(Overtaking { upstreams: unused_by(&queue.waiting)?, refused: queue.refused.clone() })
    }

    /// Returns how many requests wait with a client.
    pub(super) fn len(&self) -> usize {
        let all = self.by_model.values().flat_map(|queue| &queue.waiting);
        all.filter(|waiting| waiting.waiter.client.strong_count() > 0).count()
    }

    /// Adds a request at the end of the queue of the model. `refused`: why the request waits.
    pub(super) fn join(&mut self, waiter: Waiter, refused: AdmissionError) {
        self.last_id += 1;
        let model = waiter.profile.key();
        let queue = self.by_model.entry(model).or_insert_with(|| WaitQueue { waiting: Vec::new(), refused });
        queue.waiting.push(QueueEntry { id: self.last_id, waiter, is_tried: false });
    }

    /// Refuses requests whose time is up, drops those without a client, and returns the selections to make now.
    pub(super) fn trials(&mut self, now: Now) -> Vec<Trial> {
        let mut trials = Vec::new();
        for queue in self.by_model.values_mut() {
            queue.end_waits(now);
            queue.add_trials(&mut trials);
        }
        self.by_model.retain(|_, queue| !queue.waiting.is_empty());
        trials
    }

    /// Removes a request whose trial was a success. Returns the request.
    pub(super) fn served(&mut self, model: &ModelKey, id: u64) -> Option<Waiter> {
        let queue = self.by_model.get_mut(model)?;
        let at = queue.waiting.iter().position(|waiting| waiting.id == id)?;
        let served = queue.waiting.remove(at);
        if queue.waiting.is_empty() {
            self.by_model.remove(model);
        }
        Some(served.waiter)
    }

    /// Records a trial in vain: the request keeps its place.
    pub(super) fn refused(&mut self, model: &ModelKey, id: u64, refused: AdmissionError) {
        let Some(queue) = self.by_model.get_mut(model) else { return };
        if let Some(at) = queue.waiting.iter().position(|waiting| waiting.id == id)
            && let Some(waiting) = queue.waiting.get_mut(at)
        {
            waiting.is_tried = false;
            // Another request than the first may have asked few upstreams only.
            if at == 0 {
                queue.refused = refused;
            }
        }
    }
}

impl WaitQueue {
    fn end_waits(&mut self, now: Now) {
        let is_over = |waiting: &mut QueueEntry| {
            let Waiter { client, deadline, .. } = &waiting.waiter;
            !waiting.is_tried && (client.strong_count() == 0 || *deadline <= now.mono)
        };
        for over in self.waiting.extract_if(.., is_over) {
            // A client that has left reads no reply.
            let _ = over.waiter.reply.send(Err(self.refused.clone()));
        }
    }

    /// Adds a trial for the first request, and for each later one that may overtake all before.
    fn add_trials(&mut self, trials: &mut Vec<Trial>) {
        for at in 0..self.waiting.len() {
            let (before, rest) = self.waiting.split_at_mut(at);
            let overtakes_to = unused_by(before);
            if overtakes_to.as_ref().is_some_and(Vec::is_empty) {
                return;
            }
            if let Some(waiting) = rest.first_mut().filter(|waiting| !waiting.is_tried) {
                waiting.is_tried = true;
                let allowed = Allowed { excluded: waiting.waiter.excluded.clone(), overtakes_to };
                trials.push(Trial { id: waiting.id, profile: waiting.waiter.profile.clone(), allowed });
            }
        }
    }
}

/// Returns the upstreams that have failed each of these requests; `None` if there is no request.
fn unused_by(waiting: &[QueueEntry]) -> Option<Vec<ApiId>> {
    let (first, others) = waiting.split_first()?;
    let failed_all = |api: &&ApiId| others.iter().all(|other| other.waiter.excluded.contains(api));
    Some(first.waiter.excluded.iter().filter(failed_all).cloned().collect())
}

#[cfg(test)]
mod tests;
