//! An account of the configuration to be written: the texts of the entry, and their origin. Pure.

use serde_json::{Map, Value, json};

use super::variables::FoundKey;
use crate::config::{ApiKey, Plan, Provider, Providers, check_base_url, has_version, without_endpoint};
use crate::types::WireFormat;

/// Providers whose variables are used for any API of their format, by way of a base URL.
const OF_A_FORMAT: [&str; 2] = ["openai", "anthropic"];

/// A text of an entry.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum EntryText {
    /// A text without variables.
    Literal(String),
    /// `${NAME}`, and the value now. The value may be a key.
    Variable(String, ApiKey),
}

/// How texts are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// Variables by name, for the file.
    ByName,
    /// Variables by value, to see whether the file is going to be valid.
    ByValue,
}

/// An entry of `apis`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct DraftAccount<'a> {
    pub(super) id: String,
    /// `None`: an API without a preset.
    pub(super) provider: Option<&'a Provider>,
    /// `None`: a local server without keys.
    pub(super) key: Option<EntryText>,
    /// The format and the base URL, if the preset's is not meant.
    pub(super) address: Option<(WireFormat, EntryText)>,
    /// What fills the blanks of the preset's base URL, by field.
    pub(super) blanks: Vec<(String, EntryText)>,
    /// The quota group, if the preset's is not meant.
    pub(super) group: Option<String>,
    /// The plan whose limits are written.
    pub(super) plan: Option<&'a Plan>,
}

impl EntryText {
    /// Returns the text with the variable put in.
    fn value(&self) -> &str {
        match self {
            EntryText::Literal(text) => text,
            EntryText::Variable(_, value) => value.expose(),
        }
    }

    pub(super) fn written(&self, how: Written) -> String {
        // `$${` stands for `${`.
        let literal = |text: &str| text.replace("${", "$${");
        match (self, how) {
            (EntryText::Literal(text), _) => literal(text),
            (EntryText::Variable(name, _), Written::ByName) => format!("${{{name}}}"),
            (EntryText::Variable(_, value), Written::ByValue) => literal(value.expose()),
        }
    }
}

impl<'a> DraftAccount<'a> {
    /// Returns an account without a key, a plan and an address of its own.
    pub(super) fn of(provider: &'a Provider) -> Self {
        DraftAccount::named(&provider.id, Some(provider))
    }

    fn named(id: &str, provider: Option<&'a Provider>) -> Self {
        DraftAccount {
            id: id.to_owned(),
            provider,
            key: None,
            address: None,
            blanks: Vec::new(),
            group: None,
            plan: None,
        }
    }

    /// Returns the account of a found key. `is_here`: is this the address of the pool itself?
    ///
    /// # Errors
    /// With the reason why there is no such account.
    pub(super) fn found(
        found: &FoundKey<'a>,
        providers: &'a Providers,
        is_here: impl Fn(&url::Url) -> bool,
    ) -> Result<Self, String> {
        let key = Some(EntryText::Variable(found.variable.clone(), found.key.clone()));
        let mut account = DraftAccount { key, ..DraftAccount::named(&found.name, found.provider) };
        if let Some((variable, value)) = &found.base_url {
            let text = base_url(variable, value);
            let base = text.value();
            check_base_url(base).map_err(|why| format!("{variable} beside it {why}"))?;
            let url = url::Url::parse(base).map_err(|_| format!("{variable} beside it is no URL"))?;
            if is_here(&url) {
                return Err(format!("{variable} beside it is this pool's own address"));
            }
            account.move_to(&url, text, providers);
        }
        if !found.label.is_empty() {
            account.id = format!("{}-{}", account.id, found.label);
        }
        Ok(account)
    }

    /// Takes in a base URL. At a known host the preset knows better; elsewhere the URL counts.
    fn move_to(&mut self, url: &url::Url, text: EntryText, providers: &'a Providers) {
        let host = url.host_str().unwrap_or_default();
        if let Some((field, text)) = self.provider.and_then(|provider| blank_in_host(provider, host)) {
            self.blanks.push((field.to_owned(), EntryText::Literal(text.to_owned())));
            return;
        }
        let speaks_openai = self.provider.is_none_or(|provider| provider.base_url(WireFormat::OpenAi).is_some());
        let format = if speaks_openai { WireFormat::OpenAi } else { WireFormat::Anthropic };
        let is_anyones = self.provider.is_none_or(|provider| OF_A_FORMAT.contains(&provider.id.as_str()));
        let is_own = |known: &Provider| self.provider.is_some_and(|provider| provider.id == known.id);
        match known_at(text.value(), host, providers) {
            Some(known) if is_anyones || is_own(known) => {
                self.provider = Some(known);
                self.id.clone_from(&known.id);
            }
            Some(_) | None => {
                if is_anyones {
                    self.provider = None;
                }
                self.address = Some((format, text));
            }
        }
    }

