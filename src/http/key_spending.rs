//! What a key spent by days, for the key itself. Past days are read once: a program that polls has the running day read alone.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use actix_web::HttpRequest;
use jiff::tz::TimeZone;
use quota::{CalendarSpan, CalendarUnit};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::auth::worker;
use super::usage::{ask, time};
use crate::error::ApiError;
use crate::types::{Cost, KeyName, Now};
use crate::usage::{Bucket, Dimension, UsageQuery, UsageRow};

const DAY_MS: i64 = 86_400_000;

/// How long past days stand as read: another server may tell them late.
const PAST_KEPT_MS: i64 = 600_000;

/// The most keys whose past days are kept on a worker. Beyond, all are read anew.
const MOST_KEYS: usize = 1_000;

/// How far back, in ms, costs are kept.
const DAYS_KEPT_MS: i64 = 400 * DAY_MS;

/// What a key spent in the running day, week (from Monday) and month of the server's zone.
#[derive(Debug, Clone, Copy)]
pub(super) struct OwnSpending {
    pub(super) day: Cost,
    pub(super) week: Cost,
    pub(super) month: Cost,
}

/// The days of the running week and month before the running day, by key. On a worker's thread.
#[derive(Debug, Clone, Default)]
pub(super) struct PastDays(Rc<RefCell<HashMap<KeyName, PastSpending>>>);

#[derive(Debug, Clone, Copy)]
struct PastSpending {
    read: i64,
    /// The running day's begin.
    day: i64,
    week: Cost,
    month: Cost,
}

impl PastDays {
    fn get(&self, key: &KeyName, day: i64, now: i64) -> Option<PastSpending> {
        let kept = self.0.borrow().get(key).copied();
        kept.filter(|past| past.day == day && (0..PAST_KEPT_MS).contains(&now.saturating_sub(past.read)))
    }

    fn keep(&self, key: &KeyName, past: PastSpending) {
        let mut kept = self.0.borrow_mut();
        if kept.len() >= MOST_KEYS {
            kept.clear();
        }
        kept.insert(key.clone(), past);
    }
}

impl OwnSpending {
    /// Asks for a key's costs. `None`: nobody answered in time.
    pub(super) async fn of(request: &HttpRequest, key: &KeyName) -> Option<OwnSpending> {
        let (now, zone) = (Now::read().wall, TimeZone::system());
        let span = |unit| CalendarSpan::containing(now, unit, &zone);
        let (today, week, month) = (span(CalendarUnit::Day), span(CalendarUnit::Week), span(CalendarUnit::Month));
        let past_days = &worker(request).ok()?.past_days;
        let past = match past_days.get(key, today.start, now) {
            Some(past) => past,
            None => {
                let query = of_key(key, week.start.min(month.start), today.start, Vec::new());
                let answer = ask(worker(request).ok()?, query).await.ok()?;
                let (rows, _) = answer.sum.rows();
                let since = |start| rows.iter().filter(|row| row.start >= start).map(|row| row.counts.cost).sum();
                let (week, month) = (since(week.start), since(month.start));
                let past = PastSpending { read: now, day: today.start, week, month };
                if answer.is_complete {
                    past_days.keep(key, past);
                }
                past
            }
        };
        let (_, total) =
            ask(worker(request).ok()?, of_key(key, today.start, today.end, Vec::new())).await.ok()?.sum.rows();
        let day = total.cost;
        Some(OwnSpending { day, week: past.week + day, month: past.month + day })
    }
}

/// Returns the days of the costs that are asked for by `start_date` and `end_date` (the day after the last), if any is there.
///
/// # Errors
/// When a date is none.
pub(super) fn asked_days(query: &str) -> Result<Option<(i64, i64)>, ApiError> {
    let (now, zone) = (Now::read().wall, TimeZone::system());
    let (mut start, mut end) = (None, None);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "start_date" => start = Some(time("start_date", &value, &zone)?),
            "end_date" => end = Some(time("end_date", &value, &zone)?),
            _ => {}
        }
    }
    if start.is_none() && end.is_none() {
        return Ok(None);
    }
    let end = end.unwrap_or(i64::MAX).min(now.saturating_add(1));
    let start = start.unwrap_or(end.saturating_sub(30 * DAY_MS)).max(now.saturating_sub(DAYS_KEPT_MS));
    Ok(Some((start, end)))
}

/// Returns a key's costs of these days in cents, by day and model, and the sum.
///
/// # Errors
/// When nobody answers in time.
pub(super) async fn costs_by_day(
    request: &HttpRequest,
    key: &KeyName,
    (start, end): (i64, i64),
) -> Result<(Vec<Value>, Cost), ApiError> {
    if start >= end {
        return Ok((Vec::new(), Cost::ZERO));
    }
    let query = of_key(key, start, end, vec![Dimension::Model]).in_whole_buckets();
    let (rows, total) = ask(worker(request)?, query).await?.sum.rows();
    let days = rows.chunk_by(|one, other| one.start == other.start).filter_map(|day| {
        let item = |row: &UsageRow| {
            let [_, _, model, _] = &row.names;
            json!({ "name": model, "cost": cents(row.counts.cost) })
        };
        let items: Vec<Value> = day.iter().map(item).collect();
        Some(json!({ "timestamp": day.first()?.start / 1_000, "line_items": items }))
    });
    Ok((days.collect(), total.cost))
}

/// Returns the number of cents, in the form of dollars.
pub(super) fn cents(cost: Cost) -> Cost {
    Cost::from_picodollars(cost.picodollars().saturating_mul(100))
}

fn of_key(key: &KeyName, from: i64, to: i64, group: Vec<Dimension>) -> UsageQuery {
    let mut filters: [Vec<String>; 4] = Default::default();
    if let Some(keys) = filters.first_mut() {
        keys.push(key.as_str().to_owned());
    }
    UsageQuery { from, to, by: Bucket::Day, group, filters, kind: None, zone: TimeZone::system() }
}
