//! What is kept of an account: counts, statistics and homes, in a *ledger* whose name outlives the id of the entry.

use std::fmt;
use std::sync::Arc;

use ring::digest::{Context, SHA256};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ApiId;

/// The name of a ledger: the id of the entry when the ledger was begun. A renamed entry keeps the ledger.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LedgerId(Arc<str>);

impl LedgerId {
    /// Returns the ledger of an entry that was never renamed.
    pub fn first_of(api: &ApiId) -> LedgerId {
        LedgerId::from(api.as_str())
    }

    /// Returns the home of an object that is gone. No entry has an empty id.
    pub fn nowhere() -> LedgerId {
        LedgerId::from("")
    }

    /// Returns the name, as stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for LedgerId {
    fn from(name: &str) -> Self {
        LedgerId(Arc::from(name))
    }
}

impl fmt::Display for LedgerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an account is recognised by: a part of the SHA-256 of base URL and key. Neither can be read from the digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AccountDigest(u128);

impl AccountDigest {
    /// Returns the digest of the account at this base URL with this key.
    pub fn of(base_url: &str, key: &str) -> AccountDigest {
        let mut context = Context::new(&SHA256);
        context.update(b"account:");
        context.update(base_url.as_bytes());
        // No URL has a line break: no other pair makes the same bytes.
        context.update(b"\n");
        context.update(key.as_bytes());
        // SHA-256 has 32 bytes.
        let half = context.finish().as_ref().first_chunk().copied().unwrap_or_default();
        AccountDigest(u128::from_be_bytes(half))
    }
}

impl Serialize for AccountDigest {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{:032x}", self.0))
    }
}

impl<'de> Deserialize<'de> for AccountDigest {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let hex = String::deserialize(from)?;
        u128::from_str_radix(&hex, 16).map(AccountDigest).map_err(serde::de::Error::custom)
    }
}

/// Whose ledger it is, as stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerRecord {
    /// The ids of the entry so far, the present one last.
    pub ids: Vec<ApiId>,
    /// The account, by each base URL of the entry.
    pub accounts: Vec<AccountDigest>,
    /// Accounts of the entry before its base URL or key changed, the last one last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<AccountDigest>,
    /// The end of a rest by an operator, on this server alone (ms since the Unix epoch).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rested_until: Option<i64>,
}

/// How many former ids and accounts a record keeps.
const MOST_FORMER: usize = 16;

impl LedgerRecord {
    /// Returns the present id of the entry.
    pub fn id(&self) -> Option<&ApiId> {
        self.ids.last()
    }

    /// Returns whether the entry has the account now.
    pub fn is_of(&self, accounts: &[AccountDigest]) -> bool {
        accounts.iter().any(|account| self.accounts.contains(account))
    }

    /// Returns whether the entry once had the account.
    pub fn was_of(&self, accounts: &[AccountDigest]) -> bool {
        accounts.iter().any(|account| self.former.contains(account))
    }

    /// Adds what another record of the same ledger says. The other's present entry counts.
    pub fn learn(&mut self, other: &LedgerRecord) {
        self.ids.retain(|known| !other.ids.contains(known));
        self.former.retain(|known| !other.former.contains(known));
        self.former.extend(&other.former);
        if let Some((id, before)) = other.ids.split_last() {
            self.ids.extend_from_slice(before);
            self.claim(id, &other.accounts);
        }
    }

    /// Records the present entry.
    pub fn claim(&mut self, id: &ApiId, accounts: &[AccountDigest]) {
        self.ids.retain(|known| known != id);
        self.ids.push(id.clone());
        let gone = std::mem::replace(&mut self.accounts, accounts.to_vec());
        self.former.extend(gone);
        self.former.retain(|account| !accounts.contains(account));
        let surplus = |len: usize| len.saturating_sub(MOST_FORMER);
        self.ids.drain(..surplus(self.ids.len()));
        self.former.drain(..surplus(self.former.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_stays_the_same_from_build_to_build_and_shows_neither_url_nor_key() {
        let digest = AccountDigest::of("https://api.example/v1/", "sk-0123456789");
        assert_ne!(digest, AccountDigest::of("https://api.example/v1/", "sk-0123456780"));
        assert_ne!(digest, AccountDigest::of("https://api.example/v2/", "sk-0123456789"));
        let stored = serde_json::to_string(&digest).expect("writes");
        // printf 'account:https://api.example/v1/\nsk-0123456789' | sha256sum | cut -c -32
        assert_eq!(stored, "\"9dee9c8c9c74cd11bb06b4a2abd499ea\"");
        assert_eq!(serde_json::from_str::<AccountDigest>(&stored).expect("reads"), digest);
    }

    #[test]
    fn a_record_keeps_the_last_names_and_accounts_of_its_entry() {
        let account = |n: u32| AccountDigest::of("https://api.example/v1/", &format!("sk-{n}"));
        let mut record = LedgerRecord::default();
        for n in 0..40 {
            record.claim(&ApiId::from(&*format!("a{n}")), &[account(n)]);
        }
        assert_eq!(record.id(), Some(&ApiId::from("a39")));
        assert!(record.is_of(&[account(39)]) && record.was_of(&[account(38)]) && !record.was_of(&[account(39)]));
        assert_eq!((record.ids.len(), record.former.len()), (MOST_FORMER, MOST_FORMER));
        record.claim(&ApiId::from("a30"), &[account(30)]);
        assert_eq!((record.ids.len(), record.id()), (MOST_FORMER, Some(&ApiId::from("a30"))));
        assert!(record.was_of(&[account(39)]) && !record.was_of(&[account(30)]), "not former any more");
    }
}
