//! Which use of a limit people are told of. Only limits of an hour or more count: those of a minute come and go.
//!
//! 1. Each level is told once, and again after the use has been below [`REARMED_BELOW`] percent. Reservations count as nothing.
//! 2. A budget is spent too when a request is refused because the rest doesn't pay for the request: told once a period.
//! 3. What was used before the first look is not told: a restart repeats nothing.

use crate::alerts::{Alert, AlertFacts};
use crate::types::{AlertEvent, Limits, Now, QuotaId};
use quota::{LimitUnit, Measure, Quota};

/// The shortest period of a limit (ms).
const SHORTEST_MS: u64 = 3_600_000;

/// The level of the first alert, in percent.
const NEARLY: u64 = 90;

/// Below this level, in percent, the same is told again.
const REARMED_BELOW: u64 = 80;

/// Nano-dollars in a dollar.
const NANODOLLARS: f64 = 1e9;

/// What people were told of one quota.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct LimitWatch {
    /// The levels told so far, of requests and of the second counter; `None` before the first look.
    levels: Option<[u64; 2]>,
    /// The end of the period whose spent budget was told (ms since the Unix epoch).
    spent_until: Option<i64>,
}

impl LimitWatch {
    /// Returns the alert of a budget whose rest pays for no more, once a period.
    pub(super) fn refuse(&mut self, id: &QuotaId, quota: &mut Quota, now: Now) -> Option<Alert> {
        let limits = quota.limits();
        let bound = limits.tpd.bound().filter(|_| limits.measure == Measure::Cost && !self.was_told_spent(now))?;
        let until = now.wall_at(quota.period_ends(now));
        self.spent_until = Some(until);
        let [_, used] = quota.spent(now);
        Some(alert((id, &limits), (false, 100), [used, bound], (until, now)))
    }

    fn was_told_spent(&self, now: Now) -> bool {
        self.spent_until.is_some_and(|until| now.wall < until)
    }

    /// Returns what is to be told of a quota.
    pub(super) fn judge(&mut self, id: &QuotaId, quota: &mut Quota, now: Now) -> Vec<Alert> {
        let limits = quota.limits();
        let bounds = [limits.rpd.bound(), limits.tpd.bound()];
        if limits.period().length_ms() < SHORTEST_MS || bounds == [None, None] {
            return Vec::new();
        }
        let used = quota.spent(now);
        let mut levels = self.levels.unwrap_or_default();
        let mut news = Vec::new();
        for (nth, (level, (bound, used))) in levels.iter_mut().zip(bounds.into_iter().zip(used)).enumerate() {
            let Some(bound) = bound.filter(|bound| *bound > 0) else { continue };
            let percent = u64::try_from(u128::from(used) * 100 / u128::from(bound)).unwrap_or(u64::MAX);
            let reached = match percent {
                100.. => 100,
                NEARLY.. => NEARLY,
                REARMED_BELOW.. => *level,
                _ => 0,
            };
            if reached > *level && self.levels.is_some() && !self.was_told_spent(now) {
                let until = now.wall_at(quota.period_ends(now));
                let is_spent = reached == 100 && limits.measure == Measure::Cost;
                self.spent_until = self.spent_until.max(is_spent.then_some(until));
                news.push(alert((id, &limits), (nth == 0, reached), [used, bound], (until, now)));
            }
            // A correction below the level is no new window.
            *level = if reached == 0 { 0 } else { reached.max(*level) };
        }
        self.levels = Some(levels);
        news
    }
}

