//! Quotas and their store: what is read, shared, granted and given back.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use quota::{Demand, Grant, SharedGrant, WindowUsage};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::handle::QuotaHandle;
use super::{Admission, QuotaRegistry, admit};
use crate::config::ApiConfig;
use crate::mailbox::LaunchActor;
use crate::persistence::{Ask, GrantResult, PersistenceActor, SharedBackend, StoreError};
use crate::testing::{MemoryStore, api, config, on_paused_clock};
use crate::types::{LedgerId, LedgerRecord, Now, QuotaId};

fn entries(apis: &[Value], groups: &Value) -> Vec<Arc<ApiConfig>> {
    config(&json!({ "apis": apis, "quotaGroups": groups })).apis
}

/// Sends so many requests, one after the other. Returns how many were admitted.
async fn send(quotas: &[QuotaHandle], requests: usize) -> usize {
    let mut admitted = 0;
    for _ in 0..requests {
        loop {
            match admit(quotas, Demand::default(), 1, Now::read()) {
                Admission::Admitted { sent_at, reservations } => {
                    sent_at.begin(Now::read_mono());
                    sent_at.finish(Now::read_mono());
                    drop(reservations);
                    admitted += 1;
                    break;
                }
                Admission::Wait(answered) => drop(answered.await),
                Admission::Refused(_) => break,
            }
        }
    }
    admitted
}

fn used_today(quota: &QuotaHandle) -> u64 {
    quota.status(None, Now::read()).requests.day
}

#[test]
fn the_members_of_a_group_use_up_one_quota() {
    on_paused_clock(async {
        let registry = QuotaRegistry::new(Arc::<MemoryStore>::default().start(), false);
        let of = |id| api(id, &json!({ "quotaGroup": "g" }));
        let apis = entries(&[of("a"), of("b")], &json!({ "g": { "rpd": 5 } }));
        let (a, b) = (registry.open_for(&apis[0]), registry.open_for(&apis[1]));
        assert_eq!(send(a.common(), 3).await, 3);
        assert_eq!(send(b.common(), 3).await, 2, "three of five are used");
    });
}

#[test]
fn a_new_group_begins_with_what_its_members_have_used() {
    on_paused_clock(async {
        let registry = QuotaRegistry::new(Arc::<MemoryStore>::default().start(), false);
        for api in entries(&[api("a", &json!({})), api("b", &json!({}))], &json!({})) {
            assert_eq!(send(registry.open_for(&api).common(), 2).await, 2);
        }
        let of = |id| api(id, &json!({ "quotaGroup": "g" }));
        let apis = entries(&[of("a"), of("b")], &json!({ "g": { "rpd": 5 } }));
        assert_eq!(send(registry.open_for(&apis[0]).common(), 3).await, 1, "four are used");
    });
}

#[test]
fn a_limit_of_a_model_counts_that_model_alone() {
    on_paused_clock(async {
        let registry = QuotaRegistry::new(Arc::<MemoryStore>::default().start(), false);
        let limited = api("a", &json!({ "models": ["m", "n"], "modelLimits": { "m": { "rpd": 1 } } }));
        let mut quotas = registry.open_for(&entries(&[limited], &json!({}))[0]);
        let (m, n) = (quotas.for_model("m", &registry), quotas.for_model("n", &registry));
        assert_eq!((send(&m, 2).await, send(&n, 2).await), (1, 2));
    });
}

#[test]
fn a_stop_saves_exact_counts_and_the_next_process_reads_them() {
    on_paused_clock(async {
        let store = Arc::<MemoryStore>::default();
        let apis = entries(&[api("a", &json!({ "rpd": 100 }))], &json!({}));
        let registry = QuotaRegistry::new(store.start(), false);
        assert_eq!(send(registry.open_for(&apis[0]).common(), 3).await, 3);
        registry.close().await;
        sleep(Duration::from_secs(1)).await;
        let registry = QuotaRegistry::new(store.start(), false);
        let again = registry.open_for(&apis[0]);
        assert_eq!(send(again.common(), 1).await, 1);
        assert_eq!(used_today(&again.common()[0]), 4);
    });
}

#[test]
fn a_process_that_did_not_stop_properly_has_used_all_that_was_granted() {
    on_paused_clock(async {
        let store = Arc::<MemoryStore>::default();
        let apis = entries(&[api("a", &json!({ "rpd": 1_000 }))], &json!({}));
        let registry = QuotaRegistry::new(store.start(), false);
        assert_eq!(send(registry.open_for(&apis[0]).common(), 3).await, 3);
        let registry = QuotaRegistry::new(store.start(), false);
        let again = registry.open_for(&apis[0]);
        let admitted = send(again.common(), 1_000).await;
        // The store grants twenty at a time, and half a block ahead.
        assert!((950..=980).contains(&admitted), "{admitted}");
    });
}

