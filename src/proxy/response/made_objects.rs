//! The objects that an answer makes. An object lives on the upstream behind the answer.

use crate::homes::Homes;
use crate::types::{ApiId, ObjectKey};

/// The objects of an answer on their way to the homes.
pub(in crate::proxy) struct MadeObjects {
    homes: Homes,
    api: ApiId,
}

impl MadeObjects {
    pub(in crate::proxy) fn new(homes: Homes, api: ApiId) -> Self {
        MadeObjects { homes, api }
    }

    /// Remembers the home of new objects. The client must not have seen the end of the answer before.
    pub(in crate::proxy) fn remember(&self, objects: Vec<ObjectKey>) {
        self.homes.remember(objects, &self.api);
    }
}
