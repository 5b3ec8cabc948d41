//! Sums as JSON and as CSV: one table of columns for both.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::cell::Dimension;
use super::counts::UsageCounts;
use super::query::{Bucket, UsageQuery};
use super::sum::{UsageRow, UsageSum};
use crate::types::{BilledUnit, iso};

/// A column of sums: the name in JSON, the name in CSV, and the value.
type Column = (&'static str, &'static str, fn(&UsageCounts) -> u64);

/// The columns of whole numbers. The cost comes after, then each unit that is billed beside tokens.
const COLUMNS: [Column; 10] = [
    ("requests", "requests", |counts| counts.requests),
    ("failedRequests", "failed_requests", |counts| counts.failed),
    ("inputTokens", "input_tokens", |counts| counts.tokens.input),
    ("cachedTokens", "cached_tokens", |counts| counts.tokens.cached),
    ("cacheWrite5mTokens", "cache_write_5m_tokens", |counts| counts.tokens.cache_write_5m),
    ("cacheWrite1hTokens", "cache_write_1h_tokens", |counts| counts.tokens.cache_write_1h),
    ("outputTokens", "output_tokens", |counts| counts.tokens.output),
    ("reasoningTokens", "reasoning_tokens", |counts| counts.tokens.reasoning),
    ("totalTokens", "total_tokens", |counts| counts.tokens.total()),
    ("estimatedTokens", "estimated_tokens", |counts| counts.estimated),
];

/// Returns the sums as the answer of `/v1/usage`. Rows are written one after the other: a tree of them takes three times as long.
pub fn usage_json(sum: &UsageSum, is_complete: bool) -> String {
    let query = sum.query();
    let (rows, total) = sum.rows();
    let report = UsageReport {
        from: iso(query.from),
        to: iso(query.to),
        by: by(query.by),
        zone: query.zone.iana_name(),
        group: query.group.iter().map(|dimension| dimension.as_str()).collect(),
        complete: is_complete,
        total: ReportSums(&total),
        usage: ReportRows { rows: &rows, times: &bucket_times(&rows, query) },
    };
    // Texts and numbers can all be written.
    serde_json::to_string(&report).unwrap_or_default()
}

#[derive(Serialize)]
struct UsageReport<'a> {
    from: String,
    to: String,
    by: &'static str,
    zone: Option<&'a str>,
    group: Vec<&'static str>,
    complete: bool,
    total: ReportSums<'a>,
    usage: ReportRows<'a>,
}

/// The begin and the end of each bucket, written.
type BucketTimes = BTreeMap<i64, [String; 2]>;

fn bucket_times(rows: &[UsageRow], query: &UsageQuery) -> BucketTimes {
    let mut times = BucketTimes::new();
    for row in rows {
        times.entry(row.start).or_insert_with(|| [iso(row.start), iso(query.by.end(row.start, &query.zone))]);
    }
    times
}

struct ReportRows<'a> {
    rows: &'a [UsageRow],
    times: &'a BucketTimes,
}

impl Serialize for ReportRows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.rows.iter().map(|row| ReportRow { row, times: self.times.get(&row.start) }))
    }
}

struct ReportRow<'a> {
    row: &'a UsageRow,
    times: Option<&'a [String; 2]>,
}

impl Serialize for ReportRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        for (name, time) in ["start", "end"].iter().zip(self.times.into_iter().flatten()) {
            object.serialize_entry(name, time)?;
        }
        for (dimension, name) in Dimension::ALL.into_iter().zip(&self.row.names) {
            if let Some(name) = name {
                object.serialize_entry(dimension.as_str(), &Some(&**name).filter(|name| !name.is_empty()))?;
            }
        }
        write_sums(&self.row.counts, &mut object)?;
        object.end()
    }
}

struct ReportSums<'a>(&'a UsageCounts);

impl Serialize for ReportSums<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        write_sums(self.0, &mut object)?;
        object.end()
    }
}

