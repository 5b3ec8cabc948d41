//! `api-together status`: the accounts of a running server, a row each.

use std::io::{self, Write};

use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::access::ServerArgs;
use super::next_spent::next_spent;
use crate::cli::CliError;
use crate::cli::describe::own_name;
use crate::cli::terminal::{Paint, Table, Tone, count, one_line, span};

/// The width of a bar.
const BAR: u64 = 8;

/// An older error of an account that can serve is over (ms).
const RECENT_MS: i64 = 3_600_000;

/// From this part of a limit on, in percent, a bar warns.
const NEARLY_FULL: u64 = 80;

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Print what the server answered, as JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn status(args: StatusArgs) -> Result<(), CliError> {
    let server = args.server.operated_server()?;
    let status = server.get("v1/status", &[])?;
    let mut out = io::stdout().lock();
    if args.json {
        writeln!(out, "{status:#}")?;
        return Ok(());
    }
    let Some(apis) = status.get("apis").and_then(Value::as_array) else {
        return Err(CliError::Server(format!("{} is no api-together: it lists no accounts", server.root())));
    };
    let paint = Paint::stdout();
    let service = text(&status, "/service").and_then(own_name).unwrap_or("api-together");
    let able = apis.iter().filter(|api| flag(api, "/available")).count();
    writeln!(
        out,
        "{} at {}: {able} of {} can serve\n",
        one_line(service),
        server.root(),
        count(apis.len(), "account")
    )?;
    table(apis, now_of(&status)).print(&mut out, paint)?;
    if let Some(next) = next_spent(&status, now_of(&status), &TimeZone::system()) {
        writeln!(out, "\n  {}", one_line(&next))?;
    }
    warnings(&mut out, &status, paint)?;
    Ok(())
}

fn table(apis: &[Value], now: i64) -> Table {
    let mut table =
        Table::new(&["account", "state", "requests a minute", "a day", "tokens a minute", "a day", "running"]);
    for api in apis {
        let running = number(api, "/inFlight").unwrap_or(0);
        let mut row = vec![(text(api, "/id").unwrap_or("-").to_owned(), None), state(api, now)];
        row.extend(["rpm", "rpd", "tpm", "tpd"].map(|window| usage(api, window)));
        row.push((if running > 0 { running.to_string() } else { String::new() }, None));
        table.row(row);
        for quota in api.get("quotas").and_then(Value::as_array).into_iter().flatten() {
            if let Some(row) = quota_row(quota) {
                table.row(row);
            }
        }
    }
    table
}

/// Returns a row for a shared quota, or a quota of one model, if the quota has a limit.
fn quota_row(quota: &Value) -> Option<Vec<(String, Option<Tone>)>> {
    const WINDOWS: [&str; 4] = ["rpm", "rpd", "tpm", "tpd"];
    if let Some(limit) = text(quota, "/limit") {
        return Some(listed_row(quota, limit));
    }
    WINDOWS.iter().any(|window| limit(quota, window).is_some()).then_some(())?;
    let name = text(quota, "/model").map_or_else(|| text(quota, "/of").unwrap_or("-").to_owned(), str::to_owned);
    let mut row = vec![(format!("  {name}"), Some(Tone::Faint)), (String::new(), None)];
    row.extend(WINDOWS.map(|window| usage(quota, window)));
    row.push((String::new(), None));
    Some(row)
}

/// Returns a row for a limit of another period: the use stands where the use of a day would.
fn listed_row(quota: &Value, limit: &str) -> Vec<(String, Option<Tone>)> {
    let model = text(quota, "/model").map(|model| format!("{model}: ")).unwrap_or_default();
    let mut row = vec![(format!("  {model}{limit}"), Some(Tone::Faint))];
    let used = ["requests", "tokens", "usd"].map(|unit| {
        let of = |pointer: String| quota.pointer(&pointer).and_then(Value::as_f64);
        (of(format!("/usage/{unit}")), of(format!("/limits/{unit}")))
    });
    // Cents are the smallest money in a table.
    let whole = |amount: f64, of: f64| (amount * of).round() as u64;
    let [requests, tokens, usd] = used.map(|(used, limit)| used.zip(limit));
    let requests = requests.map(|(used, limit)| share(whole(used, 1.0), whole(limit, 1.0), short));
    let tokens = tokens.map(|(used, limit)| share(whole(used, 1.0), whole(limit, 1.0), short));
    let dollars = |cents: u64| format!("${}.{:02}", cents / 100, cents % 100);
    let usd = usd.map(|(used, limit)| share(whole(used, 100.0), whole(limit, 100.0), dollars));
    let none = || (String::new(), None);
    row.extend([none(), none(), requests.unwrap_or_else(none), none(), tokens.or(usd).unwrap_or_else(none), none()]);
    row
}

