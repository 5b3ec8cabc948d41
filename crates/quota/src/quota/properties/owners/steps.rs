//! What happens to keys and upstreams, in any order.

use proptest::prelude::*;

use super::{KEYS, UPSTREAMS};

#[derive(Debug, Clone)]
pub(super) enum Step {
    Wait(u64),
    Request(Call),
    /// The oldest request under way ends, written or not.
    End {
        written: bool,
    },
    Crash,
    Restart,
    Save,
    /// All amounts are this percentage of the original ones.
    Reload(u64),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    pub(super) key: usize,
    pub(super) upstream: usize,
    /// Reserved tokens; the money is ten times as much.
    pub(super) demand: u64,
    /// Of the demand, in percent.
    pub(super) uses: u64,
    /// How many upstreams fail before one answers. One more than there are: none does.
    pub(super) failures: usize,
    /// Whether the answer comes at once.
    pub(super) at_once: bool,
    pub(super) by_credits: bool,
    /// Whether the client leaves before anything is sent.
    pub(super) aborts: bool,
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let wait = prop_oneof![0..5_000_u64, 0..90_000_u64, 0..20_000_000_u64, 0..700_000_000_u64];
    let flags = (any::<bool>(), any::<bool>(), prop::bool::weighted(0.1));
    let failures = prop_oneof![3 => Just(0), 1 => Just(1), 1 => Just(UPSTREAMS)];
    let call = (0..KEYS, 0..UPSTREAMS, 1..24_u64, 0..=100_u64, failures, flags);
    let call = call.prop_map(|(key, upstream, demand, uses, failures, (at_once, by_credits, aborts))| Call {
        key,
        upstream,
        demand,
        uses,
        failures,
        at_once,
        by_credits,
        aborts,
    });
    prop_oneof![
        6 => wait.prop_map(Step::Wait),
        40 => call.prop_map(Step::Request),
        8 => any::<bool>().prop_map(|written| Step::End { written }),
        1 => Just(Step::Crash),
        1 => Just(Step::Restart),
        2 => Just(Step::Save),
        1 => prop_oneof![Just(100_u64), 20..100_u64].prop_map(Step::Reload),
    ]
}
