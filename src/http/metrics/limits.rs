//! The families of limits and budgets.

use std::collections::BTreeSet;

use quota::{LimitUnit, ListedLimit, Measure};

use crate::http::key_report::KeyReport;
use crate::keys::KeyStatus;
use crate::metrics::{self, Exposition, MetricFamily, SampleValue};
use crate::quotas::QuotaStatus;
use crate::scheduler::ApiReport;

/// One quota, with its labels.
struct Labelled<'a> {
    of: String,
    model: &'a str,
    quota: &'a QuotaStatus,
}

/// One limit of a quota.
struct LimitValues {
    name: String,
    /// What one unit is, in the unit of the configuration.
    unit: f64,
    bound: u64,
    used: u64,
    /// When the period ends (ms since the Unix epoch); `None` for the last minute, which ends all the time.
    ends: Option<i64>,
    /// When the limit is spent at the present rate (ms since the Unix epoch).
    exhausted: Option<i64>,
}

/// Writes the limits of upstreams, groups and keys.
pub(super) fn limits(page: &mut Exposition, reports: &[ApiReport], keys: &[KeyStatus]) {
    // The quota of a group is in the report of each member.
    let mut seen = BTreeSet::new();
    let of_apis = reports.iter().flat_map(|report| {
        let id = &report.status.config.id;
        report.status.quotas.iter().map(move |quota| (quota.id.owner_shown(id), quota))
    });
    let of_keys = keys.iter().flat_map(|key| key.quotas.iter()).map(|quota| (quota.id.to_string(), quota));
    // The budgets have families of their own, and only their forecasts are here.
    let (budgets, of_keys): (Vec<_>, Vec<_>) = of_keys.partition(|(_, quota)| quota.limits.measure == Measure::Cost);
    let mut label = |(of, quota): (String, _)| {
        let quota: &QuotaStatus = quota;
        seen.insert(&quota.id).then(|| Labelled { of, model: quota.model.as_deref().unwrap_or_default(), quota })
    };
    let mut labelled: Vec<Labelled<'_>> = of_apis.chain(of_keys).filter_map(&mut label).collect();
    each_limit(page, &metrics::LIMIT, &labelled, |limit| Some(in_units(limit.bound, limit.unit)));
    each_limit(page, &metrics::LIMIT_USED, &labelled, |limit| Some(in_units(limit.used, limit.unit)));
    each_limit(page, &metrics::LIMIT_RESET, &labelled, |limit| Some((limit.ends? as f64 / 1_000.0).into()));
    labelled.extend(budgets.into_iter().filter_map(label));
    each_limit(page, &metrics::LIMIT_EXHAUSTION, &labelled, |limit| Some((limit.exhausted? as f64 / 1_000.0).into()));
}

/// Writes the budgets of keys.
pub(super) fn budgets(page: &mut Exposition, keys: &[KeyStatus]) {
    let reports: Vec<KeyReport> = keys.iter().cloned().map(KeyReport::from_status).collect();
    for (family, is_limit) in [(&metrics::BUDGET, true), (&metrics::BUDGET_USED, false)] {
        let mut family = page.family(family);
        let mut seen = BTreeSet::new();
        for report in &reports {
            for budget in &report.budgets {
                if seen.insert((report.key.name.as_str(), &*budget.per)) {
                    let amount = if is_limit { budget.limit } else { budget.used };
                    family.sample(&[report.key.name.as_str(), &budget.per], amount.dollars());
                }
            }
        }
    }
}

fn in_units(amount: u64, unit: f64) -> SampleValue {
    if unit == 1.0 { amount.into() } else { (amount as f64 * unit).into() }
}

fn each_limit(
    page: &mut Exposition,
    family: &'static MetricFamily,
    labelled: &[Labelled<'_>],
    value: fn(&LimitValues) -> Option<SampleValue>,
) {
    let mut family = page.family(family);
    for Labelled { of, model, quota } in labelled {
        for limit in limits_of(quota) {
            if let Some(value) = value(&limit) {
                family.sample(&[of, model, &limit.name], value);
            }
        }
    }
}

fn limits_of(quota: &QuotaStatus) -> Vec<LimitValues> {
    let QuotaStatus { limits, requests, tokens, period_ends, forecasts, .. } = quota;
    let [requests_spent, tokens_spent] = forecasts.map(|forecast| forecast?.exhausted_at);
    // The amount is no label: a changed one is the same limit.
    if let Some(ListedLimit { amount: bound, unit, period }) = limits.listed_limit() {
        let of_requests = (requests.day, requests_spent);
        let (used, exhausted) = if unit == LimitUnit::Requests { of_requests } else { (tokens.day, tokens_spent) };
        let name = format!("{} per {period}", unit.as_str());
        let unit = if unit == LimitUnit::Usd { 1e-9 } else { 1.0 };
        return vec![LimitValues { name, unit, bound, used, ends: Some(*period_ends), exhausted }];
    }
    let windows = [
        ("rpm", limits.rpm, requests.minute, (None, None)),
        ("rpd", limits.rpd, requests.day, (Some(*period_ends), requests_spent)),
        ("tpm", limits.tpm, tokens.minute, (None, None)),
        ("tpd", limits.tpd, tokens.day, (Some(*period_ends), tokens_spent)),
    ];
    let bounded = windows.into_iter().filter_map(|(name, limit, used, (ends, exhausted))| {
        Some(LimitValues { name: name.to_owned(), unit: 1.0, bound: limit.bound()?, used, ends, exhausted })
    });
    bounded.collect()
}
