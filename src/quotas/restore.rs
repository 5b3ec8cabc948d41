//! The counts of a quota before the first admission: the saved ones, or those of other quotas.

use quota::Quota;

use super::handle::QuotaHandle;
use crate::persistence::Restore;
use crate::types::{Now, Uptime};

/// The quotas whose counts a new quota begins with.
pub(super) enum CountsBefore {
    /// All together: the members of a group.
    Sum(Vec<QuotaHandle>),
    /// The one with the largest count: limits of the same owner over other periods.
    Largest(Vec<QuotaHandle>),
}

impl QuotaHandle {
    /// Reads the saved counts. A new quota begins with the counts of quotas `before`.
    pub(super) async fn restore(self, before: impl Fn() -> CountsBefore) {
        let asked = self.0.store.persistence.send(Restore(self.0.id.clone())).await;
        // Without an answer the process is about to stop: then nothing is admitted.
        let Ok(saved) = asked else { return };
        let (now, shared) = (self.0.store.clock.now(), self.0.store.shared);
        let mut is_lost = saved.lost;
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
            None => self.begin_with(before()).await,
        }
        self.0.is_ready.set(true);
        if is_lost {
            // The next start has to know as well.
            self.save();
        }
        self.refresh();
        self.notify();
    }

    /// Counts what other quotas have counted before.
    async fn begin_with(&self, before: CountsBefore) {
        let (CountsBefore::Sum(quotas) | CountsBefore::Largest(quotas)) = &before;
        let mut records = Vec::new();
        for quota in quotas {
            if !quota.is_ready() {
                let _ = quota.notified().await;
            }
            records.push(quota.with(Now::read(), |quota, now| quota.record(now)));
        }
        self.with(Now::read(), |quota, now| {
            if let CountsBefore::Largest(_) = before {
                let largest = records.into_iter().max_by_key(|record| quota.count_with(record, now));
                records = largest.into_iter().collect();
            }
            records.iter().for_each(|record| quota.add(record, now));
        });
    }
}
