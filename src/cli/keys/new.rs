//! `api-together keys new`: a key of 256 random bits, and the entry for the configuration with the key's digest.

use std::io::{self, Write};
use std::path::Path;

use clap::Args;
use serde_json::{Map, Value, json};

use super::FileArgs;
use super::document::{ConfigText, refused, warn_if_refused};
use crate::cli::{CliError, DEFAULT_CONFIG};
use crate::config::{ApiKey, ClientKey, Config, ConfigEdit, ConfigError, ConfigSource, parse};

/// Stands at the end of the help.
const EXAMPLES: &str = "\
Examples:
  api-together keys new --name team-a                                       a key without limits
  api-together keys new --name team-a --rpm 30 --budget 2/day --write       limits, written into the configuration
  api-together keys new --name ci --models 'gpt-4*,claude-*' --expires 2027-03-01 --budget 2/day --budget 30/month

The key is shown once. The configuration gets its digest, so that nobody can read the key there.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, allow_negative_numbers = true)]
pub(crate) struct NewArgs {
    /// The key's name in logs, counts and answers.
    #[arg(long)]
    name: String,
    /// Requests a minute.
    #[arg(long, value_name = "N")]
    rpm: Option<u32>,
    /// Requests a day.
    #[arg(long, value_name = "N")]
    rpd: Option<u32>,
    /// Tokens a minute.
    #[arg(long, value_name = "N")]
    tpm: Option<u64>,
    /// Tokens a day.
    #[arg(long, value_name = "N")]
    tpd: Option<u64>,
    /// Requests at the same time.
    #[arg(long, value_name = "N")]
    max_concurrent: Option<u32>,
    /// Dollars in each period, as 2/day, 0.5/5h or 30/month. May be given several times.
    #[arg(long = "budget", value_name = "USD/PERIOD", value_parser = budget)]
    budgets: Vec<Value>,
    /// The models that may be asked for, with commas between; * stands for any text. Default: all.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    models: Vec<String>,
    /// The ids of the APIs that may serve the key, in the same form. Default: all.
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    apis: Vec<String>,
    /// When days, weeks and months begin: an IANA time zone, or rolling.
    #[arg(long, value_name = "ZONE")]
    reset: Option<String>,
    /// The key's last day (2027-03-01), or the moment of its end (2027-03-01T12:00:00Z).
    #[arg(long, value_name = "DATE")]
    expires: Option<String>,
    /// Write the entry into the configuration.
    #[arg(long)]
    write: bool,
    /// Print the key and the entry as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    file: FileArgs,
}

pub(super) fn new(args: NewArgs) -> Result<(), CliError> {
    let key = ApiKey::generate();
    let entry = entry(&args, &key);
    let judged = check(&args, &entry)?;
    // At the usual place there may be no configuration yet.
    let config = &args.file.config;
    let is_meant = args.write || config != Path::new(DEFAULT_CONFIG) || config.exists();
    let document = is_meant.then(|| ConfigText::read(config)).transpose()?;
    if document.as_ref().is_some_and(|document| document.key(&args.name).is_some()) {
        let name = &args.name;
        return Err(CliError::Usage(format!("a key has the name {name} already; take another, or remove that entry")));
    }
    let told = match &document {
        Some(document) if args.write => {
            let at = format!("keys[{}].", document.keys().len());
            let edited = document.edit(&ConfigEdit::PutKey(entry.clone()), |error| wrong_entry(error, &at))?;
            Some(edited.write()?)
        }
        Some(_) | None => None,
    };
    warn_if_refused(Some(&judged), &args.name);
    let mut out = io::stdout().lock();
    if args.json {
        writeln!(out, "{:#}", json!({ "name": args.name, "key": key.expose(), "entry": entry }))?;
        return Ok(());
    }
    writeln!(out, "The key of {}, shown this once:\n\n  {}\n", args.name, key.expose())?;
    match told {
        Some(told) => writeln!(out, "{told}")?,
        None => writeln!(out, "Put this into \"keys\" of the configuration, or use --write next time:\n\n{entry:#}")?,
    }
    Ok(())
}

