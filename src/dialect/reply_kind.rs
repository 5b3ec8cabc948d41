//! The kinds of answers.

/// The kind of a success. Each question is an exhaustive `match`: a new kind must be decided everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyKind {
    /// A chat completion, whole or as chunks.
    Chat,
    /// A legacy text completion, whole or as chunks.
    Completion,
    /// A response of the Responses API, whole or as events.
    Responses,
    /// A message of Anthropic's API, whole or as events.
    Messages,
    /// A generation of Gemini's API, whole or in pieces.
    Generation,
    /// Another JSON object: embeddings, moderations, images, a count of tokens.
    Json,
    /// Bytes without text: speech.
    Bytes,
    /// What was said, as JSON, as text (subtitles too), or as events.
    Transcript,
    /// An object that lives on an account, a list of such objects, or events about one. Nothing, too, where nothing is to be said.
    Object,
    /// The content of a file: any bytes, or none.
    File,
}

impl ReplyKind {
    /// Returns whether a stream reports usage only when `stream_options.include_usage` asks for usage.
    pub fn usage_must_be_asked(self) -> bool {
        match self {
            ReplyKind::Chat | ReplyKind::Completion => true,
            ReplyKind::Responses
            | ReplyKind::Messages
            | ReplyKind::Generation
            | ReplyKind::Json
            | ReplyKind::Bytes
            | ReplyKind::Transcript
            | ReplyKind::Object
            | ReplyKind::File => false,
        }
    }

    /// Returns whether answers make objects that live on one account.
    pub fn has_objects(self) -> bool {
        match self {
            ReplyKind::Responses | ReplyKind::Object => true,
            ReplyKind::Chat
            | ReplyKind::Completion
            | ReplyKind::Messages
            | ReplyKind::Generation
            | ReplyKind::Json
            | ReplyKind::Bytes
            | ReplyKind::Transcript
            | ReplyKind::File => false,
        }
    }

    /// Returns whether the model generates text. Such an answer costs tokens, estimated from its
    /// length where the upstream reports none. The stream ends with a mark, and the client chooses between one JSON
    /// object and a stream.
    pub fn generates_text(self) -> bool {
        match self {
            ReplyKind::Chat
            | ReplyKind::Completion
            | ReplyKind::Responses
            | ReplyKind::Messages
            | ReplyKind::Generation => true,
            ReplyKind::Json | ReplyKind::Bytes | ReplyKind::Transcript | ReplyKind::Object | ReplyKind::File => false,
        }
    }
}
