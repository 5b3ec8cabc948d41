//! What is known of a program that can be pointed at the server.

use crate::types::WireFormat;

/// A program.
#[derive(Debug)]
pub(crate) struct Agent {
    /// On the command line.
    pub(crate) name: &'static str,
    /// The same.
    pub(crate) aliases: &'static [&'static str],
    /// Its own name.
    pub(crate) title: &'static str,
    /// How it asks.
    pub(crate) format: WireFormat,
    /// Parts of the names of models that suit it best, the best first.
    pub(crate) likes: &'static [&'static str],
    /// The lines for its file.
    pub(crate) settings: Option<Settings>,
    /// What a person types into a panel: the field, and a template of the text.
    pub(crate) panel: &'static [(&'static str, &'static str)],
    /// The variable that its settings refer to, instead of holding the key.
    pub(crate) key_variable: Option<&'static str>,
    /// How it is started without any file.
    pub(crate) launch: Option<Launch>,
    /// What else a person should know, or has to do.
    pub(crate) notes: &'static [&'static str],
}

/// A program's file, and what stands in it.
#[derive(Debug)]
pub(crate) struct Settings {
    /// A variable that names the folder.
    pub(crate) folder_variable: Option<&'static str>,
    /// The folder else, below the home folder.
    pub(crate) folder: &'static str,
    /// The file, by all its possible names: the first one that exists, else the last. Without any, only `--file` says where.
    pub(crate) files: &'static [&'static str],
    pub(crate) syntax: Syntax,
    /// Names of the top level whose old values stay.
    pub(crate) kept: &'static [&'static str],
    /// A template (see [`super::recipe`]).
    pub(crate) lines: &'static str,
}

impl Settings {
    /// Returns where the file mostly is, for people; `None` without a usual place.
    pub(crate) fn usual_place(&self) -> Option<String> {
        let file = self.files.last()?;
        Some(if self.folder.is_empty() { format!("~/{file}") } else { format!("~/{}/{file}", self.folder) })
    }
}

/// The form of a settings file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syntax {
    /// With comments, maybe.
    Json,
    Toml,
    Yaml,
}

/// How a program is started with all it needs in its environment and arguments.
#[derive(Debug)]
pub(crate) struct Launch {
    pub(crate) program: &'static str,
    /// A command, or an address.
    pub(crate) install: &'static str,
    /// In front of the user's own arguments. Templates.
    pub(crate) arguments: &'static [&'static str],
    /// Templates.
    pub(crate) environment: &'static [(&'static str, &'static str)],
    /// Variables that would get in the way.
    pub(crate) without: &'static [&'static str],
}

/// What a row leaves out.
pub(crate) const NONE: Agent = Agent {
    name: "",
    aliases: &[],
    title: "",
    format: WireFormat::OpenAi,
    likes: &[],
    settings: None,
    panel: &[],
    key_variable: None,
    launch: None,
    notes: &[],
};
