//! `api-together usage`: who used what, a row for each key, model, API or program.

use std::collections::BTreeMap;
use std::io::{self, Write};

use clap::Args;
use serde_json::Value;

use super::access::ServerArgs;
use crate::cli::CliError;
use crate::cli::terminal::{Paint, Table, Tone};
use crate::types::{BilledUnit, sorted};

/// The columns of tokens and requests: the head, and the field of the answer.
const COLUMNS: [(&str, &str); 7] = [
    ("requests", "requests"),
    ("failed", "failedRequests"),
    ("input", "inputTokens"),
    ("cached", "cachedTokens"),
    ("output", "outputTokens"),
    ("reasoning", "reasoningTokens"),
    ("all tokens", "totalTokens"),
];

#[derive(Debug, Args)]
pub(crate) struct UsageArgs {
    /// What the rows are.
    #[arg(short, long, value_parser = ["key", "model", "api", "app"], default_value = "key")]
    by: String,
    /// The first day (2026-11-01), or a time. Default: 30 days ago.
    #[arg(long, value_name = "DATE")]
    from: Option<String>,
    /// The last day, or a time. Default: now.
    #[arg(long, value_name = "DATE")]
    to: Option<String>,
    /// Print CSV, a row for each day.
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// Print what the server answered, as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

pub(crate) fn usage(args: UsageArgs) -> Result<(), CliError> {
    let UsageArgs { by, from, to, csv, json, server } = args;
    let server = server.operated_server()?;
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("by", "day").append_pair("group", &by);
    query.extend_pairs(from.iter().map(|from| ("from", from)).chain(to.iter().map(|to| ("to", to))));
    let query = query.finish();
    let mut out = io::stdout().lock();
    if csv {
        write!(out, "{}", server.get_text(&format!("v1/usage.csv?{query}"))?)?;
        return Ok(());
    }
    let answer = server.get(&format!("v1/usage?{query}"), &[])?;
    if json {
        writeln!(out, "{answer:#}")?;
        return Ok(());
    }
    let Some(rows) = answer.get("usage").and_then(Value::as_array) else {
        return Err(CliError::Server(format!("{} is no api-together: it knows no usage", server.root())));
    };
    let day = |field: &str| answer.get(field).and_then(Value::as_str).unwrap_or("-");
    let zone = answer.get("zone").and_then(Value::as_str).unwrap_or("the server's zone");
    writeln!(out, "Usage at {} from {} to {}, in days of {zone}\n", server.root(), day("from"), day("to"))?;
    let table = table(&by, rows, answer.get("total").unwrap_or(&Value::Null));
    table.print(&mut out, Paint::stdout())?;
    if answer.get("complete") == Some(&Value::Bool(false)) {
        writeln!(out, "\n  The shared store does not answer: these are the numbers of this server alone.")?;
    }
    Ok(())
}

/// Returns a row for each name, the dearest first, then those with the most tokens; the last row has the sums.
fn table(by: &str, rows: &[Value], total: &Value) -> Table {
    let columns = columns();
    let mut sums: BTreeMap<&str, UsageLine> = BTreeMap::new();
    for row in rows {
        let name = row.get(by).and_then(Value::as_str).unwrap_or("-");
        sums.entry(name).or_default().add(row, &columns);
    }
    let mut sums: Vec<_> = sums.into_iter().collect();
    sorted::sort_by(&mut sums, |(_, one), (_, other)| {
        other.cost.total_cmp(&one.cost).then(other.tokens.cmp(&one.tokens))
    });
    let heads: Vec<&str> = [by].into_iter().chain(columns.iter().map(|(head, _)| *head)).chain(["cost"]).collect();
    let mut table = Table::new(&heads);
    for (name, line) in sums {
        table.row(cells(name, &line, None));
    }
    let mut all = UsageLine::default();
    all.add(total, &columns);
    table.row(cells("all", &all, Some(Tone::Strong)));
    table
}

/// Returns the columns: those of tokens, and those of other units. The table leaves empty ones out.
fn columns() -> Vec<(&'static str, &'static str)> {
    COLUMNS.into_iter().chain(BilledUnit::TABLE.iter().map(|names| (names.field, names.field))).collect()
}

/// The sums of a name.
#[derive(Default)]
struct UsageLine {
    numbers: Vec<u64>,
    tokens: u64,
    cost: f64,
}

impl UsageLine {
    fn add(&mut self, row: &Value, columns: &[(&str, &str)]) {
        self.numbers.resize(columns.len(), 0);
        for (sum, (_, field)) in self.numbers.iter_mut().zip(columns) {
            *sum = sum.saturating_add(number(row, field));
        }
        self.tokens = self.tokens.saturating_add(number(row, "totalTokens"));
        self.cost += dollars(row);
    }
}

fn cells(name: &str, line: &UsageLine, tone: Option<Tone>) -> Vec<(String, Option<Tone>)> {
    let shown = |number: &u64| if *number == 0 { String::new() } else { number.to_string() };
    // A name may come from a client: nothing of it may move the cursor.
    let name: String = name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let numbers = line.numbers.iter().map(|number| (shown(number), None));
    let cost = if line.cost > 0.0 { format!("${:.4}", line.cost) } else { String::new() };
    [(name, tone)].into_iter().chain(numbers).chain([(cost, None)]).collect()
}

fn number(row: &Value, field: &str) -> u64 {
    row.get(field).and_then(Value::as_u64).unwrap_or(0)
}

fn dollars(row: &Value) -> f64 {
    row.get("costUsd").and_then(Value::as_f64).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn days_are_added_up_and_the_dearest_stands_first() {
        let row = |key: Value, tokens: u64, cost: f64| json!({ "key": key, "requests": 1, "totalTokens": tokens, "costUsd": cost });
        let rows = [
            row(json!("a"), 5, 0.0),
            row(json!("b\u{1b}"), 1, 0.25),
            row(json!("a"), 6, 0.0),
            row(Value::Null, 1, 0.0),
        ];
        let mut text = Vec::new();
        table("key", &rows, &json!({ "requests": 4 })).print(&mut text, Paint::stdout()).expect("prints");
        let text = String::from_utf8(text).expect("text");
        let names: Vec<_> = text.lines().filter_map(|line| line.split_whitespace().next()).collect();
        assert_eq!(names, ["key", "b", "a", "-", "all"], "{text}");
        assert!(text.contains("11") && text.contains("$0.2500") && !text.contains('\u{1b}'), "{text}");
    }
}
