//! The log's line for each request.
//!
//! 1. One shape for all requests: `ID METHOD PATH MODEL → UPSTREAM (ITS MODEL) from CLIENT key=NAME attempts=… status=… …`, and the reason
//!    in parentheses at the end.
//! 2. A refusal of the pool's own has the error's code and the reason.
//! 3. `ERROR`: a 5xx. `WARN`: a limit, a refused key, a broken answer. `INFO`: all others, with clients' mistakes and clients
//!    that left. `DEBUG`: `/health`, `/metrics`.

use std::net::IpAddr;

use log::Level;
use serde::Serialize;
use serde_json::{Value, json};

use super::request_end::RequestEnd;
use super::request_record::{AttemptRecord, AttemptResult, RequestRecord};
use crate::config::DEFAULT_KEY;
use crate::types::{Cost, KeyName, TokenKinds, Usage, UsageSource};

/// Room for a usual line, made in one piece.
const USUAL_LINE: usize = 256;

/// How lines of the log are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The target of these lines. With [`LogFormat::Json`] the text is a JSON object already, and the logger adds time and level.
pub const REQUESTS: &str = "request";

/// Writes the line of one request.
pub(super) fn write(record: &RequestRecord, format: LogFormat) {
    let level = level(record);
    match format {
        LogFormat::Text => log::log!(target: REQUESTS, level, "{}", line(record)),
        LogFormat::Json if log::log_enabled!(target: REQUESTS, level) => {
            log::log!(target: REQUESTS, level, "{}", object(record));
        }
        LogFormat::Json => {}
    }
}

fn level(record: &RequestRecord) -> Level {
    let status = status(record);
    let broke_off = match &record.end {
        RequestEnd::Failed(_) => status < 400,
        RequestEnd::Stopped => true,
        RequestEnd::Answered | RequestEnd::Refused { .. } | RequestEnd::ClientLeft | RequestEnd::Defect => false,
    };
    match status {
        500.. => Level::Error,
        401..=403 | 429 => Level::Warn,
        _ if broke_off => Level::Warn,
        // Asked every few seconds by whatever keeps the process up, or watches.
        _ if record.path == "/health" || record.path == "/metrics" => Level::Debug,
        _ => Level::Info,
    }
}

/// Returns the serving attempt, or else the last one.
fn target(record: &RequestRecord) -> Option<&AttemptRecord> {
    let served = |attempt: &&AttemptRecord| matches!(attempt.result, AttemptResult::Served);
    record.attempts.iter().rfind(served).or_else(|| record.attempts.last())
}

/// Returns the status for the log: 499 if the client left before the head was sent.
fn status(record: &RequestRecord) -> u16 {
    record.status.map_or(499, |status| status.as_u16())
}

fn id(record: &RequestRecord) -> &str {
    record.upstream_id.as_deref().unwrap_or(record.id.as_str())
}

/// Returns the code and the words behind the status.
fn reason(record: &RequestRecord) -> (Option<&str>, Option<&str>) {
    match &record.end {
        RequestEnd::Answered => (None, None),
        RequestEnd::Refused { code, reason, .. } => (Some(code), Some(reason)),
        RequestEnd::Failed(reason) => (None, Some(reason)),
        RequestEnd::ClientLeft => (None, Some("the client left")),
        RequestEnd::Stopped => (None, Some("the server stopped and cut the answer off")),
        RequestEnd::Defect => (None, Some("a defect of this program: it panicked")),
    }
}

/// Returns the name of the key, if the key has one in the configuration.
fn named_key(record: &RequestRecord) -> Option<&str> {
    record.key.as_ref().map(KeyName::as_str).filter(|name| *name != DEFAULT_KEY)
}

