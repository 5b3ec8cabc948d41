//! How many tokens an exchange took.

use std::ops::Add;

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

impl Usage {
    /// A guess for an exchange whose usage was never reported: four bytes of prompt a token (OpenAI's rule of
    /// thumb for English), and a token for each event that carried content, as upstreams send them.
    pub fn estimate(prompt_bytes: usize, content_events: u64) -> Usage {
        let prompt = (prompt_bytes as u64).div_ceil(4);
        Usage { prompt, completion: content_events, total: prompt + content_events, source: UsageSource::Estimated }
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
