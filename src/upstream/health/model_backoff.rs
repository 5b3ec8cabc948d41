//! Models refused by an upstream, or at a limit there, each by each route: a chat model without embeddings is still a chat model.
//!
//! Pure. The names are the upstream's own, and the number of models is bounded: where an upstream takes any name, clients
//! make names up.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::scope::{Rule, ScopeHealth, Times};
use crate::types::{FailureClass, RouteId};

/// The most models to remember. Of more, the first whose rest ends is forgotten.
const MAX_MODELS: usize = 256;

/// One model by one route.
#[derive(Debug, Clone, Copy)]
pub(in crate::upstream) struct ModelRoute<'a> {
    /// By the upstream's own name.
    pub(in crate::upstream) model: &'a Arc<str>,
    pub(in crate::upstream) route: RouteId,
}

/// A route on which a model backs off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::upstream) struct ModelBackoff {
    pub(in crate::upstream) route: RouteId,
    /// When the model is asked for again, while other upstreams are left (ms, monotonic).
    pub(in crate::upstream) open_from: u64,
    pub(in crate::upstream) reason: FailureClass,
}

/// The health of every model with a refusal to remember, or with a limit.
#[derive(Debug)]
pub(super) struct ModelBackoffs {
    rule: &'static Rule,
    models: BTreeMap<Arc<str>, Vec<RouteHealth>>,
    /// Grows with each change of what [`ModelBackoffs::of`] returns.
    version: u64,
}

#[derive(Debug)]
struct RouteHealth {
    route: RouteId,
    health: ScopeHealth,
}

impl ModelBackoffs {
    /// Creates the health of unknown models under this rule.
    pub(super) fn new(rule: &'static Rule) -> Self {
        ModelBackoffs { rule, models: BTreeMap::new(), version: 0 }
    }

    /// Returns the health of a model by a route, if there is anything to remember.
    pub(super) fn get(&self, of: ModelRoute<'_>) -> Option<&ScopeHealth> {
        let routes = self.models.get(of.model)?;
        routes.iter().find(|known| known.route == of.route).map(|known| &known.health)
    }

    /// Records an admitted attempt.
    pub(super) fn admit(&mut self, of: ModelRoute<'_>, now: u64) {
        if let Some(health) = self.get_mut(of) {
            health.admit(now);
            let is_probe = health.rests_for().is_some();
            self.version += u64::from(is_probe);
        }
    }

    /// Records an answer. Returns whether a rest ended.
    pub(super) fn success(&mut self, of: ModelRoute<'_>, at: Times) -> bool {
        let ended = self.get_mut(of).is_some_and(|health| health.success(true, at));
        self.version += u64::from(ended);
        ended
    }

    /// Records a confirmed refusal, or a limit without a time. Returns until when the model backs off, if a rest begins or grows.
    pub(super) fn failure(&mut self, of: ModelRoute<'_>, reason: FailureClass, at: Times) -> Option<u64> {
        self.version += 1;
        self.entry(of)?.failure(reason, at)
    }

    /// Records an explicit rest. Returns until when the model backs off, if the attempt speaks of the present state.
    pub(super) fn wait(&mut self, of: ModelRoute<'_>, wait_ms: u64, why: (FailureClass, Times)) -> Option<u64> {
        self.version += 1;
        let (reason, at) = why;
        self.entry(of)?.wait(wait_ms, reason, at)
    }

    /// Returns the back-offs of a model, one for each route, until a success.
    pub(super) fn of(&self, model: &str) -> Vec<ModelBackoff> {
        let routes = self.models.get(model).map(Vec::as_slice).unwrap_or_default();
        routes.iter().filter_map(backoff).collect()
    }

    /// Returns all back-offs of now, with the models.
    pub(super) fn all(&self, now: u64) -> impl Iterator<Item = (&Arc<str>, ModelBackoff)> {
        let each =
            self.models.iter().flat_map(|(model, routes)| routes.iter().map(move |known| (model, backoff(known))));
        each.filter_map(|(model, backoff)| Some((model, backoff?))).filter(move |(_, backoff)| backoff.open_from > now)
    }

