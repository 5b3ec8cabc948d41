//! The actor of the keys and a worker's gate over a store in memory, on a clock that jumps.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use super::*;
use crate::config::Config;
use crate::keys::messages::GetKeyStatus;
use crate::keys::refusal::{KeyAdmissionError, KeyReason};
use crate::keys::{KeyGate, KeySpending};
use crate::mailbox::LaunchActor;
use crate::testing::{MemoryStore, api, config, on_paused_clock};
use crate::types::{Cost, ParameterSet, Profile, RouteId, TokenEstimate};

/// A key with limits, a store, and one worker.
struct World {
    store: Arc<MemoryStore>,
    keys: Addr<KeysActor>,
    gate: KeyGate,
    config: Arc<Config>,
}

/// One dollar for a thousand tokens of any kind.
fn configured(fields: &Value) -> Arc<Config> {
    let prices = json!({ "prices": { "m": { "input": 1_000, "output": 1_000 } } });
    let mut key = json!({ "name": "team", "key": "sk-of-the-team-0123456789", "reset": "UTC" });
    key.as_object_mut().expect("fields").extend(fields.as_object().expect("fields").clone());
    Arc::new(config(&json!({ "apis": [api("a", &prices)], "keys": [key] })))
}

impl World {
    async fn start(fields: &Value) -> World {
        World::over(Arc::default(), fields).await
    }

    async fn over(store: Arc<MemoryStore>, fields: &Value) -> World {
        let persistence = store.start();
        let keys = KeysActor::launch_with(|ctx| KeysActor::new(ctx, persistence, false));
        let world = World { store, gate: KeyGate::new(keys.clone()), keys, config: configured(fields) };
        world.keys.send(ConfigChanged(world.config.clone())).await.expect("the actor lives");
        world
    }

    async fn reload(&mut self, fields: &Value) {
        self.config = configured(fields);
        self.keys.send(ConfigChanged(self.config.clone())).await.expect("the actor lives");
    }

    /// Asks for an answer of so many tokens at most, with a prompt of none.
    async fn ask(&self, completion: u64) -> Result<Option<KeyPermit>, KeyAdmissionError> {
        let profile = Profile {
            model: "m".into(),
            route: RouteId::new("chat/completions"),
            estimate: TokenEstimate { completion: Some(completion), ..TokenEstimate::default() },
            session: None,
            parameters: ParameterSet::NONE,
            apis: None,
        };
        let key = self.config.keys.iter().find(|key| key.name.as_str() == "team").expect("configured").clone();
        self.gate.admit(&key, &profile, &self.config).await
    }

    async fn permit(&self, completion: u64) -> KeyPermit {
        self.ask(completion).await.expect("room").expect("limited")
    }

    async fn reason(&self, completion: u64) -> Option<KeyReason> {
        match self.ask(completion).await {
            Ok(_) => None,
            Err(KeyAdmissionError::Full(full)) => Some(full.reason),
            Err(other) => panic!("{other:?}"),
        }
    }
}

/// One attempt that used so many tokens.
fn used(tokens: u64) -> KeySpending {
    let cost = Cost::from_picodollars(tokens * 1_000_000_000);
    KeySpending { attempts: 1, tokens, cost, completion: Some(tokens), ..KeySpending::default() }
}

#[test]
fn a_request_that_reached_no_upstream_is_given_back_and_any_other_counts_once() {
    on_paused_clock(async {
        let world = World::start(&json!({ "rpd": 2 })).await;
        drop(world.permit(1).await);
        world.permit(1).await.settle(KeySpending::default());
        world.permit(1).await.settle(KeySpending { attempts: 3, ..used(9) });
        let open = world.permit(1).await;
        assert_eq!(world.reason(1).await, Some(KeyReason::Rpd));
        let status = world.keys.send(GetKeyStatus { only: None }).await.expect("the actor lives");
        let team = status.iter().find(|key| key.config.name.as_str() == "team").expect("configured");
        assert_eq!((team.in_flight, team.quotas[0].requests.day), (1, 2));
        assert_eq!(team.refused, [(KeyReason::Rpd, 1)]);
        open.settle(KeySpending::default());
        // A worker repeats the last refusal until the actor has read the event.
        sleep(Duration::from_millis(50)).await;
        assert_eq!(world.reason(1).await, None);
    });
}

