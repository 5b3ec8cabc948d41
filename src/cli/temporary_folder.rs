//! A folder for the time of one command.

use std::io;
use std::path::PathBuf;

use crate::app::keep_files_private;

/// The drop removes the folder.
pub(super) struct TemporaryFolder(pub(super) PathBuf);

impl TemporaryFolder {
    pub(super) fn create(purpose: &str) -> io::Result<TemporaryFolder> {
        keep_files_private();
        let path = std::env::temp_dir().join(format!("api-together-{purpose}-{}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(TemporaryFolder(path))
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        // What can't be removed is left to the system's cleaning of temporary folders.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
