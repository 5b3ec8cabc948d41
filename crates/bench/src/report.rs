//! What was measured, for people and for programs.

use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;
use serde_json::json;

/// What a figure is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Against {
    /// With nothing.
    Nothing,
    /// With the same figure of the first rival, as a ratio.
    Rival,
    /// With the same figure of the upstream asked directly, as a difference.
    Direct,
}

/// One number of one round.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    name: String,
    value: f64,
    against: Against,
}

impl Figure {
    pub(crate) fn new(name: String, value: f64, against: Against) -> Figure {
        Figure { name, value, against }
    }
}

/// All rounds of one target.
#[derive(Debug)]
pub(crate) struct Series {
    target: String,
    rounds: Vec<Vec<Figure>>,
}

impl Series {
    pub(crate) fn new(target: String) -> Series {
        Series { target, rounds: Vec::new() }
    }

    pub(crate) fn add(&mut self, figures: Vec<Figure>) {
        self.rounds.push(figures);
    }

    fn values(&self, name: &str) -> impl Iterator<Item = f64> {
        self.rounds.iter().flatten().filter(move |figure| figure.name == name).map(|figure| figure.value)
    }
}

/// One scenario.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) name: &'static str,
    pub(crate) title: String,
    pub(crate) series: Vec<Series>,
}

/// The median of some numbers, and their range.
#[derive(Debug, Clone, Copy, Serialize)]
struct Spread {
    median: f64,
    min: f64,
    max: f64,
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Option<Spread> {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let upper = *values.get(values.len() / 2)?;
        let lower = *values.get((values.len() - 1) / 2)?;
        Some(Spread { median: f64::midpoint(lower, upper), min, max })
    }
}

impl Measured {
    /// Returns the names of all figures with their comparisons, in the order of first appearance.
    fn figures(&self) -> Vec<(&str, Against)> {
        let mut names: Vec<(&str, Against)> = Vec::new();
        for figure in self.series.iter().flat_map(|series| series.rounds.iter().flatten()) {
            if !names.iter().any(|(name, _)| *name == figure.name) {
                names.push((&figure.name, figure.against));
            }
        }
        names
    }

    /// Compares a target's figure with another's round by round, since both of a round were measured close to each other.
    fn compared(&self, series: &Series, name: &str, against: Against) -> Option<Spread> {
        let named = |other: &&Series| match against {
            Against::Nothing => false,
            Against::Direct => other.target == "direct" && series.target != "direct",
            Against::Rival => self.series.get(2).is_some_and(|rival| rival.target == other.target),
        };
        let other = self.series.iter().find(named)?;
        Spread::of(series.values(name).zip(other.values(name)).map(|(value, other)| match against {
            Against::Nothing | Against::Direct => value - other,
            Against::Rival => value / other,
        }))
    }
}

pub(crate) struct Report {
    rounds: u16,
    time: Duration,
    pub(crate) scenarios: Vec<Measured>,
}

impl Report {
    pub(crate) fn new(rounds: u16, time: Duration) -> Report {
        Report { rounds, time, scenarios: Vec::new() }
    }
}

/// Prints one scenario as a table: a line for each figure, a column for each target, with median and range.
pub(crate) fn table(out: &mut impl Write, measured: &Measured) -> io::Result<()> {
    let mut rows =
        vec![[String::new()].into_iter().chain(measured.series.iter().map(|s| s.target.clone())).collect::<Vec<_>>()];
    for (name, against) in measured.figures() {
        let cell = |series: &Series| {
            let Some(Spread { median, min, max }) = Spread::of(series.values(name)) else { return "-".to_owned() };
            let compared = measured.compared(series, name, against).map(|spread| match against {
                Against::Nothing => String::new(),
                Against::Rival => format!(" = {:.2} ×", spread.median),
                Against::Direct => format!(" = {:+}", spread.median.round()),
            });
            format!("{} ({}–{}){}", short(median), short(min), short(max), compared.unwrap_or_default())
        };
        rows.push([name.to_owned()].into_iter().chain(measured.series.iter().map(cell)).collect());
    }
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    writeln!(out, "\n{}: {}", measured.name, measured.title)?;
    for row in &rows {
        let cells: Vec<String> =
            row.iter().enumerate().map(|(i, cell)| format!("{cell:width$}", width = width(i))).collect();
        writeln!(out, "  {}", cells.join("   ").trim_end())?;
    }
    out.flush()
}

fn short(value: f64) -> String {
    match value {
        value if value.abs() < 100.0 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    }
}

pub(crate) fn json(out: &mut impl Write, report: &Report, version: &str) -> io::Result<()> {
    let scenario = |measured: &Measured| {
        let target = |series: &Series| {
            let figure = |(name, against): (&str, Against)| {
                let spread = Spread::of(series.values(name))?;
                let (ratio, added) = match (against, measured.compared(series, name, against)) {
                    (Against::Rival, ratio) => (ratio, None),
                    (Against::Direct, added) => (None, added),
                    (Against::Nothing, _) => (None, None),
                };
                let values: Vec<f64> = series.values(name).collect();
                Some(json!({ "name": name, "spread": spread, "rounds": values, "ratio": ratio, "overDirect": added }))
            };
            json!({ "target": series.target, "figures": measured.figures().into_iter().filter_map(figure).collect::<Vec<_>>() })
        };
        json!({ "name": measured.name, "title": measured.title, "targets": measured.series.iter().map(target).collect::<Vec<_>>() })
    };
    let result = json!({
        "version": version,
        "cores": std::thread::available_parallelism().map_or(1, usize::from),
        "rounds": report.rounds,
        "secondsEach": report.time.as_secs_f64(),
        "scenarios": report.scenarios.iter().map(scenario).collect::<Vec<_>>(),
    });
    writeln!(out, "{result:#}")
}
