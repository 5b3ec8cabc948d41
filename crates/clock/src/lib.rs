//! Time as a value, and the moment at which an attempt's request was sent.
//!
//! Quotas read both, and the transport sets the second. Neither needs to know the other.

mod clock;
mod sent_at;

pub use clock::{Now, Uptime};
pub use sent_at::{SendProgress, SentAt};
