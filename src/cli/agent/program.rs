//! What is known of a program that can be pointed at the server.

use crate::types::WireFormat;

/// A program.
#[derive(Debug)]
pub(super) struct Agent {
    /// On the command line.
    pub(super) name: &'static str,
    /// The same.
    pub(super) aliases: &'static [&'static str],
    /// Its own name.
    pub(super) title: &'static str,
    /// How it asks.
    pub(super) format: WireFormat,
    /// Parts of the names of models that suit it best, the best first.
    pub(super) likes: &'static [&'static str],
    /// The lines for its file.
    pub(super) settings: Option<Settings>,
    /// What a person types into a panel: the field, and a template of the text.
    pub(super) panel: &'static [(&'static str, &'static str)],
    /// The variable that its settings refer to, instead of holding the key.
    pub(super) key_variable: Option<&'static str>,
    /// How it is started without any file.
    pub(super) launch: Option<Launch>,
    /// What else a person should know, or has to do.
    pub(super) notes: &'static [&'static str],
}

/// A program's file, and what stands in it.
#[derive(Debug)]
pub(super) struct Settings {
    /// A variable that names the folder.
    pub(super) folder_variable: Option<&'static str>,
    /// The folder else, below the home folder.
    pub(super) folder: &'static str,
    /// The file, by all its possible names: the first one that exists, else the last. Without any, only `--file` says where.
    pub(super) files: &'static [&'static str],
    pub(super) syntax: Syntax,
    /// Names of the top level whose old values stay.
    pub(super) kept: &'static [&'static str],
    /// A template (see [`super::recipe`]).
    pub(super) lines: &'static str,
}

/// The form of a settings file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Syntax {
    /// With comments, maybe.
    Json,
    Toml,
    Yaml,
}

/// How a program is started with all it needs in its environment and arguments.
#[derive(Debug)]
pub(super) struct Launch {
    pub(super) program: &'static str,
    /// A command, or an address.
    pub(super) install: &'static str,
    /// In front of the user's own arguments. Templates.
    pub(super) arguments: &'static [&'static str],
    /// Templates.
    pub(super) environment: &'static [(&'static str, &'static str)],
    /// Variables that would get in the way.
    pub(super) without: &'static [&'static str],
}

/// What a row leaves out.
pub(super) const NONE: Agent = Agent {
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
