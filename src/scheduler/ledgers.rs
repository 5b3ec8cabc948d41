//! Finds the ledger of each entry of `apis`: a renamed entry keeps the counts of the account.
//!
//! 1. Base URL and key identify an account. An entry has the ledger of the entry's account, whatever the present and former ids are.
//! 2. A new base URL or key under the same id keeps the ledger of the id, since accounts get new keys.
//! 3. Where id and account change at once, `was` names the former id.
//! 4. A ledger has one entry. Of several claims the closest wins: see [`Claim`].
//! 5. An entry without a claim begins a new ledger.
//!
//! No actix, no clock, no I/O: a function of the known ledgers and the entries.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::{ApiConfig, GroupConfig};
use crate::types::{AccountDigest, ApiId, LedgerId, LedgerRecord, sorted};

/// Why an entry has a ledger, the closest claim first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claim {
    /// Id and account are as before.
    Same,
    /// The account is the same.
    Account,
    /// `was` names the id.
    Was,
    /// The id is the same, with another account.
    Id,
    /// The account was the same once.
    FormerAccount,
    /// `was` names an earlier id.
    FormerWas,
    /// The id was the same once.
    FormerId,
}

impl Claim {
    const ALL: [Claim; 7] =
        [Claim::Same, Claim::Account, Claim::Was, Claim::Id, Claim::FormerAccount, Claim::FormerWas, Claim::FormerId];

    fn holds(self, entry: &Claimant<'_>, record: &LedgerRecord) -> bool {
        let was = entry.api.was.as_ref();
        match self {
            Claim::Same => record.id() == Some(&entry.api.id) && record.is_of(&entry.accounts),
            Claim::Account => record.is_of(&entry.accounts),
            Claim::Was => was.is_some() && record.id() == was,
            Claim::Id => record.id() == Some(&entry.api.id),
            Claim::FormerAccount => record.was_of(&entry.accounts),
            Claim::FormerWas => was.is_some_and(|was| record.ids.contains(was)),
            Claim::FormerId => record.ids.contains(&entry.api.id),
        }
    }

    /// Returns the reason in a log line.
    fn why(self) -> &'static str {
        match self {
            Claim::Same | Claim::Account => "which had the same base URL and key",
            Claim::Was | Claim::FormerWas => "as \"was\" says",
            Claim::FormerAccount => "which once had the same base URL and key",
            Claim::Id | Claim::FormerId => "which had this id once",
        }
    }
}

struct Claimant<'a> {
    api: &'a ApiConfig,
    accounts: Vec<AccountDigest>,
}

/// All ledgers known to this process, configured or not.
#[derive(Debug, Default, Clone)]
pub(super) struct Ledgers(BTreeMap<LedgerId, LedgerRecord>);

/// What came of a new configuration.
#[derive(Debug)]
pub(super) struct Resolved {
    /// The entries, each with its ledger.
    pub(super) apis: Vec<Arc<ApiConfig>>,
    /// Records to save.
    pub(super) changed: Vec<(LedgerId, LedgerRecord)>,
    /// Lines for the log.
    pub(super) news: Vec<String>,
    /// Lines that warn.
    pub(super) warnings: Vec<String>,
}

impl Ledgers {
    /// Returns the ledgers of these records.
    pub(super) fn restore(records: Vec<(LedgerId, LedgerRecord)>) -> Ledgers {
        Ledgers(sorted::map(records))
    }

    /// Adds the records of another server. A ledger of both servers gets the other server's id and account: the other server may have
    /// renamed the entry while this server was stopped.
    pub(super) fn learn(&mut self, records: Vec<(LedgerId, LedgerRecord)>) {
        for (ledger, other) in records {
            self.0.entry(ledger).or_default().learn(&other);
        }
    }

    /// Returns the records of these entries.
    pub(super) fn of(&self, apis: &[Arc<ApiConfig>]) -> Vec<(LedgerId, LedgerRecord)> {
        apis.iter().filter_map(|api| Some((api.ledger.clone(), self.0.get(&api.ledger)?.clone()))).collect()
    }

    /// Returns the ledger of the entry that had this id last.
    pub(super) fn last_of(&self, id: &ApiId) -> Option<&LedgerId> {
        self.0.iter().find(|(_, record)| record.id() == Some(id)).map(|(ledger, _)| ledger)
    }

    /// Returns the end of an operator's rest (ms since the Unix epoch). The end may be in the past.
    pub(super) fn rested_until(&self, ledger: &LedgerId) -> Option<i64> {
        self.0.get(ledger)?.rested_until
    }

