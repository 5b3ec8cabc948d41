//! One kind of unit, requests, tokens or money: the used, the reserved and the granted ones.
//!
//! Three places hold what is counted:
//!
//! - `reserved`: units of attempts under way, and issued credits. All of these count as *now*, in each window.
//! - The windows (`minute`, `period`, `burst`): used units, with the times of use.
//! - `granted`: units counted as used by the store, and not used yet. A crash would lose as many.
//!
//! # Invariants
//! 1. `reserved + window ≤ bound` for each window, whenever an attempt is admitted.
//! 2. The store never counts less than was used, because attempts take units from `granted`.

use clock::Now;

pub(crate) use self::grants::UnitNeed;
use crate::bounds::Bounds;
use crate::forecast::Forecast;
use crate::limits::Burst;
use crate::pacing::Pacing;
use crate::period_window::PeriodWindow;
use crate::rate::ConsumptionRate;
use crate::records::{CountRecord, WindowUsage};
use crate::request_window::RequestWindow;
use crate::reset::Reset;
use crate::window::{SlidingLog, Span};

/// How an attempt used units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spending {
    /// Reserved units.
    pub(crate) reserved: u64,
    /// Used units.
    pub(crate) used: u64,
    /// The time of use (ms, monotonic).
    pub(crate) at: u64,
}

/// The windows of one kind of unit.
#[derive(Debug)]
pub(crate) struct UnitCounter {
    pub(crate) bounds: Bounds,
    minute: SlidingLog,
    period: PeriodWindow,
    burst: Option<BurstWindow>,
    reserved: u64,
    pub(crate) granted: u64,
    /// Units of an unanswered request to the store: perhaps on disk, and not granted.
    pub(crate) requested: u64,
    /// Units of other servers in a shared quota, as the store last said.
    pub(crate) other_replicas: WindowUsage,
    rate: ConsumptionRate,
}

impl UnitCounter {
    /// Creates empty windows. `newest_wall` is the largest wall time ever seen (ms since the Unix epoch).
    pub(crate) fn new(bounds: Bounds, reset: &Reset, newest_wall: i64) -> UnitCounter {
        let minute = SlidingLog::new(Span::MINUTE);
        UnitCounter {
            period: PeriodWindow::new(bounds.length, reset, newest_wall),
            burst: burst_of(&bounds, &minute),
            bounds,
            minute,
            reserved: 0,
            granted: 0,
            requested: 0,
            other_replicas: WindowUsage::default(),
            rate: ConsumptionRate::default(),
        }
    }

    /// Counts the units of `record`. Nobody knows the use of granted units: all count as used just now.
    pub(crate) fn add(&mut self, record: &CountRecord, newest_wall: i64, now: Now) {
        self.minute.restore(&record.log, now);
        self.minute.insert(now.mono, record.granted, self.bounds.minute);
        self.period.add(record, newest_wall, now);
        self.burst = burst_of(&self.bounds, &self.minute);
    }

    /// Raises the counts to those of `other`, an empty counter with these bounds and a record.
    pub(crate) fn raise(&mut self, other: &UnitCounter) {
        self.minute.raise(&other.minute);
        self.period.raise(&other.period);
        self.burst = burst_of(&self.bounds, &self.minute);
    }

    /// Sets new bounds. Units used already count against the new bounds.
    pub(crate) fn reconfigure(&mut self, bounds: Bounds) {
        if bounds.burst != self.bounds.burst {
            self.burst = burst_of(&bounds, &self.minute);
        }
        self.bounds = bounds;
    }

    /// Lets periods begin at other times from now on.
    pub(crate) fn change_reset(&mut self, reset: &Reset, newest_wall: i64, now: Now) {
        let record = CountRecord { granted: 0, ..self.record(now) };
        self.period = PeriodWindow::new(self.bounds.length, reset, newest_wall);
        self.period.add(&record, newest_wall, now);
    }

    /// Begins the next period if the current one is over.
    pub(crate) fn advance(&mut self, newest_wall: i64) {
        let has_begun = self.period.advance(newest_wall, self.bounds.period);
        if has_begun && self.bounds.shared && self.bounds.pacing == Pacing::Spread {
            // What a store lent by the pace of one period is too much for the beginning of the next.
            self.granted = 0;
            self.requested = 0;
        }
    }

    /// Returns the tightest bound for the store; `None` if there is none. (A burst is over before a restart is.)
    pub(crate) fn tightest(&self) -> Option<u64> {
        let burst = self.bounds.burst.filter(|_| self.bounds.shared).map(|burst| burst.requests);
        [self.bounds.minute, self.bounds.period].into_iter().flatten().min().or(burst)
    }

    /// Returns how many units to reserve for an attempt with `demand` units: at least one, at most the tightest window.
    /// (A larger attempt waits for an empty window.) Returns 0 if nothing is limited.
    pub(crate) fn units_for(&self, demand: u64) -> u64 {
        self.tightest().map_or(0, |tightest| demand.max(1).min(tightest))
    }

    /// Reserves units for an attempt or for credits.
    pub(crate) fn reserve(&mut self, amount: u64) {
        self.reserved = self.reserved.saturating_add(amount);
        self.granted = self.granted.saturating_sub(amount);
        self.rate.take(amount);
    }

    /// Takes unused credits back.
    pub(crate) fn reclaim(&mut self, units: u64) {
        self.release(units);
        self.rate.take_back(units);
        if self.tightest().is_some() {
            self.granted = self.granted.saturating_add(units);
        }
    }

    /// Ends an unused reservation. The grant is spent all the same.
    pub(crate) fn release(&mut self, amount: u64) {
        self.reserved = self.reserved.saturating_sub(amount);
    }

