//! What a visitor of the page of usage chose: how far back, what is drawn, by what, and of whom alone. All of it stands in the address.

use jiff::tz::TimeZone;
use maud::{Markup, html};

use crate::ui::format::short;
use crate::ui::page::PageRequest;
use crate::ui::view::{View, address};
use crate::usage::{Bucket, Dimension, UsageCounts};

/// How far back, in which buckets.
pub(super) struct Range {
    pub(super) name: &'static str,
    /// Returns a time in the first bucket, in ms since the Unix epoch, for the present time.
    pub(super) from: fn(i64) -> i64,
    pub(super) by: &'static str,
}

const RANGES: [Range; 5] = [
    Range { name: "today", from: |now| Bucket::Day.start(now, &TimeZone::system()), by: "hour" },
    Range { name: "24h", from: |now| now - DAY_MS, by: "hour" },
    Range { name: "7d", from: |now| now - 6 * DAY_MS, by: "day" },
    Range { name: "30d", from: |now| now - 29 * DAY_MS, by: "day" },
    Range { name: "12m", from: |now| now - 359 * DAY_MS, by: "month" },
];

const DAY_MS: i64 = 86_400_000;

/// What is drawn.
pub(super) struct UsageFigure {
    pub(super) name: &'static str,
    pub(super) of: fn(&UsageCounts) -> f64,
    pub(super) amount: fn(f64) -> String,
}

const FIGURES: [UsageFigure; 3] = [
    UsageFigure { name: "tokens", of: |counts| counts.tokens.total() as f64, amount: |value| short(value as u64) },
    UsageFigure { name: "requests", of: |counts| counts.requests as f64, amount: |value| short(value as u64) },
    UsageFigure { name: "cost", of: |counts| counts.cost.dollars(), amount: dollars },
];

fn dollars(value: f64) -> String {
    if value >= 10.0 || value == 0.0 { format!("${value:.0}") } else { format!("${value:.2}") }
}

/// What a visitor chose.
pub(super) struct UsageChoice {
    pub(super) range: &'static Range,
    pub(super) figure: &'static UsageFigure,
    pub(super) group: Dimension,
    /// What is looked at alone.
    pub(super) only: Vec<(Dimension, String)>,
}

/// A row of choices: the field, the name of the row's words, what is chosen, and each value with its words.
struct ChoiceRow<'a> {
    field: &'static str,
    name: &'static str,
    chosen: &'static str,
    values: Vec<(&'static str, &'a str)>,
}

impl UsageChoice {
    /// Reads the choice of a request. What is unknown is the usual.
    pub(super) fn of(asked: &PageRequest) -> UsageChoice {
        let named = |field: &str| asked.field(field).unwrap_or_default();
        let [_, _, week, ..] = &RANGES;
        let [tokens, ..] = &FIGURES;
        let only = |of: Dimension| Some((of, asked.field(of.as_str())?.to_owned()));
        UsageChoice {
            range: RANGES.iter().find(|range| range.name == named("range")).unwrap_or(week),
            figure: FIGURES.iter().find(|figure| figure.name == named("show")).unwrap_or(tokens),
            group: Dimension::named(named("group")).unwrap_or(Dimension::Api),
            only: Dimension::ALL.into_iter().filter_map(only).collect(),
        }
    }

    /// Returns the address of this page with another choice.
    pub(super) fn with(&self, field: &str, value: &str) -> String {
        let mut fields = vec![("range", self.range.name), ("show", self.figure.name), ("group", self.group.as_str())];
        fields.extend(self.only.iter().map(|(of, name)| (of.as_str(), name.as_str())));
        fields.retain(|(name, _)| *name != field);
        if !value.is_empty() {
            fields.push((field, value));
        }
        address("/ui/usage", &fields)
    }

    /// Makes the rows of choices.
    pub(super) fn render(&self, view: &View) -> Markup {
        let chip = |field: &str, value: &'static str, chosen: &str, text: &str| {
            let current = (value == chosen).then_some("true");
            html! { li { a href=(self.with(field, value)) aria-current=[current] { (text) } } }
        };
        let ranges = RANGES.iter().map(|of| (of.name, view.t(&format!("range.{}", of.name))));
        let groups = Dimension::ALL.map(|of| (of.as_str(), view.t(&format!("group.{}", of.as_str()))));
        let figures = FIGURES.iter().map(|of| (of.name, view.t(&format!("figure.{}", of.name))));
        let rows = [
            ChoiceRow { field: "range", name: "usage.range", chosen: self.range.name, values: ranges.collect() },
            ChoiceRow { field: "group", name: "usage.group", chosen: self.group.as_str(), values: groups.into() },
            ChoiceRow { field: "show", name: "usage.show", chosen: self.figure.name, values: figures.collect() },
        ];
        html! {
            div class="choices" {
                @for ChoiceRow { field, name, chosen, values } in rows {
                    ul class="chips" aria-label=(view.t(name)) {
                        @for (value, text) in values { (chip(field, value, chosen, text)) }
                    }
                }
            }
            @if !self.only.is_empty() {
                ul class="chips" {
                    @for (of, name) in &self.only {
                        @let group = view.t(&format!("group.{}", of.as_str()));
                        li { a href=(self.with(of.as_str(), "")) aria-current="true" { (group) ": " (name) " ×" } }
                    }
                }
            }
        }
    }
}
