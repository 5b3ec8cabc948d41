//! What an attempt may use, and what the second counter of a quota counts.

/// What the second counter of a quota counts, beside requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// Tokens.
    #[default]
    Tokens,
    /// Money, in nano-dollars (1e-9 $).
    Cost,
}

/// What an attempt may use, as far as is known before. Each quota takes the part of its [`Measure`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Demand {
    /// Tokens.
    pub tokens: u64,
    /// Nano-dollars, rounded up.
    pub cost: u64,
}

impl Demand {
    /// Returns a demand of tokens without a price.
    pub fn of_tokens(tokens: u64) -> Demand {
        Demand { tokens, cost: 0 }
    }

    /// Returns the part that a quota of this measure takes.
    pub fn part(self, measure: Measure) -> u64 {
        match measure {
            Measure::Tokens => self.tokens,
            Measure::Cost => self.cost,
        }
    }
}

/// How a finished attempt counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActualUsage {
    /// Whether the attempt counts as a request.
    pub counts: bool,
    /// The used tokens; `None` if nobody knows. Then the estimate stands.
    pub tokens: Option<u64>,
    /// The cost in nano-dollars, likewise.
    pub cost: Option<u64>,
}

impl ActualUsage {
    /// Returns the part of a quota of this measure; `None` if nobody knows.
    pub fn part(self, measure: Measure) -> Option<u64> {
        match measure {
            Measure::Tokens => self.tokens,
            Measure::Cost => self.cost,
        }
    }
}
