//! The upstreams of one model: tiers of equal priority, each with weights.
//!
//! 1. The lowest number of a priority comes first.
//! 2. Within a tier, an upstream is picked at random, in proportion to its weight.
//! 3. The picks of a session are no chance: the session draws a number for each member, and the best draw by weight wins (rendezvous
//!    hashing). A member that is skipped changes the pick of its own sessions alone. Many sessions share by weight.

use rand::Rng;

use crate::types::SessionHash;

/// An upstream that serves a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Candidate {
    /// The position in the routing table.
    pub slot: usize,
    /// The lowest comes first.
    pub priority: i32,
    /// The share within the priority, at least 1.
    pub weight: u32,
    /// The stable hash of the id: sessions draw by the hash, so that servers agree whatever the order of their configurations.
    pub hash: u64,
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
    hash: u64,
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

    /// Picks a member that is not `skipped`, for a session or for none; `None` if all members are skipped.
    pub fn pick(
        &self,
        session: Option<SessionHash>,
        rng: &mut impl Rng,
        skipped: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        match session {
            Some(session) => self.tiers.iter().find_map(|tier| preferred(tier, session, &skipped)),
            None => self
                .tiers
                .iter()
                .find_map(|tier| pick_blindly(tier, rng, &skipped).or_else(|| pick_free(tier, rng, &skipped))),
        }
    }
}

fn tier_of(candidates: &[Candidate]) -> Vec<WeightedMember> {
    let mut cumulative = 0;
    let member = |candidate: &Candidate| {
        let weight = u64::from(candidate.weight.max(1));
        cumulative += weight;
        WeightedMember { slot: candidate.slot, weight, cumulative, hash: candidate.hash }
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

/// Returns the member with a session's best draw, of those that are not skipped.
fn preferred(tier: &[WeightedMember], session: SessionHash, skipped: impl Fn(usize) -> bool) -> Option<usize> {
    // The time to an event of this rate: the earliest of all is a member's in proportion to the rates.
    let time = |member: &WeightedMember| -session.draw(member.hash).ln() / member.weight as f64;
    let free = tier.iter().filter(|member| !skipped(member.slot)).map(|member| (time(member), member.slot));
    free.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, slot)| slot)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use crate::types::stable_hash;

    #[test]
    fn the_lowest_priority_comes_first_and_weights_share_within_one() {
        let mut rng = StdRng::seed_from_u64(7);
        let tiers = WeightedTiers::new(
            [(0, 5, 1), (1, 0, 1), (2, 0, 3), (3, 9, 1)]
                .map(|(slot, priority, weight)| Candidate { slot, priority, weight, hash: 0 })
                .to_vec(),
        );
        let mut first = [0; 4];
        for _ in 0..4_000 {
            let mut order: Vec<usize> = Vec::new();
            while let Some(slot) = tiers.pick(None, &mut rng, |slot| order.contains(&slot)) {
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
        let tiers = WeightedTiers::new(
            (0..1_000).map(|slot| Candidate { slot, priority: 0, weight: slot as u32, hash: 0 }).collect(),
        );
        let mut picked = [0; 2];
        for _ in 0..4_000 {
            let slot = tiers.pick(None, &mut rng, |slot| slot != 100 && slot != 300).expect("two are left");
            picked[usize::from(slot == 300)] += 1;
        }
        assert!((900..1_100).contains(&picked[0]), "{picked:?}");
    }

    #[test]
    fn no_member_is_picked_if_there_is_none_or_all_are_skipped() {
        assert_eq!(WeightedTiers::default().pick(None, &mut rand::rng(), |_| false), None);
        let one = WeightedTiers::new(vec![Candidate { slot: 0, priority: 0, weight: 0, hash: 0 }]);
        assert_eq!(one.pick(None, &mut rand::rng(), |_| true), None);
    }

    /// The members `a`, `b`, … of one tier, with these weights.
    fn sharing(weights: &[u32]) -> WeightedTiers {
        let candidate = |(slot, weight): (usize, &u32)| {
            let hash = stable_hash(&[b'a' + slot as u8]);
            Candidate { slot, priority: 0, weight: *weight, hash }
        };
        WeightedTiers::new(weights.iter().enumerate().map(candidate).collect())
    }

    fn preferred(tiers: &WeightedTiers, session: usize, skipped: impl Fn(usize) -> bool) -> Option<usize> {
        let name = format!("session-{session}");
        tiers.pick(Some(SessionHash::of(name.as_bytes())), &mut rand::rng(), skipped)
    }

    #[test]
    fn sessions_share_by_weight() {
        for weights in [&[1, 1][..], &[3, 1], &[1, 2, 3, 4, 5], &[1, 1, 1, 1, 1]] {
            let tiers = sharing(weights);
            for (sessions, tolerance) in [(200, 0.1), (10_000, 0.02)] {
                let mut shares = vec![0.0; weights.len()];
                for session in 0..sessions {
                    shares[preferred(&tiers, session, |_| false).expect("one")] += 1.0 / sessions as f64;
                }
                let sum: u32 = weights.iter().sum();
                for (share, weight) in shares.iter().zip(weights) {
                    let wanted = f64::from(*weight) / f64::from(sum);
                    assert!((share - wanted).abs() < tolerance, "{sessions} over {weights:?}: {shares:?}");
                }
            }
        }
    }

    #[test]
    fn a_session_keeps_its_member_unless_that_one_is_skipped() {
        let tiers = sharing(&[1, 2, 3, 4, 5]);
        for session in 0..500 {
            let first = preferred(&tiers, session, |_| false).expect("one");
            assert_eq!(preferred(&tiers, session, |_| false), Some(first));
            let second = preferred(&tiers, session, |slot| slot == first).expect("one");
            assert_ne!(first, second);
            let others = |slot| slot != first && slot != second;
            assert_eq!(preferred(&tiers, session, others), Some(first), "others change nothing");
        }
    }

    #[test]
    fn the_order_of_the_configuration_is_nothing_to_a_session() {
        let ids = [b"a", b"b", b"c"];
        let tiers = |order: [usize; 3]| {
            let candidate = |at: usize| Candidate { slot: at, priority: 0, weight: 1, hash: stable_hash(ids[at]) };
            WeightedTiers::new(order.map(candidate).to_vec())
        };
        let (one, other) = (tiers([0, 1, 2]), tiers([2, 0, 1]));
        assert!((0..200).all(|session| preferred(&one, session, |_| false) == preferred(&other, session, |_| false)));
    }

    #[test]
    fn a_session_goes_to_the_next_priority_only_when_all_members_are_skipped() {
        let candidate = |slot: usize, priority| Candidate { slot, priority, weight: 1, hash: slot as u64 };
        let tiers = WeightedTiers::new(vec![candidate(0, 1), candidate(1, 0), candidate(2, 0)]);
        for session in 0..50 {
            assert_ne!(preferred(&tiers, session, |_| false), Some(0));
            assert_eq!(preferred(&tiers, session, |slot| slot != 0), Some(0));
            assert_eq!(preferred(&tiers, session, |_| true), None);
        }
    }
}
