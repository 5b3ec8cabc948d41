//! The page: each family, from what the owners answered.

use super::limits::{budgets, limits};
use crate::config::ConfigState;
use crate::http::concurrency::LoadReport;
use crate::keys::KeyStatus;
use crate::mailbox::{MailboxReport, mailbox_reports};
use crate::metrics::{self, Exposition, MetricFamily, ProcessStats};
use crate::proxy::BudgetReport;
use crate::records::{RequestCells, StatusLabel, TokenCell};
use crate::scheduler::{ApiReport, StoreReport};
use crate::types::{Cost, FailureClass, KeyName, TokenKinds};
use crate::upstream::{ApiStatus, Refusal, Resting, Scope};

/// What the owners of all numbers answered; `None` from who did not in time.
pub(super) struct Scrape {
    pub(super) config: Option<ConfigState>,
    pub(super) reports: Option<Vec<ApiReport>>,
    pub(super) keys: Vec<KeyStatus>,
    pub(super) waiting: Option<usize>,
    pub(super) stores: Option<Vec<StoreReport>>,
    pub(super) cells: Option<Box<RequestCells>>,
    pub(super) budget: BudgetReport,
    pub(super) load: LoadReport,
}

/// The states of an upstream.
const STATES: [&str; 8] = ["ok", "limited", "resting", "breaker", "unauthorized", "unpaid", "not_ready", "disabled"];

impl Scrape {
    /// Returns the text.
    pub(super) fn page(&self) -> String {
        let mut page = Exposition::default();
        if let Some(cells) = &self.cells {
            requests(&mut page, cells);
            attempts(&mut page, cells);
            tokens(&mut page, cells);
        }
        if let Some(reports) = &self.reports {
            upstreams(&mut page, reports);
            limits(&mut page, reports, &self.keys);
        }
        budgets(&mut page, &self.keys);
        self.server(&mut page);
        if let Some(config) = &self.config {
            configuration(&mut page, config);
        }
        page.family(&metrics::BUILD_INFO).sample(&[env!("CARGO_PKG_VERSION")], true);
        if let Some(stats) = ProcessStats::read() {
            process(&mut page, stats);
        }
        page.finish()
    }

    fn server(&self, page: &mut Exposition) {
        if let Some(waiting) = self.waiting {
            page.family(&metrics::WAITING).sample(&[], waiting);
        }
        page.family(&metrics::CONNECTIONS).sample(&[], self.load.connections);
        page.family(&metrics::REQUESTS_IN_FLIGHT).sample(&[], self.load.requests);
        page.family(&metrics::RETRY_BUDGET_LEFT).sample(&[], self.budget.left);
        page.family(&metrics::RETRY_BUDGET_DENIED).sample(&[], self.budget.denied);
        self.stores(page);
        mailboxes(page);
    }

    fn stores(&self, page: &mut Exposition) {
        let Some(stores) = &self.stores else { return };
        let mut family = page.family(&metrics::STORE_UP);
        stores.iter().for_each(|store| family.sample(&[store.store], store.is_up));
        let mut family = page.family(&metrics::STORE_LAG);
        stores.iter().for_each(|store| family.sample(&[store.store], store.lag_ms as f64 / 1_000.0));
    }
}

fn requests(page: &mut Exposition, cells: &RequestCells) {
    let mut family = page.family(&metrics::REQUESTS);
    for (cell, counts) in &cells.requests {
        for (status, count) in StatusLabel::ALL.iter().zip(counts).filter(|(_, count)| **count > 0) {
            family.sample(&[cell.op, key_label(&cell.key), &cell.model, status.as_str()], *count);
        }
    }
    let mut family = page.family(&metrics::REQUEST_DURATION);
    for ((op, stream), times) in &cells.times {
        family.histogram(&[op, shown(*stream)], &times.duration);
    }
    let mut family = page.family(&metrics::FIRST_TOKEN);
    for ((op, stream), times) in &cells.times {
        family.histogram(&[op, shown(*stream)], &times.first_token);
    }
    page.family(&metrics::ADDED_LATENCY).histogram(&[], &cells.added);
    let mut family = page.family(&metrics::REFUSALS);
    for ((reason, key), count) in &cells.refusals {
        family.sample(&[reason, key_label(key)], *count);
    }
    page.family(&metrics::CELLS_OVERFLOWED).sample(&[], cells.overflowed);
    page.family(&metrics::RECORDS_DROPPED).sample(&[], cells.dropped);
}

fn attempts(page: &mut Exposition, cells: &RequestCells) {
    let mut family = page.family(&metrics::ATTEMPTS);
    for (api, attempts) in &cells.attempts {
        for (class, count) in &attempts.classes {
            family.sample(&[api.as_str(), class], *count);
        }
    }
    let mut family = page.family(&metrics::ATTEMPT_FIRST_TOKEN);
    for (api, attempts) in &cells.attempts {
        family.histogram(&[api.as_str()], &attempts.first_token);
    }
}

