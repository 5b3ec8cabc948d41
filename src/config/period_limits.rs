//! From the list `limits` to what is meant: of an API, a group, a model of either, or a client's key.

use std::sync::Arc;

use quota::{LimitUnit, ListedLimit, MAX_PERIOD_DAYS, Pacing, Period, PeriodError, Reset};

use super::file::{LimitsFile, PacingFile, PeriodLimitFile};
use super::model::PeriodLimit;
use super::validator::Validator;

/// The most entries of one list. Each is a quota of its own, and each attempt takes a part of all.
const MAX_LIMITS: usize = 8;

const NANODOLLARS: f64 = 1e9;

/// Why a rolling limit can't be spread.
const ROLLING: &str = "spreads an hour, day, week or month of the calendar, and this period is rolling; name a time zone in reset \
                       (UTC), or bound a shorter rolling period as well (`limits`)";

/// Returns how a limit may be used.
pub(super) fn pacing(typed: Option<PacingFile>) -> Pacing {
    match typed {
        None => Pacing::Free,
        Some(PacingFile::Spread) => Pacing::Spread,
    }
}

impl Validator<'_> {
    /// Returns the limits of a list at `at`, for one model or for all. `reset` is the owner's.
    pub(super) fn period_limits(
        &mut self,
        at: &str,
        typed: &[PeriodLimitFile],
        (model, reset): (Option<&Arc<str>>, &Reset),
    ) -> Vec<PeriodLimit> {
        if typed.len() > MAX_LIMITS {
            self.problem(at, format!("has more than {MAX_LIMITS} entries"));
        }
        let mut limits: Vec<PeriodLimit> = Vec::new();
        for (i, file) in typed.iter().enumerate().take(MAX_LIMITS) {
            let at = format!("{at}[{i}]");
            let Some((limit, reset)) = self.period_limit(&at, file, reset) else { continue };
            if limits.iter().any(|earlier| earlier.limit.is_alike(limit)) {
                self.problem(
                    &at,
                    format!("limits {} per {}, as an earlier entry does", limit.unit.as_str(), limit.period),
                );
            }
            if file.pacing.is_some() && (reset == Reset::Rolling || limit.period.calendar().is_none()) {
                self.problem(&format!("{at}.pacing"), ROLLING);
            }
            limits.push(PeriodLimit { model: model.cloned(), limit, reset, pacing: pacing(file.pacing) });
        }
        limits
    }

    fn period_limit(&mut self, at: &str, file: &PeriodLimitFile, reset: &Reset) -> Option<(ListedLimit, Reset)> {
        let amounts = [
            (LimitUnit::Requests, file.requests),
            (LimitUnit::Tokens, file.tokens),
            // The schema bounds the number: 100,000 dollars are far below 2^53 nano-dollars.
            (LimitUnit::Usd, file.usd.map(|usd| (usd * NANODOLLARS).round() as u64)),
        ];
        let amounts: Vec<_> = amounts.into_iter().filter_map(|(unit, amount)| Some((unit, amount?))).collect();
        let amount = match amounts[..] {
            [one] => Some(one),
            [] => self.refuse(at, "needs one of requests, tokens and usd"),
            _ => self.refuse(at, "has more than one of requests, tokens and usd; write an entry for each"),
        };
        let period = self.period(&format!("{at}.per"), &file.per);
        let reset = match &file.reset {
            None => Some(reset.clone()),
            Some(typed) => self.own_reset(&format!("{at}.reset"), typed, period),
        };
        let ((unit, amount), period) = (amount?, period?);
        Some((ListedLimit { amount, unit, period }, reset?))
    }

    /// Checks `pacing` beside `rpd` and `tpd`.
    pub(super) fn day_pacing(&mut self, at: &str, limits: &LimitsFile, reset: &Reset) {
        if limits.pacing.is_none() {
            return;
        }
        let is_limit = |limit: &Option<i64>| limit.is_some_and(|amount| amount >= 0);
        if ![limits.rpd, limits.tpd].iter().any(is_limit) {
            let text = "has neither rpd nor tpd to spread; each entry of limits and budgets has a pacing of its own";
            return self.problem(&format!("{at}.pacing"), text);
        }
        if *reset == Reset::Rolling {
            self.problem(&format!("{at}.pacing"), ROLLING);
        }
    }

    fn period(&mut self, at: &str, typed: &str) -> Option<Period> {
        typed
            .parse::<Period>()
            .map_err(|why| match why {
                PeriodError::Unknown => {
                    self.problem(
                        at,
                        "must be hour, day, week or month, or a number with a unit, such as 30m, 5h or 7 days",
                    );
                }
                PeriodError::Zero => self.problem(at, "must be a minute at least"),
                PeriodError::TooLong => self.problem(at, format!("must be {MAX_PERIOD_DAYS} days at most")),
            })
            .ok()
    }

    fn own_reset(&mut self, at: &str, typed: &str, period: Option<Period>) -> Option<Reset> {
        let reset = self.reset(at, Some(typed))?;
        if reset != Reset::Rolling && period.is_some_and(|period| period.calendar().is_none()) {
            let text = "is for hour, day, week and month alone: a number of minutes, hours or days is always rolling";
            return self.refuse(at, text);
        }
        Some(reset)
    }
}

/// Adds limits to others of the same owner. Of two alike the lower one stays, and of two equal ones a spread one.
pub(super) fn add_tightest(all: &mut Vec<PeriodLimit>, more: impl IntoIterator<Item = PeriodLimit>) {
    for limit in more {
        let alike = |known: &&mut PeriodLimit| known.model == limit.model && known.limit.is_alike(limit.limit);
        match all.iter_mut().find(alike) {
            Some(known) if tightness(known) > tightness(&limit) => *known = limit,
            Some(_) => {}
            None => all.push(limit),
        }
    }
}

/// Returns a key to order limits of one unit and period, the tightest first.
fn tightness(of: &PeriodLimit) -> (u64, bool) {
    (of.limit.amount, of.pacing == Pacing::Free)
}
