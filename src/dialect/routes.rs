//! The route table: a row for each path that is forwarded. The HTTP routes are made from it, and nothing else knows a path.

use super::Dialect;
use super::anthropic::Anthropic;
use super::openai::OpenAi;
use super::reply_kind::ReplyKind;
use crate::types::{RouteId, WireFormat};

/// A row of the table.
#[derive(Debug)]
pub struct Route {
    /// The path below `/v1/`. The path upstream comes from here, never from what a client typed.
    pub id: RouteId,
    /// What kind of answer a success is.
    pub reply: ReplyKind,
    /// What is asked in a WebSocket, if one is served at this path, for `GET` with `Upgrade: websocket`.
    pub websocket: Option<SocketTurns>,
    /// Where a body with `input` and without `messages` is meant to go. Cursor sends such a body to the wrong path.
    pub(crate) with_input: Option<&'static Route>,
    /// What the bytes of requests and answers mean.
    pub(crate) dialect: &'static dyn Dialect,
}

/// What is asked in a WebSocket: several requests in turn.
#[derive(Debug)]
pub struct SocketTurns {
    /// The type of the client's message that begins a request. The model stands in the message.
    pub(crate) creates: &'static str,
}

/// A route with a WebSocket.
#[derive(Debug, Clone, Copy)]
pub struct SocketRoute {
    /// The row.
    pub route: &'static Route,
    /// What is asked.
    pub turns: &'static SocketTurns,
}

/// The Responses API's.
const RESPONSES_TURNS: SocketTurns = SocketTurns { creates: "response.create" };

/// Every route. What is asked most stands first.
pub static ROUTES: [Route; 9] = [
    Route { with_input: Some(&RESPONSES), ..route("chat/completions", ReplyKind::Chat) },
    anthropic(RouteId::anthropic("messages"), ReplyKind::Messages),
    route("completions", ReplyKind::Completion),
    route("embeddings", ReplyKind::Json),
    route("moderations", ReplyKind::Json),
    responses(),
    route("images/generations", ReplyKind::Json),
    route("audio/speech", ReplyKind::Bytes),
    anthropic(RouteId::anthropic("messages/count_tokens").free(), ReplyKind::Json),
];

/// Returns the format in which a client of this path speaks. All paths below one of Anthropic's are Anthropic's.
pub fn format_of(path: &str) -> WireFormat {
    let below = path.strip_prefix("/v1/").unwrap_or_default();
    let is_below = |route: &&Route| {
        below.strip_prefix(route.id.path()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    ROUTES.iter().filter(is_below).map(|route| route.id.format()).next().unwrap_or(WireFormat::OpenAi)
}

/// Returns the route of a chat in a format.
pub fn chat_route(format: WireFormat) -> Option<&'static Route> {
    let path = format.usual_path();
    ROUTES.iter().find(|route| route.id.is_at(path) && route.id.format() == format)
}

/// The same row as in the table.
static RESPONSES: Route = responses();

const fn responses() -> Route {
    Route { websocket: Some(RESPONSES_TURNS), ..route("responses", ReplyKind::Responses) }
}

const fn route(path: &'static str, reply: ReplyKind) -> Route {
    Route { id: RouteId::new(path), reply, websocket: None, with_input: None, dialect: &OpenAi }
}

const fn anthropic(id: RouteId, reply: ReplyKind) -> Route {
    Route { id, reply, websocket: None, with_input: None, dialect: &Anthropic }
}

/// A route with this kind of answer.
#[cfg(test)]
pub(crate) fn any(kind: ReplyKind) -> &'static Route {
    ROUTES.iter().find(|route| route.reply == kind).expect("each kind has a route")
}
