//! Charts as SVG in the colours of the page, without styles in the markup, as the policy forbids styles there.

use maud::{Markup, html};

/// The most parts with a colour and a name. All further values are one more part.
pub(super) const MOST_PARTS: usize = 8;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 220.0;
/// Room for the numbers at the left and the labels below.
const LEFT: f64 = 52.0;
const BELOW: f64 = 18.0;
const ABOVE: f64 = 8.0;

/// Bars of stacked parts.
pub(super) struct StackedBars {
    /// The names of the parts, the largest first, and what the rest is called last.
    pub(super) parts: Vec<String>,
    pub(super) bars: Vec<Bar>,
    /// Writes a value.
    pub(super) amount: fn(f64) -> String,
}

/// A bar.
pub(super) struct Bar {
    pub(super) label: String,
    /// By part.
    pub(super) values: Vec<f64>,
}

impl StackedBars {
    /// Draws the chart. `title` is for visitors who can't see the chart; a table beside has the numbers.
    pub(super) fn render(&self, title: &str) -> Markup {
        let top = round_up(self.bars.iter().map(Bar::sum).fold(0.0, f64::max));
        let step = (WIDTH - LEFT) / self.bars.len().max(1) as f64;
        let y = |value: f64| ABOVE + (HEIGHT - ABOVE - BELOW) * (1.0 - value / top);
        let each = (self.bars.len() as f64 / 12.0).ceil().max(1.0) as usize;
        html! {
            svg class="chart" viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(title) {
                @for quarter in 0..=4 {
                    @let value = top * f64::from(quarter) / 4.0;
                    line class="grid" x1=(LEFT) x2=(WIDTH) y1=(number(y(value))) y2=(number(y(value))) {}
                    @if quarter % 2 == 0 {
                        text x=(LEFT - 6.0) y=(number(y(value) + 3.5)) text-anchor="end" { ((self.amount)(value)) }
                    }
                }
                @for (at, bar) in self.bars.iter().enumerate() {
                    @let x = LEFT + step * at as f64;
                    g {
                        title { (bar.label) ": " ((self.amount)(bar.sum())) }
                        @for (part, from, to) in bar.stack() {
                            rect class={ "s" (part) } x=(number(x + step * 0.1)) y=(number(y(to)))
                                width=(number((step * 0.8).max(1.0))) height=(number(y(from) - y(to))) {}
                        }
                        // The whole column shows the number, also above the bar.
                        rect fill="transparent" x=(number(x)) y=(ABOVE)
                            width=(number(step)) height=(HEIGHT - ABOVE - BELOW) {}
                    }
                    @if at % each == 0 {
                        text x=(number(x + step / 2.0)) y=(HEIGHT - 4.0) text-anchor="middle" { (bar.label) }
                    }
                }
            }
        }
    }

    /// Makes the list of the parts with their colours.
    pub(super) fn legend(&self) -> Markup {
        html! {
            ul class="legend" {
                @for (part, name) in self.parts.iter().enumerate() {
                    li {
                        svg class="chart" viewBox="0 0 10 10" aria-hidden="true" {
                            rect class={ "s" (part) } width="10" height="10" {}
                        }
                        (name)
                    }
                }
            }
        }
    }
}

impl Bar {
    fn sum(&self) -> f64 {
        self.values.iter().sum()
    }

    /// Returns each part with the values where it begins and ends.
    fn stack(&self) -> Vec<(usize, f64, f64)> {
        let mut at = 0.0;
        let parts = self.values.iter().enumerate().map(|(part, value)| {
            let from = at;
            at += value;
            (part, from, at)
        });
        parts.filter(|(_, from, to)| to > from).collect()
    }
}

/// Returns a round number that is not less: 1, 2 or 5 with zeros behind.
fn round_up(most: f64) -> f64 {
    if most <= 0.0 {
        return 1.0;
    }
    let unit = 10_f64.powf(most.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|times| times * unit).find(|round| *round >= most).unwrap_or(most)
}

/// Writes a coordinate with one decimal.
fn number(value: f64) -> String {
    format!("{value:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_ends_at_a_round_number() {
        for (most, top) in [(0.0, 1.0), (0.003, 0.005), (1.0, 1.0), (7.0, 10.0), (120.0, 200.0), (4_999.0, 5_000.0)] {
            assert!((round_up(most) - top).abs() < 1e-9, "{most}");
        }
    }

    #[test]
    fn a_bar_is_as_high_as_its_parts_and_names_are_escaped() {
        let chart = StackedBars {
            parts: vec!["<b>".to_owned(), "other".to_owned()],
            bars: vec![Bar { label: "1 & 2".to_owned(), values: vec![3.0, 0.0, 2.0] }],
            amount: |value| format!("{value}"),
        };
        let drawn = chart.render("\"x\"").into_string() + &chart.legend().into_string();
        assert!(
            drawn.contains("1 &amp; 2: 5") && drawn.contains("&lt;b&gt;") && drawn.contains("&quot;x&quot;"),
            "{drawn}"
        );
        assert_eq!(chart.bars[0].stack(), [(0, 0.0, 3.0), (2, 3.0, 5.0)]);
    }
}
