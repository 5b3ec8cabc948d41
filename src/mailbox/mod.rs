//! The mailboxes of all kinds of actors: how deep each is, how deep it was, what it refused, and how much it takes.
//!
//! 1. An actor of ours runs in the [`Context`] of this room, and is started by [`LaunchActor`]. Whoever sends knows nothing of that.
//! 2. A message counts from the moment it is queued until its handler begins: two additions to an atomic.
//! 3. Kinds with an instance on each worker count by thread, so no core waits for another one's count.
//! 4. A capacity bounds `try_send` (refused when full) and `send` (waits when full). `do_send` ignores the capacity: news and
//!    settlements are never lost.
//! 5. An actor with a queue beside the mailbox reads that queue in batches ([`ReadsInBatches`]).

mod batches;
mod context;
mod gauge;
mod kind;

pub use batches::{BATCH_INTERVAL, ReadsInBatches};
pub use context::{Context, LaunchActor, LivesInMailbox};
pub use gauge::{MailboxReport, QueueGauge, mailbox_reports, refused, set_capacity};
pub use kind::{ActorKind, WhenFull};

#[cfg(test)]
mod tests;
