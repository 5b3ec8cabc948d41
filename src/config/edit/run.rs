//! An edit from the reading of the file to the writing. Blocks, and so runs beside the actor.

use std::path::Path;

use super::error::{EditError, EditedConfig, MaskedConfig};
use super::mask::{Numbers, masked};
use super::restore::restored;
use super::{ConfigEdit, TextHash};
use crate::config::load::parse;
use crate::config::model::Config;
use crate::config::problem::Problem;
use crate::config::reading::{CONFIGURATION, LARGEST, document, read_text};
use crate::config::source::{ConfigSource, folder_of};
use crate::text::file::{Manner, ReplaceError, TextFile};
use crate::text::json::{JsonError, read, rewrite};
use crate::text::lines::unified_diff;

/// The mode stays, and no copy of the old text is left beside (docs/decisions.md).
const MANNER: Manner = Manner { keeps_old: false, makes_private: false };

/// An edit to be done.
pub(in crate::config) struct EditJob {
    pub(in crate::config) source: ConfigSource,
    pub(in crate::config) edit: ConfigEdit,
    /// The text that the operator saw.
    pub(in crate::config) seen: TextHash,
    /// Nothing is written.
    pub(in crate::config) dry_run: bool,
}

/// What came of an edit: the new configuration, if the file was written.
pub(in crate::config) struct Adopted {
    pub(in crate::config) config: Option<Config>,
    pub(in crate::config) edited: EditedConfig,
}

impl EditJob {
    /// Reads the file, edits the text, judges the new one, and writes.
    pub(in crate::config) fn run(self) -> Result<Adopted, EditError> {
        let path = &self.source.path;
        let file = text_file(path)?;
        let old_text_hash = TextHash::of(&file.text);
        if old_text_hash != self.seen {
            // To look again would not help beside a mistake.
            document(path, &file.text, &CONFIGURATION)?;
            return Err(EditError::Changed);
        }
        let new = self.new_text(&file.text)?;
        if new.len() as u64 > LARGEST {
            let why = format!("would be larger than {} MiB", LARGEST >> 20);
            return Err(EditError::Invalid(vec![Problem::new("the text", why)]));
        }
        let folder = folder_of(path);
        let config = parse(&new, &self.source, |name| read_text(&folder.join(name)))?;
        let edited = EditedConfig {
            old_text_hash,
            new_text_hash: TextHash::of(&new),
            hash: config.hash.clone(),
            diff: masked_diff(&file.text, &new),
            warnings: config.warnings.clone(),
        };
        if new == file.text {
            return Ok(Adopted { config: None, edited });
        }
        if let Some(why) = file.why_read_only() {
            return Err(EditError::ReadOnly { why, diff: edited.diff });
        }
        if self.dry_run {
            return Ok(Adopted { config: None, edited });
        }
        match file.replace_with(&new, MANNER) {
            Ok(_) => Ok(Adopted { config: Some(config), edited }),
            Err(ReplaceError::Changed) => Err(EditError::Changed),
            Err(ReplaceError::ReadOnly(why)) => Err(EditError::ReadOnly { why, diff: edited.diff }),
            Err(ReplaceError::Io(why)) => Err(EditError::Io(format!("{}: {why}", path.display()))),
        }
    }

    /// Returns the text after the edit, with the values of masks.
    fn new_text(&self, old: &str) -> Result<String, EditError> {
        let edited = self.edit.edit_text(old)?;
        // The loader says where a text is no JSON, and what is the mend.
        document(&self.source.path, &edited, &CONFIGURATION)?;
        restored(&edited, old).map_err(unreadable)?.map_err(EditError::Invalid)
    }
}

impl ConfigEdit {
    /// Returns a text with this edit done. What the edit does not mean stays byte for byte.
    pub(crate) fn edit_text(&self, old: &str) -> Result<String, EditError> {
        if let ConfigEdit::Replace(text) = self {
            return Ok(text.clone());
        }
        let mut wanted = read(old).map_err(unreadable)?;
        self.apply_to(&mut wanted)?;
        rewrite(old, &wanted).map_err(unreadable)
    }
}

/// Returns the text for people.
pub(in crate::config) fn masked_text(path: &Path) -> Result<MaskedConfig, EditError> {
    let file = text_file(path)?;
    // Where a text is no JSON, nobody knows what in it is secret.
    document(path, &file.text, &CONFIGURATION)?;
    let text = masked(&file.text, &mut Numbers::default()).map_err(unreadable)?;
    Ok(MaskedConfig { text, hash: TextHash::of(&file.text), read_only: file.why_read_only() })
}

fn text_file(path: &Path) -> Result<TextFile, EditError> {
    TextFile::read(path, LARGEST).map_err(|why| EditError::Io(format!("{}: can't be read: {why}", path.display())))
}

/// Returns the difference without secrets. Of an old text that is no JSON nothing is shown.
fn masked_diff(old: &str, new: &str) -> String {
    let mut numbers = Numbers::default();
    let old = masked(old, &mut numbers).unwrap_or_default();
    masked(new, &mut numbers).map(|new| unified_diff(&old, &new)).unwrap_or_default()
}

fn unreadable(error: JsonError) -> EditError {
    EditError::Invalid(vec![Problem::new("the text", error.to_string())])
}
