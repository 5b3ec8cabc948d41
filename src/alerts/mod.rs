//! Messages to people about events: webhooks.
//!
//! 1. Whoever owns a fact sends an [`Alert`] when the fact changes. Nobody polls for changes, and no request waits.
//! 2. Each event is told once for each occurrence. The owner of the fact remembers what was told.
//! 3. Each receiver has a queue of its own: messages go one after the other, and a dead receiver delays nobody else.
//! 4. A message holds names, numbers and times. It never holds a key, a prompt, an answer, or an upstream's own words.
//!
//! In reading order: `alert` (what happened), `text` (the same in words), `body` (the JSON), `messages` and `actor`, `receiver` (a queue), `delivery`
//! (the tries), `post` (one try).

mod actor;
mod alert;
mod body;
mod delivery;
mod messages;
mod post;
mod receiver;
mod text;

pub use actor::AlertsActor;
pub use alert::{Alert, AlertFacts};
pub use messages::{AlertSender, FlushAlerts, GetReceivers, ReceiverReport};
pub use post::{PostFailure, post_test};
