//! How a connection ends, and what is said of failures before.

use actix_web::HttpResponse;
use actix_web::body::MessageBody;
use actix_web::http::header::RETRY_AFTER;
use actix_web::web::Bytes;
use actix_web::{ResponseError, body::BoxBody};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use transport::SocketClose;

use crate::error::ApiError;

/// Codes of RFC 6455, section 7.4.
pub(super) mod code {
    /// All is done.
    pub(crate) const NORMAL: u16 = 1000;
    /// This side goes away: the server stops, or nothing was asked for long.
    pub(crate) const GOING_AWAY: u16 = 1001;
    /// What was asked for is not allowed.
    pub(crate) const POLICY: u16 = 1008;
    /// This side failed.
    pub(crate) const INTERNAL: u16 = 1011;
    /// The other side may come again later.
    pub(crate) const TRY_AGAIN: u16 = 1013;
}

/// Why a connection ends.
#[derive(Debug)]
pub(super) enum Ending {
    /// The client said so, or broke the protocol. The client gets this close, and so does the upstream.
    Client(SocketClose),
    /// The client has gone, without a word.
    ClientGone,
    /// The upstream said so, or its connection was lost. The client gets this close.
    Upstream(SocketClose),
    /// This program ends the connection. Both sides get this close.
    Ours(SocketClose),
}

impl Ending {
    /// Returns the end of a connection whose upstream is lost.
    pub(super) fn upstream_lost() -> Self {
        Ending::Upstream(SocketClose::new(code::INTERNAL, "the connection to the upstream API was lost"))
    }

    /// Returns the close for the upstream.
    pub(super) fn for_upstream(&self) -> SocketClose {
        match self {
            Ending::Client(close) | Ending::Ours(close) => close.clone(),
            Ending::ClientGone | Ending::Upstream(_) => SocketClose::new(code::NORMAL, ""),
        }
    }

    /// Returns the end of a connection for which there is no room.
    pub(super) fn no_room() -> Self {
        Ending::Ours(SocketClose::new(code::POLICY, "a limit or a budget leaves no room for a response"))
    }
}

/// Returns the code to send for one that came. Some codes are never sent: they say that none came.
pub(super) fn sendable(close: Option<SocketClose>) -> SocketClose {
    let close = close.unwrap_or_else(|| SocketClose::new(code::NORMAL, ""));
    match close.code {
        1000..=1003 | 1007..=1014 | 3000..=4999 => SocketClose::new(close.code, &close.reason),
        _ => SocketClose::new(code::NORMAL, &close.reason),
    }
}

/// Returns an error of ours as an event.
pub(super) fn event_of(error: &ApiError) -> Bytes {
    event(error.error_response())
}

/// Returns an error response as an event: the status and the headers that clients act on stand beside the error.
pub(super) fn event(response: HttpResponse<BoxBody>) -> Bytes {
    let status = response.status().as_u16();
    let names = [RETRY_AFTER.as_str(), "retry-after-ms", "x-should-retry"];
    let header = |name: &str| Some((name.to_owned(), json!(response.headers().get(name)?.to_str().ok()?)));
    let headers: Map<String, Value> = names.into_iter().filter_map(header).collect();
    let body = response.into_body().try_into_bytes().unwrap_or_default();
    let error = error_member(&body).map_or_else(|| json!({}).to_string(), |error| error.get().to_owned());
    let headers = if headers.is_empty() { String::new() } else { format!(r#""headers":{},"#, Value::Object(headers)) };
    Bytes::from(format!(r#"{{"type":"error","status":{status},{headers}"error":{error}}}"#))
}

/// Returns the member `error` of a body, as it stands; the whole body, if it is JSON without one.
fn error_member(body: &[u8]) -> Option<Box<RawValue>> {
    let members: std::collections::BTreeMap<String, Box<RawValue>> = serde_json::from_slice(body).ok()?;
    let whole = || serde_json::from_slice(body).ok();
    members.into_iter().find_map(|(name, value)| (name == "error").then_some(value)).or_else(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_becomes_an_event_with_what_clients_act_on() {
        let told: Value = serde_json::from_slice(&event_of(&ApiError::Overloaded("x"))).expect("JSON");
        assert_eq!((&told["type"], &told["status"]), (&json!("error"), &json!(503)));
        assert_eq!(told["error"]["code"], "server_overloaded");
        assert_eq!(told["headers"]["retry-after"], "1");
        let told = event(HttpResponse::BadRequest().body(r#"{"error": {"message":"m" }}"#));
        assert_eq!(told, r#"{"type":"error","status":400,"error":{"message":"m" }}"#);
        let told = event(HttpResponse::BadGateway().body("<html>"));
        assert_eq!(told, r#"{"type":"error","status":502,"error":{}}"#);
    }

    #[test]
    fn a_code_that_is_never_sent_becomes_one_that_is() {
        for (came, sent) in
            [(None, 1000), (Some(1001), 1001), (Some(1005), 1000), (Some(1006), 1000), (Some(4001), 4001)]
        {
            assert_eq!(sendable(came.map(|code| SocketClose::new(code, "x"))).code, sent);
        }
    }
}
