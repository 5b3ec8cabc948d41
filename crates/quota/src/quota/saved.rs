//! The counts of a quota in the form for a store, and back.

use clock::Now;

use super::Quota;
use crate::bounds::Bounds;
use crate::demand::Measure;
use crate::limits::Limits;
use crate::records::{CountRecord, QuotaRecord};

impl Quota {
    /// Adds the counts of a record: of this quota before a restart, or of another one.
    pub fn add(&mut self, record: &QuotaRecord, now: Now) {
        self.newest_wall = self.newest_wall.max(record.newest_wall);
        self.advance(now);
        self.requests.add(&record.requests, self.newest_wall, now);
        self.tokens.add(&record.tokens, self.newest_wall, now);
    }

    /// Raises the counts to those of all `records` together, window by window: of other quotas of the same owner, or of a group's
    /// members.
    pub fn raise(&mut self, records: &[QuotaRecord], now: Now) {
        let mut others = Quota::new(self.limits, &self.reset, false, now);
        others.newest_wall = self.newest_wall;
        records.iter().for_each(|record| others.add(record, now));
        self.newest_wall = others.newest_wall;
        self.advance(now);
        self.requests.raise(&others.requests);
        self.tokens.raise(&others.tokens);
    }

    /// Returns the record of a quota with nothing left, for one whose record is lost.
    pub fn exhausted(limits: &Limits, now: Now) -> QuotaRecord {
        let all = |bounds: Bounds| CountRecord {
            granted: bounds.minute.max(bounds.period).unwrap_or(0),
            ..CountRecord::default()
        };
        QuotaRecord {
            requests: all(Bounds::of_requests(limits, false)),
            tokens: all(Bounds::of_tokens(limits, false)),
            newest_wall: now.wall,
            saved_wall: now.wall,
            ..QuotaRecord::default()
        }
    }

    /// Returns the counts in the form for the store.
    pub fn record(&mut self, now: Now) -> QuotaRecord {
        self.advance(now);
        QuotaRecord {
            requests: self.requests.record(now),
            tokens: self.tokens.record(now),
            newest_wall: self.newest_wall,
            saved_wall: now.wall,
            ..QuotaRecord::default()
        }
    }

    /// Returns what is used, for a quota of this measure. What is granted ahead of use is no count of another quota, and each attempt
    /// under way joins the other quota with its own part.
    pub fn counts(&mut self, measure: Measure, now: Now) -> QuotaRecord {
        let record = self.record(now);
        let tokens = if measure == self.limits.measure { self.tokens.counts(now) } else { CountRecord::default() };
        QuotaRecord { requests: self.requests.counts(now), tokens, ..record }
    }

    /// Returns the counts of all servers together, for a forgetful store.
    pub fn record_of_all_servers(&mut self, now: Now) -> QuotaRecord {
        let mut record = self.record(now);
        record.requests = self.requests.with_others(record.requests, now);
        record.tokens = self.tokens.with_others(record.tokens, now);
        record
    }
}
