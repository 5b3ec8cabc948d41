//! Who used what: the part of the [`RecorderActor`] about usage. It counts every request in the ledger of [`crate::usage`], has what is
//! new saved, and answers questions.

mod ask;
mod count;
mod restore;

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use jiff::tz::TimeZone;
use quota::{CalendarSpan, CalendarUnit, hour_start};

use super::recorder::RecorderActor;
use super::request_record::RequestRecord;
use crate::mailbox::Context;
use crate::persistence::{PersistenceActor, SaveUsage, ShareUsage, SharedUsage};
use crate::types::{Moment, Now, UsageChange, UsagePeriod, UsageSpan};
use crate::usage::{UsageBlock, UsageLedger};

pub use ask::{AskUsage, UsageAnswer, UsageError};
pub use restore::restore_usage;

/// How long usage gathers before a piece of all is written.
const GATHER: Duration = Duration::from_millis(100);

/// How often other servers are told what is new.
const TELL: Duration = Duration::from_secs(1);

/// How often the end of an hour or a day is looked for.
const LOOK: Duration = Duration::from_secs(10);

/// The ledger in the actor's hands.
pub struct UsageRecorder {
    ledger: UsageLedger,
    clock: UsageClock,
    persistence: Addr<PersistenceActor>,
    /// A piece will be written after [`GATHER`].
    gathers: bool,
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
            gathers: false,
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

impl RecorderActor {
    /// Has the usage so far saved: at once after a silence, else after [`GATHER`].
    pub(super) fn save_usage(&mut self, ctx: &mut Context<Self>) {
        let Some(usage) = self.usage.as_mut().filter(|usage| !usage.gathers) else { return };
        usage.save();
        usage.gathers = true;
        ctx.run_later(GATHER, |actor, _| {
            if let Some(usage) = &mut actor.usage {
                usage.gathers = false;
                usage.save();
            }
        });
    }

    /// Ends hours and days without a request.
    pub(super) fn look_at_clock(&self, ctx: &mut Context<Self>) {
        ctx.run_interval(TELL, |actor, _| {
            if let Some(usage) = &mut actor.usage {
                usage.tell();
            }
        });
        ctx.run_interval(LOOK, |actor, _| {
            if let Some(usage) = &mut actor.usage {
                usage.ledger.begin(moment_of(Now::read().wall, &usage.clock.zone));
                usage.save();
            }
        });
    }
}

#[cfg(test)]
mod tests;
