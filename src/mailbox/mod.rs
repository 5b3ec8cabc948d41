//! The mailboxes of all kinds of actors: the present and the greatest depth, refused messages, and the capacity.
//!
//! 1. An actor of ours runs in the [`Context`] of this room, and is started by [`LaunchActor`]. Senders need not know.
//! 2. A message counts from the queue until the handler begins: two additions to an atomic.
//! 3. Kinds with an instance on each worker count by thread, so no core waits for another one's count.
//! 4. A capacity bounds `try_send` (refused when full) and `send` (waits when full). `do_send` ignores the capacity: news and
//!    settlements are never lost.
//! 5. Tasks, later replies and jobs that block are of one type each (`tasks`): the program would be much larger otherwise.
//! 6. An actor with a queue beside the mailbox reads the queue in batches ([`ReadsInBatches`]).

mod batches;
mod context;
mod gauge;
mod kind;
mod tasks;

pub use batches::{BATCH_INTERVAL, ReadsInBatches};
pub use context::{Context, LaunchActor, LivesInMailbox};
pub use gauge::{MailboxReport, QueueGauge, mailbox_reports, refused, set_capacity};
pub use kind::{ActorKind, WhenFull};
pub use tasks::{JobLost, LaterReply, blocking, spawn};

#[cfg(test)]
mod tests;
