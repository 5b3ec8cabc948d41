//! What an operator may be told of by a webhook.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An event. Each occurrence is told once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertEvent {
    /// 90 % of a limit of an hour or more, or of a budget, is used.
    #[serde(rename = "limit_90")]
    Limit90,
    /// A limit of an hour or more is used up.
    #[serde(rename = "limit_100")]
    Limit100,
    /// A budget in money is spent.
    BudgetSpent,
    /// A provider refuses an account's key, or wants money first.
    KeyRefused,
    /// A provider says that a limit is reached, for ten minutes or longer.
    UpstreamLimited,
    /// An account fails, and is not asked for half a minute or longer.
    UpstreamDown,
    /// The account serves again, after one of the three before.
    UpstreamUp,
    /// The store of counts (the data folder, or Redis) can't be used.
    StoreDown,
    /// The store can be used again.
    StoreUp,
    /// The configuration's newest content has mistakes, and is not in force.
    ReloadFailed,
    /// The mistakes are mended, and the content is in force.
    ReloadOk,
}

impl AlertEvent {
    /// Every event, in the order of the documents.
    pub const ALL: [AlertEvent; 11] = [
        AlertEvent::Limit90,
        AlertEvent::Limit100,
        AlertEvent::BudgetSpent,
        AlertEvent::KeyRefused,
        AlertEvent::UpstreamLimited,
        AlertEvent::UpstreamDown,
        AlertEvent::UpstreamUp,
        AlertEvent::StoreDown,
        AlertEvent::StoreUp,
        AlertEvent::ReloadFailed,
        AlertEvent::ReloadOk,
    ];

    /// Returns the name in `on`.
    pub const fn as_str(self) -> &'static str {
        match self {
            AlertEvent::Limit90 => "limit_90",
            AlertEvent::Limit100 => "limit_100",
            AlertEvent::BudgetSpent => "budget_spent",
            AlertEvent::KeyRefused => "key_refused",
            AlertEvent::UpstreamLimited => "upstream_limited",
            AlertEvent::UpstreamDown => "upstream_down",
            AlertEvent::UpstreamUp => "upstream_up",
            AlertEvent::StoreDown => "store_down",
            AlertEvent::StoreUp => "store_up",
            AlertEvent::ReloadFailed => "reload_failed",
            AlertEvent::ReloadOk => "reload_ok",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_one_name_everywhere() {
        for event in AlertEvent::ALL {
            assert_eq!(serde_json::to_value(event).expect("a name"), event.as_str());
        }
    }
}
