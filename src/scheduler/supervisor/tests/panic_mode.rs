//! The last upstream left.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{reasons, refusals};
use crate::scheduler::messages::Select;
use crate::scheduler::testing::{Pool, after_failures_of, chat, failure, served, settle};
use crate::testing::{api, on_paused_clock};
use crate::types::{Failure, FailureClass, Now, Outcome};
use crate::upstream::Permit;

const TEN_SECONDS: Duration = Duration::from_millis(10_000);

async fn alone() -> Pool {
    Pool::start(&[api("a", &json!({}))]).await
}

/// Asks every 100 ms until a request is admitted.
async fn next_probe(pool: &Pool) -> Permit {
    loop {
        match pool.select(chat("m")).await {
            Ok(permit) => return permit,
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}

#[test]
fn the_last_upstream_is_probed_every_ten_seconds_however_long_its_rest() {
    on_paused_clock(async {
        let pool = alone().await;
        for _ in 0..3 {
            pool.fails(failure(FailureClass::ServerError)).await;
        }
        assert_eq!(reasons(pool.serves().await.expect_err("it rests")), [("a".to_owned(), "breaker")]);
        for probe in 0..8 {
            let since = Instant::now();
            settle(next_probe(&pool).await, Outcome::Failed(failure(FailureClass::ServerError)));
            let waited = since.elapsed();
            assert!((TEN_SECONDS..TEN_SECONDS + Duration::from_millis(200)).contains(&waited), "{probe}: {waited:?}");
        }
        served(next_probe(&pool).await);
        assert_eq!(pool.serves().await, Ok("a".to_owned()), "a success ends the rest");
    });
}

#[test]
fn of_several_upstreams_one_is_probed_every_ten_seconds_in_turn() {
    on_paused_clock(async {
        let pool = Pool::start(&[api("a", &json!({})), api("b", &json!({}))]).await;
        let down = || failure(FailureClass::ServerError);
        for id in ["a", "b"] {
            for _ in 0..3 {
                let other = if id == "a" { "b" } else { "a" };
                let permit = pool.select(after_failures_of(&[other], chat("m"))).await.expect("admitted");
                settle(permit, Outcome::Failed(down()));
            }
        }
        // The first rests are over at the same time, and each upstream has a probe of its own.
        for _ in 0..2 {
            settle(next_probe(&pool).await, Outcome::Failed(down()));
        }
        let mut probed = Vec::new();
        let since = Instant::now();
        // The rests are 20 s long, and a first probe of each, in panic, does not wait for their end.
        for _ in 0..2 {
            let permit = next_probe(&pool).await;
            probed.push(permit.endpoint().api.to_string());
            settle(permit, Outcome::Failed(down()));
            let after_a_probe = Select { may_panic: false, ..chat("m") };
            assert!(pool.select(after_a_probe).await.is_err(), "one request makes one probe");
        }
        probed.sort();
        assert_eq!(probed, ["a", "b"]);
        assert!(since.elapsed() >= 2 * TEN_SECONDS, "{:?}", since.elapsed());
    });
}

#[test]
fn a_limit_without_a_time_is_probed_within_ten_seconds_and_the_refusal_says_when() {
    on_paused_clock(async {
        let pool = alone().await;
        for _ in 0..7 {
            settle(next_probe(&pool).await, Outcome::Failed(failure(FailureClass::RateLimited)));
        }
        let refused = refusals(pool.serves().await.expect_err("it rests for a minute"));
        let wait = |at: Option<u64>| at.expect("a time") - Now::read_mono();
        assert!(wait(refused[0].1.until()) > 30_000 && wait(refused[0].1.retry_at_in_panic()) <= 10_000, "{refused:?}");
    });
}

#[test]
fn a_wait_that_the_upstream_asked_for_is_kept_even_by_the_last_one() {
    on_paused_clock(async {
        let pool = alone().await;
        let wait = Failure { retry_after: Some(Duration::from_secs(30)), ..failure(FailureClass::RateLimited) };
        pool.fails(wait).await;
        let since = Instant::now();
        served(next_probe(&pool).await);
        assert_eq!(since.elapsed().as_secs(), 30);
    });
}

#[test]
fn a_probe_that_takes_long_keeps_others_out_for_ten_seconds_and_no_longer() {
    on_paused_clock(async {
        let pool = alone().await;
        pool.fails(failure(FailureClass::RateLimited)).await;
        let long = next_probe(&pool).await;
        assert!(pool.serves().await.is_err(), "it may be answered yet");
        let since = Instant::now();
        served(next_probe(&pool).await);
        assert_eq!(since.elapsed().as_secs(), 10);
        assert_eq!(pool.serves().await, Ok("a".to_owned()), "the limit is over");
        drop(long);
    });
}
