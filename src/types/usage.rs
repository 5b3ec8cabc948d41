//! How many tokens an exchange took.

/// Where a count of tokens comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageSource {
    /// The upstream said so.
    Reported,
    /// We guessed, from lengths: the upstream said nothing, or was not heard to its end.
    Estimated,
}

/// The tokens of one exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt (`prompt_tokens`, `input_tokens`).
    pub prompt: u64,
    /// Tokens that were generated (`completion_tokens`, `output_tokens`).
    pub completion: u64,
    /// `total_tokens`, or the sum of both where an upstream leaves it out.
    pub total: u64,
    /// Reported or estimated.
    pub source: UsageSource,
}

/// What a request may cost in tokens, as far as it tells before it is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TokenEstimate {
    /// Of the prompt, guessed from its length.
    pub prompt: u64,
    /// What it lets the upstream generate at most, if it says so.
    pub completion: Option<u64>,
}

impl TokenEstimate {
    /// In all, where `typical` tokens are generated for a request that does not bound them.
    pub fn tokens(self, typical: u64) -> u64 {
        self.prompt.saturating_add(self.completion.unwrap_or(typical))
    }
}

/// Tokens of a text of so many bytes: OpenAI's rule of thumb for English.
pub fn tokens_of_text(bytes: usize) -> u64 {
    (bytes as u64).div_ceil(4)
}
