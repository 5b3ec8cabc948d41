//! Commands that ask a running server.

mod access;
mod client;
mod explain;
mod health;
mod next_spent;
mod status;
mod usage;

pub(super) use access::ServerArgs;
pub(super) use client::{KEY_VARIABLE, RunningServer};
pub(super) use explain::{ExplainArgs, explain};
pub(super) use health::{HealthArgs, health};
pub(super) use status::{StatusArgs, status};
pub(super) use usage::{UsageArgs, usage};