#[test]
fn a_key_without_limits_is_not_asked_and_one_with_limits_not_served_without_the_store() {
    on_paused_clock(async {
        let mut world = World::start(&json!({})).await;
        world.store.fails.store(true, Ordering::Relaxed);
        assert!(world.ask(1).await.expect("served").is_none());
        world.reload(&json!({ "rpd": 1_000 })).await;
        let refused = world.ask(1).await.expect_err("the store fails");
        assert!(matches!(refused, KeyAdmissionError::StoreUnavailable { .. }), "{refused:?}");
        world.store.fails.store(false, Ordering::Relaxed);
        sleep(Duration::from_secs(10)).await;
        drop(world.permit(1).await);
    });
}

#[test]
fn a_budget_is_reserved_corrected_and_carried() {
    on_paused_clock(async {
        // A thousand tokens.
        let world = World::start(&json!({ "budgets": [{ "usd": 1, "per": "day" }] })).await;
        assert_eq!(world.reason(1_001).await, Some(KeyReason::BudgetTooSmall));
        let open = world.permit(600).await;
        assert_eq!(world.reason(500).await, Some(KeyReason::BudgetReserved));
        open.settle(used(300));
        let unknown = world.permit(600).await;
        let spending = KeySpending { attempts: 1, unknown_tokens: 1, unknown_cost: 1, ..KeySpending::default() };
        unknown.settle(spending);
        assert_eq!(world.reason(101).await, Some(KeyReason::BudgetSpent), "nobody knows what the answer took");
        // Far more than was foreseen, and the next request knows at once.
        world.permit(50).await.settle(used(5_000));
        assert_eq!(world.reason(1).await, Some(KeyReason::BudgetSpent));
    });
}

#[test]
fn a_reload_keeps_what_is_spent_and_a_key_that_comes_back_has_its_counts() {
    on_paused_clock(async {
        let mut world = World::start(&json!({ "rpd": 2 })).await;
        world.permit(1).await.settle(used(1));
        let open = world.permit(1).await;
        world.reload(&json!({ "rpd": 3 })).await;
        // The end of a request of before counts once.
        open.settle(used(1));
        world.permit(1).await.settle(used(1));
        assert_eq!(world.reason(1).await, Some(KeyReason::Rpd));
        let without = Arc::new(config(&json!({ "apis": [api("a", &json!({}))] })));
        world.keys.send(ConfigChanged(without)).await.expect("the actor lives");
        world.reload(&json!({ "rpd": 4 })).await;
        world.permit(1).await.settle(used(1));
        assert_eq!(world.reason(1).await, Some(KeyReason::Rpd));
    });
}

#[test]
fn requests_under_way_count_in_the_limits_that_a_reload_brings() {
    on_paused_clock(async {
        let budget = |usd: u64, per: &str| json!({ "budgets": [{ "usd": usd, "per": per }] });
        let mut world = World::start(&budget(2, "day")).await;
        let (cheap, dear, last) = (world.permit(300).await, world.permit(100).await, world.permit(50).await);
        world.reload(&budget(1, "week")).await;
        assert_eq!(world.reason(551).await, Some(KeyReason::BudgetReserved), "550 are left");
        cheap.settle(used(0));
        dear.settle(used(800));
        world.reload(&budget(2, "day")).await;
        world.permit(10).await.settle(used(10));
        world.reload(&budget(1, "week")).await;
        assert_eq!(world.reason(141).await, Some(KeyReason::BudgetReserved), "50 are under way");
        last.settle(used(60));
        world.permit(130).await.settle(used(130));
        assert_eq!(world.reason(1).await, Some(KeyReason::BudgetSpent));
    });
}

#[test]
fn a_clean_stop_is_exact_and_a_crash_forgets_nothing() {
    on_paused_clock(async {
        let fields = json!({ "rpd": 1_000, "budgets": [{ "usd": 1, "per": "day" }] });
        let world = World::start(&fields).await;
        world.permit(400).await.settle(used(400));
        world.keys.send(StopKeys).await.expect("the actor lives");
        sleep(Duration::from_secs(1)).await;
        let world = World::over(world.store.clone(), &fields).await;
        let open = world.permit(600).await;
        assert_eq!(world.reason(1).await, Some(KeyReason::BudgetReserved));
        // The process ends here, and the request with it.
        std::mem::forget(open);
        sleep(Duration::from_secs(1)).await;
        let world = World::over(world.store.clone(), &fields).await;
        assert_eq!(world.reason(1).await, Some(KeyReason::BudgetSpent));
    });
}
