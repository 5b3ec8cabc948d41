//! How much of its use a quota knows, from the start to the first admission.

/// How much of its use a quota knows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum KnownCounts {
    /// Nothing: the saved counts are not read yet.
    #[default]
    None,
    /// The use until the quota was removed. The shared store knows the use of other servers since then.
    Own,
    /// The whole use.
    All,
}
