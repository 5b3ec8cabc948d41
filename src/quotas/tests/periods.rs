//! Limits of other periods that reloads bring, take away and bring back.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use quota::{ActualUsage, Demand, Reservation};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::entries;
use crate::persistence::PersistenceActor;
use crate::quotas::handle::QuotaHandle;
use crate::quotas::{Admission, ApiQuotas, QuotaRegistry, admit, join_later};
use crate::testing::{MemoryStore, api, on_paused_clock};
use crate::types::{Now, SentAt};

/// Each request costs a cent, in nano-dollars.
const CENT: u64 = 10_000_000;

/// None of these ends within a test.
const PERIODS: [&str; 5] = ["2h", "5h", "1 day", "3 days", "31 days"];

/// Who has the limits.
#[derive(Debug, Clone, Copy)]
enum Owner {
    Api,
    Group,
    Model,
}

#[derive(Debug, Clone)]
enum Step {
    /// So many requests, of which the last ones stay under way.
    Send { requests: usize, open: usize },
    /// The oldest requests under way end, at this part of the foreseen cost (percent).
    End { requests: usize, percent: u64 },
    /// Limits of these periods, with room for so many requests more than are used.
    Reload(Vec<(usize, u64)>),
    /// A clean stop, and a start with the same limits.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1..40_usize, 0..3_usize).prop_map(|(requests, open)| Step::Send { requests, open }),
        2 => (1..4_usize, prop_oneof![Just(0), Just(100), Just(300)])
            .prop_map(|(requests, percent)| Step::End { requests, percent }),
        4 => prop::collection::vec((0..PERIODS.len(), 0..60_u64), 1..3).prop_map(Step::Reload),
        1 => Just(Step::Restart),
    ]
}

/// The registry, and the truth about one account.
struct World {
    owner: Owner,
    store: Arc<MemoryStore>,
    registry: QuotaRegistry,
    /// By period: the most cents.
    limits: BTreeMap<&'static str, u64>,
    quotas: ApiQuotas,
    under_way: Vec<(SentAt, Rc<[QuotaHandle]>, Vec<Reservation>)>,
    /// True cost of all that ended.
    spent: u64,
}

fn open(owner: Owner, registry: &QuotaRegistry, limits: &BTreeMap<&'static str, u64>) -> ApiQuotas {
    let limits: Vec<Value> =
        limits.iter().map(|(per, cents)| json!({ "usd": *cents as f64 / 100.0, "per": per })).collect();
    let limits = json!({ "limits": limits });
    let (fields, groups) = match owner {
        Owner::Api => (limits, json!({})),
        Owner::Group => (json!({ "quotaGroup": "g" }), json!({ "g": limits })),
        Owner::Model => (json!({ "modelLimits": { "m": limits } }), json!({})),
    };
    let mut fields = fields;
    fields["prices"] = json!({ "m": { "input": 1, "output": 1 } });
    registry.open_for(&entries(&[api("a", &fields)], &groups)[0])
}

fn process(store: &Arc<MemoryStore>) -> QuotaRegistry {
    let persistence: actix::Addr<PersistenceActor> = store.start();
    QuotaRegistry::new(persistence, false)
}

impl World {
    fn new(owner: Owner) -> World {
        let store = Arc::<MemoryStore>::default();
        let registry = process(&store);
        let limits = BTreeMap::from([("1 day", 30)]);
        let quotas = open(owner, &registry, &limits);
        World { owner, store, registry, limits, quotas, under_way: Vec::new(), spent: 0 }
    }

    /// What is spent or reserved, in nano-dollars.
    fn known(&self) -> u64 {
        self.spent + self.under_way.len() as u64 * CENT
    }

    async fn send_one(&mut self) -> bool {
        let quotas = self.quotas.for_model("m", &self.registry);
        let demand = Demand { tokens: 1, cost: CENT };
        loop {
            match admit(&quotas, demand, 1, Now::read()) {
                Admission::Admitted { sent_at, reservations } => {
                    sent_at.begin(Now::read_mono());
                    sent_at.finish(Now::read_mono());
                    self.under_way.push((sent_at, quotas, reservations));
                    return true;
                }
                Admission::Wait(answered) => drop(answered.await),
                Admission::Refused(_) => return false,
            }
        }
    }

    fn end(&mut self, nth: usize, percent: u64) {
        let (_, quotas, reservations) = self.under_way.remove(nth);
        let cost = CENT * percent / 100;
        let actual = ActualUsage { counts: true, tokens: Some(1), cost: Some(cost) };
        for (quota, reservation) in quotas.iter().zip(&reservations) {
            quota.settle(reservation, actual, Now::read());
        }
        self.spent += cost;
    }

    async fn run(&mut self, step: &Step) {
        match step {
            Step::Send { requests, open } => {
                for nth in 0..*requests {
                    let has_room = self.limits.values().all(|cents| self.known() + CENT <= cents * CENT);
                    assert_eq!(self.send_one().await, has_room, "{} of {:?}", self.known() / CENT, self.limits);
                    if has_room && nth + open < *requests {
                        self.end(self.under_way.len() - 1, 100);
                    }
                }
            }
            Step::End { requests, percent } => {
                for _ in 0..(*requests).min(self.under_way.len()) {
                    self.end(0, *percent);
                }
            }
            Step::Reload(periods) => {
                let used = self.known() / CENT;
                self.limits = periods.iter().map(|(period, more)| (PERIODS[*period], used + more + 1)).collect();
                self.quotas = open(self.owner, &self.registry, &self.limits);
                let in_force = self.quotas.for_model("m", &self.registry);
                let demand = Demand { tokens: 1, cost: CENT };
                for (_, quotas, reservations) in &mut self.under_way {
                    join_later((quotas, reservations), &in_force, demand, Now::read());
                }
                for quota in &*in_force {
                    while !quota.is_ready() && quota.notified().await.is_ok() {}
                }
            }
            Step::Restart => {
                while !self.under_way.is_empty() {
                    self.end(0, 100);
                }
                self.registry.close().await;
                sleep(Duration::from_secs(1)).await;
                self.registry = process(&self.store);
                self.quotas = open(self.owner, &self.registry, &self.limits);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_limit_that_comes_or_comes_back_knows_exactly_what_is_spent(
        steps in prop::collection::vec(step(), 1..40),
        owner in prop_oneof![Just(Owner::Api), Just(Owner::Group), Just(Owner::Model)],
    ) {
        on_paused_clock(async {
            let mut world = World::new(owner);
            for step in &steps {
                world.run(step).await;
            }
        });
    }
}
