//! The sums over the attempts of a request, and what the request takes of its key.

use super::request_record::{AttemptRecord, AttemptResult, OpenRecord, RequestRecord};
use crate::keys::{KeyPermit, KeySpending};
use crate::types::{BilledSums, Cost, FailureClass, Now, RateLimitSummary, TokenKinds, Usage, UsageSource};

impl RequestRecord {
    /// Returns the tokens that upstreams were asked for, over all attempts.
    pub fn tokens(&self) -> TokenKinds {
        self.attempts.iter().filter_map(|attempt| attempt.usage).map(|usage| usage.kinds).sum()
    }

    /// Returns what is billed beside tokens, over all attempts.
    pub fn billed(&self) -> BilledSums {
        let mut sums = BilledSums::default();
        self.attempts.iter().filter_map(|attempt| attempt.usage).for_each(|usage| sums += usage.billed.map(u64::from));
        sums
    }

    /// Returns what the request cost, over all attempts.
    pub fn cost(&self) -> Cost {
        self.attempts.iter().map(AttemptRecord::cost).sum()
    }

    /// Returns what to settle with the client's key, at the end of the request.
    pub(super) fn key_spending(&self) -> KeySpending {
        let sent = || self.attempts.iter().filter(|attempt| attempt.was_sent());
        // An answer without a report: nobody knows the tokens, and some were used.
        let is_served = |attempt: &&AttemptRecord| match &attempt.result {
            AttemptResult::Served => true,
            AttemptResult::Open | AttemptResult::Failed(_) => false,
        };
        let served = || sent().filter(is_served);
        let unknown_tokens = served().filter(|attempt| attempt.usage.and_then(Usage::of_tokens).is_none()).count();
        let unknown_cost = served().filter(|attempt| attempt.known_cost().is_none()).count();
        KeySpending {
            attempts: sent().count() as u64,
            unknown_tokens: unknown_tokens as u64,
            unknown_cost: unknown_cost as u64,
            tokens: self.tokens().total(),
            cost: self.cost(),
            completion: self.usage.and_then(Usage::of_tokens).map(|usage| usage.completion),
        }
    }
}

impl AttemptRecord {
    /// Returns the likely usage of an attempt that this program or the client gave up after the request was written: the upstream
    /// has read the prompt by then, and may make whatever was asked for, such as images.
    pub(super) fn given_up(&self) -> Option<Usage> {
        let is_given_up = match &self.result {
            AttemptResult::Open => true,
            AttemptResult::Failed(failure) => failure.class == FailureClass::Timeout,
            AttemptResult::Served => false,
        };
        let prompt = self.prompt.filter(|_| is_given_up && self.was_sent())?;
        Usage::and_billed(Some(Usage::new(prompt, 0, prompt, UsageSource::Estimated)), self.billed)
    }
}

impl OpenRecord {
    /// Keeps what the client's key gave, to be settled at the end of the request.
    pub fn admitted_by_key(&mut self, permit: Option<KeyPermit>) {
        self.key_permit = permit.map(Box::new);
    }

    /// Returns what the request has spent so far, for a key that gave nothing before.
    pub fn spending(&self) -> KeySpending {
        self.record.as_deref().map(RequestRecord::key_spending).unwrap_or_default()
    }

    /// Returns what the key's tightest limit on requests leaves; `None` without such a limit.
    pub fn key_rate(&self) -> Option<RateLimitSummary> {
        self.key_permit.as_ref().and_then(|permit| permit.rate(Now::read_mono()))
    }
}
