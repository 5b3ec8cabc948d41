//! The rows of the Realtime API: WebSockets, secrets for browsers, and calls.

use super::{Route, blind, get, in_forms, likely, post, runs};
use crate::dialect::routes::{ModelPlace, SecretUse, SocketUse, with_secrets};

/// The models behind a realtime session without a model.
const REALTIME_MODELS: &[&str] = &["gpt-realtime", "gpt-4o-realtime", "gpt-4o-mini-realtime", "gpt-4o-transcribe"];

/// Every row about realtime, by path.
pub(in crate::dialect::routes) static REALTIME_ROUTES: &[Route] = &[
    socket("realtime"),
    socket("realtime/translations"),
    session("realtime/sessions"),
    session("realtime/transcription_sessions"),
    session("realtime/client_secrets"),
    session("realtime/translations/client_secrets"),
    in_forms(opened_by_secrets(post("realtime/calls"))),
    blind(runs(Route { model: ModelPlace::BodyOrNowhere, ..post("realtime/calls/{id}/accept") })),
    post("realtime/calls/{id}/hangup"),
    post("realtime/calls/{id}/refer"),
    post("realtime/calls/{id}/reject"),
];

/// A WebSocket. Each response counts, and not the connection.
const fn socket(path: &'static str) -> Route {
    Route { websocket: Some(SocketUse::Realtime), ..opened_by_secrets(get(path)) }
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
