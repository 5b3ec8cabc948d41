//! What an upstream says it does not do: a model that it does not serve, or one that its key may not use thus. That rests there, and
//! the upstream goes on with all else. Each operation is on its own: a chat model is no less there for having no embeddings. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::types::{Blame, Failure, FailureClass, Now, Operation};

/// How long a model rests that is not there: lists of models are asked for as often.
const TOLD_MS: u64 = 600_000;

/// How long one rests that is not to be had, as it seems: it could have been for what a client wrote, or for an hour of repairs.
const GUESSED_MS: u64 = 60_000;

/// So many are kept: where an upstream takes any name, clients make them up.
const MOST: usize = 256;

/// The models that rest, by the upstream's own name, each with its operations' rests.
#[derive(Debug, Clone, Default)]
pub(super) struct AbsentModels(BTreeMap<Arc<str>, [Option<Absence>; Operation::ALL.len()]>);

/// A model is not to be had for an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Absence {
    pub(super) reason: FailureClass,
    /// ms, monotonic.
    pub(super) until: u64,
    /// It only seems so: if nobody else is left, it is asked all the same.
    pub(super) guess: bool,
}

impl AbsentModels {
    /// The upstream said that it does not serve this one so. Returns until when it rests.
    pub(super) fn rest(&mut self, (model, of): (&Arc<str>, Operation), failure: &Failure, now: Now) -> u64 {
        let guess = failure.blame == Blame::Unclear;
        self.0.retain(|_, rests| ends(rests).is_some_and(|until| until > now.mono));
        if self.0.len() >= MOST
            && let Some(first) = self.0.iter().min_by_key(|(_, rests)| ends(rests)).map(|(model, _)| model.clone())
        {
            self.0.remove(&first);
        }
        let until = now.mono + if guess { GUESSED_MS } else { TOLD_MS };
        let rests = self.0.entry(model.clone()).or_default();
        let Some(place) = rests.get_mut(of as usize) else { return until };
        // No guess shortens what was told.
        let longer = place.filter(|before| before.until > until || guess && !before.guess && before.until > now.mono);
        place.insert(longer.unwrap_or(Absence { reason: failure.class, until, guess })).until
    }

    /// Why a model rests for an operation, if it does.
    pub(super) fn get(&self, model: &str, of: Operation, now: Now) -> Option<Absence> {
        self.0.get(model)?.get(of as usize).copied().flatten().filter(|absence| absence.until > now.mono)
    }

    /// All that rest now.
    pub(super) fn all(&self, now: Now) -> impl Iterator<Item = (&Arc<str>, Operation, Absence)> {
        let each = self.0.keys().flat_map(|model| Operation::ALL.map(|of| (model, of)));
        each.filter_map(move |(model, of)| Some((model, of, self.get(model, of, now)?)))
    }
}

/// When the last of them ends.
fn ends(rests: &[Option<Absence>; Operation::ALL.len()]) -> Option<u64> {
    rests.iter().flatten().map(|absence| absence.until).max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Operation::{ChatCompletions, Embeddings};
    use crate::types::Phase;

    fn at(mono: u64) -> Now {
        Now { mono, wall: 0 }
    }

    fn failed(class: FailureClass) -> Failure {
        Failure::new(class, Phase::Head, "")
    }

    #[test]
    fn a_model_rests_for_what_was_asked_of_it_alone() {
        let (mut absent, model) = (AbsentModels::default(), Arc::from("a"));
        let until = |absent: &AbsentModels, model: &str, of, now| absent.get(model, of, at(now)).map(|rest| rest.until);
        assert_eq!(absent.rest((&model, Embeddings), &failed(FailureClass::ModelNotFound), at(5)), 600_005);
        for late in [6, 599_000] {
            let rest = absent.rest((&model, Embeddings), &failed(FailureClass::Forbidden), at(late));
            assert_eq!(rest, 600_005, "it was told");
        }
        assert_eq!(until(&absent, "a", Embeddings, 600_004), Some(600_005));
        let mut over = absent.clone();
        over.rest((&model, ChatCompletions), &failed(FailureClass::Forbidden), at(600_000));
        for guessed in [600_005, 630_000] {
            let rest = over.rest((&model, Embeddings), &failed(FailureClass::Forbidden), at(guessed));
            assert_eq!(rest, guessed + GUESSED_MS, "what was told is over, and a guess is renewed by the next");
        }
        assert_eq!(until(&absent, "a", ChatCompletions, 6), None);
        assert_eq!((until(&absent, "a", Embeddings, 600_005), until(&absent, "b", Embeddings, 5)), (None, None));
        assert_eq!(absent.rest((&model, ChatCompletions), &failed(FailureClass::Forbidden), at(5)), 60_005);
        assert_eq!(absent.all(at(6)).count(), 2);
        assert_eq!(absent.all(at(60_005)).count(), 1);
    }

    #[test]
    fn there_are_never_too_many() {
        let mut absent = AbsentModels::default();
        for nth in 0..1_000_u64 {
            let model = Arc::from(format!("made up {nth}"));
            absent.rest((&model, Embeddings), &failed(FailureClass::ModelNotFound), at(nth));
        }
        assert_eq!(absent.all(at(2_000)).count(), MOST);
        let there = |model| absent.get(model, Embeddings, at(2_000)).is_some();
        assert!(!there("made up 0") && there("made up 999"));
    }
}
