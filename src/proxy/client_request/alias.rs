//! The models that a request for an alias goes through.
//!
//! 1. The models are tried in order. One that no upstream can serve at once is passed over: without a wait, and without panic
//!    mode.
//! 2. A prompt that is too long for a model goes on to the next one.
//! 3. If all are passed over, the model that frees first is asked once more. Then the request may wait, and panic mode may begin.
//! 4. All models together have `retry.maxAttempts` attempts. Each model may be tried with an upstream that failed another one.

use std::sync::Arc;

use crate::scheduler::AdmissionError;
use crate::types::ApiId;
use crate::upstream::Refusal;

/// The models behind an alias, and how far a request has come.
#[derive(Debug)]
pub(in crate::proxy) struct AliasedModels {
    alias: Arc<str>,
    /// At least one.
    models: Arc<[Arc<str>]>,
    /// The place of the present model.
    at: usize,
    /// The models that were passed over.
    refused: Vec<RefusedModel>,
    is_last_resort: bool,
}

/// A model that no upstream could serve.
#[derive(Debug)]
struct RefusedModel {
    at: usize,
    error: AdmissionError,
    /// The upstreams that had failed the request with the model.
    excluded: Vec<ApiId>,
}

/// The model to go on with.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::proxy) struct NextModel {
    pub(in crate::proxy) model: Arc<str>,
    /// The upstreams that have failed the request with the model.
    pub(in crate::proxy) excluded: Vec<ApiId>,
}

impl AliasedModels {
    /// Begins with the first model of an alias.
    pub(in crate::proxy) fn new(alias: Arc<str>, models: Arc<[Arc<str>]>) -> AliasedModels {
        let is_last_resort = models.len() < 2;
        AliasedModels { alias, models, at: 0, refused: Vec::new(), is_last_resort }
    }

    /// Returns the alias.
    pub(in crate::proxy) fn alias(&self) -> &Arc<str> {
        &self.alias
    }

    /// Returns whether no other model is left for the request.
    pub(in crate::proxy) fn is_last_resort(&self) -> bool {
        self.is_last_resort
    }

    /// Returns whether a model is left that was not tried yet.
    pub(in crate::proxy) fn has_next(&self) -> bool {
        !self.is_last_resort && self.at + 1 < self.models.len()
    }

    /// Returns the next model in order, if there is one.
    pub(in crate::proxy) fn next(&mut self) -> Option<NextModel> {
        if !self.has_next() {
            return None;
        }
        self.at += 1;
        self.models.get(self.at).map(|model| NextModel { model: model.clone(), excluded: Vec::new() })
    }

    /// Passes over the present model. Returns the next one in order, or at the end the one that frees first.
    pub(in crate::proxy) fn pass_over(
        &mut self,
        error: AdmissionError,
        excluded: Vec<ApiId>,
        now: u64,
    ) -> Option<NextModel> {
        match self.refused.iter_mut().find(|refused| refused.at == self.at) {
            Some(known) => known.error = error,
            None => self.refused.push(RefusedModel { at: self.at, error, excluded }),
        }
        if let Some(next) = self.next() {
            return Some(next);
        }
        if std::mem::replace(&mut self.is_last_resort, true) {
            return None;
        }
        let frees = |refused: &RefusedModel| soonest(&refused.error, now);
        let first =
            self.refused.iter().filter(|refused| frees(refused).is_some()).min_by_key(|refused| frees(refused))?;
        self.at = first.at;
        let model = self.models.get(first.at)?.clone();
        Some(NextModel { model, excluded: first.excluded.clone() })
    }

    /// Returns the refusal of all models as one.
    pub(in crate::proxy) fn refusal_of_all(&self) -> AdmissionError {
        let mut refusals: Vec<(ApiId, Refusal)> = Vec::new();
        let mut rate = None;
        let mut is_served = false;
        let mut other_format = None;
        let mut is_closed = false;
        for refused in &self.refused {
            match &refused.error {
                AdmissionError::NoneAvailable { refusals: more, rate: of_model, .. } => {
                    is_served = true;
                    rate = rate.or(*of_model);
                    refusals.extend(more.iter().cloned());
                }
                AdmissionError::OtherFormat { served, .. } => other_format = Some(*served),
                AdmissionError::ClosedToKey(_) => is_closed = true,
                AdmissionError::ModelNotFound(_)
                | AdmissionError::NotInTime
                | AdmissionError::Overloaded
                | AdmissionError::Stopping => {}
            }
        }
        // An API that serves several of the models has often the same reason for each.
        let mut unique: Vec<(ApiId, Refusal)> = Vec::with_capacity(refusals.len());
        for refusal in refusals {
            if !unique.contains(&refusal) {
                unique.push(refusal);
            }
        }
        let model = self.alias.clone();
        match other_format {
            _ if is_served => AdmissionError::NoneAvailable { model, refusals: unique, rate },
            _ if is_closed => AdmissionError::ClosedToKey(model),
            Some(served) => AdmissionError::OtherFormat { model, served },
            None => AdmissionError::ModelNotFound(model),
        }
    }
}

