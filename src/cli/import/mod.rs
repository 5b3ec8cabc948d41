//! `api-together import`: writes a configuration from the one of another program, and says what became of each field.
//!
//! In reading order: `tree` (the input, with marks), `formats` (a file for each program), `draft` (the configuration in the making),
//! `address` and `secrets` (what becomes of base URLs and keys), `findings` (what people are told), `yaml`, `size`.

mod address;
mod draft;
mod findings;
mod formats;
mod input;
mod secrets;
mod size;
mod tree;
mod yaml;

use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;

use self::draft::ConfigDraft;
use self::formats::Format;
use self::tree::Tree;
use super::CliError;
use super::init::files::write_new;
use crate::app::keep_files_private;

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// The program whose file it is.
    #[arg(long, value_name = "PROGRAM")]
    from: Format,
    /// Its configuration, or its export; - for standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Where to write the configuration. Without: to standard output, and the findings to standard error. No file is overwritten.
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Copy keys in clear text into the configuration. Without: each entry names a file that is to hold the key.
    #[arg(long)]
    with_secrets: bool,
}

/// What came of an input.
struct Imported {
    configuration: String,
    findings: Vec<findings::Finding>,
    notes: Vec<String>,
}

/// Returns what a text in YAML says, for commands that edit such files.
///
/// # Errors
/// With the line and what is wrong there.
pub(super) fn yaml_value(text: &str) -> Result<Value, String> {
    yaml::read(text).map(|document| document.root)
}

pub(super) fn import(args: &ImportArgs) -> Result<(), CliError> {
    let unusable = |why: String| CliError::Usage(format!("{}: {why}", args.file.display()));
    if let Some(out) = args.out.as_ref().filter(|out| out.exists()) {
        return Err(exists(out));
    }
    let text = input::read_file(&args.file).map_err(&unusable)?;
    let imported = convert(args.from, &text, args.with_secrets).map_err(&unusable)?;
    match &args.out {
        Some(out) => {
            write(out, &imported.configuration)?;
            let mut stdout = io::stdout().lock();
            report(&mut stdout, &imported)?;
            writeln!(stdout, "\nWrote {0}. Next: api-together check --config {0}", out.display())?;
        }
        None => {
            report(&mut io::stderr().lock(), &imported)?;
            io::stdout().write_all(imported.configuration.as_bytes())?;
        }
    }
    Ok(())
}

/// Turns a text into a configuration.
///
/// # Errors
/// If the text can't be read, or has no account that can be carried over. The text never holds a value of the file.
fn convert(format: Format, text: &str, with_secrets: bool) -> Result<Imported, String> {
    let tree = input::parse(format.form(), text)?;
    let mut draft = ConfigDraft::new(with_secrets);
    formats::read(format, &tree, &mut draft)?;
    if draft.is_empty() {
        return Err(nothing_left(&tree));
    }
    if !["apiKey", "apiKeys"].iter().any(|field| draft.server.contains_key(*field)) {
        draft
            .notes
            .push("no client's key: set server.apiKey, or anyone who reaches the address may use the pool".into());
    }
    let (findings, notes) = (tree.findings(), draft.take_notes());
    Ok(Imported { configuration: pretty(&draft.finish()), findings, notes })
}

fn nothing_left(tree: &Tree) -> String {
    let mut told = Vec::new();
    // Writing into memory does not fail.
    let _ = findings::print(&mut told, &tree.findings());
    format!("no account in it can be carried over\n{}", String::from_utf8_lossy(&told))
}

fn report(out: &mut impl Write, imported: &Imported) -> io::Result<()> {
    findings::print(out, &imported.findings)?;
    imported.notes.iter().try_for_each(|note| writeln!(out, "  note: {note}"))
}

fn pretty(configuration: &Value) -> String {
    format!("{configuration:#}\n")
}

/// Writes a file that is not there yet, for the user alone.
fn write(path: &Path, text: &str) -> Result<(), CliError> {
    keep_files_private();
    write_new(path, text).map_err(|e| {
        if e.kind() == ErrorKind::AlreadyExists {
            return exists(path);
        }
        CliError::Output(io::Error::new(e.kind(), format!("{}: can't be written: {e}", path.display())))
    })
}

fn exists(path: &Path) -> CliError {
    CliError::Usage(format!(
        "{}: is there already, and no file is overwritten; name another with --out",
        path.display()
    ))
}

#[cfg(test)]
mod tests;
