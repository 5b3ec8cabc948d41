//! Who used what, and what it cost: a chart, a table, and the same as CSV.

mod choice;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use jiff::Timestamp;
use maud::{Markup, html};

use self::choice::UsageChoice;
use crate::error::ApiError;
use crate::http::usage_answer;
use crate::types::{Cost, Now, UnitNames, sorted};
use crate::ui::chart::{Bar, MOST_PARTS, StackedBars};
use crate::ui::format::{count, money, short};
use crate::ui::page::PageRequest;
use crate::ui::view::{Facts, View, address};
use crate::ui::widgets::{head, number, tile};
use crate::usage::{Bucket, Dimension, UsageCounts, UsageRow};

/// The columns of numbers.
const COLUMNS: [&str; 8] = [
    "usage.share",
    "usage.requests",
    "usage.failed",
    "usage.input",
    "usage.cached",
    "usage.output",
    "usage.reasoning",
    "usage.cost",
];

struct UsageFacts {
    choice: UsageChoice,
    rows: Vec<UsageRow>,
    total: UsageCounts,
    buckets: Vec<(i64, String)>,
    is_complete: bool,
    /// The same question to `/v1/usage`.
    question: Vec<(String, String)>,
}

pub(in crate::ui) fn load(asked: PageRequest) -> LocalBoxFuture<'static, Result<Box<dyn Facts>, ApiError>> {
    async move {
        let facts = facts(&asked, UsageChoice::of(&asked)).await?;
        Ok(Box::new(facts) as Box<dyn Facts>)
    }
    .boxed_local()
}

async fn facts(asked: &PageRequest, choice: UsageChoice) -> Result<UsageFacts, ApiError> {
    let from = (choice.range.from)(Now::read().wall);
    let mut question = vec![
        ("from".to_owned(), (from / 1_000).to_string()),
        ("by".to_owned(), choice.range.by.to_owned()),
        ("group".to_owned(), choice.group.as_str().to_owned()),
    ];
    question.extend(choice.only.iter().map(|(of, name)| (of.as_str().to_owned(), name.clone())));
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
    Ok(UsageFacts { choice, rows, total, buckets, is_complete, question })
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
        html! {
            (self.choice.render(view))
            (view.piece("usage", "", html! {
                @if !self.is_complete { p class="problem" { (view.t("usage.incomplete")) } }
                @if self.rows.is_empty() { p class="faint" { (view.t("usage.none")) } }
                @else { (self.used(view)) }
            }))
            p { a href=(self.csv()) download { (view.t("usage.csv")) } }
        }
    }
}

impl UsageFacts {
    fn csv(&self) -> String {
        let fields: Vec<(&str, &str)> =
            self.question.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        address("/ui/usage.csv", &fields)
    }

    fn used(&self, view: &View) -> Markup {
        let chart = self.chart(view);
        let what = view.t(&format!("figure.{}", self.choice.figure.name));
        html! {
            (self.tiles(view))
            div class="panel" {
                div class="sideways" tabindex="0" { (chart.render(&view.tr("usage.chart", &[("what", what)]))) }
                (chart.legend())
            }
            div class="scroll" tabindex="0" { (self.table(view)) }
            details id="by-bucket" class="panel" {
                summary { (view.t("usage.numbers")) }
                div class="scroll" tabindex="0" { (numbers(&chart)) }
            }
        }
    }

    fn tiles(&self, view: &View) -> Markup {
        let tokens = &self.total.tokens;
        let tile = |name: &str, value: String, below: String| tile(view, name, value, below);
        let part = |name: &str, of: u64| format!("{} {}", view.t(name), short(of));
        let writes = tokens.cache_write_5m + tokens.cache_write_1h;
        let inputs = [part("usage.cached", tokens.cached), part("usage.cache_writes", writes)];
        let failed = format!("{} {}", count(self.total.failed), view.t("usage.failed"));
        html! {
            dl class="tiles" {
                (tile("usage.requests", count(self.total.requests), failed))
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
        sorted::sort_by(&mut sums, |(_, one), (_, other)| {
            (self.choice.figure.of)(other).total_cmp(&(self.choice.figure.of)(one))
        });
        sums
    }

    fn name_of(&self, row: &UsageRow) -> Arc<str> {
        let at = Dimension::ALL.into_iter().position(|of| of == self.choice.group).unwrap_or_default();
        row.names.get(at).cloned().flatten().unwrap_or_default()
    }

    /// Returns a name for people: a request may have none.
    fn shown(&self, name: &str, view: &View) -> String {
        if name.is_empty() {
            view.t(&format!("none.{}", self.choice.group.as_str())).to_owned()
        } else {
            name.to_owned()
        }
    }

    /// Makes a name, which leads to what is of that name alone.
    fn name(&self, name: &str, view: &View) -> Markup {
        let shown = self.shown(name, view);
        html! {
            @if name.is_empty() { span class="faint" { (shown) } }
            @else { a href=(self.choice.with(self.choice.group.as_str(), name)) { (shown) } }
        }
    }

    fn chart(&self, view: &View) -> StackedBars {
        let names: Vec<Arc<str>> = self.by_name().into_iter().map(|(name, _)| name).collect();
        let own = names.len().min(MOST_PARTS);
        let mut parts: Vec<String> = names.iter().take(own).map(|name| self.shown(name, view)).collect();
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
                *value += (self.choice.figure.of)(&row.counts);
            }
        }
        StackedBars { parts, bars, amount: self.choice.figure.amount }
    }

    fn table(&self, view: &View) -> Markup {
        let whole = (self.choice.figure.of)(&self.total).max(f64::MIN_POSITIVE);
        let units: Vec<&UnitNames> = self.total.billed().present().map(|(names, _)| names).collect();
        let of_units = units.iter().map(|names| format!("usage.{}", names.field)).collect::<Vec<_>>();
        let columns: Vec<&str> = COLUMNS.into_iter().chain(of_units.iter().map(String::as_str)).collect();
        html! {
            table {
                (head(view, &[&format!("group.{}", self.choice.group.as_str())], &columns))
                tbody {
                    @for (name, counts) in self.by_name() {
                        @let tokens = &counts.tokens;
                        tr {
                            td class="wrap" { (self.name(&name, view)) }
                            (number(share((self.choice.figure.of)(&counts) / whole)))
                            (number(count(counts.requests)))
                            (number(count(counts.failed)))
                            (number(count(tokens.prompt())))
                            (number(share(tokens.cached as f64 / tokens.prompt().max(1) as f64)))
                            (number(count(tokens.completion())))
                            (number(count(tokens.reasoning)))
                            (number(cost(counts.cost, &counts)))
                            @for names in &units { (number(count(counts.billed().get(names.unit)))) }
                        }
                    }
                }
            }
        }
    }
}

/// Returns a cost, marked where tokens were estimated.
fn cost(cost: Cost, counts: &UsageCounts) -> String {
    if counts.estimated > 0 { format!("≈ {}", money(cost)) } else { money(cost) }
}

/// Returns a part of the whole in percent.
fn share(part: f64) -> String {
    match part {
        ..=0.0 => "–".to_owned(),
        ..0.005 => "< 1 %".to_owned(),
        _ => format!("{:.0} %", part * 100.0),
    }
}

/// Makes the chart's numbers as a table, for who can't see the chart.
fn numbers(chart: &StackedBars) -> Markup {
    html! {
        table {
            thead { tr { td {} @for part in &chart.parts { th class="right" { (part) } } } }
            tbody {
                @for bar in &chart.bars {
                    tr { th { (bar.label) } @for value in &bar.values { (number((chart.amount)(*value))) } }
                }
            }
        }
    }
}
