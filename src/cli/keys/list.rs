//! `api-together keys list`: a row for each key of the configuration, and what is used of it if the server runs.

use std::io::{self, Write};

use clap::Args;
use serde_json::{Value, json};

use super::FileArgs;
use super::document::{ConfigText, name_of};
use crate::cli::CliError;
use crate::cli::running::ServerArgs;
use crate::cli::terminal::{Paint, Table, Tone};
use crate::config::DEFAULT_KEY;

/// The limits of a key, in the order of the table.
const LIMITS: [&str; 6] = ["rpm", "rpd", "tpm", "tpd", "burst", "maxConcurrent"];

/// What a limit of another period counts.
const UNITS: [&str; 3] = ["requests", "tokens", "usd"];

/// Stands at the end of the help.
const EXAMPLES: &str = "\
Examples:
  api-together keys list            the keys, with what is used if the server runs
  api-together keys list --json     the same for programs; no key is shown";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ListKeysArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Print the entries as JSON, without the keys.
    #[arg(long)]
    json: bool,
}

pub(super) fn list(args: ListKeysArgs) -> Result<(), CliError> {
    let file = FileArgs { config: args.server.config_path() };
    let document = ConfigText::read(&file.source().path)?;
    // The list is of use without a server, too.
    let status = args.server.operated_server().and_then(|server| server.get("v1/status", &[])).ok();
    let states = status.as_ref().and_then(|status| status.get("keys")).and_then(Value::as_array);
    let state_of = |name: &str| states.into_iter().flatten().find(|state| name_of(state) == Some(name));
    let mut out = io::stdout().lock();
    if args.json {
        let shown: Vec<Value> =
            document.keys().iter().map(|key| without_secret(key, name_of(key).and_then(state_of))).collect();
        writeln!(out, "{:#}", json!({ "keys": shown }))?;
        return Ok(());
    }
    let has_default = ["apiKey", "apiKeys"].iter().any(|field| document.of_server(field).is_some());
    if document.keys().is_empty() && !has_default {
        writeln!(out, "no keys: every client is let in. Make one with `api-together keys new --name NAME`")?;
        return Ok(());
    }
    let mut table = Table::new(&["key", "state", "models", "APIs", "limits", "budgets", "expires", "used"]);
    if has_default {
        let name = format!("{DEFAULT_KEY} (server.apiKey)");
        table.row(row(name, &json!({}), state_of(DEFAULT_KEY)));
    }
    for key in document.keys() {
        let name = name_of(key).unwrap_or("-");
        table.row(row(name.to_owned(), key, state_of(name)));
    }
    table.print(&mut out, Paint::stdout())?;
    Ok(())
}

fn row(name: String, key: &Value, state: Option<&Value>) -> Vec<(String, Option<Tone>)> {
    let is_enabled = key.get("enabled").and_then(Value::as_bool).unwrap_or(true);
    let told = state.and_then(|state| state.get("unavailableReason")).and_then(Value::as_str);
    let state_word = match told {
        Some(reason) => (reason.to_owned(), Some(Tone::Bad)),
        None if !is_enabled => ("disabled".to_owned(), Some(Tone::Faint)),
        None => ("enabled".to_owned(), Some(Tone::Good)),
    };
    let limits = LIMITS.iter().filter_map(|name| Some(format!("{name} {}", key.get(*name)?)));
    let others = key.get("limits").and_then(Value::as_array).into_iter().flatten().map(other_limit);
    let pacing = key.get("pacing").and_then(Value::as_str).map(|pacing| format!("pacing {pacing}"));
    let limits = limits.chain(others).chain(pacing);
    let budgets = key.get("budgets").and_then(Value::as_array).into_iter().flatten().map(budget);
    let expires = key.get("expires").and_then(Value::as_str).unwrap_or_default();
    vec![
        (name, None),
        state_word,
        (names(key, "models"), None),
        (names(key, "apis"), None),
        (limits.collect::<Vec<_>>().join(", "), None),
        (budgets.collect::<Vec<_>>().join(", "), None),
        (expires.to_owned(), None),
        (state.map(used).unwrap_or_default(), None),
    ]
}

