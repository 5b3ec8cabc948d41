//! `api-together agent` and `api-together run`: programs that use the server.
//!
//! [`crate::agents`] knows the programs and their lines. In reading order: [`models`] (which model), [`merge`] and [`mod@write`]
//! (into the program's file), [`launch`].

mod launch;
mod merge;
mod models;
mod place;
mod write;

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

pub(super) use self::launch::{RunArgs, run};
use self::models::choose;
use super::CliError;
use super::running::{RunningServer, ServerArgs};
use super::terminal::{Paint, Table, Tone};
use crate::agents::{AGENTS, ANY_KEY, Agent, Named, Settings, Values, agent as row, is_plain};

#[derive(Debug, Args)]
pub(super) struct AgentArgs {
    /// The program. Without one all are listed.
    #[arg(value_parser = agent_name(|_| true))]
    agent: Option<&'static Agent>,
    #[command(flatten)]
    models: ModelArgs,
    /// Put the lines into the program's own file, beside what is there. The old file is kept as a backup.
    #[arg(short, long)]
    write: bool,
    /// Show what --write would change.
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// The program's file, where not the usual one.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    server: ServerArgs,
}

/// Which models a program is to use.
#[derive(Debug, Args)]
struct ModelArgs {
    /// The model. Default: the newest of the server's that suits the program.
    #[arg(short, long, value_name = "NAME")]
    model: Option<String>,
    /// The model for titles and summaries. Default: the same.
    #[arg(long, value_name = "NAME")]
    small_model: Option<String>,
}

/// Prints the lines that point a program at the server, or writes them.
pub(super) fn agent(args: AgentArgs) -> Result<(), CliError> {
    let AgentArgs { agent, models, write, dry_run, file, server } = args;
    let Some(agent) = agent else { return Ok(list()?) };
    let values = values(agent, models, &server.server()?)?;
    if !write && !dry_run {
        return print(agent, &values);
    }
    write::write(agent, &values, file, dry_run)?;
    if !dry_run {
        note(agent, &values, Vec::new())?;
    }
    Ok(())
}

fn list() -> io::Result<()> {
    let mut table = Table::new(&["name", "program", "agent --write", "run"]);
    for agent in &AGENTS {
        let place = |settings: &Settings| settings.usual_place().unwrap_or_else(|| "--file FILE".to_owned());
        let file = agent.settings.as_ref().map(place).unwrap_or_default();
        let run = if agent.launch.is_some() { "yes" } else { "" };
        let plain = |text: &str| (text.to_owned(), None);
        let name = (agent.name.to_owned(), Some(Tone::Strong));
        table.row(vec![name, plain(agent.title), plain(&file), plain(run)]);
    }
    table.print(&mut io::stdout().lock(), Paint::stdout())
}

/// Returns what goes into the program's lines, as the server tells.
fn values(agent: &Agent, models: ModelArgs, server: &RunningServer) -> Result<Values, CliError> {
    let named = Named { model: models.model, small: models.small_model };
    let key = server.key.as_ref().map_or(ANY_KEY, |key| key.expose()).to_owned();
    let typed = [("the key", Some(&key)), ("--model", named.model.as_ref()), ("--small-model", named.small.as_ref())];
    for (what, text) in typed {
        if text.is_some_and(|text| !is_plain(text)) {
            let odd = "is empty, or has a space, a quote, a backslash, $ or a brace";
            return Err(CliError::Usage(format!("{what} {odd}, which settings files can't hold as they are")));
        }
    }
    Ok(Values { root: server.root().to_owned(), key, models: choose(server, agent, &named)? })
}

/// Prints the lines on standard output, and on standard error what to do with them.
fn print(agent: &Agent, values: &Values) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    let mut notes = Vec::new();
    if let Some(settings) = &agent.settings {
        write!(out, "{}", values.put_into(settings.lines))?;
        let file = settings.file().map_or_else(|| "a file".to_owned(), |file| file.display().to_string());
        notes.push(format!("These lines go into {file}, the settings of {}.", agent.title));
    } else if let Some(launch) = &agent.launch {
        for (name, value) in launch.environment {
            writeln!(out, "export {name}={}", values.put_into(value).trim_end())?;
        }
        notes.push(format!("These variables go into {}'s environment.", agent.title));
    }
    for (field, text) in agent.panel {
        writeln!(out, "{field}: {}", values.put_into(text).trim_end())?;
    }
    out.flush()?;
    note(agent, values, notes)
}

/// Prints on standard error what a person has to do, behind these notes.
fn note(agent: &Agent, values: &Values, mut notes: Vec<String>) -> Result<(), CliError> {
    if let Some(variable) = agent.key_variable {
        let key = if values.key == ANY_KEY { ANY_KEY } else { "…" };
        notes.push(format!("Put a client's key into the environment: export {variable}={key}"));
    }
    if agent.launch.is_some() {
        notes.push(format!("Or start it without: api-together run {}", agent.name));
    }
    notes.extend(agent.notes.iter().map(|note| values.put_into(note).trim_end().to_owned()));
    let mut err = io::stderr().lock();
    writeln!(err)?;
    for note in notes {
        writeln!(err, "{note}")?;
    }
    Ok(())
}

/// Parses the name of a program. A program that the command can't serve is not offered; the command says why.
fn agent_name(is_offered: fn(&Agent) -> bool) -> impl TypedValueParser<Value = &'static Agent> {
    let names = AGENTS.iter().map(|agent| {
        let name = PossibleValue::new(agent.name).aliases(agent.aliases).help(agent.title);
        name.hide(!is_offered(agent))
    });
    let found = |typed: String| {
        let named = |agent: &&Agent| agent.aliases.contains(&typed.as_str());
        row(&typed).or_else(|| AGENTS.iter().find(named)).ok_or("is not a program of the list")
    };
    PossibleValuesParser::new(names).try_map(found)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        run: RunArgs,
    }

    #[test]
    fn run_offers_what_it_can_start_and_takes_the_other_names_to_say_why_not() {
        let refused = Cli::try_parse_from(["run", "nosuch"]).expect_err("no such program").to_string();
        for agent in &AGENTS {
            let is_offered = refused.contains(&format!(" {}", agent.name));
            assert_eq!(is_offered, agent.launch.is_some(), "{}: {refused}", agent.name);
            assert!(Cli::try_parse_from(["run", agent.name]).is_ok(), "{}", agent.name);
        }
    }
}
