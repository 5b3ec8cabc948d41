//! What holds for any bytes whatever. A file for each fuzz target; `tests/api/fuzz_corpus.rs` holds the same for all that was found.

pub mod classify;
pub mod config;
pub mod events;
pub mod forms;
pub mod frames;
pub mod splice;

/// Is `part` what is left of `whole` when some of its bytes are taken out?
fn is_left_of(part: &[u8], whole: &[u8]) -> bool {
    let mut rest = whole.iter();
    part.iter().all(|byte| rest.any(|other| other == byte))
}
