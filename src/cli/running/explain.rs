//! `api-together explain MODEL`: asks a running server what would become of a request, and prints a table.

use std::io::{self, Write};

use clap::Args;
use serde_json::Value;

use super::access::ServerArgs;
use crate::cli::CliError;
use crate::cli::terminal::{Paint, Table, Tone, one_line, span};
use crate::types::sorted;

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The model that a client asks for.
    #[arg(value_name = "MODEL", required_unless_present = "named", conflicts_with = "named")]
    model: Option<String>,
    /// The same.
    #[arg(short, long = "model", value_name = "MODEL", hide = true)]
    named: Option<String>,
    /// The format that the client speaks. Default: the first one that serves the model.
    #[arg(short, long, value_parser = ["openai", "anthropic"])]
    format: Option<String>,
    /// Print what the server answered, as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// Fails if nobody can serve the model.
pub(crate) fn explain(args: ExplainArgs) -> Result<(), CliError> {
    let ExplainArgs { model, named, format, json, server } = args;
    let model = model.or(named).unwrap_or_default();
    let server = server.operated_server()?;
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("model", &model);
    query.extend_pairs(format.iter().map(|format| ("format", format)));
    let answer = server.get(&format!("v1/status?{}", query.finish()), &[])?;
    let Some(explained) = answer.get("explain") else {
        return Err(CliError::Server(format!("{} is no api-together: it explains nothing", server.root())));
    };
    let mut out = io::stdout().lock();
    if json {
        writeln!(out, "{explained:#}")?;
    } else {
        print(&mut out, &one_line(&model), explained)?;
    }
    if is_served(explained) { Ok(()) } else { Err(CliError::Unserved) }
}

/// Returns whether some API can serve the model, or one of the alias's models; at once, after a wait or in panic mode.
fn is_served(explained: &Value) -> bool {
    let refusal = explained.get("refusal");
    let may = |of: &str| refusal.is_some_and(|refusal| refusal.get(of).is_some());
    may("waitsUpToMs") || may("askedAllTheSame") || is_eligible_somewhere(explained)
}

fn is_eligible_somewhere(explained: &Value) -> bool {
    let lists = list(explained, "models").iter().map(|model| list(model, "apis"));
    lists.chain([list(explained, "apis")]).flatten().any(is_eligible)
}

fn print(out: &mut impl Write, asked: &str, explained: &Value) -> io::Result<()> {
    let models = list(explained, "models");
    let format = text(explained, "format");
    let spoken = if format == Some("anthropic") { " in Anthropic's format" } else { "" };
    if models.is_empty() {
        writeln!(out, "A request for {asked}{spoken} now:\n")?;
        table(out, list(explained, "apis"))?;
        return if is_eligible_somewhere(explained) { Ok(()) } else { refusal(out, explained) };
    }
    writeln!(out, "{asked} is an alias. A request for it{spoken} now, in the order of the tries:")?;
    for model in models {
        writeln!(out, "\nAs {}:\n", one_line(text(model, "model").unwrap_or("-")))?;
        table(out, list(model, "apis"))?;
    }
    match text(explained, "servedAs") {
        Some(model) => writeln!(out, "\n  It would be served as {}.", one_line(model)),
        None => refusal(out, explained),
    }
}

/// Says how a request would be refused, and what was probably meant.
fn refusal(out: &mut impl Write, explained: &Value) -> io::Result<()> {
    let by = list(explained.get("refusal").unwrap_or(&Value::Null), "askedAllTheSame");
    if !by.is_empty() {
        let by: Vec<&str> = by.iter().filter_map(Value::as_str).collect();
        return writeln!(out, "\n  It would be tried with {} all the same, as nobody else is left.", by.join(", "));
    }
    if let Some(ms) = explained.pointer("/refusal/waitsUpToMs").and_then(Value::as_u64) {
        return writeln!(out, "\n  It would wait for a limit to free, up to {} (queue.maxWaitMs).", span(ms));
    }
    let Some(status) = explained.pointer("/refusal/status") else { return writeln!(out, "\n  It would be refused.") };
    write!(out, "\n  It would be refused with {status}")?;
    if let Some(ms) = explained.pointer("/refusal/retryAfterMs").and_then(Value::as_u64) {
        write!(out, ", retry after {}", span(ms))?;
    }
    let similar: Vec<String> = list(explained, "similar").iter().map(ToString::to_string).collect();
    match similar.split_last() {
        None => writeln!(out, "."),
        Some((one, [])) => writeln!(out, ".\n  Did you mean {one}?"),
        Some((last, others)) => writeln!(out, ".\n  Did you mean {} or {last}?", others.join(", ")),
    }
}

/// Prints a row for each API that lists the model, those that can serve first, and counts the others.
fn table(out: &mut impl Write, apis: &[Value]) -> io::Result<()> {
    let others = [("model_not_served", "list it"), ("other_format", "speak the format")];
    let reason = |api: &Value| text(api, "reason").unwrap_or("-").to_owned();
    let is_other = |api: &&Value| !is_eligible(api) && others.iter().any(|(other, _)| *other == reason(api));
    let mut rows: Vec<&Value> = apis.iter().filter(|api| !is_other(api)).collect();
    sorted::sort_by_key(&mut rows, |api| !is_eligible(api));
    let mut table = Table::new(&["api", "eligible", "until", "priority", "share", "its name for it"]);
    for api in &rows {
        let share = api.get("share").and_then(Value::as_f64).unwrap_or(0.0);
        let may = match is_eligible(api) {
            true => ("yes".to_owned(), Some(Tone::Good)),
            false => (format!("no: {}", reason(api)), Some(Tone::Warning)),
        };
        let plain = |text: &str| (text.to_owned(), None);
        let priority = api.get("priority").map_or("-".to_owned(), ToString::to_string);
        table.row(vec![
            plain(text(api, "id").unwrap_or("-")),
            may,
            plain(text(api, "until").unwrap_or_default()),
            plain(&priority),
            plain(&format!("{:.0} %", share * 100.0)),
            plain(text(api, "ownName").unwrap_or("-")),
        ]);
    }
    if !table.is_empty() {
        table.print(out, Paint::stdout())?;
    }
    for api in rows.iter().filter(|api| !is_eligible(api)) {
        let of_error = |field: &str| api.get("lastError").and_then(|error| text(error, field));
        if let (Some(id), Some(class), Some(detail)) = (text(api, "id"), of_error("class"), of_error("detail")) {
            writeln!(out, "  {id}, last error: {class}: {}", one_line(detail))?;
        }
    }
    for (reason_of_others, what) in others {
        let number = apis.iter().filter(|api| !is_eligible(api) && reason(api) == reason_of_others).count();
        let do_not = if number == 1 { "does not" } else { "do not" };
        let who = match (number, rows.is_empty()) {
            (0, _) => continue,
            (1, true) => "the one API".to_owned(),
            (_, true) => format!("{number} APIs"),
            (_, false) => format!("{number} other{}", if number == 1 { "" } else { "s" }),
        };
        writeln!(out, "  {who} {do_not} {what}")?;
    }
    Ok(())
}

fn is_eligible(api: &Value) -> bool {
    api.get("eligible").and_then(Value::as_bool).unwrap_or(false)
}

fn text<'a>(value: &'a Value, field: &str) -> Option<&'a str> {
    value.get(field)?.as_str()
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
