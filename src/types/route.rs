//! The name of a route.

use std::fmt;

use super::WireFormat;

/// Names a row of the route table by the path below `/v1/`. Two routes never have the same path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RouteId {
    path: &'static str,
    format: WireFormat,
    is_free: bool,
}

impl RouteId {
    /// Names the route of OpenAI's format with this path below `/v1/`.
    pub const fn new(path: &'static str) -> Self {
        RouteId { path, format: WireFormat::OpenAi, is_free: false }
    }

    /// Names the route of Anthropic's format with this path below `/v1/`.
    pub const fn anthropic(path: &'static str) -> Self {
        RouteId { path, format: WireFormat::Anthropic, is_free: false }
    }

    /// Names the same route as one whose requests count against no limit.
    pub const fn free(self) -> Self {
        RouteId { is_free: true, ..self }
    }

    /// Returns the path below `/v1/`, or below an upstream's base URL.
    pub const fn path(self) -> &'static str {
        self.path
    }

    /// Returns the format of the route's requests and answers.
    pub const fn format(self) -> WireFormat {
        self.format
    }

    /// Returns whether requests count against no limit, as they cost nothing.
    pub const fn is_free(self) -> bool {
        self.is_free
    }

    /// Returns whether this is the route at a whole path, `/v1/` in front.
    pub fn is_at(self, path: &str) -> bool {
        path.strip_prefix("/v1/") == Some(self.path)
    }
}

impl fmt::Display for RouteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/v1/{}", self.path)
    }
}