#[test]
fn units_asked_for_ahead_share_commits() {
    on_paused_clock(async {
        let store = Arc::<MemoryStore>::default();
        let apis = entries(&["a", "b", "c"].map(|id| api(id, &json!({ "rpd": 1_000 }))), &json!({}));
        let registry = QuotaRegistry::new(store.start(), false);
        let quotas: Vec<_> = apis.iter().map(|api| registry.open_for(api).common().clone()).collect();
        for _ in 0..100 {
            for quotas in &quotas {
                assert_eq!(send(quotas, 1).await, 1);
            }
            sleep(Duration::from_millis(10)).await;
        }
        // Thirty half blocks in a second, and three that the first requests waited for.
        let commits = store.commits.load(Ordering::Relaxed);
        assert!((10..=15).contains(&commits), "{commits}");
    });
}

#[test]
fn a_request_in_need_does_not_wait_for_the_pause_between_commits() {
    on_paused_clock(async {
        let store = Arc::<MemoryStore>::default();
        let apis = entries(&[api("a", &json!({ "rpd": 1_000 }))], &json!({}));
        let registry = QuotaRegistry::new(store.start(), false);
        let (begun, quotas) = (Instant::now(), registry.open_for(&apis[0]));
        assert_eq!(send(quotas.common(), 200).await, 200);
        assert!(begun.elapsed() < Duration::from_millis(50), "{:?}", begun.elapsed());
    });
}

#[test]
fn a_store_that_fails_is_asked_again_each_second_and_not_for_each_attempt() {
    on_paused_clock(async {
        let store = Arc::<MemoryStore>::default();
        let apis = entries(&[api("a", &json!({ "rpd": 100 }))], &json!({}));
        let registry = QuotaRegistry::new(store.start(), false);
        let quotas = registry.open_for(&apis[0]);
        store.fails.store(true, Ordering::Relaxed);
        assert_eq!(send(quotas.common(), 50).await, 0);
        store.fails.store(false, Ordering::Relaxed);
        assert_eq!(send(quotas.common(), 50).await, 0, "it is not asked yet");
        sleep(Duration::from_millis(1_001)).await;
        assert_eq!(send(quotas.common(), 50).await, 50);
    });
}

/// A shared store that lends what is wanted, and remembers what it was asked.
#[derive(Default)]
struct Lender {
    asked: Mutex<Vec<Ask>>,
    /// What other servers have used today.
    others: Mutex<u64>,
}

impl SharedBackend for Lender {
    fn grant(&self, asks: &[Ask]) -> Vec<GrantResult> {
        let others = *self.others.lock().expect("whole");
        let answer = |ask: &Ask| {
            let requests = WindowUsage { minute: 0, day: others };
            let wall = Now::read().wall;
            let shared =
                SharedGrant { lasts_ms: 30_000, requests, wall, epoch: "1".to_owned(), ..SharedGrant::default() };
            Ok::<_, StoreError>(Grant { units: ask.request.wanted, shared: Some(shared) })
        };
        self.asked.lock().expect("whole").extend(asks.iter().cloned());
        asks.iter().map(answer).collect()
    }

    fn ledgers(&self, _: &[(LedgerId, LedgerRecord)]) -> Result<Vec<(LedgerId, LedgerRecord)>, StoreError> {
        Ok(Vec::new())
    }
}

#[test]
fn what_other_servers_have_used_counts_here() {
    on_paused_clock(async {
        let lender = Arc::<Lender>::default();
        *lender.others.lock().expect("whole") = 7;
        let store = Arc::<MemoryStore>::default();
        let persistence = PersistenceActor::new(store, Some(lender.clone())).launch();
        let registry = QuotaRegistry::new(persistence, true);
        let apis = entries(&[api("a", &json!({ "rpd": 10 }))], &json!({}));
        let quotas = registry.open_for(&apis[0]);
        assert_eq!(send(quotas.common(), 1).await, 1);
        assert_eq!(used_today(&quotas.common()[0]), 8);
        registry.close().await;
        let last = lender.asked.lock().expect("whole").pop().expect("asked");
        assert_eq!(last.id, QuotaId::of_api(&LedgerId::from("a")));
        assert_eq!(last.request.wanted, quota::Units::default(), "at the end it gives back, and wants nothing");
    });
}

mod periods;
