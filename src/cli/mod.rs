//! The command line: one file a command.

mod arguments;
mod bench;
mod check;
mod demo;
mod describe;
mod dotenv;
mod environment;
mod explain;
mod health;
mod log_filter;
mod log_writer;
mod logging;
mod presets;
mod schema;
mod serve;
mod table;
mod temporary_folder;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

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
    /// Ask a running server what would become of a request for a model.
    Explain(explain::ExplainArgs),
    /// Ask the running server whether it is healthy, for container health checks.
    Health(ConfigArgs),
    /// List the known providers, or print what one fills in.
    Presets(presets::PresetsArgs),
    /// Serve a pool of two built-in demo APIs: no account needed.
    Demo(demo::DemoArgs),
    /// Print the JSON Schema of the configuration.
    Schema,
    /// Measure what this program costs, beside other servers if you like.
    Bench(::bench::BenchArgs),
}

/// Where the configuration is, and what goes before the file.
#[derive(Debug, Args)]
struct ConfigArgs {
    /// The configuration.
    #[arg(long, value_name = "FILE", default_value = "config/apis.json")]
    config: PathBuf,
    /// Address to listen on, instead of HOST in the environment and the configuration's.
    #[arg(long)]
    host: Option<String>,
    /// Port to listen on, instead of PORT in the environment and the configuration's; 0 takes any free one.
    #[arg(long)]
    port: Option<u16>,
    /// Presets of providers, where newer than the program's own. Without: `presets.json` beside the configuration.
    #[arg(long, value_name = "FILE")]
    presets: Option<PathBuf>,
}

impl ConfigArgs {
    fn source(self) -> Result<ConfigSource, CliError> {
        let host = self.host.or_else(|| from_environment("HOST"));
        let port = match (self.port, from_environment("PORT")) {
            (Some(port), _) => Some(port),
            (None, Some(text)) => Some(text.trim().parse().map_err(|_| CliError::Port)?),
            (None, None) => None,
        };
        Ok(ConfigSource { path: self.config, overrides: Overrides { host, port, presets: self.presets } })
    }
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
    Preset(String),
    #[error("{0}")]
    Server(String),
    #[error("{0}")]
    Output(#[from] io::Error),
}

impl CliError {
    /// 2: the command line or the configuration is wrong. 1: the command failed.
    fn exit_code(&self) -> ExitCode {
        match self {
            CliError::Config(_) | CliError::Port | CliError::Preset(_) => ExitCode::from(2),
            CliError::App(_) | CliError::Server(_) | CliError::Output(_) => ExitCode::from(1),
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
        Some(Command::Explain(args)) => explain::explain(args),
        Some(Command::Health(args)) => health::health(args),
        Some(Command::Presets(args)) => presets::presets(args),
        Some(Command::Demo(args)) => demo::demo(&args),
        Some(Command::Schema) => schema::schema(),
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
