//! What an upstream reports of an exchange's tokens, and the estimates in place of gaps.
//!
//! 1. Zero tokens beside a text are no report, and every request has a prompt.
//! 2. A total is at least the sum of both parts. A missing part is the total without the other part.
//! 3. Otherwise a missing part is estimated, and the usage is marked as estimated.

use serde_json::value::RawValue;

use crate::types::{BilledUnits, Usage, UsageDetails, UsageSource, tokens_of_text};

/// The counts of a report, each read by itself. `None`: missing, or no possible count.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReportedUsage {
    pub(crate) prompt: Option<u64>,
    pub(crate) completion: Option<u64>,
    pub(crate) total: Option<u64>,
    /// The part of `prompt` that was read from a cache.
    pub(crate) cached: Option<u64>,
    /// The part of `prompt` that was written into a cache.
    pub(crate) cache_write: Option<u64>,
    /// The part of the tokens written into a cache that stays for an hour.
    pub(crate) cache_write_1h: Option<u64>,
    /// Tokens of thought: a part of `completion`, or beside `completion`.
    pub(crate) reasoning: Option<u64>,
    /// Tokens of the prompt that `prompt` leaves out.
    pub(crate) beside_prompt: CacheTokens,
    /// What is billed beside tokens.
    pub(crate) billed: BilledUnits,
}

/// Tokens that a prompt's cache gave and took, where a report has them beside the others.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CacheTokens {
    pub(crate) read: Option<u64>,
    pub(crate) written: Option<u64>,
}

/// What an exchange took by the length of what was sent and received.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EstimatedUsage {
    pub(crate) prompt: u64,
    /// Zero where no text was generated.
    pub(crate) completion: u64,
}

impl EstimatedUsage {
    /// Estimates by the bytes of the request and the likely tokens of the answer.
    pub(crate) fn new(prompt_bytes: usize, completion: u64) -> Self {
        EstimatedUsage { prompt: tokens_of_text(prompt_bytes), completion }
    }
}

impl ReportedUsage {
    /// Returns whether no tokens were reported at all.
    pub(crate) fn is_empty(self) -> bool {
        self == ReportedUsage { billed: self.billed, ..ReportedUsage::default() }
    }

    /// Takes in a later report of the same exchange. A count of zero takes nothing back.
    pub(crate) fn update(&mut self, later: ReportedUsage) {
        self.billed = self.billed.larger(later.billed);
        let cache = &mut self.beside_prompt;
        for (count, later) in [
            (&mut self.prompt, later.prompt),
            (&mut self.completion, later.completion),
            (&mut self.total, later.total),
            (&mut self.cached, later.cached),
            (&mut self.cache_write, later.cache_write),
            (&mut self.cache_write_1h, later.cache_write_1h),
            (&mut self.reasoning, later.reasoning),
            (&mut cache.read, later.beside_prompt.read),
            (&mut cache.written, later.beside_prompt.written),
        ] {
            if later.is_some_and(|later| later > 0) || count.is_none() {
                *count = later;
            }
        }
    }

    /// Returns whether something was generated, by the completion, or by the total where the completion is missing.
    pub(crate) fn has_completion(self) -> bool {
        let is_unexplained = self.total.zip(self.prompt).is_some_and(|(total, prompt)| total > prompt);
        self.completion.map_or(is_unexplained, |completion| completion > 0)
    }

    /// Returns what the exchange took, with estimates in place of what was not reported.
    pub(crate) fn completed(self, estimate: EstimatedUsage) -> Usage {
        let is_zero_possible = estimate.completion == 0;
        let total = self.total.unwrap_or_default();
        let CacheTokens { read, written } = self.beside_prompt;
        let (read, written) = (read.unwrap_or_default(), written.unwrap_or_default());
        let prompt = self.prompt.map(|tokens| tokens.saturating_add(read).saturating_add(written));
        let prompt = prompt.filter(|tokens| *tokens > 0);
        let completion = self.completion.filter(|tokens| *tokens > 0 || is_zero_possible);
        let completion = completion.or_else(|| remainder(total, prompt)).or(is_zero_possible.then_some(0));
        let prompt = prompt.or_else(|| remainder(total, completion));
        let is_whole = prompt.is_some() && completion.is_some();
        let source = if is_whole { UsageSource::Reported } else { UsageSource::Estimated };
        // Both parts share a total without parts.
        let most = if total > 0 && completion.is_none() { total } else { u64::MAX };
        let prompt = prompt.unwrap_or(estimate.prompt.min(most));
        let completion = completion.or_else(|| remainder(total, Some(prompt))).unwrap_or(estimate.completion);
        let total = total.max(prompt.saturating_add(completion));
        let usage = Usage::new(prompt, completion, total, source).with(UsageDetails {
            cached: self.cached.unwrap_or(read),
            cache_write: self.cache_write.unwrap_or(written),
            cache_write_1h: self.cache_write_1h.unwrap_or_default(),
            reasoning: self.reasoning.unwrap_or_default(),
            uncounted: read,
        });
        Usage { billed: self.billed, ..usage }
    }
}

