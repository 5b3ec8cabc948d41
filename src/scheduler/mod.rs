//! Which upstream serves a request: the routing table, the choice by weight, and the supervisor of the upstreams.
//!
//! In reading order:
//!
//! - `messages`: the contract. `worker`: the scheduler of one worker, with the fast paths.
//! - `slow_path`: what a worker asks the supervisor. `supervisor`: the decisions of all workers, and the upstreams' actors.
//! - `selection`: one selection. `wait_queue`: requests in wait for a limit.
//! - `snapshot`: what the supervisor shows the workers. `routes`, `model_names` and `weighted_tiers`: parts of the snapshot.
//! - `reports`: questions about the pool.

mod ledgers;
mod messages;
mod model_names;
mod panic_mode;
mod reports;
mod routes;
mod selection;
mod similar_names;
mod slow_path;
mod snapshot;
mod supervisor;
mod wait_queue;
mod weighted_tiers;
mod worker;

#[cfg(test)]
mod testing;

pub use crate::persistence::{GetStores, StoreReport};
pub use messages::{
    AdmissionError, Admitted, ApiReport, ClearRest, GetModels, GetReports, GetSimilarNames, GetTokenReports,
    GetWaiting, ModelsFound, ModelsUnavailable, ResetTokenStats, RestUpstream, Select, StopUpstreams, UnknownApi,
};
pub use model_names::{ModelNames, ServedNames};
pub use supervisor::SupervisorActor;
pub use weighted_tiers::{Candidate, WeightedTiers};
pub use worker::SchedulerActor;
