//! The quotas of all upstreams, and the talk with the store. The arithmetic is in the crate `quota`.
//!
//! In reading order: `registry` (all quotas), `handle` (one quota), `store_requests`, `quota_clock`, `admission` (one attempt in
//! several quotas).

mod admission;
mod handle;
mod quota_clock;
mod registry;
mod store_requests;

pub(super) use admission::{Admission, admit, room};
pub(super) use handle::{Paused, QuotaHandle};
pub(super) use registry::ApiQuotas;
pub use registry::QuotaRegistry;

#[cfg(test)]
mod tests;
