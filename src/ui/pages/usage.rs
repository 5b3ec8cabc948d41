//! Who used what, and what it cost: a chart, a table, and the same as CSV.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use jiff::Timestamp;
use maud::{Markup, html};

use crate::error::ApiError;
use crate::http::usage_answer;
use crate::types::{Cost, Now};
use crate::ui::chart::{Bar, MOST_PARTS, StackedBars};
use crate::ui::format::{count, money, percent, short};
use crate::ui::page::{Facts, PageRequest};
use crate::ui::view::{View, address};
use crate::usage::{Bucket, Dimension, UsageCounts, UsageRow};

/// How far back, in which buckets.
struct Range {
    name: &'static str,
    days: i64,
    by: &'static str,
}

const RANGES: [Range; 4] = [
    Range { name: "24h", days: 1, by: "hour" },
    Range { name: "7d", days: 7, by: "day" },
    Range { name: "30d", days: 30, by: "day" },
    Range { name: "12m", days: 360, by: "month" },
];

const DAY_MS: i64 = 86_400_000;

/// What is drawn.
struct UsageFigure {
    name: &'static str,
    of: fn(&UsageCounts) -> f64,
    amount: fn(f64) -> String,
}

const FIGURES: [UsageFigure; 3] = [
    UsageFigure { name: "tokens", of: |counts| counts.tokens.total() as f64, amount: |value| short(value as u64) },
    UsageFigure { name: "requests", of: |counts| counts.requests as f64, amount: |value| short(value as u64) },
    UsageFigure { name: "cost", of: |counts| counts.cost.dollars(), amount: dollars },
];

fn dollars(value: f64) -> String {
    if value >= 10.0 || value == 0.0 { format!("${value:.0}") } else { format!("${value:.2}") }
}

struct UsageFacts {
    range: &'static Range,
    figure: &'static UsageFigure,
    group: Dimension,
    /// What is looked at alone.
    only: Vec<(Dimension, String)>,
    rows: Vec<UsageRow>,
    total: UsageCounts,
    buckets: Vec<(i64, String)>,
    is_complete: bool,
    /// The same question to `/v1/usage`.
    question: Vec<(String, String)>,
}

pub(in crate::ui) fn load(asked: PageRequest) -> LocalBoxFuture<'static, Result<Box<dyn Facts>, ApiError>> {
    async move {
        let named = |field: &str| asked.field(field).unwrap_or_default();
        let range = RANGES.iter().find(|range| range.name == named("range")).unwrap_or(&RANGES[1]);
        let figure = FIGURES.iter().find(|figure| figure.name == named("show")).unwrap_or(&FIGURES[0]);
        let group = Dimension::named(named("group")).unwrap_or(Dimension::Api);
        let only =
            Dimension::ALL.into_iter().filter_map(|of| Some((of, asked.field(of.as_str())?.to_owned()))).collect();
        let facts = facts(&asked, UsageChoice { range, figure, group, only }).await?;
        Ok(Box::new(facts) as Box<dyn Facts>)
    }
    .boxed_local()
}

/// What a visitor chose.
struct UsageChoice {
    range: &'static Range,
    figure: &'static UsageFigure,
    group: Dimension,
    only: Vec<(Dimension, String)>,
}

async fn facts(asked: &PageRequest, choice: UsageChoice) -> Result<UsageFacts, ApiError> {
    let UsageChoice { range, figure, group, only } = choice;
    let from = Now::read().wall - range.days * DAY_MS + if range.days > 1 { DAY_MS } else { 0 };
    let mut question = vec![
        ("from".to_owned(), (from / 1_000).to_string()),
        ("by".to_owned(), range.by.to_owned()),
        ("group".to_owned(), group.as_str().to_owned()),
    ];
    question.extend(only.iter().map(|(of, name)| (of.as_str().to_owned(), name.clone())));
    let fields: Vec<(&str, &str)> = question.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let query = address("", &fields);
    let answer = usage_answer(&asked.worker, query.trim_start_matches('?')).await?;
    let (rows, total) = answer.sum.rows();
    let query = answer.sum.query();
    let mut buckets = Vec::new();
    let mut start = query.from;
    while start < query.to && buckets.len() < 100 {
        buckets.push((start, label(start, query.by, &query.zone)));
        start = query.by.end(start, &query.zone);
    }
    let is_complete = answer.is_complete;
    Ok(UsageFacts { range, figure, group, only, rows, total, buckets, is_complete, question })
}

