//! One kind of unit, requests or tokens: what of it was spent, is on the way, and may be spent.
//!
//! Three places hold what is counted:
//!
//! - `out`: admitted, and not known to be spent: counts as *now*, in each window;
//! - the windows (`minute`, `daily`, `burst`): spent, and stamped with the time of it;
//! - `granted`: units that the store calls used and in truth are not yet: what a crash would lose.
//!
//! # Invariants
//! 1. `out + window ≤ bound` for each window, whenever an attempt is admitted.
//! 2. What the store calls used is never less than what was used: an attempt takes its units from `granted`.

use clock::Now;

use crate::bounds::Bounds;
use crate::daily_window::Daily;
use crate::limits::QuotaKind;
use crate::rate::Pace;
use crate::rate_limit_summary::RateLimit;
use crate::records::CountRecord;
use crate::reset::Reset;
use crate::window::{SlidingLog, Span};

/// Units of others, who share the quota by way of the store: as it last said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Elsewhere {
    pub(super) minute: u64,
    pub(super) day: u64,
}

/// How an attempt's units were spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spending {
    /// So many had been set aside.
    pub(super) reserved: u64,
    /// So many it took.
    pub(super) spent: u64,
    /// When (ms, monotonic).
    pub(super) at: u64,
}

/// The windows of one kind of unit.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) bounds: Bounds,
    minute: SlidingLog,
    daily: Daily,
    burst: Option<SlidingLog>,
    out: u64,
    pub(super) granted: u64,
    /// Units that the store was asked for: on its disk, perhaps, and not ours yet.
    pub(super) reserving: u64,
    pub(super) elsewhere: Elsewhere,
    pace: Pace,
}

impl Account {
    /// Empty windows.
    pub(super) fn new(bounds: Bounds, reset: &Reset, newest_wall: i64) -> Account {
        let minute = SlidingLog::new(Span::MINUTE);
        Account {
            daily: Daily::new(reset, newest_wall),
            burst: burst_of(&bounds, &minute),
            bounds,
            minute,
            out: 0,
            granted: 0,
            reserving: 0,
            elsewhere: Elsewhere::default(),
            pace: Pace::default(),
        }
    }

    /// Counts what `record` has counted. Of what was granted nobody knows which units were used, nor when: all of them, just
    /// now.
    pub(super) fn add(&mut self, record: &CountRecord, at: (i64, Now)) {
        let (newest_wall, now) = at;
        self.minute.restore(&record.log, self.bounds.minute, now);
        self.minute.insert(now.mono, record.granted, self.bounds.minute);
        self.daily.add(record, newest_wall, now);
        self.burst = burst_of(&self.bounds, &self.minute);
    }

    /// New bounds, effective at once for what is already spent.
    pub(super) fn reconfigure(&mut self, bounds: Bounds) {
        if bounds.burst != self.bounds.burst {
            self.burst = burst_of(&bounds, &self.minute);
        }
        self.bounds = bounds;
    }

    /// The day begins anew at other times.
    pub(super) fn reset_otherwise(&mut self, reset: &Reset, at: (i64, Now)) {
        let record = CountRecord { granted: 0, ..self.record(at.1) };
        self.daily = Daily::new(reset, at.0);
        self.daily.add(&record, at.0, at.1);
    }

    /// Turns the day, if it is over.
    pub(super) fn advance(&mut self, newest_wall: i64) {
        self.daily.advance(newest_wall, self.bounds.day);
    }

    /// The tightest bound of those that the store is to know of; `None` where there is none. (A burst is over before a
    /// restart is.)
    pub(super) fn tightest(&self) -> Option<u64> {
        let burst = self.bounds.burst.filter(|_| self.bounds.shared).map(|burst| burst.requests);
        [self.bounds.minute, self.bounds.day].into_iter().flatten().min().or(burst)
    }

    /// What is to be set aside for a demand: what is more than a window holds takes all of it, and who foresees nothing may take
    /// something. Nothing where nothing is bounded.
    pub(super) fn share(&self, demand: u64) -> u64 {
        self.tightest().map_or(0, |tightest| demand.max(1).min(tightest))
    }

