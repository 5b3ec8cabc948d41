//! What each provider sends, and what it means.

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

#[test]
fn every_providers_headers_are_read() {
    for (headers, millis) in [
        // Groq: requests are the day's, tokens the minute's.
        (
            &[
                ("x-ratelimit-limit-requests", "14400"),
                ("x-ratelimit-remaining-requests", "14370"),
                ("x-ratelimit-reset-requests", "2m59.56s"),
                ("x-ratelimit-remaining-tokens", "0"),
                ("x-ratelimit-reset-tokens", "7.66s"),
            ][..],
            Some(7_660),
        ),
        // Cerebras.
        (
            &[
                ("x-ratelimit-remaining-requests-day", "14399"),
                ("x-ratelimit-reset-requests-day", "86320.1"),
                ("x-ratelimit-remaining-tokens-minute", "0"),
                ("x-ratelimit-reset-tokens-minute", "11.382"),
            ],
            Some(11_382),
        ),
        (&[("x-ratelimit-remaining-tokens-hour", "0")], Some(3_600_000)),
        // Mistral: one reset, of the minute.
        (&[("x-ratelimitbysize-remaining-minute", "0"), ("ratelimitbysize-reset", "21")], Some(21_000)),
        (&[("x-ratelimitbysize-remaining-month", "0"), ("ratelimitbysize-reset", "21")], Some(2_592_000_000)),
        (&[("x-ratelimitbysize-remaining-month", "9"), ("ratelimitbysize-reset", "21")], None),
        (&[("ratelimitbysize-remaining", "0"), ("ratelimitbysize-reset", "21")], Some(21_000)),
        (&[("x-ratelimit-remaining-req-minute", "0")], Some(60_000)),
        // ModelScope.
        (
            &[("modelscope-ratelimit-requests-remaining", "0"), ("modelscope-ratelimit-requests-reset", "90")],
            Some(90_000),
        ),
        (&[("modelscope-ratelimit-model-requests-remaining", "0")], None),
    ] {
        assert_eq!(closed(headers), millis, "{headers:?}");
    }
}

#[test]
fn other_forms_of_headers_are_read() {
    for (headers, millis) in [
        (&[("x-rate-limit-remaining", "0"), ("x-rate-limit-reset", "5")][..], Some(5_000)),
        (&[("ratelimit-remaining", "0"), ("ratelimit-reset", "5")], Some(5_000)),
        (&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "Tue, 14 Nov 2023 22:13:29 GMT")], Some(9_000)),
        (&[("ratelimit", r#""api";r=0;t=30"#)], Some(30_000)),
        (&[("ratelimit", r#""a";r=9;t=90, "b";r=0;t=30"#)], Some(30_000)),
        (&[("ratelimit", "limit=100, remaining=0, reset=50")], Some(50_000)),
        (&[("ratelimit", r#""api";r=1;t=30"#)], None),
        (&[("ratelimit", "t=30;r=0")], None),
        (&[("remaining", "0"), ("reset", "5")], None),
        (&[("x-tokens-remaining", "0"), ("x-tokens-reset", "5")], None),
        (&[("anthropic-ratelimit-tokens-remaining", "0"), ("anthropic-ratelimit-tokens-reset", "tomorrow")], None),
    ] {
        assert_eq!(closed(headers), millis, "{headers:?}");
    }
}
