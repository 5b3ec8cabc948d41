//! The quotas of upstreams and clients, and the talk with the store. The arithmetic is in the crate `quota`.
//!
//! In reading order: `registry` (all quotas), `handle` (one quota), `restore`, `store_requests`, `quota_clock`, `admission` (one attempt in
//! several quotas), `status`.

mod admission;
mod event_queue;
mod handle;
mod known_counts;
mod limit_watch;
mod quota_clock;
mod registry;
mod restore;
mod status;
mod store_requests;

pub(crate) use admission::{Admission, admit, join_later, room, spend};
pub(crate) use event_queue::{AppliesEvents, Drain, EventQueue, OwnedEvents, Urgency};
pub(crate) use handle::{Paused, QuotaHandle, pause_all};
pub(crate) use registry::ApiQuotas;
pub use registry::QuotaRegistry;
pub use status::QuotaStatus;

#[cfg(test)]
mod tests;
