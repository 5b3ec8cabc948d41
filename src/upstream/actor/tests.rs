//! The actor of one upstream over a store in memory, on a clock that jumps.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join;
use serde_json::json;
use tokio::time::{sleep, timeout};

use super::*;
use crate::testing::{MemoryStore, api, config, on_paused_clock};
use crate::types::{
    Failure, FailureClass, Outcome, ParameterSet, Phase, Profile, Settlement, TokenEstimate, Usage, UsageSource,
};
use crate::upstream::messages::{ApiStatus, GetStatus, GetTokens, ResetTokens};
use crate::upstream::testing::End;

struct World {
    store: Arc<MemoryStore>,
    registry: QuotaRegistry,
    upstream: Addr<UpstreamActor>,
}

fn entry(fields: &serde_json::Value) -> Arc<ApiConfig> {
    config(&json!({ "apis": [api("a", fields)] })).apis[0].clone()
}

impl World {
    fn start(fields: &serde_json::Value) -> World {
        World::over(Arc::default(), fields)
    }

    /// Starts an upstream over a store with records.
    fn over(store: Arc<MemoryStore>, fields: &serde_json::Value) -> World {
        let persistence = store.start();
        let registry = QuotaRegistry::new(persistence.clone(), false);
        let upstream = UpstreamActor::start(entry(fields), persistence, registry.clone());
        World { store, registry, upstream }
    }

    async fn forward(&self) -> Result<Permit, Refusal> {
        let profile = Profile {
            model: "m".into(),
            route: RouteId::new("chat/completions"),
            estimate: TokenEstimate::default(),
            session: None,
            parameters: ParameterSet::NONE,
            apis: None,
        };
        let forwarded = self.upstream.send(Forward { profile, panic: false }).await.expect("the actor lives");
        forwarded.map(|forwarded| forwarded.permit).map_err(|declined| declined.refusal)
    }

    async fn reason(&self) -> Option<&'static str> {
        self.forward().await.err().map(|refusal| refusal.reason())
    }

    async fn status(&self) -> ApiStatus {
        self.upstream.send(GetStatus).await.expect("the actor lives")
    }

    async fn reconfigure(&self, fields: &serde_json::Value) {
        self.upstream.send(Reconfigure(entry(fields))).await.expect("the actor lives");
    }
}

fn sent(permit: Permit) -> Permit {
    let now = Now::read_mono();
    permit.sent_at.begin(now);
    permit.sent_at.finish(now);
    permit
}

fn ends(permit: Permit, outcome: Outcome) {
    sent(permit).settle(Settlement::of(outcome, Duration::from_millis(1)));
}

fn failed(class: FailureClass) -> Outcome {
    Outcome::Failed(Failure::new(class, Phase::Head, "as the test wants"))
}

#[test]
fn an_attempt_counts_from_its_admission_and_a_request_that_was_never_sent_is_given_back() {
    on_paused_clock(async {
        let world = World::start(&json!({ "rpd": 2 }));
        let [first, second] = [world.forward().await, world.forward().await].map(|permit| permit.expect("two a day"));
        assert_eq!((world.reason().await, world.status().await.in_flight), (Some("rpd"), 2));
        drop(first);
        drop(sent(second));
        let third = world.forward().await.expect("one was not sent");
        assert_eq!(world.reason().await, Some("rpd"), "the other was");
        ends(third, Outcome::Completed);
        assert_eq!(world.status().await.in_flight, 0);
    });
}

#[test]
fn an_admission_waits_until_the_counts_of_an_earlier_process_are_read() {
    on_paused_clock(async {
        let world = World::start(&json!({ "rpd": 1 }));
        ends(world.forward().await.expect("admitted"), Outcome::Completed);
        assert_eq!(world.reason().await, Some("rpd"));
        sleep(Duration::from_secs(1)).await;
        let store = world.store.clone();
        store.holds.store(true, Ordering::Release);
        let again = World::over(store.clone(), &json!({ "rpd": 1 }));
        let read = async {
            tokio::time::advance(Duration::from_secs(9)).await;
            store.holds.store(false, Ordering::Release);
        };
        assert_eq!(join(again.reason(), read).await.0, Some("rpd"));
    });
}

