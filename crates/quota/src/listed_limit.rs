//! A limit of the list `limits`: so many requests, tokens or dollars in a period.

use std::fmt;

use crate::demand::Measure;
use crate::limits::{Limit, Limits};
use crate::period::Period;

/// Nano-dollars in a dollar.
const NANODOLLARS: u64 = 1_000_000_000;

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LimitUnit {
    /// Requests.
    Requests,
    /// Tokens.
    Tokens,
    /// Money.
    Usd,
}

impl LimitUnit {
    /// Returns the name of the field in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            LimitUnit::Requests => "requests",
            LimitUnit::Tokens => "tokens",
            LimitUnit::Usd => "usd",
        }
    }

    /// Returns an amount with the unit, for people: `200 requests`, `$2.50`.
    pub fn amount(self, amount: u64) -> String {
        match self {
            LimitUnit::Requests => format!("{amount} requests"),
            LimitUnit::Tokens => format!("{amount} tokens"),
            LimitUnit::Usd => {
                let fraction = format!("{:09}", amount % NANODOLLARS);
                match fraction.trim_end_matches('0') {
                    "" => format!("${}", amount / NANODOLLARS),
                    cents => format!("${}.{cents:0<2}", amount / NANODOLLARS),
                }
            }
        }
    }
}

/// A limit of the list `limits`. Its display is the limit in words: `200 requests per 5h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedLimit {
    /// Requests, tokens or nano-dollars.
    pub amount: u64,
    /// Which of these.
    pub unit: LimitUnit,
    /// In which time.
    pub period: Period,
}

impl ListedLimit {
    /// Returns whether both count the same units over the same time.
    pub fn is_alike(self, other: ListedLimit) -> bool {
        self.unit == other.unit && self.period.key() == other.period.key()
    }

    /// Returns the bounds of the limit's own quota.
    pub fn limits(self) -> Limits {
        let none = Limits { listed: Some((self.unit, self.period)), ..Limits::default() };
        let bound = Limit::AtMost(self.amount);
        match self.unit {
            LimitUnit::Requests => Limits { rpd: bound, ..none },
            LimitUnit::Tokens => Limits { tpd: bound, ..none },
            LimitUnit::Usd => Limits { tpd: bound, measure: Measure::Cost, ..none },
        }
    }
}

impl fmt::Display for ListedLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} per {}", self.unit.amount(self.amount), self.period)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_named_as_written() {
        let limit = |amount, unit, period| ListedLimit { amount, unit, period }.to_string();
        assert_eq!(limit(200, LimitUnit::Requests, Period::Hours(5)), "200 requests per 5h");
        assert_eq!(limit(1_000_000, LimitUnit::Tokens, Period::Week), "1000000 tokens per week");
        assert_eq!(limit(10 * NANODOLLARS, LimitUnit::Usd, Period::Month), "$10 per month");
        assert_eq!(limit(2_500_000_000, LimitUnit::Usd, Period::Day), "$2.50 per day");
        assert_eq!(limit(1, LimitUnit::Usd, Period::Day), "$0.000000001 per day");
    }
}