    /// Keeps the end of an operator's rest; `None` for no rest. Returns the record to save, if the record has changed.
    pub(super) fn rest_until(&mut self, ledger: &LedgerId, until: Option<i64>) -> Option<(LedgerId, LedgerRecord)> {
        let record = self.0.get_mut(ledger)?;
        let is_changed = record.rested_until != until;
        record.rested_until = until;
        is_changed.then(|| (ledger.clone(), record.clone()))
    }

    /// Finds the ledger of each entry.
    pub(super) fn resolve(&mut self, apis: &[Arc<ApiConfig>]) -> Resolved {
        let entries: Vec<Claimant<'_>> = apis.iter().map(|api| Claimant { api, accounts: api.accounts() }).collect();
        let claims = self.claims(&entries);
        let (mut changed, mut news, mut warnings) = (Vec::new(), Vec::new(), Vec::new());
        let mut ledgers = Vec::with_capacity(entries.len());
        for (entry, claim) in entries.iter().zip(claims) {
            let id = &entry.api.id;
            let ledger = claim.as_ref().map_or_else(|| self.unused_name(id), |(ledger, _)| ledger.clone());
            let record = self.0.entry(ledger.clone()).or_default();
            let before = record.clone();
            match (&claim, before.id()) {
                (Some((_, claim)), Some(old)) if old != id => {
                    news.push(format!("{id}: takes over the counts of {old}, {}", claim.why()));
                }
                (Some(_) | None, _) => {}
            }
            if let Some(was) = entry.api.was.as_ref().filter(|was| !before.ids.contains(was)) {
                warnings.push(format!(
                    "{id}: \"was\" names {was}, which was not configured here before, or has counts of its own in use"
                ));
            }
            record.claim(id, &entry.accounts);
            if *record != before {
                changed.push((ledger.clone(), record.clone()));
            }
            ledgers.push(ledger);
        }
        Resolved { apis: with_ledgers(apis, &ledgers), changed, news, warnings }
    }

    /// Returns each entry's closest claim. No two claims are to one ledger.
    fn claims(&self, entries: &[Claimant<'_>]) -> Vec<Option<(LedgerId, Claim)>> {
        let mut free = sorted::map(&self.0);
        let mut found = vec![None; entries.len()];
        for claim in Claim::ALL {
            for (entry, found) in entries.iter().zip(&mut found).filter(|(_, found)| found.is_none()) {
                // Most ledgers have the name of their entry, and a large pool need not be searched.
                let named = free.get_key_value(&LedgerId::first_of(&entry.api.id));
                let mut likely = named.into_iter().chain(&free);
                let ledger = likely.find(|(_, record)| claim.holds(entry, record)).map(|(ledger, _)| *ledger);
                if let Some(ledger) = ledger {
                    free.remove(ledger);
                    *found = Some((ledger.clone(), claim));
                }
            }
        }
        found
    }

    /// Returns a name for a new ledger: the id, or the id with a number if another account has counts under the id.
    fn unused_name(&self, id: &ApiId) -> LedgerId {
        let mut name = LedgerId::first_of(id);
        let mut number = 2_u64;
        while self.0.contains_key(&name) {
            name = LedgerId::from(format!("{id}~{number}").as_str());
            number += 1;
        }
        name
    }
}

/// Returns the entries with these ledgers. An entry without a rename is not copied.
fn with_ledgers(apis: &[Arc<ApiConfig>], ledgers: &[LedgerId]) -> Vec<Arc<ApiConfig>> {
    let of_members = |group: &GroupConfig| -> Vec<LedgerId> {
        let of_group = |api: &ApiConfig| api.group.as_ref().is_some_and(|other| other.name == group.name);
        apis.iter().zip(ledgers).filter(|(api, _)| of_group(api)).map(|(_, ledger)| ledger.clone()).collect()
    };
    let resolved = |(api, ledger): (&Arc<ApiConfig>, &LedgerId)| {
        let of_group = api.group.as_ref().map(|group| of_members(group));
        let is_as_typed = api.ledger == *ledger && api.group.as_ref().map(|group| &group.ledgers) == of_group.as_ref();
        if is_as_typed {
            return api.clone();
        }
        let group = api.group.as_ref().zip(of_group);
        let group = group.map(|(group, ledgers)| Arc::new(GroupConfig { ledgers, ..GroupConfig::clone(group) }));
        Arc::new(ApiConfig { ledger: ledger.clone(), group, ..ApiConfig::clone(api) })
    };
    apis.iter().zip(ledgers).map(resolved).collect()
}

#[cfg(test)]
mod tests;
