//! Sums as JSON and as CSV: one table of columns for both.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::cell::Dimension;
use super::counts::UsageCounts;
use super::query::{Bucket, UsageQuery};
use super::sum::{UsageRow, UsageSum};
use crate::types::iso;

/// A column of sums: the name in JSON, the name in CSV, and the value.
type Column = (&'static str, &'static str, fn(&UsageCounts) -> u64);

/// The columns of whole numbers. The cost comes after.
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

/// Returns the sums as the answer of `/v1/usage`.
pub fn usage_json(sum: &UsageSum, is_complete: bool) -> Value {
    let query = sum.query();
    let (rows, total) = sum.rows();
    json!({
        "from": iso(query.from),
        "to": iso(query.to),
        "by": by(query.by),
        "zone": query.zone.iana_name(),
        "group": query.group.iter().map(|dimension| dimension.as_str()).collect::<Vec<_>>(),
        "complete": is_complete,
        "total": counts_json(&total),
        "usage": rows.iter().map(|row| row_json(row, query)).collect::<Vec<_>>(),
    })
}

fn by(by: Bucket) -> &'static str {
    match by {
        Bucket::Hour => "hour",
        Bucket::Day => "day",
        Bucket::Month => "month",
    }
}

fn row_json(row: &UsageRow, query: &UsageQuery) -> Value {
    let mut object = Map::new();
    object.insert("start".to_owned(), json!(iso(row.start)));
    object.insert("end".to_owned(), json!(iso(query.by.end(row.start, &query.zone))));
    for (dimension, name) in Dimension::ALL.into_iter().zip(&row.names) {
        if let Some(name) = name {
            let name = Some(&**name).filter(|name| !name.is_empty());
            object.insert(dimension.as_str().to_owned(), json!(name));
        }
    }
    object.extend(counts_json(&row.counts));
    Value::Object(object)
}

/// Returns sums as fields.
pub fn counts_json(counts: &UsageCounts) -> Map<String, Value> {
    let mut fields: Map<String, Value> =
        COLUMNS.iter().map(|(name, _, value)| ((*name).to_owned(), json!(value(counts)))).collect();
    fields.insert("costUsd".to_owned(), json!(counts.cost));
    fields
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
    csv.push_str(",cost_usd\r\n");
    for row in &rows {
        csv.extend([&iso(row.start), ",", &iso(query.by.end(row.start, &query.zone))]);
        for name in row.names.iter().flatten() {
            csv.push(',');
            push_cell(&mut csv, name);
        }
        for (_, _, value) in COLUMNS {
            // A text takes any number.
            let _ = write!(csv, ",{}", value(&row.counts));
        }
        let _ = write!(csv, ",{}\r\n", row.counts.cost);
    }
    csv
}

/// Writes a name as a cell of text. A program for tables takes some begins for a formula, so an apostrophe goes before; characters
/// that end a line become blanks.
fn push_cell(csv: &mut String, name: &str) {
    let is_formula = name.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '|', '%']);
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
        ] {
            let mut csv = String::new();
            push_cell(&mut csv, name);
            assert_eq!(csv, cell, "{name:?}");
        }
    }
}
