//! A worker's scheduler, with a real supervisor behind. Where the supervisor has ended, only a fast path can admit.

use std::sync::atomic::Ordering;
use std::time::Duration;

use actix::prelude::*;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::SchedulerActor;
use crate::mailbox::{ActorKind, LaunchActor, mailbox_reports};
use crate::scheduler::messages::{AdmissionError, Admitted, ClearRest, RestUpstream, Select};
use crate::scheduler::supervisor::SupervisorActor;
use crate::scheduler::testing::{Pool, after_failures_of, chat, failure, served, settle};
use crate::testing::{api, on_paused_clock};
use crate::types::{FailureClass, Now, Outcome};

struct Stop;

impl Message for Stop {
    type Result = ();
}

impl Handler<Stop> for SupervisorActor {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

async fn select(worker: &Addr<SchedulerActor>, select: Select) -> Result<Admitted, AdmissionError> {
    worker.send(select).await.expect("the worker lives")
}

/// Selects, and lets the answer be a success. Returns the id of the upstream.
async fn serve(worker: &Addr<SchedulerActor>) -> Result<String, AdmissionError> {
    let Admitted { permit, .. } = select(worker, chat("m")).await?;
    Ok(served(permit))
}

/// A pool, and a worker that has fast paths to these upstreams: each was asked once.
async fn warm(apis: &[serde_json::Value]) -> (Pool, Addr<SchedulerActor>) {
    let pool = Pool::start(apis).await;
    let worker = SchedulerActor::new(pool.supervisor.clone()).launch();
    serve(&worker).await.expect("admitted");
    // Until the store has granted units for the next requests.
    sleep(Duration::from_millis(1)).await;
    (pool, worker)
}

#[test]
fn a_second_request_is_admitted_without_the_supervisor() {
    on_paused_clock(async {
        // Of a small limit, the store grants each unit by itself.
        let (pool, worker) = warm(&[api("a", &json!({ "rpm": 1_000 }))]).await;
        let _ = pool.supervisor.send(Stop).await;
        assert_eq!(serve(&worker).await, Ok("a".to_owned()));
        let other = select(&worker, chat("x")).await.map(|_| ());
        assert_eq!(other, Err(AdmissionError::Stopping), "a new model is the supervisor's");
        let excluded = select(&worker, after_failures_of(&["b"], chat("m"))).await.map(|_| ());
        assert_eq!(excluded, Err(AdmissionError::Stopping), "a request that has failed somewhere is, too");
    });
}

#[test]
fn a_worker_tells_what_is_left_of_the_limits_after_each_request() {
    on_paused_clock(async {
        let (_pool, worker) = warm(&[api("a", &json!({ "rpm": 10 }))]).await;
        let mut left = Vec::new();
        for _ in 0..3 {
            let admitted = select(&worker, chat("m")).await.expect("admitted");
            left.push(admitted.rate.expect("a limit").remaining);
            served(admitted.permit);
        }
        assert_eq!(left, [8, 7, 6]);
    });
}

#[test]
fn no_more_requests_are_admitted_than_the_limit_by_any_number_of_workers() {
    on_paused_clock(async {
        let pool = Pool::start(&[api("a", &json!({ "rpm": 25 }))]).await;
        let workers: Vec<_> = (0..3).map(|_| SchedulerActor::new(pool.supervisor.clone()).launch()).collect();
        let mut served = 0;
        for nth in 0..60 {
            served += usize::from(serve(&workers[nth % 3]).await.is_ok());
        }
        assert_eq!(served, 25);
    });
}

#[test]
fn a_resting_upstream_is_skipped_without_the_supervisor_while_another_has_a_fast_path() {
    on_paused_clock(async {
        let (pool, worker) = warm(&[api("a", &json!({ "priority": 0 })), api("b", &json!({ "priority": 1 }))]).await;
        for _ in 0..3 {
            let admitted = select(&worker, chat("m")).await.expect("admitted");
            settle(admitted.permit, Outcome::Failed(failure(FailureClass::ServerError)));
        }
        assert_eq!(serve(&worker).await, Ok("b".to_owned()), "by the supervisor");
        let _ = pool.supervisor.send(Stop).await;
        assert_eq!(serve(&worker).await, Ok("b".to_owned()), "by the worker");
    });
}

#[test]
fn a_new_configuration_sends_every_worker_to_the_supervisor() {
    on_paused_clock(async {
        let (pool, worker) = warm(&[api("a", &json!({}))]).await;
        pool.configure(&json!({ "apis": [api("b", &json!({}))] })).await;
        assert_eq!(serve(&worker).await, Ok("b".to_owned()));
    });
}

#[test]
fn a_request_behind_others_waits_with_them() {
    on_paused_clock(async {
        let limited = api("a", &json!({ "burst": { "requests": 3, "seconds": 2 } }));
        let pool = Pool::start_with(&json!({ "apis": [limited], "queue": { "maxWaitMs": 10_000 } })).await;
        let worker = SchedulerActor::new(pool.supervisor.clone()).launch();
        for _ in 0..3 {
            serve(&worker).await.expect("admitted");
        }
        let waiting = pool.ask(chat("m"));
        let since = Instant::now();
        let (first, second) = futures_util::future::join(waiting, serve(&worker)).await;
        assert!(first.expect("answered").is_ok() && second.is_ok());
        assert_eq!(since.elapsed().as_secs(), 2, "both waited");
    });
}

#[test]
fn a_supervisor_that_does_not_answer_in_five_seconds_is_an_error() {
    on_paused_clock(async {
        let pool = Pool::start(&[api("a", &json!({ "rpd": 1 }))]).await;
        pool.store.holds.store(true, Ordering::Release);
        let worker = SchedulerActor::new(pool.supervisor.clone()).launch();
        let asked = actix::spawn({
            let worker = worker.clone();
            async move { select(&worker, chat("m")).await.map(|_| ()) }
        });
        for _ in 0..60 {
            tokio::time::advance(Duration::from_millis(100)).await;
        }
        assert_eq!(asked.await.expect("ended"), Err(AdmissionError::NotInTime));
        pool.store.holds.store(false, Ordering::Release);
    });
}

#[test]
fn a_full_mailbox_refuses_and_counts_the_refusals() {
    on_paused_clock(async {
        let pool = Pool::start_with(&json!({ "apis": [api("a", &json!({}))], "actors": { "mailbox": 1 } })).await;
        let worker = SchedulerActor::new(pool.supervisor.clone()).launch();
        worker.send(chat("m")).await.expect("a reply").expect("admitted");
        let all = (0..20).map(|_| worker.send(after_failures_of(&["b"], chat("m"))));
        let answers = futures_util::future::join_all(all).await;
        let refused = answers.iter().filter(|answer| matches!(answer, Ok(Err(AdmissionError::Overloaded)))).count();
        let report = mailbox_reports().into_iter().find(|report| report.kind == ActorKind::Supervisor);
        assert!(refused > 0 && refused < 20, "{refused}");
        // Other tests' mailboxes count, too.
        assert!(report.is_some_and(|report| report.refused >= refused as u64));
    });
}

#[test]
fn a_worker_obeys_an_operator_at_once() {
    on_paused_clock(async {
        let (pool, worker) = warm(&[api("a", &json!({ "rpm": 1_000 }))]).await;
        assert_eq!(serve(&worker).await, Ok("a".to_owned()));
        let until = Now::read().wall + 60_000;
        pool.supervisor.send(RestUpstream { api: "a".into(), until }).await.expect("a reply").expect("it is known");
        assert!(serve(&worker).await.is_err(), "not even by a fast path");
        pool.supervisor.send(ClearRest { api: "a".into() }).await.expect("a reply").expect("it is known");
        for _ in 0..3 {
            assert_eq!(serve(&worker).await, Ok("a".to_owned()));
        }
        sleep(Duration::from_millis(1)).await;
        let _ = pool.supervisor.send(Stop).await;
        assert_eq!(serve(&worker).await, Ok("a".to_owned()), "by a fast path again");
    });
}
