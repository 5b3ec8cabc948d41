//! Where a program's settings are on this machine.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::agents::Settings;

impl Settings {
    /// Returns the program's file, if the program has one of its own: by the variable that moves the folder, else below the home
    /// folder.
    pub(super) fn file(&self) -> Option<PathBuf> {
        let (usual, others) = self.files.split_last()?;
        let moved = self.folder_variable.and_then(set).map(PathBuf::from);
        let folder = moved.or_else(|| Some(PathBuf::from(home()?).join(self.folder)))?;
        let existing = others.iter().map(|name| folder.join(name)).find(|file| file.exists());
        Some(existing.unwrap_or_else(|| folder.join(usual)))
    }
}

fn home() -> Option<OsString> {
    set("HOME").or_else(|| set("USERPROFILE"))
}

/// Returns a variable. An empty one is not set.
fn set(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}
