//! Which of the server's models a program is to ask for.
//!
//! [`crate::agents`] chooses; this asks the server for the names, and whether an account serves what was chosen.

use std::io::{self, Write};

use serde_json::Value;

use crate::agents::{Agent, Chosen, Named, chosen, is_plain};
use crate::cli::CliError;
use crate::cli::running::RunningServer;
use crate::types::WireFormat;

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
