//! The single writer of what keys have used: wiring between the workers, the quotas and the store.

mod drain;
mod refuse;
mod report;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use actix::prelude::*;
use quota::{Demand, Reservation};

use super::demand::AverageCompletion;
use super::messages::{AdmitKey, KeyAnswer, SpendByKey, StopKeys};
use super::path::{KeyEvent, KeyPath, PathParts};
use super::permit::KeyPermit;
use super::refusal::RefusalCounts;
use crate::alerts::AlertSender;
use crate::config::{ConfigChanged, KeyConfig};
use crate::mailbox::{ActorKind, Context, LaterReply, LaunchActor, LivesInMailbox, ReadsInBatches};
use crate::persistence::PersistenceActor;
use crate::quotas::{Admission, AppliesEvents, OwnedEvents, QuotaHandle, QuotaRegistry, admit, join_later, spend};
use crate::types::{KeyName, Now};

/// Owns the quotas of all keys.
pub struct KeysActor {
    registry: QuotaRegistry,
    persistence: Addr<PersistenceActor>,
    /// Every key ever configured in this process, and no longer: what is spent belongs to the name.
    keys: BTreeMap<KeyName, KeyState>,
    /// The configured keys, in order.
    configured: Vec<KeyName>,
    /// Admitted requests that are not settled, by [`SentAt::id`](crate::types::SentAt::id).
    open: HashMap<usize, OpenRequest>,
    events: OwnedEvents<KeyEvent>,
    /// Quotas in use since the last save, by address.
    unsaved: BTreeMap<usize, Rc<[QuotaHandle]>>,
}

/// One key.
struct KeyState {
    config: Arc<KeyConfig>,
    quotas: Rc<[QuotaHandle]>,
    /// In force.
    path: Arc<KeyPath>,
    /// Paths that were in force, with their quotas, as long as a request uses one.
    former: Vec<(Arc<KeyPath>, Rc<[QuotaHandle]>)>,
    refused: Arc<RefusalCounts>,
    average: AverageCompletion,
    in_flight: u32,
    /// Requests in wait for a store, first come first served. Bound: `server.maxRequests`.
    waiting: VecDeque<AdmitKey>,
}

/// An admitted request, with reservations of the quotas.
struct OpenRequest {
    key: KeyName,
    quotas: Rc<[QuotaHandle]>,
    reservations: Vec<Reservation>,
    demand: Demand,
}

impl OpenRequest {
    /// Counts in these quotas of the key as well, as far as they are others.
    fn join(&mut self, in_force: &[QuotaHandle], now: Now) {
        join_later((&mut self.quotas, &mut self.reservations), in_force, self.demand, now);
    }
}

impl KeysActor {
    /// Starts the actor on an arbiter. `shared`: other servers share the quotas.
    pub fn start_on(
        arbiter: &ArbiterHandle,
        persistence: Addr<PersistenceActor>,
        shared: bool,
        alerts: AlertSender,
    ) -> Addr<KeysActor> {
        KeysActor::launch_on(arbiter, move |ctx| {
            let actor = KeysActor::new(ctx, persistence, shared);
            KeysActor { registry: actor.registry.clone().alerting(alerts), ..actor }
        })
    }

    fn new(ctx: &mut Context<Self>, persistence: Addr<PersistenceActor>, shared: bool) -> KeysActor {
        KeysActor {
            registry: QuotaRegistry::new(persistence.clone(), shared),
            persistence,
            keys: BTreeMap::new(),
            configured: Vec::new(),
            open: HashMap::new(),
            events: OwnedEvents::new(ctx.address().recipient()),
            unsaved: BTreeMap::new(),
        }
    }

    /// Adopts a key as configured. New limits count at once, for what was spent before as well.
    fn adopt(&mut self, config: &Arc<KeyConfig>) {
        let quotas = self.registry.open_key(config);
        let asks_always = quotas.iter().any(|quota| !quota.allows_fast_path());
        let credits: Vec<_> = quotas.iter().map(QuotaHandle::credits).collect();
        let known = self.keys.get_mut(&config.name);
        if let Some(state) = known.filter(|state| state.path.matches(&credits) && state.quotas.len() == quotas.len()) {
            state.config = config.clone();
            state.quotas = quotas;
            return;
        }
        let refused = self.keys.get(&config.name).map(|state| state.refused.clone()).unwrap_or_default();
        let events = self.events.queue.clone();
        let parts = PathParts { key: config.name.clone(), credits, asks_always, refused: refused.clone(), events };
        let path = Arc::new(KeyPath::new(parts));
        match self.keys.get_mut(&config.name) {
            Some(state) => state.replace(config, quotas, path),
            None => drop(self.keys.insert(config.name.clone(), KeyState::new(config, quotas, path, refused))),
        }
        if let Some(state) = self.keys.get(&config.name) {
            let now = Now::read();
            let of_key = self.open.values_mut().filter(|open| open.key == config.name);
            of_key.for_each(|open| open.join(&state.quotas, now));
            state.path.set_expected_completion(state.average.tokens());
        }
    }

