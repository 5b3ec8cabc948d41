//! From typed limits to meant ones: of an API, of single models, and of groups.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::file::{ApiFile, BurstFile, CountOnFile, GroupFile, KeyBudgetFile, KeyFile, LimitsFile, PeriodLimitFile};
use quota::Reset;

use super::model::{ApiConfig, CountOn, GroupConfig, PeriodLimit, QuotaConfig};
use super::period_limits::{add_tightest, pacing};
use super::validator::Validator;
use crate::types::{Burst, Limit, Limits, NamePattern, sorted};

impl Validator<'_> {
    /// Returns the limits of one API alone.
    pub(super) fn api_quota(&mut self, at: &str, file: &ApiFile) -> Option<QuotaConfig> {
        let mapping = file.model_mapping.as_ref();
        let reset = self.reset(&format!("{at}.reset"), file.reset.as_deref())?;
        self.day_pacing(at, &file.limits, &reset);
        let mut more = self.period_limits(&format!("{at}.limits"), &file.limits.limits, (None, &reset));
        let mut models: BTreeMap<Arc<str>, Limits> = BTreeMap::new();
        if let Some(name) = &file.quota_group {
            self.plain(&format!("{at}.quotaGroup"), name);
        }
        for (name, typed) in &file.model_limits {
            self.limited_model(&format!("{at}.modelLimits"), name);
            let upstream_model = mapping.and_then(|mapping| mapping.get(name)).unwrap_or(name);
            let is_mapped = mapping.is_some_and(|mapping| mapping.values().any(|own| own == upstream_model));
            let unlisted = file.models.as_ref().is_some_and(|listed| !is_named(listed, upstream_model));
            if unlisted && !is_mapped {
                self.warn(format!("{at}.modelLimits: {name} is not among its models"));
            }
            let limits = limits(typed).tightest(models.get(upstream_model.as_str()).copied().unwrap_or_default());
            self.day_pacing(&format!("{at}.modelLimits.{name}"), typed, &reset);
            let model: Arc<str> = Arc::from(upstream_model.as_str());
            let place = format!("{at}.modelLimits.{name}.limits");
            add_tightest(&mut more, self.period_limits(&place, &typed.limits, (Some(&model), &reset)));
            models.insert(model, limits);
        }
        Some(QuotaConfig { limits: limits(&file.limits), models, more, reset })
    }

    /// Returns the limits of a client's key: a budget is a limit in dollars.
    pub(super) fn key_quota(&mut self, at: &str, file: &KeyFile) -> Option<QuotaConfig> {
        self.doubt_limits(at, &file.limits);
        let reset = self.reset(&format!("{at}.reset"), file.reset.as_deref())?;
        self.day_pacing(at, &file.limits, &reset);
        let mut more = self.period_limits(&format!("{at}.limits"), &file.limits.limits, (None, &reset));
        let budgets: Vec<PeriodLimitFile> = file.budgets.iter().flatten().map(KeyBudgetFile::as_limit).collect();
        let budgets = self.period_limits(&format!("{at}.budgets"), &budgets, (None, &reset));
        if budgets.iter().any(|budget| more.iter().any(|limit| limit.limit.is_alike(budget.limit))) {
            self.problem(&format!("{at}.budgets"), "has a period that one of limits bounds in usd as well");
        }
        more.extend(budgets);
        Some(QuotaConfig { limits: limits(&file.limits), models: BTreeMap::new(), more, reset })
    }

    /// Checks the name of a quota.
    fn plain(&mut self, at: &str, name: &str) {
        if name.trim().is_empty() || name.chars().any(char::is_control) {
            self.problem(at, "holds a name that is empty or has control characters");
        }
    }

    /// Checks the name of a model with limits of its own.
    fn limited_model(&mut self, at: &str, name: &str) {
        self.plain(at, name);
        if NamePattern::parse(name).is_some() {
            self.problem(at, "has a pattern (*); each model with limits of its own must be named");
        }
    }

    pub(super) fn reset(&mut self, at: &str, typed: Option<&str>) -> Option<Reset> {
        match typed {
            None => Some(Reset::LocalMidnight),
            Some("rolling") => Some(Reset::Rolling),
            Some(zone) => match TimeZone::get(zone) {
                Ok(zone) => Some(Reset::Midnight(zone)),
                Err(_) => self.refuse(at, "must be an IANA time zone such as America/Los_Angeles or UTC, or rolling"),
            },
        }
    }

    /// Puts the groups' limits into the members. `members` are the group names of the APIs, in order.
    pub(super) fn join_groups(
        &mut self,
        apis: &mut [ApiConfig],
        members: &[Option<String>],
        files: &BTreeMap<String, GroupFile>,
    ) {
        for name in files.keys().filter(|name| !members.iter().flatten().any(|member| member == *name)) {
            self.warn(format!("quotaGroups.{name}: no API names it as its quotaGroup"));
        }
        let mut groups: BTreeMap<&str, Arc<GroupConfig>> = BTreeMap::new();
        for name in sorted::set(members.iter().flatten()) {
            let own = |(api, member): (&ApiConfig, &Option<String>)| {
                (member.as_ref() == Some(name)).then(|| ((api.id.clone(), api.ledger.clone()), api.quota.clone()))
            };
            let (named, quotas): (Vec<_>, Vec<QuotaConfig>) = apis.iter().zip(members).filter_map(own).unzip();
            if let Some(quota) = self.group_quota(name, &quotas, files.get(name)) {
                let (members, ledgers) = named.into_iter().unzip();
                let group = GroupConfig { name: Arc::from(name.as_str()), members, ledgers, quota };
                groups.insert(name, Arc::new(group));
            }
        }
        for (api, member) in apis.iter_mut().zip(members) {
            api.group = member.as_ref().and_then(|name| groups.get(name.as_str()).cloned());
        }
    }

    /// Returns the limits of a group: as described, or else the tightest limit of each kind among the members.
    fn group_quota(&mut self, name: &str, members: &[QuotaConfig], file: Option<&GroupFile>) -> Option<QuotaConfig> {
        let at = format!("quotaGroups.{name}");
        let typed = file.and_then(|file| file.reset.as_deref());
        let mut resets = members.iter().map(|member| &member.reset);
        let reset = match (typed, resets.next()) {
            (Some(typed), _) => self.reset(&format!("{at}.reset"), Some(typed))?,
            (None, Some(first)) if resets.all(|other| other == first) => first.clone(),
            (None, _) => {
                let differ = "its APIs begin their days at different times (`reset`); give the group a `reset`";
                return self.refuse(&at, differ);
            }
        };
        let Some(file) = file else {
            let limits = members.iter().fold(Limits::default(), |all, member| all.tightest(member.limits));
            let mut models: BTreeMap<Arc<str>, Limits> = BTreeMap::new();
            for (model, limits) in members.iter().flat_map(|member| &member.models) {
                let all = models.entry(model.clone()).or_default();
                *all = all.tightest(*limits);
            }
            let mut more: Vec<PeriodLimit> = Vec::new();
            members.iter().for_each(|member| add_tightest(&mut more, member.more.iter().cloned()));
            return Some(QuotaConfig { limits, models, more, reset });
        };
        self.doubt_group(name, file);
        self.day_pacing(&at, &file.limits, &reset);
        let mut more = self.period_limits(&format!("{at}.limits"), &file.limits.limits, (None, &reset));
        for (name, typed) in &file.model_limits {
            self.limited_model(&format!("{at}.modelLimits"), name);
            self.day_pacing(&format!("{at}.modelLimits.{name}"), typed, &reset);
            let place = format!("{at}.modelLimits.{name}.limits");
            more.extend(self.period_limits(&place, &typed.limits, (Some(&Arc::from(name.as_str())), &reset)));
        }
        let models = file.model_limits.iter().map(|(model, typed)| (Arc::from(model.as_str()), limits(typed)));
        Some(QuotaConfig { limits: limits(&file.limits), models: sorted::map(models), more, reset })
    }
}

/// Returns whether a list has the model, by name or by a pattern.
fn is_named(listed: &[String], model: &str) -> bool {
    listed.iter().any(|name| name == model || NamePattern::parse(name).is_some_and(|pattern| pattern.matches(model)))
}

pub(super) fn count_on(typed: Option<CountOnFile>) -> CountOn {
    match typed {
        None | Some(CountOnFile::Attempt) => CountOn::Attempt,
        Some(CountOnFile::Accepted) => CountOn::Accepted,
    }
}

fn limits(file: &LimitsFile) -> Limits {
    let burst =
        |b: BurstFile| Burst { requests: u64::from(b.requests), span_ms: u64::from(b.seconds).saturating_mul(1_000) };
    Limits {
        rpm: limit(file.rpm),
        rpd: limit(file.rpd),
        tpm: limit(file.tpm),
        tpd: limit(file.tpd),
        burst: file.burst.map(burst),
        max_concurrent: file.max_concurrent,
        pacing: pacing(file.pacing),
        ..Limits::default()
    }
}

fn limit(typed: Option<i64>) -> Limit {
    // What is negative is -1: the schema has seen to the rest.
    typed.and_then(|typed| u64::try_from(typed).ok()).map_or(Limit::Unlimited, Limit::AtMost)
}
