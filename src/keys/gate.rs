//! A worker's side of the admission: credits on the worker's own thread, or else a question to the actor.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use quota::{ActualUsage, TakeError};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::actor::KeysActor;
use super::demand::KeyDemand;
use super::limits::{has_budget, is_limited};
use super::messages::{AdmitKey, GetKeyStatus, KeyAnswer, KeyStatus, SpendByKey};
use super::path::KeyPath;
use super::permit::{KeyPermit, KeySpending};
use super::refusal::{FullLimit, KeyAdmissionError};
use crate::config::{Config, KeyConfig};
use crate::mailbox::{ActorKind, refused};
use crate::types::{KeyName, Now, Price, Profile, QuickMap};

/// How long the actor may take: it waits for the disk alone, and only when a block of units is used up.
const ADMIT_WITHIN: Duration = Duration::from_secs(5);

/// How long the actor may take to tell what keys have used, from memory.
const STATUS_WITHIN: Duration = Duration::from_secs(2);

/// The most models with a remembered price. Where an upstream takes any name, clients make names up.
const MOST_PRICES: usize = 500;

/// The admission of one worker. Cheap to clone.
#[derive(Clone)]
pub struct KeyGate {
    actor: Addr<KeysActor>,
    memory: Rc<RefCell<GateMemory>>,
}

/// What a worker remembers under one configuration.
#[derive(Default)]
struct GateMemory {
    config: Option<Arc<Config>>,
    /// As many as there are keys.
    keys: QuickMap<KeyName, KnownKey>,
    /// The dearest price of each model. Bound: [`MOST_PRICES`].
    prices: QuickMap<Arc<str>, Option<Price>>,
}

/// What a worker knows of one key.
struct KnownKey {
    path: Arc<KeyPath>,
    /// The actor's last refusal.
    refused: Option<KeyAdmissionError>,
}

impl KeyGate {
    /// Creates the admission of a worker that asks this actor.
    pub fn new(actor: Addr<KeysActor>) -> KeyGate {
        KeyGate { actor, memory: Rc::default() }
    }

    /// Returns what keys have used: all of them, or one. Nothing if the process stops, or the answer is late.
    pub async fn status(&self, only: Option<KeyName>) -> Vec<KeyStatus> {
        let asked = timeout(STATUS_WITHIN, self.actor.send(GetKeyStatus { only }));
        asked.await.ok().and_then(Result::ok).unwrap_or_default()
    }

    /// Admits a request of a key. There is no permit where nothing of the key is limited, or the request is free.
    ///
    /// # Errors
    /// When a limit or a budget leaves no room, or nobody can tell.
    ///
    /// # Cancel safety
    /// The permit of a dropped future gives itself back.
    pub async fn admit(
        &self,
        key: &Arc<KeyConfig>,
        profile: &Profile,
        config: &Arc<Config>,
    ) -> Result<Option<KeyPermit>, KeyAdmissionError> {
        if !is_limited(key) || profile.route.is_free() {
            return Ok(None);
        }
        let demand = self.memory.borrow_mut().demand(key, profile, config);
        let decided = self.memory.borrow().decide(key, &demand);
        match decided {
            Some(decided) => decided.map(Some),
            // Boxed: most requests need not carry the future.
            None => Box::pin(self.ask(key, demand)).await.map(Some),
        }
    }

    /// Counts what a key has spent without an admission. No request is counted.
    pub fn spend(&self, key: &Arc<KeyConfig>, spending: KeySpending) {
        if !is_limited(key) {
            return;
        }
        let actual =
            ActualUsage { counts: false, tokens: Some(spending.tokens), cost: Some(spending.cost.nanodollars()) };
        if self.actor.try_send(SpendByKey { key: key.clone(), actual }).is_err() {
            refused(ActorKind::Keys, 1);
        }
    }

    async fn ask(&self, key: &Arc<KeyConfig>, demand: KeyDemand) -> Result<KeyPermit, KeyAdmissionError> {
        let (reply, answer) = oneshot::channel();
        match self.actor.try_send(AdmitKey { key: key.clone(), demand, reply }) {
            Ok(()) => {}
            Err(SendError::Full(_)) => {
                refused(ActorKind::Keys, 1);
                return Err(KeyAdmissionError::Overloaded);
            }
            Err(SendError::Closed(_)) => return Err(KeyAdmissionError::Stopping),
        }
        let KeyAnswer { admitted, path } = match timeout(ADMIT_WITHIN, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => return Err(KeyAdmissionError::Stopping),
            Err(_) => return Err(KeyAdmissionError::NotInTime),
        };
        let refused = admitted.as_ref().err().cloned();
        self.memory.borrow_mut().keys.insert(key.name.clone(), KnownKey { path, refused });
        admitted
    }
}

impl GateMemory {
    /// Returns what a request may take.
    fn demand(&mut self, key: &KeyConfig, profile: &Profile, config: &Arc<Config>) -> KeyDemand {
        self.follow(config);
        let price = if has_budget(key) { self.dearest_price(&profile.model) } else { None };
        KeyDemand { estimate: profile.estimate, price }
    }

    /// Admits or refuses. `None`: the actor has to decide.
    fn decide(&self, key: &KeyConfig, demand: &KeyDemand) -> Option<Result<KeyPermit, KeyAdmissionError>> {
        let KnownKey { path, refused } = self.keys.get(&key.name)?;
        let (now, units) = (Now::read_mono(), demand.units(path.expected_completion()));
        match path.try_admit(units, now) {
            Ok(request) => Some(Ok(KeyPermit::new(path.clone(), request, units, now))),
            Err(TakeError::AskActor) => None,
            // Nothing comes free for a while, so the last refusal is still true.
            Err(TakeError::Exhausted) => match refused {
                Some(KeyAdmissionError::Full(full)) if full.until.is_some_and(|until| until > now) => {
                    path.count_refusal(full.reason);
                    Some(Err(KeyAdmissionError::Full(FullLimit { rate: path.rate(now), ..full.clone() })))
                }
                Some(_) | None => None,
            },
        }
    }

    /// Forgets what was true under another configuration.
    fn follow(&mut self, config: &Arc<Config>) {
        if !self.config.as_ref().is_some_and(|known| Arc::ptr_eq(known, config)) {
            *self = GateMemory { config: Some(config.clone()), ..GateMemory::default() };
        }
    }

    fn dearest_price(&mut self, model: &Arc<str>) -> Option<Price> {
        if let Some(price) = self.prices.get(model) {
            return *price;
        }
        let price = self.config.as_ref().and_then(|config| config.dearest_price(model));
        if self.prices.len() >= MOST_PRICES {
            self.prices.clear();
        }
        self.prices.insert(model.clone(), price);
        price
    }
}