#[test]
fn an_attempt_that_waits_for_the_store_takes_nothing_if_its_client_has_left() {
    on_paused_clock(async {
        let world = World::start(&json!({ "rpd": 1_000 }));
        drop(world.forward().await.expect("opened"));
        sleep(Duration::from_secs(1)).await;
        world.store.holds.store(true, Ordering::Release);
        // Until the granted units are used up.
        let mut granted = 0;
        loop {
            let asked = timeout(Duration::from_millis(1), world.forward());
            let passes = async { tokio::time::advance(Duration::from_millis(5)).await };
            match join(asked, passes).await.0 {
                Ok(permit) => ends(permit.expect("granted"), Outcome::Completed),
                Err(_) => break,
            }
            granted += 1;
        }
        world.store.holds.store(false, Ordering::Release);
        ends(world.forward().await.expect("granted"), Outcome::Completed);
        let status = world.status().await;
        assert_eq!((status.in_flight, status.quotas[0].requests.day), (0, granted + 1));
    });
}

#[test]
fn a_store_that_fails_refuses_attempts_until_it_works_again() {
    on_paused_clock(async {
        let world = World::start(&json!({ "rpd": 1_000 }));
        world.store.fails.store(true, Ordering::Relaxed);
        assert_eq!(world.reason().await, Some("store"));
        world.store.fails.store(false, Ordering::Relaxed);
        sleep(Duration::from_secs(10)).await;
        assert_eq!(world.reason().await, None);
    });
}

#[test]
fn an_upstream_without_limits_needs_no_store() {
    on_paused_clock(async {
        let world = World::start(&json!({}));
        world.store.fails.store(true, Ordering::Relaxed);
        assert_eq!(world.reason().await, None);
    });
}

#[test]
fn a_changed_entry_forgets_the_health_and_keeps_the_counts() {
    on_paused_clock(async {
        let world = World::start(&json!({ "rpd": 3 }));
        ends(world.forward().await.expect("admitted"), failed(FailureClass::Unauthorized));
        assert_eq!(world.reason().await, Some("unauthorized"));
        world.reconfigure(&json!({ "rpd": 2 })).await;
        ends(world.forward().await.expect("a new key, maybe"), Outcome::Completed);
        assert_eq!(world.reason().await, Some("rpd"), "both count");
        world.reconfigure(&json!({ "enabled": false })).await;
        assert_eq!(world.reason().await, Some("disabled"));
    });
}

#[test]
fn the_end_of_an_attempt_says_nothing_of_an_entry_that_changed_meanwhile() {
    on_paused_clock(async {
        let world = World::start(&json!({}));
        let before = world.forward().await.expect("admitted");
        world.reconfigure(&json!({ "apiKey": "sk-another-0123456789" })).await;
        ends(before, failed(FailureClass::Unauthorized));
        assert_eq!(world.reason().await, None);
    });
}

#[test]
fn a_retired_upstream_refuses_until_its_entry_comes_back() {
    on_paused_clock(async {
        let world = World::start(&json!({ "rpd": 2 }));
        ends(world.forward().await.expect("admitted"), Outcome::Completed);
        world.upstream.send(Retire).await.expect("the actor lives");
        assert_eq!(world.reason().await, Some("retired"));
        world.reconfigure(&json!({ "rpd": 2 })).await;
        ends(world.forward().await.expect("back again"), Outcome::Completed);
        assert_eq!(world.reason().await, Some("rpd"), "the count of before is kept");
    });
}

#[test]
fn the_attempts_of_an_actor_that_ended_count_as_used_and_free_their_slots() {
    on_paused_clock(async {
        let fields = json!({ "rpd": 10, "maxConcurrent": 1 });
        let mut world = World::start(&fields);
        let open = sent(world.forward().await.expect("admitted"));
        assert_eq!(world.reason().await, Some("concurrency"));
        let _ = world.upstream.send(End).await;
        drop(open);
        world.upstream = UpstreamActor::start(entry(&fields), world.store.start(), world.registry.clone());
        ends(world.forward().await.expect("nobody else would have freed the slot"), Outcome::Completed);
        assert_eq!(world.status().await.quotas[0].requests.day, 2);
    });
}

#[test]
fn statistics_count_whole_answers_and_a_reset_is_durable() {
    on_paused_clock(async {
        let world = World::start(&json!({}));
        let usage = Usage::new(3, 4, 7, UsageSource::Reported);
        let settlement = Settlement::of(Outcome::Completed, Duration::from_millis(1));
        sent(world.forward().await.expect("admitted")).settle(Settlement { usage: Some(usage), ..settlement });
        ends(world.forward().await.expect("admitted"), failed(FailureClass::ServerError));
        let report = world.upstream.send(GetTokens).await.expect("the actor lives");
        assert_eq!((report.stats.totals.requests, report.today), (1, 7));
        world.upstream.send(ResetTokens).await.expect("durable");
        let report = world.upstream.send(GetTokens).await.expect("the actor lives");
        assert_eq!((report.stats.totals.requests, report.today), (0, 0));
    });
}
