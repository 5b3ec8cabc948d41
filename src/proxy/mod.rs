//! The data path. Begin with `dispatch.rs`.

mod attempt;
mod attempt_error;
mod client_request;
mod client_secrets;
mod commit;
mod discovery;
mod dispatch;
mod file_copies;
#[doc(hidden)]
pub mod fuzzing;
mod headers;
mod key_rights;
mod merged_list;
pub mod model_list;
pub mod own_chat;
mod pool;
mod replicate;
mod response;
mod retry_state;
pub mod trial;
mod upload;
mod websocket;

pub use client_request::query::key_in_query;
pub use client_request::{ClientRequest, InvalidRequest};
pub use client_secrets::{ClientSecret, ClientSecrets};
pub use discovery::{DiscoveryActor, FirstRound};
pub use dispatch::{dispatch, refuse};
pub use file_copies::FileCopies;
pub use key_rights::{key_in_force, refuse_by_limits};
pub use merged_list::merged_list;
pub use pool::Pool;
pub use pool::budget::{BudgetReport, RetryBudget};
pub use response::body::FailureShown;
pub use response::sse_keepalive::with_pings;
pub use transport::ClientCache;
pub use upload::{FormBytes, FormScanner, ReceivedForm, Spool, SpoolError};
pub use websocket::{
    ClientSocket, RealtimeSocket, RequestMemory, SocketEvidence, SocketHost, any_upstream_speaks, open_realtime, serve,
};
