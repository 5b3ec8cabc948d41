//! The command line: one file a command.

mod agent;
mod alerts;
mod arguments;
mod bench;
mod check;
mod demo;
mod describe;
mod dotenv;
mod environment;
mod import;
mod init;
mod keys;
mod logging;
mod manual;
mod online;
mod presets;
mod prices;
mod running;
mod schema;
mod serve;
mod temporary_folder;
mod terminal;
mod trial;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};
use futures_util::future::LocalBoxFuture;

use self::logging::LogFilter;
use self::terminal::one_line;
use crate::app::AppError;
use crate::config::{ConfigError, ConfigSource, Overrides};

/// Pools many OpenAI-format API accounts behind one address and one key.
#[derive(Debug, Parser)]
#[command(name = "api-together", version = VERSION, args_conflicts_with_subcommands = true)]
#[command(after_help = "More with --help: examples, the environment, where the documents are.", after_long_help = MORE_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::ServeArgs,
}

/// The version. Packaging may give another text, with the commit: a build script would compile all again with each commit.
const VERSION: &str = match option_env!("API_TOGETHER_VERSION") {
    Some(version) => version,
    None => env!("CARGO_PKG_VERSION"),
};

/// Stands at the end of `--help`.
const MORE_HELP: &str = "\
Examples:
  api-together demo                          a pool of two built-in accounts, to try
  api-together init                          write a configuration from the keys that are there
  api-together check --online                what is wrong in config/apis.json, and with its keys
  api-together -c my.json -p 8080            serve another configuration
  api-together status                        the accounts of the running server
  api-together usage --by model              who used what, and what it cost
  api-together explain gpt-4o                who would serve a request, or why nobody
  api-together keys new --name team-a --rpm 30 --budget 2/day --write
                                             a key for a client, with limits
  api-together agent codex --write           point Codex at the server
  api-together run claude                    start Claude Code with the server's key

Environment (also read from .env):
  HOST, PORT           go before server.host and server.port
  LOG_LEVEL            error, warn, info (the default), debug, trace or off
  LOG_FORMAT           text (the default) or json
  RUST_LOG             a filter of lines, instead of LOG_LEVEL
  NO_COLOR             no colours
  API_TOGETHER_KEY     a key of the server, for status, explain, usage, keys, agent and run
  TZ                   the time zone of days, an IANA name
  SSL_CERT_FILE        certificates to trust, beside Mozilla's

Exit codes: 0 done, 1 it failed, 2 the command line or the configuration is wrong.

Documents: README.md and docs/ of https://github.com/api-together/api-together";

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the pool (the default).
    Serve(serve::ServeArgs),
    /// Write a configuration from the keys in .env, in the environment, or typed.
    Init(init::InitArgs),
    /// Check a configuration, and print what it means.
    Check(check::CheckArgs),
    /// Try the receivers of alerts.
    Alerts(alerts::AlertsArgs),
    /// Send one word through one account, and say who answered, how fast, and the tokens.
    Test(trial::TrialArgs),
    /// Ask the running server whether it is healthy, for container health checks.
    Health(running::HealthArgs),
    /// List the known providers, or print what one fills in.
    Presets(presets::PresetsArgs),
    /// List what models cost, or write a table of prices from one of LiteLLM or models.dev.
    Prices(prices::PricesArgs),
    /// Show the accounts of a running server.
    Status(running::StatusArgs),
    /// Show who used what, and what it cost, at a running server.
    Usage(running::UsageArgs),
    /// Ask a running server what would become of a request for a model.
    Explain(running::ExplainArgs),
    /// Make, list and disable the keys of clients.
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Print the settings that point a program at the server: Claude Code, Codex, opencode, aider and others.
    Agent(agent::AgentArgs),
    /// Start such a program with the server's address and key in its environment only.
    Run(agent::RunArgs),
    /// Write a configuration from the one of LiteLLM or another program, or from a .env
    Import(import::ImportArgs),
    /// Serve a pool of two built-in demo APIs: no account needed.
    Demo(demo::DemoArgs),
    /// Print the JSON Schema of the configuration.
    Schema,
    /// Print completions for a shell.
    Completions(manual::CompletionsArgs),
    /// Print the manual page, or write all pages into a folder.
    Man(manual::ManArgs),
    /// Benchmark this server against others.
    Bench(::bench::BenchArgs),
}

/// Where the configuration is unless told otherwise.
const DEFAULT_CONFIG: &str = "config/apis.json";

/// Where the configuration is, and what goes before the file.
#[derive(Debug, Args)]
struct ConfigArgs {
    /// The configuration.
    #[arg(short, long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    config: PathBuf,
    /// Address to listen on; overrides $HOST and server.host.
    #[arg(long)]
    host: Option<String>,
    /// Port to listen on; overrides $PORT and server.port. 0 takes any free one.
    #[arg(short, long)]
    port: Option<u16>,
    /// Presets of providers, where newer than the program's own. Without: `presets.json` beside the configuration.
    #[arg(long, value_name = "FILE")]
    presets: Option<PathBuf>,
}

