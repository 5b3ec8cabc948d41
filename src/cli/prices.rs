//! `api-together prices`: what models cost at the accounts of a configuration, and tables of others as one of ours.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::{fs, str};

use clap::{Args, Subcommand};

use super::init::files::write_new;
use super::terminal::{Paint, Table, count};
use super::{CliError, DEFAULT_CONFIG};
use crate::config::prices::{PriceTable, read_text, write_csv};
use crate::config::{Config, ConfigSource, Overrides, Providers, load};
use crate::types::{Cost, Now, Price, TokenKinds, iso};

#[derive(Debug, Args)]
pub(super) struct PricesArgs {
    #[command(subcommand)]
    command: PricesCommand,
}

#[derive(Debug, Subcommand)]
enum PricesCommand {
    /// List the models of the configuration with their prices, or all that is known of one provider.
    List(ListPricesArgs),
    /// Write a table for `prices.file` from LiteLLM's model_prices_and_context_window.json or models.dev's api.json.
    Import(ImportPricesArgs),
}

#[derive(Debug, Args)]
struct ListPricesArgs {
    /// A provider of `api-together presets`: all models in the program's own table.
    provider: Option<String>,
    /// The configuration.
    #[arg(short, long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    config: PathBuf,
    /// Only the models without a price, which cost 0.
    #[arg(long, conflicts_with = "provider")]
    missing: bool,
}

#[derive(Debug, Args)]
struct ImportPricesArgs {
    /// The table of LiteLLM or models.dev, or one of ours.
    file: PathBuf,
    /// Where to write the table. Without: to standard output. No file is overwritten.
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// The largest table that is read, in bytes: ten times the largest of today.
const LARGEST_TABLE: u64 = 32 << 20;

pub(super) fn prices(args: PricesArgs) -> Result<(), CliError> {
    match args.command {
        PricesCommand::List(ListPricesArgs { provider: Some(provider), .. }) => list_provider(&provider),
        PricesCommand::List(ListPricesArgs { provider: None, config, missing }) => list(config, missing),
        PricesCommand::Import(args) => import(&args),
    }
}

fn list_provider(provider: &str) -> Result<(), CliError> {
    let mut table = new_table("provider");
    for (model, price) in PriceTable::embedded().models(provider) {
        table.row(row(provider, model, Some(price)));
    }
    if table.is_empty() {
        let known: Vec<&str> = PriceTable::embedded().providers().collect();
        return Err(CliError::Usage(format!("there is no price of this provider; known are {}", known.join(", "))));
    }
    print(&table, None)
}

fn list(path: PathBuf, missing: bool) -> Result<(), CliError> {
    let config = load(&ConfigSource { path, overrides: Overrides::default() })?;
    let mut table = new_table("account");
    let mut asked = Vec::new();
    for api in config.apis.iter().filter(|api| api.enabled) {
        for model in api.models_by_name() {
            let price = api.price(model);
            if !missing || price.is_none() {
                table.row(row(api.id.as_str(), model, price));
            }
        }
        if api.models.are_asked() {
            asked.push(api.id.as_str());
        }
    }
    if table.is_empty() {
        let what = if missing { "without a price" } else { "by name" };
        writeln!(io::stdout(), "  No model {what} stands in the configuration.")?;
    }
    print(&table, Some(&config))?;
    if !asked.is_empty() {
        let which = asked.join(", ");
        writeln!(
            io::stdout(),
            "  {which}: asked for its models; a running server's /v1/status has those without a price"
        )?;
    }
    Ok(())
}

fn new_table(first: &str) -> Table {
    Table::new(&[first, "model", "input", "cached", "write 5m", "write 1h", "output", "thoughts", "for one"])
}

fn row(owner: &str, model: &str, price: Option<Price>) -> Vec<(String, Option<super::terminal::Tone>)> {
    let cells = match price {
        Some(price) => price.due().by_name().map(|(_, each)| Price::dollars_text(each)),
        None => TokenKinds::default().by_name().map(|(name, _)| if name == "input" { "none" } else { "" }.to_owned()),
    };
    let of_one = price.map(|price| price.due_per_unit()).unwrap_or_default();
    let of_one = of_one.present().map(|(unit, each)| format!("{} {}", unit.price_field, Cost::from_picodollars(each)));
    let of_one = of_one.collect::<Vec<_>>().join(", ");
    let names = [owner.to_owned(), model.to_owned()];
    names.into_iter().chain(cells).chain([of_one]).map(|text| (text, None)).collect()
}

fn print(table: &Table, config: Option<&Config>) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    if !table.is_empty() {
        table.print(&mut out, Paint::stdout())?;
    }
    writeln!(out, "\n  Dollars for a million tokens, or for one image and the like. {}", sources(config))?;
    Ok(())
}

