//! What is kept of the last requests, and what is found among them.

use std::cell::RefCell;
use std::rc::Rc;

use actix_web::http::{Method, StatusCode};

use super::*;
use crate::records::{AttemptStart, OpenRecord, Recorder};
use crate::types::{ApiId, AppName, BilledUnits, Failure, Phase, RequestId, RouteId, SentAt};

/// A request, as the workers record them.
fn record(set: impl FnOnce(&mut OpenRecord)) -> Box<RequestRecord> {
    let (recorder, kept): (Recorder, Rc<RefCell<Vec<RequestRecord>>>) = Recorder::keeping();
    let mut open = OpenRecord::new(recorder, RequestId::generate(), Method::POST, "/v1/chat/completions".into());
    open.with(|record| {
        record.route = Some(RouteId::new("chat/completions"));
        record.model = Some("m".into());
        record.key = Some("team".into());
        record.app = AppName::of(Some(b"curl/8"), None);
    });
    open.answered(StatusCode::OK);
    set(&mut open);
    drop(open);
    Box::new(kept.borrow_mut().pop().expect("a record"))
}

fn attempt(open: &mut OpenRecord, api: &str, result: AttemptResult) {
    let (api, own, sent_at) = (ApiId::from(api), "own".into(), SentAt::default());
    let start = AttemptStart {
        api: &api,
        model: Some(&own),
        price: None,
        sent_at: &sent_at,
        prompt: None,
        billed: BilledUnits::default(),
    };
    let place = open.attempt_began(start);
    open.attempt_ended(place, result);
}

fn failed(class: FailureClass, detail: &str) -> AttemptResult {
    AttemptResult::Failed(Failure::new(class, Phase::Head, detail))
}

fn numbers(log: &RecentLog, asked: GetRecent) -> Vec<u64> {
    log.requests(&asked).requests.iter().map(|request| request.number).collect()
}

fn all() -> GetRecent {
    GetRecent { most: KEPT_REQUESTS, ..GetRecent::default() }
}

#[test]
fn the_last_ones_are_kept_and_returned_newest_first() {
    let mut log = RecentLog::default();
    (0..KEPT_REQUESTS as u64 + 5).for_each(|at| log.keep(record(|_| ()), at as i64));
    let found = log.requests(&all());
    assert_eq!((found.requests.len(), found.last, found.has_more), (KEPT_REQUESTS, 1_005, false));
    assert_eq!((found.requests[0].number, found.requests[0].ended_at), (1_005, 1_004));
    assert_eq!(found.requests.last().expect("a thousand").number, 6);
    let few = log.requests(&GetRecent { after: Some(1_000), most: 2, ..all() });
    assert_eq!((few.requests.len(), few.requests[0].number, few.has_more), (2, 1_005, true));
    assert_eq!(numbers(&log, GetRecent { after: Some(1_003), ..all() }), [1_005, 1_004]);
    assert!(numbers(&log, GetRecent { after: Some(1_005), ..all() }).is_empty());
    let of_before = numbers(&log, GetRecent { after: Some(7_000), most: 1, ..all() });
    assert_eq!(of_before, [1_005], "the page is older than the process");
    assert!(numbers(&log, GetRecent { most: 0, ..all() }).is_empty());
}

#[test]
fn only_requests_for_models_are_kept() {
    let mut log = RecentLog::default();
    let own = |status| {
        record(move |open| {
            open.with(|record| record.route = None);
            open.answered(status);
        })
    };
    for status in [StatusCode::OK, StatusCode::SEE_OTHER, StatusCode::UNAUTHORIZED, StatusCode::NOT_FOUND] {
        log.keep(own(status), 0);
    }
    assert!(numbers(&log, all()).is_empty(), "what needs no key pushes nothing out");
    log.keep(record(|open| open.answered(StatusCode::UNAUTHORIZED)), 0);
    assert_eq!(numbers(&log, all()), [1]);
}

