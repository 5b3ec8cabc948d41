//! From the keys that are there, and the answers of a person, to the accounts of a configuration.
//!
//! 1. Found keys are used, unless the person says no.
//! 2. Keys of one provider share limits, as the presets say, unless they are said to be of different accounts.
//! 3. Published limits of a free plan are written only where the plan is said to be free.
//! 4. A key typed by hand gets a variable that is not there yet.

mod limits;

use std::io;

use super::account::{DraftAccount, EntryText, base_of, known_at};
use super::ask::Answers;
use super::variables::{self, FoundKey, LeftOut, Variables};
use crate::config::{ApiKey, Provider, Providers, check_base_url};
use crate::types::WireFormat;

/// What is wished for on the command line.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    /// Only these providers, by any of their names. Empty: all.
    pub(super) providers: Vec<String>,
    /// All plans are free ones.
    pub(super) free: bool,
    /// Each key is of an account of its own.
    pub(super) separate: bool,
    /// The port that the pool is going to listen on.
    pub(super) port: u16,
}

/// What is going to be written.
#[derive(Debug, Default)]
pub(super) struct Draft<'a> {
    pub(super) accounts: Vec<DraftAccount<'a>>,
    pub(super) left_out: Vec<LeftOut>,
    /// What the person ought to know.
    pub(super) notes: Vec<String>,
}

/// Why there is no draft.
#[derive(Debug, thiserror::Error)]
pub(super) enum InterviewError {
    #[error("{0}")]
    Wish(String),
    #[error(transparent)]
    Terminal(#[from] io::Error),
}

/// Holds the interview.
pub(super) fn interview<'a>(
    wishes: &Wishes,
    variables: &Variables,
    providers: &'a Providers,
    ask: &mut dyn Answers,
) -> Result<Draft<'a>, InterviewError> {
    let wanted = wanted(wishes, providers)?;
    let all: Vec<&Provider> = providers.list().iter().collect();
    let is_choice = !wanted.is_empty();
    let (mut found, left_out) = variables::find(variables, if is_choice { &wanted } else { &all });
    found.retain(|key| !is_choice || key.provider.is_some());
    let mut interview = Interview { wishes, providers, variables: variables.clone(), draft: Draft::default(), ask };
    // With a choice, other variables are none of the draft's business.
    interview.draft.left_out = if is_choice { Vec::new() } else { left_out };
    interview.found(&found)?;
    for provider in wanted {
        if !interview.draft.accounts.iter().any(|account| account.provider.is_some_and(|p| p.id == provider.id)) {
            interview.wished(provider)?;
        }
    }
    if !is_choice {
        interview.more()?;
    }
    interview.unique_ids();
    interview.groups()?;
    interview.plans()?;
    interview.doubts();
    Ok(interview.draft)
}

fn wanted<'a>(wishes: &Wishes, providers: &'a Providers) -> Result<Vec<&'a Provider>, InterviewError> {
    let find = |word: &String| {
        providers.find_by_word(word).ok_or_else(|| {
            let hint = match (providers.refusal(word), providers.nearest(word)) {
                (Some(why), _) => why.to_owned(),
                (None, Some(near)) => format!("did you mean {near}?"),
                (None, None) => "`api-together presets` lists all".to_owned(),
            };
            InterviewError::Wish(format!("--provider: no preset has this name; {hint}"))
        })
    };
    wishes.providers.iter().map(find).collect()
}

struct Interview<'a, 'v> {
    wishes: &'v Wishes,
    providers: &'a Providers,
    variables: Variables,
    draft: Draft<'a>,
    ask: &'v mut dyn Answers,
}

