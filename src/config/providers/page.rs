//! The table of docs/providers.md, made from the presets. `UPDATE_DOCS=1 cargo test --lib providers::page` writes the table into
//! the page; without the variable the test compares.

use std::fmt::Write;
use std::path::Path;

use super::{LimitScope, Provider, Providers};
use crate::types::WireFormat;

const BEGIN: &str = "<!-- made from config/providers.json: UPDATE_DOCS=1 cargo test --lib providers::page -->\n";
const END: &str = "<!-- end of what is made -->\n";

fn tables() -> String {
    let providers = Providers::embedded();
    let mut text = String::from(
        "| `provider` | Name | `baseUrl` | `anthropicBaseUrl` | `geminiBaseUrl` | Key | Limits belong to | Filled in besides |\n",
    );
    text.push_str("|---|---|---|---|---|---|---|---|\n");
    providers.list().iter().for_each(|provider| row(&mut text, provider));
    text.push_str("\n### Published limits of free plans\n\n");
    text.push_str("| `provider` | Plan | As of | Limits | Source |\n|---|---|---|---|---|\n");
    for provider in providers.list() {
        for (name, plan) in &provider.plans {
            let limits = serde_json::to_string(&plan.fields).expect("JSON");
            let note = plan.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
            let _ = writeln!(
                text,
                "| `{}` | {name}{note} | {} | `{limits}` | <{}> |",
                provider.id, plan.as_of, plan.source
            );
        }
    }
    text.push_str("\n### No presets\n\n| Name | Why |\n|---|---|\n");
    for (id, why) in providers.refusals() {
        let _ = writeln!(text, "| `{id}` | {why} |");
    }
    text
}

fn row(text: &mut String, provider: &Provider) {
    let url = |format: WireFormat| provider.base_url(format).map(|url| format!("`{url}`")).unwrap_or_default();
    let key = match (&provider.key_env[..], provider.needs_key()) {
        ([], _) => "none is needed".to_owned(),
        (variables, needed) => {
            let names: Vec<String> = variables.iter().map(|name| format!("`{name}`")).collect();
            format!("{}{}", names.join(", "), if needed { "" } else { "; none is needed" })
        }
    };
    let scope = match provider.scope {
        Some(LimitScope::Account) => "the account",
        Some(LimitScope::Key) => "each key",
        None => "",
    };
    let listed = ["baseUrl", "anthropicBaseUrl", "geminiBaseUrl", "apiKey"];
    let more = provider.fields.iter().filter(|(name, _)| !listed.contains(&name.as_str()));
    let more: Vec<String> = more.map(|(name, value)| format!("`{name}` `{value}`")).collect();
    let name = provider.doc.as_ref().map_or(provider.name.clone(), |doc| format!("[{}]({doc})", provider.name));
    let [openai, anthropic, gemini] = WireFormat::ALL.map(url);
    let _ = writeln!(
        text,
        "| `{}` | {name} | {openai} | {anthropic} | {gemini} | {key} | {scope} | {} |",
        provider.id,
        more.join(", ")
    );
}

#[test]
fn the_tables_of_docs_providers_md_are_made_from_the_presets() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/providers.md");
    let page = std::fs::read_to_string(&file).expect("reads docs/providers.md");
    let (before, rest) = page.split_once(BEGIN).expect("the beginning of what is made");
    let (_, after) = rest.split_once(END).expect("the end of what is made");
    let made = format!("{before}{BEGIN}\n{}\n{END}{after}", tables());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, &made).expect("writes docs/providers.md");
    } else {
        assert!(made == page, "docs/providers.md is old: run UPDATE_DOCS=1 cargo test --lib providers::page");
    }
}