/// Returns the entry for the configuration.
fn entry(args: &NewArgs, key: &ApiKey) -> Value {
    let list = |names: &[String]| (!names.is_empty()).then(|| json!(names));
    let budgets = (!args.budgets.is_empty()).then(|| json!(args.budgets));
    let fields = [
        ("models", list(&args.models)),
        ("apis", list(&args.apis)),
        ("rpm", args.rpm.map(Value::from)),
        ("rpd", args.rpd.map(Value::from)),
        ("tpm", args.tpm.map(Value::from)),
        ("tpd", args.tpd.map(Value::from)),
        ("maxConcurrent", args.max_concurrent.map(Value::from)),
        ("budgets", budgets),
        ("reset", args.reset.as_ref().map(|reset| json!(reset))),
        ("expires", args.expires.as_ref().map(|expires| json!(expires))),
    ];
    let mut entry = Map::new();
    entry.insert("name".to_owned(), json!(args.name));
    entry.insert("key".to_owned(), json!(ClientKey::digest_of(key)));
    entry.extend(fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    Value::Object(entry)
}

/// Checks an entry as a configuration with nothing else is checked. The rest of the file may need variables that are not set here.
fn check(args: &NewArgs, entry: &Value) -> Result<Config, CliError> {
    let named = args.apis.iter().filter(|id| !id.contains('*')).map(String::as_str);
    let api = |id: &str| json!({ "id": id, "baseUrl": "http://localhost", "apiKey": "none" });
    let apis: Vec<Value> = std::iter::once("any API").chain(named).map(api).collect();
    let document = json!({ "apis": apis, "keys": [entry] }).to_string();
    let source = ConfigSource { path: "keys new".into(), overrides: Default::default() };
    parse(&document, &source, |_| Ok(String::new()))
        .map_err(|error| CliError::Usage(error.to_string().replace("keys[0].", "")))
}

/// Says what is wrong with the configuration that the entry makes. `at`: where the entry's fields are.
fn wrong_entry(error: ConfigError, at: &str) -> CliError {
    match &error {
        ConfigError::Invalid { problems, .. } if problems.iter().all(|problem| problem.at().starts_with(at)) => {
            CliError::Usage(format!("nothing was changed: {}", error.to_string().replace(at, "")))
        }
        ConfigError::Invalid { .. } | ConfigError::Unreadable { .. } | ConfigError::Syntax { .. } => refused(error),
    }
}

/// Reads a budget: dollars, a slash and a period.
fn budget(typed: &str) -> Result<Value, &'static str> {
    let wrong = "must be dollars and a period, as 2/day, 0.5/5h or 30/month";
    let (usd, per) = typed.split_once('/').ok_or(wrong)?;
    let usd: f64 = usd.trim().trim_start_matches('$').parse().map_err(|_| wrong)?;
    let per = per.trim();
    if !usd.is_finite() || usd <= 0.0 || per.is_empty() {
        return Err(wrong);
    }
    let whole = usd as u64;
    let usd = if whole as f64 == usd { json!(whole) } else { json!(usd) };
    Ok(json!({ "usd": usd, "per": per }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_dollars_and_a_period() {
        for (typed, meant) in [
            ("2/day", json!({ "usd": 2, "per": "day" })),
            ("$0.5/5h", json!({ "usd": 0.5, "per": "5h" })),
            ("30 / month", json!({ "usd": 30, "per": "month" })),
        ] {
            assert_eq!(budget(typed), Ok(meant), "{typed}");
        }
        for wrong in ["2", "/day", "2/", "-1/day", "0/day", "nan/day", "inf/day", "two/day"] {
            assert!(budget(wrong).is_err(), "{wrong}");
        }
    }
}
