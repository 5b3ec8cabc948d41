//! The bare list of what was written, added up by a calendar of its own.

use jiff::Timestamp;
use jiff::civil::Date;

use super::super::super::*;
use super::super::paced;
use super::World;
use super::requests::{Part, UnderWay};
use crate::pacing::Pacing;
use crate::period::Period;

impl World {
    /// Compares a quota with the truth: what was written in each window, and what is under way, with this admission.
    pub(super) fn check(&self, part: &Part, new: &UnderWay) {
        let owned = &self.quotas[part.place];
        let limits = owned.quota.limits();
        let mut reserved = (0, 0);
        for one in self.under_way.iter().chain([new]) {
            // Whose request is written counts among the written ones.
            let unwritten = u64::from(one.sent_at.read() == SendProgress::NotStarted);
            for other in one.parts.iter().filter(|other| other.place == part.place) {
                reserved = (reserved.0 + unwritten, reserved.1 + other.units);
            }
        }
        let written_since = |inside: &dyn Fn(i64) -> bool| {
            let inside = owned.written.iter().filter(|(at, ..)| inside(*at));
            inside.fold(reserved, |(requests, units), (_, more, others)| (requests + more, units + others))
        };
        let minute = written_since(&|at| at > self.time - 60_000);
        let period = written_since(&|at| self.is_in_period(at, &limits, &owned.reset));
        for (limit, used) in [(limits.rpm, minute.0), (limits.rpd, period.0)] {
            assert!(limit.bound().is_none_or(|bound| used <= bound), "{used} requests of {limit:?}, {limits:?}");
        }
        for (limit, used) in [(limits.tpm, minute.1), (limits.tpd, period.1)] {
            assert!(limit.bound().is_none_or(|bound| used <= bound), "{used} units of {limit:?}, {limits:?}");
        }
        if limits.pacing == Pacing::Spread && owned.reset != Reset::Rolling {
            let bound = limits.tpd.bound().expect("a limit of the second counter");
            let (_, usable) = paced::reference(bound, self.time, limits.period(), &self.zone);
            assert!(period.1 <= usable, "{} units, and {usable} of {bound} by now", period.1);
        }
    }

    /// Returns whether `at` is in the period of now, by the reference's own calendar.
    fn is_in_period(&self, at: i64, limits: &Limits, reset: &Reset) -> bool {
        let period = limits.period();
        let is_rolling =
            *reset == Reset::Rolling || matches!(period, Period::Minutes(_) | Period::Hours(_) | Period::Days(_));
        if is_rolling {
            return at > self.time - period.length_ms() as i64;
        }
        let civil = |at: i64| Timestamp::from_millisecond(at).expect("in range").to_zoned(self.zone.clone());
        let week = |date: Date| (date.iso_week_date().year(), date.iso_week_date().week());
        let (then, now) = (civil(at), civil(self.time));
        match period {
            Period::Hour => (then.date(), then.hour(), then.offset()) == (now.date(), now.hour(), now.offset()),
            Period::Day => then.date() == now.date(),
            Period::Week => week(then.date()) == week(now.date()),
            Period::Month => (then.year(), then.month()) == (now.year(), now.month()),
            Period::Minutes(_) | Period::Hours(_) | Period::Days(_) => unreachable!("these are rolling"),
        }
    }
}