/// Returns when a model may be free (ms, monotonic); `None` if no time will help.
fn soonest(error: &AdmissionError, now: u64) -> Option<u64> {
    let AdmissionError::NoneAvailable { refusals, .. } = error else { return None };
    let at = |(_, refusal): &(ApiId, Refusal)| match refusal.retry_at_in_panic() {
        Some(at) => Some(at),
        // At the end of a running request.
        None => refusal.is_limit().then_some(now),
    };
    refusals.iter().filter_map(at).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{QuotaKind, WireFormat};

    const NOW: u64 = 1_000;

    fn models(names: &[&str]) -> AliasedModels {
        AliasedModels::new("smart".into(), names.iter().map(|name| Arc::from(*name)).collect())
    }

    fn refusal(api: &str, until: Option<u64>) -> (ApiId, Refusal) {
        (ApiId::from(api), Refusal::QuotaExhausted { which: QuotaKind::Rpm, until })
    }

    fn none_available(refusals: &[(ApiId, Refusal)]) -> AdmissionError {
        AdmissionError::NoneAvailable { model: "x".into(), refusals: refusals.to_vec(), rate: None }
    }

    fn not_found() -> AdmissionError {
        AdmissionError::ModelNotFound("x".into())
    }

    fn next(model: &str, excluded: &[&str]) -> Option<NextModel> {
        Some(NextModel { model: model.into(), excluded: excluded.iter().map(|id| ApiId::from(*id)).collect() })
    }

    #[test]
    fn models_are_passed_over_in_order_and_then_the_first_to_be_free_is_the_last_resort() {
        let mut models = models(&["a", "b", "c"]);
        assert!(!models.is_last_resort() && models.has_next());
        let failed = vec![ApiId::from("1")];
        assert_eq!(models.pass_over(none_available(&[refusal("2", Some(9_000))]), Vec::new(), NOW), next("b", &[]));
        assert_eq!(models.pass_over(none_available(&[refusal("1", Some(5_000))]), failed, NOW), next("c", &[]));
        assert!(!models.has_next() && !models.is_last_resort());
        assert_eq!(models.pass_over(not_found(), Vec::new(), NOW), next("b", &["1"]));
        assert!(models.is_last_resort());
        let error = none_available(&[refusal("1", Some(6_000))]);
        assert_eq!(models.pass_over(error, Vec::new(), NOW), None, "once");
        let all = AdmissionError::NoneAvailable {
            model: "smart".into(),
            refusals: vec![refusal("2", Some(9_000)), refusal("1", Some(6_000))],
            rate: None,
        };
        assert_eq!(models.refusal_of_all(), all);
    }

    #[test]
    fn no_model_is_a_last_resort_if_no_time_helps() {
        let disabled = (ApiId::from("1"), Refusal::Disabled);
        let mut models = models(&["a", "b"]);
        models.pass_over(none_available(&[disabled]), Vec::new(), NOW);
        assert_eq!(models.pass_over(none_available(&[]), Vec::new(), NOW), None);
    }

    #[test]
    fn a_refusal_by_an_account_says_more_than_another_format_and_that_more_than_nothing() {
        let other = AdmissionError::OtherFormat { model: "x".into(), served: WireFormat::Anthropic };
        let mut both = models(&["a", "b"]);
        both.pass_over(other.clone(), Vec::new(), NOW);
        both.pass_over(not_found(), Vec::new(), NOW);
        let of_alias = AdmissionError::OtherFormat { model: "smart".into(), served: WireFormat::Anthropic };
        assert_eq!(both.refusal_of_all(), of_alias);
        let mut full = models(&["a", "b"]);
        full.pass_over(other, Vec::new(), NOW);
        full.pass_over(none_available(&[refusal("1", Some(5_000))]), Vec::new(), NOW);
        assert!(matches!(full.refusal_of_all(), AdmissionError::NoneAvailable { .. }));
    }

    #[test]
    fn the_end_of_a_running_request_may_come_at_once() {
        let mut models = models(&["a", "b"]);
        models.pass_over(none_available(&[refusal("1", Some(5_000))]), Vec::new(), NOW);
        assert_eq!(models.pass_over(none_available(&[refusal("2", None)]), Vec::new(), NOW), next("b", &[]));
    }

    #[test]
    fn an_alias_of_one_model_is_that_model() {
        let mut models = models(&["a"]);
        assert!(models.is_last_resort() && !models.has_next());
        assert_eq!(models.pass_over(not_found(), Vec::new(), NOW), None);
        assert_eq!(models.refusal_of_all(), AdmissionError::ModelNotFound("smart".into()));
    }

    #[test]
    fn the_same_reason_for_several_models_is_told_once() {
        let mut models = models(&["a", "b"]);
        let full = none_available(&[refusal("1", Some(5_000))]);
        models.pass_over(full.clone(), Vec::new(), NOW);
        models.pass_over(full, Vec::new(), NOW);
        let AdmissionError::NoneAvailable { refusals, .. } = models.refusal_of_all() else { panic!("none") };
        assert_eq!(refusals, [refusal("1", Some(5_000))]);
    }
}
