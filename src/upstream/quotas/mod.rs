//! The quotas of all upstreams, with their stores. The arithmetic is in the crate `quota`.
//!
//! In reading order: `registry` (which quotas there are), `handle` (one quota), `store_requests` (how it talks with its store),
//! `quota_clock`, `admission` (one attempt in all of its quotas, or in none).

mod admission;
mod handle;
mod quota_clock;
mod registry;
mod store_requests;

pub(super) use admission::{Admission, admit, room};
pub(super) use handle::{Paused, QuotaHandle};
pub(super) use registry::ApiQuotas;
pub use registry::QuotaRegistry;