    /// Is there room for so many more units? If not: in which window, of those that are full the one that frees last, and
    /// when that is, if it can be told.
    pub(super) fn room(&mut self, amount: u64, now: Now) -> Result<(), (QuotaKind, Option<u64>)> {
        let out = self.out;
        // How many units have to leave the window.
        let over = |held: u64, bound: Option<u64>| {
            let over = out.saturating_add(held).saturating_add(amount).saturating_sub(bound?);
            (over > 0).then_some(over)
        };
        let [minute_kind, day_kind] = self.bounds.kinds;
        let day = over(self.daily.count(now), self.bounds.day).map(|over| (day_kind, self.daily.frees(over, now)));
        let minute = over(self.minute.count(now.mono), self.bounds.minute);
        let minute = minute.map(|over| (minute_kind, self.minute.frees(over)));
        let burst = self.bounds.burst.zip(self.burst.as_mut()).and_then(|(burst, log)| {
            over(log.count(now.mono), Some(burst.requests)).map(|over| (QuotaKind::Burst, log.frees(over)))
        });
        // Nobody knows when what is on the way will be spent: soon, perhaps.
        let full = burst.into_iter().chain(minute).chain(day).max_by_key(|(_, frees)| frees.unwrap_or(0));
        full.map_or(Ok(()), Err)
    }

    /// How many units the store has to grant before so many can be taken.
    pub(super) fn missing(&self, amount: u64) -> u64 {
        self.tightest().map_or(0, |_| amount.saturating_sub(self.granted))
    }

    /// How many units fit into every window and need no store; `None` where nothing is bounded.
    pub(super) fn openable(&mut self, now: Now) -> Option<u64> {
        let out = self.out;
        let free = |held: u64, bound: u64| bound.saturating_sub(held).saturating_sub(out);
        let minute = self.bounds.minute.map(|bound| free(self.minute.count(now.mono), bound));
        let day = self.bounds.day.map(|bound| free(self.daily.count(now), bound));
        let burst = self.bounds.burst.zip(self.burst.as_mut());
        let burst = burst.map(|(burst, log)| free(log.count(now.mono), burst.requests));
        let granted = self.tightest().map(|_| self.granted);
        [minute, day, burst, granted].into_iter().flatten().min()
    }

    /// Calls in units that were opened, by [`Account::take`], and not used.
    pub(super) fn call_in(&mut self, units: u64) {
        self.give_back(units);
        self.pace.taken = self.pace.taken.wrapping_sub(units);
        if self.tightest().is_some() {
            self.granted = self.granted.saturating_add(units);
        }
    }

    /// Sets units aside for an attempt.
    pub(super) fn take(&mut self, amount: u64) {
        self.out = self.out.saturating_add(amount);
        self.granted = self.granted.saturating_sub(amount);
        self.pace.taken = self.pace.taken.wrapping_add(amount);
    }

    /// Gives back what was set aside and not spent.
    pub(super) fn give_back(&mut self, amount: u64) {
        self.out = self.out.saturating_sub(amount);
    }

    /// What was set aside is spent. What is more than was set aside and more than a window holds is an overshoot, which the
    /// next windows pay for.
    pub(super) fn spend(&mut self, Spending { reserved, spent, at }: Spending, now: Now) {
        self.give_back(reserved);
        let (out, unforeseen) = (self.out, spent.saturating_sub(reserved));
        let overshoot = |held: u64, bound: Option<u64>| {
            let total = held.saturating_add(out).saturating_add(spent);
            bound.map_or(0, |bound| total.saturating_sub(bound).min(unforeseen))
        };
        let bound = self.bounds.minute;
        let carried = overshoot(self.minute.count(now.mono).saturating_add(self.elsewhere.minute), bound);
        self.minute.insert(at, spent - carried, bound);
        self.minute.carry(at, carried, bound);
        let bound = self.bounds.day;
        let carried = overshoot(self.daily.count(now).saturating_add(self.elsewhere.day), bound);
        self.daily.insert(at, spent - carried, bound);
        self.daily.carry(at, carried, bound);
        if let Some((burst, log)) = self.bounds.burst.zip(self.burst.as_mut()) {
            log.insert(at, spent, Some(burst.requests));
        }
    }

