//! From typed keys to meant ones.

use std::collections::HashMap;
use std::sync::Arc;

use super::expiry;
use crate::config::file::{KeyBudgetFile, KeyFile, OneOrMany, OperatorKeyFile, ServerFile};
use crate::config::model::{
    Access, ApiConfig, DEFAULT_KEY, KeyBudget, KeyConfig, ModelAliases, OperatorKey, QuotaConfig,
};
use crate::config::schema::nearest;
use crate::config::secret::{ClientKey, KeyDigest};
use crate::config::validator::Validator;
use crate::types::{KeyName, NameList, NamePattern, Now};

/// The names of operators' keys without one.
const ADMIN: &str = "admin";
const VIEWER: &str = "viewer";

/// The name that stands for several keys in usage and metrics.
const OTHER: &str = "other";

/// The longest name of a key, in characters.
const LONGEST_NAME: usize = 64;

/// What a name may have beside letters and digits: nothing that needs quotes in a log line, a table or a shell.
const NAME_MARKS: &str = "-_.@/+";

/// What the names in `models` and `apis` of a key are compared with.
pub(in crate::config) struct Served<'a> {
    pub(in crate::config) apis: &'a [ApiConfig],
    pub(in crate::config) aliases: &'a ModelAliases,
}

impl Validator<'_> {
    /// Returns the clients' keys: [`DEFAULT_KEY`] with the keys of `server.apiKey(s)`, and the entries of `keys`.
    pub(in crate::config) fn client_keys(
        &mut self,
        defaults: Vec<ClientKey>,
        entries: Vec<(usize, KeyFile)>,
        served: &Served<'_>,
    ) -> Vec<Arc<KeyConfig>> {
        let mut keys = Vec::with_capacity(entries.len() + 1);
        if !defaults.is_empty() || entries.is_empty() {
            keys.push(Arc::new(default_key(defaults)));
        }
        for (index, entry) in entries {
            let at = format!("keys[{index}]");
            let names = [("models", &entry.models), ("apis", &entry.apis)];
            names.into_iter().for_each(|(field, list)| self.listed(&format!("{at}.{field}"), list.as_deref()));
            self.doubt_served(&at, &entry, served);
            keys.extend(self.named_key(&at, entry).map(Arc::new));
        }
        keys
    }

    fn named_key(&mut self, at: &str, entry: KeyFile) -> Option<KeyConfig> {
        let name = self.key_name(&format!("{at}.name"), &entry.name);
        let quota = self.key_quota(at, &entry);
        let secrets = self.secrets(&format!("{at}.key"), entry.key);
        let budgets = self.budgets(at, entry.budgets.as_deref().unwrap_or_default());
        let expires = match entry.expires.as_deref().zip(quota.as_ref()) {
            Some((typed, quota)) => self.expiry(&format!("{at}.expires"), typed, quota),
            None => None,
        };
        let quota = quota?;
        Some(KeyConfig {
            name: name?,
            secrets: secrets?,
            models: entry.models.as_deref().map(NameList::of).map(Arc::new),
            apis: entry.apis.as_deref().map(NameList::of).map(Arc::new),
            enabled: entry.enabled.unwrap_or(true) && !quota.limits.disable(),
            quota,
            budgets,
            expires,
        })
    }

    fn key_name(&mut self, at: &str, name: &str) -> Option<KeyName> {
        let is_allowed = |c: char| c.is_alphanumeric() || NAME_MARKS.contains(c);
        if name == DEFAULT_KEY {
            return self.refuse(at, "is the name of the keys in server.apiKey and server.apiKeys; take another");
        }
        if name == OTHER {
            return self.refuse(at, "is what usage and metrics call the keys beyond their bounds; take another");
        }
        if !name.chars().all(is_allowed) || !name.starts_with(char::is_alphanumeric) {
            return self.refuse(at, "must be of letters, digits and -_.@/+, and begin with a letter or a digit");
        }
        if name.chars().count() > LONGEST_NAME {
            return self.refuse(at, format!("must have at most {LONGEST_NAME} characters"));
        }
        Some(KeyName::from(name))
    }

    fn secrets(&mut self, at: &str, typed: OneOrMany) -> Option<Vec<ClientKey>> {
        let typed = match typed {
            OneOrMany::One(key) => vec![(at.to_owned(), key)],
            OneOrMany::Many(keys) => keys.into_iter().enumerate().map(|(i, key)| (format!("{at}[{i}]"), key)).collect(),
        };
        let secrets: Vec<_> = typed.iter().filter_map(|(at, key)| self.client_key(at, key)).collect();
        (!secrets.is_empty()).then_some(secrets)
    }

    fn expiry(&mut self, at: &str, typed: &str, quota: &QuotaConfig) -> Option<i64> {
        let Some(end) = expiry::parse(typed, &quota.reset) else {
            return self.refuse(at, "must be a day such as 2027-03-01, or a moment such as 2027-03-01T12:00:00Z");
        };
        if end <= Now::read().wall {
            self.warn(format!("{at}: is over, so that the key is refused"));
        }
        Some(end)
    }

    fn budgets(&mut self, at: &str, typed: &[KeyBudgetFile]) -> Vec<KeyBudget> {
        let budget = |typed: &KeyBudgetFile| KeyBudget {
            nanodollars: (typed.usd * 1e9).round() as u64,
            per: typed.per.as_str().into(),
        };
        for (i, _) in typed.iter().enumerate().filter(|(_, budget)| budget.usd < 1e-9) {
            self.problem(&format!("{at}.budgets[{i}].usd"), "must be more than 0; disable the key with enabled: false");
        }
        typed.iter().map(budget).collect()
    }

    fn listed(&mut self, at: &str, typed: Option<&[String]>) {
        for (i, name) in typed.unwrap_or_default().iter().enumerate() {
            if name.trim().is_empty() {
                self.problem(&format!("{at}[{i}]"), "must not be empty");
            }
        }
    }

    /// Compares the names in `models` and `apis` of a key with the models and APIs of the file.
    fn doubt_served(&mut self, at: &str, entry: &KeyFile, served: &Served<'_>) {
        // An API with a mistake is missing.
        if !self.problems.is_empty() {
            return;
        }
        for (i, name) in entry.models.iter().flatten().enumerate().filter(|(_, name)| !served.may_have_model(name)) {
            let what = if NamePattern::parse(name).is_some() { "matches" } else { "names" };
            self.warn(format!("{at}.models[{i}]: {what} no model of any API, and no alias"));
        }
        let ids = || served.apis.iter().map(|api| api.id.as_str());
        for (i, name) in entry.apis.iter().flatten().enumerate() {
            let at = format!("{at}.apis[{i}]");
            let pattern = NamePattern::parse(name);
            if pattern.is_none() && !ids().any(|id| id == name) {
                let known: Vec<String> = ids().map(str::to_owned).collect();
                let hint = nearest(name, known.iter()).map(|id| format!("; did you mean {id}?"));
                self.problem(&at, format!("is the id of no API{}", hint.unwrap_or_default()));
            } else if pattern.is_some_and(|pattern| !ids().any(|id| pattern.matches(id))) {
                self.warn(format!("{at}: matches the id of no API"));
            }
        }
    }

    /// Checks that no two keys have one name, of clients or of operators: logs and counts could not tell them apart. Operators' keys
    /// without a name share the name of their list.
    pub(in crate::config) fn distinct_names(&mut self, server: &ServerFile, entries: &[(usize, KeyFile)]) {
        let lists =
            [("server.adminKeys", ADMIN, &server.admin_keys), ("server.viewerKeys", VIEWER, &server.viewer_keys)];
        let mut first: HashMap<&str, String> = HashMap::new();
        let mut named: Vec<(&str, String)> = Vec::new();
        for (list, role, keys) in lists {
            for (i, key) in keys.iter().flatten().enumerate() {
                match key {
                    OperatorKeyFile::Plain(_) => drop(first.insert(role, format!("a key without a name in {list}"))),
                    OperatorKeyFile::Named(key) => named.push((&key.name, format!("{list}[{i}]"))),
                }
            }
        }
        named.extend(entries.iter().map(|(i, entry)| (entry.name.as_str(), format!("keys[{i}]"))));
        for (name, place) in named {
            match first.get(name) {
                Some(before) => {
                    let text = format!("is the name of {before} too; names must be unique, so take another");
                    self.problem(&format!("{place}.name"), text);
                }
                None => drop(first.insert(name, place)),
            }
        }
    }

    /// Returns the operators' keys.
    pub(in crate::config) fn access(&mut self, file: &mut ServerFile) -> Access {
        let admins = self.operators("server.adminKeys", ADMIN, file.admin_keys.take());
        let viewers = self.operators("server.viewerKeys", VIEWER, file.viewer_keys.take());
        Access { admins, viewers, open: file.open.unwrap_or(false) }
    }

    fn operators(&mut self, at: &str, role: &str, typed: Option<Vec<OperatorKeyFile>>) -> Vec<OperatorKey> {
        let mut keys = Vec::new();
        for (i, typed) in typed.unwrap_or_default().into_iter().enumerate() {
            let at = format!("{at}[{i}]");
            let (name, secret) = match typed {
                OperatorKeyFile::Plain(key) => (Some(KeyName::from(role)), self.client_key(&at, &key)),
                OperatorKeyFile::Named(named) => {
                    let name = self.key_name(&format!("{at}.name"), &named.name);
                    (name, self.client_key(&format!("{at}.key"), &named.key))
                }
            };
            keys.extend(name.zip(secret).map(|(name, secret)| OperatorKey { name, secret }));
        }
        keys
    }

    /// Checks that no secret belongs to two names: nobody could tell whose a request with the secret is.
    pub(in crate::config) fn distinct_secrets(&mut self, keys: &[Arc<KeyConfig>], access: &Access) {
        let clients = keys.iter().flat_map(|key| key.secrets.iter().map(move |secret| (key.name.as_str(), secret)));
        let operators = [("server.adminKeys", &access.admins), ("server.viewerKeys", &access.viewers)];
        let operators = operators.into_iter().flat_map(|(list, keys)| keys.iter().map(move |key| (list, &key.secret)));
        let mut owners: HashMap<KeyDigest, &str> = HashMap::new();
        let mut shared = Vec::new();
        for (owner, secret) in clients.chain(operators) {
            match owners.insert(secret.digest(), owner) {
                // The same key twice in one list does no harm.
                Some(before) if before != owner => shared.push((before, owner)),
                Some(_) | None => {}
            }
        }
        for (before, owner) in shared {
            let shown = |owner: &str| if owner == DEFAULT_KEY { "server.apiKey".to_owned() } else { owner.to_owned() };
            let (before, owner) = (shown(before), shown(owner));
            self.problem("keys", format!("one key belongs to {before} and to {owner}; give each a key of its own"));
        }
    }
}

impl Served<'_> {
    /// Returns whether a name or a pattern may mean a model or an alias. Only the upstreams know the models of some APIs.
    fn may_have_model(&self, name: &str) -> bool {
        let are_known = |api: &ApiConfig| api.models.patterns().is_empty() && !api.models.are_asked();
        if !self.apis.iter().all(are_known) {
            return true;
        }
        let pattern = NamePattern::parse(name);
        let is_meant = |other: &str| match &pattern {
            Some(pattern) => pattern.matches(other),
            None => other == name,
        };
        let matches_typed = |typed: &str| NamePattern::parse(typed).is_some_and(|typed| typed.matches(name));
        let mapped = self.apis.iter().flat_map(|api| api.mapping.iter().map(|(from, _)| from));
        let aliases = self.aliases.iter().map(|(alias, _)| alias);
        let names = mapped.chain(aliases).chain(self.apis.iter().flat_map(|api| api.models.listed()).map(|m| &**m));
        names.into_iter().any(|other| is_meant(other) || matches_typed(other))
    }
}

/// Returns the key of `server.apiKey(s)`.
fn default_key(secrets: Vec<ClientKey>) -> KeyConfig {
    KeyConfig { secrets, ..KeyConfig::unlimited(DEFAULT_KEY) }
}
