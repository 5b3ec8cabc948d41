//! Identifiers, each of a type of its own.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The `id` of an entry of `apis`. Quotas and statistics belong to an id, across reloads and restarts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ApiId(Arc<str>);

impl ApiId {
    /// Returns the id as in the configuration.
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

/// The owner of a quota, and the model. Counts belong to this id, across reloads and restarts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QuotaId {
    owner: Owner,
    model: Option<Arc<str>>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Owner {
    Api(ApiId),
    Group(Arc<str>),
}

impl QuotaId {
    /// Returns the id of the quota of an entry of `apis`.
    pub fn of_api(api: &ApiId) -> QuotaId {
        QuotaId { owner: Owner::Api(api.clone()), model: None }
    }

    /// Returns the id of the quota of a `quotaGroup`.
    pub fn of_group(name: &Arc<str>) -> QuotaId {
        QuotaId { owner: Owner::Group(name.clone()), model: None }
    }

    /// Returns the id of the same owner's quota for one model, by the upstream's own name.
    pub fn for_model(&self, model: &Arc<str>) -> QuotaId {
        QuotaId { owner: self.owner.clone(), model: Some(model.clone()) }
    }

    /// Returns a text unique to the quota: `api:ID`, `group:NAME:MODEL`. A colon in a name is written `%3A`.
    pub fn key(&self) -> String {
        let plain = |name: &str| name.replace('%', "%25").replace(':', "%3A");
        let owner = match &self.owner {
            Owner::Api(api) => format!("api:{}", plain(api.as_str())),
            Owner::Group(name) => format!("group:{}", plain(name)),
        };
        match &self.model {
            Some(model) => format!("{owner}:{}", plain(model)),
            None => owner,
        }
    }
}

impl fmt::Display for QuotaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.owner {
            Owner::Api(api) => write!(f, "{api}")?,
            Owner::Group(name) => write!(f, "group {name}")?,
        }
        match &self.model {
            Some(model) => write!(f, ", {model}"),
            None => Ok(()),
        }
    }
}

/// Our id of a request, sent as `x-request-id` unless the upstream gave one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// Returns a fresh id: 96 random bits, as many replicas make ids.
    pub fn generate() -> Self {
        let random: [u8; 12] = rand::random();
        let hex = random.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        let digits = hex.filter_map(|digit| char::from_digit(u32::from(digit), 16));
        let mut id = String::with_capacity(28);
        id.push_str("req_");
        id.extend(digits);
        RequestId(Arc::from(id))
    }

    /// Returns the id as sent and logged.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_quotas_have_one_key() {
        let api = |id: &str| QuotaId::of_api(&ApiId::from(id));
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
            QuotaId::of_group(&model("a")).for_model(&model("m")),
        ];
        let keys: std::collections::BTreeSet<String> = ids.iter().map(QuotaId::key).collect();
        assert_eq!(keys.len(), ids.len(), "{keys:?}");
        assert_eq!(ids[5].key(), "api:a:m%3Afree");
    }
}
