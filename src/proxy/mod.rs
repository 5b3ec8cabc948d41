//! The data path. Begin with `dispatch.rs`.

mod attempt;
mod attempt_error;
mod budget;
mod client_request;
mod commit;
mod discovery;
mod dispatch;
#[doc(hidden)]
pub mod fuzzing;
mod headers;
mod hedge;
mod pool;
mod response;
mod response_body;
mod retry_state;
mod sse_keepalive;
mod target;

pub use budget::{BudgetReport, RetryBudget};
pub use client_request::{ClientRequest, InvalidRequest};
pub use discovery::{DiscoveryActor, FirstRound};
pub use dispatch::{dispatch, refuse};
pub use pool::Pool;
pub use response_body::FailureShown;
pub use sse_keepalive::with_pings;
pub use transport::ClientCache;
