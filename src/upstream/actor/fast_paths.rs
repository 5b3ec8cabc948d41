//! The fast paths of an upstream, and the state published to the workers.

use std::rc::Rc;
use std::sync::Arc;

use super::UpstreamActor;
use crate::quotas::QuotaHandle;
use crate::types::Now;
use crate::upstream::fast_path::FastPath;
use crate::upstream::shared_state::{AdmissionMode, CreditsByQuota, ModelCredits};

impl UpstreamActor {
    /// Returns the fast path to a model with these quotas, if there is one. A model without quotas of its own has none, and
    /// a free request takes no quota.
    pub(super) fn fast_path(&mut self, model: &Arc<str>, quotas: &Rc<[QuotaHandle]>) -> Option<Arc<FastPath>> {
        if quotas.is_empty() || Rc::ptr_eq(quotas, self.quotas.common()) {
            return None;
        }
        if !quotas.iter().all(QuotaHandle::allows_fast_path) {
            return None;
        }
        let credits: CreditsByQuota = quotas.iter().map(QuotaHandle::credits).collect();
        let backoffs = self.state.health.backoffs_of(model);
        for (known, of) in &self.fast_paths {
            if Rc::ptr_eq(of, quotas) && known.matches(&self.shared, &credits, &backoffs) {
                return Some(known.clone());
            }
        }
        // A fast path without a holder will report nothing.
        self.fast_paths.retain(|(known, _)| known.is_in_use());
        let fast_path =
            Arc::new(FastPath::new(self.shared.clone(), ModelCredits { model: model.clone(), credits }, backoffs));
        self.fast_paths.push((fast_path.clone(), quotas.clone()));
        Some(fast_path)
    }

    /// Publishes the place of admission to the workers, and replaces the fast paths of models with changed back-offs.
    /// Tells people of rests.
    pub(super) fn publish_state(&mut self) {
        let asks = AdmissionMode::AskActorFrom(0);
        let now = Now::read();
        let mode = if self.waiting.is_empty() { self.state.admission_mode(now) } else { asks };
        self.shared.set_expected_completion(self.state.token_stats.average_completion_tokens());
        let version = self.state.health.backoffs_version();
        if version != self.published_backoffs {
            self.published_backoffs = version;
            for (fast_path, _) in &self.fast_paths {
                fast_path.supersede_unless(&self.state.health.backoffs_of(&fast_path.credits.model));
            }
        }
        self.shared.publish_state(mode);
        self.state.news(now).into_iter().for_each(|alert| self.registry.alerts().send(alert));
    }
}
