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
    /// The part of the total that counts against no limit: cache reads, where the provider says so.
    pub uncounted: u64,
    /// Reported or estimated.
    pub source: UsageSource,
}

impl Usage {
    /// Creates a usage without a cache. All tokens count.
    pub fn new(prompt: u64, completion: u64, total: u64, source: UsageSource) -> Self {
        Usage { prompt, completion, total, cached: 0, cache_write: 0, uncounted: 0, source }
    }

    /// Returns the tokens that count against limits.
    pub fn counted(&self) -> u64 {
        self.total.saturating_sub(self.uncounted)
    }
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
    /// Returns the sum, with `typical` generated tokens for a request without a bound.
    pub fn tokens(self, typical: u64) -> u64 {
        let typical = self.longest.map_or(typical, |longest| longest.min(typical));
        self.prompt.saturating_add(self.completion.unwrap_or(typical))
    }
}

/// Returns the tokens of a text of so many bytes, by OpenAI's rule of thumb for English.
pub fn tokens_of_text(bytes: usize) -> u64 {
    (bytes as u64).div_ceil(4)
}
