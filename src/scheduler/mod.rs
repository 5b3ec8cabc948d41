//! Who serves a request: the routing table, the strategy, and the upstreams' supervisor.
//!
//! In reading order: `messages` (the contract), `actor` (wiring), `routes` (which upstream serves which model),
//! `strategy` (which of them is asked first), `line` (who waits for a quota to free) `rates` (what clients are told
//! of the limits) and `reports` (what can be asked about the pool).

mod actor;
mod line;
mod messages;
mod rates;
mod reports;
mod routes;
mod strategy;

pub use actor::SchedulerActor;
pub use messages::{
    AdmissionError, ApiReport, GetModels, GetReports, GetTokenReports, ModelNames, ModelsFound, ResetTokenStats,
    Select, StopUpstreams, UnknownApi,
};