    /// Returns a number that grows with each change of what [`ModelBackoffs::of`] returns.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    fn get_mut(&mut self, of: ModelRoute<'_>) -> Option<&mut ScopeHealth> {
        let routes = self.models.get_mut(of.model)?;
        routes.iter_mut().find(|known| known.route == of.route).map(|known| &mut known.health)
    }

    /// Returns the health of a model by a route, remembered from now on. Never `None`.
    fn entry(&mut self, of: ModelRoute<'_>) -> Option<&mut ScopeHealth> {
        if self.get(of).is_none() {
            self.make_room();
            let route = RouteHealth { route: of.route, health: ScopeHealth::new(self.rule) };
            self.models.entry(of.model.clone()).or_default().push(route);
        }
        self.get_mut(of)
    }

    fn make_room(&mut self) {
        if self.models.len() < MAX_MODELS {
            return;
        }
        self.models.retain(|_, routes| routes.iter().any(|known| !known.health.is_well()));
        let first =
            self.models.iter().min_by_key(|(_, routes)| routes.iter().map(|known| known.health.open_from(false)).max());
        if self.models.len() >= MAX_MODELS
            && let Some(model) = first.map(|(model, _)| model.clone())
        {
            self.models.remove(&model);
        }
    }
}

fn backoff(RouteHealth { route, health }: &RouteHealth) -> Option<ModelBackoff> {
    health.rests_for().map(|reason| ModelBackoff { route: *route, open_from: health.open_from(false), reason })
}

#[cfg(test)]
mod tests {
    use super::super::rules::{MODEL, MODEL_REFUSED_MS};
    use super::*;

    const CHAT: RouteId = RouteId::new("chat/completions");
    const EMBEDDINGS: RouteId = RouteId::new("embeddings");

    #[test]
    fn a_model_backs_off_by_the_route_that_refused_it_and_by_no_other() {
        let (mut models, model) = (ModelBackoffs::new(&MODEL), Arc::from("a"));
        let (chat, vectors) =
            (ModelRoute { model: &model, route: CHAT }, ModelRoute { model: &model, route: EMBEDDINGS });
        let at = |sent| Times { sent, now: sent + 1 };
        assert_eq!(models.wait(vectors, MODEL_REFUSED_MS, (FailureClass::ModelNotFound, at(5))), Some(600_006));
        assert!(models.get(chat).is_none() && models.get(vectors).is_some());
        assert_eq!(models.failure(chat, FailureClass::Forbidden, at(7)), None);
        assert_eq!(models.failure(chat, FailureClass::Forbidden, at(8)), None);
        assert_eq!(models.all(9).count(), 1, "two of three");
        assert_eq!(models.failure(chat, FailureClass::Forbidden, at(9)), Some(60_010));
        assert_eq!((models.all(10).count(), models.of("a").len(), models.of("b").len()), (2, 2, 0));
        assert_eq!(models.all(60_010).count(), 1, "the others are probed");
        let before = models.version();
        assert!(models.success(chat, at(60_010)) && models.version() > before);
        assert_eq!(
            models.of("a"),
            [ModelBackoff { route: EMBEDDINGS, open_from: 600_006, reason: FailureClass::ModelNotFound }]
        );
    }

    #[test]
    fn of_too_many_models_the_one_whose_rest_ends_first_is_forgotten() {
        let mut models = ModelBackoffs::new(&MODEL);
        for nth in 0..1_000 {
            let model = Arc::from(format!("made up {nth}"));
            let of = ModelRoute { model: &model, route: EMBEDDINGS };
            models.wait(of, MODEL_REFUSED_MS, (FailureClass::ModelNotFound, Times { sent: nth + 1, now: nth + 2 }));
        }
        assert_eq!(models.all(2_000).count(), MAX_MODELS);
        assert!(models.of("made up 0").is_empty() && !models.of("made up 999").is_empty());
    }
}
