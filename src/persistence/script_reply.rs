//! The answers of the script of a shared store, as JSON.

use quota::{Denial, Grant, SharedGrant, Units, WindowUsage};
use serde::{Deserialize, Deserializer};

use super::StoreError;
use crate::types::Limits;

/// How long a grant may be used without asking again (ms). After a crash nobody may use the grant for as long.
pub(super) const LEASE_MS: u64 = 5_000;

/// The script's answer. Without `others` the answer has only the time and the epoch.
#[derive(Debug, Deserialize)]
pub(super) struct ScriptReply {
    now: i64,
    #[serde(default)]
    pub(super) epoch: String,
    /// A number, larger with each answer of this epoch.
    #[serde(default)]
    pub(super) serial: u64,
    /// Why this server's row is missing, against expectation.
    pub(super) missing: Option<String>,
    pub(super) granted: Option<Granted>,
    #[serde(default)]
    slots: u32,
    denied: Option<(String, i64)>,
    pub(super) others: Option<Others>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub(super) struct Granted {
    #[serde(deserialize_with = "whole")]
    pub(super) r: u64,
    #[serde(deserialize_with = "whole")]
    pub(super) t: u64,
    c: u32,
}

/// Units of other servers: in the minute, and in the day.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub(super) struct Others {
    #[serde(deserialize_with = "whole_pair")]
    pub(super) r: (u64, u64),
    #[serde(deserialize_with = "whole_pair")]
    pub(super) t: (u64, u64),
}

impl ScriptReply {
    pub(super) fn parse(text: &str) -> Result<ScriptReply, StoreError> {
        serde_json::from_str(text).map_err(|e| StoreError::new("the shared store's answer can't be read", e))
    }

    /// Returns the grant. A mere correction of the clock grants nothing. `reported` is this server's own part in the units
    /// of others.
    pub(super) fn into_grant(self, limits: &Limits, reported: Units) -> Grant {
        let granted = self.granted.unwrap_or_default();
        let denial = |(name, ms): (String, i64)| Denial {
            which: limits.kind(&name),
            frees_in_ms: u64::try_from(ms).unwrap_or(0),
        };
        let lasts_ms = if self.others.is_some() { LEASE_MS } else { 0 };
        let others = self.others.unwrap_or_default();
        let usage =
            |(minute, day): (u64, u64), reported: u64| WindowUsage { minute, day: day.saturating_sub(reported) };
        Grant {
            units: Units { requests: granted.r, tokens: granted.t, slots: granted.c },
            shared: Some(SharedGrant {
                lasts_ms,
                slots: self.slots,
                denied: self.denied.map(denial),
                requests: usage(others.r, reported.requests),
                tokens: usage(others.t, reported.tokens),
                wall: self.now,
                epoch: self.epoch,
            }),
        }
    }
}

/// Reads a number of Lua, which writes large ones as `1e+14`.
fn whole<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    f64::deserialize(from).map(|number| number as u64)
}

fn whole_pair<'de, D: Deserializer<'de>>(from: D) -> Result<(u64, u64), D::Error> {
    <(f64, f64)>::deserialize(from).map(|(one, other)| (one as u64, other as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_any_size_are_read_from_lua() {
        let text =
            r#"{"now":1,"epoch":"e","granted":{"r":1,"t":1e+14,"c":0},"others":{"r":[3,4],"t":[5,99999999999999]}}"#;
        let grant = ScriptReply::parse(text).expect("reads").into_grant(&Limits::default(), Units::default());
        let shared = grant.shared.expect("an answer");
        assert_eq!(
            (grant.units.tokens, shared.requests.minute, shared.tokens.day),
            (100_000_000_000_000, 3, 99_999_999_999_999)
        );
    }
}