/// Returns a bucket's label, in the server's zone: days and months are that zone's.
fn label(start: i64, by: Bucket, zone: &jiff::tz::TimeZone) -> String {
    let form = match by {
        Bucket::Hour => "%H:00",
        Bucket::Day => "%m-%d",
        Bucket::Month => "%Y-%m",
    };
    let at = Timestamp::from_millisecond(start).ok().map(|at| at.to_zoned(zone.clone()));
    at.map(|at| at.strftime(form).to_string()).unwrap_or_default()
}

impl Facts for UsageFacts {
    fn render(&self, view: &View) -> Markup {
        let chart = self.chart(view);
        html! {
            (self.choices(view))
            (view.piece("usage", "", html! {
                (self.tiles(view))
                @if !self.is_complete { p class="problem" { (view.t("usage.incomplete")) } }
                div class="panel" {
                    (chart.render(&view.tr("usage.chart", &[("what", view.t(&format!("figure.{}", self.figure.name)))])))
                    (chart.legend())
                }
                div class="scroll" { (self.table(view)) }
                details id="by-bucket" class="panel" { summary { (view.t("usage.numbers")) } div class="scroll" { (numbers(&chart)) } }
            }))
            p { a href=(self.csv()) download { (view.t("usage.csv")) } }
        }
    }
}

impl UsageFacts {
    /// Returns the address of this page with another choice.
    fn with(&self, field: &str, value: &str) -> String {
        let mut fields = vec![("range", self.range.name), ("show", self.figure.name), ("group", self.group.as_str())];
        fields.extend(self.only.iter().map(|(of, name)| (of.as_str(), name.as_str())));
        fields.retain(|(name, _)| *name != field);
        if !value.is_empty() {
            fields.push((field, value));
        }
        address("/ui/usage", &fields)
    }

    fn csv(&self) -> String {
        let fields: Vec<(&str, &str)> =
            self.question.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        address("/ui/usage.csv", &fields)
    }

