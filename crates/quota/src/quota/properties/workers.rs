//! Requests admitted on other threads, with issued credits. The quotas learn of these requests later.

use super::super::*;
use super::world::{APIS, Admitted, Call, FIRST_MONO, World};

/// What a worker took, and the quotas do not know yet.
pub(super) struct Taken {
    pub(super) call: Call,
    /// The credits of each quota in the order of taking. The last quotas may have had nothing left.
    pub(super) from: Vec<Arc<Credits>>,
    /// The attempt, if all quotas had something left.
    pub(super) attempt: Option<Attempt>,
}

/// An attempt admitted by a worker.
pub(super) struct Attempt {
    pub(super) sent_at: SentAt,
    /// The true time of the write.
    pub(super) at: i64,
}

impl World {
    /// Takes from each quota's credits in turn, as a worker's fast path does.
    pub(super) fn admit_on_worker(&mut self, call: Call, delay: i64) {
        let (api, demand) = (call.api, call.demand());
        let Some(known) = self.known_credits[api].clone() else { return };
        let mono = self.now().mono;
        let from: Vec<_> = known.into_iter().take_while(|credits| credits.take(demand, mono).is_ok()).collect();
        let is_admitted = from.len() == 2;
        let attempt = is_admitted.then(|| Attempt { sent_at: SentAt::default(), at: self.time + delay });
        self.taken.push(Taken { call, from, attempt });
        let under_way = self.taken.iter().filter(|taken| taken.attempt.is_some()).count() + self.under_way.len();
        self.most_under_way = self.most_under_way.max(under_way as u64);
        self.let_time_pass(self.time);
        for i in [api, APIS].into_iter().filter(|_| is_admitted) {
            self.check(i);
            self.check_summary(i);
        }
    }

    /// Writes the workers' requests in time, known to the quotas or not.
    pub(super) fn let_time_pass(&mut self, until: i64) {
        let due = self.taken.iter().filter_map(|taken| Some((taken.call, taken.attempt.as_ref()?)));
        for (call, Attempt { sent_at, at }) in due {
            if *at > until || sent_at.read() != SendProgress::NotStarted {
                continue;
            }
            let mono = FIRST_MONO + (at - self.started) as u64;
            assert!(sent_at.begin(mono));
            sent_at.finish(mono);
            for i in [call.api, APIS] {
                self.quotas[i].written.push(*at);
                self.quotas[i].used.push((*at, call.uses));
            }
        }
        self.time = until;
    }

    /// Tells the quotas what the workers took.
    pub(super) fn drain(&mut self) {
        for Taken { call, from, attempt } in std::mem::take(&mut self.taken) {
            let (api, demand, uses) = (call.api, call.demand(), call.uses);
            let Some(Attempt { sent_at, at }) = attempt else {
                let gave = [api, APIS].into_iter().zip(&from);
                gave.for_each(|(i, credits)| self.quotas[i].quota.give_back(credits, demand));
                continue;
            };
            let mut join =
                |i: usize, nth: usize| self.quotas[i].quota.join(&sent_at, demand, from.get(nth).map(|from| &**from));
            let admitted = Admitted { at, call, own: join(api, 0), shared: join(APIS, 1) };
            match sent_at.read() {
                SendProgress::Done(_) => self.settle(&admitted, Some(uses)),
                SendProgress::NotStarted | SendProgress::InProgress => self.under_way.push(admitted),
            }
        }
    }
}
