//! The file of prices that a configuration names, and the prices of each account.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{fs, io};

use serde_json::{Map, Value};

use super::csv;
use super::foreign::{self, ForeignRead};
use super::row::PriceRow;
use super::table::PriceTable;
use crate::config::problem::Problem;
use crate::config::{Providers, reading};

/// Where the file is named.
const AT: &str = "prices.file";

/// So many bad rows are named.
const MOST_PROBLEMS: usize = 10;

/// The file of prices in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceFile {
    /// As typed.
    pub name: String,
    /// The date in the file, `2026-07-02`.
    pub as_of: Option<String>,
    /// Where the file is.
    path: PathBuf,
    /// Length and time of the last change. As long as both stay, the file is not read again.
    stamp: Option<(u64, SystemTime)>,
    /// Of the content.
    fingerprint: u64,
}

/// What a text with prices holds.
#[derive(Debug)]
pub struct PriceSource {
    /// The rows.
    pub rows: Vec<PriceRow>,
    /// The date in the text, `2026-07-02`.
    pub as_of: Option<String>,
    /// How many models of each provider without a preset were left out.
    pub left_out: BTreeMap<String, usize>,
}

/// A file of prices and its table.
#[derive(Debug, Default)]
pub(in crate::config) struct PriceFileRead {
    pub(in crate::config) file: Option<PriceFile>,
    pub(in crate::config) table: PriceTable,
}

/// Reads a table: ours, LiteLLM's or that of models.dev, told apart by the content.
///
/// # Errors
/// With each bad row: its line or its name, and the mend.
pub fn read_text(text: &str, providers: &Providers) -> Result<PriceSource, Vec<String>> {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let (rows, as_of, problems, left_out) = if text.starts_with(['{', '[']) {
        let ForeignRead { rows, problems, left_out } = read_json(text, providers)?;
        (rows, None, problems, left_out)
    } else {
        let read = csv::read(text);
        (read.rows, read.as_of, read.problems, BTreeMap::new())
    };
    if !problems.is_empty() {
        return Err(problems);
    }
    if rows.is_empty() {
        return Err(vec!["has no price of a known provider (`api-together presets` lists all)".to_owned()]);
    }
    Ok(PriceSource { rows, as_of, left_out })
}

fn read_json(text: &str, providers: &Providers) -> Result<ForeignRead, Vec<String>> {
    let document: Map<String, Value> = serde_json::from_str(text)
        .map_err(|e| vec![format!("line {}: is no whole JSON object; fetch the file again", e.line())])?;
    let unknown = "is JSON, but neither LiteLLM's model_prices_and_context_window.json nor models.dev's api.json";
    foreign::read(&document, providers).ok_or_else(|| vec![unknown.to_owned()])
}

impl PriceFileRead {
    /// Reads the file that the configuration names, if any. `read` reads a file beside the configuration. Returns the mistakes as
    /// well: of a file with one nothing is used.
    pub(in crate::config) fn named(
        name: Option<&str>,
        folder: &Path,
        providers: &Providers,
        read: impl Fn(&str) -> io::Result<String>,
    ) -> (PriceFileRead, Vec<Problem>) {
        match name.map_or_else(|| Ok(PriceFileRead::default()), |name| Self::read(name, folder, providers, read)) {
            Ok(read) => (read, Vec::new()),
            Err(problems) => (PriceFileRead::default(), problems),
        }
    }

    /// Returns the fingerprint of the file, if there is one.
    pub(in crate::config) fn fingerprint(&self) -> Option<u64> {
        self.file.as_ref().map(|file| file.fingerprint)
    }

    fn read(
        name: &str,
        folder: &Path,
        providers: &Providers,
        read: impl Fn(&str) -> io::Result<String>,
    ) -> Result<PriceFileRead, Vec<Problem>> {
        let path = folder.join(name);
        // Taken before the content: a change in between is found at the next look.
        let stamp = stamp(&path);
        let text = read(name).map_err(|why| {
            let mend = "give the path of a table of prices, relative to the configuration's folder";
            vec![Problem::new(AT, format!("the file can't be read ({}); {mend}", why.kind()))]
        })?;
        let source = read_text(&text, providers).map_err(|problems| told(name, problems))?;
        let as_of = source.as_of.clone();
        let file = PriceFile { name: name.to_owned(), as_of, path, stamp, fingerprint: fingerprint(&text) };
        Ok(PriceFileRead { file: Some(file), table: PriceTable::of(source.rows, source.as_of) })
    }
}

impl PriceFile {
    /// Returns the fingerprint of the content now; `None` if the file can't be read.
    pub(in crate::config) fn current_fingerprint(&self) -> Option<u64> {
        let now = stamp(&self.path)?;
        if self.stamp == Some(now) {
            return Some(self.fingerprint);
        }
        Some(fingerprint(&reading::read_text(&self.path).ok()?))
    }
}

fn stamp(path: &Path) -> Option<(u64, SystemTime)> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.len(), metadata.modified().ok()?))
}

fn fingerprint(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

fn told(name: &str, problems: Vec<String>) -> Vec<Problem> {
    let more = problems.len().saturating_sub(MOST_PROBLEMS);
    let named = problems.into_iter().take(MOST_PROBLEMS).map(|why| Problem::new(AT, format!("{name} {why}")));
    let rest = (more > 0).then(|| Problem::new(AT, format!("{name} has {more} more bad rows")));
    named.chain(rest).collect()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_has_become_endless_has_no_fingerprint() {
        let path = PathBuf::from("/dev/zero");
        let file = PriceFile { name: "zero".to_owned(), as_of: None, path, stamp: None, fingerprint: 0 };
        assert_eq!(file.current_fingerprint(), None);
    }
}
