//! `api-together init`: a configuration from the keys that are there, in `.env` and the environment, and from answers.
//!
//! In reading order: `variables` (which keys are there), `interview` (what becomes of them), `account` (an entry), `files`.
//!
//! 1. No file is overwritten. `.env` gets new lines at its end, for keys typed by hand.
//! 2. The configuration has no account's key, but the names of variables. A new key for the clients stands in it, unless
//!    `API_TOGETHER_KEY` holds one.
//! 3. What is written is valid, and runs as it stands in the same folder.

mod account;
mod ask;
pub(super) mod files;
mod interview;
pub(super) mod variables;

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Map, Value};

use self::account::{EntryText, Written, document};
use self::ask::{Answers, Person, UsualAnswers};
use self::interview::{Draft, InterviewError, Wishes, interview};
use self::variables::Variables;
use super::running::KEY_VARIABLE;
use super::{CliError, dotenv};
use crate::app::keep_files_private;
use crate::config::{ApiKey, ConfigSource, Overrides, Providers, parse};
use crate::types::sorted;

/// The file that each command reads, and where new keys go.
const DOT_ENV: &str = ".env";

/// The port where none is given.
const USUAL_PORT: u16 = 3001;

/// How to begin.
const EXAMPLES: &str = "\
Examples:
  api-together init                                 asks on a terminal
  api-together init --yes                           takes what is in .env and the environment
  api-together init --provider groq --free          with the published limits of the free plan
  api-together init --env-file ../keys.env -o pool.json";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct InitArgs {
    /// The configuration to write. It must not be there yet.
    #[arg(short, long, visible_alias = "config", value_name = "FILE", default_value = super::DEFAULT_CONFIG)]
    output: PathBuf,
    /// A file of lines NAME=value with keys, beside .env and the environment.
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
    /// Only this provider (groq, gemini, ollama …; `api-together presets` lists all). May be given more than once.
    #[arg(long, value_name = "NAME")]
    provider: Vec<String>,
    /// The accounts are on free plans: write the published limits.
    #[arg(long)]
    free: bool,
    /// The keys of one provider are of different accounts, each with limits of its own.
    #[arg(long)]
    separate_accounts: bool,
    /// Ask nothing, as without a terminal: all keys are used, and no limits are written.
    #[arg(long, short)]
    yes: bool,
    /// Address to listen on, for the configuration.
    #[arg(long)]
    host: Option<String>,
    /// Port to listen on, for the configuration.
    #[arg(long)]
    port: Option<u16>,
}