/// Says where prices come from, with the dates.
pub(super) fn sources(config: Option<&Config>) -> String {
    let dated =
        |as_of: &Option<String>| as_of.as_ref().map_or("without a date".to_owned(), |date| format!("of {date}"));
    let own = format!("The program's own table is {}.", dated(&PriceTable::embedded().as_of));
    match config.and_then(|config| config.price_file.as_ref()) {
        Some(file) => format!("{own} Before it goes {}, {}.", file.name, dated(&file.as_of)),
        None => own,
    }
}

fn import(args: &ImportPricesArgs) -> Result<(), CliError> {
    let text = read(&args.file)?;
    let source = ConfigSource { path: PathBuf::from(DEFAULT_CONFIG), overrides: Overrides::default() };
    let providers = Providers::load(&source)?;
    let file = args.file.display();
    let told = |problems: Vec<String>| {
        let lines: Vec<String> = problems.iter().take(10).map(|problem| format!("{file}: {problem}")).collect();
        CliError::Usage(lines.join("\n"))
    };
    let read = read_text(&text, &providers).map_err(told)?;
    let today = || iso(Now::read().wall).get(..10).unwrap_or_default().to_owned();
    let date = read.as_of.unwrap_or_else(today);
    let name = args.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let about = format!("US dollars for a million tokens, as of {date}, from {}", name.replace(['\n', '\r'], " "));
    let csv = write_csv(&read.rows, &about);
    let (providers, models) = (read.left_out.len(), read.left_out.values().sum());
    if providers > 0 {
        let left_out = format!("{} of {}", count(models, "model"), count(providers, "provider"));
        let mend = "`api-together presets` lists those that are known";
        writeln!(io::stderr(), "Left out {left_out} without a preset; {mend}.")?;
    }
    match &args.out {
        None => io::stdout().write_all(csv.as_bytes())?,
        Some(out) => {
            write_new(out, &csv).map_err(|e| not_written(out, &e))?;
            let rows = count(read.rows.len(), "price");
            writeln!(io::stdout(), "Wrote {rows} to {0}. Next: \"prices\": {{ \"file\": \"{0}\" }}", out.display())?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, CliError> {
    let failed = |why: &dyn std::fmt::Display| CliError::Usage(format!("{}: can't be read: {why}", path.display()));
    if fs::metadata(path).map_err(|e| failed(&e))?.len() > LARGEST_TABLE {
        return Err(failed(&"it is larger than 32 MB, and no table of prices"));
    }
    let bytes = fs::read(path).map_err(|e| failed(&e))?;
    str::from_utf8(&bytes).map(str::to_owned).map_err(|_| failed(&"it is no text"))
}

fn not_written(path: &Path, why: &io::Error) -> CliError {
    let path = path.display();
    if why.kind() == io::ErrorKind::AlreadyExists {
        return CliError::Usage(format!(
            "{path}: is there already, and no file is overwritten; name another with --out"
        ));
    }
    CliError::Server(format!("{path}: can't be written: {why}"))
}
