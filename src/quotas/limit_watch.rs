//! Which use of a limit people are told of. Only limits of an hour or more count: those of a minute come and go.
//!
//! 1. Each level is told once, and again after the use has been below [`REARMED_BELOW`] percent. Reservations count as nothing.
//! 2. What was used before the first look is not told: a restart repeats nothing.

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

/// The levels told so far, of requests and of the second counter; `None` before the first look.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct LimitWatch(Option<[u64; 2]>);

impl LimitWatch {
    /// Returns what is to be told of a quota.
    pub(super) fn judge(&mut self, id: &QuotaId, quota: &mut Quota, now: Now) -> Vec<Alert> {
        let limits = quota.limits();
        let bounds = [limits.rpd.bound(), limits.tpd.bound()];
        if limits.period().length_ms() < SHORTEST_MS || bounds == [None, None] {
            return Vec::new();
        }
        let used = quota.spent(now);
        let mut levels = self.0.unwrap_or_default();
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
            if reached > *level && self.0.is_some() {
                let until = now.wall_at(quota.period_ends(now));
                news.push(alert((id, &limits), (nth == 0, reached), [used, bound], (until, now)));
            }
            // A correction below the level is no new window.
            *level = if reached == 0 { 0 } else { reached.max(*level) };
        }
        self.0 = Some(levels);
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
