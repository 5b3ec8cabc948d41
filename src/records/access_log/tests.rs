//! The lines of the log, in both formats.

use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use serde_json::Value;

use super::*;
use crate::records::request_record::{AttemptStart, OpenRecord};
use crate::types::{
    AppName, BilledUnit, BilledUnits, Failure, FailureClass, PartialPrice, Phase, RequestId, SentAt, UsageDetails,
};

/// A chat that `b` served, after `a` had failed.
fn record() -> RequestRecord {
    let failure = Failure { status: Some(500), ..Failure::new(FailureClass::ServerError, Phase::Head, "500 \"oops\"") };
    let attempt = |api: &str, began, result| AttemptRecord {
        api: api.into(),
        model: Some("own".into()),
        began: Duration::from_millis(began),
        took: Duration::from_millis(20),
        result,
        usage: None,
        price: None,
        sent_at: SentAt::default(),
        prompt: None,
        billed: BilledUnits::default(),
    };
    RequestRecord {
        id: RequestId::generate(),
        upstream_id: Some("req_theirs".to_owned()),
        method: Method::POST,
        path: "/v1/chat/completions".into(),
        client: Some([127, 0, 0, 1].into()),
        key: Some("team-a".into()),
        app: AppName::NONE,
        route: None,
        stream: false,
        asked: Duration::ZERO,
        model: Some("m".into()),
        attempts: vec![attempt("a", 1, AttemptResult::Failed(failure)), attempt("b", 30, AttemptResult::Served)],
        status: Some(StatusCode::OK),
        end: RequestEnd::Answered,
        first_token: Some(Duration::from_millis(15)),
        waited: Duration::ZERO,
        passed_on: Duration::ZERO,
        total: Duration::from_millis(70),
        usage: Some(Usage::new(3, 4, 7, UsageSource::Estimated)),
    }
}

/// A request that was refused before any upstream was known.
fn refused() -> RequestRecord {
    RequestRecord {
        upstream_id: None,
        client: None,
        key: None,
        model: None,
        attempts: Vec::new(),
        status: Some(StatusCode::UNAUTHORIZED),
        end: RequestEnd::Refused { code: "invalid_api_key", cause: "invalid_api_key", reason: "no key".to_owned() },
        first_token: None,
        usage: None,
        ..record()
    }
}

#[test]
fn a_line_has_the_request_the_serving_upstream_and_the_times() {
    let line = line(&record());
    let expected = "req_theirs POST /v1/chat/completions m → b (own) from 127.0.0.1 key=team-a attempts=2 status=200 first=15ms \
                    total=70ms tokens=3+4=7";
    assert_eq!(line, expected);
}

#[test]
fn a_line_ends_with_the_reason() {
    let record = refused();
    let expected =
        format!("{} POST /v1/chat/completions from - status=401 total=70ms (invalid_api_key: no key)", record.id);
    assert_eq!(line(&record), expected);
    for (end, reason) in [
        (RequestEnd::Failed("it broke".to_owned()), " (it broke)"),
        (RequestEnd::ClientLeft, " (the client left)"),
        (RequestEnd::Stopped, " (the server stopped and cut the answer off)"),
    ] {
        let line = line(&RequestRecord { end, ..self::record() });
        assert!(line.ends_with(reason), "{line}");
    }
}

#[test]
fn an_object_has_every_attempt_and_no_member_without_a_value() {
    let object: Value = serde_json::from_str(&object(&record())).expect("JSON");
    let attempts = serde_json::json!([
        { "upstream": "a", "startMs": 1, "ms": 20, "model": "own", "class": "server_error", "status": 500,
            "message": "500 \"oops\"" },
        { "upstream": "b", "startMs": 30, "ms": 20, "model": "own", "class": null },
    ]);
    assert_eq!(object["attempts"], attempts);
    assert_eq!(
        (&object["upstream"], &object["upstreamModel"], &object["totalMs"]),
        (&"b".into(), &"own".into(), &70.into())
    );
    assert_eq!(object["usage"], serde_json::json!({ "prompt": 3, "completion": 4, "total": 7, "estimated": true }));
    let object: Value = serde_json::from_str(&super::object(&refused())).expect("JSON");
    let names: Vec<&String> = object.as_object().expect("an object").keys().collect();
    assert_eq!(names, ["target", "id", "method", "path", "client", "attempts", "status", "code", "reason", "totalMs"]);
}

