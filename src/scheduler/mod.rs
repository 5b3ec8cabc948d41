//! Who serves a request: the routing table, the strategy, and the upstreams' supervisor.
//!
//! In reading order: `messages` (the contract), `actor` (wiring), `routes` (which upstream serves which model),
//! `strategy` (which of them is asked first) and `line` (who waits for a quota to free).

mod actor;
mod line;
mod messages;
mod routes;
mod strategy;

pub use actor::SchedulerActor;
pub use messages::{
    AdmissionError, ApiReport, GetModels, GetReports, GetTokenReports, ModelNames, ModelsFound, ResetTokenStats,
    Select, StopUpstreams, UnknownApi,
};
