//! What can serve now, what runs out next, and what failed.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use maud::{Markup, html};

use super::card::{can_serve, card, first_tokens, state, why};
use crate::error::ApiError;
use crate::http::usage_answer;
use crate::records::{AttemptResult, GetRecent, KEPT_REQUESTS, RecentFilter, RecentRequest};
use crate::scheduler::{ApiReport, GetReports, GetWaiting};
use crate::types::{Now, sorted};
use crate::ui::format::{count, money, short, time};
use crate::ui::limits::LimitLine;
use crate::ui::page::PageRequest;
use crate::ui::search::Search;
use crate::ui::view::{Facts, View, account_page, address};
use crate::ui::widgets::tile;
use crate::usage::UsageCounts;

/// What an account can be.
const STATES: [&str; 5] = ["able", "full", "resting", "disabled", "unknown"];

/// Accounts that are seen at a glance. With more there is a field to find one.
const FEW: usize = 8;

/// Accounts that a page shows at once, unless all are asked for.
const MOST_SHOWN: usize = 60;

/// Accounts in one state that the first lines name.
const MOST_NAMED: usize = 3;

/// The span of the present rates, in ms.
const RATE_SPAN: i64 = 10_000;

struct NowFacts {
    apis: Vec<ApiReport>,
    recent: Vec<RecentRequest>,
    waiting: usize,
    today: UsageCounts,
    now: i64,
    search: Search,
    /// `order=next`: what runs out first stands first.
    by_next: bool,
    /// `all=1`: however many accounts there are.
    is_whole: bool,
}

pub(in crate::ui) fn load(asked: PageRequest) -> LocalBoxFuture<'static, Result<Box<dyn Facts>, ApiError>> {
    async move {
        let worker = &asked.worker;
        let stopping = |_| ApiError::Stopping;
        let apis = worker.supervisor.send(GetReports).await.map_err(stopping)?;
        let waiting = worker.supervisor.send(GetWaiting).await.map_err(stopping)?;
        let recent = GetRecent { after: None, filter: RecentFilter::default(), most: KEPT_REQUESTS };
        let recent = worker.recorder_actor.send(recent).await.map_err(stopping)?.requests;
        let now = Now::read().wall;
        let today = usage_answer(worker, &format!("by=day&from={}", now / 1_000)).await?;
        let (_, today) = today.sum.rows();
        let by_next = asked.field("order") == Some("next");
        let is_whole = asked.field("all").is_some();
        let search = Search::of("/ui/", &asked);
        Ok(Box::new(NowFacts { apis, recent, waiting, today, now, search, by_next, is_whole }) as Box<dyn Facts>)
    }
    .boxed_local()
}

impl Facts for NowFacts {
    fn render(&self, view: &View) -> Markup {
        let firsts = first_tokens(&self.recent);
        let of = |api: &ApiReport| firsts.get(&api.status.config.id).map_or(&[][..], Vec::as_slice);
        html! {
            (view.piece("health", "health", self.health(view)))
            (view.piece("tiles", "", self.tiles(view)))
            @if self.apis.len() > FEW || !self.search.is_any() { (self.search.form("now.find", view)) }
            (view.piece("choices", "", self.choices(view)))
            @let (shown, more) = self.shown();
            @if shown.is_empty() { p class="faint" { (view.t("search.none")) } }
            div class="cards" {
                @for api in shown { (card(api, of(api), view)) }
            }
            @if more > 0 {
                p { a href=(self.search.with(&[("all", "1")])) { (view.tr("now.show_all", &[("more", &count(more as u64))])) } }
            }
        }
    }
}

impl NowFacts {
    fn health(&self, view: &View) -> Markup {
        let able = self.apis.iter().filter(|api| can_serve(api)).count();
        let (shown, all) = (able.to_string(), self.apis.len().to_string());
        let headline = if able == 0 { "headline bad" } else { "headline" };
        html! {
            p class=(headline) { (view.tr("now.can_serve", &[("able", &shown), ("all", &all)])) }
            @if let Some((api, line, at)) = self.next_out() {
                @let id = api.status.config.id.as_str();
                p {
                    (view.t("now.next_out")) " " a href=(account_page(id)) { (id) } " " (line.name) ", " (time(at))
                    @if let Some(frees) = line.frees_at() { " · " (view.t("limit.frees_at")) " " (time(frees)) }
                }
            }
            // Resting accounts may wait for a person; a limit frees by itself.
            (self.named("resting", "now.resting", view))
            (self.named("full", "now.spent", view))
        }
    }

    /// Returns the limit that is spent first at the present rates.
    fn next_out(&self) -> Option<(&ApiReport, LimitLine, i64)> {
        let of = |api| next_out(api).map(|(line, at)| (api, line, at));
        self.apis.iter().filter_map(of).min_by_key(|(_, _, at)| *at)
    }

    /// Returns the accounts to show, in order, and how many more there are. Of very many those that can't serve stand first.
    fn shown(&self) -> (Vec<&ApiReport>, usize) {
        let is_wanted = |api: &&ApiReport| {
            let config = &api.status.config;
            self.search.admits(&[config.id.as_str(), &config.name], state(api).0)
        };
        let mut shown: Vec<&ApiReport> = self.apis.iter().filter(is_wanted).collect();
        let found = shown.len();
        let is_cut = found > MOST_SHOWN && !self.is_whole;
        if is_cut {
            sorted::sort_by_key(&mut shown, |api| can_serve(api));
        }
        if self.by_next {
            sorted::sort_by_key(&mut shown, |api| next_out(api).map_or(i64::MAX, |(_, at)| at));
        }
        if is_cut {
            shown.truncate(MOST_SHOWN);
        }
        let more = found - shown.len();
        (shown, more)
    }