    /// Takes back a unit that was spent at `at`.
    pub(super) fn refund(&mut self, at: u64, now: Now) {
        self.minute.remove(at, 1, self.bounds.minute);
        self.daily.remove(at, self.bounds.day, now);
        if let Some((burst, log)) = self.bounds.burst.zip(self.burst.as_mut()) {
            log.remove(at, 1, Some(burst.requests));
        }
    }

    /// How many units are drawn from the store at a time: a fiftieth of the tightest bound, since a crash loses as many, and
    /// no more than are used in a moment; `None` where nothing is bounded, and so nothing need be on disk before it is used.
    fn block(&mut self, now: Now) -> Option<u64> {
        let most = self.bounds.most.max(self.pace.recent(now.mono));
        Some((self.tightest()? / 50).clamp(1, most))
    }

    /// How many units the store is to be asked for: as many as are `needed`, and as many as all that wait need if there is
    /// room for them, or what makes a block again when half of it is used, so that requests rarely wait for it. (A block of
    /// one is not asked for ahead: of a small limit every unit counts, and a crash would cost it.)
    pub(super) fn wants(&mut self, needed: Option<(u64, u64)>, now: Now) -> u64 {
        let Some(block) = self.block(now) else { return 0 };
        let wanted = match needed {
            Some((needed, all)) => {
                let left = self.headroom(now).map_or(0, |room| room.remaining);
                needed.max(block).max(all.min(left))
            }
            None if block > 1 && self.granted <= block / 2 => block,
            None => 0,
        };
        wanted.saturating_sub(self.granted)
    }

    /// The store answered: so many of the units that it was asked for are ours.
    pub(super) fn granted(&mut self, units: u64) {
        self.granted = self.granted.saturating_add(units.min(self.reserving));
        self.reserving = 0;
    }

    /// What is counted, as the store keeps it. What is on the way stands among the granted: when it will be spent is
    /// open, so after a crash it counts as of then.
    pub(super) fn record(&mut self, now: Now) -> CountRecord {
        self.minute.count(now.mono);
        let mut record = CountRecord {
            log: self.minute.saved(now),
            granted: self.granted.saturating_add(self.reserving).saturating_add(self.out),
            ..CountRecord::default()
        };
        self.daily.save(&mut record, now);
        record
    }

    /// A record with the units of others besides.
    pub(super) fn with_others(&self, mut record: CountRecord, now: Now) -> CountRecord {
        match record.day_end {
            0 => record.day_log.push((now.wall, self.elsewhere.day)),
            _ => record.used_today = record.used_today.saturating_add(self.elsewhere.day),
        }
        record
    }

    /// Units in the last minute and today, those on the way and those of others included.
    pub(super) fn usage(&mut self, now: Now) -> (u64, u64) {
        let Elsewhere { minute, day } = self.elsewhere;
        let held = (self.minute.count(now.mono), self.daily.count(now));
        (held.0.saturating_add(self.out).saturating_add(minute), held.1.saturating_add(self.out).saturating_add(day))
    }

    /// What the window leaves that leaves least; `None` where there is no bound.
    pub(super) fn headroom(&mut self, now: Now) -> Option<RateLimit> {
        let (minute, day) = self.usage(now);
        let left = |bound: Option<u64>, used: u64, resets: u64| {
            let reset_ms = if used == 0 { 0 } else { resets.saturating_sub(now.mono) };
            bound.map(|limit| RateLimit { limit, remaining: limit.saturating_sub(used), reset_ms })
        };
        let minute =
            left(self.bounds.minute, minute, self.minute.empties().unwrap_or(now.mono + Span::MINUTE.window_ms));
        let day = left(self.bounds.day, day, self.daily.ends(now));
        minute.into_iter().chain(day).min_by_key(|rate| (rate.remaining, rate.limit))
    }

    /// When a day begins anew, at the latest (ms, monotonic).
    pub(super) fn day_ends(&self, now: Now) -> u64 {
        self.daily.ends(now)
    }

    /// Is anything on the way, or granted?
    pub(super) fn holds_anything(&self) -> bool {
        self.out > 0 || self.granted > 0
    }
}

/// The window of a burst: a part of the minute.
fn burst_of(bounds: &Bounds, minute: &SlidingLog) -> Option<SlidingLog> {
    bounds.burst.map(|burst| minute.within(Span::of(burst.span_ms), Some(burst.requests)))
}