fn alert(
    (id, limits): (&QuotaId, &Limits),
    (of_requests, level): (bool, u64),
    amounts: [u64; 2],
    (until, now): (i64, Now),
) -> Alert {
    let is_money = !of_requests && limits.measure == Measure::Cost;
    let event = match level {
        100.. if is_money => AlertEvent::BudgetSpent,
        100.. => AlertEvent::Limit100,
        _ => AlertEvent::Limit90,
    };
    let plain = if of_requests { "rpd" } else { "tpd" };
    let limit = limits.listed_limit().map_or_else(|| plain.to_owned(), |listed| listed.to_string());
    let is_usd = limits.listed.is_some_and(|(unit, _)| unit == LimitUnit::Usd);
    let number = |amount: u64| match serde_json::Number::from_f64(amount as f64 / NANODOLLARS) {
        Some(dollars) if is_usd => dollars,
        Some(_) | None => amount.into(),
    };
    let [used, most] = amounts.map(|amount| Some(number(amount)));
    let [api, group, key, model] = id.names().map(|name| name.map(str::to_owned));
    let facts = AlertFacts {
        api,
        group,
        key,
        model,
        limit: Some(limit),
        used,
        most,
        until: Some(until),
        ..AlertFacts::default()
    };
    Alert::new(event, now.wall, facts)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use quota::{ActualUsage, Demand, ListedLimit, Period, Reset};

    use super::*;
    use crate::types::SentAt;

    /// 2026-11-30T12:00:00Z.
    const NOON: i64 = 1_796_040_000_000;

    fn at_hour(hour: u64) -> Now {
        Now { mono: 1_000_000 + hour * SHORTEST_MS, wall: NOON + (hour * SHORTEST_MS) as i64 }
    }

    /// A budget of 100 nano-dollars a day.
    fn budget() -> (QuotaId, Quota) {
        let limit = ListedLimit { amount: 100, unit: LimitUnit::Usd, period: Period::Day };
        let quota = Quota::new(limit.limits(), &Reset::Midnight(jiff::tz::TimeZone::UTC), false, at_hour(0));
        (QuotaId::of_key(&Arc::from("team")).for_limit(limit), quota)
    }

    fn spend(quota: &mut Quota, cost: u64, now: Now) {
        let (sent_at, demand) = (SentAt::default(), Demand { tokens: 1, cost });
        quota.room(demand, now).expect("room");
        let reservation = quota.reserve(&sent_at, demand);
        sent_at.begin(now.mono);
        quota.settle(&reservation, ActualUsage { counts: true, tokens: Some(1), cost: Some(cost) }, now);
    }

    /// Spends each amount in turn, and returns what is told after each.
    fn told(watch: &mut LimitWatch, (id, quota): &mut (QuotaId, Quota), costs: &[u64], now: Now) -> Vec<AlertEvent> {
        let each = costs.iter().flat_map(|cost| {
            spend(quota, *cost, now);
            watch.judge(id, quota, now)
        });
        each.map(|alert| alert.event).collect()
    }

    #[test]
    fn each_level_is_told_once_a_period() {
        let (mut watch, mut of) = (LimitWatch::default(), budget());
        assert_eq!(watch.judge(&of.0, &mut of.1, at_hour(0)).len(), 0);
        let events = told(&mut watch, &mut of, &[89, 1, 5, 5], at_hour(1));
        assert_eq!(events, [AlertEvent::Limit90, AlertEvent::BudgetSpent]);
        assert!(watch.refuse(&of.0, &mut of.1, at_hour(2)).is_none(), "told already");
        let events = told(&mut watch, &mut of, &[50, 50], at_hour(13));
        assert_eq!(events, [AlertEvent::BudgetSpent], "the next day");
    }

    #[test]
    fn what_was_used_before_the_first_look_is_not_told() {
        let (mut watch, mut of) = (LimitWatch::default(), budget());
        assert_eq!(told(&mut watch, &mut of, &[95, 4, 1], at_hour(0)), [AlertEvent::BudgetSpent]);
    }

    #[test]
    fn a_rest_that_pays_for_nothing_is_told_once_a_period() {
        let (mut watch, mut of) = (LimitWatch::default(), budget());
        assert_eq!(told(&mut watch, &mut of, &[10, 75], at_hour(0)), []);
        let alert = watch.refuse(&of.0, &mut of.1, at_hour(1)).expect("an alert");
        assert_eq!((alert.event, alert.facts.key.as_deref()), (AlertEvent::BudgetSpent, Some("team")));
        assert!(watch.refuse(&of.0, &mut of.1, at_hour(2)).is_none());
        assert_eq!(told(&mut watch, &mut of, &[10, 5], at_hour(2)), [], "the last cents are no news");
        spend(&mut of.1, 10, at_hour(13));
        assert!(watch.refuse(&of.0, &mut of.1, at_hour(13)).is_some(), "the next day");
    }
}
