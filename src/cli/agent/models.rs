//! Which of the server's models a program is to ask for.
//!
//! [`crate::agents`] chooses; this asks the server for the names, and whether an account serves what was chosen.

use std::io::{self, Write};

use serde_json::Value;

use crate::agents::{Agent, Chosen, Named, chosen, is_plain};
use crate::cli::CliError;
use crate::cli::running::RunningServer;
use crate::types::WireFormat;

/// Where the models are listed, in OpenAI's form and Anthropic's.
const MODELS: &str = "v1/models?limit=1000";

/// The same in Gemini's form.
const GEMINIS_MODELS: &str = "v1beta/models?pageSize=1000";

/// Asks the server for its models, and chooses.
pub(super) fn choose(server: &RunningServer, agent: &Agent, named: &Named) -> Result<Chosen, CliError> {
    let (list, field, headers): (_, _, &[_]) = match agent.format {
        WireFormat::Anthropic => (MODELS, "id", &[("anthropic-version", "2023-06-01")]),
        WireFormat::OpenAi => (MODELS, "id", &[]),
        WireFormat::Gemini => (GEMINIS_MODELS, "name", &[]),
    };
    let answer = server.get(list, headers)?;
    let listed = ["data", "models"].iter().find_map(|member| answer.get(member)?.as_array());
    let names = listed.into_iter().flatten().filter_map(|model| model.get(field)?.as_str());
    let names = names.map(|name| name.strip_prefix("models/").unwrap_or(name));
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
        (true, format) => {
            let (title, field) = (format.title(), format.base_url_field());
            format!("{} speaks {title}'s format, and no account has the field {field}", agent.title)
        }
        (false, _) => {
            format!("no account serves {model} for {}; `api-together explain {model}` tells more", agent.title)
        }
    };
    Err(CliError::Server(why))
}
