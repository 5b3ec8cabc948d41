//! The cells, from records alone.

use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use serde_json::json;

use super::labels::MOST_MODELS;
use super::*;
use crate::records::{AttemptStart, OpenRecord, Recorder};
use crate::testing::{api, config};
use crate::types::{BilledUnits, Failure, Phase, RequestId, RouteId, SentAt};

/// Returns the record of a chat with this model and status, served by `a` if the status is fine.
fn chat(model: &str, status: u16) -> RequestRecord {
    let (recorder, kept) = Recorder::keeping();
    let mut open = OpenRecord::new(recorder, RequestId::generate(), Method::POST, "/v1/chat/completions".into());
    open.asked();
    open.with(|record| {
        record.route = Some(RouteId::new("chat/completions"));
        record.stream = true;
        record.model = Some(model.into());
    });
    let (api, sent_at) = ("a".into(), SentAt::default());
    let place = open.attempt_began(AttemptStart {
        api: &api,
        model: None,
        price: None,
        sent_at: &sent_at,
        prompt: None,
        billed: BilledUnits::default(),
    });
    let failed = AttemptResult::Failed(Failure::new(FailureClass::Timeout, Phase::Head, "late"));
    open.attempt_ended(place, if status < 400 { AttemptResult::Served } else { failed });
    open.answered(StatusCode::from_u16(status).expect("a status"));
    drop(open);
    kept.take().pop().expect("a record")
}

fn requests(cells: &RequestCells, model: &str) -> u64 {
    let of_model = cells.requests.iter().filter(|(cell, _)| *cell.model == *model);
    of_model.flat_map(|(_, counts)| counts).sum()
}

#[test]
fn a_model_has_a_label_once_it_is_configured_or_was_served() {
    let mut cells = RequestCells::default();
    cells.count(&chat("made up", 404));
    cells.count(&chat("told", 200));
    cells.count(&chat("told", 502));
    let config =
        config(&json!({ "apis": [api("a", &json!({ "models": ["listed"], "modelMapping": { "asked": "listed" } }))] }));
    cells.configure(&config);
    cells.count(&chat("listed", 502));
    cells.count(&chat("asked", 502));
    cells.count(&chat("line\nbreak", 200));
    for (model, expected) in [("made up", 0), ("told", 2), ("listed", 1), ("asked", 1), ("other", 2)] {
        assert_eq!(requests(&cells, model), expected, "{model}");
    }
}

#[test]
fn no_client_makes_more_labels_than_the_bound() {
    let mut cells = RequestCells::default();
    (0..MOST_MODELS + 20).for_each(|n| cells.count(&chat(&format!("m{n}"), 200)));
    assert_eq!(cells.requests.len(), MOST_MODELS + 1);
    assert_eq!(requests(&cells, "other"), 20);
}

type Folded = fn(&RequestCell) -> RequestCell;

const OTHERS: [Folded; 2] = [
    |cell| RequestCell { model: OTHER.into(), ..cell.clone() },
    |cell| RequestCell { model: OTHER.into(), key: Some(OTHER.into()), ..cell.clone() },
];

#[test]
fn a_full_table_counts_the_rest_under_other() {
    let mut cells: QuickMap<RequestCell, u64> = QuickMap::default();
    let cell = |n: usize| RequestCell { op: "chat", key: Some("k".into()), model: n.to_string().into() };
    for n in 0..MOST_CELLS + 10 {
        let (count, is_other) = cell_of(&mut cells, cell(n), OTHERS);
        *count += 1;
        assert_eq!(is_other, n >= MOST_CELLS);
    }
    assert!(cells.len() <= MOST_CELLS + 1, "{}", cells.len());
    assert_eq!(cells.values().sum::<u64>(), MOST_CELLS as u64 + 10, "none is lost");
    let (_, is_other) = cell_of(&mut cells, cell(0), OTHERS);
    assert!(!is_other, "an old cell goes on");
}

#[test]
fn the_first_token_of_the_request_has_the_attempts_before() {
    let mut record = chat("m", 200);
    record.first_token = Some(Duration::from_secs(2));
    if let Some(attempt) = record.attempts.last_mut() {
        attempt.began = Duration::from_secs(5);
    }
    // From 1 s on, the request waited for a limit.
    (record.asked, record.waited) = (Duration::from_secs(1), Duration::from_millis(3_999));
    record.passed_on = Duration::from_millis(1);
    let mut cells = RequestCells::default();
    cells.count(&record);
    let of_request = &cells.times.get(&("chat", true)).expect("times").first_token;
    assert_eq!((of_request.count(), of_request.sum_seconds()), (1, 7.0));
    let of_attempt = cells.attempts.get(&"a".into()).expect("attempts");
    assert_eq!((of_attempt.first_token.sum_seconds(), of_attempt.classes.get("ok")), (2.0, Some(&1)));
    assert_eq!((cells.added.count(), cells.added.sum_seconds()), (1, 0.002));
}
