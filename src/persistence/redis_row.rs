//! What a server tells the shared store of a quota, and what the store tells back, as JSON.

use quota::{CountRecord, Grant, QuotaRecord, SharedGrant, Units, guarded};
use serde::Deserialize;
use serde_json::{Value, json};

use super::redis::{LEARN_MS, LEASE_MS};
use super::{Ask, StoreError};
use crate::types::{Limits, QuotaKind};

/// What this server last knew of a quota as a whole, so that it can be told to a store that has forgotten.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory {
    /// The life of the store that it was learned from.
    epoch: Option<String>,
    /// When the day ends that is counted; 0 where a day is any 24 hours.
    day_end: i64,
    /// Requests of the day, everybody's.
    requests: u64,
    /// Tokens of the day, everybody's.
    tokens: u64,
    /// What this server had counted when its row was lost, or put together with others': that is known there in another
    /// way, and its row is to hold only what came later.
    told: Option<QuotaRecord>,
    /// There is a row of this server.
    row: bool,
    /// There was one, and nobody knows why it is not there.
    lost: bool,
}

/// What an answer was.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Learned {
    /// All that there is to know. So much of what others used in the day is this server's own, told earlier: requests, tokens.
    Known(u64, u64),
    /// The row of this server is not there any more: the store is to be asked again.
    Missing,
}

impl Memory {
    /// What is known from an earlier life of this server.
    pub(super) fn of(ask: &Ask) -> Memory {
        let Some(record) = &ask.remembered else { return Memory::default() };
        Memory {
            epoch: record.epoch.clone(),
            day_end: record.requests.day_end,
            requests: used_in_day(&record.requests) + record.requests.granted,
            tokens: used_in_day(&record.tokens) + record.tokens.granted,
            ..Memory::default()
        }
    }

    /// The store has answered.
    pub(super) fn learned(&mut self, ask: &Ask, reply: &Reply) -> Learned {
        if let Some(missing) = &reply.missing {
            (self.row, self.lost) = (false, missing == "lost");
            self.told = Some(ask.record.clone());
            return Learned::Missing;
        }
        let Some(others) = &reply.others else { return Learned::Known(0, 0) };
        (self.row, self.lost) = (true, false);
        let (requests, tokens) = self.own(ask);
        let granted = reply.granted.unwrap_or_default();
        self.epoch = Some(reply.epoch.clone());
        self.day_end = ask.record.requests.day_end;
        self.requests = others.r.1 + used_in_day(&requests) + requests.granted + granted.r;
        self.tokens = others.t.1 + used_in_day(&tokens) + tokens.granted + granted.t;
        let told = |all: &CountRecord, own: &CountRecord| used_in_day(all).saturating_sub(used_in_day(own));
        Learned::Known(told(&ask.record.requests, &requests), told(&ask.record.tokens, &tokens))
    }

    /// Must there be a row of this server? It is kept while it says anything of the day.
    fn has_row(&self, ask: &Ask) -> bool {
        let same_day = self.day_end == ask.record.requests.day_end;
        self.row && same_day && (self.day_end > 0 || self.requests + self.tokens > 0)
    }

    /// What the server has counted and holds that the store does not know in another way, of requests and of tokens.
    fn own(&self, ask: &Ask) -> (CountRecord, CountRecord) {
        let since = |counts: &CountRecord, wanted: u64, told: Option<&CountRecord>| {
            let mut own = counts.clone();
            own.granted = own.granted.saturating_sub(wanted);
            let Some(told) = told else { return own };
            own.log = without(&own.log, &told.log, ask.record.saved_wall - guarded(60_000) as i64);
            own.day_log = without(&own.day_log, &told.day_log, ask.record.saved_wall - guarded(86_400_000) as i64);
            if own.day_end == told.day_end {
                own.used_today = own.used_today.saturating_sub(told.used_today);
                own.carried = own.carried.saturating_sub(told.carried);
            }
            own
        };
        let told = self.told.as_ref();
        (
            since(&ask.record.requests, ask.wanted.requests, told.map(|told| &told.requests)),
            since(&ask.record.tokens, ask.wanted.tokens, told.map(|told| &told.tokens)),
        )
    }
}

/// A log, oldest first, without what was told of it already and is not older than `since`.
fn without(log: &[(i64, u64)], told: &[(i64, u64)], since: i64) -> Vec<(i64, u64)> {
    let mut left: u64 = told.iter().filter(|(at, _)| *at > since).map(|(_, count)| count).sum();
    let later = log.iter().map(|(at, count)| {
        let known = left.min(*count);
        left -= known;
        (*at, count - known)
    });
    later.filter(|(_, count)| *count > 0).collect()
}

fn used_in_day(counts: &CountRecord) -> u64 {
    counts.used_today + counts.day_log.iter().map(|(_, count)| count).sum::<u64>()
}