fn tokens(page: &mut Exposition, cells: &RequestCells) {
    let mut family = page.family(&metrics::TOKENS);
    for (TokenCell { api, key, model }, counts) in &cells.tokens {
        for (estimated, kinds) in [("0", &counts.reported), ("1", &counts.estimated)] {
            for (kind, count) in kinds_by_label(kinds).into_iter().filter(|(_, count)| *count > 0) {
                family.sample(&[api.as_str(), key_label(key), model, kind, estimated], count);
            }
        }
    }
    let mut family = page.family(&metrics::BILLED_UNITS);
    for (TokenCell { api, key, model }, counts) in &cells.tokens {
        for (unit, number) in counts.billed.present() {
            family.sample(&[api.as_str(), key_label(key), model, unit.column], number);
        }
    }
    let mut family = page.family(&metrics::COST);
    for (TokenCell { api, key, model }, counts) in cells.tokens.iter().filter(|(_, counts)| counts.cost != Cost::ZERO) {
        family.sample(&[api.as_str(), key_label(key), model, "usd"], counts.cost.dollars());
    }
}

/// Returns each kind of tokens by its label.
fn kinds_by_label(kinds: &TokenKinds) -> [(&'static str, u64); 5] {
    [
        ("input", kinds.input),
        ("cached_input", kinds.cached),
        ("cache_write", kinds.cache_write_5m.saturating_add(kinds.cache_write_1h)),
        ("output", kinds.output),
        ("reasoning", kinds.reasoning),
    ]
}

fn upstreams(page: &mut Exposition, reports: &[ApiReport]) {
    let mut family = page.family(&metrics::UPSTREAM_STATE);
    for ApiReport { status, .. } in reports {
        let now = state(status);
        for name in STATES {
            family.sample(&[status.config.id.as_str(), name], name == now);
        }
    }
    let mut family = page.family(&metrics::IN_FLIGHT);
    for ApiReport { status, .. } in reports {
        family.sample(&[status.config.id.as_str()], u64::from(status.in_flight));
    }
}

/// Returns the state of an upstream, one of [`STATES`].
fn state(status: &ApiStatus) -> &'static str {
    match status.refusal.as_ref().map(|(refusal, _)| refusal) {
        None => "ok",
        Some(Refusal::QuotaExhausted { .. }) => "limited",
        Some(Refusal::Resting(Resting { scope: Scope::Service, .. })) => "breaker",
        Some(Refusal::Resting(Resting { reason: FailureClass::Unauthorized, .. })) => "unauthorized",
        Some(Refusal::Resting(Resting { reason: FailureClass::PaymentRequired, .. })) => "unpaid",
        Some(Refusal::Resting(_) | Refusal::RestedByOperator { .. }) => "resting",
        Some(Refusal::StoreUnavailable { .. } | Refusal::ModelsUnknown { .. }) => "not_ready",
        Some(Refusal::Disabled | Refusal::Retiring) => "disabled",
    }
}

fn mailboxes(page: &mut Exposition) {
    let reports = mailbox_reports();
    let mut each = |family: &'static MetricFamily, value: fn(&MailboxReport) -> Option<u64>| {
        let mut family = page.family(family);
        for report in &reports {
            if let Some(value) = value(report) {
                family.sample(&[report.kind.as_str()], value);
            }
        }
    };
    each(&metrics::MAILBOX_DEPTH, |report| Some(report.depth as u64));
    each(&metrics::MAILBOX_DEEPEST, |report| Some(report.deepest as u64));
    each(&metrics::MAILBOX_REFUSED, |report| Some(report.refused));
    each(&metrics::MAILBOX_CAPACITY, |report| report.capacity.map(|capacity| capacity as u64));
}

fn configuration(page: &mut Exposition, state: &ConfigState) {
    page.family(&metrics::CONFIG_RELOADED).sample(&[], state.loaded_at as f64 / 1_000.0);
    page.family(&metrics::CONFIG_RELOAD_SUCCESS).sample(&[], state.last_error.is_none());
    page.family(&metrics::CONFIG_INFO).sample(&[&state.config.hash], true);
}

fn process(page: &mut Exposition, stats: ProcessStats) {
    page.family(&metrics::PROCESS_CPU).sample(&[], stats.cpu_seconds);
    page.family(&metrics::PROCESS_RESIDENT).sample(&[], stats.resident_bytes);
    page.family(&metrics::PROCESS_VIRTUAL).sample(&[], stats.virtual_bytes);
    page.family(&metrics::PROCESS_FDS).sample(&[], stats.open_fds);
    page.family(&metrics::PROCESS_MAX_FDS).sample(&[], stats.max_fds);
    page.family(&metrics::PROCESS_THREADS).sample(&[], stats.threads);
    page.family(&metrics::PROCESS_START).sample(&[], stats.start_seconds);
}

fn key_label(key: &Option<KeyName>) -> &str {
    key.as_ref().map_or("", KeyName::as_str)
}

fn shown(stream: bool) -> &'static str {
    if stream { "1" } else { "0" }
}