fn write_sums<M: SerializeMap>(counts: &UsageCounts, object: &mut M) -> Result<(), M::Error> {
    for (name, _, value) in COLUMNS {
        object.serialize_entry(name, &value(counts))?;
    }
    object.serialize_entry("costUsd", &counts.cost)?;
    counts.billed().by_name().try_for_each(|(unit, number)| object.serialize_entry(unit.field, &number))
}

fn by(by: Bucket) -> &'static str {
    match by {
        Bucket::Hour => "hour",
        Bucket::Day => "day",
        Bucket::Month => "month",
    }
}

/// Returns the sums as CSV (RFC 4180), with a head.
pub fn usage_csv(sum: &UsageSum) -> String {
    let query = sum.query();
    let (rows, _) = sum.rows();
    let mut csv = "start,end".to_owned();
    for dimension in Dimension::ALL.iter().filter(|dimension| query.group.contains(dimension)) {
        csv.extend([",", dimension.as_str()]);
    }
    COLUMNS.iter().for_each(|(_, name, _)| csv.extend([",", name]));
    csv.push_str(",cost_usd");
    BilledUnit::TABLE.iter().for_each(|unit| csv.extend([",", unit.column]));
    csv.push_str("\r\n");
    let times = bucket_times(&rows, query);
    for row in &rows {
        let [start, end] = times.get(&row.start).map_or([""; 2], |times| times.each_ref().map(String::as_str));
        csv.extend([start, ",", end]);
        for name in row.names.iter().flatten() {
            csv.push(',');
            push_cell(&mut csv, name);
        }
        for (_, _, value) in COLUMNS {
            // A text takes any number.
            let _ = write!(csv, ",{}", value(&row.counts));
        }
        let _ = write!(csv, ",{}", row.counts.cost);
        for (_, number) in row.counts.billed().by_name() {
            let _ = write!(csv, ",{number}");
        }
        csv.push_str("\r\n");
    }
    csv
}

/// Writes a name as a cell of text. A program for tables takes some begins for a formula, so an apostrophe goes before; characters
/// that end a line become blanks.
fn push_cell(csv: &mut String, name: &str) {
    let begin = name.trim_start_matches(is_unseen);
    let is_formula = begin.starts_with(FORMULA_BEGINS) || name.starts_with(['\t', '\r', '\n']);
    let is_quoted = is_formula || name.contains([',', '"', ';', ' ', '\t', '\r', '\n']);
    if !is_quoted {
        return csv.extend(name.chars().map(|c| if c.is_control() { ' ' } else { c }));
    }
    csv.push('"');
    if is_formula {
        csv.push('\'');
    }
    for character in name.chars() {
        match character {
            '"' => csv.push_str("\"\""),
            _ if character.is_control() => csv.push(' '),
            _ => csv.push(character),
        }
    }
    csv.push('"');
}

/// What programs for tables take for the begin of a formula, full-width forms included.
const FORMULA_BEGINS: [char; 11] = ['=', '+', '-', '@', '|', '%', '＝', '＋', '－', '＠', '−'];

/// Characters that such a program may pass over: blanks of all kinds, and those without a width.
fn is_unseen(c: char) -> bool {
    c.is_whitespace() || c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_forge_neither_a_row_nor_a_cell_nor_a_formula() {
        for (name, cell) in [
            ("gpt-4o", "gpt-4o"),
            ("", ""),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("=1+1", "\"'=1+1\""),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("@cf/meta/llama", "\"'@cf/meta/llama\""),
            ("\t=1", "\"' =1\""),
            ("a\r\n=b", "\"a  =b\""),
            ("a\u{1b}[0m", "a [0m"),
            ("＝1+1", "\"'＝1+1\""),
            ("\u{a0}=1", "\"'\u{a0}=1\""),
            ("\u{feff} @x", "\"'\u{feff} @x\""),
            ("模型=1", "模型=1"),
        ] {
            let mut csv = String::new();
            push_cell(&mut csv, name);
            assert_eq!(csv, cell, "{name:?}");
        }
    }
}
