//! The admission of clients' keys: limits and budgets that hold.
//!
//! 1. A key is asked once a request, after the request was understood and before an upstream is selected. A key without limits is
//!    not asked, and a free request takes nothing.
//! 2. A key has the quotas of its `limits`, and one more for each period of `limits` and `budgets`. A request is admitted by all of
//!    these or by none, and the units are reserved before anything is sent.
//! 3. The answer is a [`KeyPermit`]. The request's record holds the permit, and settles it at any end of the request: with the
//!    tokens and the cost of all attempts. A request that reached no upstream is given back.
//! 4. Requests do not wait for a minute or a day of their key. Only upstreams have wait queues.
//! 5. What a key has spent belongs to its name. An absent key's counts are kept for its return.
//!
//! In reading order: `messages` (the contract), `demand` (what a request may take), `gate` (a worker's side), `path` (the credits
//! that a worker takes), `permit`, `actor` (the owner of all quotas).

mod actor;
mod demand;
mod gate;
mod limits;
mod messages;
mod path;
mod permit;
mod refusal;

pub use actor::KeysActor;

pub use gate::KeyGate;
pub use messages::{GetKeyStatus, KeyStatus, StopKeys};
pub use permit::{KeyPermit, KeySpending};
pub use refusal::{FullLimit, KeyAdmissionError, KeyReason};
