//! Prometheus' text format, and the table of what is exported. Who counts is elsewhere: the recorder's cells, and the actors'
//! own reports. The endpoint is `http/metrics`.
//!
//! 1. A family stands in [`families`] once: name, kind, labels, meaning. docs/metrics.md is made from the same rows.
//! 2. A label's value is escaped where it is written. Its set of values is bounded where it is counted.
//! 3. An empty label is left out, as Prometheus takes both for the same.

#[cfg(test)]
mod doc;
mod exposition;
mod families;
mod histogram;
mod process;

pub use exposition::{Exposition, FamilyWriter, SampleValue};
pub use families::*;
pub use histogram::{ADDED_SECONDS, Histogram, WAIT_SECONDS};
pub use process::ProcessStats;
