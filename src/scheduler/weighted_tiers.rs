//! The upstreams of one model: tiers of equal priority, each with weights.
//!
//! The lowest number of a priority comes first. Within a tier, an upstream is picked at random, in proportion to its weight.

use rand::Rng;

/// An upstream that serves a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Candidate {
    /// The position in the routing table.
    pub slot: usize,
    /// The lowest comes first.
    pub priority: i32,
    /// The share within the priority, at least 1.
    pub weight: u32,
}

/// Random picks from a tier before the free members are gone through one by one. If few members are skipped, one pick is
/// enough, however large the tier.
const BLIND_PICKS: usize = 4;

/// The upstreams of one model, ready to be picked from.
#[derive(Debug, Clone, Default)]
pub struct WeightedTiers {
    /// By priority, the lowest first.
    tiers: Vec<Vec<WeightedMember>>,
}

#[derive(Debug, Clone, Copy)]
struct WeightedMember {
    slot: usize,
    weight: u64,
    /// The sum of the weights up to this member.
    cumulative: u64,
}

impl WeightedTiers {
    /// Creates the tiers of these candidates.
    pub fn new(mut candidates: Vec<Candidate>) -> WeightedTiers {
        candidates.sort_by_key(|candidate| candidate.priority);
        let tiers = candidates.chunk_by(|a, b| a.priority == b.priority).map(tier_of).collect();
        WeightedTiers { tiers }
    }

    /// Returns the slots of all members.
    pub fn slots(&self) -> impl Iterator<Item = usize> {
        self.tiers.iter().flatten().map(|member| member.slot)
    }

    /// Returns whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.tiers.is_empty()
    }

    /// Picks a member that is not `skipped`; `None` if all are.
    pub fn pick(&self, rng: &mut impl Rng, skipped: impl Fn(usize) -> bool) -> Option<usize> {
        self.tiers.iter().find_map(|tier| pick_blindly(tier, rng, &skipped).or_else(|| pick_free(tier, rng, &skipped)))
    }
}

fn tier_of(candidates: &[Candidate]) -> Vec<WeightedMember> {
    let mut cumulative = 0;
    let member = |candidate: &Candidate| {
        let weight = u64::from(candidate.weight.max(1));
        cumulative += weight;
        WeightedMember { slot: candidate.slot, weight, cumulative }
    };
    candidates.iter().map(member).collect()
}

/// Picks from all members, a few times, until one is not skipped.
fn pick_blindly(tier: &[WeightedMember], rng: &mut impl Rng, skipped: impl Fn(usize) -> bool) -> Option<usize> {
    let total = tier.last()?.cumulative;
    for _ in 0..BLIND_PICKS {
        let point = rng.random_range(0..total);
        let picked = tier.get(tier.partition_point(|member| member.cumulative <= point))?.slot;
        if !skipped(picked) {
            return Some(picked);
        }
    }
    None
}

/// Picks from the members that are not skipped.
fn pick_free(tier: &[WeightedMember], rng: &mut impl Rng, skipped: impl Fn(usize) -> bool) -> Option<usize> {
    let free = || tier.iter().filter(|member| !skipped(member.slot));
    let total: u64 = free().map(|member| member.weight).sum();
    if total == 0 {
        return None;
    }
    let mut point = rng.random_range(0..total);
    for member in free() {
        if point < member.weight {
            return Some(member.slot);
        }
        point -= member.weight;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    #[test]
    fn the_lowest_priority_comes_first_and_weights_share_within_one() {
        let mut rng = StdRng::seed_from_u64(7);
        let tiers = WeightedTiers::new(
            [(0, 5, 1), (1, 0, 1), (2, 0, 3), (3, 9, 1)]
                .map(|(slot, priority, weight)| Candidate { slot, priority, weight })
                .to_vec(),
        );
        let mut first = [0; 4];
        for _ in 0..4_000 {
            let mut order: Vec<usize> = Vec::new();
            while let Some(slot) = tiers.pick(&mut rng, |slot| order.contains(&slot)) {
                order.push(slot);
            }
            assert_eq!(order[2..], [0, 3], "higher priorities follow");
            first[order[0]] += 1;
        }
        assert!((900..1_100).contains(&first[1]), "{first:?}");
        assert!((2_900..3_100).contains(&first[2]), "{first:?}");
    }

    #[test]
    fn free_members_share_by_weight_however_many_are_skipped() {
        let mut rng = StdRng::seed_from_u64(7);
        let tiers =
            WeightedTiers::new((0..1_000).map(|slot| Candidate { slot, priority: 0, weight: slot as u32 }).collect());
        let mut picked = [0; 2];
        for _ in 0..4_000 {
            let slot = tiers.pick(&mut rng, |slot| slot != 100 && slot != 300).expect("two are left");
            picked[usize::from(slot == 300)] += 1;
        }
        assert!((900..1_100).contains(&picked[0]), "{picked:?}");
    }

    #[test]
    fn no_member_is_picked_if_there_is_none_or_all_are_skipped() {
        assert_eq!(WeightedTiers::default().pick(&mut rand::rng(), |_| false), None);
        let one = WeightedTiers::new(vec![Candidate { slot: 0, priority: 0, weight: 0 }]);
        assert_eq!(one.pick(&mut rand::rng(), |_| true), None);
    }
}
