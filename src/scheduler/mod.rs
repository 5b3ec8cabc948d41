//! Who serves a request: the routing table, the strategy, and the upstreams' supervisor.
//!
//! In reading order: `messages` (the contract), `actor` (wiring), `routes` (which upstream serves which model) and
//! `strategy` (which of them is asked first).

mod actor;
mod messages;
mod routes;
mod strategy;

pub use actor::SchedulerActor;
pub use messages::{
    AdmissionError, ApiReport, GetModels, GetReports, GetTokenReports, ModelNames, ModelsFound, ResetTokenStats,
    Select, StopUpstreams, UnknownApi,
};
