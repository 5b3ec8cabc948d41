//! Which upstream is asked first: the lowest priority; among its members a random one, by weight.

use rand::Rng;

/// What the strategy knows of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Candidate {
    /// Where it stands in the routing table.
    pub slot: usize,
    /// Lowest first.
    pub priority: i32,
    /// Reservation within its priority, at least 1.
    pub weight: u32,
}

/// So often a member is drawn at random before those that are left are gone through: with few left out, one draw is enough,
/// however many there are.
const BLIND_DRAWS: usize = 4;

/// Those who serve one model, ready to be drawn from.
#[derive(Debug, Clone, Default)]
pub struct Lot {
    /// By priority, the lowest first.
    tiers: Vec<Vec<Ticket>>,
}

#[derive(Debug, Clone, Copy)]
struct Ticket {
    slot: usize,
    weight: u64,
    /// The sum of the weights up to this one.
    up_to: u64,
}

impl Lot {
    /// The lot of these.
    pub fn new(mut candidates: Vec<Candidate>) -> Lot {
        candidates.sort_by_key(|candidate| candidate.priority);
        let tiers = candidates.chunk_by(|a, b| a.priority == b.priority).map(|tier| {
            let mut up_to = 0;
            let ticket = |Candidate { slot, weight, .. }: &Candidate| {
                let weight = u64::from((*weight).max(1));
                up_to += weight;
                Ticket { slot: *slot, weight, up_to }
            };
            tier.iter().map(ticket).collect()
        });
        Lot { tiers: tiers.collect() }
    }

    /// Everyone in it.
    pub fn slots(&self) -> impl Iterator<Item = usize> {
        self.tiers.iter().flatten().map(|ticket| ticket.slot)
    }

    /// Is nobody in it?
    pub fn is_empty(&self) -> bool {
        self.tiers.is_empty()
    }

    /// Draws one of those who are not `left_out`; `None` if all are.
    pub fn draw(&self, rng: &mut impl Rng, left_out: impl Fn(usize) -> bool) -> Option<usize> {
        self.tiers.iter().find_map(|tier| {
            let total = tier.last()?.up_to;
            let blind = (0..BLIND_DRAWS).find_map(|_| {
                let ticket = rng.random_range(0..total);
                let drawn = tier.get(tier.partition_point(|t| t.up_to <= ticket))?.slot;
                (!left_out(drawn)).then_some(drawn)
            });
            blind.or_else(|| {
                let left = || tier.iter().filter(|t| !left_out(t.slot));
                let total: u64 = left().map(|t| t.weight).sum();
                let mut ticket = if total > 0 { rng.random_range(0..total) } else { return None };
                let drawn = left().find(|t| {
                    let here = ticket < t.weight;
                    ticket = ticket.saturating_sub(t.weight);
                    here
                });
                drawn.map(|t| t.slot)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    #[test]
    fn lower_priorities_come_first_and_weights_share_within_one() {
        let mut rng = StdRng::seed_from_u64(7);
        let lot = Lot::new(
            [(0, 5, 1), (1, 0, 1), (2, 0, 3), (3, 9, 1)]
                .map(|(slot, priority, weight)| Candidate { slot, priority, weight })
                .to_vec(),
        );
        let mut first = [0; 4];
        for _ in 0..4_000 {
            let mut order: Vec<usize> = Vec::new();
            while let Some(slot) = lot.draw(&mut rng, |slot| order.contains(&slot)) {
                order.push(slot);
            }
            assert_eq!(order[2..], [0, 3], "higher priorities follow");
            first[order[0]] += 1;
        }
        assert!((900..1_100).contains(&first[1]), "{first:?}");
        assert!((2_900..3_100).contains(&first[2]), "{first:?}");
    }

    #[test]
    fn those_who_are_left_share_by_weight_however_many_are_left_out() {
        let mut rng = StdRng::seed_from_u64(7);
        let lot = Lot::new((0..1_000).map(|slot| Candidate { slot, priority: 0, weight: slot as u32 }).collect());
        let mut drawn = [0; 2];
        for _ in 0..4_000 {
            let slot = lot.draw(&mut rng, |slot| slot != 100 && slot != 300).expect("two are left");
            drawn[usize::from(slot == 300)] += 1;
        }
        assert!((900..1_100).contains(&drawn[0]), "{drawn:?}");
    }

    #[test]
    fn nobody_is_drawn_from_nobody() {
        assert_eq!(Lot::default().draw(&mut rand::rng(), |_| false), None);
        let one = Lot::new(vec![Candidate { slot: 0, priority: 0, weight: 0 }]);
        assert_eq!(one.draw(&mut rand::rng(), |_| true), None);
    }
}
