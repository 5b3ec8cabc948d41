//! The route table: a row for each path that is forwarded. The HTTP routes are made from it, and nothing else knows a path.

use super::Dialect;
use super::openai::OpenAi;
use super::reply_kind::ReplyKind;
use crate::types::RouteId;

/// A row of the table.
#[derive(Debug)]
pub struct Route {
    /// The path below `/v1/`. The path upstream comes from here, never from what a client typed.
    pub id: RouteId,
    /// What kind of answer a success is.
    pub reply: ReplyKind,
    /// Is a WebSocket served at this path, for `GET` with `Upgrade: websocket`?
    pub websocket: bool,
    /// What the bytes of requests and answers mean.
    pub(crate) dialect: &'static dyn Dialect,
}

/// Every route. What is asked most stands first.
pub static ROUTES: [Route; 7] = [
    route("chat/completions", ReplyKind::Chat),
    route("completions", ReplyKind::Completion),
    route("embeddings", ReplyKind::Json),
    route("moderations", ReplyKind::Json),
    route("responses", ReplyKind::Responses),
    route("images/generations", ReplyKind::Json),
    route("audio/speech", ReplyKind::Bytes),
];

const fn route(path: &'static str, reply: ReplyKind) -> Route {
    Route { id: RouteId::new(path), reply, websocket: false, dialect: &OpenAi }
}

/// A route with this kind of answer.
#[cfg(test)]
pub(crate) fn any(kind: ReplyKind) -> &'static Route {
    ROUTES.iter().find(|route| route.reply == kind).expect("each kind has a route")
}