    /// Admits, refuses, or (`None`) must wait for a store.
    fn decide(&mut self, name: &KeyName, asked: &AdmitKey, ctx: &mut Context<Self>) -> Option<KeyAnswer> {
        let state = self.keys.get_mut(name)?;
        let now = Now::read();
        let demand = asked.demand.units(state.average.tokens());
        let path = state.path.clone();
        if let Some(refused) = state.beyond_budget(demand, now) {
            return Some(KeyAnswer { admitted: Err(refused), path });
        }
        let admitted = match admit(&state.quotas, demand, state.waiting.len() + 1, now) {
            Admission::Admitted { sent_at: request, reservations } => {
                state.in_flight += 1;
                let open = OpenRequest { key: name.clone(), quotas: state.quotas.clone(), reservations, demand };
                self.open.insert(request.id(), open);
                Ok(KeyPermit::new(path.clone(), request, demand, now.mono))
            }
            Admission::Refused(no_room) => Err(state.refusal(no_room, demand, now)),
            Admission::Wait(answered) => {
                let name = name.clone();
                let then = answered.into_actor(self).map(move |_, actor, ctx| {
                    actor.drain_events();
                    actor.serve_waiting(&name, ctx);
                });
                ctx.spawn(then);
                return None;
            }
        };
        Some(KeyAnswer { admitted, path })
    }

    fn serve_waiting(&mut self, name: &KeyName, ctx: &mut Context<Self>) {
        while let Some(asked) = self.keys.get_mut(name).and_then(|state| state.waiting.pop_front()) {
            match self.decide(name, &asked, ctx) {
                Some(answer) => drop(asked.reply.send(answer)),
                None => {
                    if let Some(state) = self.keys.get_mut(name) {
                        state.waiting.push_front(asked);
                    }
                    return;
                }
            }
        }
    }
}

impl KeyState {
    fn new(
        config: &Arc<KeyConfig>,
        quotas: Rc<[QuotaHandle]>,
        path: Arc<KeyPath>,
        refused: Arc<RefusalCounts>,
    ) -> KeyState {
        KeyState {
            config: config.clone(),
            quotas,
            path,
            former: Vec::new(),
            refused,
            average: AverageCompletion::default(),
            in_flight: 0,
            waiting: VecDeque::new(),
        }
    }

    /// Puts another path into force.
    fn replace(&mut self, config: &Arc<KeyConfig>, quotas: Rc<[QuotaHandle]>, path: Arc<KeyPath>) {
        self.path.supersede();
        self.former.retain(|(path, _)| Arc::strong_count(path) > 1);
        let path = std::mem::replace(&mut self.path, path);
        let quotas = std::mem::replace(&mut self.quotas, quotas);
        self.former.push((path, quotas));
        self.config = config.clone();
    }

    /// Returns the quotas of a path.
    fn quotas_of(&self, path: &Arc<KeyPath>) -> Option<Rc<[QuotaHandle]>> {
        if Arc::ptr_eq(path, &self.path) {
            return Some(self.quotas.clone());
        }
        self.former.iter().find(|(former, _)| Arc::ptr_eq(former, path)).map(|(_, quotas)| quotas.clone())
    }
}

impl LivesInMailbox for KeysActor {
    const KIND: ActorKind = ActorKind::Keys;
}

impl Actor for KeysActor {
    type Context = Context<Self>;
}

impl Handler<ConfigChanged> for KeysActor {
    type Result = ();

    fn handle(&mut self, ConfigChanged(config): ConfigChanged, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(config.actors.mailbox(ActorKind::Keys));
        self.drain_events();
        config.keys.iter().for_each(|key| self.adopt(key));
        self.configured = config.keys.iter().map(|key| key.name.clone()).collect();
    }
}

impl Handler<AdmitKey> for KeysActor {
    type Result = ();

    fn handle(&mut self, asked: AdmitKey, ctx: &mut Self::Context) {
        self.drain_events();
        let name = asked.key.name.clone();
        // A worker may hear of a configuration first.
        if !self.keys.contains_key(&name) {
            self.adopt(&asked.key);
        }
        let must_wait = self.keys.get(&name).is_some_and(|state| !state.waiting.is_empty());
        let decided = if must_wait { None } else { self.decide(&name, &asked, ctx) };
        match decided {
            Some(answer) => drop(asked.reply.send(answer)),
            None => {
                if let Some(state) = self.keys.get_mut(&name) {
                    state.waiting.push_back(asked);
                }
            }
        }
    }
}

impl Handler<SpendByKey> for KeysActor {
    type Result = ();

    fn handle(&mut self, SpendByKey { key, actual }: SpendByKey, ctx: &mut Self::Context) {
        self.drain_events();
        if !self.keys.contains_key(&key.name) {
            self.adopt(&key);
        }
        let Some(state) = self.keys.get(&key.name) else { return };
        let now = Now::read();
        spend(&state.quotas, actual, now);
        self.note_used(state.quotas.clone());
        self.wake(ctx);
    }
}

impl Handler<StopKeys> for KeysActor {
    type Result = LaterReply<()>;

    fn handle(&mut self, _: StopKeys, _: &mut Self::Context) -> Self::Result {
        self.drain_events();
        self.save();
        let registry = self.registry.clone();
        LaterReply::of(async move { registry.close().await })
    }
}

#[cfg(test)]
mod tests;
