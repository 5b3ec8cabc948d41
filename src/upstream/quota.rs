//! The request quotas of one upstream: never more than `rpm` in any minute, nor `rpd` in a day.
//!
//! Every attempt is counted before a byte of it is sent. Three places hold what is counted:
//!
//! - `pending`: admitted, and not known to be written: counts as *now*, in each window;
//! - `log` and `used_today`: written, and stamped with the time of it;
//! - `granted`: units that are on disk as used and in truth are not yet: what a crash would lose.
//!
//! # Invariants
//! 1. `pending + log(any 60 s) ≤ rpm` and `pending + used_today ≤ rpd`, whenever an attempt is admitted.
//! 2. What the disk calls used is never less than what was used: an attempt takes a unit of `granted`.

use jiff::tz::TimeZone;

use super::day::Day;
use super::messages::{QuotaKind, Refusal};
use super::window::{SlidingLog, WINDOW_MS};
use crate::persistence::QuotaRecord;
use crate::types::{Limit, Now, WriteStamp, Written};

/// The bounds of an upstream's windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) rpm: Limit,
    pub(super) rpd: Limit,
}

impl Limits {
    /// How many units are drawn from the store at a time: a fiftieth of the tightest limit, since a crash loses as
    /// many; `None` where nothing is limited, and so nothing need be on disk before it is used.
    fn block(self) -> Option<u32> {
        let tightest = [self.rpm, self.rpd].into_iter().filter_map(Limit::bound).min()?;
        Some((tightest / 50).clamp(1, 32))
    }
}

/// What [`Quota::admit`] says.
#[derive(Debug)]
pub(super) enum Admission {
    /// Counted. The stamp is to be set when the request is written.
    Admitted(WriteStamp),
    /// The windows have room, the grant is used up: ask the store for more, then again.
    NeedsGrant,
    /// A window is full.
    Refused(Refusal),
}

/// The windows of one upstream.
#[derive(Debug)]
pub(super) struct Quota {
    limits: Limits,
    zone: TimeZone,
    log: SlidingLog,
    day: Day,
    used_today: u32,
    pending: Vec<WriteStamp>,
    granted: u32,
    /// Units that the store was asked for: on its disk, perhaps, and not ours yet.
    reserving: u32,
    /// The largest wall time ever seen: a clock set back must not open a day again.
    newest_wall: i64,
}

impl Quota {
    /// Opens the windows as `record` left them, or empty ones.
    pub(super) fn restore(limits: Limits, zone: TimeZone, record: Option<&QuotaRecord>, now: Now) -> Quota {
        let newest_wall = record.map_or(now.wall, |r| r.newest_wall.max(now.wall));
        let day = Day::containing(newest_wall, &zone);
        let mut quota = Quota {
            limits,
            zone,
            log: SlidingLog::default(),
            day,
            used_today: 0,
            pending: Vec::new(),
            granted: 0,
            reserving: 0,
            newest_wall,
        };
        if let Some(record) = record {
            quota.replay(record, now);
        }
        quota
    }

    /// After a crash nobody knows which of the granted units were used, nor when: all of them, just now.
    fn replay(&mut self, record: &QuotaRecord, now: Now) {
        let rpm = self.limits.rpm.bound();
        for &(wall, count) in &record.log {
            self.log.insert(now.mono_at(wall.min(now.wall)), count, rpm);
        }
        self.log.insert(now.mono, record.granted, rpm);
        let before = if record.day_start == self.day.start { record.used_today } else { 0 };
        self.used_today = before.saturating_add(record.granted);
    }

