//! `api-together explain --model X`: asks a running server what would become of a request, and prints a table.

use std::io::{self, Write};
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::{CliError, ConfigArgs, describe, from_environment};
use crate::config::{ClientKey, Config, load};

/// How long the server may take, which answers from memory.
const WITHIN: Duration = Duration::from_secs(10);

/// Holds a client's key, if the configuration has none in clear text.
const KEY_VARIABLE: &str = "API_TOGETHER_KEY";

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The model that a client asks for.
    #[arg(long)]
    model: String,
    /// The format that the client speaks. Without it: the first one that serves the model.
    #[arg(long, value_parser = ["openai", "anthropic"])]
    format: Option<String>,
}

pub(super) fn explain(args: ExplainArgs) -> Result<(), CliError> {
    let ExplainArgs { config, model, format } = args;
    let config = load(&config.source()?)?;
    let answer = ask(&config, &model, format.as_deref());
    let answer = actix_web::rt::System::new().block_on(answer).map_err(CliError::Server)?;
    print(&mut io::stdout().lock(), &model, &answer)?;
    Ok(())
}

async fn ask(config: &Config, model: &str, format: Option<&str>) -> Result<Value, String> {
    let base = describe::base(config, config.server.port);
    if base.starts_with("https") {
        return Err(format!("the server speaks TLS; ask {base}/v1/status?model=… with curl"));
    }
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("model", model);
    query.extend_pairs(format.iter().map(|format| ("format", format)));
    let query = query.finish();
    let mut request = awc::Client::builder().timeout(WITHIN).finish().get(format!("{base}/v1/status?{query}"));
    let keys = &config.server.client_keys;
    if let Some(key) = from_environment(KEY_VARIABLE).or_else(|| keys.iter().find_map(ClientKey::plain)) {
        request = request.bearer_auth(key);
    } else if !keys.is_empty() {
        return Err(format!("the configuration has digests of keys only; set {KEY_VARIABLE} to the key of one"));
    }
    let mut response = request.send().await.map_err(|e| format!("no server answers at {base}: {e}"))?;
    let status = response.status();
    let body = response.body().limit(64 << 20).await.map_err(|e| format!("{base} did not answer to its end: {e}"))?;
    if !status.is_success() {
        return Err(format!("{base} answered {status}; is the configuration the one that it runs with?"));
    }
    serde_json::from_slice(&body).map_err(|e| format!("{base} is no api-together: {e}"))
}

fn print(out: &mut impl Write, asked: &str, answer: &Value) -> io::Result<()> {
    let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    let models = list(answer.pointer("/explain/models"));
    let format = answer.pointer("/explain/format").and_then(Value::as_str);
    let spoken = if format == Some("anthropic") { " in Anthropic's format" } else { "" };
    if models.is_empty() {
        writeln!(out, "A request for {asked}{spoken} now:\n")?;
        let is_served = table(out, &list(answer.pointer("/explain/apis")))?;
        return if is_served { Ok(()) } else { writeln!(out, "\n  It would be refused.") };
    }
    writeln!(out, "{asked} is an alias. A request for it{spoken} now, in the order of the tries:")?;
    for model in &models {
        let name = model.get("model").and_then(Value::as_str).unwrap_or("-");
        writeln!(out, "\nAs {name}:\n")?;
        table(out, &list(model.get("apis")))?;
    }
    match answer.pointer("/explain/servedAs").and_then(Value::as_str) {
        Some(model) => writeln!(out, "\n  It would be served as {model}."),
        None => writeln!(out, "\n  It would be refused."),
    }
}

/// Prints a row for each API. Returns whether one could serve.
fn table(out: &mut impl Write, apis: &[Value]) -> io::Result<bool> {
    let text = |api: &Value, field: &str| api.get(field).and_then(Value::as_str).unwrap_or("-").to_owned();
    let rows: Vec<[String; 6]> = apis
        .iter()
        .map(|api| {
            let share = api.get("share").and_then(Value::as_f64).unwrap_or(0.0);
            let priority = api.get("priority").map_or("-".to_owned(), ToString::to_string);
            let eligible = api.get("eligible").and_then(Value::as_bool).unwrap_or(false);
            let may = if eligible { "yes".to_owned() } else { format!("no: {}", text(api, "reason")) };
            let share = format!("{:.0} %", share * 100.0);
            [text(api, "id"), may, text(api, "until"), priority, share, text(api, "ownName")]
        })
        .collect();
    let head = ["api", "eligible", "until", "priority", "share", "its name for it"].map(str::to_owned);
    let width = |column: usize| {
        std::iter::once(&head).chain(&rows).filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    for row in std::iter::once(&head).chain(&rows) {
        let cells = row.iter().enumerate().map(|(i, cell)| format!("{cell:0$}", width(i).unwrap_or(0)));
        writeln!(out, "  {}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(apis.iter().any(|api| api.get("eligible").and_then(Value::as_bool) == Some(true)))
}
