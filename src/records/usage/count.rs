//! What one request adds to the ledger.

use crate::records::request_end::RequestEnd;
use crate::records::request_record::{AttemptRecord, AttemptResult, RequestRecord};
use crate::types::{Moment, UsageSource};
use crate::usage::{CellNames, OperationKind, UsageCounts, UsageLedger};

/// Counts a request with the name of a model or with an attempt.
pub(super) fn count(ledger: &mut UsageLedger, record: &RequestRecord, moment: Moment) {
    if record.model.is_none() && record.attempts.is_empty() {
        return;
    }
    let key = record.key.as_ref().map_or("", |key| key.as_str());
    let asked = record.model.as_deref().unwrap_or_default();
    let cell =
        |api, model, proven| CellNames { names: [key, api, model, record.app.as_str()], kind: kind_of(record), proven };
    let is_served = |attempt: &AttemptRecord| matches!(attempt.result, AttemptResult::Served);
    // The serving attempt, or else the last one.
    let target = record.attempts.iter().rposition(is_served).or_else(|| record.attempts.len().checked_sub(1));
    // The model's name is real if one of the attempts was served, so the earlier attempts may use the name too.
    let served = record.attempts.iter().find(|attempt| is_served(attempt));
    let served = served.map(|attempt| attempt.model.as_deref().unwrap_or(asked));
    for (nth, attempt) in record.attempts.iter().enumerate() {
        let mut counts = if Some(nth) == target { of_request(record) } else { UsageCounts::default() };
        counts.add(&of_attempt(attempt));
        if !counts.is_empty() {
            let model = attempt.model.as_deref().unwrap_or(asked);
            let is_proven = served == Some(model);
            ledger.add(&cell(attempt.api.as_str(), model, is_proven), &counts, moment);
        }
    }
    if target.is_none() {
        ledger.add(&cell("", asked, false), &of_request(record), moment);
    }
}

/// Returns the request itself. An error as the answer is a failure, from the upstream or from this server.
fn of_request(record: &RequestRecord) -> UsageCounts {
    let is_error = record.status.is_none_or(|status| status.as_u16() >= 400);
    let failed = is_error || record.end != RequestEnd::Answered;
    UsageCounts { requests: 1, failed: failed.into(), ..UsageCounts::default() }
}

fn of_attempt(attempt: &AttemptRecord) -> UsageCounts {
    let Some(usage) = attempt.usage else { return UsageCounts::default() };
    let estimated = match usage.source {
        UsageSource::Reported | UsageSource::Unknown => 0,
        UsageSource::Estimated => usage.kinds.total(),
    };
    let counts = UsageCounts { tokens: usage.kinds, estimated, cost: attempt.cost(), ..UsageCounts::default() };
    counts.with_billed(usage.billed.map(u64::from))
}

fn kind_of(record: &RequestRecord) -> OperationKind {
    match record.route.map(|route| route.path()) {
        Some("embeddings") => OperationKind::Embeddings,
        Some("images/generations" | "images/edits" | "images/variations") => OperationKind::Images,
        Some("audio/speech") => OperationKind::Speech,
        Some("audio/transcriptions" | "audio/translations") => OperationKind::Transcriptions,
        Some("chat/completions" | "completions" | "responses" | "messages") => OperationKind::Completions,
        Some(_) | None => OperationKind::Other,
    }
}