    /// New limits, effective at once for what is already spent.
    pub(super) fn reconfigure(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Counts one attempt, if the windows and the grant have room for it.
    pub(super) fn admit(&mut self, now: Now) -> Admission {
        if let Err(refusal) = self.room(now) {
            return Admission::Refused(refusal);
        }
        if self.limits.block().is_some() {
            match self.granted.checked_sub(1) {
                Some(left) => self.granted = left,
                None => return Admission::NeedsGrant,
            }
        }
        let stamp = WriteStamp::default();
        self.pending.push(stamp.clone());
        Admission::Admitted(stamp)
    }

    /// Is there room for one more attempt?
    pub(super) fn room(&mut self, now: Now) -> Result<(), Refusal> {
        self.advance(now);
        let pending = self.pending();
        if let Some(rpd) =
            self.limits.rpd.bound().filter(|rpd| pending.saturating_add(self.used_today) >= *rpd)
        {
            // Pending attempts may yet be refunded: then there is room again, long before midnight.
            let until = if self.used_today >= rpd { now.mono_at(self.day.end) } else { now.mono + 1_000 };
            return Err(Refusal::QuotaExhausted { which: QuotaKind::Rpd, until });
        }
        let logged = self.log.count(now.mono);
        if let Some(rpm) = self.limits.rpm.bound().filter(|rpm| pending.saturating_add(logged) >= *rpm) {
            let over = pending.saturating_add(logged) - rpm + 1;
            let until = self.log.frees(over).unwrap_or(now.mono + WINDOW_MS);
            return Err(Refusal::QuotaExhausted { which: QuotaKind::Rpm, until });
        }
        Ok(())
    }

    /// Closes the account of one attempt: what was not written at all is given back.
    pub(super) fn settle(&mut self, stamp: &WriteStamp, now: Now) {
        if stamp.read() == Written::Partly {
            stamp.finish(now.mono);
        }
        self.advance(now);
        self.pending.retain(|pending| !pending.is(stamp));
    }

    /// The record to make durable so that more units can be used, if it is time to ask: at half a block, so that
    /// requests rarely wait for it. [`Quota::reserved`] is to be called with the outcome.
    pub(super) fn reserve(&mut self, now: Now) -> Option<QuotaRecord> {
        let block = self.limits.block()?;
        if self.reserving > 0 || self.granted > block / 2 {
            return None;
        }
        self.reserving = block - self.granted;
        Some(self.record(now))
    }

    /// The store answered: the units are durable, or not to be had.
    pub(super) fn reserved(&mut self, durable: bool) {
        if durable {
            self.granted = self.granted.saturating_add(self.reserving);
        }
        self.reserving = 0;
    }

    /// What is counted, as the store keeps it. Pending attempts stand among the granted: when they will be written
    /// is open, so after a crash they count as of then.
    pub(super) fn record(&mut self, now: Now) -> QuotaRecord {
        self.advance(now);
        self.log.count(now.mono);
        QuotaRecord {
            day_start: self.day.start,
            used_today: self.used_today,
            log: self.log.entries().map(|(at, count)| (now.wall_at(at), count)).collect(),
            granted: self.granted.saturating_add(self.reserving).saturating_add(self.pending()),
            newest_wall: self.newest_wall,
        }
    }

    /// Gives back what was granted and not used: the record that follows is exact.
    pub(super) fn release_grant(&mut self) {
        self.granted = 0;
    }

    /// Attempts in the last minute and today, those on the way included.
    pub(super) fn usage(&mut self, now: Now) -> (u32, u32) {
        self.advance(now);
        let pending = self.pending();
        (self.log.count(now.mono).saturating_add(pending), self.used_today.saturating_add(pending))
    }

    fn pending(&self) -> u32 {
        u32::try_from(self.pending.len()).unwrap_or(u32::MAX)
    }

    /// Turns the day, and takes what has been written out of `pending`.
    fn advance(&mut self, now: Now) {
        self.newest_wall = self.newest_wall.max(now.wall);
        if self.newest_wall >= self.day.end {
            self.day = Day::containing(self.newest_wall, &self.zone);
            self.used_today = 0;
        }
        let (log, used_today, rpm) = (&mut self.log, &mut self.used_today, self.limits.rpm.bound());
        self.pending.retain(|stamp| match stamp.read() {
            Written::Nothing | Written::Partly => true,
            Written::Whole(at) => {
                log.insert(at, 1, rpm);
                // Written a moment before midnight and seen after it: counted today, to be safe.
                *used_today = used_today.saturating_add(1);
                false
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Now = Now { mono: 1_000_000, wall: 1_790_000_000_000 };

    fn at(ms: u64) -> Now {
        Now { mono: START.mono + ms, wall: START.wall + ms as i64 }
    }

    fn quota(rpm: u32, rpd: u32) -> Quota {
        let limit = |n| if n == 0 { Limit::Unlimited } else { Limit::AtMost(n) };
        let limits = Limits { rpm: limit(rpm), rpd: limit(rpd) };
        Quota::restore(limits, TimeZone::UTC, None, START)
    }

    /// Admits as the actor does: fetching grants as needed.
    fn take(quota: &mut Quota, now: Now) -> Result<WriteStamp, Refusal> {
        loop {
            match quota.admit(now) {
                Admission::Admitted(stamp) => return Ok(stamp),
                Admission::Refused(refusal) => return Err(refusal),
                Admission::NeedsGrant => {
                    quota.reserve(now).expect("a grant that is used up is wanted");
                    quota.reserved(true);
                }
            }
        }
    }

    #[test]
    fn a_request_counts_from_when_it_was_written() {
        let mut quota = quota(1, 0);
        let stamp = take(&mut quota, at(0)).expect("room for one");
        stamp.begin();
        assert!(take(&mut quota, at(59_000)).is_err(), "still being written");
        stamp.finish(at(60_000).mono);
        let Err(Refusal::QuotaExhausted { which: QuotaKind::Rpm, until }) = take(&mut quota, at(61_000))
        else {
            panic!("the minute begins when it is written");
        };
        assert_eq!(until, at(121_000).mono);
        assert!(take(&mut quota, at(121_000)).is_ok());
    }

    #[test]
    fn what_was_not_sent_is_given_back() {
        let mut quota = quota(1, 1);
        let stamp = take(&mut quota, at(0)).expect("room for one");
        quota.settle(&stamp, at(10));
        assert_eq!(quota.usage(at(10)), (0, 0));
        let stamp = take(&mut quota, at(20)).expect("room again");
        stamp.begin();
        quota.settle(&stamp, at(30));
        assert_eq!(quota.usage(at(40)), (1, 1), "a part of it may have arrived");
    }

    #[test]
    fn a_crash_counts_every_unit_that_was_granted() {
        let mut quota = quota(0, 1_000);
        let mut sent = 0;
        let mut durable = quota.record(at(0));
        for i in 0..57 {
            if let Some(record) = quota.reserve(at(i)) {
                durable = record;
                quota.reserved(true);
            }
            let stamp = take(&mut quota, at(i)).expect("room");
            stamp.begin();
            stamp.finish(at(i).mono);
            sent += 1;
        }
        let limits = quota.limits;
        let mut after = Quota::restore(limits, TimeZone::UTC, Some(&durable), at(100));
        let (_, today) = after.usage(at(100));
        assert!((sent..sent + 20).contains(&today), "{sent} sent, {today} counted");
    }

    #[test]
    fn a_clean_stop_is_exact() {
        let mut quota = quota(60, 1_000);
        for i in 0..7 {
            let stamp = take(&mut quota, at(i * 1_000)).expect("room");
            stamp.begin();
            stamp.finish(at(i * 1_000).mono);
            quota.settle(&stamp, at(i * 1_000));
        }
        quota.release_grant();
        let record = quota.record(at(10_000));
        // The process begins anew: its monotonic clock does too.
        let mut after = Quota::restore(
            quota.limits,
            TimeZone::UTC,
            Some(&record),
            Now { mono: 120_000, wall: at(64_500).wall },
        );
        assert_eq!(after.usage(Now { mono: 120_000, wall: at(64_500).wall }), (3, 7));
    }

    #[test]
    fn a_clock_set_back_opens_nothing() {
        let mut quota = quota(0, 1);
        let stamp = take(&mut quota, at(0)).expect("room");
        stamp.begin();
        stamp.finish(at(0).mono);
        let yesterday = Now { mono: at(5).mono, wall: START.wall - 86_400_000 };
        assert!(take(&mut quota, yesterday).is_err());
        quota.release_grant();
        let record = quota.record(yesterday);
        let mut after = Quota::restore(quota.limits, TimeZone::UTC, Some(&record), yesterday);
        assert!(take(&mut after, yesterday).is_err());
    }

    #[test]
    fn midnight_opens_the_day() {
        let mut quota = quota(0, 1);
        let stamp = take(&mut quota, at(0)).expect("room");
        stamp.begin();
        stamp.finish(at(0).mono);
        let Err(Refusal::QuotaExhausted { which: QuotaKind::Rpd, until }) = take(&mut quota, at(1)) else {
            panic!("the day is spent");
        };
        assert!(take(&mut quota, at(until - START.mono - 1)).is_err());
        assert!(take(&mut quota, at(until - START.mono)).is_ok());
    }
}
