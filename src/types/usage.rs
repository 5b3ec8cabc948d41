//! The tokens of an exchange.

/// Where a count of tokens comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageSource {
    /// A report of the upstream.
    Reported,
    /// Estimated from lengths: the upstream reported nothing, or the answer was cut.
    Estimated,
}

/// The tokens of one exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt (`prompt_tokens`, `input_tokens`).
    pub prompt: u64,
    /// Generated tokens (`completion_tokens`, `output_tokens`).
    pub completion: u64,
    /// `total_tokens`, or the sum of both if an upstream leaves the field out.
    pub total: u64,
    /// The part of the prompt that was read from a cache.
    pub cached: u64,
    /// The part of the prompt that was written into a cache.
    pub cache_write: u64,
    /// The part of the total that counts against no limit: cache reads beside the prompt, as Anthropic reports them.
    pub uncounted: u64,
    /// Reported or estimated.
    pub source: UsageSource,
}

impl Usage {
    /// Creates a usage without a cache. All tokens count.
    pub fn new(prompt: u64, completion: u64, total: u64, source: UsageSource) -> Self {
        Usage { prompt, completion, total, cached: 0, cache_write: 0, uncounted: 0, source }
    }

    /// Returns the tokens that count against limits, as the provider counts.
    pub fn counted(&self, by: CountedTokens) -> u64 {
        let all = if by.completion { self.total } else { self.prompt };
        let cache_reads = if by.cached { self.uncounted } else { self.cached.max(self.uncounted) };
        all.saturating_sub(cache_reads)
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

/// The tokens of a request, as far as known before it is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TokenEstimate {
    /// Of the prompt, estimated from the length.
    pub prompt: u64,
    /// The request's own bound for generated tokens, if there is one.
    pub completion: Option<u64>,
    /// A bound that each request must have, and that says nothing of the likely length: an answer is as long as usual, or as the
    /// bound.
    pub longest: Option<u64>,
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
        let usage = Usage { cached: 60, ..Usage::new(100, 20, 150, UsageSource::Reported) };
        let beside = Usage { uncounted: 60, ..usage };
        for (counted, tokens, tokens_beside) in [
            (by(true, true), 150, 90),
            (by(false, true), 100, 40),
            (by(true, false), 90, 90),
            (by(false, false), 40, 40),
        ] {
            assert_eq!((usage.counted(counted), beside.counted(counted)), (tokens, tokens_beside), "{counted:?}");
        }
        let estimate = TokenEstimate { prompt: 100, completion: Some(9), longest: None };
        assert_eq!((estimate.tokens(500, CountedTokens::ALL), estimate.tokens(500, by(false, true))), (109, 100));
    }
}
