//! The row of this server in a shared store, one for each quota, as JSON.

use quota::{CountRecord, GrantRequest, Pacing, QuotaRecord, Units, guarded};
use serde_json::{Value, json};

use super::Ask;
use super::script_reply::{LEASE_MS, ScriptReply};
use crate::types::Limits;

/// How long a store without memory grants nothing (ms). Earlier grants are used up by then, and have left every minute.
pub(super) const LEARN_MS: u64 = LEASE_MS + 61_000;

/// How long the names of departed servers are known, if the period is not shorter (ms).
const KNOWN_MS: u64 = guarded(86_400_000);

/// By how much a period of the calendar may be longer than its nominal length (ms): clocks are set back by an hour.
const CLOCK_CHANGE_MS: u64 = 3_600_000;

/// The last known totals of a quota, all servers together. A store without memory learns from here.
#[derive(Debug, Clone, Default)]
pub(super) struct LastKnownTotals {
    /// The store's epoch at the time of these totals.
    epoch: Option<String>,
    /// The end of the counted day; 0 where a day is any 24 hours.
    day_end: i64,
    /// Requests of the day.
    requests: u64,
    /// Tokens of the day.
    tokens: u64,
    /// This server's counts known to the store without the row: lost with the row, or merged into the row of departed servers. The
    /// row then holds only later counts.
    reported: Option<QuotaRecord>,
    /// Whether the store has a row of this server.
    has_row: bool,
    /// Whether the store lost the row for an unknown reason.
    lost_row: bool,
}

/// What an answer says of this server's row.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RowState {
    /// The row is there, or the store has only corrected the clock. So much of what the store counts for other servers is this
    /// server's own, reported earlier.
    Known(Units),
    /// The row is not there any more. The store has to be asked again.
    Missing,
}

/// What this server has counted and holds, as far as the row alone says so.
struct OwnCounts {
    requests: CountRecord,
    tokens: CountRecord,
}

impl LastKnownTotals {
    /// Returns the totals saved by an earlier process.
    pub(super) fn of(ask: &Ask) -> LastKnownTotals {
        let Some(record) = &ask.remembered else { return LastKnownTotals::default() };
        LastKnownTotals {
            epoch: record.epoch.clone(),
            day_end: record.requests.day_end,
            requests: used_in_day(&record.requests) + record.requests.granted,
            tokens: used_in_day(&record.tokens) + record.tokens.granted,
            ..LastKnownTotals::default()
        }
    }

    pub(super) fn record_reply(&mut self, ask: &Ask, reply: &ScriptReply) -> RowState {
        let all = &ask.request.record;
        if let Some(missing) = &reply.missing {
            self.has_row = false;
            self.lost_row = missing == "lost";
            self.reported = Some(all.clone());
            return RowState::Missing;
        }
        let Some(others) = &reply.others else { return RowState::Known(Units::default()) };
        self.has_row = true;
        self.lost_row = false;
        let OwnCounts { requests, tokens } = self.own_counts(ask);
        let granted = reply.granted.unwrap_or_default();
        self.epoch = Some(reply.epoch.clone());
        self.day_end = all.requests.day_end;
        self.requests = others.r.1 + used_in_day(&requests) + requests.granted + granted.r;
        self.tokens = others.t.1 + used_in_day(&tokens) + tokens.granted + granted.t;
        RowState::Known(Units {
            requests: used_in_day(&all.requests).saturating_sub(used_in_day(&requests)),
            tokens: used_in_day(&all.tokens).saturating_sub(used_in_day(&tokens)),
            slots: 0,
        })
    }

    /// Returns whether the store should have a row of this server: as long as the row says anything of the day.
    fn should_have_row(&self, ask: &Ask) -> bool {
        let is_same_day = self.day_end == ask.request.record.requests.day_end;
        self.has_row && is_same_day && (self.day_end > 0 || self.requests + self.tokens > 0)
    }

    fn own_counts(&self, ask: &Ask) -> OwnCounts {
        let record = &ask.request.record;
        let wanted = ask.request.wanted;
        let reported = self.reported.as_ref();
        let requests =
            CountRecord { granted: record.requests.granted.saturating_sub(wanted.requests), ..record.requests.clone() };
        let tokens =
            CountRecord { granted: record.tokens.granted.saturating_sub(wanted.tokens), ..record.tokens.clone() };
        OwnCounts {
            requests: unreported(requests, reported.map(|reported| &reported.requests), &ask.request),
            tokens: unreported(tokens, reported.map(|reported| &reported.tokens), &ask.request),
        }
    }
}

