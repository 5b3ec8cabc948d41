//! The files that a body names and that the pool can give to any account (`server.replicateFiles`).

use std::ops::Range;

use crate::types::{ApiId, ObjectKey};

/// The files of one request.
#[derive(Debug)]
pub(in crate::proxy) struct NamedFiles(pub(in crate::proxy) Vec<NamedFile>);

/// A file in a body.
#[derive(Debug)]
pub(in crate::proxy) struct NamedFile {
    pub(in crate::proxy) object: ObjectKey,
    /// The account that took the upload, if known. Nothing is written there in the place of the id.
    pub(in crate::proxy) home: Option<ApiId>,
    /// Where the id stands in the body, between the quotes.
    pub(in crate::proxy) at: Vec<Range<usize>>,
}

impl NamedFiles {
    /// Returns whether an account is the home of all files.
    pub(in crate::proxy) fn live_at(&self, api: &ApiId) -> bool {
        self.0.iter().all(|file| file.home.as_ref() == Some(api))
    }
}
