//! The recorder's queue, on a clock that jumps.

use actix_web::http::Method;
use tokio::time::sleep;

use super::*;
use crate::mailbox::BATCH_INTERVAL;
use crate::records::OpenRecord;
use crate::testing::on_paused_clock;
use crate::types::{RequestId, RouteId};

fn start() -> RecorderHandle {
    RecorderActor::start_on(&Arbiter::current(), RecordReaders { format: LogFormat::Text, usage: None })
}

/// Ends a request.
fn end(handle: &RecorderHandle) {
    let recorder = Recorder::new(handle.clone(), || false);
    drop(OpenRecord::new(recorder, RequestId::generate(), Method::GET, "/v1/models".into()));
}

fn queued(handle: &RecorderHandle) -> usize {
    handle.shared.queue.depth()
}

#[test]
fn the_first_record_is_read_at_once_and_later_ones_together() {
    on_paused_clock(async {
        let handle = start();
        end(&handle);
        tokio::task::yield_now().await;
        handle.actor.send(Nothing).await.expect("the actor lives");
        assert_eq!(queued(&handle), 0);
        (0..3).for_each(|_| end(&handle));
        handle.actor.send(Nothing).await.expect("the actor lives");
        assert_eq!(queued(&handle), 3, "nobody is woken for these");
        sleep(2 * BATCH_INTERVAL).await;
        assert_eq!(queued(&handle), 0);
        sleep(12 * BATCH_INTERVAL).await;
        end(&handle);
        handle.actor.send(Nothing).await.expect("the actor lives");
        assert_eq!(queued(&handle), 0, "after a silence, the first is read at once again");
    });
}

#[test]
fn a_flush_reads_all_that_is_queued() {
    on_paused_clock(async {
        let handle = start();
        (0..3).for_each(|_| end(&handle));
        handle.actor.send(FlushRecords).await.expect("the actor lives");
        assert_eq!(queued(&handle), 0);
    });
}

#[test]
fn records_beyond_the_bound_are_dropped_and_counted() {
    on_paused_clock(async {
        let handle = start();
        let most = ActorKind::Recorder.usual_capacity();
        (0..most + 3).for_each(|_| end(&handle));
        assert_eq!((queued(&handle), handle.shared.dropped.load(Ordering::Relaxed)), (most, 3));
        handle.actor.send(FlushRecords).await.expect("the actor lives");
        assert_eq!((queued(&handle), handle.shared.dropped.load(Ordering::Relaxed)), (0, 0), "and said in the log");
    });
}

#[test]
fn who_asks_for_the_last_requests_sees_those_in_the_queue_too() {
    on_paused_clock(async {
        let handle = start();
        end(&handle);
        let recorder = Recorder::new(handle.clone(), || false);
        let mut record = OpenRecord::new(recorder, RequestId::generate(), Method::POST, "/v1/embeddings".into());
        record.with(|record| record.route = Some(RouteId::new("embeddings")));
        let id = record.id().to_owned();
        drop(record);
        let recent = handle.actor.send(GetRecent { most: 9, ..GetRecent::default() }).await.expect("the actor lives");
        let numbers: Vec<u64> = recent.requests.iter().map(|request| request.number).collect();
        assert_eq!(numbers, [1], "the first asked for no model, and is not kept");
        let found = handle.actor.send(FindRecent(id)).await.expect("the actor lives").expect("it is kept");
        assert!(found.number == 1 && (found.ended_at - Now::read().wall).abs() < 60_000);
    });
}

/// Lets the actor handle the messages before it.
struct Nothing;

impl Message for Nothing {
    type Result = ();
}

impl Handler<Nothing> for RecorderActor {
    type Result = ();

    fn handle(&mut self, _: Nothing, _: &mut Self::Context) {}
}
