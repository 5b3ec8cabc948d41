//! The tokens of an exchange, and what is billed beside tokens.

mod billed;
mod kinds;

pub use billed::{BilledSums, BilledUnit, BilledUnits, ByUnit, UnitNames};
pub use kinds::TokenKinds;

/// Where a count of tokens comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageSource {
    /// A report of the upstream.
    Reported,
    /// Estimated from lengths: the upstream reported nothing, or the answer was cut.
    Estimated,
    /// Nobody knows: only what is billed beside tokens is known.
    Unknown,
}

/// The tokens of one exchange, and what is billed beside tokens.
///
/// # Invariants
/// `total` is the sum of all kinds. `prompt` is the sum of the prompt's kinds. `completion` is the provider's word, and may leave
/// thoughts out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt (`prompt_tokens`, `input_tokens`), caches included.
    pub prompt: u64,
    /// Generated tokens (`completion_tokens`, `output_tokens`).
    pub completion: u64,
    /// `total_tokens`, or the sum of both if an upstream leaves the field out.
    pub total: u64,
    /// The same tokens by what is billed apart.
    pub kinds: TokenKinds,
    /// The part of the total that counts against no limit: cache reads beside the prompt, as Anthropic reports them.
    pub uncounted: u64,
    /// Where the tokens come from.
    pub source: UsageSource,
    /// What is billed beside tokens.
    pub billed: BilledUnits,
}

/// What a provider says beside the counts of prompt, completion and total.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UsageDetails {
    /// The part of the prompt that was read from a cache.
    pub cached: u64,
    /// The part of the prompt that was written into a cache, for any time.
    pub cache_write: u64,
    /// The part of `cache_write` for one hour.
    pub cache_write_1h: u64,
    /// The part of the generated tokens that was thought.
    pub reasoning: u64,
    /// The part of the total that counts against no limit.
    pub uncounted: u64,
}

impl Usage {
    /// Creates a usage without a cache. All tokens count. What neither the prompt nor the completion has of the total was thought.
    pub fn new(prompt: u64, completion: u64, total: u64, source: UsageSource) -> Self {
        let (kinds, billed) = (TokenKinds::default(), BilledUnits::default());
        let all = Usage { prompt, completion, total, kinds, uncounted: 0, source, billed };
        all.with(UsageDetails::default())
    }

    /// Returns a usage with these units as well, the larger number of each. Without a usage the tokens are unknown.
    pub fn and_billed(usage: Option<Usage>, billed: BilledUnits) -> Option<Usage> {
        if billed.is_empty() {
            return usage;
        }
        let usage = usage.unwrap_or_else(|| Usage::new(0, 0, 0, UsageSource::Unknown));
        Some(Usage { billed: usage.billed.larger(billed), ..usage })
    }

    /// Returns the usage if its tokens are known.
    pub fn of_tokens(self) -> Option<Usage> {
        (self.source != UsageSource::Unknown).then_some(self)
    }

    /// Returns the usage with these details. Thoughts are a part of the completion, or of the rest of the total, or stand beside
    /// both if they are too many for either. Other parts are cut to the size of the whole.
    pub fn with(self, details: UsageDetails) -> Usage {
        let Usage { prompt, completion, .. } = self;
        let cached = details.cached.min(prompt);
        let cache_write = details.cache_write.min(prompt - cached);
        let cache_write_1h = details.cache_write_1h.min(cache_write);
        let both = prompt.saturating_add(completion);
        let named = self.total.max(both);
        let is_beside = details.reasoning > named - prompt;
        let total = if is_beside { both.saturating_add(details.reasoning) } else { named };
        let reasoning = details.reasoning.max(total - both);
        let kinds = TokenKinds {
            input: prompt - cached - cache_write,
            cached,
            cache_write_5m: cache_write - cache_write_1h,
            cache_write_1h,
            output: (total - prompt).saturating_sub(reasoning),
            reasoning,
        };
        Usage { total, kinds, uncounted: details.uncounted.min(prompt), ..self }
    }

    /// Returns the usage with a total of so many tokens at least. What is added was thought.
    pub fn with_total_of(self, total: u64) -> Usage {
        let more = total.saturating_sub(self.total);
        let kinds = TokenKinds { reasoning: self.kinds.reasoning.saturating_add(more), ..self.kinds };
        Usage { total: self.total.saturating_add(more), kinds, ..self }
    }

    /// Returns the tokens that count against limits, as the provider counts. `None`: nobody knows.
    pub fn counted(&self, by: CountedTokens) -> Option<u64> {
        let all = if by.completion { self.total } else { self.prompt };
        let cache_reads = if by.cached { self.uncounted } else { self.kinds.cached.max(self.uncounted) };
        self.of_tokens().map(|_| all.saturating_sub(cache_reads))
    }
}

/// Which tokens count against a provider's limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountedTokens {
    /// Generated tokens count, and not the prompt alone.
    pub completion: bool,
    /// Tokens of the prompt count that were read from a cache, as far as the prompt includes them.
    pub cached: bool,
}

