//! What an operator does with one upstream.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{reasons, refusals};
use crate::mailbox::LaunchActor;
use crate::scheduler::messages::{ClearRest, GetReports, RestUpstream, UnknownApi};
use crate::scheduler::supervisor::SupervisorActor;
use crate::scheduler::testing::{Pool, chat, failure, served, settle};
use crate::testing::{MemoryStore, api, on_paused_clock};
use crate::types::{ApiId, FailureClass, Now, Outcome};
use crate::upstream::testing::End;

const MINUTE: i64 = 60_000;

/// Lets an upstream rest for so long.
async fn rest(pool: &Pool, id: &str, ms: i64) -> Result<i64, UnknownApi> {
    let until = Now::read().wall + ms;
    pool.supervisor.send(RestUpstream { api: id.into(), until }).await.expect("the supervisor lives")
}

async fn clear(pool: &Pool, id: &str) -> Result<(), UnknownApi> {
    pool.supervisor.send(ClearRest { api: id.into() }).await.expect("the supervisor lives")
}

/// Returns the word of the first upstream's refusal in the status, and whether it has an end.
async fn shown(pool: &Pool) -> Option<(&'static str, bool)> {
    let reports = pool.supervisor.send(GetReports).await.expect("the supervisor lives");
    let refusal = reports[0].status.refusal.as_ref()?;
    assert_eq!(reports[0].status.resting, refusal.0.reason() != "rpd");
    Some((refusal.0.reason(), refusal.1.is_some()))
}

fn two() -> [Value; 2] {
    [api("a", &json!({ "priority": 0 })), api("b", &json!({ "priority": 1 }))]
}

#[test]
fn an_upstream_that_an_operator_lets_rest_is_not_asked_until_then() {
    on_paused_clock(async {
        let pool = Pool::start(&two()).await;
        assert_eq!(pool.serves().await, Ok("a".to_owned()));
        rest(&pool, "a", MINUTE).await.expect("it is known");
        assert_eq!(pool.serves().await, Ok("b".to_owned()));
        assert_eq!(shown(&pool).await, Some(("rested_by_operator", true)));
        sleep(Duration::from_secs(59)).await;
        assert_eq!(pool.serves().await, Ok("b".to_owned()), "no probe goes before");
        sleep(Duration::from_secs(2)).await;
        assert_eq!((pool.serves().await, shown(&pool).await), (Ok("a".to_owned()), None), "it ends by itself");
        assert_eq!(rest(&pool, "x", MINUTE).await, Err(UnknownApi(ApiId::from("x"))));
        assert_eq!(clear(&pool, "x").await, Err(UnknownApi(ApiId::from("x"))));
    });
}

#[test]
fn panic_mode_does_not_override_an_operator() {
    on_paused_clock(async {
        let pool = Pool::start(&[api("a", &json!({}))]).await;
        for _ in 0..3 {
            pool.fails(failure(FailureClass::ServerError)).await;
        }
        rest(&pool, "a", 5 * MINUTE).await.expect("it is known");
        for _ in 0..4 {
            sleep(Duration::from_secs(60)).await;
            let refused = refusals(pool.serves().await.expect_err("it rests"));
            assert_eq!(refused[0].1.reason(), "rested_by_operator");
            assert!(!refused[0].1.is_inferred() && refused[0].1.until().is_some());
        }
        sleep(Duration::from_secs(60)).await;
        assert_eq!(pool.serves().await, Ok("a".to_owned()));
    });
}

#[test]
fn a_later_word_of_the_operator_counts_and_none_is_longer_than_a_year() {
    on_paused_clock(async {
        let pool = Pool::start(&two()).await;
        let most = rest(&pool, "a", i64::MAX / 2).await.expect("it is known") - Now::read().wall;
        assert!((365 * 86_400_000..367 * 86_400_000).contains(&most), "{most}");
        rest(&pool, "a", MINUTE).await.expect("it is known");
        sleep(Duration::from_secs(61)).await;
        assert_eq!(pool.serves().await, Ok("a".to_owned()), "a shorter one");
        rest(&pool, "a", MINUTE).await.expect("it is known");
        rest(&pool, "a", -MINUTE).await.expect("it is known");
        assert_eq!(pool.serves().await, Ok("a".to_owned()), "a time that is over");
    });
}

