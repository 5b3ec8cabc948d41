//! What an upstream itself told us to wait for: a limit of its own, a refused key, an empty account.
//! Says nothing about its health; that is the breaker's.

use std::time::Duration;

use crate::types::{FailureClass, Now};

/// A 429 without `Retry-After`: a second, doubling with each further one in a row, up to a minute. A spike must not
/// cost an hour; a spent day shows as a 429 each minute.
const FIRST_MS: u64 = 1_000;
const LONGEST_UNTOLD_MS: u64 = 60_000;

/// However long a `Retry-After` is, once in an hour it is put to the test.
const LONGEST_TOLD_MS: u64 = 3_600_000;

/// A key that is refused (401, 403), or an account without money (402), is tried again after so long.
const UNAUTHORIZED_MS: u64 = 600_000;

/// Until when one upstream is left alone, and why.
#[derive(Debug, Clone, Default)]
pub(super) struct Cooldown {
    until: u64,
    reason: Option<FailureClass>,
    in_a_row: u32,
}

impl Cooldown {
    /// May an attempt go out? `Err` says until when not, and why.
    pub(super) fn check(&self, now: Now) -> Result<(), (u64, FailureClass)> {
        match self.reason {
            Some(reason) if self.until > now.mono => Err((self.until, reason)),
            Some(_) | None => Ok(()),
        }
    }

    /// The configuration changed: a refused key is tried again.
    pub(super) fn forgive_key(&mut self) {
        if matches!(self.reason, Some(FailureClass::Unauthorized | FailureClass::PaymentRequired)) {
            *self = Cooldown::default();
        }
    }

    /// An attempt succeeded.
    pub(super) fn success(&mut self) {
        self.in_a_row = 0;
    }

    /// An attempt failed. Returns how long the upstream is left alone, if the failure asks for that.
    pub(super) fn failure(&mut self, class: FailureClass, retry_after: Option<Duration>, now: Now) -> Option<u64> {
        let told = retry_after.map(|d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX).min(LONGEST_TOLD_MS));
        let rest = match class {
            FailureClass::RateLimited => {
                self.in_a_row = self.in_a_row.saturating_add(1);
                told.unwrap_or_else(|| (FIRST_MS << (self.in_a_row - 1).min(16)).min(LONGEST_UNTOLD_MS))
            }
            FailureClass::Unauthorized | FailureClass::PaymentRequired => UNAUTHORIZED_MS,
            FailureClass::Overloaded => told?,
            FailureClass::ServerError
            | FailureClass::Timeout
            | FailureClass::Connect
            | FailureClass::Protocol
            | FailureClass::Empty
            | FailureClass::StaleConnection
            | FailureClass::StreamOptionsRefused
            | FailureClass::Rejected => return None,
        };
        if now.mono + rest > self.until {
            self.until = now.mono + rest;
            self.reason = Some(class);
        }
        Some(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(mono: u64) -> Now {
        Now { mono, wall: 0 }
    }

    #[test]
    fn a_spike_rests_a_second_and_a_told_time_is_kept() {
        let mut cooldown = Cooldown::default();
        let mut limited =
            |told: Option<u64>| cooldown.failure(FailureClass::RateLimited, told.map(Duration::from_secs), at(0));
        assert_eq!((limited(None), limited(None), limited(None)), (Some(1_000), Some(2_000), Some(4_000)));
        assert_eq!(limited(Some(7)), Some(7_000));
        assert_eq!(limited(Some(86_400)), Some(3_600_000), "a probe an hour");
        cooldown.success();
        assert_eq!(cooldown.failure(FailureClass::RateLimited, None, at(0)), Some(1_000));
    }

    #[test]
    fn a_refused_key_rests_ten_minutes() {
        let mut cooldown = Cooldown::default();
        cooldown.failure(FailureClass::Unauthorized, None, at(5));
        assert_eq!(cooldown.check(at(600_004)), Err((600_005, FailureClass::Unauthorized)));
        assert_eq!(cooldown.check(at(600_005)), Ok(()));
    }
}