/// No exchange takes more tokens: the text would have four gigabytes. A larger count is impossible.
const MOST_TOKENS: f64 = 1e9;

/// Returns a possible count: a number, or a text of one, rounded up. Neither less than zero nor absurdly large.
pub(crate) fn count(value: Option<&RawValue>) -> Option<u64> {
    let number: f64 = value?.get().trim_matches('"').trim().parse().ok()?;
    // (A fraction below the bound fits.)
    (0.0..=MOST_TOKENS).contains(&number).then(|| number.ceil() as u64)
}

/// Returns the rest of a total without one part, if anything is left.
fn remainder(total: u64, part: Option<u64>) -> Option<u64> {
    total.checked_sub(part?).filter(|tokens| *tokens > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(prompt: Option<u64>, completion: Option<u64>, total: Option<u64>) -> ReportedUsage {
        ReportedUsage { prompt, completion, total, ..ReportedUsage::default() }
    }

    #[test]
    fn what_a_report_leaves_out_is_derived_from_its_total_or_estimated() {
        const ZERO: Option<u64> = Some(0);
        for (case, report, text, wanted) in [
            ("whole", report(Some(3), Some(4), Some(7)), 50, (3, 4, 7, true)),
            ("no total", report(Some(3), Some(4), None), 50, (3, 4, 7, true)),
            ("a total below its parts", report(Some(3), Some(4), Some(5)), 50, (3, 4, 7, true)),
            ("thoughts in the total", report(Some(3), Some(4), Some(90)), 50, (3, 4, 90, true)),
            ("thoughts in the total alone", report(Some(3), ZERO, Some(90)), 50, (3, 87, 90, true)),
            ("no prompt", report(None, Some(4), Some(7)), 50, (3, 4, 7, true)),
            ("a prompt of zero", report(ZERO, Some(4), Some(7)), 50, (3, 4, 7, true)),
            ("no prompt, no total", report(None, Some(4), None), 50, (10, 4, 14, false)),
            ("no completion beside a text", report(Some(3), ZERO, Some(3)), 50, (3, 50, 53, false)),
            ("no completion and no text", report(Some(3), ZERO, Some(3)), 0, (3, 0, 3, true)),
            ("an embedding", report(Some(5), None, Some(5)), 0, (5, 0, 5, true)),
            ("a total alone of an embedding", report(None, None, Some(5)), 0, (5, 0, 5, true)),
            ("a total alone", report(None, None, Some(90)), 50, (10, 80, 90, false)),
            ("a small total alone", report(None, None, Some(4)), 50, (4, 50, 54, false)),
            ("zeros beside a text", report(ZERO, ZERO, ZERO), 50, (10, 50, 60, false)),
            ("zeros and no text", report(ZERO, ZERO, ZERO), 0, (10, 0, 10, false)),
            ("nothing", report(None, None, None), 50, (10, 50, 60, false)),
        ] {
            let usage = report.completed(EstimatedUsage { prompt: 10, completion: text });
            let found = (usage.prompt, usage.completion, usage.total, usage.source == UsageSource::Reported);
            assert_eq!(found, wanted, "{case}");
        }
    }

    #[test]
    fn a_later_report_replaces_what_it_counts() {
        let mut usage = report(Some(5), Some(1), Some(6));
        usage.update(report(Some(5), Some(2), Some(7)));
        assert_eq!(usage, report(Some(5), Some(2), Some(7)));
        usage.update(report(Some(0), None, Some(0)));
        assert_eq!(usage, report(Some(5), Some(2), Some(7)), "zeros and gaps take nothing back");
    }

    #[test]
    fn a_completion_is_known_by_its_count_or_else_by_the_total() {
        assert!(report(None, Some(1), None).has_completion());
        assert!(report(Some(3), None, Some(9)).has_completion());
        assert!(!report(Some(3), Some(0), Some(9)).has_completion());
        assert!(!report(None, None, Some(3)).has_completion());
    }
}