/// Returns what an account does: `ready`, or why not and how long.
fn state(api: &Value, now: i64) -> (String, Option<Tone>) {
    let Some(reason) = text(api, "/unavailableReason") else { return ("ready".to_owned(), Some(Tone::Good)) };
    if reason == "disabled" {
        return ("disabled".to_owned(), Some(Tone::Faint));
    }
    let until = text(api, "/availableAt").and_then(|at| at.parse::<Timestamp>().ok());
    let left = until.map(|at| u64::try_from(at.as_millisecond() - now).unwrap_or(0));
    let wait = left.map(|ms| format!(", {} more", span(ms))).unwrap_or_default();
    let is_full = ["rpm", "rpd", "tpm", "tpd", "burst", "concurrency", "rpd_paced", "tpd_paced"].contains(&reason)
        || reason.contains(" per ");
    let tone = if is_full { Tone::Warning } else { Tone::Bad };
    (format!("{reason}{wait}"), Some(tone))
}

/// Returns how much of a window is used, with a bar where there is a limit.
fn usage(quota: &Value, window: &str) -> (String, Option<Tone>) {
    let used = number(quota, &format!("/usage/{window}")).unwrap_or(0);
    match limit(quota, window) {
        None if used == 0 => (String::new(), None),
        None => (short(used), None),
        Some(limit) => share(used, limit, short),
    }
}

/// Returns how much of a limit is used, with a bar.
fn share(used: u64, limit: u64, shown: impl Fn(u64) -> String) -> (String, Option<Tone>) {
    let percent = used.saturating_mul(100).checked_div(limit).unwrap_or(100);
    let tone = match percent {
        100.. => Tone::Bad,
        NEARLY_FULL.. => Tone::Warning,
        _ => Tone::Good,
    };
    (format!("{} {}/{}", bar(used, limit), shown(used), shown(limit)), Some(tone))
}

fn limit(quota: &Value, window: &str) -> Option<u64> {
    number(quota, &format!("/limits/{window}"))
}

/// Returns a bar. Whatever is used shows, and only a full window is full.
fn bar(used: u64, limit: u64) -> String {
    let full = if used >= limit { BAR } else { (used * BAR).div_ceil(limit).min(BAR - 1) };
    let part = |of: &str, width: u64| of.repeat(usize::try_from(width).unwrap_or(0));
    part("█", full) + &part("░", BAR - full)
}

/// Returns a number in few digits: `950`, `12.3k`, `4M`.
fn short(number: u64) -> String {
    let of = |unit: u64, name: &str| match (number / unit, number % unit * 10 / unit) {
        (whole, tenth) if whole >= 100 || tenth == 0 => format!("{whole}{name}"),
        (whole, tenth) => format!("{whole}.{tenth}{name}"),
    };
    match number {
        0..10_000 => number.to_string(),
        10_000..1_000_000 => of(1_000, "k"),
        1_000_000..1_000_000_000 => of(1_000_000, "M"),
        _ => of(1_000_000_000, "G"),
    }
}

fn warnings(out: &mut impl Write, status: &Value, paint: Paint) -> io::Result<()> {
    let now = now_of(status);
    for api in status.get("apis").and_then(Value::as_array).into_iter().flatten() {
        if let (Some(id), Some(error)) = (text(api, "/id"), last_error(api, now)) {
            let tone = if flag(api, "/available") { Tone::Warning } else { Tone::Bad };
            writeln!(out, "\n  {}: {error}", paint.tint(tone, id), error = one_line(&error))?;
        }
    }
    if let Some(error) = text(status, "/config/lastError") {
        writeln!(out, "\n  {} {}", paint.tint(Tone::Bad, "configuration:"), one_line(error))?;
    }
    let listed = status.pointer("/config/warnings").and_then(Value::as_array);
    for warning in listed.into_iter().flatten().filter_map(Value::as_str) {
        writeln!(out, "\n  {} {}", paint.tint(Tone::Warning, "warning:"), one_line(warning))?;
    }
    Ok(())
}