pub(super) fn init(args: InitArgs) -> Result<(), CliError> {
    keep_files_private();
    match args.output.symlink_metadata() {
        Ok(there) if there.is_dir() => {
            let file = args.output.join("apis.json");
            let text = format!("is a folder, and a file is to be written; name one: -o {}", file.display());
            return Err(CliError::Usage(format!("{} {text}", args.output.display())));
        }
        Ok(_) => {
            let text =
                "is there already, and init overwrites nothing; write another with -o FILE, or remove this one first";
            return Err(CliError::Usage(format!("{} {text}", args.output.display())));
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(cannot_write(&args.output, &e)),
    }
    let (variables, warnings) = read_variables(args.env_file.as_deref())?;
    let source = ConfigSource { path: args.output.clone(), overrides: Overrides::default() };
    let providers = Providers::load(&source)?;
    let wishes = Wishes {
        providers: args.provider,
        free: args.free,
        separate: args.separate_accounts,
        port: args.port.unwrap_or(USUAL_PORT),
    };
    let mut answers: Box<dyn Answers> =
        if args.yes || !Person::is_there() { Box::new(UsualAnswers) } else { Box::new(Person) };
    let draft = interview(&wishes, &variables, &providers, &mut *answers).map_err(|e| match e {
        InterviewError::Wish(text) => CliError::Usage(text),
        InterviewError::Terminal(e) => CliError::Output(e),
    })?;
    if draft.accounts.is_empty() {
        return Err(CliError::Usage(nothing_found(&draft)));
    }
    let key = client_key(&variables);
    let as_text = |how| document(&server(args.host.as_deref(), args.port, key.written(how)), &draft.accounts, how);
    let config = parse(&as_text(Written::ByValue), &source, |_| Err(io::ErrorKind::NotFound.into()))?;
    let new = new_variables(&draft);
    files::write_new(&args.output, &as_text(Written::ByName)).map_err(|e| cannot_write(&args.output, &e))?;
    if let Err(e) = files::append_variables(Path::new(DOT_ENV), &new) {
        // Without its variables the configuration would be of no use, and in the way of the next try.
        let _ = std::fs::remove_file(&args.output);
        return Err(cannot_write(Path::new(DOT_ENV), &e));
    }
    let warnings = warnings.into_iter().chain(config.warnings.iter().cloned()).collect();
    let port = config.server.port;
    let done = Done { draft: &draft, key: &key, path: &args.output, new: &new, warnings, port };
    Ok(report(&mut io::stdout().lock(), &done)?)
}

/// Returns the variables of the environment, with those of `.env`, and behind them those of the file.
fn read_variables(file: Option<&Path>) -> Result<(Variables, Vec<String>), CliError> {
    let of_process =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let is_set = |value: &str| !value.trim().is_empty();
    let of_process = of_process.filter(|(_, value)| is_set(value));
    let mut variables: Variables = sorted::map(of_process.map(|(name, value)| (name, ApiKey::new(&value))));
    let mut warnings = Vec::new();
    if let Some(file) = file {
        let read =
            dotenv::read(file).map_err(|e| CliError::Usage(format!("{}: can't be read: {e}", file.display())))?;
        for (name, value) in read.variables {
            if variables.get(&name).is_some_and(|known| *known != value) {
                warnings
                    .push(format!("{}: {name} has another value in the environment, which is used", file.display()));
            }
            variables.entry(name).or_insert(value);
        }
        warnings.extend(read.warnings);
    }
    Ok((variables, warnings))
}

/// Returns the variables that have to be in `.env`, as the environment does not have them.
fn new_variables(draft: &Draft<'_>) -> Vec<(String, ApiKey)> {
    let mut named = BTreeSet::new();
    let used = draft.accounts.iter().flat_map(|account| account.variables());
    let missing = used.filter(|(name, _)| std::env::var_os(name).is_none_or(|value| value.is_empty()));
    missing.filter(|(name, _)| named.insert((*name).clone())).map(|(name, key)| (name.clone(), key.clone())).collect()
}

/// Returns the clients' key: the one that other commands take from the environment, or a new one.
fn client_key(variables: &Variables) -> EntryText {
    match variables.get(KEY_VARIABLE) {
        Some(key) => EntryText::Variable(KEY_VARIABLE.to_owned(), key.clone()),
        None => EntryText::Literal(ApiKey::generate().expose().to_owned()),
    }
}

fn server(host: Option<&str>, port: Option<u16>, key: String) -> Map<String, Value> {
    let mut server = Map::new();
    server.extend(host.map(|host| ("host".to_owned(), host.into())));
    server.extend(port.map(|port| ("port".to_owned(), port.into())));
    server.insert("apiKey".to_owned(), key.into());
    server
}

fn nothing_found(draft: &Draft<'_>) -> String {
    let mut text = "no account's key was found in .env or the environment".to_owned();
    for out in &draft.left_out {
        text.push_str(&format!("\n  {}: {}", out.variable, out.why));
    }
    text.push_str("\nput one there (GROQ_API_KEY=…, GEMINI_API_KEY_2=…; `api-together presets` lists the names),");
    text.push_str(" or name a local server (--provider ollama)");
    if !Person::is_there() {
        text.push_str("; on a terminal, init asks");
    }
    text
}

fn cannot_write(path: &Path, e: &io::Error) -> CliError {
    let mend = match (e.kind(), files::writable_mend(path, e.kind())) {
        (io::ErrorKind::AlreadyExists, _) => "; it came into being just now, and init overwrites nothing".to_owned(),
        (_, Some(mend)) => format!("; {mend}, or write elsewhere with -o FILE"),
        (_, None) => String::new(),
    };
    CliError::Output(io::Error::other(format!("{}: can't be written: {e}{mend}; nothing was written", path.display())))
}

/// What was done.
struct Done<'a> {
    draft: &'a Draft<'a>,
    key: &'a EntryText,
    path: &'a Path,
    new: &'a [(String, ApiKey)],
    warnings: Vec<String>,
    port: u16,
}

fn report(out: &mut impl Write, done: &Done<'_>) -> io::Result<()> {
    let Done { draft, key, path, new, warnings, port } = done;
    writeln!(out, "\nFound:")?;
    for account in &draft.accounts {
        writeln!(out, "  {} → {}", account.key_variable().unwrap_or("no key needed"), account.id)?;
    }
    for left_out in &draft.left_out {
        writeln!(out, "  {} left out: {}", left_out.variable, left_out.why)?;
    }
    let path = path.display();
    let accounts =
        if draft.accounts.len() == 1 { "1 account".to_owned() } else { format!("{} accounts", draft.accounts.len()) };
    let (clients, key) = match key {
        EntryText::Literal(_) => {
            let pattern = format!("{}[A-Za-z0-9_-]*", ApiKey::GENERATED_PREFIX);
            ("a new key for the clients", format!("$(grep -o '{pattern}' {path})"))
        }
        EntryText::Variable(name, _) if dotenv::variables().contains(name) => {
            ("API_TOGETHER_KEY for the clients", format!("$(sed -n 's/^{name}=//p' {DOT_ENV})"))
        }
        EntryText::Variable(name, _) => ("API_TOGETHER_KEY for the clients", format!("${name}")),
    };
    writeln!(out, "\nWritten:\n  {path}: {accounts}, and {clients}")?;
    if !new.is_empty() {
        let names: Vec<&str> = new.iter().map(|(name, _)| name.as_str()).collect();
        writeln!(out, "  {DOT_ENV}: {} (keep it out of git)", names.join(", "))?;
    }
    for note in &draft.notes {
        writeln!(out, "\nnote: {note}")?;
    }
    for warning in warnings {
        writeln!(out, "\nwarning: {warning}")?;
    }
    let program = std::env::args().next().unwrap_or_else(|| "api-together".to_owned());
    let config = if path.to_string() == super::DEFAULT_CONFIG { String::new() } else { format!(" --config {path}") };
    writeln!(out, "\nNext, in this folder:")?;
    writeln!(out, "  {program} check{config} --online   # do the keys work? costs no quota")?;
    writeln!(out, "  {program} serve{config}")?;
    writeln!(out, "  curl http://localhost:{port}/v1/models -H \"Authorization: Bearer {key}\"")?;
    out.flush()
}
