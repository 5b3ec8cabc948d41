//! `api-together test API [MODEL]`: sends one word through one account, and says who answered, how fast, and the tokens.

use std::io::{self, Write};

use clap::Args;
use futures_util::FutureExt;
use tokio::time::timeout;

use super::online::what_to_do;
use super::{CliError, ConfigArgs, block_on, nearest_name};
use crate::config::{ApiConfig, Config, load};
use crate::proxy::ClientCache;
use crate::proxy::model_list::{self, ModelListReply};
use crate::proxy::trial::{AccountTrial, TrialFailure, TrialReport, chat_model};
use crate::types::{Usage, UsageSource, WireFormat};
use crate::upstream::Endpoint;

/// How long the list of models may take, where no model is named.
const LIST_WITHIN: std::time::Duration = std::time::Duration::from_secs(10);

#[derive(Debug, Args)]
pub(super) struct TrialArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The id of the account in the configuration.
    api: String,
    /// The model, as clients ask for it. Without it: the first of the entry's `models`, or a small one of the account's list.
    model: Option<String>,
    /// The format to speak. Without it: OpenAI's, if the account has a baseUrl.
    #[arg(long, value_parser = ["openai", "anthropic", "gemini"])]
    format: Option<String>,
}

pub(super) fn trial(args: TrialArgs) -> Result<(), CliError> {
    let TrialArgs { config, api, model, format } = args;
    let config = load(&config.source()?)?;
    let api = account(&config, &api)?;
    let format = match format.as_deref() {
        Some(named) => WireFormat::ALL.into_iter().find(|format| format.as_str() == named),
        None => api.formats().next(),
    };
    let format = format.filter(|format| api.offers(*format)).ok_or_else(|| {
        let fields: Vec<&str> = api.formats().map(WireFormat::base_url_field).collect();
        CliError::Usage(format!("{} has no address of this format, only {}", api.id, fields.join(" and ")))
    })?;
    let endpoint = Endpoint::new(api);
    let clients = ClientCache::default();
    let asking = async {
        let model = match model {
            Some(model) => endpoint.upstream_model(&model).map_or(model, |own| own.to_string()),
            None => any_model(&clients, api, &endpoint).await?,
        };
        run(&clients, AccountTrial { endpoint: &endpoint, format, model: &model }).await
    };
    block_on(asking.boxed_local())
}

async fn run(clients: &ClientCache, trial: AccountTrial<'_>) -> Result<(), CliError> {
    let mut out = io::stdout();
    let id = &trial.endpoint.api;
    writeln!(out, "{id}: {} at {}", trial.model, trial.url())?;
    writeln!(out, "This costs one request of the account, which no running server counts.\n")?;
    let mut said = String::new();
    let mut show = |text: &str| {
        // A reader that left is noticed by the lines below.
        let _ = write!(out, "{text}").and_then(|()| out.flush());
        said.push_str(text);
    };
    let outcome = trial.run(clients, &mut show).await;
    if !said.is_empty() {
        writeln!(out, "\n")?;
    }
    match outcome {
        Ok(report) => Ok(told(&mut out, trial.model, &report)?),
        Err(failure) => Err(CliError::Server(format!("{id}: {}", why(&failure, trial.model)))),
    }
}

fn told(out: &mut impl Write, model: &str, report: &TrialReport) -> io::Result<()> {
    let own_name = report.answered_as.as_deref().filter(|name| *name != model);
    let own_name = own_name.map(|name| format!(", as {name}")).unwrap_or_default();
    let [first, total] = [report.first, report.total].map(|time| time.as_millis());
    if report.streamed {
        writeln!(out, "  200, streamed{own_name}: first token after {first} ms, all after {total} ms")?;
    } else {
        writeln!(out, "  200, in one piece{own_name} (no stream came): after {total} ms")?;
    }
    match report.usage {
        Some(Usage { prompt, completion, total, source, .. }) => {
            let sign = if source == UsageSource::Estimated { "about " } else { "" };
            writeln!(out, "  tokens: {sign}{prompt} + {completion} = {total}")?;
        }
        None => writeln!(out, "  tokens: not reported")?,
    }
    if report.without_options {
        writeln!(out, "  it refuses stream_options; the pool learns that by itself")?;
    }
    out.flush()
}

/// Says why there is no answer, in the upstream's own words where there are any.
fn why(TrialFailure { failure, words }: &TrialFailure, model: &str) -> String {
    let status = failure.status.map(|status| format!("{status} ")).unwrap_or_default();
    let what = match words {
        Some(words) => format!("{status}\"{words}\""),
        None => failure.detail.clone(),
    };
    let mend = match (what_to_do(failure), failure.status) {
        (_, Some(404 | 405)) => format!("check its baseUrl, and whether it has the model {model}"),
        ("nothing", _) => format!("see whether {model} is a model for chat"),
        (mend, _) => mend.to_owned(),
    };
    format!("{what}: {mend}")
}

fn account<'a>(config: &'a Config, id: &str) -> Result<&'a ApiConfig, CliError> {
    let ids = || config.apis.iter().map(|api| api.id.as_str());
    config.apis.iter().map(|api| &**api).find(|api| api.id.as_str() == id).ok_or_else(|| {
        let hint = match nearest_name(id, ids()) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("there are: {}", ids().collect::<Vec<_>>().join(", ")),
        };
        // What was typed may be a key in the wrong place.
        CliError::Usage(format!("the configuration has no API of this id; {hint}"))
    })
}

/// Returns a model to ask for: of the entry, or of the account's list.
async fn any_model(clients: &ClientCache, api: &ApiConfig, endpoint: &Endpoint) -> Result<String, CliError> {
    if let Some(model) = chat_model(api.models.listed().iter().map(|name| &**name), false) {
        return Ok(model.to_owned());
    }
    let names = match timeout(LIST_WITHIN, model_list::ask(clients, endpoint)).await {
        Ok(Ok(ModelListReply::Names(names))) => names,
        Ok(Ok(ModelListReply::NoList(status))) => {
            let text = format!("it has no list of models ({status}); name one: api-together test {} MODEL", api.id);
            return Err(CliError::Server(format!("{}: {text}", api.id)));
        }
        Ok(Err(failure)) => {
            return Err(CliError::Server(format!("{}: {}: {}", api.id, failure.detail, what_to_do(&failure))));
        }
        Err(_) => return Err(CliError::Server(format!("{}: its list of models did not come in time", api.id))),
    };
    let found = chat_model(names.iter().map(|name| &**name), true).map(str::to_owned);
    found.ok_or_else(|| CliError::Server(format!("{}: its list names no model that chats; name one", api.id)))
}