    /// Makes the first accounts in a state, and why and until when they are. `words`: what stands before the names.
    fn named(&self, of_state: &str, words: &str, view: &View) -> Markup {
        let found: Vec<&ApiReport> = self.apis.iter().filter(|api| state(api).0 == of_state).collect();
        let more = found.len().saturating_sub(MOST_NAMED);
        html! {
            @if !found.is_empty() {
                p {
                    (view.t(words)) " "
                    @for (at, api) in found.iter().take(MOST_NAMED).enumerate() {
                        @let id = api.status.config.id.as_str();
                        @if at > 0 { " · " }
                        a href=(account_page(id)) { (id) } " " (why(api, view))
                    }
                    @if more > 0 { " · " a href={ "/ui/?state=" (of_state) } { (view.tr("now.and_more", &[("more", &count(more as u64))])) } }
                }
            }
        }
    }

    fn tiles(&self, view: &View) -> Markup {
        let latest = self.recent.iter().take_while(|request| request.ended_at > self.now - RATE_SPAN);
        // With very many requests the kept ones reach back less far.
        let reach = match self.recent.last() {
            Some(oldest) if self.recent.len() == KEPT_REQUESTS => (self.now - oldest.ended_at).clamp(1, RATE_SPAN),
            Some(_) | None => RATE_SPAN,
        };
        let (mut requests, mut tokens) = (0, 0);
        for request in latest {
            requests += 1;
            tokens += request.record.usage.map_or(0, |usage| usage.total);
        }
        let rate = |units: u64| units as f64 * 1_000.0 / reach as f64;
        let in_flight: u64 = self.apis.iter().map(|api| u64::from(api.status.in_flight)).sum();
        let of_words = |number: u64, name: &str| format!("{} {}", count(number), view.t(name));
        let today = |show: &str, group: &str, value: String| {
            view.link("/ui/usage", &[("range", "today"), ("show", show), ("group", group)], value)
        };
        let failed = view.link("/ui/live", &[("failed", "1")], of_words(self.today.failed, "usage.failed"));
        let mark = if self.today.estimated > 0 { "≈ " } else { "" };
        html! {
            dl class="tiles" {
                (tile(view, "now.requests_s", view.link("/ui/live", &[], format!("{:.1}", rate(requests))), ""))
                (tile(view, "now.tokens_s", view.link("/ui/live", &[], short(rate(tokens) as u64)), ""))
                (tile(view, "now.in_flight", count(in_flight), of_words(self.waiting as u64, "now.waiting")))
                (tile(view, "now.today", today("requests", "api", count(self.today.requests)), failed))
                (tile(view, "now.tokens_today", today("tokens", "api", short(self.today.tokens.total())), ""))
                (tile(view, "now.cost_today", today("cost", "key", format!("{mark}{}", money(self.today.cost))), ""))
            }
            (self.errors(view))
        }
    }

    /// Makes what went wrong among the last requests: failures of attempts by class, and what the pool itself refused by code.
    fn errors(&self, view: &View) -> Markup {
        let attempts = self.recent.iter().flat_map(|request| &request.record.attempts);
        let failures = attempts.filter_map(|attempt| match &attempt.result {
            AttemptResult::Failed(failure) => Some(failure.class.as_str()),
            AttemptResult::Open | AttemptResult::Served => None,
        });
        let refusals = self.recent.iter().filter_map(|request| request.record.end.refused_by());
        html! {
            (self.chips(("now.errors", "class"), counted(failures), view))
            (self.chips(("now.refused", "refused"), counted(refusals), view))
        }
    }

    /// Makes a list of links to the requests that have a value in a field of the filter. `words`: what stands before the list.
    fn chips(&self, (words, field): (&str, &str), counts: Vec<(&str, usize)>, view: &View) -> Markup {
        html! {
            @if !counts.is_empty() {
                ul class="chips" {
                    li class="faint" { (view.tr(words, &[("of", &count(self.recent.len() as u64))])) }
                    @for (name, times) in counts {
                        li { a href=(address("/ui/live", &[(field, name)])) { (view.language.class(name)) " " (times) } }
                    }
                }
            }
        }
    }

    fn choices(&self, view: &View) -> Markup {
        let of = |name: &str| self.apis.iter().filter(|api| state(api).0 == name).count();
        let counts = STATES.map(|state| (state, of(state)));
        let order = if self.by_next { "" } else { "next" };
        html! {
            ul class="chips" {
                (self.search.states(&counts, view))
                li {
                    a href=(self.search.with(&[("order", order)])) aria-current=[self.by_next.then_some("true")] {
                        (view.t("now.by_next"))
                    }
                }
                @if view.visitor.is_admin() { li { a href="/ui/add" { "+ " (view.t("page.add")) } } }
            }
        }
    }
}

/// Counts names, the most frequent first.
fn counted<'a>(names: impl Iterator<Item = &'a str>) -> Vec<(&'a str, usize)> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for name in names {
        *counts.entry(name).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    sorted::sort_by_key(&mut counts, |(_, times)| Reverse(*times));
    counts
}

/// Returns the limit of an account that is spent first.
fn next_out(api: &ApiReport) -> Option<(LimitLine, i64)> {
    let lines = api.status.quotas.iter().flat_map(LimitLine::of);
    lines.filter_map(|line| line.exhausted_at().map(|at| (line, at))).min_by_key(|(_, at)| *at)
}
