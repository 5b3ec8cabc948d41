//! Requests that are admitted elsewhere, as by lanes on other threads: from what the quotas have opened, and unheard of by them
//! until they are looked at.

use super::super::*;
use super::world::{APIS, UnderWay, World};
use crate::credits::Allowance;

/// What was taken elsewhere, and the quotas have not heard of yet.
pub(super) struct News {
    pub(super) api: usize,
    /// From what of each quota, in the order in which they are asked; the last ones may have had nothing.
    pub(super) taken: Vec<Arc<Allowance>>,
    pub(super) demand: u64,
    /// The attempt, if all of them had something.
    pub(super) attempt: Option<(SentAt, i64, u64)>,
}

impl World {
    /// As a lane takes: from each quota's allowance in turn, or from none.
    pub(super) fn take_elsewhere(&mut self, api: usize, (demand, takes): (u64, u64), delay: i64) {
        let Some(known) = self.known[api].clone() else { return };
        let mono = self.now().mono;
        let taken: Vec<_> = known.into_iter().take_while(|allowance| allowance.take(demand, mono).is_ok()).collect();
        let admitted = taken.len() == 2;
        let attempt = admitted.then(|| (SentAt::default(), self.time + delay, takes));
        self.news.push(News { api, taken, demand, attempt });
        let out = self.news.iter().filter(|news| news.attempt.is_some()).count() + self.under_way.len();
        self.most_under_way = self.most_under_way.max(out as u64);
        self.time_passes(self.time);
        if admitted {
            [api, APIS].iter().for_each(|i| self.check(*i));
        }
    }

    /// What was admitted elsewhere is written when its time has come, whether the quotas have heard of it or not.
    pub(super) fn time_passes(&mut self, until: i64) {
        for i in 0..self.news.len() {
            let News { api, attempt: Some((stamp, at, takes)), .. } = &self.news[i] else { continue };
            if *at > until || stamp.read() != SendProgress::NotStarted {
                continue;
            }
            let (api, at, takes) = (*api, *at, *takes);
            let mono = 300_000_000 + (at - self.started) as u64;
            assert!(stamp.begin(mono));
            stamp.finish(mono);
            for i in [api, APIS] {
                self.kept[i].written.push(at);
                self.kept[i].spent.push((at, takes));
            }
        }
        self.time = until;
    }

    /// The quotas hear what was taken.
    pub(super) fn hear(&mut self) {
        for News { api, taken, demand, attempt } in std::mem::take(&mut self.news) {
            let Some((stamp, at, takes)) = attempt else {
                let gave = [api, APIS].into_iter().zip(&taken);
                gave.for_each(|(i, allowance)| self.kept[i].quota.give_back(allowance, demand));
                continue;
            };
            let mut join =
                |i: usize, from: usize| self.kept[i].quota.join(&stamp, demand, taken.get(from).map(|a| &**a));
            let one = UnderWay { at, api, own: join(api, 0), shared: join(APIS, 1), takes };
            match stamp.read() {
                SendProgress::Done(_) => self.settle(&one, Some(takes)),
                SendProgress::NotStarted | SendProgress::InProgress => self.under_way.push(one),
            }
        }
    }
}
