//! The query of `/v1/usage`, read. Each mistake names its parameter, and the mend.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use url::form_urlencoded;

use crate::error::ApiError;
use crate::types::HOURS_KEPT_MS;
use crate::usage::{Bucket, Dimension, UsageQuery};

/// The most names in all filters together.
const MOST_NAMES: usize = 1_000;

/// What was typed.
#[derive(Debug, Default)]
pub(super) struct UsageQuestion {
    from: Option<String>,
    to: Option<String>,
    by: Option<Bucket>,
    group: Vec<Dimension>,
    filters: [Vec<String>; 4],
}

impl UsageQuestion {
    /// Reads a query string.
    ///
    /// # Errors
    /// When a parameter is unknown or wrong.
    pub(super) fn read(query: &str) -> Result<UsageQuestion, ApiError> {
        let mut question = UsageQuestion::default();
        let mut names = 0;
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "from" => set("from", &mut question.from, value.into_owned())?,
                "to" => set("to", &mut question.to, value.into_owned())?,
                "by" => set("by", &mut question.by, bucket(&value)?)?,
                "group" => question.group.extend(group(&value)?),
                other => {
                    let Some(dimension) = Dimension::named(other) else { return Err(unknown(other)) };
                    let filter = question.filters.iter_mut().zip(Dimension::ALL).find(|(_, of)| *of == dimension);
                    if let Some((filter, _)) = filter {
                        filter.push(value.into_owned());
                    }
                    names += 1;
                    if names > MOST_NAMES {
                        return Err(wrong(dimension.as_str(), "at most 1000 names can be asked for"));
                    }
                }
            }
        }
        Ok(question)
    }

    /// Returns the query at `now` (ms since the Unix epoch) by a server in this zone.
    ///
    /// # Errors
    /// When a time is none, or the range is empty or too old.
    pub(super) fn query(self, now: i64, zone: &TimeZone) -> Result<UsageQuery, ApiError> {
        let by = self.by.unwrap_or(Bucket::Day);
        let to = self.to.map_or(Ok(now.saturating_add(1)), |to| time("to", &to, zone))?;
        let from = match self.from {
            Some(from) => time("from", &from, zone)?,
            None => to.saturating_sub(usual_range(by)),
        };
        if from >= to {
            return Err(wrong("from", "must be before `to`"));
        }
        if by == Bucket::Hour {
            since_hours_are_kept("from", from, now, zone)?;
        }
        let (group, filters, zone) = (self.group, self.filters, zone.clone());
        Ok(UsageQuery { from, to, by, group, filters, kind: None, zone }.in_whole_buckets())
    }
}

/// Refuses a time for which no hours are kept any more.
pub(super) fn since_hours_are_kept(name: &'static str, from: i64, now: i64, zone: &TimeZone) -> Result<(), ApiError> {
    let kept = Bucket::Hour.start(now.saturating_sub(HOURS_KEPT_MS), zone);
    let why = || format!("hours are kept for two days, since {}; ask by the day before", crate::types::iso(kept));
    if from < kept { Err(wrong(name, &why())) } else { Ok(()) }
}

/// Returns how far back a question goes that does not say so, in ms: a day of hours, thirty days, twelve months.
fn usual_range(by: Bucket) -> i64 {
    const DAY_MS: i64 = 86_400_000;
    match by {
        Bucket::Hour => DAY_MS,
        Bucket::Day => 29 * DAY_MS,
        Bucket::Month => 335 * DAY_MS,
    }
}

fn set<T>(name: &'static str, field: &mut Option<T>, value: T) -> Result<(), ApiError> {
    if field.replace(value).is_some() { Err(wrong(name, "must stand there once")) } else { Ok(()) }
}

fn bucket(value: &str) -> Result<Bucket, ApiError> {
    match value {
        "hour" => Ok(Bucket::Hour),
        "day" => Ok(Bucket::Day),
        "month" => Ok(Bucket::Month),
        _ => Err(wrong("by", "must be hour, day or month")),
    }
}

fn group(value: &str) -> Result<Vec<Dimension>, ApiError> {
    let names = value.split(',').map(str::trim).filter(|name| !name.is_empty());
    names
        .map(|name| Dimension::named(name).ok_or_else(|| wrong("group", "must be some of api, model, key, app")))
        .collect()
}

