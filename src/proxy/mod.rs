//! The data path. The story of one request:
//!
//! 1. [`request`]: a peek at the body finds `model` and `stream`, and what it may cost ([`demand`]); the bytes stay as
//!    the client sent them.
//! 2. [`mod@dispatch`]: the loop. Asks the scheduler for a permit, makes an attempt, and tries the next upstream if it failed.
//!    [`journey`] knows whom the request has been to, and [`retry`] whether it may go on.
//! 3. [`exchange`]: one attempt with one upstream over [`transport`].
//! 4. [`arrival`]: what came, judged, up to the point from which the client sees it. [`headers`], [`told`], [`classify`], [`no_model`],
//!    [`learn`]: what is sent up and let down, how an upstream words an error, what that means, and what it tells of its own limits.
//!    [`scrub`] takes its key out of it.
//! 5. [`answer`], [`stream`], [`event`], [`sse`]: is the answer whole, what did it cost, where does an event end?
//! 6. [`body`]: the answer on its way to the client. It owns the permit, and settles it when it ends, in whatever way.
//!    [`ping`] keeps a stream alive that has nothing to say.
//!
//! Beside the path, [`discovery`] asks upstreams for their models, and [`access_log`] writes the line of each request.
//!
//! # Invariants
//! 1. One permit is one attempt, counted against the quota before a byte is sent. Dropping it *is* the release.
//! 2. The commit point is the upstream's head and, for a stream, its first event that carries content (or an error).
//!    Before it another upstream may be tried, unseen by the client. After it never: then a failure is told, as an SSE
//!    error event without `[DONE]`, or by aborting the body.
//! 3. The request body stays the original `Bytes`. Nothing re-encodes it; a mapped model is spliced in.
//! 4. Who drops the response (client gone, timeout, shutdown) settles the permit; there is no other place of account.
//! 5. Every wait for an upstream has a deadline: connect, head, first token, idle gap, total.
//! 6. A client that hangs up stops the upstream within a second.

mod access_log;
mod answer;
mod arrival;
mod body;
mod classify;
mod demand;
mod depth;
mod discovery;
mod dispatch;
mod event;
mod exchange;
#[doc(hidden)]
pub mod fuzzing;
mod headers;
mod journey;
mod learn;
mod no_model;
mod ping;
mod request;
mod retry;
mod scrub;
mod sse;
mod stream;
mod told;
mod transport;

pub use access_log::AccessLog;
pub use body::FailureTold;
pub use discovery::{DiscoveryActor, FirstRound};
pub use dispatch::{Pool, dispatch};
pub use ping::with_pings;
pub use request::{ClientRequest, InvalidRequest};
pub use retry::{BudgetReport, RetryBudget};
pub use stream::EventStream;
pub use transport::Clients;
