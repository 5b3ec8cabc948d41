//! The end of an answer: for the permit, the record, and the homes of new objects.

use std::time::Duration;

use crate::proxy::response::made_objects::MadeObjects;
use crate::records::{OpenRecord, RequestEnd};
use crate::types::{Outcome, Settlement, Usage};
use crate::upstream::Permit;

/// The settlement at an answer's end. Dropped without settlement, the permit counts as abandoned.
pub(in crate::proxy) struct SettleOnDrop {
    pub(in crate::proxy) permit: Permit,
    pub(in crate::proxy) record: OpenRecord,
    pub(in crate::proxy) outcome: Outcome,
    pub(in crate::proxy) usage: Option<Usage>,
    pub(in crate::proxy) first_token: Duration,
    pub(in crate::proxy) made: Option<MadeObjects>,
}

impl SettleOnDrop {
    pub(in crate::proxy) fn settle(mut self, outcome: Option<Outcome>, usage: Option<Usage>) {
        let usage = match (usage, self.usage) {
            (Some(told), Some(known)) => Usage::and_billed(Some(told), known.billed),
            (told, known) => told.or(known),
        };
        let outcome = outcome.unwrap_or(self.outcome);
        let first_token = matches!(outcome, Outcome::Completed).then_some(self.first_token);
        let end = match &outcome {
            Outcome::Failed(failure) => RequestEnd::Failed(failure.to_string()),
            Outcome::ClientClosed => RequestEnd::ClientLeft,
            Outcome::Completed | Outcome::Abandoned => RequestEnd::Answered,
        };
        self.record.with(|record| {
            record.first_token = Some(self.first_token);
            record.end = end;
        });
        self.record.answer_used(usage);
        let duration = self.permit.elapsed();
        self.permit.settle(Settlement { outcome, usage, first_token, duration });
    }
}
