//! The limits of quotas as lines of a page, each with the use and the forecast.

use std::sync::Arc;

use maud::{Markup, html};
use quota::{Forecast, LimitUnit};

use super::format::{count, money, percent, short, time};
use super::view::View;
use crate::quotas::QuotaStatus;
use crate::types::Cost;

/// A limit in use.
#[derive(Debug, Clone)]
pub(super) struct LimitLine {
    /// The model that the limit is for, by the account's own name.
    pub(super) of_model: Option<Arc<str>>,
    /// `rpm`, `rpd` …, or the period of a limit of the list `limits`.
    pub(super) name: String,
    pub(super) unit: LimitUnit,
    /// With what is set aside for requests under way.
    pub(super) used: u64,
    pub(super) bound: u64,
    pub(super) forecast: Option<Forecast>,
    /// When the period ends (ms since the Unix epoch). A minute has no such time.
    pub(super) ends: Option<i64>,
}

/// How many percent are a warning.
const NEARLY_FULL: u64 = 90;

impl LimitLine {
    /// Returns whether nothing is left until the period's end.
    pub(super) fn is_spent(&self) -> bool {
        self.ends.is_some() && self.used >= self.bound
    }

    /// Returns the limits of a quota that have a bound.
    pub(super) fn of(quota: &QuotaStatus) -> Vec<LimitLine> {
        let QuotaStatus { limits, requests, tokens, forecasts: [of_requests, of_tokens], period_ends, .. } = quota;
        let line =
            |name: String, unit: LimitUnit, used: u64, bound: Option<u64>, forecast: Option<&Forecast>, ends: bool| {
                let of_model = quota.model.clone();
                Some(LimitLine {
                    of_model,
                    name,
                    unit,
                    used,
                    bound: bound?,
                    forecast: forecast.cloned(),
                    ends: ends.then_some(*period_ends),
                })
            };
        if let Some(listed) = limits.listed_limit() {
            let (used, forecast) = match listed.unit {
                LimitUnit::Requests => (requests.day, of_requests),
                LimitUnit::Tokens | LimitUnit::Usd => (tokens.day, of_tokens),
            };
            return line(listed.period.to_string(), listed.unit, used, Some(listed.amount), forecast.as_ref(), true)
                .into_iter()
                .collect();
        }
        let lines = [
            line("rpm".to_owned(), LimitUnit::Requests, requests.minute, limits.rpm.bound(), None, false),
            line("rpd".to_owned(), LimitUnit::Requests, requests.day, limits.rpd.bound(), of_requests.as_ref(), true),
            line("tpm".to_owned(), LimitUnit::Tokens, tokens.minute, limits.tpm.bound(), None, false),
            line("tpd".to_owned(), LimitUnit::Tokens, tokens.day, limits.tpd.bound(), of_tokens.as_ref(), true),
        ];
        lines.into_iter().flatten().collect()
    }

    /// Returns when the limit is spent at the present rate. `None`: units come free earlier, or the limit is spent already.
    pub(super) fn exhausted_at(&self) -> Option<i64> {
        self.forecast.as_ref()?.exhausted_at.filter(|_| self.used < self.bound)
    }

    /// Returns when units come free, where the use so far tells.
    pub(super) fn frees_at(&self) -> Option<i64> {
        self.forecast.as_ref().map(|of| of.frees_at)
    }

    fn amount(&self, units: u64) -> String {
        match self.unit {
            LimitUnit::Requests => count(units),
            LimitUnit::Tokens => short(units),
            LimitUnit::Usd => money(Cost::from_picodollars(units.saturating_mul(1_000))),
        }
    }

    /// Makes the line: the name, a bar, the numbers, and the forecast.
    pub(super) fn render(&self, view: &View) -> Markup {
        let full = percent(self.used, self.bound).min(100);
        let class = match full {
            100 => "bar full",
            NEARLY_FULL.. => "bar near",
            _ => "bar",
        };
        let amounts = format!("{} / {}", self.amount(self.used), self.amount(self.bound));
        html! {
            div class="limit" {
                span class="limit-name" { (view.language.text_or(&format!("period.{}", self.name), &self.name)) }
                // Drawn by attributes alone: the policy allows no styles in the markup.
                svg class=(class) viewBox="0 0 100 6" preserveAspectRatio="none" role="img"
                    aria-label={ (self.name) ": " (full) " %" } {
                    rect class="track" width="100" height="6" rx="1" {}
                    rect class="used" width=(full) height="6" rx="1" {}
                }
                span class="limit-amounts" { (amounts) }
                @if let Some(at) = self.exhausted_at() {
                    span class="limit-note near" { (view.t("limit.spent_at")) " " (time(at)) }
                } @else if let Some(ends) = self.ends.filter(|_| full >= 100) {
                    span class="limit-note" { (view.t("limit.frees_at")) " " (time(self.frees_at().unwrap_or(ends))) }
                }
            }
        }
    }
}
