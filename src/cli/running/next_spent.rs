//! Which limit of a running server is spent next.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::cli::terminal::span;

/// A limit is spent already if it is spent so soon: the server reads its clock again for each part of the answer (ms).
const SPENT_MS: i64 = 1_000;

/// Returns the sentence on the limit that is spent next at the present rates; `None` if all last until units come free. `status`: the
/// answer of `/v1/status`; `now`: the server's time (ms since the Unix epoch).
pub(super) fn next_spent(status: &Value, now: i64, zone: &TimeZone) -> Option<String> {
    let (at, limit) = limits(status).into_iter().filter(|(at, _)| *at > now.saturating_add(SPENT_MS)).min()?;
    let [spent, today] = [at, now].map(|ms| Timestamp::from_millisecond(ms).map(|at| at.to_zoned(zone.clone())));
    let (spent, today) = (spent.ok()?, today.ok()?);
    let form = if spent.date() == today.date() { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    let (time, left) = (spent.strftime(form), span(at.abs_diff(now)));
    Some(format!("the next to run out: {limit}, at this rate spent at {time} (in {left})"))
}

/// Returns when each limit is spent, and its name.
fn limits(status: &Value) -> Vec<(i64, String)> {
    let mut found = Vec::new();
    for api in list(status, "apis") {
        let id = name(api, "id").unwrap_or("-");
        forecasts(&mut found, api, id);
        for quota in list(api, "quotas") {
            let of = name(quota, "of").unwrap_or(id);
            // The name of a listed limit is the limit in words.
            match (name(quota, "limit"), name(quota, "model")) {
                (Some(limit), model) => {
                    let model = model.map(|model| format!("{model}: ")).unwrap_or_default();
                    let spent = quota.get("forecast").and_then(Value::as_object).into_iter().flat_map(|of| of.values());
                    found.extend(spent.filter_map(spent_at).map(|at| (at, format!("{id}: {model}{limit}"))));
                }
                (None, _) => forecasts(&mut found, quota, of),
            }
        }
    }
    for key in list(status, "keys") {
        let id = format!("key {}", name(key, "name").unwrap_or("-"));
        forecasts(&mut found, key, &id);
        for limit in list(key, "otherLimits") {
            let at = limit.get("forecast").and_then(spent_at);
            found.extend(at.map(|at| (at, format!("{id}: {}", name(limit, "limit").unwrap_or("-")))));
        }
        for budget in list(key, "budgets") {
            let per = name(budget, "per").unwrap_or("-");
            let at = budget.get("forecast").and_then(spent_at);
            found.extend(at.map(|at| (at, format!("{id}: budget per {per}"))));
        }
    }
    found
}

/// Adds the limits `rpd` and `tpd` of an account, a quota or a key.
fn forecasts(found: &mut Vec<(i64, String)>, of: &Value, id: &str) {
    for (limit, forecast) in of.get("forecast").and_then(Value::as_object).into_iter().flatten() {
        found.extend(spent_at(forecast).map(|at| (at, format!("{id}: {limit}"))));
    }
}

fn spent_at(forecast: &Value) -> Option<i64> {
    let at: Timestamp = name(forecast, "exhaustedAt")?.parse().ok()?;
    Some(at.as_millisecond())
}

fn list<'a>(of: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    of.get(field).and_then(Value::as_array).into_iter().flatten()
}

fn name<'a>(of: &'a Value, field: &str) -> Option<&'a str> {
    of.get(field)?.as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// 2026-11-28T09:00:00Z.
    const NOW: i64 = 1_795_856_400_000;

    fn spent(at: &str) -> Value {
        json!({ "ratePerHour": 1, "exhaustedAt": at, "freesAt": "2026-12-01T00:00:00.000Z" })
    }

    fn told(status: &Value) -> Option<String> {
        next_spent(status, NOW, &TimeZone::UTC)
    }

    #[test]
    fn the_limit_that_is_spent_first_is_named_whoever_has_it() {
        let api = json!({ "id": "a", "forecast": { "rpd": spent("2026-11-28T10:30:00.000Z") }, "quotas": [] });
        let mut status = json!({ "apis": [api], "keys": [] });
        let wanted = "the next to run out: a: rpd, at this rate spent at 10:30 (in 1 h 30 min)";
        assert_eq!(told(&status).as_deref(), Some(wanted));
        status["apis"][0]["quotas"] = json!([
            { "of": "a", "limit": "200 requests per 5h", "forecast": { "requests": spent("2026-11-28T10:00:00.000Z") } },
        ]);
        assert!(told(&status).is_some_and(|told| told.contains("a: 200 requests per 5h, at this rate spent at 10:00")));
        status["keys"] =
            json!([{ "name": "t", "budgets": [{ "per": "day", "forecast": spent("2026-11-28T09:10:00Z") }] }]);
        assert!(told(&status).is_some_and(|told| told.contains("key t: budget per day, at this rate spent at 09:10")));
    }

    #[test]
    fn a_later_day_has_its_date_and_what_lasts_or_is_spent_is_not_named() {
        let of = |forecast: Value| json!({ "apis": [{ "id": "a", "forecast": { "rpd": forecast } }] });
        assert!(
            told(&of(spent("2026-11-29T10:00:00Z"))).is_some_and(|told| told.contains("at 2026-11-29 10:00 (in 1 d"))
        );
        assert_eq!(told(&of(spent("2026-11-28T08:59:00Z"))), None, "it is spent");
        assert_eq!(told(&of(json!({ "exhaustedAt": null }))), None);
        assert_eq!(told(&json!({ "apis": [{ "id": "a" }] })), None, "an older server");
    }

    #[test]
    fn a_limit_that_was_spent_while_the_answer_was_made_does_not_hide_the_next_one() {
        let forecast = json!({ "rpd": spent("2026-11-28T09:00:00.004Z"), "tpd": spent("2026-11-28T10:00:00.000Z") });
        let mut status = json!({ "apis": [{ "id": "a", "forecast": forecast }] });
        assert!(told(&status).is_some_and(|told| told.contains(": a: tpd, at this rate spent at 10:00")));
        let other = json!({ "limit": "9 requests per 5h", "forecast": spent("2026-11-28T09:30:00Z") });
        status["keys"] = json!([{ "name": "t", "otherLimits": [other] }]);
        assert!(
            told(&status).is_some_and(|told| told.contains("key t: 9 requests per 5h, at this rate spent at 09:30"))
        );
    }
}
