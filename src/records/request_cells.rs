//! What ended requests add up to, for `/metrics`. Written by the recorder alone, from the records.
//!
//! 1. A label's values come from bounded sets: routes, classes, codes, the configuration's APIs and keys, and known models.
//! 2. Only combinations that were seen have a cell. Beyond [`MOST_CELLS`] of a table, a new one counts as model `other`, then as
//!    key `other` too.
//! 3. Cells live as long as the process, as Prometheus expects of counters.

mod labels;

use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::Arc;

use super::request_end::RequestEnd;
use super::request_record::{AttemptRecord, AttemptResult, RequestRecord};
use crate::config::Config;
use crate::metrics::{ADDED_SECONDS, Histogram, WAIT_SECONDS};
use crate::types::{ApiId, BilledSums, Cost, FailureClass, KeyName, QuickMap, TokenKinds, UsageSource};

pub use self::labels::StatusLabel;
use self::labels::{ModelLabels, OTHER, operation};

/// The most cells of one table: some 1.5 MB of text.
pub const MOST_CELLS: usize = 10_000;

/// The label of an attempt whose answer went to the client.
const OK: &str = "ok";

/// The label of an attempt that was given up.
const ABANDONED: &str = "abandoned";

/// All cells.
#[derive(Debug, Clone)]
pub struct RequestCells {
    /// Requests by what clients saw.
    pub requests: QuickMap<RequestCell, [u64; StatusLabel::ALL.len()]>,
    /// Times by operation, and by whether a stream was asked for.
    pub times: BTreeMap<(&'static str, bool), RequestTimes>,
    /// The pool's own share of the time.
    pub added: Histogram,
    /// Attempts by upstream.
    pub attempts: BTreeMap<ApiId, AttemptCells>,
    /// Tokens and cost of all attempts.
    pub tokens: QuickMap<TokenCell, TokenCounts>,
    /// The pool's own refusals, by reason and key.
    pub refusals: BTreeMap<(&'static str, Option<KeyName>), u64>,
    /// Requests without a cell of their own.
    pub overflowed: u64,
    /// Records that never came here.
    pub dropped: u64,
    models: ModelLabels,
}

/// The labels of a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RequestCell {
    /// The operation.
    pub op: &'static str,
    /// The client's key.
    pub key: Option<KeyName>,
    /// The model by the client's name; empty without one.
    pub model: Arc<str>,
}

/// The labels of tokens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TokenCell {
    /// The upstream.
    pub api: ApiId,
    /// The client's key.
    pub key: Option<KeyName>,
    /// The model by the client's name.
    pub model: Arc<str>,
}

/// Tokens and what they cost.
#[derive(Debug, Clone, Copy, Default)]
pub struct TokenCounts {
    /// As upstreams said.
    pub reported: TokenKinds,
    /// As far as upstreams said nothing.
    pub estimated: TokenKinds,
    /// What is billed beside tokens.
    pub billed: BilledSums,
    /// Of all.
    pub cost: Cost,
}

/// Times of one kind of requests.
#[derive(Debug, Clone)]
pub struct RequestTimes {
    /// To the end.
    pub duration: Histogram,
    /// To the first content.
    pub first_token: Histogram,
}

/// Attempts at one upstream.
#[derive(Debug, Clone)]
pub struct AttemptCells {
    /// By class.
    pub classes: BTreeMap<&'static str, u64>,
    /// Of serving attempts.
    pub first_token: Histogram,
}

impl Default for RequestTimes {
    fn default() -> Self {
        RequestTimes { duration: Histogram::new(WAIT_SECONDS), first_token: Histogram::new(WAIT_SECONDS) }
    }
}

impl Default for AttemptCells {
    fn default() -> Self {
        AttemptCells { classes: BTreeMap::new(), first_token: Histogram::new(WAIT_SECONDS) }
    }
}

impl Default for RequestCells {
    fn default() -> Self {
        RequestCells {
            requests: QuickMap::default(),
            times: BTreeMap::new(),
            added: Histogram::new(ADDED_SECONDS),
            attempts: BTreeMap::new(),
            tokens: QuickMap::default(),
            refusals: BTreeMap::new(),
            overflowed: 0,
            dropped: 0,
            models: ModelLabels::default(),
        }
    }
}

