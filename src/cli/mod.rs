//! The command line: one file a command.

mod agent;
mod arguments;
mod bench;
mod check;
mod demo;
mod describe;
mod dotenv;
mod environment;
mod health;
mod log_filter;
mod log_writer;
mod logging;
mod manual;
mod presets;
mod running;
mod schema;
mod serve;
mod temporary_folder;
mod terminal;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};

use self::log_filter::LogFilter;
use crate::app::AppError;
use crate::config::{ConfigError, ConfigSource, Overrides};

/// Pools many OpenAI-format API accounts behind one address and one key.
#[derive(Debug, Parser)]
#[command(name = "api-together", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::ServeArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the pool (the default).
    Serve(serve::ServeArgs),
    /// Check a configuration, and print what it means.
    Check(ConfigArgs),
    /// Ask the running server whether it is healthy, for container health checks.
    Health(ConfigArgs),
    /// List the known providers, or print what one fills in.
    Presets(presets::PresetsArgs),
    /// Show the accounts of a running server
    Status(running::StatusArgs),
    /// Ask a running server what would become of a request for a model
    Explain(running::ExplainArgs),
    /// Print the settings that point a program at the server: Claude Code, Codex, opencode, aider …
    Agent(agent::AgentArgs),
    /// Start such a program with the server's address and key in its environment only
    Run(agent::RunArgs),
    /// Serve a pool of two built-in demo APIs: no account needed.
    Demo(demo::DemoArgs),
    /// Print the JSON Schema of the configuration
    Schema,
    /// Print completions for a shell
    Completions(manual::CompletionsArgs),
    /// Print the manual page, or write all pages into a folder
    Man(manual::ManArgs),
    /// Measure what this program costs, beside other servers if you like.
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
    #[error("{0}")]
    Output(#[from] io::Error),
}

impl CliError {
    /// 2: the command line or the configuration is wrong. 1: the command failed.
    fn exit_code(&self) -> ExitCode {
        match self {
            CliError::Config(_) | CliError::Port | CliError::Usage(_) => ExitCode::from(2),
            CliError::App(_) | CliError::Server(_) | CliError::Unserved | CliError::Output(_) => ExitCode::from(1),
        }
    }
}

/// Runs the command of this process.
pub fn run() -> ExitCode {
    // Before anything is read from the environment, and while there is but one thread.
    let dotenv_warnings = dotenv::load(Path::new(".env"));
    let cli: Cli = arguments::parse();
    let filter = LogFilter::from_environment();
    let _log = logging::init(&filter);
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
        Some(Command::Check(args)) => check::check(args),
        Some(Command::Health(args)) => health::health(args),
        Some(Command::Presets(args)) => presets::presets(args),
        Some(Command::Status(args)) => running::status(args),
        Some(Command::Explain(args)) => running::explain(args),
        Some(Command::Agent(args)) => agent::agent(args),
        Some(Command::Run(args)) => match agent::run(args) {
            Ok(code) => return ExitCode::from(u8::try_from(code).unwrap_or(1)),
            Err(error) => Err(error),
        },
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
        Err(error) => {
            let _ = writeln!(io::stderr(), "api-together: {error}");
            error.exit_code()
        }
    }
}
