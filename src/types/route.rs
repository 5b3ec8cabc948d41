//! The name of a route.

use std::fmt;

use super::WireFormat;

/// The method of a request that is forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verb {
    /// Ask for something that is there.
    Get,
    /// Make or do something.
    Post,
    /// Replace something.
    Put,
    /// Change something.
    Patch,
    /// Remove something.
    Delete,
}

impl Verb {
    /// Returns the method as written in a request.
    pub const fn as_str(self) -> &'static str {
        match self {
            Verb::Get => "GET",
            Verb::Post => "POST",
            Verb::Put => "PUT",
            Verb::Patch => "PATCH",
            Verb::Delete => "DELETE",
        }
    }

    /// Returns the verb with this name.
    pub fn of(method: &str) -> Option<Verb> {
        [Verb::Get, Verb::Post, Verb::Put, Verb::Patch, Verb::Delete].into_iter().find(|verb| verb.as_str() == method)
    }
}

/// Names a row of the route table by method, format and the path below `/v1/`. A part of the path in braces stands for an id. In Gemini's
/// format the path has the version, and stands below the server's root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RouteId {
    path: &'static str,
    verb: Verb,
    format: WireFormat,
    is_free: bool,
    likely_models: &'static [&'static str],
}

impl RouteId {
    /// Names the route of OpenAI's format with this path below `/v1/`.
    pub const fn new(path: &'static str) -> Self {
        RouteId { path, verb: Verb::Post, format: WireFormat::OpenAi, is_free: false, likely_models: &[] }
    }

    /// Names the route of Anthropic's format with this path below `/v1/`.
    pub const fn anthropic(path: &'static str) -> Self {
        RouteId { format: WireFormat::Anthropic, ..RouteId::new(path) }
    }

    /// Names the route of Gemini's format with this path, the version included.
    pub const fn gemini(path: &'static str) -> Self {
        RouteId { format: WireFormat::Gemini, ..RouteId::new(path) }
    }

    /// Names the same route as one whose requests count against the limits.
    pub const fn counted(self) -> Self {
        RouteId { is_free: false, ..self }
    }

    /// Names the route with this method in place of `POST`.
    pub const fn by(self, verb: Verb) -> Self {
        RouteId { verb, ..self }
    }

    /// Names the same route as one where accounts with such models come first for a request without a model. Each is the begin of
    /// names.
    pub const fn likely(self, likely_models: &'static [&'static str]) -> Self {
        RouteId { likely_models, ..self }
    }

    /// Names the same route as one whose requests count against no limit.
    pub const fn free(self) -> Self {
        RouteId { is_free: true, ..self }
    }

    /// Returns the path below `/v1/`, or below an upstream's base URL. Of Gemini's format: the path below the root.
    pub const fn path(self) -> &'static str {
        self.path
    }

    /// Returns the method.
    pub const fn verb(self) -> Verb {
        self.verb
    }

    /// Returns the begins of the names of models that an account with this path is likely to serve.
    pub const fn likely_models(self) -> &'static [&'static str] {
        self.likely_models
    }

    /// Returns the format of the route's requests and answers.
    pub const fn format(self) -> WireFormat {
        self.format
    }

    /// Returns whether requests count against no limit, as they cost nothing.
    pub const fn is_free(self) -> bool {
        self.is_free
    }

    /// Returns what stands in front of the path.
    pub const fn root(self) -> &'static str {
        match self.format {
            WireFormat::OpenAi | WireFormat::Anthropic => "/v1/",
            WireFormat::Gemini => "/",
        }
    }

    /// Returns whether this is the route at a whole path, `/v1/` in front where the format has that.
    pub fn is_at(self, path: &str) -> bool {
        path.strip_prefix(self.root()) == Some(self.path)
    }
}

impl fmt::Display for RouteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root = self.root();
        match self.verb {
            Verb::Post => write!(f, "{root}{}", self.path),
            Verb::Get | Verb::Put | Verb::Patch | Verb::Delete => {
                write!(f, "{} {root}{}", self.verb.as_str(), self.path)
            }
        }
    }
}