    /// Counts an attempt's units as used. An overshoot, units neither reserved nor fitting into the window, becomes a debt of
    /// the next windows.
    pub(crate) fn spend(&mut self, spending: Spending, now: Now) {
        let Spending { reserved, used, at } = spending;
        self.release(reserved);
        let others = self.other_replicas;
        let minute = self.minute.count(now.mono).saturating_add(others.minute);
        let debt = self.overshoot(spending, minute, self.bounds.minute);
        self.minute.insert(at, used - debt, self.bounds.minute);
        self.minute.carry_debt(at, debt, self.bounds.minute);
        let day = self.period.count(now).saturating_add(others.day);
        let debt = self.overshoot(spending, day, self.bounds.period);
        self.period.insert(at, used - debt, self.bounds.period);
        self.period.carry_debt(at, debt, self.bounds.period);
        if let Some(BurstWindow { limit, log }) = &mut self.burst {
            log.insert(at, used, Some(*limit));
        }
    }

    /// Returns how many of the used units are an overshoot, in a window with `in_window` units before.
    fn overshoot(&self, Spending { reserved, used, .. }: Spending, in_window: u64, bound: Option<u64>) -> u64 {
        let total = in_window.saturating_add(self.reserved).saturating_add(used);
        bound.map_or(0, |bound| total.saturating_sub(bound).min(used.saturating_sub(reserved)))
    }

    /// Takes back a unit used at `at`.
    pub(crate) fn refund(&mut self, at: u64, now: Now) {
        self.minute.remove(at, 1, self.bounds.minute);
        self.period.remove(at, self.bounds.period, now);
        if let Some(BurstWindow { limit, log }) = &mut self.burst {
            log.remove(at, 1, Some(*limit));
        }
    }

    /// Returns the counts in the form for the store. Reserved units stand among the granted ones: after a crash nobody knows the
    /// times, and all count as of the restart.
    pub(crate) fn record(&mut self, now: Now) -> CountRecord {
        self.minute.count(now.mono);
        let mut record = CountRecord {
            log: self.minute.saved(now),
            granted: self.granted.saturating_add(self.requested).saturating_add(self.reserved),
            ..CountRecord::default()
        };
        self.period.save(&mut record, now);
        record
    }

    /// Returns what is used, without what is reserved or granted ahead.
    pub(crate) fn counts(&mut self, now: Now) -> CountRecord {
        CountRecord { granted: 0, ..self.record(now) }
    }

    /// Adds the units of other servers to a record.
    pub(crate) fn with_others(&self, mut record: CountRecord, now: Now) -> CountRecord {
        match record.day_end {
            0 => record.day_log.push((now.wall, self.other_replicas.day)),
            _ => record.used_today = record.used_today.saturating_add(self.other_replicas.day),
        }
        record
    }

    /// Returns the units in the last minute and today, with reserved ones and other servers' units.
    pub(crate) fn usage(&mut self, now: Now) -> WindowUsage {
        let others = self.other_replicas;
        WindowUsage {
            minute: self.minute.count(now.mono).saturating_add(self.reserved).saturating_add(others.minute),
            day: self.period.count(now).saturating_add(self.reserved).saturating_add(others.day),
        }
    }

    /// Returns what becomes of the period's limit; `None` if there is none, or nothing was used.
    pub(crate) fn forecast(&mut self, now: Now) -> Option<Forecast> {
        let (bound, used) = (self.bounds.period?, self.spent(now));
        let [since, frees_at] = self.period.in_use(now)?;
        let forecast = Forecast::of([used, bound], [since, now.wall, frees_at])?;
        let pace = self.pace().filter(|_| used < bound);
        Some(pace.map_or(forecast, |pace| forecast.not_before(pace.reaches(bound))))
    }

    /// Returns what is used in the period, without reservations.
    pub(crate) fn spent(&mut self, now: Now) -> u64 {
        self.period.count(now).saturating_add(self.other_replicas.day)
    }

    /// Returns the tighter window of the minute and the period; `None` if neither is bounded.
    pub(crate) fn tightest_window(&mut self, now: Now) -> Option<RequestWindow> {
        let reserved = self.reserved;
        let others = self.other_replicas;
        let minute = self.bounds.minute.map(|limit| RequestWindow {
            limit,
            used: self.minute.count(now.mono).saturating_add(others.minute),
            reserved,
            resets_at: self.minute.empties().unwrap_or(now.mono + Span::MINUTE.window_ms),
            span_ms: Span::MINUTE.window_ms,
            held: [0, 0],
        });
        let day = self.bounds.period.map(|limit| RequestWindow {
            limit,
            used: self.period.count(now).saturating_add(others.day),
            reserved,
            resets_at: self.period.ends(now),
            span_ms: self.period.span_ms(),
            held: self.pace().map_or([0, 0], |pace| [pace.usable(now.wall), pace.at_once()].map(|part| limit - part)),
        });
        minute.into_iter().chain(day).min_by_key(|window| (window.remaining(), window.limit))
    }

    /// Returns the latest end of the period (ms, monotonic).
    pub(crate) fn period_ends(&self, now: Now) -> u64 {
        self.period.ends(now)
    }

    /// Returns whether anything is reserved or granted.
    pub(crate) fn holds_anything(&self) -> bool {
        self.reserved > 0 || self.granted > 0
    }
}

/// The window of a burst: a part of the minute.
#[derive(Debug)]
struct BurstWindow {
    limit: u64,
    log: SlidingLog,
}

fn burst_of(bounds: &Bounds, minute: &SlidingLog) -> Option<BurstWindow> {
    let Burst { requests: limit, span_ms } = bounds.burst?;
    Some(BurstWindow { limit, log: minute.within(Span::of(span_ms), Some(limit)) })
}

mod grants;
mod room;