impl CountedTokens {
    /// All tokens count, as far as a provider does not say otherwise.
    pub const ALL: CountedTokens = CountedTokens { completion: true, cached: true };
}

/// What a request takes, as far as known before it is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TokenEstimate {
    /// Of the prompt, estimated from the length.
    pub prompt: u64,
    /// The request's own bound for generated tokens, if there is one.
    pub completion: Option<u64>,
    /// A bound that each request must have, and that says nothing of the likely length: an answer is as long as usual, or as the
    /// bound.
    pub longest: Option<u64>,
    /// What is billed beside tokens, as far as the request names it.
    pub billed: BilledUnits,
}

impl TokenEstimate {
    /// Returns the tokens to set aside, with `typical` generated tokens for a request without a bound. Nobody knows before what a
    /// cache will give.
    pub fn tokens(self, typical: u64, by: CountedTokens) -> u64 {
        if !by.completion {
            return self.prompt;
        }
        let typical = self.longest.map_or(typical, |longest| longest.min(typical));
        self.prompt.saturating_add(self.completion.unwrap_or(typical))
    }
}

/// Returns the tokens of a text of so many bytes, by OpenAI's rule of thumb for English.
pub fn tokens_of_text(bytes: usize) -> u64 {
    (bytes as u64).div_ceil(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_count_as_the_provider_counts() {
        let by = |completion, cached| CountedTokens { completion, cached };
        // Thoughts stand in the total alone.
        let details = UsageDetails { cached: 60, ..UsageDetails::default() };
        let usage = Usage::new(100, 20, 150, UsageSource::Reported).with(details);
        let beside = usage.with(UsageDetails { uncounted: 60, ..details });
        for (counted, tokens, tokens_beside) in [
            (by(true, true), 150, 90),
            (by(false, true), 100, 40),
            (by(true, false), 90, 90),
            (by(false, false), 40, 40),
        ] {
            let found = (usage.counted(counted), beside.counted(counted));
            assert_eq!(found, (Some(tokens), Some(tokens_beside)), "{counted:?}");
        }
        let estimate = TokenEstimate { prompt: 100, completion: Some(9), ..TokenEstimate::default() };
        assert_eq!((estimate.tokens(500, CountedTokens::ALL), estimate.tokens(500, by(false, true))), (109, 100));
    }

    #[test]
    fn thoughts_are_a_part_of_the_completion_or_of_the_rest_or_beside_both() {
        for (case, counts, thought, (output, reasoning, total)) in [
            ("none", (100, 20, 120), 0, (20, 0, 120)),
            ("a part of the completion", (100, 20, 120), 15, (5, 15, 120)),
            ("the rest of the total", (100, 20, 150), 30, (20, 30, 150)),
            ("the rest of the total, without a word", (100, 20, 150), 0, (20, 30, 150)),
            ("beside both", (100, 20, 120), 94, (20, 94, 214)),
            ("all of the completion", (100, 20, 120), 20, (0, 20, 120)),
        ] {
            let (prompt, completion, all) = counts;
            let details = UsageDetails { reasoning: thought, ..UsageDetails::default() };
            let usage = Usage::new(prompt, completion, all, UsageSource::Reported).with(details);
            let found = (usage.kinds.output, usage.kinds.reasoning, usage.total);
            assert_eq!((found, usage.kinds.total()), ((output, reasoning, total), total), "{case}");
        }
    }

    #[test]
    fn units_alone_say_nothing_of_tokens() {
        let images = |number| BilledUnits::of(BilledUnit::Image, number);
        assert_eq!(Usage::and_billed(None, BilledUnits::default()), None);
        let alone = Usage::and_billed(None, images(3)).expect("units");
        assert_eq!((alone.counted(CountedTokens::ALL), alone.of_tokens()), (None, None));
        let told = Usage::new(3, 4, 7, UsageSource::Reported);
        let both = Usage::and_billed(Some(told), images(3)).expect("both");
        assert_eq!((both.counted(CountedTokens::ALL), both.billed), (Some(7), images(3)));
        assert_eq!(Usage::and_billed(Some(both), images(2)).map(|usage| usage.billed), Some(images(3)));
    }

    #[test]
    fn no_part_of_a_prompt_is_larger_than_the_prompt() {
        let details = UsageDetails { cached: 90, cache_write: 60, cache_write_1h: 70, ..UsageDetails::default() };
        let usage = Usage::new(100, 20, 120, UsageSource::Reported).with(details);
        let kinds = TokenKinds { cached: 90, cache_write_1h: 10, output: 20, ..TokenKinds::default() };
        assert_eq!((usage.kinds, usage.kinds.prompt()), (kinds, 100));
        assert_eq!(usage.with_total_of(130).kinds, TokenKinds { reasoning: 10, ..kinds });
        assert_eq!(usage.with_total_of(7), usage);
    }
}
