//! The route table: a row for each path that is forwarded. The HTTP routes are made from it, and nothing else knows a path.

use super::Dialect;
use super::openai::OpenAi;
use crate::types::RouteId;

/// A row of the table.
#[derive(Debug)]
pub struct Route {
    /// The path below `/v1/`. The path upstream comes from here, never from what a client typed.
    pub id: RouteId,
    /// What kind of answer a success is.
    pub reply: ReplyKind,
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
    Route { id: RouteId::new(path), reply, dialect: &OpenAi }
}

/// The kind of a success. Each question is an exhaustive `match`: a new kind must be decided everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyKind {
    /// A chat completion, whole or as chunks.
    Chat,
    /// A legacy text completion, whole or as chunks.
    Completion,
    /// A response of the Responses API, whole or as events.
    Responses,
    /// Another JSON object: embeddings, moderations, images.
    Json,
    /// Bytes without text: speech.
    Bytes,
}

impl ReplyKind {
    /// Returns whether a stream reports usage only when `stream_options.include_usage` asks for usage.
    pub fn usage_must_be_asked(self) -> bool {
        match self {
            ReplyKind::Chat | ReplyKind::Completion => true,
            ReplyKind::Responses | ReplyKind::Json | ReplyKind::Bytes => false,
        }
    }

    /// Returns whether the model generates text. Such an answer costs tokens, estimated from its
    /// length where the upstream reports none. The stream ends with a mark, and the client chooses between one JSON
    /// object and a stream.
    pub fn generates_text(self) -> bool {
        match self {
            ReplyKind::Chat | ReplyKind::Completion | ReplyKind::Responses => true,
            ReplyKind::Json | ReplyKind::Bytes => false,
        }
    }
}

/// A route with this kind of answer.
#[cfg(test)]
pub(crate) fn any(kind: ReplyKind) -> &'static Route {
    ROUTES.iter().find(|route| route.reply == kind).expect("each kind has a route")
}