/// Returns the time of a text, in ms since the Unix epoch. A date is the begin of the day, and as `to` the end.
pub(in crate::http) fn time(name: &'static str, text: &str, zone: &TimeZone) -> Result<i64, ApiError> {
    // The plus of an offset is a blank in a query that was not encoded.
    let text = if text.contains('T') { text.replace(' ', "+") } else { text.to_owned() };
    let parsed = if text.bytes().all(|c| c.is_ascii_digit()) && !text.is_empty() {
        text.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok())
    } else if let Ok(at) = text.parse::<Timestamp>() {
        Some(at)
    } else if let (Ok(date), 10) = (text.parse::<Date>(), text.len()) {
        let date = if name == "to" { date.checked_add(1.day()).ok() } else { Some(date) };
        date.and_then(|date| date.to_zoned(zone.clone()).ok()).map(|at| at.timestamp())
    } else {
        text.parse::<DateTime>().ok().and_then(|at| at.to_zoned(zone.clone()).ok()).map(|at| at.timestamp())
    };
    let forms = "must be a date (2026-11-01), a time (2026-11-01T10:00:00Z) or Unix time in seconds";
    let at = parsed.ok_or_else(|| wrong(name, forms))?.as_millisecond();
    if at < 0 { Err(wrong(name, "must not be before 1970")) } else { Ok(at) }
}

fn unknown(name: &str) -> ApiError {
    let known = "from, to, by, group, key, api, model, app";
    let shown: String = name.chars().take(40).collect();
    ApiError::Invalid { message: format!("there is no parameter {shown:?} here; there are {known}"), param: None }
}

/// Says what is wrong with a parameter.
pub(super) fn wrong(name: &'static str, why: &str) -> ApiError {
    ApiError::Invalid { message: format!("{name}: {why}"), param: Some(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str) -> Result<(String, String), String> {
        let now = "2026-11-28T13:05:00Z".parse::<Timestamp>().expect("a time").as_millisecond();
        let zone = TimeZone::get("Europe/Berlin").expect("a zone");
        let query = UsageQuestion::read(query).and_then(|question| question.query(now, &zone));
        let iso = |at: i64| crate::types::iso(at).replace(":00.000Z", "Z");
        query.map(|query| (iso(query.from), iso(query.to))).map_err(|e| e.to_string())
    }

    #[test]
    fn ranges_are_widened_to_whole_buckets_of_the_servers_zone() {
        for (query, from, to) in [
            ("", "2026-10-29T23:00Z", "2026-11-28T23:00Z"),
            ("by=hour", "2026-11-27T13:00Z", "2026-11-28T14:00Z"),
            ("by=month", "2025-11-30T23:00Z", "2026-11-30T23:00Z"),
            ("from=2026-11-01&to=2026-11-02", "2026-10-31T23:00Z", "2026-11-02T23:00Z"),
            ("from=2026-11-28T10:20:00Z&by=hour", "2026-11-28T10:00Z", "2026-11-28T14:00Z"),
            ("from=2026-11-28T11:20:00+01:00&by=hour", "2026-11-28T10:00Z", "2026-11-28T14:00Z"),
            ("from=2026-11-28T11:20&by=hour", "2026-11-28T10:00Z", "2026-11-28T14:00Z"),
            ("from=1764543600&to=1764543601", "2025-11-30T23:00Z", "2025-12-01T23:00Z"),
        ] {
            assert_eq!(asked(query), Ok((from.to_owned(), to.to_owned())), "{query}");
        }
    }

    #[test]
    fn a_mistake_names_its_parameter() {
        for (query, name) in [
            ("from=yesterday", "from"),
            ("from=", "from"),
            ("from=-5", "from"),
            ("from=99999999999999", "from"),
            ("from=1960-01-01", "from"),
            ("from=2026-13-01", "from"),
            ("from=2026-11-02&to=2026-11-01", "from"),
            ("from=2026-11-01&from=2026-11-01", "from"),
            ("to=2026-11-31", "to"),
            ("by=week", "by"),
            ("by=Day", "by"),
            ("group=api,user", "group"),
            ("by=hour&from=2026-11-20", "by the day"),
            ("since=2026", "since"),
        ] {
            let error = asked(query).expect_err(query);
            assert!(error.contains(name), "{query}: {error}");
        }
    }
}
