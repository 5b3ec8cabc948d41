//! Chooses the model of the server that a program asks for. The first rule that finds a model decides.
//!
//! 1. A person has named the model.
//! 2. Among the names with the part that the program likes best, the last name in alphabetical order is mostly the newest model. A
//!    large model goes before a small one.
//! 3. The first model of the server for chats.

use super::program::Agent;
use super::recipe::Chosen;
use crate::types::{is_for_chats, is_small_model};

/// The most models in a program's settings.
const MOST_LISTED: usize = 50;

/// The models that a person has named.
#[derive(Debug, Clone, Default)]
pub(crate) struct Named {
    pub(crate) model: Option<String>,
    pub(crate) small: Option<String>,
}

/// Returns the models for a program. `None`: nobody has named a model, and no model of the server is for chats.
pub(crate) fn chosen(agent: &Agent, names: &[String], named: &Named) -> Option<Chosen> {
    let talkers: Vec<&String> = names.iter().filter(|name| is_for_chats(name)).collect();
    let newest = |part: &str| {
        let named = || talkers.iter().copied().filter(|name| name.to_lowercase().contains(part));
        named().filter(|name| !is_small_model(name)).max().or_else(|| named().max()).cloned()
    };
    let liked = || agent.likes.iter().find_map(|part| newest(part));
    let model = named.model.clone().or_else(liked).or_else(|| talkers.first().copied().cloned())?;
    let or_model = |found: Option<String>| found.unwrap_or_else(|| model.clone());
    let small = named.small.clone().unwrap_or_else(|| model.clone());
    let mut listed = vec![model.clone()];
    for name in std::iter::once(&small).chain(talkers.iter().copied()) {
        if listed.len() < MOST_LISTED && !listed.contains(name) {
            listed.push(name.clone());
        }
    }
    let (opus, sonnet, haiku) = (newest("opus"), newest("sonnet"), named.small.clone().or(newest("haiku")));
    Some(Chosen { opus: or_model(opus), sonnet: or_model(sonnet), haiku: or_model(haiku), small, listed, model })
}

#[cfg(test)]
mod tests {
    use super::super::table::agent;
    use super::*;

    fn of(name: &str, names: &[&str], model: Option<&str>) -> Option<Chosen> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let named = Named { model: model.map(str::to_owned), small: None };
        chosen(agent(name).expect("a row"), &names, &named)
    }

    #[test]
    fn a_program_gets_the_newest_of_the_models_that_it_likes() {
        let names =
            ["claude-haiku-4-5", "claude-opus-4-1", "claude-opus-4-8", "gpt-5", "gpt-5-mini", "text-embedding-3"];
        let claude = of("claude", &names, None).expect("chosen");
        assert_eq!(claude.model, "claude-opus-4-8");
        assert_eq!((claude.sonnet.as_str(), claude.haiku.as_str()), ("claude-opus-4-8", "claude-haiku-4-5"));
        assert_eq!(of("codex", &names, None).expect("chosen").model, "gpt-5");
        assert!(!claude.listed.contains(&"text-embedding-3".to_owned()));
        assert_eq!(of("codex", &["text-embedding-3", "kimi-k3"], None).expect("chosen").model, "kimi-k3");
        assert_eq!(of("claude", &["kimi-k3"], None).expect("chosen").haiku, "kimi-k3");
        assert_eq!(of("codex", &[], None), None);
        assert_eq!(of("codex", &[], Some("x")).expect("chosen").listed, ["x"]);
    }
}