/// The ask, as the script reads it: the `nth` in this `epoch` of the store. If what is remembered is of another epoch, or was
/// lost, it is told.
pub(super) fn row(ask: &Ask, memory: &mut Memory, (epoch, nth): (&str, u64)) -> Value {
    let forgotten = memory.epoch.as_deref().is_some_and(|known| known != epoch);
    let known = (forgotten || memory.lost).then(|| known(ask, memory));
    if forgotten {
        memory.told = Some(ask.record.clone());
        memory.row = false;
    }
    let (requests, tokens) = memory.own(ask);
    let now = ask.record.saved_wall;
    let day = &ask.record.requests;
    let units = |units: Units| json!({ "r": units.requests, "t": units.tokens, "c": units.slots });
    let mut told = json!({
        "lease": LEASE_MS,
        "learn": LEARN_MS,
        "minute": guarded(60_000),
        "any_day": guarded(86_400_000),
        "limits": limits(&ask.limits),
        "wanted": units(ask.wanted),
        "needed": units(ask.needed),
        "has": memory.has_row(ask),
        "lost": memory.lost,
        "row": {
            "n": nth,
            "de": day.day_end,
            "c": ask.slots,
            "r": counts(&requests, now),
            "t": counts(&tokens, now),
        },
    });
    if let Some(fields) = told.as_object_mut() {
        let calendar = (day.day_end > 0).then(|| json!([day.day_start, day.day_end]));
        fields.extend(calendar.map(|day| ("day".to_owned(), day)));
        fields.extend(known.map(|known| ("known".to_owned(), known)));
    }
    told
}

/// A row for what is remembered: used, and nothing that is held.
fn known(ask: &Ask, memory: &Memory) -> Value {
    let day_end = ask.record.requests.day_end;
    let part = |used: u64| match day_end {
        // When it was used is forgotten: just now, at worst.
        0 => json!({ "o": 0, "u": 0, "k": 0, "l": [], "d": [[0, used]] }),
        _ => json!({ "o": 0, "u": if memory.day_end == day_end { used } else { 0 }, "k": 0, "l": [], "d": [] }),
    };
    json!({ "x": 0, "de": day_end, "c": 0, "r": part(memory.requests), "t": part(memory.tokens) })
}

fn counts(counts: &CountRecord, now: i64) -> Value {
    let ages = |log: &[(i64, u64)]| log.iter().map(|(at, count)| json!([now - at, count])).collect::<Value>();
    json!({
        "o": counts.granted,
        "u": counts.used_today,
        "k": counts.carried,
        "l": ages(&counts.log),
        "d": ages(&counts.day_log),
    })
}

/// Only those that there are: the script takes a null for a value.
fn limits(limits: &Limits) -> Value {
    let all = [
        ("rpm", limits.rpm.bound()),
        ("rpd", limits.rpd.bound()),
        ("tpm", limits.tpm.bound()),
        ("tpd", limits.tpd.bound()),
        ("burst", limits.burst.map(|burst| burst.requests)),
        ("burst_ms", limits.burst.map(|burst| guarded(burst.span_ms))),
        ("slots", limits.max_concurrent.map(u64::from)),
    ];
    let some = all.into_iter().filter_map(|(name, bound)| Some((name.to_owned(), json!(bound?))));
    Value::Object(some.collect())
}

/// What the script answers. Without `others` it has only told its time and its epoch.
#[derive(Debug, Deserialize)]
pub(super) struct Reply {
    now: i64,
    #[serde(default)]
    pub(super) epoch: String,
    /// How much this epoch has counted.
    #[serde(default)]
    pub(super) serial: u64,
    /// Why the row of this server is not there, if it should be.
    missing: Option<String>,
    granted: Option<Granted>,
    #[serde(default)]
    slots: u32,
    denied: Option<(String, i64)>,
    others: Option<Others>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
struct Granted {
    r: u64,
    t: u64,
    c: u32,
}

/// Used by others: in the minute, and in the day.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Others {
    r: (u64, u64),
    t: (u64, u64),
}

impl Reply {
    /// Reads an answer.
    pub(super) fn parse(text: &str) -> Result<Reply, StoreError> {
        serde_json::from_str(text).map_err(|e| StoreError::new("the shared store's answer can't be read", e))
    }

    /// The grant that it is. An answer that says only that the clocks differ grants nothing. `told` is what of others' use is
    /// this server's own.
    pub(super) fn into_grant(self, told: (u64, u64)) -> Grant {
        let granted = self.granted.unwrap_or_default();
        let kind = |name: &str| QuotaKind::ALL.into_iter().find(|kind| kind.as_str() == name);
        let denied = self.denied.map(|(name, ms)| (kind(&name), u64::try_from(ms).unwrap_or(0)));
        let lasts_ms = if self.others.is_some() { LEASE_MS } else { 0 };
        let elsewhere = self.others.map_or_else(Default::default, |others| (others.r, others.t));
        Grant {
            units: Units { requests: granted.r, tokens: granted.t, slots: granted.c },
            shared: Some(SharedGrant {
                lasts_ms,
                slots: self.slots,
                denied,
                requests: (elsewhere.0.0, elsewhere.0.1.saturating_sub(told.0)),
                tokens: (elsewhere.1.0, elsewhere.1.1.saturating_sub(told.1)),
                wall: self.now,
                epoch: self.epoch,
            }),
        }
    }
}
