//! What an upstream says of its own limits in headers. Pure.
//!
//! Such a limit only ever closes an upstream for a while. No header opens an upstream before our own windows do.

use std::time::Duration;

use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
/// Reads a time to wait. The second argument is the wall clock, in ms.
type Read = fn(&str, i64) -> Option<Duration>;

/// Headers with a time to wait. Where both are there, the first counts.
static WAITS: [(HeaderName, Read); 2] =
    [(HeaderName::from_static("retry-after-ms"), retry_after_ms), (header::RETRY_AFTER, retry_after_header)];

/// A longer time than a year is no sensible time, and ignored.
const LONGEST_WAIT: Duration = Duration::from_secs(31_536_000);

/// A wait of zero is ignored, too: a full upstream would be asked again and again.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// Returns whether this is a time to wait.
pub(super) fn is_sensible(wait: &Duration) -> bool {
    (SHORTEST_WAIT..=LONGEST_WAIT).contains(wait)
}

/// Returns how long an upstream asks us to stay away. `now`: ms, of the wall clock.
pub(crate) fn retry_after(upstream: &HeaderMap, now: i64) -> Option<Duration> {
    WAITS.iter().find_map(|(name, read)| read(upstream.get(name)?.to_str().ok()?, now))
}

/// Removes a senseless time to wait (`Retry-After: 0`): a client would come back at once. `now`: ms, of the wall clock.
pub(crate) fn strip_invalid_retry_after(headers: &mut HeaderMap, now: i64) {
    for (name, read) in &WAITS {
        let is_time = |value: &&HeaderValue| value.to_str().is_ok_and(|text| read(text, now).is_some());
        // (Of several of one name, only the first counts.)
        match headers.get(name).filter(is_time).cloned() {
            Some(first) => headers.insert(name.clone(), first),
            None => headers.remove(name),
        };
    }
}

fn retry_after_ms(text: &str, _: i64) -> Option<Duration> {
    number(text, 0.001).filter(is_sensible)
}

/// Reads `retry-after`: seconds, or an HTTP date.
fn retry_after_header(text: &str, now_ms: i64) -> Option<Duration> {
    let date = || {
        let date = jiff::fmt::rfc2822::parse(text.trim()).ok()?.timestamp().as_millisecond();
        u64::try_from(date - now_ms).ok().map(Duration::from_millis)
    };
    number(text, 1.0).or_else(date).filter(is_sensible)
}

/// Returns a number of units, each of so many seconds.
fn number(text: &str, unit: f64) -> Option<Duration> {
    let seconds = text.trim().parse::<f64>().ok()? * unit;
    Duration::try_from_secs_f64(seconds).ok()
}

/// Returns how long headers about an exhausted limit close the upstream. Nobody has to say whose headers they are:
///
/// 1. A limit is a header with `ratelimit` and `remaining` in the name, and nothing left.
/// 2. The header of the same name with `reset` for `remaining` says until when: `x-ratelimit-reset-tokens`,
///    `anthropic-ratelimit-requests-reset`.
/// 3. Without that one, a span in the name bounds the time (`…-remaining-req-day`), and so does the one reset of all limits
///    (`ratelimitbysize-reset` of Mistral) for a limit of a minute at most.
/// 4. The field `RateLimit` of the IETF says both: `"default";r=0;t=30`.
pub(crate) fn exhausted_for(headers: &HeaderMap, now_ms: i64) -> Option<Duration> {
    let told = headers.iter().filter_map(|(name, value)| {
        if name.as_str() == IETFS_FIELD {
            return exhausted_field(value.to_str().ok()?);
        }
        // Most headers are passed over by their first byte.
        let is_spent = value.as_bytes().first().is_some_and(|first| b"0- ".contains(first)) && is_spent(value);
        if is_spent { until_reset(name.as_str(), headers, now_ms) } else { None }
    });
    told.filter(is_sensible).max()
}

/// The field of the IETF's draft, for all limits.
const IETFS_FIELD: &str = "ratelimit";

/// The words of a limit in a header's name.
const FAMILIES: [&str; 2] = ["ratelimit", "rate-limit"];

/// The word for the rest of a limit, in a header's name, and the one for the time in its place.
const REMAINING: &str = "remaining";
const RESET: &str = "reset";

