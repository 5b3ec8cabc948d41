//! The counts of a quota before the first admission: the saved ones, or those of other quotas.

use quota::{Quota, QuotaRecord};

use super::handle::QuotaHandle;
use super::known_counts::KnownCounts;
use crate::mailbox::spawn;
use crate::persistence::Restore;
use crate::types::{Now, Uptime};

/// The quotas whose counts a new quota begins with.
pub(super) enum CountsBefore {
    /// All together: the members of a group.
    Sum(Vec<QuotaHandle>),
    /// The largest of each: limits of the same owner over other periods.
    Largest {
        /// The others.
        of: Vec<QuotaHandle>,
        /// Whether the quota comes with a reload. Then a saved count is one of before, and the others know more.
        comes: bool,
    },
}

impl QuotaHandle {
    /// Reads the saved counts. A new quota begins with the counts of quotas `before`, and one that comes back with the larger counts.
    pub(super) async fn restore(self, before: impl Fn() -> CountsBefore) {
        let asked = self.0.store.persistence.send(Restore(self.0.id.clone())).await;
        // Without an answer the process is about to stop: then nothing is admitted.
        let Ok(saved) = asked else { return };
        let (now, shared) = (self.0.store.clock.now(), self.0.store.shared);
        let mut is_lost = saved.lost;
        let before = before();
        let comes = matches!(before, CountsBefore::Largest { comes: true, .. });
        let begins = saved.record.is_none() && (!is_lost || shared);
        match saved.record {
            // The store knows the counts. The saved record is for a store without memory.
            Some(record) if shared && record.epoch.is_some() => {
                is_lost = false;
                *self.0.remembered.borrow_mut() = Some(record);
            }
            Some(record) => {
                let record = record.by_the_clock_of(now, Uptime::read().as_ref());
                self.with(now, |quota, now| quota.add(&record, now));
            }
            None if is_lost && !shared => self.with(now, |quota, now| {
                let exhausted = Quota::exhausted(&quota.limits(), now);
                quota.add(&exhausted, now);
            }),
            None => {}
        }
        if begins || comes {
            self.begin_with(before).await;
        }
        self.0.counts.set(KnownCounts::All);
        if is_lost || comes {
            // The next start has to know as well.
            self.save();
        }
        self.refresh();
        self.notify();
    }

    /// Counts what other quotas have counted before. Attempts under way have joined this quota by then.
    async fn begin_with(&self, before: CountsBefore) {
        let (CountsBefore::Sum(quotas) | CountsBefore::Largest { of: quotas, .. }) = &before;
        for quota in quotas {
            while !quota.is_read() && quota.notified().await.is_ok() {}
        }
        let (now, measure) = (Now::read(), self.limits().measure);
        let counts = |other: &QuotaHandle| other.with(now, |quota, now| quota.counts(measure, now));
        let records: Vec<QuotaRecord> = quotas.iter().map(counts).collect();
        self.with(now, |quota, now| match before {
            CountsBefore::Sum(_) => quota.raise(&records, now),
            CountsBefore::Largest { .. } => records.chunks(1).for_each(|record| quota.raise(record, now)),
        });
    }

    /// Returns whether the saved counts are read.
    pub(super) fn is_read(&self) -> bool {
        self.0.counts.get() != KnownCounts::None
    }

    /// Puts a limit into force again, with what was used in the meantime. Until then nothing is admitted.
    pub(super) fn come_back(&self, before: impl FnOnce() -> CountsBefore + 'static) {
        // Counts that are not read yet are raised when they are.
        if !self.is_ready() {
            return;
        }
        self.0.counts.set(KnownCounts::Own);
        let quota = self.clone();
        spawn(async move {
            quota.begin_with(before()).await;
            quota.0.counts.set(KnownCounts::All);
            quota.save();
            quota.refresh();
            quota.notify();
        });
    }

    /// Puts a limit out of force. The counts stay, and nothing is issued any more. (A shared store has to hear of what is used, as long
    /// as the process lives.)
    pub(super) fn retire(&self) {
        if !self.0.store.shared {
            self.with(Now::read(), |quota, now| quota.retire(now));
        }
    }
}