/// Returns the counts of a request without reported ones.
fn unreported(mut counts: CountRecord, reported: Option<&CountRecord>, request: &GrantRequest) -> CountRecord {
    let Some(reported) = reported else { return counts };
    let now = request.record.saved_wall;
    counts.log = later_entries(&counts.log, &reported.log, now - guarded(60_000) as i64);
    counts.day_log = later_entries(&counts.day_log, &reported.day_log, now - longest_period(request) as i64);
    if counts.day_end == reported.day_end {
        counts.used_today = counts.used_today.saturating_sub(reported.used_today);
        counts.carried = counts.carried.saturating_sub(reported.carried);
    }
    counts
}

/// Returns a log, oldest first, without the reported units after `since`.
fn later_entries(log: &[(i64, u64)], reported: &[(i64, u64)], since: i64) -> Vec<(i64, u64)> {
    let mut left: u64 = reported.iter().filter(|(at, _)| *at > since).map(|(_, count)| count).sum();
    let later = log.iter().map(|(at, count)| {
        let known = left.min(*count);
        left -= known;
        (*at, count - known)
    });
    later.filter(|(_, count)| *count > 0).collect()
}

/// Returns the length of the rolling period, or of the longest period of the calendar (ms).
fn longest_period(request: &GrantRequest) -> u64 {
    let is_rolling = request.record.requests.day_end == 0;
    guarded(request.limits.period().length_ms()) + if is_rolling { 0 } else { CLOCK_CHANGE_MS }
}

fn used_in_day(counts: &CountRecord) -> u64 {
    counts.used_today + counts.day_log.iter().map(|(_, count)| count).sum::<u64>()
}

/// Returns the ask in the form for the script: the `nth` of this server in this `epoch` of the store. Totals from another epoch, and
/// totals of a lost row, go along.
pub(super) fn replica_row(ask: &Ask, totals: &mut LastKnownTotals, epoch: &str, nth: u64) -> Value {
    let request = &ask.request;
    let is_forgotten = totals.epoch.as_deref().is_some_and(|known| known != epoch);
    let known = (is_forgotten || totals.lost_row).then(|| known_row(ask, totals));
    if is_forgotten {
        totals.reported = Some(request.record.clone());
        totals.has_row = false;
    }
    let OwnCounts { requests, tokens } = totals.own_counts(ask);
    let now = request.record.saved_wall;
    let day = &request.record.requests;
    let mut row = json!({
        "lease": LEASE_MS,
        "learn": LEARN_MS,
        "minute": guarded(60_000),
        "period": longest_period(request),
        "known_for": KNOWN_MS,
        "limits": limits(&request.limits),
        "wanted": units(request.wanted),
        "needed": units(request.needed),
        "has": totals.should_have_row(ask),
        "lost": totals.lost_row,
        "row": {
            "n": nth,
            "de": day.day_end,
            "c": request.slots,
            "r": counts(&requests, now),
            "t": counts(&tokens, now),
        },
    });
    if let Some(fields) = row.as_object_mut() {
        if day.day_end > 0 {
            fields.insert("day".to_owned(), json!([day.day_start, day.day_end]));
        }
        if let Some(pace) = pace(request) {
            fields.insert("pace".to_owned(), pace);
        }
        if let Some(known) = known {
            fields.insert("known".to_owned(), known);
        }
    }
    row
}

/// Returns a row of the last known totals: all used, nothing held.
fn known_row(ask: &Ask, totals: &LastKnownTotals) -> Value {
    let day_end = ask.request.record.requests.day_end;
    let part = |used: u64| match day_end {
        // The time of use is forgotten: just now, at worst.
        0 => json!({ "o": 0, "u": 0, "k": 0, "l": [], "d": [[0, used]] }),
        _ => json!({ "o": 0, "u": if totals.day_end == day_end { used } else { 0 }, "k": 0, "l": [], "d": [] }),
    };
    json!({ "x": 0, "de": day_end, "c": 0, "r": part(totals.requests), "t": part(totals.tokens) })
}

fn units(units: Units) -> Value {
    json!({ "r": units.requests, "t": units.tokens, "c": units.slots })
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

/// Returns how many units of each kind may be used at the beginning of the period, where the limits are spread.
fn pace(request: &GrantRequest) -> Option<Value> {
    let Limits { rpd, tpd, pacing, .. } = request.limits;
    let is_spread = pacing == Pacing::Spread && request.record.requests.day_end > 0;
    let [requests, tokens] = [rpd, tpd].map(|limit| limit.bound().map_or(0, |bound| pacing.at_once(bound)));
    is_spread.then(|| json!({ "r": requests, "t": tokens }))
}

/// Returns the set limits. (The script would take a null for a value.)
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