    /// Returns the name of the variable with the key.
    pub(super) fn key_variable(&self) -> Option<&str> {
        match &self.key {
            Some(EntryText::Variable(name, _)) => Some(name),
            Some(EntryText::Literal(_)) | None => None,
        }
    }

    /// Returns all variables of the entry.
    pub(super) fn variables(&self) -> impl Iterator<Item = (&String, &ApiKey)> {
        let texts = self.key.iter().chain(self.address.iter().map(|(_, text)| text));
        texts.chain(self.blanks.iter().map(|(_, text)| text)).filter_map(|text| match text {
            EntryText::Variable(name, value) => Some((name, value)),
            EntryText::Literal(_) => None,
        })
    }

    /// Returns the entry.
    pub(super) fn entry(&self, how: Written) -> Value {
        let mut entry = Map::new();
        let mut put = |field: &str, value: String| drop(entry.insert(field.to_owned(), value.into()));
        put("id", self.id.clone());
        if let Some(provider) = self.provider {
            put("provider", provider.id.clone());
        }
        for (field, text) in &self.blanks {
            put(field, text.written(how));
        }
        if let Some((format, url)) = &self.address {
            put(format.base_url_field(), url.written(how));
        }
        if let Some(key) = &self.key {
            put("apiKey", key.written(how));
        }
        if let Some(group) = &self.group {
            put("quotaGroup", group.clone());
        }
        let limits = self.plan.into_iter().flat_map(|plan| &plan.fields);
        entry.extend(limits.map(|(field, value)| (field.clone(), value.clone())));
        Value::Object(entry)
    }
}

/// Returns the base URL that a variable gives.
fn base_url(variable: &str, value: &str) -> EntryText {
    let as_it_stands = || EntryText::Variable(variable.to_owned(), ApiKey::new(value));
    base_of(value).map_or_else(as_it_stands, EntryText::Literal)
}

/// Returns the base in front of an endpoint's URL; `None` for another URL. Some programs send to the URL itself, endpoint and all.
pub(super) fn base_of(url: &str) -> Option<String> {
    let (base, _) = without_endpoint(url)?;
    // Nothing is put between the base and the endpoint.
    Some(if has_version(base) { base.to_owned() } else { format!("{base}#") })
}

/// Returns the provider with this base URL, or at this host. A local server is known by its port.
pub(super) fn known_at<'a>(url: &str, host: &str, providers: &'a Providers) -> Option<&'a Provider> {
    let plain = |url: &str| url.trim_end_matches('/').trim_end_matches("/v1").to_owned();
    let is_base = |base: &str| plain(base) == plain(url);
    let is_exact =
        |provider: &&Provider| WireFormat::ALL.into_iter().any(|format| provider.base_url(format).is_some_and(is_base));
    let exact = providers.list().iter().find(is_exact);
    exact.or_else(|| providers.find_by_host(host).filter(|provider| provider.needs_key()))
}

/// Returns the configuration of these accounts.
pub(super) fn document(server: &Map<String, Value>, accounts: &[DraftAccount<'_>], how: Written) -> String {
    let apis: Vec<Value> = accounts.iter().map(|account| account.entry(how)).collect();
    format!("{:#}\n", json!({ "server": server, "apis": apis }))
}

/// Returns what stands in a host in the place of a blank: `x` of `x.openai.azure.com` is `resource`.
fn blank_in_host<'p, 'h>(provider: &'p Provider, host: &'h str) -> Option<(&'p str, &'h str)> {
    let template = provider.base_url(WireFormat::OpenAi)?.split("://").nth(1)?.split('/').next()?;
    provider.blanks.keys().find_map(|field| {
        let (before, behind) = template.split_once(&format!("{{{field}}}"))?;
        let text = host.strip_prefix(before)?.strip_suffix(behind)?;
        (!text.is_empty() && !text.contains('.')).then_some((field.as_str(), text))
    })
}