#[test]
fn each_filter_finds_its_own_and_all_must_hold() {
    let mut log = RecentLog::default();
    log.keep(record(|open| attempt(open, "a", AttemptResult::Served)), 0);
    log.keep(
        record(|open| {
            attempt(open, "a", failed(FailureClass::RateLimited, "429"));
            attempt(open, "b", failed(FailureClass::ServerError, "500"));
            open.with(|record| {
                record.key = None;
                record.app = AppName::NONE;
                record.upstream_id = Some("chatcmpl-7".to_owned());
            });
            open.answered(StatusCode::BAD_GATEWAY);
            open.ended(RequestEnd::Failed("500".to_owned()));
        }),
        0,
    );
    log.keep(record(|open| open.ended(RequestEnd::Failed("cut off".to_owned()))), 0);
    log.keep(
        record(|open| {
            open.with(|record| record.status = None);
            open.ended(RequestEnd::ClientLeft);
        }),
        0,
    );
    log.keep(
        record(|open| {
            open.with(|record| record.key = None);
            open.answered(StatusCode::TOO_MANY_REQUESTS);
            let (code, reason) = ("key_rpm", "no more requests in this minute".to_owned());
            open.ended(RequestEnd::Refused { code, cause: code, reason });
        }),
        0,
    );
    let text = |text: &str| Some(text.to_owned());
    let none = RecentFilter::default;
    let id = log.kept[0].record.id.to_string();
    for (filter, found) in [
        (none(), vec![5, 4, 3, 2, 1]),
        (RecentFilter { key: text("team"), ..none() }, vec![4, 3, 1]),
        (RecentFilter { key: text("tea"), ..none() }, vec![]),
        (RecentFilter { api: text("a"), ..none() }, vec![2, 1]),
        (RecentFilter { api: text("b"), ..none() }, vec![2]),
        (RecentFilter { model: text("m"), ..none() }, vec![5, 4, 3, 2, 1]),
        (RecentFilter { model: text("own"), ..none() }, vec![2, 1]),
        (RecentFilter { app: text("curl"), ..none() }, vec![5, 4, 3, 1]),
        (RecentFilter { status: Some(StatusLabel::ServerError), ..none() }, vec![2]),
        (RecentFilter { status: Some(StatusLabel::ClientLeft), ..none() }, vec![4]),
        (RecentFilter { class: Some(FailureClass::RateLimited), ..none() }, vec![2]),
        (RecentFilter { refused: Some("key_rpm"), ..none() }, vec![5]),
        (RecentFilter { refused: Some("key_tpm"), ..none() }, vec![]),
        (RecentFilter { id: text("chatcmpl"), ..none() }, vec![2]),
        (RecentFilter { id: text(&id[..12]), ..none() }, vec![1]),
        (RecentFilter { failed: true, ..none() }, vec![5, 3, 2]),
        (RecentFilter { failed: true, key: text("team"), ..none() }, vec![3]),
    ] {
        assert_eq!(numbers(&log, GetRecent { filter: filter.clone(), ..all() }), found, "{filter:?}");
    }
    assert_eq!(log.find(&id).map(|request| request.number), Some(1));
    assert_eq!(log.find("chatcmpl-7").map(|request| request.number), Some(2));
    assert!(log.find(&id[..12]).is_none() && log.find("").is_none());
}

#[test]
fn a_kept_record_has_a_bound() {
    let long = "é".repeat(1 << 20);
    let mut log = RecentLog::default();
    let record = record(|open| {
        (0..30).for_each(|nth| attempt(open, &format!("a{nth}"), failed(FailureClass::ServerError, &long)));
        open.with(|record| {
            record.path = long.clone().into();
            record.model = Some(long.as_str().into());
            record.upstream_id = Some(long.clone());
            record.attempts[29].model = Some(long.as_str().into());
        });
        open.ended(RequestEnd::Failed(long.clone()));
    });
    log.keep(record, 0);
    let kept = &log.kept[0].record;
    let apis: Vec<&str> = kept.attempts.iter().map(|attempt| attempt.api.as_str()).collect();
    assert_eq!((apis.len(), apis[0], apis[1], apis[19]), (20, "a0", "a11", "a29"));
    let model = |model: &Option<std::sync::Arc<str>>| model.as_ref().map_or(0, |model| model.len());
    let (RequestEnd::Failed(reason), AttemptResult::Failed(failure)) = (&kept.end, &kept.attempts[19].result) else {
        panic!("{kept:?}")
    };
    let id = kept.upstream_id.as_deref().unwrap_or_default();
    let names = [kept.path.len(), model(&kept.model), model(&kept.attempts[19].model), id.len()];
    assert!(names.iter().all(|length| (500..=512).contains(length)), "{names:?}");
    assert!(reason.ends_with('…') && reason.len() <= 1_024 && failure.detail.len() <= 1_024);
    let most = size_of::<RequestRecord>() + kept.attempts.capacity() * (size_of::<AttemptRecord>() + 1_024 + 512);
    assert!(most + 3 * 512 + 1_024 <= 42_000, "{most} bytes");
}
