//! A bound that may be absent.

use std::fmt;

/// How many requests a window may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// No bound of ours (`-1`, or left out).
    Unlimited,
    /// At most so many; an API with a limit of 0 is disabled.
    AtMost(u32),
}

impl Limit {
    /// The bound, if there is one.
    pub fn bound(self) -> Option<u32> {
        match self {
            Limit::Unlimited => None,
            Limit::AtMost(bound) => Some(bound),
        }
    }

    /// As the configuration writes it: -1 for unlimited.
    pub fn as_configured(self) -> i64 {
        self.bound().map_or(-1, i64::from)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Limit::Unlimited => f.write_str("unlimited"),
            Limit::AtMost(bound) => write!(f, "{bound}"),
        }
    }
}
