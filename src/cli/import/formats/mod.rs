//! The programs whose files are known: a file for each.

mod cliproxy;
mod env;
mod freellmapi;
mod gpt_load;
mod litellm;
mod new_api;
mod node;
mod numbers;
mod proxies;
mod uni_api;

use clap::ValueEnum;

use super::draft::ConfigDraft;
use super::input::Form;
use super::tree::Tree;

/// A program whose configuration can be imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// LiteLLM's proxy: config.yaml.
    Litellm,
    /// uni-api: api.yaml.
    UniApi,
    /// gpt-load: groups as JSON.
    GptLoad,
    /// new-api or one-api: channels as JSON.
    NewApi,
    /// CLIProxyAPI: config.yaml.
    Cliproxy,
    /// FreeLLMAPI: the export of keys, as JSON, .env or CSV.
    Freellmapi,
    /// Environment variables with keys: .env.
    Env,
    /// The Node project of the same name: apis.json.
    Node,
}

impl Format {
    /// Returns what the program's file is written in.
    pub(super) fn form(self) -> Form {
        match self {
            Format::Litellm | Format::UniApi | Format::Cliproxy => Form::Yaml,
            Format::GptLoad | Format::NewApi => Form::JsonInTexts,
            Format::Node => Form::Json,
            Format::Freellmapi => Form::LinesOrTable,
            Format::Env => Form::Lines,
        }
    }
}

/// Reads a tree into a draft, and marks what was dealt with.
///
/// # Errors
/// If the tree is not of the program's form; with the mend.
pub(super) fn read(format: Format, tree: &Tree, draft: &mut ConfigDraft) -> Result<(), String> {
    let root = tree.root();
    match format {
        Format::Litellm => litellm::read(&root, draft),
        Format::UniApi => uni_api::read(&root, draft),
        Format::GptLoad => gpt_load::read(&root, draft),
        Format::NewApi => new_api::read(&root, draft),
        Format::Cliproxy => cliproxy::read(&root, draft),
        Format::Freellmapi => freellmapi::read(&root, draft),
        Format::Env => env::read(&root, draft),
        Format::Node => node::read(&root, draft),
    }
}
