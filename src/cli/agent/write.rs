//! `api-together agent NAME --write`: puts the lines into the program's own file. A file that holds the server's key can be read by
//! its owner alone.

use std::fmt::Display;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::merge::merge;
use crate::agents::{Agent, Settings, Values};
use crate::cli::CliError;
use crate::cli::terminal::{Paint, print_diff};
use crate::text::file::{Manner, TextFile};

/// The largest file that is edited, in bytes: people write settings.
const MOST_BYTES: u64 = 1 << 20;

/// Merges the lines into the program's file, or shows what would change.
pub(super) fn write(agent: &Agent, values: &Values, file: Option<PathBuf>, dry_run: bool) -> Result<(), CliError> {
    let Some(settings) = &agent.settings else {
        let mend = format!("`api-together agent {}` tells what to do", agent.name);
        return Err(CliError::Usage(format!("{} has no settings file of its own; {mend}", agent.title)));
    };
    let path = file.or_else(|| settings.file());
    let path = path.ok_or_else(|| CliError::Usage(format!("name the file for {} with --file", agent.title)))?;
    let failed = |why: &dyn Display| CliError::Server(format!("{}: {why}; nothing was changed", path.display()));
    let old = TextFile::read(&path, MOST_BYTES).map_err(|why| failed(&why))?;
    let new = merged(&old, &path, settings, &values.put_into(settings.lines))?;
    let mut out = io::stdout().lock();
    let place = path.display();
    if new == old.text {
        writeln!(out, "{place}: has these lines already, nothing to change")?;
    } else if dry_run {
        writeln!(out, "{place}: would change\n")?;
        print_diff(&mut out, &old.text, &new, Paint::stdout())?;
    } else {
        let manner = Manner { keeps_old: true, makes_private: settings.lines.contains("{key}") };
        let backup = old.replace_with(&new, manner).map_err(|why| failed(&why))?;
        let kept = backup.map_or(String::new(), |backup| format!("; the old file is {}", backup.display()));
        writeln!(out, "{place}: written{kept}")?;
    }
    Ok(())
}

/// Returns the new text. Where the old one can't be edited, prints the lines for a person.
fn merged(old: &TextFile, path: &Path, settings: &Settings, lines: &str) -> Result<String, CliError> {
    merge(&old.text, lines, settings).map_err(|why| {
        // The lines are what the person needs, with or without a reader.
        let _ = io::stdout().lock().write_all(lines.as_bytes());
        CliError::Server(format!("{}: {why}; nothing was changed. Put the lines above in by hand", path.display()))
    })
}
