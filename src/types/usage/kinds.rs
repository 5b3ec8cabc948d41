//! Tokens by what a provider bills apart.

use std::iter::Sum;
use std::ops::AddAssign;

/// Tokens of one exchange or of many, by kind. No token is of two kinds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct TokenKinds {
    /// Of the prompt: neither read from a cache nor written into one.
    pub input: u64,
    /// Of the prompt: read from a cache.
    pub cached: u64,
    /// Of the prompt: written into a cache for five minutes, or for a time that the provider does not name.
    pub cache_write_5m: u64,
    /// Of the prompt: written into a cache for one hour.
    pub cache_write_1h: u64,
    /// Generated for the reader: an answer, a tool call.
    pub output: u64,
    /// Generated in thought.
    pub reasoning: u64,
}

impl TokenKinds {
    /// Returns the tokens of all kinds.
    pub fn total(&self) -> u64 {
        self.prompt().saturating_add(self.completion())
    }

    /// Returns the tokens of the prompt, caches included.
    pub fn prompt(&self) -> u64 {
        [self.cached, self.cache_write_5m, self.cache_write_1h].into_iter().fold(self.input, u64::saturating_add)
    }

    /// Returns the generated tokens, thoughts included.
    pub fn completion(&self) -> u64 {
        self.output.saturating_add(self.reasoning)
    }

    /// Returns each kind by its name in answers, and its tokens.
    pub fn by_name(&self) -> [(&'static str, u64); 6] {
        [
            ("input", self.input),
            ("cached", self.cached),
            ("cacheWrite5m", self.cache_write_5m),
            ("cacheWrite1h", self.cache_write_1h),
            ("output", self.output),
            ("reasoning", self.reasoning),
        ]
    }
}

impl AddAssign for TokenKinds {
    fn add_assign(&mut self, other: TokenKinds) {
        for (count, more) in [
            (&mut self.input, other.input),
            (&mut self.cached, other.cached),
            (&mut self.cache_write_5m, other.cache_write_5m),
            (&mut self.cache_write_1h, other.cache_write_1h),
            (&mut self.output, other.output),
            (&mut self.reasoning, other.reasoning),
        ] {
            *count = count.saturating_add(more);
        }
    }
}

impl Sum for TokenKinds {
    fn sum<I: Iterator<Item = TokenKinds>>(kinds: I) -> TokenKinds {
        kinds.fold(TokenKinds::default(), |mut sum, kinds| {
            sum += kinds;
            sum
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_add_up_and_stop_at_the_largest_number() {
        let one = TokenKinds { input: 1, cached: 2, cache_write_5m: 3, cache_write_1h: 4, output: 5, reasoning: 6 };
        let two: TokenKinds = [one, one].into_iter().sum();
        assert_eq!((two.prompt(), two.completion(), two.total()), (20, 22, 42));
        assert_eq!(two.by_name().map(|(_, tokens)| tokens), [2, 4, 6, 8, 10, 12]);
        let most = TokenKinds { input: u64::MAX, output: 1, ..TokenKinds::default() };
        assert_eq!([most, most].into_iter().sum::<TokenKinds>().total(), u64::MAX);
    }
}
