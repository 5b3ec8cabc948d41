//! The formats in which clients and upstreams speak.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The format of requests and answers. A client and the upstream speak the same one: nothing is translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WireFormat {
    /// Of OpenAI's API, and of all that copy it.
    OpenAi,
    /// Of Anthropic's API (`/v1/messages`).
    Anthropic,
    /// Of Gemini's own API (`/v1beta/models/M:generateContent`).
    Gemini,
}

impl WireFormat {
    /// Every format.
    pub const ALL: [WireFormat; 3] = [WireFormat::OpenAi, WireFormat::Anthropic, WireFormat::Gemini];

    /// Returns the name in `/v1/status`.
    pub const fn as_str(self) -> &'static str {
        match self {
            WireFormat::OpenAi => "openai",
            WireFormat::Anthropic => "anthropic",
            WireFormat::Gemini => "gemini",
        }
    }

    /// Returns the field of `apis` with the base URL of this format.
    pub const fn base_url_field(self) -> &'static str {
        match self {
            WireFormat::OpenAi => "baseUrl",
            WireFormat::Anthropic => "anthropicBaseUrl",
            WireFormat::Gemini => "geminiBaseUrl",
        }
    }

    /// Returns the path of the format's most usual request.
    pub const fn usual_path(self) -> &'static str {
        match self {
            WireFormat::OpenAi => "/v1/chat/completions",
            WireFormat::Anthropic => "/v1/messages",
            WireFormat::Gemini => "/v1beta/models/{model}:generateContent",
        }
    }

    /// Returns the format's name for people.
    pub const fn title(self) -> &'static str {
        match self {
            WireFormat::OpenAi => "OpenAI",
            WireFormat::Anthropic => "Anthropic",
            WireFormat::Gemini => "Gemini",
        }
    }

    /// Returns all other formats.
    pub fn others(self) -> impl Iterator<Item = WireFormat> {
        WireFormat::ALL.into_iter().filter(move |format| *format != self)
    }
}

impl fmt::Display for WireFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A value for each format.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ByFormat<T> {
    openai: T,
    anthropic: T,
    gemini: T,
}

impl<T> ByFormat<T> {
    /// Makes each value by a call.
    pub fn from_fn(mut value: impl FnMut(WireFormat) -> T) -> Self {
        ByFormat {
            openai: value(WireFormat::OpenAi),
            anthropic: value(WireFormat::Anthropic),
            gemini: value(WireFormat::Gemini),
        }
    }

    /// Returns the value of this format.
    pub fn of(&self, format: WireFormat) -> &T {
        match format {
            WireFormat::OpenAi => &self.openai,
            WireFormat::Anthropic => &self.anthropic,
            WireFormat::Gemini => &self.gemini,
        }
    }

    /// Returns the value of this format, to be changed.
    pub fn of_mut(&mut self, format: WireFormat) -> &mut T {
        match format {
            WireFormat::OpenAi => &mut self.openai,
            WireFormat::Anthropic => &mut self.anthropic,
            WireFormat::Gemini => &mut self.gemini,
        }
    }

    /// Returns all values, each with its format.
    pub fn iter(&self) -> impl Iterator<Item = (WireFormat, &T)> {
        WireFormat::ALL.into_iter().map(|format| (format, self.of(format)))
    }
}
