//! What a quota knows of its own counts, from the start to the first admission.

/// What a quota knows of its counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum KnownCounts {
    /// The saved ones are not read yet.
    #[default]
    None,
    /// Its own: the quota comes back, and others know what was used meanwhile.
    Own,
    /// All.
    All,
}
