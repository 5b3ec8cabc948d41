//! The text for Prometheus: `# HELP`, `# TYPE`, then a line for each sample.

use std::fmt::Write;

use super::families::{MetricFamily, MetricKind};
use super::histogram::Histogram;

/// A page of metrics under way.
#[derive(Debug, Default)]
pub struct Exposition {
    text: String,
}

/// Writes the samples of one family.
#[derive(Debug)]
pub struct FamilyWriter<'a> {
    text: &'a mut String,
    family: &'static MetricFamily,
}

/// The value of a sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SampleValue {
    /// A count.
    Whole(u64),
    /// A measure. Must be finite.
    Real(f64),
}

impl From<u64> for SampleValue {
    fn from(value: u64) -> Self {
        SampleValue::Whole(value)
    }
}

impl From<usize> for SampleValue {
    fn from(value: usize) -> Self {
        SampleValue::Whole(value as u64)
    }
}

impl From<bool> for SampleValue {
    fn from(value: bool) -> Self {
        SampleValue::Whole(value.into())
    }
}

impl From<f64> for SampleValue {
    fn from(value: f64) -> Self {
        SampleValue::Real(value)
    }
}

impl Exposition {
    /// The value of `content-type`.
    pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

    /// Begins a family. All samples of a family stand together: each family is begun once.
    pub fn family(&mut self, family: &'static MetricFamily) -> FamilyWriter<'_> {
        self.text.extend(["# HELP ", family.name, " "]);
        escape(&mut self.text, family.help, false);
        self.text.extend(["\n# TYPE ", family.name, " ", family.kind.as_str(), "\n"]);
        FamilyWriter { text: &mut self.text, family }
    }

    /// Returns the page.
    pub fn finish(self) -> String {
        self.text
    }
}

impl FamilyWriter<'_> {
    /// Writes one sample. The values stand in the order of the family's labels; an empty one is left out.
    pub fn sample(&mut self, labels: &[&str], value: impl Into<SampleValue>) {
        self.line(("", None), labels, value.into());
    }

    /// Writes one histogram: the buckets, the sum and the count.
    pub fn histogram(&mut self, labels: &[&str], histogram: &Histogram) {
        debug_assert_eq!(self.family.kind, MetricKind::Histogram);
        for (bound, count) in histogram.cumulative() {
            self.line(("_bucket", Some(&bound.to_string())), labels, count.into());
        }
        self.line(("_bucket", Some("+Inf")), labels, histogram.count().into());
        self.line(("_sum", None), labels, histogram.sum_seconds().into());
        self.line(("_count", None), labels, histogram.count().into());
    }

    /// Writes one line. `part`: what follows the family's name, and a bucket's bound.
    fn line(&mut self, part: (&str, Option<&str>), labels: &[&str], value: SampleValue) {
        let (suffix, bound) = part;
        debug_assert_eq!(self.family.labels.len(), labels.len(), "{}", self.family.name);
        self.text.extend([self.family.name, suffix]);
        let named = self.family.labels.iter().copied().zip(labels.iter().copied());
        let mut before = '{';
        for (name, value) in named.chain(bound.map(|bound| ("le", bound))).filter(|(_, value)| !value.is_empty()) {
            self.text.push(before);
            self.text.extend([name, "=\""]);
            escape(self.text, value, true);
            self.text.push('"');
            before = ',';
        }
        self.text.push_str(if before == '{' { " " } else { "} " });
        match value {
            SampleValue::Whole(value) => self.text.push_str(itoa::Buffer::new().format(value)),
            // A String takes any text.
            SampleValue::Real(value) => drop(write!(self.text, "{value}")),
        }
        self.text.push('\n');
    }
}

/// Escapes backslashes, line feeds and, in a quoted text, quotes.
fn escape(to: &mut String, text: &str, quoted: bool) {
    if !text.contains(['\\', '\n', '"']) {
        return to.push_str(text);
    }
    for c in text.chars() {
        match c {
            '\\' => to.push_str("\\\\"),
            '\n' => to.push_str("\\n"),
            '"' if quoted => to.push_str("\\\""),
            other => to.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    static COUNTED: MetricFamily =
        MetricFamily { name: "t_total", kind: MetricKind::Counter, labels: &["a", "b"], help: "A \\ and\na \"." };
    static TIMED: MetricFamily =
        MetricFamily { name: "t_seconds", kind: MetricKind::Histogram, labels: &["a"], help: "Times." };

    #[test]
    fn no_value_of_a_label_breaks_its_line() {
        let mut page = Exposition::default();
        let mut family = page.family(&COUNTED);
        family.sample(&["x\"} 7\nforged_total 1 \\", "ключ 钥匙"], 1_u64);
        family.sample(&["", ""], 0.5);
        family.sample(&["", "b"], u64::MAX);
        assert_eq!(
            page.finish(),
            "# HELP t_total A \\\\ and\\na \".\n# TYPE t_total counter\n\
             t_total{a=\"x\\\"} 7\\nforged_total 1 \\\\\",b=\"ключ 钥匙\"} 1\n\
             t_total 0.5\n\
             t_total{b=\"b\"} 18446744073709551615\n"
        );
    }

    #[test]
    fn a_histogram_has_buckets_a_sum_and_a_count() {
        let mut histogram = Histogram::new(&[0.1, 2.5]);
        histogram.record(Duration::from_millis(1_500));
        histogram.record(Duration::from_secs(3));
        let mut page = Exposition::default();
        page.family(&TIMED).histogram(&["x"], &histogram);
        assert_eq!(
            page.finish(),
            "# HELP t_seconds Times.\n# TYPE t_seconds histogram\n\
             t_seconds_bucket{a=\"x\",le=\"0.1\"} 0\n\
             t_seconds_bucket{a=\"x\",le=\"2.5\"} 1\n\
             t_seconds_bucket{a=\"x\",le=\"+Inf\"} 2\n\
             t_seconds_sum{a=\"x\"} 4.5\n\
             t_seconds_count{a=\"x\"} 2\n"
        );
    }
}
