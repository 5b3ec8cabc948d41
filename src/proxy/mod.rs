//! The data path. Begin with `dispatch.rs`.

mod attempt;
mod budget;
mod client_request;
mod commit;
mod discovery;
mod dispatch;
#[doc(hidden)]
pub mod fuzzing;
mod headers;
mod hedge;
mod response;
mod response_body;
mod retry_state;
mod sse_keepalive;
mod target;

pub use budget::{BudgetReport, RetryBudget};
pub use client_request::{ClientRequest, InvalidRequest};
pub use discovery::{DiscoveryActor, FirstRound};
pub use dispatch::{Pool, dispatch, refuse};
pub use response_body::FailureTold;
pub use sse_keepalive::with_pings;
pub use transport::ClientCache;
