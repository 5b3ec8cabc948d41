//! How a request ended.

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestEnd {
    /// The client got an answer, whole.
    Answered,
    /// The pool itself refused: the error's code, and why.
    Refused {
        /// `error.code` of the client's answer.
        code: &'static str,
        /// What stood in the way, where the code does not say it: the limit, the rest.
        cause: &'static str,
        /// For a person.
        reason: String,
    },
    /// The client got an upstream's error, or a part of an answer: why.
    Failed(String),
    /// The client left before the end.
    ClientLeft,
    /// The server stopped, and cut the answer off.
    Stopped,
    /// This program panicked.
    Defect,
}

impl RequestEnd {
    /// Returns the code with which the pool itself refused, if so.
    pub fn refused_by(&self) -> Option<&'static str> {
        match self {
            RequestEnd::Refused { code, .. } => Some(code),
            RequestEnd::Answered | RequestEnd::Failed(_) | RequestEnd::ClientLeft => None,
            RequestEnd::Stopped | RequestEnd::Defect => None,
        }
    }
}
