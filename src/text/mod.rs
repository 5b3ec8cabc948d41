//! Texts that people keep in files: compared line by line, edited as JSON, read and replaced on disk.

pub(crate) mod file;
pub(crate) mod json;
pub(crate) mod line_ends;
pub(crate) mod lines;
