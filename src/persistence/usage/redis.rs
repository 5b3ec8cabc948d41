//! Usage in Redis or Valkey, shared by several servers: a hash for each hour and day, with a row of each server.
//!
//! 1. A row holds all counts of one server in the period so far, and replaces the row before, so nothing counts twice.
//! 2. The name of a server is made once for each data folder. After a restart the server goes on with the same rows.
//! 3. Rows of a departed server stay as long as usage is kept.
//! 4. Hours and days are found by UTC, and each row says when the period began: servers may be in several zones.

use std::ops::Range;

use crate::persistence::record::{seal, unseal};
use crate::persistence::redis_link::RedisLink;
use crate::persistence::{SharedUsage, StoreError};
use crate::types::{UsagePeriod, UsageSpan};

/// Hashes read in one round trip.
const AT_ONCE: usize = 16;

const DAY_MS: i64 = 86_400_000;

/// A connection for usage.
pub struct RedisUsage {
    link: RedisLink,
    prefix: String,
    server: String,
}

impl RedisUsage {
    /// Creates the usage at `url`, with the prefix of all keys, for the server of this name.
    ///
    /// # Errors
    /// When the URL is not one of Redis.
    pub fn new(url: &str, prefix: &str, server: String) -> Result<RedisUsage, StoreError> {
        Ok(RedisUsage { link: RedisLink::new(url)?, prefix: prefix.to_owned(), server })
    }

    fn key(&self, span: UsageSpan, slot: i64) -> String {
        let kind = match span {
            UsageSpan::Hour => "hour",
            UsageSpan::Day => "day",
        };
        format!("{}:usage:{kind}:{slot}", self.prefix)
    }

    fn field(&self, period: UsagePeriod) -> String {
        format!("{}/{}", self.server, period.start)
    }
}

/// Returns how long a slot of the clock is in ms, and how long the rows are kept in seconds.
fn slot(span: UsageSpan) -> (i64, i64) {
    match span {
        UsageSpan::Hour => (3_600_000, 4 * 86_400),
        UsageSpan::Day => (DAY_MS, 402 * 86_400),
    }
}

impl SharedUsage for RedisUsage {
    fn keep(&self, rows: &[(UsagePeriod, Vec<u8>)]) -> Result<(), StoreError> {
        let mut pipe = ::redis::pipe();
        for (period, block) in rows {
            let (length, kept) = slot(period.span);
            let key = self.key(period.span, period.start.div_euclid(length));
            pipe.cmd("HSET").arg((&key, self.field(*period), seal(block)));
            pipe.cmd("EXPIRE").arg((&key, kept));
        }
        self.link.ask_all::<i64>(&pipe).map(drop)
    }

    fn missing(&self, periods: &[UsagePeriod]) -> Result<Vec<UsagePeriod>, StoreError> {
        let mut pipe = ::redis::pipe();
        for period in periods {
            let key = self.key(period.span, period.start.div_euclid(slot(period.span).0));
            pipe.cmd("HEXISTS").arg((key, self.field(*period)));
        }
        let there: Vec<bool> = self.link.ask_all(&pipe)?;
        Ok(periods.iter().zip(there).filter(|(_, there)| !there).map(|(period, _)| *period).collect())
    }

    fn others(&self, span: UsageSpan, starts: Range<i64>, show: &mut dyn FnMut(i64, &[u8])) -> Result<(), StoreError> {
        let own = format!("{}/", self.server);
        let length = slot(span).0;
        let slots: Vec<i64> = (starts.start.div_euclid(length)..=(starts.end - 1).div_euclid(length)).collect();
        for slots in slots.chunks(AT_ONCE) {
            let mut pipe = ::redis::pipe();
            for slot in slots {
                pipe.cmd("HGETALL").arg(self.key(span, *slot));
            }
            let rows: Vec<Vec<(String, Vec<u8>)>> = self.link.ask_all(&pipe)?;
            for (field, row) in rows.into_iter().flatten().filter(|(field, _)| !field.starts_with(&own)) {
                let start = field.rsplit('/').next().and_then(|start| start.parse().ok());
                // A damaged row, or one of another version, is nobody's.
                if let (Some(start), Ok(block)) = (start, unseal(&row)) {
                    show(start, block);
                }
            }
        }
        Ok(())
    }
}