impl<'a> Interview<'a, '_> {
    /// Takes in the keys that are there.
    fn found(&mut self, found: &[FoundKey<'a>]) -> io::Result<()> {
        let names: Vec<&str> = found.iter().map(|key| key.variable.as_str()).collect();
        if names.is_empty() || !self.ask.yes(&format!("Found {}. Use all of them?", names.join(", ")), true)? {
            return Ok(());
        }
        let port = self.wishes.port;
        for key in found {
            let is_here = |url: &url::Url| {
                let is_local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
                is_local && url.port_or_known_default() == Some(port)
            };
            match DraftAccount::found(key, self.providers, is_here) {
                Ok(account) => self.add(account)?,
                Err(why) => self.leave_out(&key.variable, why),
            }
        }
        Ok(())
    }

    /// Adds an account, once the blanks of its base URL are filled.
    fn add(&mut self, mut account: DraftAccount<'a>) -> io::Result<()> {
        let provider = account.provider.filter(|_| account.address.is_none());
        for (field, blank) in provider.into_iter().flat_map(|provider| &provider.blanks) {
            if account.blanks.iter().any(|(filled, _)| filled == field) {
                continue;
            }
            let set = blank.env.iter().find_map(|name| Some((name, self.variables.get(name)?)));
            let text = match set.filter(|(_, value)| !value.expose().trim().is_empty()) {
                Some((name, value)) => EntryText::Variable(name.clone(), value.clone()),
                None => EntryText::Literal(self.ask.line(&format!("{}: {}:", account.id, blank.about))?),
            };
            if text == EntryText::Literal(String::new()) {
                let variable = account.key_variable().unwrap_or_default().to_owned();
                let set = blank.env.first().map(|name| format!("; set {name}")).unwrap_or_default();
                self.leave_out(&variable, format!("its entry needs `{field}`, {}{set}", blank.about));
                return Ok(());
            }
            account.blanks.push((field.clone(), text));
        }
        self.draft.accounts.push(account);
        Ok(())
    }

    fn leave_out(&mut self, variable: &str, why: String) {
        self.draft.left_out.push(LeftOut { variable: variable.to_owned(), why });
    }

    /// Adds a provider that was wished for, and of which no key is there.
    fn wished(&mut self, provider: &'a Provider) -> Result<(), InterviewError> {
        if !provider.needs_key() {
            return Ok(self.add(DraftAccount::of(provider))?);
        }
        if !self.typed(provider)? {
            let names = provider.key_env.join(" nor ");
            let text =
                format!("--provider {}: there is no key in {names}; set it in .env or in the environment", provider.id);
            return Err(InterviewError::Wish(text));
        }
        Ok(())
    }

    /// Asks for a key of this provider. Returns whether there is one.
    fn typed(&mut self, provider: &'a Provider) -> io::Result<bool> {
        let Some(key) = self.ask.key(&format!("Key of {} (not shown; Enter for none):", provider.name))? else {
            self.ask.say(&format!("No key, so no account of {}.", provider.name))?;
            return Ok(false);
        };
        let wanted = provider.key_env.first().cloned().unwrap_or_else(|| variable_of(&provider.id));
        let account = DraftAccount { key: Some(self.new_variable(&wanted, key)), ..DraftAccount::of(provider) };
        self.add(account)?;
        Ok(true)
    }

    fn new_variable(&mut self, wanted: &str, key: ApiKey) -> EntryText {
        let name = variables::free_name(wanted, &self.variables);
        self.variables.insert(name.clone(), key.clone());
        EntryText::Variable(name, key)
    }

    /// Asks for more accounts, until there are no more.
    fn more(&mut self) -> io::Result<()> {
        loop {
            let begin = if self.draft.accounts.is_empty() { "No account yet. Which one?" } else { "Another account?" };
            let question = "A provider such as groq, gemini or ollama, a base URL, or Enter to go on:";
            let typed = self.ask.line(&format!("{begin} {question}"))?;
            if typed.is_empty() {
                return Ok(());
            }
            if typed.starts_with("http://") || typed.starts_with("https://") {
                self.at_url(&typed)?;
            } else if let Some(provider) = self.providers.find_by_word(&typed) {
                if provider.needs_key() {
                    self.typed(provider)?;
                } else {
                    self.add(DraftAccount::of(provider))?;
                }
            } else {
                let near = self.providers.nearest(&typed).map(|near| format!(" Did you mean {near}?"));
                self.ask.say(&format!("No provider of this name is known.{}", near.unwrap_or_default()))?;
            }
        }
    }

    /// Adds an account at a base URL of which nothing is known. An endpoint at the end is cut off.
    fn at_url(&mut self, typed: &str) -> io::Result<()> {
        let base = base_of(typed).unwrap_or_else(|| typed.to_owned());
        if let Err(why) = check_base_url(&base) {
            return self.ask.say(&format!("This {why}."));
        }
        let host = url::Url::parse(&base).ok().and_then(|url| url.host_str().map(str::to_owned));
        let Some(host) = host else { return self.ask.say("This is no URL.") };
        if base != typed {
            self.ask.say(&format!("The base URL is {base}"))?;
        }
        match known_at(&base, &host, self.providers) {
            Some(known) if known.needs_key() => return self.typed(known).map(drop),
            Some(known) => return self.add(DraftAccount::of(known)),
            None => {}
        }
        let parts: Vec<&str> = host.split('.').filter(|part| !matches!(*part, "api" | "www")).collect();
        let id = parts.first().copied().unwrap_or("api").to_owned();
        let key = self.ask.key("Its key (not shown; Enter for none):")?;
        let key = match key {
            Some(key) => self.new_variable(&variable_of(&id), key),
            // Any text will do where no key is needed.
            None => EntryText::Literal("none".to_owned()),
        };
        let address = Some((WireFormat::OpenAi, EntryText::Literal(base)));
        let (blanks, group, plan) = (Vec::new(), None, None);
        self.add(DraftAccount { id, provider: None, key: Some(key), address, blanks, group, plan })
    }

    /// Gives each account an id of its own.
    fn unique_ids(&mut self) {
        let mut taken: Vec<String> = Vec::new();
        for account in &mut self.draft.accounts {
            let numbered = (2..).map(|n: u32| format!("{}-{n}", account.id));
            let free = std::iter::once(account.id.clone()).chain(numbered).find(|id| !taken.contains(id));
            account.id = free.unwrap_or_default();
            taken.push(account.id.clone());
        }
    }
}

/// Returns a name for the variable with a key of an API without a preset.
fn variable_of(id: &str) -> String {
    let upper = id.to_ascii_uppercase();
    let plain: String = upper.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let digits = if plain.starts_with(|c: char| c.is_ascii_digit()) { "API_" } else { "" };
    format!("{digits}{plain}_API_KEY")
}

#[cfg(test)]
mod tests;
