//! Which upstream is asked first: the lowest priority; among its members a random one, by weight.

use rand::Rng;

/// What the strategy knows of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Where it stands in the scheduler's list.
    pub(super) slot: usize,
    /// Lowest first.
    pub(super) priority: i32,
    /// Share within its priority, at least 1.
    pub(super) weight: u32,
}

/// Takes the next one to ask out of `candidates`; `None` when all were taken.
pub(super) fn draw(candidates: &mut Vec<Candidate>, rng: &mut impl Rng) -> Option<usize> {
    let lowest = candidates.iter().map(|c| c.priority).min()?;
    let in_turn = || candidates.iter().enumerate().filter(|(_, c)| c.priority == lowest);
    let total: u64 = in_turn().map(|(_, c)| u64::from(c.weight)).sum();
    let mut left = rng.random_range(0..total.max(1));
    let (drawn, _) = in_turn().find(|(_, c)| {
        let here = left < u64::from(c.weight);
        left = left.saturating_sub(u64::from(c.weight));
        here
    })?;
    Some(candidates.swap_remove(drawn).slot)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    #[test]
    fn lower_priorities_come_first_and_weights_share_within_one() {
        let mut rng = StdRng::seed_from_u64(7);
        let candidates = [(0, 5, 1), (1, 0, 1), (2, 0, 3), (3, 9, 1)].map(|(slot, priority, weight)| Candidate {
            slot,
            priority,
            weight,
        });
        let mut first = [0; 4];
        for _ in 0..4_000 {
            let mut left = candidates.to_vec();
            let order: Vec<usize> = std::iter::from_fn(|| draw(&mut left, &mut rng)).collect();
            assert_eq!(order[2..], [0, 3], "higher priorities follow");
            first[order[0]] += 1;
        }
        assert!((900..1_100).contains(&first[1]), "{first:?}");
        assert!((2_900..3_100).contains(&first[2]), "{first:?}");
    }

    #[test]
    fn nobody_is_drawn_from_nobody() {
        assert_eq!(draw(&mut Vec::new(), &mut rand::rng()), None);
    }
}