#[test]
fn tokens_of_a_cache_are_shown_if_there_are_any() {
    let details = UsageDetails { cached: 2, cache_write: 1, ..UsageDetails::default() };
    let usage = Usage::new(3, 4, 7, UsageSource::Reported).with(details);
    let record = RequestRecord { usage: Some(usage), ..record() };
    assert!(line(&record).ends_with(" tokens=3+4=7 cached=2"));
    let object: Value = serde_json::from_str(&object(&record)).expect("JSON");
    assert_eq!((&object["usage"]["cached"], &object["usage"]["cacheWrite5m"]), (&2.into(), &1.into()));
}

#[test]
fn the_level_follows_from_the_status_and_the_end() {
    let of = |status: u16, end: RequestEnd, path: &'static str| {
        let status = StatusCode::from_u16(status).ok();
        level(&RequestRecord { status, end, path: path.into(), ..record() })
    };
    let broke = || RequestEnd::Failed("it broke".to_owned());
    for (status, end, path, expected) in [
        (200, RequestEnd::Answered, "/v1/models", Level::Info),
        (200, RequestEnd::Answered, "/health", Level::Debug),
        (200, broke(), "/v1/models", Level::Warn),
        (200, RequestEnd::Stopped, "/v1/models", Level::Warn),
        (200, RequestEnd::ClientLeft, "/v1/models", Level::Info),
        (400, broke(), "/v1/models", Level::Info),
        (429, broke(), "/v1/models", Level::Warn),
        (401, RequestEnd::Answered, "/v1/models", Level::Warn),
        (502, broke(), "/v1/models", Level::Error),
        (503, RequestEnd::Answered, "/health", Level::Error),
    ] {
        assert_eq!(of(status, end.clone(), path), expected, "{status} {end:?} {path}");
    }
    assert_eq!(level(&RequestRecord { status: None, end: RequestEnd::ClientLeft, ..record() }), Level::Info);
}

#[test]
fn a_line_has_the_cost_of_all_attempts_if_the_models_have_prices() {
    let price = PartialPrice { input: Some(150_000), output: Some(600_000), ..PartialPrice::default() }.filled();
    let mut record = record();
    for attempt in &mut record.attempts {
        attempt.price = price;
        attempt.usage = Some(Usage::new(3, 4, 7, UsageSource::Estimated));
    }
    assert!(line(&record).ends_with(" tokens=3+4=7 cost=$0.0000057"), "{}", line(&record));
    let told: Value = serde_json::from_str(&object(&record)).expect("JSON");
    assert_eq!(told["cost"], serde_json::json!(0.000_005_7));
    record.attempts.iter_mut().for_each(|attempt| attempt.price = None);
    assert!(line(&record).ends_with(" tokens=3+4=7"));
}

#[test]
fn an_attempt_that_was_given_up_after_the_request_was_written_has_used_the_prompt_and_what_was_asked_for() {
    let (recorder, kept) = crate::records::Recorder::keeping();
    let mut open = OpenRecord::new(recorder, RequestId::generate(), Method::POST, "/v1/chat/completions".into());
    let begin = |open: &mut OpenRecord, is_sent: bool, prompt| {
        let sent_at = SentAt::default();
        if is_sent {
            assert!(sent_at.begin(1));
        }
        let billed = BilledUnits::of(BilledUnit::Image, 3);
        open.attempt_began(AttemptStart {
            api: &"a".into(),
            model: None,
            price: None,
            sent_at: &sent_at,
            prompt,
            billed,
        })
    };
    let failed = |class| AttemptResult::Failed(Failure::new(class, Phase::Head, ""));
    for (is_sent, prompt, result) in [
        (true, Some(10), AttemptResult::Open),
        (false, Some(10), AttemptResult::Open),
        (true, None, AttemptResult::Open),
        (true, Some(10), failed(FailureClass::Timeout)),
        (true, Some(10), failed(FailureClass::ServerError)),
        (true, Some(10), AttemptResult::Served),
    ] {
        let place = begin(&mut open, is_sent, prompt);
        open.attempt_ended(place, result);
    }
    open.answer_used(Some(Usage::new(3, 4, 7, UsageSource::Reported)));
    drop(open);
    let kept = kept.borrow();
    let used: Vec<Option<u64>> = kept[0].attempts.iter().map(|attempt| Some(attempt.usage?.total)).collect();
    assert_eq!(used, [Some(10), None, None, Some(10), None, Some(7)]);
    let images: Vec<u32> =
        kept[0].attempts.iter().filter_map(|attempt| Some(attempt.usage?.billed.get(BilledUnit::Image))).collect();
    assert_eq!(images, [3, 3, 0], "the answer told of none");
    assert_eq!(kept[0].tokens().total(), 27);
}
