//! Which of the server's models a program is to ask for.
//!
//! 1. The model that a person names, if the server serves it.
//! 2. Else, of the names that the program likes best, the last in order: mostly the newest. Names of small models come after.
//! 3. Else the first name that is no embedding, image or voice.

use std::io::{self, Write};

use serde_json::Value;

use super::program::Agent;
use super::recipe::{Chosen, is_plain};
use crate::cli::CliError;
use crate::cli::running::RunningServer;
use crate::types::WireFormat;

/// The most models that are written into a program's settings.
const MOST_LISTED: usize = 50;

/// Parts of the names of models that don't chat.
const NO_CHAT: [&str; 16] = [
    "embed",
    "whisper",
    "tts",
    "dall-e",
    "image",
    "rerank",
    "moderation",
    "transcribe",
    "realtime",
    "audio",
    "sora",
    "veo",
    "imagen",
    "guard",
    "bge-",
    "ocr",
];

/// Parts of the names of small models.
const SMALL: [&str; 6] = ["mini", "haiku", "flash", "lite", "nano", "small"];

/// Asks the server for its models, and chooses.
pub(super) fn choose(server: &RunningServer, agent: &Agent, named: &Named) -> Result<Chosen, CliError> {
    let headers: &[_] = match agent.format {
        WireFormat::Anthropic => &[("anthropic-version", "2023-06-01")],
        WireFormat::OpenAi => &[],
    };
    let answer = server.get("v1/models?limit=1000", headers)?;
    let data = answer.get("data").and_then(Value::as_array);
    let names = data.into_iter().flatten().filter_map(|model| model.get("id")?.as_str());
    let names: Vec<String> = names.filter(|name| is_plain(name)).map(str::to_owned).collect();
    let chosen = chosen(agent, &names, named)
        .ok_or_else(|| CliError::Server(format!("{} lists no model; name one with --model", server.root())))?;
    for model in [&chosen.model, &chosen.small] {
        must_be_served(server, agent, model)?;
    }
    Ok(chosen)
}

/// The models that a person names.
#[derive(Debug, Clone, Default)]
pub(super) struct Named {
    pub(super) model: Option<String>,
    pub(super) small: Option<String>,
}

/// Fails if no account offers the model in the program's format, as far as the key may know. Warns if none is known to: a list of
/// models is missing.
fn must_be_served(server: &RunningServer, agent: &Agent, model: &str) -> Result<(), CliError> {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("model", model).append_pair("format", agent.format.as_str());
    let Some(answer) = server.get_as_operator(&format!("v1/status?{}", query.finish()))? else { return Ok(()) };
    let lists = [answer.pointer("/explain/apis"), answer.pointer("/explain/models/0/apis")];
    let apis: Vec<&Value> = lists.into_iter().flatten().filter_map(Value::as_array).flatten().collect();
    let reason = |api: &&&Value, of: &str| api.get("reason").and_then(Value::as_str) == Some(of);
    let does_not = |api: &&&Value| reason(api, "model_not_served") || reason(api, "other_format");
    let may = |api: &&&Value| reason(api, "models_unknown");
    if apis.is_empty() || !apis.iter().all(|api| does_not(&api) || may(&api)) {
        return Ok(());
    }
    if apis.iter().any(|api| may(&api)) {
        let text = "no account is known to serve it: a list of models is missing";
        writeln!(io::stderr(), "warning: {model}: {text}; `api-together explain {model}` tells more")?;
        return Ok(());
    }
    let why = match (apis.iter().all(|api| reason(&api, "other_format")), agent.format) {
        (true, WireFormat::Anthropic) => {
            format!("{} speaks Anthropic's format, and no account has an anthropicBaseUrl", agent.title)
        }
        (true, WireFormat::OpenAi) => format!("{} speaks OpenAI's format, and no account has a baseUrl", agent.title),
        (false, _) => {
            format!("no account serves {model} for {}; `api-together explain {model}` tells more", agent.title)
        }
    };
    Err(CliError::Server(why))
}

fn chosen(agent: &Agent, names: &[String], named: &Named) -> Option<Chosen> {
    let chats = |name: &&String| !NO_CHAT.iter().any(|part| name.to_lowercase().contains(part));
    let talkers: Vec<&String> = names.iter().filter(chats).collect();
    let newest = |part: &str| {
        let named = || talkers.iter().copied().filter(|name| name.to_lowercase().contains(part));
        let is_small = |name: &&String| SMALL.iter().any(|small| name.contains(small));
        named().filter(|name| !is_small(name)).max().or_else(|| named().max()).cloned()
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