    fn choices(&self, view: &View) -> Markup {
        let chip = |field: &str, value: &'static str, chosen: &str, text: &str| {
            let current = (value == chosen).then_some("true");
            html! { li { a href=(self.with(field, value)) aria-current=[current] { (text) } } }
        };
        html! {
            ul class="chips" aria-label=(view.t("usage.range")) { @for range in &RANGES { (chip("range", range.name, self.range.name, view.t(&format!("range.{}", range.name)))) } }
            ul class="chips" aria-label=(view.t("usage.group")) { @for of in Dimension::ALL { (chip("group", of.as_str(), self.group.as_str(), view.t(&format!("group.{}", of.as_str())))) } }
            ul class="chips" aria-label=(view.t("usage.show")) { @for figure in &FIGURES { (chip("show", figure.name, self.figure.name, view.t(&format!("figure.{}", figure.name)))) } }
            @if !self.only.is_empty() {
                ul class="chips" { @for (of, name) in &self.only {
                    li { a href=(self.with(of.as_str(), "")) aria-current="true" { (view.t(&format!("group.{}", of.as_str()))) ": " (name) " ×" } }
                } }
            }
        }
    }

    fn tiles(&self, view: &View) -> Markup {
        let tokens = &self.total.tokens;
        let tile = |name: &str, value: String, below: String| {
            html! { div class="tile" { dt { (view.t(name)) } dd { (value) } @if !below.is_empty() { dd class="sub" { (below) } } } }
        };
        let part = |name: &str, of: u64| format!("{} {}", view.t(name), short(of));
        let inputs = [
            part("usage.cached", tokens.cached),
            part("usage.cache_writes", tokens.cache_write_5m + tokens.cache_write_1h),
        ];
        html! {
            dl class="tiles" {
                (tile("usage.requests", count(self.total.requests), format!("{} {}", count(self.total.failed), view.t("usage.failed"))))
                (tile("usage.input", short(tokens.prompt()), inputs.join(" · ")))
                (tile("usage.output", short(tokens.completion()), part("usage.reasoning", tokens.reasoning)))
                (tile("usage.cost", money(self.total.cost), String::new()))
                (tile("usage.estimated", format!("≈ {}", short(self.total.estimated)), String::new()))
            }
        }
    }

    /// Returns the sums by name, the largest first.
    fn by_name(&self) -> Vec<(Arc<str>, UsageCounts)> {
        let mut sums: BTreeMap<Arc<str>, UsageCounts> = BTreeMap::new();
        for row in &self.rows {
            sums.entry(self.name_of(row)).or_default().add(&row.counts);
        }
        let mut sums: Vec<_> = sums.into_iter().collect();
        sums.sort_by(|(_, one), (_, other)| (self.figure.of)(other).total_cmp(&(self.figure.of)(one)));
        sums
    }

    fn name_of(&self, row: &UsageRow) -> Arc<str> {
        let at = Dimension::ALL.into_iter().position(|of| of == self.group).unwrap_or_default();
        row.names.get(at).cloned().flatten().unwrap_or_default()
    }

    fn chart(&self, view: &View) -> StackedBars {
        let names: Vec<Arc<str>> = self.by_name().into_iter().map(|(name, _)| name).collect();
        let own = names.len().min(MOST_PARTS);
        let mut parts: Vec<String> = names.iter().take(own).map(|name| shown(name, view)).collect();
        if names.len() > own {
            parts.push(view.t("usage.rest").to_owned());
        }
        let mut bars: Vec<Bar> = self
            .buckets
            .iter()
            .map(|(_, label)| Bar { label: label.clone(), values: vec![0.0; parts.len()] })
            .collect();
        for row in &self.rows {
            let name = self.name_of(row);
            let part = names.iter().position(|known| *known == name).unwrap_or_default().min(own);
            let bar = self.buckets.iter().position(|(start, _)| *start == row.start).and_then(|at| bars.get_mut(at));
            if let Some(value) = bar.and_then(|bar| bar.values.get_mut(part)) {
                *value += (self.figure.of)(&row.counts);
            }
        }
        StackedBars { parts, bars, amount: self.figure.amount }
    }

    fn table(&self, view: &View) -> Markup {
        let whole = (self.figure.of)(&self.total).max(f64::MIN_POSITIVE);
        html! {
            table {
                thead { tr {
                    th { (view.t(&format!("group.{}", self.group.as_str()))) }
                    th class="right" { (view.t("usage.share")) } th class="right" { (view.t("usage.requests")) } th class="right" { (view.t("usage.failed")) }
                    th class="right" { (view.t("usage.input")) } th class="right" { (view.t("usage.cached")) } th class="right" { (view.t("usage.output")) }
                    th class="right" { (view.t("usage.reasoning")) } th class="right" { (view.t("usage.cost")) }
                } }
                tbody {
                    @for (name, counts) in self.by_name() {
                        tr {
                            td { a href=(self.with(self.group.as_str(), &name)) { (shown(&name, view)) } }
                            td class="right" { (format!("{:.0} %", (self.figure.of)(&counts) / whole * 100.0)) }
                            td class="right" { (count(counts.requests)) } td class="right" { (count(counts.failed)) }
                            td class="right" { (count(counts.tokens.prompt())) }
                            td class="right" { (percent(counts.tokens.cached, counts.tokens.prompt())) " %" }
                            td class="right" { (count(counts.tokens.completion())) } td class="right" { (count(counts.tokens.reasoning)) }
                            td class="right" { (cost(counts.cost, &counts)) }
                        }
                    }
                    @if self.rows.is_empty() { tr { td colspan="9" class="faint" { (view.t("usage.none")) } } }
                }
            }
        }
    }
}

/// Returns a cost, marked where tokens were estimated.
fn cost(cost: Cost, counts: &UsageCounts) -> String {
    if counts.estimated > 0 { format!("≈ {}", money(cost)) } else { money(cost) }
}

fn shown(name: &str, view: &View) -> String {
    if name.is_empty() { view.t("usage.no_name").to_owned() } else { name.to_owned() }
}

/// Makes the chart's numbers as a table, for who can't see the chart.
fn numbers(chart: &StackedBars) -> Markup {
    html! {
        table {
            thead { tr { th {} @for part in &chart.parts { th class="right" { (part) } } } }
            tbody { @for bar in &chart.bars { tr { th { (bar.label) } @for value in &bar.values { td class="right" { ((chart.amount)(*value)) } } } } }
        }
    }
}
