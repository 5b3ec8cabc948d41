//! Warns of what is valid and yet can't work, or not as meant. A warning names the place and the mend, and never a value.
//!
//! 1. A key that is a placeholder, a variable without braces, a host of the kind `your-…`, and what does not fit to a known host.
//! 2. A variable, or a key file, that holds the name of another variable.
//! 3. Keys in wrong company: one key in two entries, an account's key that clients have, too.
//! 4. A pool that is open to the network, or has a key that can be guessed there.
//! 5. More requests or tokens in a minute than in a day.
//! 6. A budget in dollars that does not see all models.
//!
//! An upstream on this machine or in its network may take any text for a key, so that rules about accounts' keys leave it out.

mod known_hosts;
mod unpriced;

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use serde_json::Value;
use url::{Host, Url};

pub(super) use known_hosts::at_known_hosts;
pub(super) use unpriced::unpriced_models;

use super::base_url::is_this_machine;
use super::file::{ApiFile, GroupFile, LimitsFile};
use super::model::{AddressConfig, ApiConfig, Identity, KeyOwners};
use super::placeholder::{held_by, is_placeholder, is_reference, names_variable};
use super::secret::ApiKey;
use super::validator::Validator;
use super::variables::expand;
use crate::types::ByFormat;

/// Where an account's API of each format is.
type Addresses = ByFormat<Option<AddressConfig>>;

/// A shorter key can be guessed over a network, in characters.
const SHORTEST_POOL_KEY: usize = 16;

/// Returns a warning for each string of a document, as typed, that names a variable in another way than `${NAME}`, and for each
/// variable whose value is such a name. `lookup` looks into the environment.
pub(super) fn unexpanded_variables(document: &Value, lookup: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let mut warnings = Vec::new();
    each_string(document, "", &mut |at, text| {
        if names_variable(text) {
            warnings
                .push(format!("{at}: looks like a variable, and is taken as it stands; write a variable as ${{NAME}}"));
        }
        let references = RefCell::new(BTreeSet::new());
        // A variable that is not set is a problem, which is told elsewhere.
        let _ = expand(text, |name| {
            let value = lookup(name);
            if value.as_deref().is_some_and(is_reference) {
                references.borrow_mut().insert(name.to_owned());
            }
            value
        });
        warnings.extend(references.into_inner().iter().map(|name| format!("{at}: {}", held_by(name))));
    });
    warnings
}

