//! Usage, written and read: the part of the [`PersistenceActor`] about usage.
//!
//! In reading order: `tree` (usage in the data folder) and `files` (large blocks there), `redis` (usage shared by several servers)
//! and `worker` (the queue to the shared store).
//!
//! Reading a year takes a thread some time. So the actor only gives a reader away, once all earlier changes are on disk.

mod files;
mod redis;
mod tree;
mod worker;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use actix::prelude::*;

use crate::mailbox::LaterReply;
use crate::persistence::{Change, PersistenceActor, Store};
use crate::types::{UsageChange, UsageSpan};

pub use redis::RedisUsage;
pub(super) use tree::UsageTree;
pub use worker::ShareUsage;
pub(super) use worker::UsageWorker;

/// Save this usage soon. Sent by the RecorderActor. A lost message costs the usage of a moment, until the hour is written whole.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct SaveUsage(pub Vec<UsageChange>);

/// Return a reader of all usage saved before. Sent for a question about usage, and awaited. A lost message fails the question.
#[derive(Debug, Message)]
#[rtype(result = "UsageReader")]
pub struct ReadUsage;

/// A block of usage with its number.
type NumberedBlock = (u64, Vec<u8>);

/// Reads usage from disk. The calls block.
#[derive(Clone)]
pub struct UsageReader(Arc<dyn Store>);

impl UsageReader {
    /// Creates a reader of a store.
    pub fn new(store: Arc<dyn Store>) -> UsageReader {
        UsageReader(store)
    }

    /// Returns the highest number that a block ever had.
    pub fn number(&self) -> u64 {
        self.0.usage_number()
    }

    /// Shows each period that begins in a range and has blocks: the start, and the blocks by their numbers.
    pub fn show(&self, span: UsageSpan, starts: Range<i64>, mut show: impl FnMut(i64, &[NumberedBlock])) {
        let mut period: Option<(i64, Vec<NumberedBlock>)> = None;
        self.0.usage(span, starts, &mut |start, number, block| {
            match &mut period {
                Some((open, blocks)) if *open == start => return blocks.push((number, block.to_vec())),
                Some((open, blocks)) => show(*open, blocks),
                None => {}
            }
            period = Some((start, vec![(number, block.to_vec())]));
        });
        if let Some((start, blocks)) = period {
            show(start, &blocks);
        }
    }
}

impl fmt::Debug for UsageReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UsageReader")
    }
}

impl Handler<SaveUsage> for PersistenceActor {
    type Result = ();

    fn handle(&mut self, SaveUsage(changes): SaveUsage, ctx: &mut Self::Context) {
        self.save_soon(changes.into_iter().map(Change::Usage), ctx);
    }
}

impl Handler<ReadUsage> for PersistenceActor {
    type Result = LaterReply<UsageReader>;

    fn handle(&mut self, _: ReadUsage, _: &mut Self::Context) -> Self::Result {
        let (written, reader) = (self.flush(), UsageReader(self.store.clone()));
        LaterReply::of(async move {
            // A store that can't be written may still be read.
            let _ = written.await;
            reader
        })
    }
}

#[cfg(test)]
mod tests;