impl RequestCells {
    /// Takes up the names of a configuration.
    pub(super) fn configure(&mut self, config: &Config) {
        self.models.configure(config);
    }

    /// Counts one ended request.
    pub(super) fn count(&mut self, record: &RequestRecord) {
        let op = operation(record.route);
        let served = record.attempts.iter().rev().find(|attempt| matches!(attempt.result, AttemptResult::Served));
        let status = StatusLabel::of(record.status);
        let model = self.models.label(record.model.as_ref(), served.is_some() && status == StatusLabel::Fine);
        let key = record.key.clone();
        if let RequestEnd::Refused { cause, .. } = &record.end {
            *self.refusals.entry((cause, key.clone())).or_default() += 1;
        }
        for attempt in &record.attempts {
            self.count_attempt(attempt);
            self.count_tokens(attempt, &key, &model);
        }
        if record.route.is_some() {
            self.count_times(op, record, served);
        }
        let (counts, is_other) = cell_of(
            &mut self.requests,
            RequestCell { op, key, model },
            [
                |cell| RequestCell { model: OTHER.into(), ..cell.clone() },
                |cell| RequestCell { model: OTHER.into(), key: Some(OTHER.into()), ..cell.clone() },
            ],
        );
        if let Some(count) = counts.get_mut(status as usize) {
            *count += 1;
        }
        self.overflowed += u64::from(is_other);
    }

    fn count_attempt(&mut self, attempt: &AttemptRecord) {
        let class = match &attempt.result {
            AttemptResult::Open => ABANDONED,
            AttemptResult::Served => OK,
            AttemptResult::Failed(failure) => FailureClass::as_str(failure.class),
        };
        if !self.attempts.contains_key(&attempt.api) {
            self.attempts.insert(attempt.api.clone(), AttemptCells::default());
        }
        if let Some(cells) = self.attempts.get_mut(&attempt.api) {
            *cells.classes.entry(class).or_default() += 1;
        }
    }

    fn count_tokens(&mut self, attempt: &AttemptRecord, key: &Option<KeyName>, model: &Arc<str>) {
        let Some(usage) = attempt.usage else { return };
        let cell = TokenCell { api: attempt.api.clone(), key: key.clone(), model: model.clone() };
        let (counts, is_other) = cell_of(
            &mut self.tokens,
            cell,
            [
                |cell| TokenCell { model: OTHER.into(), ..cell.clone() },
                |cell| TokenCell { model: OTHER.into(), key: Some(OTHER.into()), ..cell.clone() },
            ],
        );
        match usage.source {
            UsageSource::Reported => counts.reported += usage.kinds,
            UsageSource::Estimated => counts.estimated += usage.kinds,
            UsageSource::Unknown => {}
        }
        counts.billed += usage.billed.map(u64::from);
        counts.cost += attempt.cost();
        self.overflowed += u64::from(is_other);
    }

    fn count_times(&mut self, op: &'static str, record: &RequestRecord, served: Option<&AttemptRecord>) {
        let times = self.times.entry((op, record.stream)).or_default();
        times.duration.record(record.total);
        let is_answered = StatusLabel::of(record.status) == StatusLabel::Fine;
        if let (Some(served), Some(first_token)) = (served.filter(|_| is_answered), record.first_token) {
            times.first_token.record(served.began + first_token);
            if let Some(cells) = self.attempts.get_mut(&served.api) {
                cells.first_token.record(first_token);
            }
        }
        if let Some(first) = record.attempts.first() {
            self.added.record(first.began.saturating_sub(record.asked + record.waited) + record.passed_on);
        }
    }
}

/// Returns the cell, or in a full table one of the cells for all others. And whether it is one of those.
fn cell_of<K: Clone + Eq + Hash, V: Default>(
    cells: &mut QuickMap<K, V>,
    mut key: K,
    others: [fn(&K) -> K; 2],
) -> (&mut V, bool) {
    let mut is_other = false;
    for other in others {
        if cells.len() < MOST_CELLS || cells.contains_key(&key) {
            break;
        }
        (key, is_other) = (other(&key), true);
    }
    (cells.entry(key).or_default(), is_other)
}

#[cfg(test)]
mod tests;
