//! Where a configuration comes from.

use std::path::{Path, PathBuf};

/// Where the server listens unless told otherwise: both loopback addresses.
pub(super) const DEFAULT_HOST: &str = "localhost";

/// The same.
pub(super) const DEFAULT_PORT: u16 = 3001;

/// The name of a server that has none of its own: the original's.
pub const DEFAULT_NAME: &str = "OpenAI API代理服务";

/// What the command line and the environment say instead of the file.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--host`, or `HOST`.
    pub host: Option<String>,
    /// `--port`, or `PORT`.
    pub port: Option<u16>,
    /// `--presets`: the file with presets newer than the program's. Without: `presets.json` beside the configuration.
    pub presets: Option<PathBuf>,
}

/// Where the configuration comes from, at start and at each reload.
#[derive(Debug, Clone)]
pub struct ConfigSource {
    /// The file.
    pub path: PathBuf,
    /// What is said instead of the file.
    pub overrides: Overrides,
}

/// Returns the folder of a configuration file: relative paths in the file start there.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
