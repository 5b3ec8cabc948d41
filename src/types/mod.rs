//! The vocabulary of all rooms: no I/O, no actix, and no import of a room.

mod alert;
mod app_name;
mod failure;
mod ids;
mod key_name;
mod ledger;
mod model_kind;
mod money;
mod name_list;
mod name_pattern;
mod object_key;
mod outcome;
mod parameters;
mod quick_map;
mod resource_name;
mod route;
mod session;
mod signal;
pub mod sorted;
mod time;
mod tokens;
mod usage;
mod usage_period;
mod wire_format;

pub use alert::AlertEvent;
pub use app_name::AppName;
pub use clock::{Now, SendProgress, SentAt, Uptime};
pub use failure::{ClassSet, Failure, FailureClass, LimitSpan, Phase};
pub use ids::{ApiId, QuotaId, RequestId};
pub use key_name::KeyName;
pub use ledger::{AccountDigest, LedgerId, LedgerRecord};
pub use model_kind::{is_for_chats, is_for_embeddings, is_small_model};
pub use money::{Cost, PartialPrice, Price, PriceFactor};
pub use name_list::NameList;
pub use name_pattern::{ByName, NamePattern};
pub use object_key::ObjectKey;
pub use outcome::{Outcome, Settlement};
pub use parameters::ParameterSet;
pub use quick_map::{QuickMap, QuickSet};
pub use quota::{Burst, Limit, Limits, QuotaKind, RateLimitSummary};
pub use resource_name::resource_name;
pub use route::{RouteId, Verb};
pub use session::{SessionHash, stable_hash};
pub use signal::Signal;
pub use time::{clock_time, iso};
pub use tokens::{DAYS_KEPT_MS, HOURS_KEPT_MS, Moment, TokenStats, TokenTotals};
pub use usage::{
    BilledSums, BilledUnit, BilledUnits, ByUnit, CountedTokens, TokenEstimate, TokenKinds, UnitNames, Usage,
    UsageDetails, UsageSource, tokens_of_text,
};
pub use usage_period::{UsageChange, UsagePeriod, UsageSpan};
pub use wire_format::{ByFormat, WireFormat};

/// Which upstreams may serve a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestTarget {
    /// Any that serves the model.
    Any,
    /// The home of an object that the request names. Nobody else knows the object.
    Home(ApiId),
}

/// What a request asks of the pool: the input of routing.
#[derive(Debug, Clone)]
pub struct Profile {
    /// The model, by the client's name.
    pub model: std::sync::Arc<str>,
    /// The called route.
    pub route: RouteId,
    /// The likely cost.
    pub estimate: TokenEstimate,
    /// The session, if the request names one: its requests prefer one upstream.
    pub session: Option<SessionHash>,
    /// The optional parameters of the request.
    pub parameters: ParameterSet,
    /// The ids of the APIs that are open to the client's key; `None` for all.
    pub apis: Option<std::sync::Arc<NameList>>,
}

impl Profile {
    /// Returns whether an API is open to the client's key.
    pub fn may_use(&self, api: &ApiId) -> bool {
        self.apis.as_ref().is_none_or(|apis| apis.has(api.as_str()))
    }

    /// Returns the name of what may serve the request.
    pub fn key(&self) -> ModelKey {
        ModelKey { format: self.route.format(), model: self.model.clone() }
    }
}

/// A model in one format. Other upstreams may serve the model in another format.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModelKey {
    /// The format of the request.
    pub format: WireFormat,
    /// The model, by the client's name.
    pub model: std::sync::Arc<str>,
}
