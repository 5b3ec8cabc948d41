//! The formats in which clients and upstreams speak.

use std::fmt;

use serde::Deserialize;

/// The format of requests and answers. A client and the upstream speak the same one: nothing is translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WireFormat {
    /// Of OpenAI's API, and of all that copy it.
    OpenAi,
    /// Of Anthropic's API (`/v1/messages`).
    Anthropic,
}

impl WireFormat {
    /// Every format.
    pub const ALL: [WireFormat; 2] = [WireFormat::OpenAi, WireFormat::Anthropic];

    /// Returns the name in `/v1/status`.
    pub const fn as_str(self) -> &'static str {
        match self {
            WireFormat::OpenAi => "openai",
            WireFormat::Anthropic => "anthropic",
        }
    }

    /// Returns the field of `apis` with the base URL of this format.
    pub const fn base_url_field(self) -> &'static str {
        match self {
            WireFormat::OpenAi => "baseUrl",
            WireFormat::Anthropic => "anthropicBaseUrl",
        }
    }

    /// Returns the path of the format's most usual request.
    pub const fn usual_path(self) -> &'static str {
        match self {
            WireFormat::OpenAi => "/v1/chat/completions",
            WireFormat::Anthropic => "/v1/messages",
        }
    }

    /// Returns the other format.
    pub const fn other(self) -> WireFormat {
        match self {
            WireFormat::OpenAi => WireFormat::Anthropic,
            WireFormat::Anthropic => WireFormat::OpenAi,
        }
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
}

impl<T> ByFormat<T> {
    /// Makes each value by a call.
    pub fn from_fn(mut value: impl FnMut(WireFormat) -> T) -> Self {
        ByFormat { openai: value(WireFormat::OpenAi), anthropic: value(WireFormat::Anthropic) }
    }

    /// Returns the value of this format.
    pub fn of(&self, format: WireFormat) -> &T {
        match format {
            WireFormat::OpenAi => &self.openai,
            WireFormat::Anthropic => &self.anthropic,
        }
    }

    /// Returns the value of this format, to be changed.
    pub fn of_mut(&mut self, format: WireFormat) -> &mut T {
        match format {
            WireFormat::OpenAi => &mut self.openai,
            WireFormat::Anthropic => &mut self.anthropic,
        }
    }

    /// Returns all values, each with its format.
    pub fn iter(&self) -> impl Iterator<Item = (WireFormat, &T)> {
        WireFormat::ALL.into_iter().map(|format| (format, self.of(format)))
    }
}
