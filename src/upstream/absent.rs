//! Models that an upstream says it does not serve: they rest there, and the upstream goes on with its others. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::types::Now;

/// How long: lists of models are asked for as often.
const REST_MS: u64 = 600_000;

/// So many are kept: where an upstream takes any name, clients make them up.
const MOST: usize = 256;

/// The models that rest, by the upstream's own name, each with the end of its rest (ms, monotonic).
#[derive(Debug, Clone, Default)]
pub(super) struct AbsentModels(BTreeMap<Arc<str>, u64>);

impl AbsentModels {
    /// The upstream does not serve this one. Returns until when it rests.
    pub(super) fn rest(&mut self, model: Arc<str>, now: Now) -> u64 {
        self.0.retain(|_, until| *until > now.mono);
        if self.0.len() >= MOST
            && let Some(first) = self.0.iter().min_by_key(|(_, until)| **until).map(|(model, _)| model.clone())
        {
            self.0.remove(&first);
        }
        let until = now.mono + REST_MS;
        self.0.insert(model, until);
        until
    }

    /// Until when a model rests, if it does.
    pub(super) fn until(&self, model: &str, now: Now) -> Option<u64> {
        self.0.get(model).copied().filter(|until| *until > now.mono)
    }

    /// Those that rest now.
    pub(super) fn all(&self, now: Now) -> impl Iterator<Item = (&Arc<str>, u64)> {
        self.0.iter().map(|(model, until)| (model, *until)).filter(move |(_, until)| *until > now.mono)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_rests_ten_minutes_and_there_are_never_too_many() {
        let at = |mono: u64| Now { mono, wall: 0 };
        let mut absent = AbsentModels::default();
        assert_eq!(absent.rest(Arc::from("a"), at(5)), 600_005);
        assert_eq!(absent.until("a", at(600_004)), Some(600_005));
        assert_eq!((absent.until("a", at(600_005)), absent.until("b", at(5))), (None, None));
        for nth in 0..1_000_u64 {
            absent.rest(Arc::from(format!("made up {nth}")), at(10 + nth));
        }
        assert_eq!(absent.all(at(2_000)).count(), MOST);
        assert!(absent.until("a", at(2_000)).is_none() && absent.until("made up 999", at(2_000)).is_some());
    }
}