/// Spans in headers' names, in seconds.
const SPANS: [(&str, u64); 5] =
    [("second", 1), ("minute", MINUTE), ("hour", 3_600), ("day", 86_400), ("month", 2_592_000)];
const MINUTE: u64 = 60;

fn is_spent(value: &HeaderValue) -> bool {
    value.to_str().is_ok_and(|text| text.trim().parse::<f64>().is_ok_and(|left| left <= 0.0))
}

/// Returns how long a limit is closed, by the name of the header with the rest of the limit.
fn until_reset(remaining: &str, headers: &HeaderMap, now_ms: i64) -> Option<Duration> {
    let (before, behind) = remaining.split_once(REMAINING)?;
    if !FAMILIES.iter().any(|family| before.contains(family)) {
        return None;
    }
    let text = |name: &str| headers.get(name)?.to_str().ok();
    if let Some(own) = text(&format!("{before}{RESET}{behind}")) {
        return reset(own, now_ms);
    }
    let span = SPANS.iter().find(|(word, _)| behind.contains(word)).map(|(_, seconds)| *seconds);
    let shared =
        || text(&format!("{before}{RESET}")).or_else(|| text(&format!("{}{RESET}", before.strip_prefix("x-")?)));
    match span {
        Some(seconds) if seconds > MINUTE => Some(Duration::from_secs(seconds)),
        // (One limit's reset says nothing of another kind of limit: tokens are not requests.)
        Some(seconds) => shared().map_or(Some(Duration::from_secs(seconds)), |text| reset(text, now_ms)),
        None => None,
    }
}

/// Reads the IETF's field: `"default";r=0;t=30, "day";r=9;t=9`, or `limit=9, remaining=0, reset=30` of an older draft.
fn exhausted_field(field: &str) -> Option<Duration> {
    let mut left: Option<f64> = None;
    let mut longest = None;
    for (name, value) in field.split([';', ',']).filter_map(|part| part.trim().split_once('=')) {
        match name {
            "r" | "remaining" => left = value.parse().ok(),
            "t" | "reset" if left.take().is_some_and(|left| left <= 0.0) => longest = longest.max(number(value, 1.0)),
            _ => {}
        }
    }
    longest
}

/// Reads `6m0s`, `1h2m3.5s`, `120ms`, `34s`, `20` (seconds), a time since the Unix epoch in seconds or ms, or a time as RFC 3339
/// or HTTP writes one.
fn reset(text: &str, now_ms: i64) -> Option<Duration> {
    const EPOCH_SECONDS_FROM: f64 = 1e9;
    const EPOCH_MILLIS_FROM: f64 = 1e12;
    match text.trim().parse::<f64>() {
        Ok(number) if !number.is_finite() || number < 0.0 => None,
        Ok(millis) if millis >= EPOCH_MILLIS_FROM => since(millis, now_ms),
        Ok(seconds) if seconds >= EPOCH_SECONDS_FROM => since(seconds * 1_000.0, now_ms),
        Ok(seconds) => Some(Duration::from_secs_f64(seconds)),
        Err(_) => duration(text.trim()).or_else(|| {
            let text = text.trim();
            let at = text.parse().or_else(|_| Ok::<_, jiff::Error>(jiff::fmt::rfc2822::parse(text)?.timestamp()));
            let at: jiff::Timestamp = at.ok()?;
            u64::try_from(at.as_millisecond().checked_sub(now_ms)?).ok().map(Duration::from_millis)
        }),
    }
}

fn since(millis: f64, now_ms: i64) -> Option<Duration> {
    // (A float that is too large becomes the largest number there is, and a clock may stand before 1970.)
    u64::try_from((millis as i64).checked_sub(now_ms)?).ok().map(Duration::from_millis)
}

/// Reads a duration as Go and Google write one.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').filter(|at| *at > 0)?;
        let (number, tail) = rest.split_at(digits);
        let unit = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit);
        let seconds = match unit {
            "d" => 86_400.0,
            "h" => 3_600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 0.001,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * seconds;
        rest = tail;
    }
    (!text.is_empty() && total <= LONGEST_WAIT.as_secs_f64()).then(|| Duration::from_secs_f64(total))
}

#[cfg(test)]
mod tests;