/// Returns the line for people.
fn line(record: &RequestRecord) -> String {
    let mut line = String::with_capacity(USUAL_LINE);
    line.extend([id(record), " ", record.method.as_str(), " ", &record.path]);
    if let Some(model) = &record.model {
        line.extend([" ", model]);
    }
    if let Some(target) = target(record) {
        line.extend([" → ", target.api.as_str()]);
        if let Some(own) = &target.model {
            line.extend([" (", own, ")"]);
        }
    }
    match record.client {
        // As the standard library writes an address, in a tenth of the time.
        Some(IpAddr::V4(client)) => {
            for (name, byte) in [" from ", ".", ".", "."].into_iter().zip(client.octets()) {
                push_number(&mut line, name, byte.into(), "");
            }
        }
        Some(IpAddr::V6(client)) => line.extend([" from ", &client.to_string()]),
        None => line.push_str(" from -"),
    }
    if let Some(key) = named_key(record) {
        line.extend([" key=", key]);
    }
    if record.model.is_some() {
        push_number(&mut line, " attempts=", record.attempts.len() as u64, "");
    }
    push_number(&mut line, " status=", status(record).into(), "");
    if let Some(first) = record.first_token {
        push_number(&mut line, " first=", first.as_millis() as u64, "ms");
    }
    push_number(&mut line, " total=", record.total.as_millis() as u64, "ms");
    if let Some(Usage { prompt, completion, total, kinds, .. }) = record.usage.and_then(Usage::of_tokens) {
        push_number(&mut line, " tokens=", prompt, "+");
        push_number(&mut line, "", completion, "=");
        push_number(&mut line, "", total, "");
        if kinds.cached > 0 {
            push_number(&mut line, " cached=", kinds.cached, "");
        }
    }
    for (unit, number) in record.usage.iter().flat_map(|usage| usage.billed.present()) {
        line.extend([" ", unit.field]);
        push_number(&mut line, "=", number.into(), "");
    }
    let cost = record.cost();
    if cost > Cost::ZERO {
        line.extend([" cost=$", &cost.to_string()]);
    }
    match reason(record) {
        (Some(code), Some(reason)) => line.extend([" (", code, ": ", reason, ")"]),
        (None, Some(reason)) => line.extend([" (", reason, ")"]),
        (_, None) => {}
    }
    line
}

fn push_number(line: &mut String, name: &str, number: u64, unit: &str) {
    line.extend([name, itoa::Buffer::new().format(number), unit]);
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogObject<'a> {
    target: &'static str,
    id: &'a str,
    method: &'a str,
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream_model: Option<&'a str>,
    client: Option<String>,
    attempts: Vec<Value>,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_token_ms: Option<u128>,
    total_ms: u128,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Value>,
    /// Dollars, over all attempts.
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<Cost>,
}

fn object(record: &RequestRecord) -> String {
    let target = target(record);
    let (code, reason) = reason(record);
    let object = LogObject {
        target: REQUESTS,
        id: id(record),
        method: record.method.as_str(),
        path: &record.path,
        key: named_key(record),
        model: record.model.as_deref(),
        upstream: target.map(|target| target.api.as_str()),
        upstream_model: target.and_then(|target| target.model.as_deref()),
        client: record.client.map(|client| client.to_string()),
        attempts: record.attempts.iter().map(attempt).collect(),
        status: status(record),
        code,
        reason,
        first_token_ms: record.first_token.map(|first| first.as_millis()),
        total_ms: record.total.as_millis(),
        usage: record.usage.map(usage),
        cost: record.attempts.iter().any(|attempt| attempt.price.is_some()).then(|| record.cost()),
    };
    // Texts and numbers alone always serialize.
    serde_json::to_string(&object).unwrap_or_default()
}

fn attempt(attempt: &AttemptRecord) -> Value {
    let mut object = json!({
        "upstream": attempt.api,
        "startMs": attempt.began.as_millis() as u64,
        "ms": attempt.took.as_millis() as u64,
    });
    let result = match &attempt.result {
        AttemptResult::Open => json!({ "class": "abandoned" }),
        AttemptResult::Served => json!({ "class": null }),
        AttemptResult::Failed(failure) => {
            json!({ "class": failure.class.as_str(), "status": failure.status, "message": failure.detail })
        }
    };
    if let (Some(object), Value::Object(result)) = (object.as_object_mut(), result) {
        object.extend(attempt.model.as_ref().map(|model| ("model".to_owned(), json!(model))));
        object.extend(result);
    }
    object
}

fn usage(usage: Usage) -> Value {
    let mut object = serde_json::Map::new();
    let mut insert = |name: &str, value: Value| object.insert(name.to_owned(), value);
    if let Some(Usage { prompt, completion, total, kinds, source, .. }) = usage.of_tokens() {
        insert("prompt", prompt.into());
        insert("completion", completion.into());
        insert("total", total.into());
        insert("estimated", (source == UsageSource::Estimated).into());
        let TokenKinds { cached, cache_write_5m, cache_write_1h, reasoning, .. } = kinds;
        for (name, tokens) in [
            ("cached", cached),
            ("cacheWrite5m", cache_write_5m),
            ("cacheWrite1h", cache_write_1h),
            ("reasoning", reasoning),
        ] {
            if tokens > 0 {
                insert(name, tokens.into());
            }
        }
    }
    for (unit, number) in usage.billed.present() {
        insert(unit.field, number.into());
    }
    Value::Object(object)
}

#[cfg(test)]
mod tests;
