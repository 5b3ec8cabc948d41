//! The sums over the attempts of a request, and what the request takes of its key.

use super::request_record::{AttemptRecord, AttemptResult, OpenRecord, RequestRecord};
use crate::keys::{KeyPermit, KeySpending};
use crate::types::{Cost, Now, RateLimitSummary, TokenKinds};

impl RequestRecord {
    /// Returns the tokens that upstreams were asked for, over all attempts.
    pub fn tokens(&self) -> TokenKinds {
        self.attempts.iter().filter_map(|attempt| attempt.usage).map(|usage| usage.kinds).sum()
    }

    /// Returns what the request cost, over all attempts.
    pub fn cost(&self) -> Cost {
        self.attempts.iter().map(AttemptRecord::cost).sum()
    }

    /// Returns what to settle with the client's key, at the end of the request.
    pub(super) fn key_spending(&self) -> KeySpending {
        let sent = || self.attempts.iter().filter(|attempt| attempt.was_sent());
        // An answer without a report: nobody knows the tokens, and some were used.
        let is_unknown = |result: &AttemptResult| match result {
            AttemptResult::Served => true,
            AttemptResult::Open | AttemptResult::Failed(_) => false,
        };
        let unknown = sent().filter(|attempt| attempt.usage.is_none() && is_unknown(&attempt.result)).count();
        KeySpending {
            attempts: sent().count() as u64,
            unknown: unknown as u64,
            tokens: self.tokens().total(),
            cost: self.cost(),
            completion: self.usage.map(|usage| usage.completion),
        }
    }
}

impl OpenRecord {
    /// Keeps what the client's key gave, to be settled at the end of the request.
    pub fn admitted_by_key(&mut self, permit: Option<KeyPermit>) {
        self.key_permit = permit.map(Box::new);
    }

    /// Returns what the key's tightest limit on requests leaves; `None` without such a limit.
    pub fn key_rate(&self) -> Option<RateLimitSummary> {
        self.key_permit.as_ref().and_then(|permit| permit.rate(Now::read_mono()))
    }
}