impl ConfigArgs {
    fn source(self) -> Result<ConfigSource, CliError> {
        Ok(ConfigSource { path: self.config, overrides: overrides(self.host, self.port, self.presets)? })
    }
}

/// Returns what goes before the configuration's address: the command line, else the environment.
fn overrides(host: Option<String>, port: Option<u16>, presets: Option<PathBuf>) -> Result<Overrides, CliError> {
    let host = host.or_else(|| from_environment("HOST"));
    let port = match (port, from_environment("PORT")) {
        (Some(port), _) => Some(port),
        (None, Some(text)) => Some(text.trim().parse().map_err(|_| CliError::Port)?),
        (None, None) => None,
    };
    Ok(Overrides { host, port, presets })
}

/// Returns the name that was probably meant.
fn nearest_name<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = known.map(|known| (strsim::damerau_levenshtein(&known.to_lowercase(), &name.to_lowercase()), known));
    near.filter(|(distance, known)| *distance <= 1 + known.len() / 5)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, k)| k)
}

/// Returns a variable. An empty one is not set, as in compose files.
fn from_environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

/// Why a command failed, and how the process says so.
#[derive(Debug, thiserror::Error)]
enum CliError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    App(#[from] AppError),
    #[error("PORT, in the environment or in .env, must be a number from 0 to 65535")]
    Port,
    #[error("{0}")]
    Usage(String),
    #[error("{0}")]
    Server(String),
    #[error("no account can serve the model now")]
    Unserved,
    #[error("{failed} of {of} accounts can't serve")]
    Accounts { failed: usize, of: usize },
    #[error("{0}")]
    Output(#[from] io::Error),
}

impl CliError {
    /// 2: the command line or the configuration is wrong. 1: the command failed.
    fn exit_code(&self) -> ExitCode {
        match self {
            CliError::Config(_) | CliError::Port | CliError::Usage(_) => ExitCode::from(2),
            CliError::App(_)
            | CliError::Server(_)
            | CliError::Unserved
            | CliError::Accounts { .. }
            | CliError::Output(_) => ExitCode::from(1),
        }
    }
}

/// Runs the command of this process.
pub fn run() -> ExitCode {
    // Before anything is read from the environment, and while there is but one thread.
    let dotenv_warnings = dotenv::load(Path::new(".env"));
    let cli: Cli = arguments::parse();
    let log = LogFilter::from_environment().map_err(CliError::Usage).and_then(|f| Ok((f, logging::format()?)));
    let (filter, format) = match log {
        Ok(log) => log,
        Err(error) => return failed(&error),
    };
    let _log = logging::init(&filter, format);
    for warning in filter.warnings {
        // A mistyped filter may hide this very warning.
        if log::log_enabled!(log::Level::Warn) {
            log::warn!("{warning}");
        } else {
            let _ = writeln!(io::stderr(), "api-together: {warning}");
        }
    }
    for warning in dotenv_warnings {
        log::warn!("{warning}");
    }
    let done = match cli.command {
        None => serve::serve(cli.serve),
        Some(Command::Serve(args)) => serve::serve(args),
        Some(Command::Init(args)) => init::init(args),
        Some(Command::Check(args)) => check::check(args),
        Some(Command::Alerts(args)) => alerts::alerts(args),
        Some(Command::Test(args)) => trial::trial(args),
        Some(Command::Health(args)) => running::health(args),
        Some(Command::Presets(args)) => presets::presets(args),
        Some(Command::Prices(args)) => prices::prices(args),
        Some(Command::Status(args)) => running::status(args),
        Some(Command::Usage(args)) => running::usage(args),
        Some(Command::Explain(args)) => running::explain(args),
        Some(Command::Keys(command)) => keys::keys(command),
        Some(Command::Agent(args)) => agent::agent(args),
        Some(Command::Run(args)) => match agent::run(args) {
            Ok(code) => return ExitCode::from(u8::try_from(code).unwrap_or(1)),
            Err(error) => Err(error),
        },
        Some(Command::Import(args)) => import::import(&args),
        Some(Command::Demo(args)) => demo::demo(&args),
        Some(Command::Schema) => schema::schema(),
        Some(Command::Completions(args)) => manual::completions(args, Cli::command()),
        Some(Command::Man(args)) => manual::man(args, Cli::command()),
        Some(Command::Bench(args)) => bench::bench(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // A reader with enough (`| head`) is no error.
        Err(CliError::Output(e)) if e.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

/// Says why a command failed.
/// Runs a command's work on a runtime of the command's own. Boxed: the runtime's code is in the program once for each type.
fn block_on(work: LocalBoxFuture<'_, Result<(), CliError>>) -> Result<(), CliError> {
    actix_web::rt::System::new().block_on(work)
}

fn failed(error: &CliError) -> ExitCode {
    let text = error.to_string();
    // A name, or what an upstream said, paints nothing.
    let lines: Vec<_> = text.split('\n').map(one_line).collect();
    let _ = writeln!(io::stderr(), "api-together: {}", lines.join("\n"));
    error.exit_code()
}