fn each_string(value: &Value, at: &str, visit: &mut impl FnMut(&str, &str)) {
    match value {
        Value::String(text) => visit(at, text),
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                each_string(item, &format!("{at}[{i}]"), visit);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                let at = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                each_string(field, &at, visit);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl Validator<'_> {
    /// Warns of what is doubtful in the pool's own part, and refuses a pool that is open to the network against nobody's wish.
    /// `keys`: the clients' keys as typed, each with its place. `may_be_open`: somebody said so.
    pub(super) fn doubt_server(&mut self, host: &str, keys: &[(String, String)], may_be_open: bool) {
        let is_open = !is_this_machine(host);
        // A key with a mistake is missing here.
        let are_wrong = ["server.apiKey", "keys"].iter().any(|list| self.is_known_as_wrong(list));
        if keys.is_empty() && !are_wrong {
            let text = "server.apiKey is not set: anyone who reaches the address may use the pool";
            // The host may be a key in the wrong place: only an address is shown.
            let where_from = match host.parse::<IpAddr>() {
                Ok(address) => format!(", and server.host ({address}) lets the network in"),
                Err(_) => ", and server.host lets the network in".to_owned(),
            };
            let mend = "set server.apiKey or keys, or server.host to localhost";
            if is_open && !may_be_open {
                let text = format!("{text}{where_from}; {mend}, or server.open to true to let everybody in");
                self.problem("server", text);
            } else {
                self.warn(if is_open { format!("{text}{where_from}; {mend}") } else { text.to_owned() });
            }
        }
        for (at, key) in keys.iter().filter(|(_, key)| !key.starts_with("sha256:")) {
            let mend = "take a random one, as `openssl rand -hex 32` prints";
            if is_placeholder(key) {
                self.warn(format!("{at}: is a placeholder, which anyone can guess; {mend}"));
            } else if is_open && key.chars().count() < SHORTEST_POOL_KEY {
                let text = format!("has fewer than {SHORTEST_POOL_KEY} characters, and the network can guess it");
                self.warn(format!("{at}: {text}; {mend}"));
            }
        }
    }

    /// Warns of an account's key that can be none.
    pub(super) fn doubt_key(&mut self, at: &str, key: Option<&ApiKey>, addresses: Option<&Addresses>) {
        let is_none = |text: &str| is_placeholder(text) && !names_variable(text);
        if at.ends_with("apiKeyFile") && key.is_some_and(|key| is_reference(key.expose())) {
            let text = "the file holds the name of a variable, which nothing puts in; put the key itself into the file";
            self.warn(format!("{at}: {text}"));
        }
        if key.is_some_and(|key| is_none(key.expose())) && addresses.is_some_and(is_remote) {
            let mend = "give the account's key, or ${NAME} for a variable that holds it";
            self.warn(format!("{at}: is a placeholder; {mend}"));
        }
    }

    /// Warns of what else is doubtful in one entry of `apis`.
    pub(super) fn doubt_api(&mut self, index: usize, file: &ApiFile, addresses: Option<&Addresses>) {
        let at = |field: &str| format!("apis[{index}].{field}");
        for (format, address) in addresses.into_iter().flat_map(Addresses::iter) {
            let host = address.as_ref().and_then(|address| address.base_url.host_str());
            if host.is_some_and(|host| host.starts_with("your-")) {
                let text = "has a placeholder for its host; give the provider's own base URL";
                self.warn(format!("{}: {text}", at(format.base_url_field())));
            }
        }
        self.doubt_limits(&format!("apis[{index}]"), &file.limits);
        for (model, limits) in &file.model_limits {
            self.doubt_limits(&at(&format!("modelLimits.{model}")), limits);
        }
    }

    /// Warns of what is doubtful in one entry of `quotaGroups`.
    pub(super) fn doubt_group(&mut self, name: &str, file: &GroupFile) {
        self.doubt_limits(&format!("quotaGroups.{name}"), &file.limits);
        for (model, limits) in &file.model_limits {
            self.doubt_limits(&format!("quotaGroups.{name}.modelLimits.{model}"), limits);
        }
    }

    /// Warns of doubtful limits.
    pub(super) fn doubt_limits(&mut self, at: &str, limits: &LimitsFile) {
        for (minute, a_minute, day, a_day) in
            [("rpm", limits.rpm, "rpd", limits.rpd), ("tpm", limits.tpm, "tpd", limits.tpd)]
        {
            // 0 disables, and -1 is no limit.
            if let (Some(a_minute), Some(a_day)) = (a_minute, a_day)
                && a_day > 0
                && a_minute > a_day
            {
                let text = format!("is more than {day}, so one minute may spend the day; are the two swapped?");
                self.warn(format!("{at}.{minute}: {text}"));
            }
        }
    }

    /// Warns of keys that stand where another stands.
    pub(super) fn doubt_keys(&mut self, apis: &[ApiConfig], owners: &KeyOwners) {
        let mut first: HashMap<(&str, Option<&str>), usize> = HashMap::new();
        for (index, api) in apis.iter().enumerate().filter(|(_, api)| api.enabled && is_remote(&api.addresses)) {
            let key = api.key.expose();
            if let Some(Identity::Client(client)) = owners.of(key.as_bytes()) {
                let owner = if client.is_default() { "of server.apiKey" } else { "of a client (keys)" };
                let text = format!("is a key {owner}, too, so that every client holds the account");
                self.warn(format!("apis[{index}].apiKey: {text}; give the clients another key"));
            }
            let account = (key, host(&api.addresses));
            let Some(before) = first.get(&account).copied() else {
                first.insert(account, index);
                continue;
            };
            let group = |of: Option<&ApiConfig>| of.and_then(|api| api.group.as_ref()).map(|group| group.name.clone());
            let own = group(Some(api));
            if own.is_none() || own != group(apis.get(before)) {
                let text = format!("is the key of apis[{before}], too, and each counts the account's limits by itself");
                self.warn(format!("apis[{index}].apiKey: {text}; give both one quotaGroup, or remove one"));
            }
        }
    }
}

/// Returns the host of an account's first address.
fn host(addresses: &Addresses) -> Option<&str> {
    urls(addresses).next().and_then(Url::host_str)
}

fn urls(addresses: &Addresses) -> impl Iterator<Item = &Url> {
    addresses.iter().filter_map(|(_, address)| Some(&address.as_ref()?.base_url))
}

/// Returns whether an account is of a provider in the Internet, and not of a server nearby.
fn is_remote(addresses: &Addresses) -> bool {
    let ends = [".localhost", ".local", ".internal", ".lan"];
    urls(addresses).any(|url| match url.host() {
        Some(Host::Domain(name)) => name.contains('.') && !ends.iter().any(|end| name.ends_with(end)),
        Some(Host::Ipv4(ip)) => !(ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified()),
        Some(Host::Ipv6(ip)) => !(ip.is_loopback() || ip.is_unique_local() || ip.is_unspecified()),
        None => false,
    })
}

#[cfg(test)]
mod tests;
