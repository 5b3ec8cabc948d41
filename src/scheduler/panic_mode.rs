//! Panic mode: nobody can serve, and a rest that was only inferred is no obstacle. Pure.
//!
//! 1. Of the resting upstreams, one is asked each ten seconds: the one unasked for longest.
//! 2. One request makes one probe. If the probe fails, the client gets the error.
//!
//! So clients that try again and again can't multiply the calls to upstreams in trouble.

use crate::types::ApiId;
use crate::upstream::{PROBE_EVERY_MS, Refusal};

/// Returns the upstreams to ask in panic mode, the last one first. Empty: one was asked less than ten seconds ago. The refusals
/// then say when the next one is asked.
pub(super) fn begin(refusals: &mut [(ApiId, Refusal)], now: u64) -> Vec<ApiId> {
    let asked_at = |refusal: &Refusal| refusal.retry_at_in_panic().filter(|_| refusal.is_inferred());
    // A time further away is that of a wait which the upstream asked for, and no pace of probes.
    let of_pace = |at: &u64| *at <= now + PROBE_EVERY_MS;
    let Some(next) = refusals.iter().filter_map(|(_, refusal)| asked_at(refusal)).filter(of_pace).max() else {
        return Vec::new();
    };
    if next > now {
        refusals.iter_mut().for_each(|(_, refusal)| refusal.delay_panic_until(next));
        return Vec::new();
    }
    let due = refusals.iter().filter_map(|(api, refusal)| Some((asked_at(refusal).filter(of_pace)?, api)));
    let mut due: Vec<(u64, &ApiId)> = due.collect();
    due.sort_unstable_by(|one, other| other.cmp(one));
    due.into_iter().map(|(_, api)| api.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::FailureClass;
    use crate::upstream::{Resting, Scope};

    fn resting(api: &str, panic_from: u64, until: u64) -> (ApiId, Refusal) {
        let reason = FailureClass::ServerError;
        (api.into(), Refusal::Resting(Resting { scope: Scope::Service, reason, until, panic_from }))
    }

    #[test]
    fn the_one_unasked_for_longest_is_asked_first_and_nobody_within_ten_seconds_of_another() {
        let mut refusals = vec![resting("a", 300, 90_000), resting("b", 200, 90_000), resting("c", 250, 90_000)];
        let mut order = begin(&mut refusals, 300);
        assert_eq!((order.pop(), order.pop(), order.pop()), (Some("b".into()), Some("c".into()), Some("a".into())));

        assert!(begin(&mut refusals, 299).is_empty());
        let told: Vec<_> = refusals.iter().map(|(_, refusal)| refusal.retry_at_in_panic()).collect();
        assert_eq!(told, [Some(300); 3], "the answer names the time of the next probe");
    }

    #[test]
    fn a_wait_that_was_asked_for_holds_nobody_else_up() {
        // Asked for until 60,000, and inferred beyond.
        let mut refusals = vec![resting("a", 60_000, 90_000), resting("b", 200, 90_000)];
        assert_eq!(begin(&mut refusals, 300), ["b".into()]);
        let mut only = vec![resting("a", 60_000, 60_000), (ApiId::from("b"), Refusal::Disabled)];
        assert!(begin(&mut only, 300).is_empty());
        assert_eq!(only[0].1.retry_at_in_panic(), Some(60_000));
    }

    #[test]
    fn a_rest_that_ends_before_the_next_probe_is_not_made_longer() {
        let mut refusals = vec![resting("a", 5_000, 90_000), resting("b", 200, 2_000)];
        assert!(begin(&mut refusals, 300).is_empty());
        assert_eq!(refusals[1].1.retry_at_in_panic(), Some(2_000));
    }
}