fn names(key: &Value, field: &str) -> String {
    let listed = key.get(field).and_then(Value::as_array);
    let listed: Vec<&str> = listed.into_iter().flatten().filter_map(Value::as_str).collect();
    if listed.is_empty() { "all".to_owned() } else { listed.join(", ") }
}

/// Returns an entry of `limits`: `200 requests per 5h`.
fn other_limit(entry: &Value) -> String {
    let word = |field: &str| entry.get(field).and_then(Value::as_str);
    let amount = UNITS.iter().find_map(|unit| Some(format!("{} {unit}", entry.get(*unit)?)));
    let pacing = word("pacing").map(|pacing| format!(", pacing {pacing}")).unwrap_or_default();
    format!("{} per {}{pacing}", amount.unwrap_or_default(), word("per").unwrap_or("-"))
}

fn budget(budget: &Value) -> String {
    let per = budget.get("per").and_then(Value::as_str).unwrap_or("-");
    format!("{} a {per}", budget.get("usd").and_then(dollars).unwrap_or_default())
}

/// Returns an amount without zeros behind it: `$2`, `$0.5`.
fn dollars(amount: &Value) -> Option<String> {
    amount.as_f64().map(|dollars| format!("${dollars}"))
}

/// Returns how much is used of each limit and budget, as the server says.
fn used(state: &Value) -> String {
    // Of a limit, -1 means none.
    let number = |pointer: &str| state.pointer(pointer)?.as_u64();
    let limits = LIMITS.iter().filter_map(|name| {
        let (used, limit) = (number(&format!("/usage/{name}"))?, number(&format!("/limits/{name}"))?);
        Some(format!("{name} {used}/{limit}"))
    });
    let listed = |field: &str| state.get(field).and_then(Value::as_array).into_iter().flatten();
    let others =
        listed("otherLimits").filter_map(|of| Some(format!("{}/{}", of.get("used")?, of.get("limit")?.as_str()?)));
    let budgets = listed("budgets");
    let spent = budgets.filter_map(|budget| {
        let per = budget.get("per")?.as_str()?;
        Some(format!("{} of {} a {per}", dollars(budget.get("used")?)?, dollars(budget.get("usd")?)?))
    });
    limits.chain(others).chain(spent).collect::<Vec<_>>().join(", ")
}

fn without_secret(key: &Value, state: Option<&Value>) -> Value {
    let mut shown = key.clone();
    if let Some(fields) = shown.as_object_mut() {
        fields.remove("key");
        fields.extend(state.map(|state| ("state".to_owned(), state.clone())));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_is_told_of_limits_that_there_are() {
        let state = json!({
            "limits": { "rpm": 30, "rpd": -1, "tpm": null, "tpd": 0 },
            "usage": { "rpm": 2, "rpd": 30, "tpm": 5, "tpd": 0 },
            "otherLimits": [{ "limit": "200 requests per 5h", "used": 7 }],
            "budgets": [{ "usd": 2.0, "per": "day", "used": 0.25 }],
        });
        assert_eq!(used(&state), "rpm 2/30, tpd 0/0, 7/200 requests per 5h, $0.25 of $2 a day");
        assert_eq!(budget(&json!({ "usd": 30, "per": "month" })), "$30 a month");
    }

    #[test]
    fn every_limit_of_the_entry_is_listed() {
        let key = json!({
            "rpd": 9, "burst": 2, "pacing": "spread",
            "limits": [{ "requests": 200, "per": "5h" }, { "tokens": 5, "per": "week", "pacing": "spread" }],
        });
        let shown = row("k".to_owned(), &key, None).swap_remove(4).0;
        assert_eq!(shown, "rpd 9, burst 2, 200 requests per 5h, 5 tokens per week, pacing spread, pacing spread");
    }
}