/// Returns an account's last error with its age, if the account can't serve, or the error is recent.
fn last_error(api: &Value, now: i64) -> Option<String> {
    let detail = text(api, "/lastError/detail")?;
    let at = text(api, "/lastError/at").and_then(|at| at.parse::<Timestamp>().ok());
    let age = at.map(|at| now.saturating_sub(at.as_millisecond()).max(0));
    let is_recent = age.is_some_and(|age| age <= RECENT_MS);
    let ago = age.map(|age| format!(" ({} ago)", span(age.unsigned_abs()))).unwrap_or_default();
    let class = text(api, "/lastError/class").map(|class| format!("{class}: ")).unwrap_or_default();
    (is_recent || !flag(api, "/available")).then(|| format!("{class}{detail}{ago}"))
}

/// Returns the server's time: its clock decides what is over.
fn now_of(status: &Value) -> i64 {
    let told = text(status, "/timestamp").and_then(|at| at.parse::<Timestamp>().ok());
    told.unwrap_or_else(Timestamp::now).as_millisecond()
}

fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer)?.as_str()
}

fn number(value: &Value, pointer: &str) -> Option<u64> {
    value.pointer(pointer)?.as_u64()
}

fn flag(value: &Value, pointer: &str) -> bool {
    value.pointer(pointer).and_then(Value::as_bool).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_bar_shows_whatever_is_used_and_is_full_only_at_the_limit() {
        let bars = [(0, 60), (1, 60), (30, 60), (59, 60), (60, 60), (90, 60), (0, 0)].map(|(u, l)| bar(u, l));
        assert_eq!(bars, ["░░░░░░░░", "█░░░░░░░", "████░░░░", "███████░", "████████", "████████", "████████"]);
    }

    #[test]
    fn numbers_are_short() {
        let shown = [0, 9_999, 12_345, 250_000, 4_000_000, 1_250_000, 3_000_000_000].map(short);
        assert_eq!(shown, ["0", "9999", "12.3k", "250k", "4M", "1.2M", "3G"]);
    }

    #[test]
    fn an_account_says_why_and_how_long() {
        let api = json!({ "unavailableReason": "rpd", "availableAt": "2026-11-28T10:00:00.000Z" });
        let now = "2026-11-28T09:00:00Z".parse::<Timestamp>().expect("a time").as_millisecond();
        assert_eq!(state(&api, now), ("rpd, 1 h more".to_owned(), Some(Tone::Warning)));
        assert_eq!(state(&json!({ "unavailableReason": null }), now).0, "ready");
        assert_eq!(state(&json!({ "unavailableReason": "unauthorized" }), now).1, Some(Tone::Bad));
    }

    #[test]
    fn an_error_of_the_last_hour_is_shown_with_its_age_also_of_an_account_that_can_serve() {
        let now = "2026-11-28T10:00:00Z".parse::<Timestamp>().expect("a time").as_millisecond();
        let shown = |available: bool, at: &str| {
            let error = json!({ "at": at, "class": "server_error", "detail": "502" });
            last_error(&json!({ "id": "a", "available": available, "lastError": error }), now)
        };
        assert_eq!(shown(true, "2026-11-28T09:59:55.000Z").as_deref(), Some("server_error: 502 (5 s ago)"));
        assert_eq!(shown(true, "2026-11-28T09:00:00.000Z").as_deref(), Some("server_error: 502 (1 h ago)"));
        assert_eq!(shown(true, "2026-11-28T08:59:59.000Z"), None, "that is over");
        assert_eq!(
            shown(false, "2026-11-28T08:00:00.000Z").as_deref(),
            Some("server_error: 502 (2 h ago)"),
            "that may be why"
        );
        assert_eq!(
            shown(true, "2026-11-28T10:00:01.000Z").as_deref(),
            Some("server_error: 502 (0 s ago)"),
            "clocks differ"
        );
        assert_eq!(shown(true, "some day"), None);
        assert_eq!(last_error(&json!({ "available": true, "lastError": null }), now), None);
    }
}
