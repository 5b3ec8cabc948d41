//! A request with its attempts: the admission, the write, and the settlement.

use super::super::super::*;
use super::steps::Call;
use super::{KEYS, UPSTREAMS, World};

/// A reservation in one quota.
pub(super) struct Part {
    pub(super) place: usize,
    pub(super) reservation: Reservation,
    pub(super) units: u64,
}

/// A request or an attempt under way.
pub(super) struct UnderWay {
    pub(super) parts: Vec<Part>,
    pub(super) sent_at: SentAt,
    pub(super) uses: u64,
}

impl World {
    pub(super) fn request(&mut self, call: Call) {
        let Some(key) = self.admit(call.key, call) else { return };
        let mut used = 0;
        for nth in 0..UPSTREAMS {
            let upstream = KEYS + (call.upstream + nth) % UPSTREAMS;
            let Some(attempt) = self.admit(upstream, call) else { continue };
            if call.aborts {
                self.settle(attempt, 0);
                break;
            }
            self.write(&attempt);
            self.write_once(&key);
            if nth < call.failures {
                self.settle(attempt, 0);
                continue;
            }
            if !call.at_once {
                self.under_way.extend([key, attempt]);
                return;
            }
            used = attempt.uses;
            self.settle(attempt, used);
            break;
        }
        self.settle(key, used);
    }

    /// Takes a part of all quotas of an owner, or of none.
    fn admit(&mut self, owner: usize, call: Call) -> Option<UnderWay> {
        let demand = Demand { tokens: call.demand, cost: call.demand * 10 };
        let places = self.owners[owner].clone();
        let sent_at = SentAt::default();
        let reservations = if call.by_credits {
            self.take_credits(&places, demand, &sent_at)
        } else {
            self.ask(&places, demand, &sent_at)
        };
        let parts: Vec<Part> = places
            .iter()
            .zip(reservations?)
            .map(|(place, reservation)| {
                let measure = self.quotas[*place].quota.limits().measure;
                Part { place: *place, reservation, units: demand.part(measure) }
            })
            .collect();
        self.admitted.set(self.admitted.get() + 1);
        let one = UnderWay { parts, sent_at, uses: call.demand * call.uses / 100 };
        one.parts.iter().for_each(|part| self.check(part, &one));
        Some(one)
    }

    fn ask(&mut self, places: &[usize], demand: Demand, sent_at: &SentAt) -> Option<Vec<Reservation>> {
        let is_full = |world: &mut World, i: &usize| world.look(*i, |quota, now| quota.room(demand, now).is_err());
        if places.iter().any(|i| is_full(self, i)) {
            return None;
        }
        places.iter().for_each(|i| self.grant(*i, Some(Need { demand, waiting: 1 })));
        let reservations = places.iter().map(|i| self.look(*i, |quota, _| quota.reserve(sent_at, demand))).collect();
        places.iter().for_each(|i| self.grant(*i, None));
        Some(reservations)
    }

    /// Takes issued credits, as a worker does. What the first quotas gave goes back if another has nothing.
    fn take_credits(&mut self, places: &[usize], demand: Demand, sent_at: &SentAt) -> Option<Vec<Reservation>> {
        let mono = self.now().mono;
        let credits: Vec<_> =
            places.iter().map(|i| self.quotas[*i].quota.credits().cloned().expect("limits")).collect();
        let taken = credits.iter().take_while(|credits| credits.take(demand, mono).is_ok()).count();
        let all = taken == places.len();
        let joined = places.iter().zip(&credits).take(taken).map(|(i, credits)| {
            self.look(*i, |quota, _| {
                if all {
                    return Some(quota.join(sent_at, demand, Some(credits)));
                }
                quota.give_back(credits, demand);
                None
            })
        });
        let joined: Vec<Reservation> = joined.collect::<Vec<_>>().into_iter().flatten().collect();
        all.then_some(joined)
    }

    fn write(&mut self, one: &UnderWay) {
        let mono = self.now().mono;
        assert!(one.sent_at.begin(mono));
        one.sent_at.finish(mono);
        for part in &one.parts {
            self.quotas[part.place].written.push((self.time, 1, 0));
        }
    }

    fn write_once(&mut self, one: &UnderWay) {
        if one.sent_at.read() == SendProgress::NotStarted {
            self.write(one);
        }
    }

    /// Ends a request or an attempt that used so many tokens.
    fn settle(&mut self, one: UnderWay, tokens: u64) {
        let is_written = one.sent_at.read() != SendProgress::NotStarted;
        let actual = ActualUsage { counts: true, tokens: Some(tokens), cost: Some(tokens * 10) };
        for part in &one.parts {
            let measure = self.quotas[part.place].quota.limits().measure;
            if is_written {
                self.quotas[part.place].written.push((self.time, 0, actual.part(measure).expect("known")));
            }
            self.look(part.place, |quota, now| quota.settle(&part.reservation, actual, now));
        }
    }

    pub(super) fn end(&mut self, one: UnderWay, answered: bool) {
        let used = if answered { one.uses } else { 0 };
        self.settle(one, used);
    }
}
