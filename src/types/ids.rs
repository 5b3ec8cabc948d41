//! Identifiers as types of their own, not to be confused with each other or with plain text.

use std::fmt;
use std::sync::Arc;

use quota::ListedLimit;
use serde::{Deserialize, Serialize};

use super::LedgerId;

/// The `id` of an entry of `apis`: the name in requests, logs and answers. What is kept of the entry has a [`LedgerId`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ApiId(Arc<str>);

impl ApiId {
    /// Returns the id, as in the configuration.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for ApiId {
    fn from(id: &str) -> Self {
        ApiId(Arc::from(id))
    }
}

impl fmt::Display for ApiId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The owner of a quota. Counts belong to the owner, across reloads and restarts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QuotaId {
    owner: Owner,
    model: Option<Arc<str>>,
    /// Of a limit of the list `limits`: what is counted, and the key of the period (`usd:month`).
    limit: Option<Arc<str>>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Owner {
    Api(LedgerId),
    Group(Arc<str>),
    Key(Arc<str>),
}

impl QuotaId {
    /// Returns the id of the quota of an entry of `apis`.
    pub fn of_api(ledger: &LedgerId) -> QuotaId {
        QuotaId { owner: Owner::Api(ledger.clone()), model: None, limit: None }
    }

    /// Returns the id of the quota of a `quotaGroup`.
    pub fn of_group(name: &Arc<str>) -> QuotaId {
        QuotaId { owner: Owner::Group(name.clone()), model: None, limit: None }
    }

    /// Returns the id of the quota of a client's key, by the key's name.
    pub fn of_key(name: &Arc<str>) -> QuotaId {
        QuotaId { owner: Owner::Key(name.clone()), model: None, limit: None }
    }

    /// Returns the same owner's id for one model, by the upstream's own name.
    pub fn for_model(&self, model: &Arc<str>) -> QuotaId {
        QuotaId { model: Some(model.clone()), ..self.clone() }
    }

    /// Returns the same owner's id for a limit of the list `limits`. Another amount is the same limit, another period is another one.
    pub fn for_limit(&self, limit: ListedLimit) -> QuotaId {
        let name = format!("{}:{}", limit.unit.as_str(), limit.period.key());
        QuotaId { limit: Some(Arc::from(name)), ..self.clone() }
    }

    /// Returns whether the quota has the owner and the model of `other`, whatever it counts.
    pub fn is_of(&self, other: &QuotaId) -> bool {
        self.owner == other.owner && self.model == other.model
    }

    /// Returns the names of the account (of its ledger), the group, the client's key and the model, as far as the quota has them.
    pub fn names(&self) -> [Option<&str>; 4] {
        let (api, group, key) = match &self.owner {
            Owner::Api(ledger) => (Some(ledger.as_str()), None, None),
            Owner::Group(name) => (None, Some(&**name), None),
            Owner::Key(name) => (None, None, Some(&**name)),
        };
        [api, group, key, self.model.as_deref()]
    }

    /// Returns the name for people: an entry has its present id, not the one of its ledger.
    pub fn shown(&self, api: &ApiId) -> String {
        match (&self.owner, &self.model) {
            (Owner::Api(_), Some(model)) => format!("{api}, {model}"),
            (Owner::Api(_), None) => api.to_string(),
            (Owner::Group(_) | Owner::Key(_), _) => self.to_string(),
        }
    }

    /// Returns the name of the owner for people, without the model.
    pub fn owner_shown(&self, api: &ApiId) -> String {
        match &self.owner {
            Owner::Api(_) => api.to_string(),
            Owner::Group(_) | Owner::Key(_) => QuotaId { model: None, ..self.clone() }.to_string(),
        }
    }

    /// Returns a unique text: `api:ID`, `group:NAME:MODEL`, `limit:usd:month:key:NAME`. A colon in a name is written `%3A`.
    pub fn key(&self) -> String {
        let plain = |name: &str| name.replace('%', "%25").replace(':', "%3A");
        let owner = match &self.owner {
            Owner::Api(ledger) => format!("api:{}", plain(ledger.as_str())),
            Owner::Group(name) => format!("group:{}", plain(name)),
            Owner::Key(name) => format!("key:{}", plain(name)),
        };
        let all = match &self.model {
            Some(model) => format!("{owner}:{}", plain(model)),
            None => owner,
        };
        match &self.limit {
            Some(limit) => format!("limit:{limit}:{all}"),
            None => all,
        }
    }
}

impl fmt::Display for QuotaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.owner {
            Owner::Api(ledger) => write!(f, "{ledger}")?,
            Owner::Group(name) => write!(f, "group {name}")?,
            Owner::Key(name) => write!(f, "key {name}")?,
        }
        match &self.model {
            Some(model) => write!(f, ", {model}"),
            None => Ok(()),
        }
    }
}

/// Our own name for a request, sent as `x-request-id` unless the upstream gave one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId([u8; 28]);

impl RequestId {
    /// Returns a fresh id: 96 random bits, so that ids of many replicas don't meet.
    pub fn generate() -> Self {
        let random: [u8; 12] = rand::random();
        let nibbles = random.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        let mut id = *b"req_000000000000000000000000";
        for (digit, nibble) in id.iter_mut().skip(4).zip(nibbles) {
            *digit = if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
        }
        RequestId(id)
    }

    /// Returns the id for the client and the log.
    pub fn as_str(&self) -> &str {
        // Of ASCII alone.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use quota::{LimitUnit, Period};

    use super::*;

    #[test]
    fn no_two_quotas_have_one_key() {
        let api = |id: &str| QuotaId::of_api(&LedgerId::from(id));
        let model = |name: &str| Arc::<str>::from(name);
        let ids = [
            api("a"),
            api("a:m"),
            api("a%3Am"),
            api("a").for_model(&model("m")),
            api("a").for_model(&model("")),
            api("a").for_model(&model("m:free")),
            QuotaId::of_group(&model("a")),
            QuotaId::of_group(&model("a:m")),
            QuotaId::of_key(&model("a")),
            QuotaId::of_group(&model("a")).for_model(&model("m")),
        ];
        let keys: std::collections::BTreeSet<String> = ids.iter().map(QuotaId::key).collect();
        assert_eq!(keys.len(), ids.len(), "{keys:?}");
        assert_eq!(ids[5].key(), "api:a:m%3Afree");
        let limit = |period| ListedLimit { amount: 1, unit: LimitUnit::Requests, period };
        let weekly = ids[5].for_limit(limit(Period::Week));
        assert_eq!(weekly.key(), "limit:requests:week:api:a:m%3Afree");
        assert_eq!(api("a").for_limit(limit(Period::Hours(24))), api("a").for_limit(limit(Period::Days(1))));
    }
}
