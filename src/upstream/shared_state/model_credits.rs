//! The credits for one model of an upstream.

use std::sync::Arc;

use quota::Credits;

/// Credits by quota, in order; `None` for a quota without bounds: of an API, of a group, and of the model in both, and of the limits of
/// other periods.
pub(in crate::upstream) type CreditsByQuota = Box<[Option<Arc<Credits>>]>;

/// The credits of an attempt's quotas. Events and the fast path share one value: the actor knows by its address which quotas
/// the units came from.
#[derive(Debug)]
pub(crate) struct ModelCredits {
    /// By the upstream's own name.
    pub(in crate::upstream) model: Arc<str>,
    pub(in crate::upstream) credits: CreditsByQuota,
}
