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

/// Returns how long headers about an exhausted limit close the upstream: `x-ratelimit-remaining…: 0` until the matching
/// `x-ratelimit-reset…`, and `anthropic-ratelimit-…-remaining: 0` until the matching `anthropic-ratelimit-…-reset`.
pub(crate) fn exhausted_for(headers: &HeaderMap, now_ms: i64) -> Option<Duration> {
    let exhausted = |value: &HeaderValue| value.to_str().ok()?.trim().parse::<f64>().ok().filter(|left| *left <= 0.0);
    headers
        .iter()
        .filter_map(|(name, value)| reset_of(name.as_str()).filter(|_| exhausted(value).is_some()))
        .filter_map(|[before, kind, behind]| headers.get(format!("{before}{kind}{behind}"))?.to_str().ok())
        .filter_map(|value| reset(value, now_ms))
        .filter(is_sensible)
        .max()
}

/// Returns the name of the header with the reset of a limit, in parts; `None` if this is no header with the rest of a limit.
fn reset_of(remaining: &str) -> Option<[&str; 3]> {
    let openais = remaining.strip_prefix("x-ratelimit-remaining").map(|kind| ["x-ratelimit-reset", kind, ""]);
    openais.or_else(|| {
        let kind = remaining.strip_prefix(ANTHROPICS)?.strip_suffix("-remaining")?;
        Some([ANTHROPICS, kind, "-reset"])
    })
}

const ANTHROPICS: &str = "anthropic-ratelimit-";

/// Reads `6m0s`, `1h2m3.5s`, `120ms`, `34s`, `20` (seconds), a time since the Unix epoch in seconds or ms, or a time as RFC 3339
/// writes one.
fn reset(text: &str, now_ms: i64) -> Option<Duration> {
    const EPOCH_SECONDS_FROM: f64 = 1e9;
    const EPOCH_MILLIS_FROM: f64 = 1e12;
    match text.trim().parse::<f64>() {
        Ok(number) if !number.is_finite() || number < 0.0 => None,
        Ok(millis) if millis >= EPOCH_MILLIS_FROM => since(millis, now_ms),
        Ok(seconds) if seconds >= EPOCH_SECONDS_FROM => since(seconds * 1_000.0, now_ms),
        Ok(seconds) => Some(Duration::from_secs_f64(seconds)),
        Err(_) => duration(text.trim()).or_else(|| {
            let at: jiff::Timestamp = text.trim().parse().ok()?;
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
mod tests {
    use super::*;

    fn map(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    fn closed(headers: &[(&'static str, &'static str)]) -> Option<u128> {
        exhausted_for(&map(headers), 1_700_000_000_000).map(|d| d.as_millis())
    }

    #[test]
    fn milliseconds_count_before_seconds_if_they_are_a_time() {
        for (millis, wait) in [("0", 9_000), ("1500", 1_500)] {
            let upstream = map(&[("retry-after", "9"), ("retry-after-ms", millis)]);
            assert_eq!(retry_after(&upstream, 0), Some(Duration::from_millis(wait)));
        }
    }

    #[test]
    fn every_form_of_retry_after_is_read() {
        let secs = |text| retry_after_header(text, 1_445_412_470_000).map(|d| d.as_millis());
        assert_eq!(secs("20"), Some(20_000));
        assert_eq!(secs("0.5"), Some(500));
        assert_eq!(secs("Wed, 21 Oct 2015 07:28:00 GMT"), Some(10_000));
        assert_eq!(secs("Wed, 21 Oct 2015 07:27:00 GMT"), None, "it has passed");
        assert_eq!(secs("Tue, 31 Dec 2999 23:59:59 GMT"), None, "nobody means that");
        assert_eq!((secs("soon"), secs("-1"), secs("NaN"), secs("1e300")), (None, None, None, None));
        assert_eq!((secs("0"), secs("0.0")), (None, None), "that is no time");
        assert_eq!(secs("0.0005"), None, "nor is that");
        let millis = |text| retry_after_ms(text, 0).map(|d| d.as_millis());
        assert_eq!((millis("1500"), millis("0"), millis("soon")), (Some(1_500), None, None));
    }

    #[test]
    fn a_limit_of_which_nothing_is_left_closes_until_its_reset() {
        for (headers, millis) in [
            (&[("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "6m0s")][..], Some(360_000)),
            (&[("x-ratelimit-remaining-requests", "1"), ("x-ratelimit-reset-requests", "6m0s")], None),
            (&[("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-requests", "6m0s")], None),
            (&[("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", "120ms")], Some(120)),
            (&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1700000005000")], Some(5_000)),
            (&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1700000005")], Some(5_000)),
            (&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1600000000")], None),
            (&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "40000000")], None),
            (&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "9e15")], None),
            (
                &[("x-ratelimit-remaining-requests-day", "0"), ("x-ratelimit-reset-requests-day", "33011.38")],
                Some(33_011_380),
            ),
            (&[("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "soon")], None),
            (&[("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "0s")], None),
            (&[("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "0.9ms")], None),
            (
                &[
                    ("anthropic-ratelimit-requests-remaining", "0"),
                    ("anthropic-ratelimit-requests-reset", "2023-11-14T22:13:50Z"),
                ],
                Some(30_000),
            ),
            (
                &[
                    ("anthropic-ratelimit-input-tokens-remaining", "0"),
                    ("anthropic-ratelimit-input-tokens-reset", "2023-11-14T23:13:21.5+01:00"),
                    ("anthropic-ratelimit-requests-remaining", "9"),
                    ("anthropic-ratelimit-requests-reset", "2023-11-14T22:14:00Z"),
                ],
                Some(1_500),
            ),
            (
                &[
                    ("anthropic-ratelimit-output-tokens-remaining", "0"),
                    ("anthropic-ratelimit-output-tokens-reset", "2023-11-14T22:13:20Z"),
                ],
                None,
            ),
            (&[("anthropic-ratelimit-requests-remaining", "0")], None),
            (&[("anthropic-ratelimit-tokens-remaining", "0"), ("anthropic-ratelimit-tokens-reset", "tomorrow")], None),
        ] {
            assert_eq!(closed(headers), millis, "{headers:?}");
        }
        let endless = map(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1e300")]);
        assert_eq!(exhausted_for(&endless, -1), None, "nothing overflows");
    }

    #[test]
    fn durations_are_read_in_every_unit() {
        for (text, millis) in [
            ("1h2m3.5s", Some(3_723_500)),
            ("1d", Some(86_400_000)),
            ("34.074824224s", Some(34_074)),
            ("", None),
            ("s", None),
            ("5", None),
            ("5x", None),
            ("..s", None),
            ("99999999999h", None),
        ] {
            assert_eq!(duration(text).map(|d| d.as_millis()), millis, "{text:?}");
        }
    }
}
