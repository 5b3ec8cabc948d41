//! The rows of the Realtime API: WebSockets, secrets for browsers, and calls; and of live sessions over WebRTC and SIP.

use super::{Route, blind, content, get, in_forms, likely, post, runs};
use crate::dialect::routes::{ModelPlace, ObjectRules, RealtimeUnit, SecretUse, SocketUse};

/// The models behind a realtime session without a model.
const REALTIME_MODELS: &[&str] = &["gpt-realtime", "gpt-4o-realtime", "gpt-4o-mini-realtime", "gpt-4o-transcribe"];

/// The models behind a live session without a model: one that goes on.
const LIVE_MODELS: &[&str] = &["gpt-live"];

/// Every row about realtime, by path.
pub(in crate::dialect::routes) static REALTIME_ROUTES: &[Route] = &[
    socket("realtime", RealtimeUnit::Response),
    socket("realtime/translations", RealtimeUnit::Connection),
    session("realtime/sessions"),
    session("realtime/transcription_sessions"),
    session("realtime/client_secrets"),
    session("realtime/translations/client_secrets"),
    in_forms(opened_by_secrets(post("realtime/calls"))),
    blind(runs(Route { model: ModelPlace::BodyOrNowhere, ..post("realtime/calls/{id}/accept") })),
    post("realtime/calls/{id}/hangup"),
    post("realtime/calls/{id}/refer"),
    post("realtime/calls/{id}/reject"),
    live("live/sessions"),
    live("live/sessions/{id}/accept"),
    content("live/sessions/{id}/content"),
    live("live/sessions/{id}/fork"),
    post("live/sessions/{id}/hangup"),
    post("live/sessions/{id}/refer"),
    post("live/sessions/{id}/reject"),
];

/// What begins a live session over WebRTC or SIP, whose sound does not pass the pool.
const fn live(path: &'static str) -> Route {
    Route { model: ModelPlace::BodyOrSession, ..likely(LIVE_MODELS, blind(runs(post(path)))) }
}

/// A WebSocket.
const fn socket(path: &'static str, counts: RealtimeUnit) -> Route {
    Route { websocket: Some(SocketUse::Realtime(counts)), ..opened_by_secrets(get(path)) }
}

/// What makes a secret: counted as what may run a model, as the account takes the secret without the pool, too.
const fn session(path: &'static str) -> Route {
    let row = with_secrets(SecretUse::Made, likely(REALTIME_MODELS, blind(runs(post(path)))));
    Route { model: ModelPlace::BodyOrSession, ..row }
}

/// The same row as one with the model in the query, which a secret opens, too.
const fn opened_by_secrets(row: Route) -> Route {
    let row = with_secrets(SecretUse::Taken, likely(REALTIME_MODELS, blind(runs(row))));
    Route { model: ModelPlace::QueryOrNowhere, ..row }
}

/// Returns the same row, with something to do with secrets of realtime sessions.
const fn with_secrets(secret: SecretUse, route: Route) -> Route {
    Route { objects: ObjectRules { secret, ..route.objects }, ..route }
}
