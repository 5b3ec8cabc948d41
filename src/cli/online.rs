//! `api-together check --online`: asks each enabled account for its list of models, which counts against no quota.
//!
//! 1. An account can't serve by this check if its list is refused, is no list, or does not come. The exit code is 1 then.
//! 2. A list that comes without a key, too, is no proof of the key. The line says so.
//! 3. A model of the file that the list lacks is named. That is no failure: some lists are not complete.

use std::collections::BTreeSet;
use std::io::Write;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt, stream};
use tokio::time::timeout;

use super::{CliError, block_on, nearest_name};
use crate::config::{ApiConfig, ApiKey, Config, PresetUse};
use crate::proxy::ClientCache;
use crate::proxy::model_list::{self, ModelListReply};
use crate::types::{Failure, FailureClass, sorted};
use crate::upstream::{Endpoint, mend};

/// How long a list may take.
const WITHIN: Duration = Duration::from_secs(10);

/// How many accounts are asked at the same time.
const AT_ONCE: usize = 32;

/// How many missing models are named.
const MOST_NAMED: usize = 10;

/// No header takes this text, so that it is not sent.
const NO_KEY: &str = "\n";

/// What is said of one account.
struct AccountVerdict {
    can_serve: bool,
    text: String,
}

/// Asks all enabled accounts, and prints a line for each in the order of the file.
pub(super) fn ask_all(out: &mut impl Write, config: &Config) -> Result<(), CliError> {
    let enabled = || config.apis.iter().filter(|api| api.enabled);
    writeln!(out, "Asked for their models, which costs no request of a quota:\n")?;
    let clients = ClientCache::default();
    let mut failed = 0;
    let clients = &clients;
    let asked =
        stream::iter(enabled()).map(|api| async move { (api, judge(clients, config, api).await) }).buffered(AT_ONCE);
    let mut asked = pin!(asked);
    let printing = async {
        while let Some((api, AccountVerdict { can_serve, text })) = asked.next().await {
            failed += usize::from(!can_serve);
            writeln!(out, "  {} {text}", api.id)?;
        }
        Ok(())
    };
    block_on(printing.boxed_local())?;
    for api in config.apis.iter().filter(|api| !api.enabled) {
        writeln!(out, "  {} is disabled, and was not asked", api.id)?;
    }
    out.flush()?;
    if failed == 0 { Ok(()) } else { Err(CliError::Accounts { failed, of: enabled().count() }) }
}

async fn judge(clients: &ClientCache, config: &Config, api: &ApiConfig) -> AccountVerdict {
    let endpoint = Endpoint::new(api);
    match ask(clients, &endpoint).await {
        Ok(ModelListReply::Names(names)) => {
            let keyless = Endpoint::new(&ApiConfig { key: ApiKey::new(NO_KEY), ..api.clone() });
            let is_open = matches!(ask(clients, &keyless).await, Ok(ModelListReply::Names(_)));
            AccountVerdict { can_serve: true, text: listed(api, &names, is_open) }
        }
        Ok(ModelListReply::NoList(status)) => no_list(config, api, &endpoint, status),
        Err(failure) => AccountVerdict { can_serve: false, text: refused(&failure) },
    }
}

async fn ask(clients: &ClientCache, endpoint: &Endpoint) -> Result<ModelListReply, Failure> {
    timeout(WITHIN, model_list::ask(clients, endpoint)).await.unwrap_or_else(|_| Err(model_list::timeout()))
}

fn listed(api: &ApiConfig, names: &BTreeSet<Arc<str>>, is_open: bool) -> String {
    let mut text = match names.len() {
        1 => "200, 1 model".to_owned(),
        many => format!("200, {many} models"),
    };
    if names.is_empty() {
        text.push_str("; list `models` in its entry, as nothing is asked there otherwise");
    }
    let own = api.models.listed().iter().chain(api.mapping.iter().map(|(_, own)| own));
    let missing = sorted::set(own.map(|name| &**name).filter(|name| !names.contains(*name)));
    if !missing.is_empty() && !names.is_empty() {
        let hint =
            |name: &str| nearest_name(name, names.iter().map(|name| &**name)).map(|n| format!(" (did you mean {n}?)"));
        let named = missing.iter().take(MOST_NAMED).map(|name| format!("{name}{}", hint(name).unwrap_or_default()));
        let named: Vec<String> = named.collect();
        let more = missing.len().saturating_sub(MOST_NAMED);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        text.push_str(&format!("; not in its list: {}{more}", named.join(", ")));
    }
    if is_open {
        let id = &api.id;
        text.push_str(&format!(
            "; the list comes without a key, too, so it proves none: `api-together test {id}` does"
        ));
    }
    text
}

/// Judges an account without a list. The base URL of a preset is right: the provider has none.
fn no_list(config: &Config, api: &ApiConfig, endpoint: &Endpoint, status: u16) -> AccountVerdict {
    let reach = endpoint.list_reach();
    let url = reach.map(model_list::shown_url).unwrap_or_default();
    let field = reach.map_or("baseUrl", |reach| reach.format.base_url_field());
    let is_of_preset = |used: &PresetUse| used.filled.iter().any(|(filled, _)| filled == field);
    let can_serve = config.presets.get(api.id.as_str()).is_some_and(is_of_preset);
    let id = &api.id;
    let text = if can_serve {
        format!(
            "{status}: {} has no list of models, which would prove the key; `api-together test {id}` does",
            api.name
        )
    } else {
        let other = format!("if it has no list, `api-together test {id} MODEL` tells");
        format!("{status}, nothing at {url}: is its {field} right? ({other})")
    };
    AccountVerdict { can_serve, text }
}

fn refused(failure: &Failure) -> String {
    format!("{}: {}", failure.detail, what_to_do(failure))
}

/// Returns what to do about a failure of one request that a person sent.
pub(super) fn what_to_do(failure: &Failure) -> &'static str {
    if failure.class == FailureClass::RateLimited {
        "the account is at its limit; ask again later"
    } else {
        mend(failure)
    }
}
