//! The form of a row of the table of programs.

use crate::types::WireFormat;

/// A program that can use the server.
#[derive(Debug)]
pub(crate) struct Agent {
    /// The name on the command line.
    pub(crate) name: &'static str,
    /// Further names on the command line.
    pub(crate) aliases: &'static [&'static str],
    /// The name for people.
    pub(crate) title: &'static str,
    /// The format of the program's requests.
    pub(crate) format: WireFormat,
    /// Parts of the names of suitable models, the best first.
    pub(crate) likes: &'static [&'static str],
    /// The program's settings file, if the server's address can stand in a file.
    pub(crate) settings: Option<Settings>,
    /// What a person types into a panel: the field, and a template of the text.
    pub(crate) panel: &'static [(&'static str, &'static str)],
    /// The variable with the key, if the settings name a variable in place of the key.
    pub(crate) key_variable: Option<&'static str>,
    /// How `run` starts the program without a settings file.
    pub(crate) launch: Option<Launch>,
    /// Further steps and hints for a person.
    pub(crate) notes: &'static [&'static str],
}

/// A program's settings file, and the lines for the file.
#[derive(Debug)]
pub(crate) struct Settings {
    /// An environment variable with the file's folder.
    pub(crate) folder_variable: Option<&'static str>,
    /// The folder without the variable, below the home folder.
    pub(crate) folder: &'static str,
    /// The possible names of the file. The first existing file is used, or else the last name. An empty list: `--file` names the file.
    pub(crate) files: &'static [&'static str],
    pub(crate) syntax: Syntax,
    /// Fields at the top of the file that keep their old values.
    pub(crate) kept: &'static [&'static str],
    /// A template (see [`super::recipe`]).
    pub(crate) lines: &'static str,
}

impl Settings {
    /// Returns the file's usual place, for people. `None`: the file has no usual place.
    pub(crate) fn usual_place(&self) -> Option<String> {
        let file = self.files.last()?;
        Some(if self.folder.is_empty() { format!("~/{file}") } else { format!("~/{}/{file}", self.folder) })
    }
}

/// The form of a settings file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syntax {
    /// JSON, with or without comments.
    Json,
    Toml,
    Yaml,
}

/// A program's command, with the settings as arguments and environment variables.
#[derive(Debug)]
pub(crate) struct Launch {
    pub(crate) program: &'static str,
    /// How to install the program: a command, or an address.
    pub(crate) install: &'static str,
    /// Templates of the arguments in front of the user's own.
    pub(crate) arguments: &'static [&'static str],
    /// Names of variables, and templates of the values.
    pub(crate) environment: &'static [(&'static str, &'static str)],
    /// Variables to be removed, as the program would prefer their values.
    pub(crate) without: &'static [&'static str],
}

/// The values of fields that a row leaves out.
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
