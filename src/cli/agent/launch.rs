//! `api-together run`: starts a program with the server's address and key in its environment, and writes no file.
//!
//! On Unix the program takes the place of this process: signals and the exit code are its own.

use std::ffi::OsString;
use std::io;
use std::process::Command;

use clap::Args;

use super::{Agent, CliError, ModelArgs, ServerArgs, agent_name, values};
use crate::agents::{AGENTS, Launch};
use crate::cli::dotenv;

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The program.
    #[arg(value_parser = agent_name(|agent| agent.launch.is_some()))]
    agent: &'static Agent,
    /// Arguments for the program.
    #[arg(last = true, value_name = "ARGS")]
    arguments: Vec<OsString>,
    #[command(flatten)]
    models: ModelArgs,
    #[command(flatten)]
    server: ServerArgs,
}

/// Starts a program. Returns its exit code, if this process is still there then.
pub(crate) fn run(args: RunArgs) -> Result<i32, CliError> {
    let RunArgs { agent, arguments, models, server } = args;
    let Some(launch) = &agent.launch else {
        let able: Vec<&str> = AGENTS.iter().filter(|agent| agent.launch.is_some()).map(|agent| agent.name).collect();
        let mend = format!("see `api-together agent {}`; `run` starts {}", agent.name, able.join(", "));
        return Err(CliError::Usage(format!("{} can't be set up by its environment alone; {mend}", agent.title)));
    };
    let values = values(agent, models, &server.server()?)?;
    let filled = |template: &&str| values.put_into(template).trim_end().to_owned();
    let mut command = Command::new(launch.program);
    // The accounts' keys in .env are the server's affair.
    for variable in dotenv::variables().iter().map(String::as_str).chain(launch.without.iter().copied()) {
        command.env_remove(variable);
    }
    command.envs(launch.environment.iter().map(|(name, template)| (name, filled(template))));
    command.args(launch.arguments.iter().map(filled)).args(arguments);
    start(&mut command).map_err(|error| failed(launch, &error))
}

fn failed(launch: &Launch, error: &io::Error) -> CliError {
    let Launch { program, install, .. } = launch;
    CliError::Server(if error.kind() == io::ErrorKind::NotFound {
        format!("there is no {program} in PATH; install it: {install}")
    } else {
        format!("{program} can't be started: {error}")
    })
}

#[cfg(unix)]
fn start(command: &mut Command) -> io::Result<i32> {
    use std::os::unix::process::CommandExt;

    Err(command.exec())
}

#[cfg(not(unix))]
fn start(command: &mut Command) -> io::Result<i32> {
    Ok(command.status()?.code().unwrap_or(1))
}
