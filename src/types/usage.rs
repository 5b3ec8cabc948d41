//! The tokens of an exchange.

use std::ops::Add;

/// The source of a count of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageSource {
    /// A report of the upstream.
    Reported,
    /// An estimate from lengths, as there was no report.
    Estimated,
}

/// The tokens of one exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt (`prompt_tokens`, `input_tokens`).
    pub prompt: u64,
    /// Generated tokens (`completion_tokens`, `output_tokens`).
    pub completion: u64,
    /// `total_tokens`, or the sum of both without such a report.
    pub total: u64,
    /// Reported or estimated.
    pub source: UsageSource,
}

/// The likely cost of a request in tokens, by the request alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TokenEstimate {
    /// Of the prompt, estimated from the length.
    pub prompt: u64,
    /// The most tokens to generate, if the request has a bound.
    pub completion: Option<u64>,
}

impl TokenEstimate {
    /// Returns the sum. A request without a bound generates `typical` tokens.
    pub fn tokens(self, typical: u64) -> u64 {
        self.prompt.saturating_add(self.completion.unwrap_or(typical))
    }
}

/// Returns the tokens of a text of so many bytes, by OpenAI's rule of thumb for English.
pub fn tokens_of_text(bytes: usize) -> u64 {
    (bytes as u64).div_ceil(4)
}

impl Usage {
    /// Returns the estimate for an exchange without a report, from the length of the prompt and an estimate of the answer.
    pub fn estimate(prompt_bytes: usize, completion: u64) -> Usage {
        let prompt = tokens_of_text(prompt_bytes);
        Usage { prompt, completion, total: prompt.saturating_add(completion), source: UsageSource::Estimated }
    }
}

impl Add for Usage {
    type Output = Usage;

    fn add(self, other: Usage) -> Usage {
        let source = match (self.source, other.source) {
            (UsageSource::Reported, UsageSource::Reported) => UsageSource::Reported,
            (UsageSource::Estimated, _) | (_, UsageSource::Estimated) => UsageSource::Estimated,
        };
        Usage {
            prompt: self.prompt.saturating_add(other.prompt),
            completion: self.completion.saturating_add(other.completion),
            total: self.total.saturating_add(other.total),
            source,
        }
    }
}
