//! The name of a route.

use std::fmt;

/// Names a row of the route table by the path below `/v1/`. Two routes never have the same path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RouteId(&'static str);

impl RouteId {
    /// Names the route with this path below `/v1/`.
    pub const fn new(path: &'static str) -> Self {
        RouteId(path)
    }

    /// Returns the path below `/v1/`, or below an upstream's base URL.
    pub const fn path(self) -> &'static str {
        self.0
    }

    /// Returns whether this is the route at a whole path, `/v1/` in front.
    pub fn is_at(self, path: &str) -> bool {
        path.strip_prefix("/v1/") == Some(self.0)
    }
}

impl fmt::Display for RouteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/v1/{}", self.0)
    }
}
