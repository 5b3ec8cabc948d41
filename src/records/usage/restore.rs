//! The ledger, restored from disk at the start of the process.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;

use super::moment_of;
use crate::persistence::UsageReader;
use crate::types::{UsageChange, UsageSpan};
use crate::usage::{UsageLedger, read_period};

/// How far back, in ms, days may have ended that nobody has sealed: longer than hours are kept.
const UNSEALED_MS: i64 = 4 * 86_400_000;

/// How far ahead, in ms, a clock may have been that was set back.
const AHEAD_MS: i64 = 2 * 86_400_000;

/// Returns the ledger at `wall` (ms since the Unix epoch), and what has to be written: the seals of days that ended while no process
/// ran.
pub fn restore_usage(reader: &UsageReader, zone: &TimeZone, wall: i64) -> (UsageLedger, Vec<UsageChange>) {
    let mut latest = wall;
    // After a clock was set back, the open hour is still the later one: the ledger never opens what is on disk.
    reader.show(UsageSpan::Hour, wall..wall.saturating_add(AHEAD_MS), |start, _| latest = latest.max(start));
    let now = moment_of(latest, zone);
    let since = now.day.saturating_sub(UNSEALED_MS);
    let mut sealed = BTreeSet::new();
    reader.show(UsageSpan::Day, since..i64::MAX, |start, _| {
        sealed.insert(start);
    });
    let mut number = reader.number() + 1;
    let mut unsealed: BTreeMap<i64, UsageLedger> = BTreeMap::new();
    let mut hour = Vec::new();
    let mut today = Vec::new();
    reader.show(UsageSpan::Hour, since..i64::MAX, |start, blocks| {
        let moment = moment_of(start, zone);
        if start == now.hour {
            hour = blocks.to_vec();
        }
        if sealed.contains(&moment.day) {
            return;
        }
        let ledger = unsealed.entry(moment.day).or_insert_with(|| {
            number += 1;
            UsageLedger::open(moment, number, false)
        });
        read_period(blocks, None).for_each(|block| ledger.load(UsageSpan::Day, &block));
    });
    reader.show(UsageSpan::Day, now.day..now.day + 1, |_, blocks| today = blocks.to_vec());
    let open = unsealed.remove(&now.day);
    let changes = unsealed.into_values().flat_map(UsageLedger::seal).collect();
    let mut ledger = open.unwrap_or_else(|| UsageLedger::open(now, 0, sealed.contains(&now.day)));
    ledger.go_on(now, number + 1);
    read_period(&today, None).for_each(|block| ledger.load(UsageSpan::Day, &block));
    read_period(&hour, None).for_each(|block| ledger.load(UsageSpan::Hour, &block));
    (ledger, changes)
}
