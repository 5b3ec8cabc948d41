//! Who serves a request: the routing table, the strategy, and the upstreams' supervisor.
//!
//! In reading order: `messages` (the contract), `actor` (one on each worker's thread: answers at once where it can),
//! `supervisor` (one for all: decides the rest, and keeps the upstreams' actors), `selection`, `board` (what the second shows the first),
//! `routes` (which upstream serves which model), `strategy` (which of them is asked first), `line` (who waits for a quota to
//! free) and `reports` (what can be asked about the pool).

mod actor;
mod board;
mod line;
mod messages;
mod reports;
mod routes;
mod selection;
mod strategy;
mod supervisor;

pub use actor::SchedulerActor;
pub use board::MailboxReport;
pub use messages::{
    AdmissionError, Admitted, ApiReport, GetMailbox, GetModels, GetReports, GetTokenReports, ModelNames, ModelsFound,
    ModelsUnavailable, ResetTokenStats, Select, StopUpstreams, UnknownApi,
};
pub use strategy::{Candidate, Lot};
pub use supervisor::SupervisorActor;
