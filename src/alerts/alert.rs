//! What happened, as data. Pure.

use actix::prelude::*;
use serde::Serialize;
use serde_json::Number;

use crate::types::{AlertEvent, iso};

/// An event has occurred. Sent by the owner of the fact, by an [`AlertSender`](super::AlertSender). A lost one costs the message.
#[derive(Debug, Clone, PartialEq, Message)]
#[rtype(result = "()")]
pub struct Alert {
    /// What happened.
    pub event: AlertEvent,
    /// When (ms since the Unix epoch).
    pub at: i64,
    /// To whom, and how much.
    pub facts: AlertFacts,
}

/// The facts of an event, as far as there are any.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AlertFacts {
    /// The account, by `id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api: Option<String>,
    /// The group of accounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The client key, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The limit or budget, by the name of the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// How much of the limit is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used: Option<Number>,
    /// How much the limit allows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most: Option<Number>,
    /// When the limit frees, or when the account is asked again (ms since the Unix epoch).
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_time")]
    pub until: Option<i64>,
    /// Why, as a word of `/v1/status`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What to do, or what is wrong, in words of our own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

fn as_time<S: serde::Serializer>(at: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    at.map(iso).serialize(serializer)
}

impl Alert {
    /// Returns the alert of an event.
    pub fn new(event: AlertEvent, at: i64, facts: AlertFacts) -> Alert {
        Alert { event, at, facts }
    }
}
