//! The queue of usage to the store that several servers share: the part of the [`PersistenceActor`] about rows.
//!
//! Rows that could not be sent wait in memory, and go with the next row. At the first contact the store gets every missing day: a
//! store may be new, or have lost all.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use actix::prelude::*;

use super::UsageReader;
use super::tree::is_whole;
use crate::alerts::AlertSender;
use crate::persistence::batch_worker::BatchWorker;
use crate::persistence::store_health::StoreHealth;
use crate::persistence::{PersistenceActor, SharedUsage, Store, StoreError};
use crate::types::{UsagePeriod, UsageSpan};

/// The most rows that wait for the store: two days of hours, and the days of a month. Beyond, the oldest row is sent at the next start.
const MOST_WAITING: usize = 80;

/// Days sent in one round trip.
const DAYS_AT_ONCE: usize = 8;

/// Tell other servers this usage, if a store is shared: all of each period so far. Sent by the RecorderActor every second. The next
/// message makes a lost one good.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct ShareUsage(pub Vec<(UsagePeriod, Vec<u8>)>);

/// The worker.
pub(in crate::persistence) struct UsageWorker(BatchWorker<Vec<(UsagePeriod, Vec<u8>)>>);

#[derive(Default)]
struct Untold {
    rows: BTreeMap<UsagePeriod, Vec<u8>>,
    /// Whether the store has all days before.
    has_days: bool,
}

impl UsageWorker {
    /// Starts the worker on the current thread.
    pub(in crate::persistence) fn start(shared: Arc<dyn SharedUsage>, store: Arc<dyn Store>) -> UsageWorker {
        let consequence = "other servers will learn later what was used here";
        let untold = Mutex::new(Untold::default());
        UsageWorker(BatchWorker::start(StoreHealth::new(consequence, AlertSender::default()), move |rows| {
            // One thread runs at a time.
            let mut untold = untold.lock().unwrap_or_else(PoisonError::into_inner);
            untold.rows.extend(rows.into_iter().flatten());
            while untold.rows.len() > MOST_WAITING {
                untold.rows.pop_first();
            }
            tell(&mut untold, &*shared, &UsageReader::new(store.clone()))
        }))
    }
}

fn tell(untold: &mut Untold, shared: &dyn SharedUsage, reader: &UsageReader) -> Result<(), StoreError> {
    if !untold.has_days {
        tell_days(shared, reader)?;
        untold.has_days = true;
    }
    let rows: Vec<(UsagePeriod, Vec<u8>)> = untold.rows.iter().map(|(period, row)| (*period, row.clone())).collect();
    if !rows.is_empty() {
        shared.keep(&rows)?;
        untold.rows.clear();
    }
    Ok(())
}

/// Tells the days on disk that the store does not have. Of a day in several blocks, the last whole one.
fn tell_days(shared: &dyn SharedUsage, reader: &UsageReader) -> Result<(), StoreError> {
    let mut told = Ok(());
    let mut days: Vec<(UsagePeriod, Vec<u8>)> = Vec::new();
    reader.show(UsageSpan::Day, 0..i64::MAX, |start, blocks| {
        let whole = blocks.iter().rfind(|(_, block)| is_whole(block)).or_else(|| blocks.last());
        days.extend(whole.map(|(_, block)| (UsagePeriod { span: UsageSpan::Day, start }, block.clone())));
        if days.len() >= DAYS_AT_ONCE && told.is_ok() {
            told = tell_missing(shared, std::mem::take(&mut days));
        }
    });
    told.and_then(|()| if days.is_empty() { Ok(()) } else { tell_missing(shared, days) })
}

fn tell_missing(shared: &dyn SharedUsage, mut days: Vec<(UsagePeriod, Vec<u8>)>) -> Result<(), StoreError> {
    let periods: Vec<UsagePeriod> = days.iter().map(|(period, _)| *period).collect();
    let missing = shared.missing(&periods)?;
    days.retain(|(period, _)| missing.contains(period));
    if days.is_empty() { Ok(()) } else { shared.keep(&days) }
}

impl Handler<ShareUsage> for PersistenceActor {
    type Result = ();

    fn handle(&mut self, ShareUsage(rows): ShareUsage, _: &mut Self::Context) {
        if let Some(UsageWorker(worker)) = &self.usage {
            worker.put(rows);
        }
    }
}
