//! Requests in wait for a limit.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use super::reasons;
use crate::scheduler::messages::Select;
use crate::scheduler::testing::{Pool, after_failures_of, chat, served};
use crate::testing::{api, on_paused_clock};

#[test]
fn requests_wait_for_a_limit_and_are_served_in_their_order() {
    on_paused_clock(async {
        let limited = api("a", &json!({ "burst": { "requests": 1, "seconds": 2 } }));
        let pool = Pool::start_with(&json!({ "apis": [limited], "queue": { "maxWaitMs": 10_000 } })).await;
        let since = Instant::now();
        pool.serves().await.expect("the first");
        let waiting: Vec<_> = (0..3).map(|_| pool.ask(chat("m"))).collect();
        let mut ends = Vec::new();
        for answer in waiting {
            served(answer.await.expect("answered").expect("admitted").choice.permit);
            ends.push(since.elapsed().as_secs());
        }
        assert_eq!(ends, [2, 4, 6]);
    });
}

#[test]
fn a_request_that_no_limit_can_serve_in_time_is_refused_at_once() {
    on_paused_clock(async {
        let limited = api("a", &json!({ "burst": { "requests": 1, "seconds": 20 } }));
        let pool = Pool::start_with(&json!({ "apis": [limited], "queue": { "maxWaitMs": 10_000 } })).await;
        pool.serves().await.expect("the first");
        let since = Instant::now();
        assert!(pool.serves().await.is_err());
        assert_eq!(since.elapsed(), Duration::ZERO);
    });
}

#[test]
fn a_full_queue_refuses_and_clients_that_have_left_hold_no_place() {
    on_paused_clock(async {
        let limited = api("a", &json!({ "burst": { "requests": 1, "seconds": 2 } }));
        let queue = json!({ "maxWaitMs": 10_000, "maxWaiting": 2 });
        let pool = Pool::start_with(&json!({ "apis": [limited], "queue": queue })).await;
        pool.serves().await.expect("the first");
        let client = Arc::new(());
        let leaving = || Select { client: Arc::downgrade(&client), ..chat("m") };
        let gone = [pool.ask(leaving()), pool.ask(leaving())];
        sleep(Duration::from_millis(1)).await;
        assert!(pool.serves().await.is_err(), "two wait already");
        drop(client);
        let since = Instant::now();
        assert_eq!(pool.serves().await, Ok("a".to_owned()));
        assert!(
            since.elapsed() < Duration::from_secs(3),
            "{:?}: no place was kept for clients that left",
            since.elapsed()
        );
        for answer in gone {
            assert!(answer.await.expect("answered").is_err());
        }
    });
}

#[test]
fn a_hedge_does_not_wait() {
    on_paused_clock(async {
        let limited = api("a", &json!({ "burst": { "requests": 1, "seconds": 2 } }));
        let pool = Pool::start_with(&json!({ "apis": [limited], "queue": { "maxWaitMs": 10_000 } })).await;
        pool.serves().await.expect("the first");
        let hedge = Select { may_queue: false, ..chat("m") };
        assert!(pool.select(hedge).await.is_err());
    });
}

#[test]
fn a_request_overtakes_others_only_to_an_upstream_that_has_failed_all_of_them() {
    on_paused_clock(async {
        let full = api("full", &json!({ "burst": { "requests": 1, "seconds": 3 }, "priority": 0 }));
        let other = api("other", &json!({ "priority": 1 }));
        let pool = Pool::start_with(&json!({ "apis": [full, other], "queue": { "maxWaitMs": 10_000 } })).await;
        assert_eq!(pool.serves().await, Ok("full".to_owned()));
        let waiting = pool.ask(after_failures_of(&["other"], chat("m")));
        sleep(Duration::from_millis(1)).await;
        assert_eq!(pool.serves().await, Ok("other".to_owned()), "nobody waits for this one");
        let since = Instant::now();
        let same = pool.ask(after_failures_of(&["other"], chat("m")));
        assert_eq!(served(waiting.await.expect("answered").expect("admitted").choice.permit), "full");
        assert_eq!(since.elapsed().as_secs(), 3);
        assert_eq!(served(same.await.expect("answered").expect("admitted").choice.permit), "full");
        assert_eq!(since.elapsed().as_secs(), 6, "it came later");
    });
}

#[test]
fn a_request_without_an_upstream_left_does_not_wait_behind_others() {
    on_paused_clock(async {
        let limited = api("a", &json!({ "burst": { "requests": 1, "seconds": 2 } }));
        let pool = Pool::start_with(&json!({ "apis": [limited], "queue": { "maxWaitMs": 10_000 } })).await;
        pool.serves().await.expect("the first");
        let waiting = pool.ask(chat("m"));
        sleep(Duration::from_millis(1)).await;
        let since = Instant::now();
        assert_eq!(reasons(pool.select(after_failures_of(&["a"], chat("m"))).await.expect_err("none left")), []);
        assert_eq!(since.elapsed(), Duration::ZERO);
        assert!(waiting.await.expect("answered").is_ok());
    });
}

#[test]
fn a_new_limit_of_the_configuration_serves_requests_that_wait() {
    on_paused_clock(async {
        let with = |requests: u32| {
            let limited = api("a", &json!({ "burst": { "requests": requests, "seconds": 9 } }));
            json!({ "apis": [limited], "queue": { "maxWaitMs": 10_000 } })
        };
        let pool = Pool::start_with(&with(1)).await;
        pool.serves().await.expect("the first");
        let waiting = pool.ask(chat("m"));
        sleep(Duration::from_secs(1)).await;
        pool.configure(&with(2)).await;
        let since = Instant::now();
        assert!(waiting.await.expect("answered").is_ok());
        assert!(since.elapsed() < Duration::from_millis(50), "{:?}", since.elapsed());
    });
}
