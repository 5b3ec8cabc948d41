//! Whether a counter has room: in the minute, in a burst, and in the period, as far as a pace has come.

use clock::Now;

use super::UnitCounter;
use crate::limits::QuotaKind;
use crate::no_room::NoRoom;
use crate::pacing::Pace;

impl UnitCounter {
    /// Returns whether `amount` more units fit into every window.
    ///
    /// # Errors
    /// When a window is full. Of several full windows, the error names the last to come free.
    pub(crate) fn room(&mut self, amount: u64, now: Now) -> Result<(), NoRoom> {
        let taken = self.reserved.saturating_add(amount);
        // How many units have to leave the window.
        let excess = |used: u64, bound: Option<u64>| {
            let excess = taken.saturating_add(used).saturating_sub(bound?);
            (excess > 0).then_some(excess)
        };
        let [minute_kind, _] = self.bounds.kinds;
        let day = self.period_full(taken, now);
        let minute = excess(self.minute.count(now.mono), self.bounds.minute);
        let minute = minute.map(|units| NoRoom::Full { which: minute_kind, until: self.minute.frees(units) });
        let burst = self.burst.as_mut().and_then(|burst| {
            let units = excess(burst.log.count(now.mono), Some(burst.limit))?;
            Some(NoRoom::Full { which: QuotaKind::Burst, until: burst.log.frees(units) })
        });
        NoRoom::last(burst.into_iter().chain(minute).chain(day)).map_or(Ok(()), Err)
    }

    /// Returns why so many units more don't fit into the period, if so: the period has no more, or not yet.
    fn period_full(&mut self, taken: u64, now: Now) -> Option<NoRoom> {
        let (bound, [_, which]) = (self.bounds.period?, self.bounds.kinds);
        let total = taken.saturating_add(self.period.count(now));
        if total > bound {
            return Some(NoRoom::Full { which, until: self.period.frees(total - bound, now) });
        }
        let pace = self.pace().filter(|pace| total > pace.usable(now.wall))?;
        Some(NoRoom::Full { which: which.paced(), until: Some(now.mono_at(pace.reaches(total))) })
    }

    /// Returns the pace of the period's bound, if the bound is spread.
    pub(super) fn pace(&self) -> Option<Pace> {
        self.period.pace(self.bounds.period?, self.bounds.pacing)
    }

    /// Returns how much of the period's bound may be used up to now, if the bound is spread.
    pub(crate) fn usable(&self, now: Now) -> Option<u64> {
        Some(self.pace()?.usable(now.wall))
    }

    /// Returns whether `amount` units would be ahead of the pace if nothing were reserved.
    pub(crate) fn is_ahead(&mut self, amount: u64, now: Now) -> bool {
        let used = self.spent(now).saturating_add(amount);
        self.usable(now).is_some_and(|usable| used > usable)
    }

    /// Returns whether `amount` units would not fit if nothing were reserved.
    pub(crate) fn is_spent(&mut self, amount: u64, now: Now) -> bool {
        let others = self.other_replicas;
        let is_over = |used: u64, bound: Option<u64>| bound.is_some_and(|bound| used.saturating_add(amount) > bound);
        let minute = self.minute.count(now.mono).saturating_add(others.minute);
        let day = self.period.count(now).saturating_add(others.day);
        is_over(minute, self.bounds.minute) || is_over(day, self.bounds.period)
    }

    /// Returns how many units fit into every window and need no grant; `None` if nothing is bounded.
    ///
    /// Issued units may be used after the end of a period. Of a spread bound, at most what the beginning of a period has room for.
    pub(crate) fn issuable(&mut self, now: Now) -> Option<u64> {
        let reserved = self.reserved;
        let free = |used: u64, bound: u64| bound.saturating_sub(used).saturating_sub(reserved);
        let minute = self.bounds.minute.map(|bound| free(self.minute.count(now.mono), bound));
        let pace = self.pace();
        let usable = pace.map(|pace| pace.usable(now.wall)).or(self.bounds.period);
        let day = usable.map(|usable| free(self.period.count(now), usable));
        let next = pace.map(|pace| free(self.period.carried(), pace.at_once()));
        let burst = self.burst.as_mut().map(|burst| free(burst.log.count(now.mono), burst.limit));
        let granted = self.tightest().map(|_| self.granted);
        [minute, day, next, burst, granted].into_iter().flatten().min()
    }
}
