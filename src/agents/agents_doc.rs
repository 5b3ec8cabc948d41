//! Compares docs/agents.md with the table. Below `<!-- tested: NAME -->` or `<!-- recipe: NAME -->` stand the lines of the program with
//! this name. `UPDATE_DOCS=1 cargo test --lib agents_doc` writes the lines.

use std::path::Path;

use super::program::{Agent, Syntax};
use super::recipe::{Chosen, Values};
use super::table::AGENTS;
use crate::types::WireFormat;

fn values(agent: &Agent) -> Values {
    let model = match agent.format {
        WireFormat::OpenAi => "gpt-5.1",
        WireFormat::Anthropic => "claude-opus-4-8",
        WireFormat::Gemini => "gemini-2.5-pro",
    };
    let [model, small, opus, sonnet, haiku] = [model; 5].map(str::to_owned);
    let models = Chosen { listed: vec![model.clone()], model, small, opus, sonnet, haiku };
    Values { root: "http://localhost:3001".to_owned(), key: "sk-123".to_owned(), models }
}

/// Returns the block of a program: the settings file, or the environment.
fn block(agent: &Agent) -> Option<String> {
    let values = values(agent);
    if let Some(settings) = &agent.settings {
        let language = match settings.syntax {
            Syntax::Json => "json",
            Syntax::Toml => "toml",
            Syntax::Yaml => "yaml",
        };
        return Some(format!("```{language}\n{}```\n", values.put_into(settings.lines)));
    }
    let launch = agent.launch.as_ref()?;
    let lines = launch.environment.iter().map(|(name, value)| format!("export {name}={}", values.put_into(value)));
    Some(format!("```sh\n{}```\n", lines.collect::<String>()))
}

/// Returns the place of a program's block in the page.
fn place(page: &str, name: &str) -> Option<std::ops::Range<usize>> {
    let marker = ["tested", "recipe"].map(|kind| format!("<!-- {kind}: {name} -->\n"));
    let start = marker.iter().find_map(|marker| page.find(marker).map(|at| at + marker.len()))?;
    let fence = page.get(start..)?.find("\n```\n")?;
    Some(start..start + fence + "\n```\n".len())
}

#[test]
fn the_page_has_the_recipes_of_the_table() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/agents.md");
    let written = std::fs::read_to_string(&file).expect("the page is there");
    let mut page = written.clone();
    for agent in &AGENTS {
        if let Some(block) = block(agent) {
            let place = place(&page, agent.name).unwrap_or_else(|| panic!("no recipe of {} in the page", agent.name));
            page.replace_range(place, &block);
        }
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, &page).expect("written");
        return;
    }
    assert!(written == page, "docs/agents.md is old: run UPDATE_DOCS=1 cargo test --lib agents_doc");
}
