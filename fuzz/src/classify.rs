//! Answers: whatever an upstream says, there is a verdict, and nobody waits for ever because of it.

use std::time::Duration;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use api_together::config::ApiKey;
use api_together::dialect::{ROUTES, Route};
use api_together::proxy::fuzzing::{exhausted_for, judge, refusal, response_headers};
use api_together::types::{FailureClass, Now};
use serde_json::Value;

const KEY: &str = "sk-0123456789";

/// The longest that anybody is told to wait.
const A_YEAR: Duration = Duration::from_secs(31_536_000);

/// The fields of an answer that are looked at, which must not stand there twice.
const LOOKED_AT: [&str; 13] = [
    "error",
    "errors",
    "Error",
    "message",
    "detail",
    "msg",
    "success",
    "error_code",
    "error_msg",
    "base_resp",
    "object",
    "choices",
    "usage",
];

/// Holds for any response: lines of headers, a blank one, and the body.
pub fn holds(input: &[u8]) {
    let at = input.windows(2).position(|two| two == b"\n\n").unwrap_or(input.len());
    let (head, body) = (&input[..at], input.get(at + 2..).unwrap_or_default());
    let headers = headers(head);
    waits_are_bounded(&headers, body);
    the_key_stays_up(&headers);
    for route in &ROUTES {
        a_success_is_an_object_without_an_error(route, body);
    }
}

fn headers(head: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in head.split(|byte| *byte == b'\n') {
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (name, value) = (&line[..colon], line.get(colon + 1..).unwrap_or_default().trim_ascii());
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    headers
}

fn waits_are_bounded(headers: &HeaderMap, body: &[u8]) {
    for wall in [0, 1_700_000_000_000, -1] {
        let now = Now { mono: 259_200_000, wall };
        for status in [302, 400, 401, 402, 408, 418, 422, 429, 500, 503, 529, 599] {
            let failure = refusal(status, headers, body, now);
            assert_eq!(failure.status, Some(status));
            assert!(failure.retry_after.is_none_or(|wait| wait <= A_YEAR), "{failure:?}");
        }
        let closed = exhausted_for(headers, now);
        assert!(closed.is_none_or(|wait| wait <= A_YEAR), "{closed:?}");
    }
}

fn the_key_stays_up(headers: &HeaderMap) {
    let holds_key = |value: &HeaderValue| value.as_bytes().windows(KEY.len()).any(|part| part == KEY.as_bytes());
    assert!(!response_headers(headers, &ApiKey::new(KEY)).iter().any(|(_, value)| holds_key(value)));
}

fn a_success_is_an_object_without_an_error(route: &Route, body: &[u8]) {
    let told = serde_json::from_slice::<Value>(body);
    match judge(route, body) {
        Ok(_) => {
            assert_eq!(body.trim_ascii_start().first(), Some(&b'{'));
            let Ok(value) = told else { return };
            let error = value.get("error").and_then(Value::as_object);
            assert!(error.is_none_or(serde_json::Map::is_empty), "{value}");
        }
        Err(failure) if failure.class == FailureClass::Protocol => {
            // A list, a text; or an object that says the same thing twice.
            let twice = |value: &Value| LOOKED_AT.iter().any(|field| value.get(field).is_some());
            assert!(told.is_ok_and(|value| !value.is_object() || twice(&value)) || !is_json(body), "{failure}");
        }
        // An error in a 200 may say how long to wait, as Google's does.
        Err(failure) => {
            assert!(failure.retry_after.is_none_or(|wait| wait <= A_YEAR) && !failure.detail.is_empty(), "{failure:?}");
        }
    }
}

fn is_json(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body).is_ok()
}
