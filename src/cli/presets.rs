//! `api-together presets`: the known providers, and what an entry is filled in with.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;

use super::CliError;
use super::terminal::{Paint, Table};
use crate::config::providers::{LimitScope, Plan};
use crate::config::{ConfigSource, Overrides, Provider, Providers};
use crate::types::WireFormat;

#[derive(Debug, Args)]
pub(super) struct PresetsArgs {
    /// One provider, to see all that its preset fills in.
    name: Option<String>,
    /// The configuration; `presets.json` beside it may have newer presets.
    #[arg(long, value_name = "FILE", default_value = "config/apis.json")]
    config: PathBuf,
    /// The file with newer presets, instead of `presets.json` beside the configuration.
    #[arg(long, value_name = "FILE")]
    presets: Option<PathBuf>,
}

pub(super) fn presets(args: PresetsArgs) -> Result<(), CliError> {
    let overrides = Overrides { presets: args.presets, ..Overrides::default() };
    let providers = Providers::load(&ConfigSource { path: args.config, overrides })?;
    let mut out = io::stdout().lock();
    match args.name {
        None => list(&mut out, &providers)?,
        Some(name) => match providers.find(&name) {
            Some(provider) => one(&mut out, provider)?,
            None => return Err(CliError::Usage(unknown(&name, &providers))),
        },
    }
    Ok(())
}

/// What was typed may be a key in the wrong place, and is not shown.
fn unknown(typed: &str, providers: &Providers) -> String {
    match (providers.refusal(typed), providers.nearest(typed)) {
        (Some(why), _) => format!("there is no preset of this name: {why}"),
        (None, Some(near)) => format!("there is no preset of this name, did you mean {near}?"),
        (None, None) => "there is no preset of this name; `api-together presets` lists all".to_owned(),
    }
}

fn list(out: &mut impl Write, providers: &Providers) -> io::Result<()> {
    let mut table = Table::new(&["provider", "name", "base URL", "key variable", "format"]);
    for provider in providers.list() {
        table.row(row(provider).map(|text| (text, None)).into());
    }
    table.print(out, Paint::stdout())?;
    let newest = providers.list().iter().map(|provider| provider.as_of.as_str()).max().unwrap_or_default();
    writeln!(out, "\n  {} presets, of {newest}. One in full: api-together presets NAME", providers.list().len())
}

fn row(provider: &Provider) -> [String; 5] {
    let formats: Vec<&str> = formats(provider).map(WireFormat::as_str).collect();
    [
        provider.id.clone(),
        provider.name.clone(),
        formats_urls(provider).next().unwrap_or_default().to_owned(),
        provider.key_env.first().cloned().unwrap_or_else(|| "none".to_owned()),
        formats.join(", "),
    ]
}

fn formats(provider: &Provider) -> impl Iterator<Item = WireFormat> {
    WireFormat::ALL.into_iter().filter(|format| provider.base_url(*format).is_some())
}

fn formats_urls(provider: &Provider) -> impl Iterator<Item = &str> {
    WireFormat::ALL.into_iter().filter_map(|format| provider.base_url(format))
}

fn one(out: &mut impl Write, provider: &Provider) -> io::Result<()> {
    writeln!(out, "{}: {}, as of {}\n", provider.id, provider.name, provider.as_of)?;
    let mut lines: Vec<[String; 2]> = Vec::new();
    let mut line = |name: &str, text: String| lines.push([name.to_owned(), text]);
    if provider.needs_key() || !provider.key_env.is_empty() {
        line("key", format!("apiKey, apiKeyFile, or the variable {}", provider.key_env.join(" or ")));
    } else {
        line("key", "none is needed".to_owned());
    }
    for (name, blank) in &provider.blanks {
        let variables: String = blank.env.iter().map(|variable| format!(", or the variable {variable}")).collect();
        line(name, format!("{}{variables}", blank.about));
    }
    match provider.scope {
        Some(LimitScope::Account) => line("limits", "belong to the account, however many keys there are".to_owned()),
        Some(LimitScope::Key) => line("limits", "belong to each key".to_owned()),
        None => {}
    }
    if let Some(doc) = &provider.doc {
        line("see", doc.clone());
    }
    for [name, text] in &lines {
        writeln!(out, "  {name:10}  {text}")?;
    }
    writeln!(out, "\n\"provider\": \"{}\" fills in:\n", provider.id)?;
    writeln!(out, "{}", indented(&format!("{:#}", serde_json::Value::Object(provider.shown()))))?;
    provider.plans.iter().try_for_each(|(name, plan)| print_plan(out, name, plan))
}

fn print_plan(out: &mut impl Write, name: &str, plan: &Plan) -> io::Result<()> {
    writeln!(out, "\nPlan {name}, as of {} ({}), which `api-together init --free` writes:", plan.as_of, plan.source)?;
    if let Some(note) = &plan.note {
        writeln!(out, "  {note}")?;
    }
    writeln!(out, "\n{}", indented(&format!("{:#}", serde_json::Value::Object(plan.fields.clone()))))
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}
