//! Questions about usage: the open hour and day from memory, all before from disk.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::UsageRecorder;
use crate::mailbox::{LaterReply, blocking};
use crate::persistence::{ReadUsage, SharedUsage, UsageReader};
use crate::usage::{LedgerPage, TooManyRows, UsageBlock, UsageQuery, UsageSum, read_period};

/// The most questions that are answered at once. Each may take a core for some hundred milliseconds.
const AT_ONCE: usize = 2;

/// How long an answer may take, with the wait for others.
const WITHIN: Duration = Duration::from_secs(8);

/// Return the sums of a query. Sent by endpoints, and awaited; a lost one fails the question.
#[derive(Debug, Message)]
#[rtype(result = "Result<UsageAnswer, UsageError>")]
pub struct AskUsage(pub UsageQuery);

/// The sums of a query.
#[derive(Debug)]
pub struct UsageAnswer {
    /// The sums.
    pub sum: UsageSum,
    /// Whether the usage of other servers is in the sums, as far as any share the usage.
    pub is_complete: bool,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageError {
    /// There would be too many rows.
    TooManyRows,
    /// Too many other questions were asked, or the disk is too slow.
    Late,
    /// The process stops.
    Stopping,
}

/// An answer to come.
pub(in crate::records) type AnswerFuture = LaterReply<Result<UsageAnswer, UsageError>>;

/// Those who ask at once.
pub(super) struct Askers(Arc<Semaphore>);

impl Default for Askers {
    fn default() -> Self {
        Askers(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl UsageRecorder {
    /// Answers a question, in turn with others.
    pub(in crate::records) fn answer(&mut self, query: UsageQuery) -> AnswerFuture {
        self.save();
        let page = self.ledger.page(query.by.span());
        let (persistence, askers) = (self.persistence.clone(), self.asked.0.clone());
        let shared = self.shared.clone();
        let answer = async move {
            let _turn = askers.acquire().await.map_err(|_| UsageError::Stopping)?;
            let reader = persistence.send(ReadUsage).await.map_err(|_| UsageError::Stopping)?;
            let summed = blocking(move || sum(query, &Pages { open: page, reader, shared }));
            summed.await.map_err(|_| UsageError::Stopping)?.map_err(|TooManyRows| UsageError::TooManyRows)
        };
        LaterReply::of(async { timeout(WITHIN, answer).await.unwrap_or(Err(UsageError::Late)) })
    }
}

/// What an answer is made of.
pub(super) struct Pages {
    /// The open hour or day.
    pub(super) open: LedgerPage,
    /// All before.
    pub(super) reader: UsageReader,
    /// The usage of other servers.
    pub(super) shared: Option<Arc<dyn SharedUsage>>,
}

/// Adds up the open page, the periods on disk, and those of other servers. Without an answer of the shared store the own sums stand.
pub(super) fn sum(query: UsageQuery, pages: &Pages) -> Result<UsageAnswer, TooManyRows> {
    let (page, range, fold) = (&pages.open, query.from..query.to, query.fold());
    let mut sum = UsageSum::new(query);
    let mut ended = Ok(());
    if let Some(block) = UsageBlock::open(&page.block) {
        ended = sum.add(page.period.start, &block);
    }
    pages.reader.show(page.period.span, range.clone(), |start, blocks| {
        if start != page.period.start && ended.is_ok() {
            ended = read_period(blocks, fold).try_for_each(|block| sum.add(start, &block));
        }
    });
    let others = pages.shared.as_ref().map(|shared| {
        shared.others(page.period.span, range, &mut |start, bytes| {
            if let (Some(block), Ok(())) = (UsageBlock::open_fold(bytes, fold), ended) {
                ended = sum.add(start, &block);
            }
        })
    });
    let is_complete = others.is_none_or(|told| told.is_ok());
    ended.map(|()| UsageAnswer { sum, is_complete })
}
