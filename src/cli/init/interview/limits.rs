//! Whose limits count together, and which published limits are written.

use std::io;

use super::{DraftAccount, Interview};
use crate::config::{LimitScope, Provider};

impl<'a> Interview<'a, '_> {
    /// Settles which keys of one provider are of different accounts.
    pub(super) fn groups(&mut self) -> io::Result<()> {
        let is_shared = |provider: &&Provider| provider.scope == Some(LimitScope::Account);
        for provider in self.in_use().into_iter().filter(is_shared) {
            let of_provider = |account: &&mut DraftAccount<'a>| account.provider.is_some_and(|p| p.id == provider.id);
            let ids: Vec<String> = self.draft.accounts.iter_mut().filter(of_provider).map(|a| a.id.clone()).collect();
            if ids.len() < 2 {
                continue;
            }
            let question =
                format!("Are the {} keys of {} of one account? It has one limit for all", ids.len(), provider.name);
            if !self.wishes.separate && self.ask.yes(&question, true)? {
                let text = format!("share the limits of one account of {}", provider.name);
                let mend =
                    "give each a `quotaGroup` of its own if they are different accounts (or init --separate-accounts)";
                self.draft.notes.push(format!("{} {text}; {mend}", ids.join(", ")));
                continue;
            }
            for account in self.draft.accounts.iter_mut().filter(of_provider) {
                account.group = Some(account.id.clone());
            }
        }
        Ok(())
    }

    /// Notes where a variable may be of another provider as well: keys of one site are not valid at the other.
    pub(super) fn doubts(&mut self) {
        for account in &self.draft.accounts {
            let (Some(variable), Some(taken)) = (account.key_variable(), account.provider) else { continue };
            let base = taken.key_env.iter().find(|base| variable.starts_with(base.as_str()));
            let others = self.providers.list().iter().filter(|other| other.id != taken.id && account.address.is_none());
            let others: Vec<&str> = others
                .filter(|other| base.is_some_and(|base| other.key_env.contains(base)))
                .map(|other| other.id.as_str())
                .collect();
            if !others.is_empty() && self.wishes.providers.is_empty() {
                let text = format!("{variable} is taken for {}, and may be of {}", taken.id, others.join(" or "));
                self.draft.notes.push(format!("{text}; then change `provider` in its entry"));
            }
        }
    }

    /// Settles which accounts are on a free plan.
    pub(super) fn plans(&mut self) -> io::Result<()> {
        for provider in self.in_use() {
            // The plan of the usual name, or else the only one.
            let Some((name, plan)) = provider.plans.get_key_value("free").or(provider.plans.iter().next()) else {
                continue;
            };
            let question =
                format!("Is {} on the plan \"{name}\"? Its limits of {} would be written", provider.name, plan.as_of);
            if !self.wishes.free && !self.ask.yes(&question, false)? {
                continue;
            }
            let note = plan.note.as_ref().map(|note| format!("; {note}")).unwrap_or_default();
            let text = format!(
                "{}: limits of the plan \"{name}\" as of {}, from {}{note}",
                provider.id, plan.as_of, plan.source
            );
            self.draft.notes.push(text);
            for account in &mut self.draft.accounts {
                if account.provider.is_some_and(|p| p.id == provider.id) {
                    account.plan = Some(plan);
                }
            }
        }
        Ok(())
    }

    /// Returns the providers of the draft, each once.
    fn in_use(&self) -> Vec<&'a Provider> {
        let mut providers: Vec<&Provider> = Vec::new();
        for provider in self.draft.accounts.iter().filter_map(|account| account.provider) {
            if !providers.iter().any(|known| known.id == provider.id) {
                providers.push(provider);
            }
        }
        providers
    }
}
