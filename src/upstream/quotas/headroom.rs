//! What the limits leave, summed over upstreams: for what clients are told, not for what is admitted.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::QuotaRegistry;
use crate::config::{ApiConfig, QuotaConfig};
use crate::types::{Now, QuotaId, RateLimitSummary};

impl QuotaRegistry {
    /// What is left for requests for a model, in all of `apis` together; `None` if one of them has no limit.
    pub fn headroom<'a>(&self, apis: impl Iterator<Item = &'a ApiConfig>, model: &str) -> Option<RateLimitSummary> {
        let now = Now::read();
        let mut alone: Option<RateLimitSummary> = None;
        let mut grouped: BTreeMap<&Arc<str>, (Option<RateLimitSummary>, Option<RateLimitSummary>)> = BTreeMap::new();
        for api in apis {
            let own_name = api.mapping.get(model).map_or(model, |own| own);
            let own = self.tightest((QuotaId::of_api(&api.id), &api.quota), own_name, now);
            match &api.group {
                None => alone = Some(sum(alone, own?)),
                Some(group) => {
                    let all = self.tightest((QuotaId::of_group(&group.name), &group.quota), own_name, now);
                    let entry = grouped.entry(&group.name).or_insert((None, all));
                    // What its members have alone counts as far as the group has it.
                    entry.0 = Some(sum(entry.0, own.or(all)?));
                }
            }
        }
        for (members, group) in grouped.into_values() {
            let tighter = members.into_iter().chain(group).min_by_key(tightness)?;
            alone = Some(sum(alone, tighter));
        }
        alone
    }

    /// The window of an owner's quotas that leaves least.
    fn tightest(&self, (owner, quota): (QuotaId, &QuotaConfig), model: &str, now: Now) -> Option<RateLimitSummary> {
        // What is counted for a model without limits bounds nothing.
        let of_model = quota.models.get_key_value(model).and_then(|(model, _)| self.get(&owner.for_model(model)));
        let ledgers = self.get(&owner).into_iter().chain(of_model);
        ledgers.filter_map(|ledger| ledger.headroom(now)).min_by_key(tightness)
    }
}

fn tightness(rate: &RateLimitSummary) -> (u64, u64) {
    (rate.remaining, rate.limit)
}

fn sum(so_far: Option<RateLimitSummary>, more: RateLimitSummary) -> RateLimitSummary {
    so_far.map_or(more, |so_far| RateLimitSummary {
        limit: so_far.limit.saturating_add(more.limit),
        remaining: so_far.remaining.saturating_add(more.remaining),
        reset_ms: so_far.reset_ms.max(more.reset_ms),
    })
}
