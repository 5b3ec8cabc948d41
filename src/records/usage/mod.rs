//! Who used what: a reader of records. Counts every request in the ledger of [`crate::usage`], has what is new saved, and answers
//! questions. The recorder (`recorder/usage.rs`) says when.

mod ask;
mod count;
mod restore;

use std::sync::Arc;

use actix::prelude::*;
use jiff::tz::TimeZone;
use quota::{CalendarSpan, CalendarUnit, hour_start};

use super::request_record::RequestRecord;
use crate::persistence::{PersistenceActor, SaveUsage, ShareUsage, SharedUsage};
use crate::types::{Moment, Now, UsageChange, UsagePeriod, UsageSpan};
use crate::usage::{UsageBlock, UsageLedger};

pub use ask::{AskUsage, UsageAnswer, UsageError};
pub use restore::restore_usage;

/// The ledger in the actor's hands.
pub struct UsageRecorder {
    ledger: UsageLedger,
    clock: UsageClock,
    persistence: Addr<PersistenceActor>,
    asked: ask::Askers,
    /// Has the usage of other servers.
    shared: Option<Arc<dyn SharedUsage>>,
    /// Something was counted that other servers do not know.
    untold: bool,
}

/// The clock of usage: the server's zone.
pub(super) struct UsageClock {
    zone: TimeZone,
    moment: Moment,
}

impl UsageClock {
    fn new(zone: TimeZone) -> UsageClock {
        UsageClock { zone, moment: Moment { wall: i64::MIN, hour: 0, day: 0 } }
    }

    /// Returns the hour and the day of a time. Both begin with a quarter of an hour, in every zone.
    fn at(&mut self, wall: i64) -> Moment {
        const QUARTER_MS: i64 = 900_000;
        if wall.div_euclid(QUARTER_MS) != self.moment.wall.div_euclid(QUARTER_MS) {
            self.moment = moment_of(wall, &self.zone);
        }
        self.moment.wall = wall;
        self.moment
    }
}

fn moment_of(wall: i64, zone: &TimeZone) -> Moment {
    Moment { wall, hour: hour_start(wall, zone), day: CalendarSpan::containing(wall, CalendarUnit::Day, zone).start }
}

impl UsageRecorder {
    /// Creates the reader of records from what [`restore_usage`] returned.
    pub fn new(
        (ledger, changes): (UsageLedger, Vec<UsageChange>),
        zone: TimeZone,
        persistence: Addr<PersistenceActor>,
    ) -> UsageRecorder {
        let usage = UsageRecorder {
            ledger,
            clock: UsageClock::new(zone),
            persistence,
            asked: ask::Askers::default(),
            shared: None,
            untold: true,
        };
        usage.send(changes);
        usage
    }

    /// Shares usage with other servers.
    #[must_use]
    pub fn sharing(mut self, shared: Option<Arc<dyn SharedUsage>>) -> UsageRecorder {
        self.shared = shared;
        self
    }

    /// Tells other servers the open hour and day, if anything is new.
    pub(super) fn tell(&mut self) {
        if self.shared.is_some() && std::mem::take(&mut self.untold) {
            let pages = [UsageSpan::Hour, UsageSpan::Day].map(|span| self.ledger.page(span));
            self.persistence.do_send(ShareUsage(pages.map(|page| (page.period, page.block)).into()));
        }
    }

    /// Counts a request that ended just now.
    pub(super) fn count(&mut self, record: &RequestRecord, now: Now) {
        let moment = self.clock.at(now.wall);
        count::count(&mut self.ledger, record, moment);
        self.untold = true;
    }

    /// Has all so far saved. Called when requests were counted, and at the end.
    pub(super) fn save(&mut self) {
        let changes = self.ledger.take_changes();
        self.send(changes);
    }

    /// Ends hours and days without a request.
    pub(super) fn look_at_clock(&mut self) {
        self.ledger.begin(moment_of(Now::read().wall, &self.clock.zone));
        self.save();
    }

    fn send(&self, changes: Vec<UsageChange>) {
        if changes.is_empty() {
            return;
        }
        if self.shared.is_some() {
            self.persistence.do_send(ShareUsage(changes.iter().filter_map(ended_period).collect()));
        }
        self.persistence.do_send(SaveUsage(changes));
    }
}

/// Returns a period that was written whole.
fn ended_period(change: &UsageChange) -> Option<(UsagePeriod, Vec<u8>)> {
    match change {
        UsageChange::Put { period, block, .. } => {
            UsageBlock::open(block).filter(|opened| opened.whole).map(|_| (*period, block.clone()))
        }
        UsageChange::Replace { .. } | UsageChange::Forget(_) => None,
    }
}

#[cfg(test)]
mod tests;