#[test]
fn to_try_again_ends_every_rest_and_touches_no_limit() {
    on_paused_clock(async {
        let (entry, other) = (api("a", &json!({ "rpd": 8, "priority": 0 })), api("b", &json!({ "priority": 1 })));
        let pool = Pool::start(&[entry, other]).await;
        for class in [FailureClass::Unauthorized, FailureClass::PaymentRequired, FailureClass::ModelNotFound] {
            pool.fails(failure(class)).await;
            let before = pool.select(chat("m")).await.map(served);
            if class == FailureClass::ModelNotFound {
                // In words alone it says nothing: a code is needed.
                assert_eq!(before, Ok("a".to_owned()));
                continue;
            }
            assert_eq!(before, Ok("b".to_owned()), "{class:?}");
            clear(&pool, "a").await.expect("it is known");
            assert_eq!(shown(&pool).await, None, "{class:?}");
        }
        for _ in 0..3 {
            pool.fails(failure(FailureClass::ServerError)).await;
        }
        rest(&pool, "a", MINUTE).await.expect("it is known");
        assert_eq!(pool.serves().await, Ok("b".to_owned()));
        clear(&pool, "a").await.expect("it is known");
        assert_eq!(pool.serves().await, Ok("a".to_owned()));
        let reports = pool.supervisor.send(GetReports).await.expect("the supervisor lives");
        assert_eq!((reports[0].status.quotas[0].requests.day, reports[0].status.error_count), (8, 0));
        assert_eq!((pool.serves().await, shown(&pool).await), (Ok("b".to_owned()), Some(("rpd", true))));
        clear(&pool, "a").await.expect("it is known");
        assert_eq!(pool.serves().await, Ok("b".to_owned()), "a full limit is no rest");
    });
}

#[test]
fn an_attempt_of_before_says_nothing_of_an_upstream_that_is_tried_again() {
    on_paused_clock(async {
        let pool = Pool::start(&[api("a", &json!({}))]).await;
        let old = pool.select(chat("m")).await.expect("admitted");
        pool.fails(failure(FailureClass::Unauthorized)).await;
        sleep(Duration::from_millis(10)).await;
        clear(&pool, "a").await.expect("it is known");
        settle(old, Outcome::Failed(failure(FailureClass::Unauthorized)));
        assert_eq!(pool.serves().await, Ok("a".to_owned()));
        let reports = pool.supervisor.send(GetReports).await.expect("the supervisor lives");
        assert_eq!(reports[0].status.in_flight, 0, "and it is counted out all the same");
    });
}

#[test]
fn who_waits_for_a_limit_is_served_as_soon_as_an_operator_ends_a_rest() {
    on_paused_clock(async {
        let limited = api("a", &json!({ "burst": { "requests": 1, "seconds": 20 }, "priority": 0 }));
        let apis = [limited, api("b", &json!({ "priority": 1 }))];
        let pool = Pool::start_with(&json!({ "apis": apis, "queue": { "maxWaitMs": 30_000 } })).await;
        rest(&pool, "b", 5 * MINUTE).await.expect("it is known");
        pool.serves().await.expect("the first");
        let waits = pool.ask(chat("m"));
        sleep(Duration::from_secs(1)).await;
        let since = Instant::now();
        clear(&pool, "b").await.expect("it is known");
        assert_eq!(served(waits.await.expect("answered").expect("admitted").choice.permit), "b");
        assert!(since.elapsed() < Duration::from_millis(100), "{:?}", since.elapsed());
    });
}

#[test]
fn a_rest_by_an_operator_outlives_a_changed_entry_a_defect_and_a_restart() {
    on_paused_clock(async {
        let store = Arc::new(MemoryStore::default());
        let start = || Pool { supervisor: SupervisorActor::new(store.start(), false).launch(), store: store.clone() };
        let pool = start();
        pool.configure(&json!({ "apis": two() })).await;
        rest(&pool, "a", 10 * MINUTE).await.expect("it is known");
        let changed = [api("a", &json!({ "priority": 0, "weight": 7 })), api("b", &json!({ "priority": 1 }))];
        pool.configure(&json!({ "apis": changed })).await;
        assert_eq!(pool.serves().await, Ok("b".to_owned()), "the entry changed");
        let upstream = pool.supervisor.send(super::GetUpstream("a".into())).await.expect("a reply").0;
        let _ = upstream.send(End).await;
        for _ in 0..2 {
            assert_eq!(pool.serves().await, Ok("b".to_owned()), "its actor ended");
        }
        sleep(Duration::from_secs(1)).await;
        let pool = start();
        pool.configure(&json!({ "apis": changed })).await;
        assert_eq!(pool.serves().await, Ok("b".to_owned()), "the process ended");
        assert_eq!(shown(&pool).await, Some(("rested_by_operator", true)));
        clear(&pool, "a").await.expect("it is known");
        sleep(Duration::from_secs(1)).await;
        let pool = start();
        pool.configure(&json!({ "apis": changed })).await;
        assert_eq!(pool.serves().await, Ok("a".to_owned()), "as does its end");
        // The wall clock goes on as it does, in tests too.
        let until = rest(&pool, "a", 2).await.expect("it is known");
        while Now::read().wall <= until {
            std::thread::yield_now();
        }
        sleep(Duration::from_secs(1)).await;
        let pool = start();
        pool.configure(&json!({ "apis": changed })).await;
        assert_eq!(pool.serves().await, Ok("a".to_owned()), "a rest that is over is none");
        let only_b = [api("b", &json!({ "priority": 1 }))];
        rest(&pool, "a", MINUTE).await.expect("it is known");
        pool.configure(&json!({ "apis": only_b })).await;
        pool.configure(&json!({ "apis": changed })).await;
        rest(&pool, "b", MINUTE).await.expect("it is known");
        let both = reasons(pool.serves().await.expect_err("both rest"));
        assert_eq!(both.len(), 2, "{both:?}");
    });
}
