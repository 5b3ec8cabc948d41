//! The OpenAI endpoints that the pool forwards, and what is peculiar to each.

use std::fmt;

/// One forwarded endpoint. The path upstream comes from this table alone, never from what a client typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `POST /v1/chat/completions`
    ChatCompletions,
    /// `POST /v1/completions`
    Completions,
    /// `POST /v1/embeddings`
    Embeddings,
    /// `POST /v1/moderations`
    Moderations,
    /// `POST /v1/responses`
    Responses,
    /// `POST /v1/images/generations`
    ImagesGenerations,
    /// `POST /v1/audio/speech`
    AudioSpeech,
}

impl Operation {
    /// Every operation; the routes are made from this.
    pub const ALL: [Operation; 7] = [
        Operation::ChatCompletions,
        Operation::Completions,
        Operation::Embeddings,
        Operation::Moderations,
        Operation::Responses,
        Operation::ImagesGenerations,
        Operation::AudioSpeech,
    ];

    /// The path below `/v1/`.
    pub fn path(self) -> &'static str {
        match self {
            Operation::ChatCompletions => "chat/completions",
            Operation::Completions => "completions",
            Operation::Embeddings => "embeddings",
            Operation::Moderations => "moderations",
            Operation::Responses => "responses",
            Operation::ImagesGenerations => "images/generations",
            Operation::AudioSpeech => "audio/speech",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/v1/{}", self.path())
    }
}
