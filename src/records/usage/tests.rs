//! The ledger and a disk of maps: restarts at any moment, clocks that jump, bounds.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::ask::{Pages, sum};
use super::*;
use crate::persistence::{Change, Saved, Store, StoreError, UsageReader};
use crate::types::{Cost, LedgerId, QuotaId, TokenKinds, TokenStats, UsagePeriod, UsageSpan};
use crate::usage::{Bucket, CellNames, Dimension, OperationKind, UsageCounts, UsageQuery, UsageRow};

/// Usage on a disk of maps. Nothing else.
#[derive(Default)]
struct Disk(Mutex<BTreeMap<(UsageSpan, i64, u64), Vec<u8>>>);

impl Disk {
    fn apply(&self, changes: Vec<UsageChange>) {
        let mut kept = self.0.lock().expect("whole");
        for change in changes {
            match change {
                UsageChange::Put { period: UsagePeriod { span, start }, number, block } => {
                    assert!(kept.insert((span, start, number), block).is_none(), "a number was used twice");
                }
                UsageChange::Replace { period, before } => {
                    kept.retain(|(span, start, number), _| {
                        (*span, *start) != (period.span, period.start) || *number >= before
                    });
                }
                UsageChange::Forget(period) => {
                    kept.retain(|(span, start, _), _| *span != period.span || *start >= period.start);
                }
            }
        }
    }

    fn periods(&self, span: UsageSpan) -> usize {
        let kept = self.0.lock().expect("whole");
        let mut starts: Vec<i64> = kept.keys().filter(|(of, _, _)| *of == span).map(|(_, start, _)| *start).collect();
        starts.dedup();
        starts.len()
    }
}

impl Store for Disk {
    fn quota(&self, _: &QuotaId) -> Saved {
        Saved::default()
    }

    fn tokens(&self, _: &LedgerId) -> TokenStats {
        TokenStats::default()
    }

    fn usage(&self, of: UsageSpan, starts: Range<i64>, show: &mut dyn FnMut(i64, u64, &[u8])) {
        let kept = self.0.lock().expect("whole");
        for ((span, start, number), block) in kept.iter() {
            if *span == of && starts.contains(start) {
                show(*start, *number, block);
            }
        }
    }

    fn usage_number(&self) -> u64 {
        self.0.lock().expect("whole").keys().map(|(_, _, number)| *number).max().unwrap_or(0)
    }

    fn commit(&self, _: &[Change]) -> Result<(), StoreError> {
        Ok(())
    }
}

/// A server's ledger, with a disk that outlives restarts.
struct Server {
    disk: Arc<Disk>,
    ledger: UsageLedger,
    zone: TimeZone,
}

impl Server {
    fn start(disk: Arc<Disk>, zone: &str, at: &str) -> Server {
        let zone = TimeZone::get(zone).expect("a zone");
        let (ledger, changes) = restore_usage(&UsageReader::new(disk.clone()), &zone, wall(at));
        disk.apply(changes);
        Server { disk, ledger, zone }
    }

    fn new(at: &str) -> Server {
        Server::start(Arc::default(), "Europe/Berlin", at)
    }

    /// Dies at once.
    fn kill_and_start(self, at: &str) -> Server {
        let zone = self.zone.iana_name().expect("a name").to_owned();
        Server::start(self.disk, &zone, at)
    }

    fn save(&mut self) {
        self.disk.apply(self.ledger.take_changes());
    }

    fn count(&mut self, at: &str, names: [&str; 4], input: u64) {
        let tokens = TokenKinds { input, ..TokenKinds::default() };
        let cost = Cost::from_picodollars(7 * input);
        let counts = UsageCounts { requests: 1, tokens, cost, ..UsageCounts::default() };
        let names = CellNames { names, kind: OperationKind::Completions, proven: true };
        self.ledger.add(&names, &counts, moment_of(wall(at), &self.zone));
    }

    fn ask(&mut self, by: Bucket, group: &[Dimension]) -> (Vec<UsageRow>, UsageCounts) {
        self.save();
        let (group, zone) = (group.to_vec(), self.zone.clone());
        let query = UsageQuery { from: 0, to: i64::MAX, by, group, filters: Default::default(), kind: None, zone };
        let page = self.ledger.page(by.span());
        let pages = Pages { open: page, reader: UsageReader::new(self.disk.clone()), shared: None };
        sum(query, &pages).expect("few rows").sum.rows()
    }

    /// Returns the input tokens of each bucket.
    fn inputs(&mut self, by: Bucket) -> Vec<(String, u64)> {
        let (rows, _) = self.ask(by, &[]);
        let shown = |row: UsageRow| (crate::types::iso(row.start).replace(":00.000Z", "Z"), row.counts.tokens.input);
        rows.into_iter().map(shown).collect()
    }
}

fn wall(at: &str) -> i64 {
    at.parse::<Timestamp>().expect("a time").as_millisecond()
}

const CELL: [&str; 4] = ["team", "a", "m", "curl"];

fn of<const N: usize>(expected: [(&str, u64); N]) -> Vec<(String, u64)> {
    expected.into_iter().map(|(start, input)| (start.to_owned(), input)).collect()
}

#[test]
fn hours_days_and_months_are_the_same_sums_before_and_after_a_restart() {
    let mut server = Server::new("2026-11-28T10:10:00Z");
    server.count("2026-11-28T10:10:00Z", CELL, 1);
    server.count("2026-11-28T10:59:59Z", ["team", "b", "m", "curl"], 10);
    server.count("2026-11-28T11:00:00Z", CELL, 100);
    // Midnight in Berlin.
    server.count("2026-11-28T23:00:00Z", CELL, 1_000);
    server.count("2026-11-30T23:00:00Z", CELL, 10_000);
    let mut server = {
        let hours = of([("2026-11-28T23:00Z", 1_000), ("2026-11-30T23:00Z", 10_000)]);
        assert_eq!(server.inputs(Bucket::Hour), hours, "of two days");
        server.kill_and_start("2026-11-30T23:01:00Z")
    };
    let days = of([("2026-11-27T23:00Z", 111), ("2026-11-28T23:00Z", 1_000), ("2026-11-30T23:00Z", 10_000)]);
    assert_eq!(server.inputs(Bucket::Day), days);
    assert_eq!(server.inputs(Bucket::Month), of([("2026-10-31T23:00Z", 1_111), ("2026-11-30T23:00Z", 10_000)]));
    let (rows, total) = server.ask(Bucket::Month, &[Dimension::Api]);
    assert_eq!(rows.len(), 3);
    assert_eq!((total.requests, total.cost.picodollars()), (5, 7 * 11_111));
}

#[test]
fn a_kill_costs_nothing_that_was_saved_and_nothing_counts_twice() {
    let mut server = Server::new("2026-11-28T10:00:00Z");
    let mut unsaved = 0;
    for minute in 0..600 {
        let at = crate::types::iso(wall("2026-11-28T10:00:00Z") + minute * 17 * 60_000);
        server.count(&at, CELL, 1);
        unsaved += 1;
        if minute % 3 == 0 {
            server.save();
            unsaved = 0;
        }
        if minute % 7 == 0 {
            server = server.kill_and_start(&at);
            // What was not saved is asked again.
            (0..std::mem::take(&mut unsaved)).for_each(|_| server.count(&at, CELL, 1));
            server.save();
        }
        if minute % 50 == 0 {
            let (_, total) = server.ask(Bucket::Day, &[]);
            assert_eq!(total.requests, minute.cast_unsigned() + 1, "{at}");
            unsaved = 0;
        }
    }
    assert!(server.disk.periods(UsageSpan::Hour) <= 50, "two days of hours");
    let months = server.inputs(Bucket::Month);
    let days = server.inputs(Bucket::Day);
    assert_eq!(days.iter().map(|(_, input)| input).sum::<u64>(), 600);
    assert_eq!(months.iter().map(|(_, input)| input).sum::<u64>(), 600);
}

#[test]
fn a_day_that_ends_without_a_process_is_sealed_at_the_next_start() {
    let mut server = Server::new("2026-11-28T10:00:00Z");
    server.count("2026-11-28T10:00:00Z", CELL, 5);
    server.save();
    assert_eq!(server.disk.periods(UsageSpan::Day), 0);
    let mut server = server.kill_and_start("2026-11-30T08:00:00Z");
    assert_eq!(server.disk.periods(UsageSpan::Day), 1);
    server.count("2026-12-02T08:00:00Z", CELL, 7);
    assert_eq!(server.inputs(Bucket::Day), of([("2026-11-27T23:00Z", 5), ("2026-12-01T23:00Z", 7)]));
    assert_eq!(server.disk.periods(UsageSpan::Hour), 1, "hours are kept for two days");
}

#[test]
fn a_clock_set_back_over_midnight_loses_and_doubles_nothing() {
    let mut server = Server::new("2026-11-28T22:50:00Z");
    server.count("2026-11-28T22:50:00Z", CELL, 1);
    server.count("2026-11-28T23:10:00Z", CELL, 10);
    server.count("2026-11-28T22:55:00Z", CELL, 100);
    let days = of([("2026-11-27T23:00Z", 101), ("2026-11-28T23:00Z", 10)]);
    assert_eq!(server.inputs(Bucket::Day), days);
    // The start is in the day that was sealed.
    let mut server = server.kill_and_start("2026-11-28T22:56:00Z");
    assert_eq!(server.inputs(Bucket::Day), days);
    server.count("2026-11-28T22:57:00Z", CELL, 1_000);
    server.save();
    let mut server = server.kill_and_start("2026-11-28T22:58:00Z");
    server.count("2026-11-28T23:20:00Z", CELL, 20);
    let days = of([("2026-11-27T23:00Z", 1_101), ("2026-11-28T23:00Z", 30)]);
    assert_eq!(server.inputs(Bucket::Day), days);
    assert_eq!(server.inputs(Bucket::Hour), of([("2026-11-28T22:00Z", 1_101), ("2026-11-28T23:00Z", 30)]));
}

#[test]
fn names_and_cells_beyond_the_bounds_are_other_and_sums_lose_nothing() {
    let mut server = Server::new("2026-11-28T10:00:00Z");
    let mut asked = 0;
    for key in 0..1_100 {
        for model in 0..20 {
            let names =
                [format!("k{key}"), format!("a{}", key % 50), format!("m{}", key + model * 7), format!("p{model}")];
            server.count("2026-11-28T10:00:00Z", names.each_ref().map(String::as_str), 3);
            asked += 1;
        }
    }
    let (cells, total) = server.ask(Bucket::Day, &Dimension::ALL);
    assert_eq!((total.requests, total.tokens.input), (asked, 3 * asked));
    assert!((10_000..=11_001).contains(&cells.len()), "{}", cells.len());
    let (keys, _) = server.ask(Bucket::Day, &[Dimension::Key]);
    assert_eq!(keys.len(), 1_001);
    for row in keys {
        let expected = if row.names[0].as_deref() == Some("other") { 2_000 } else { 20 };
        assert_eq!(row.counts.requests, expected, "a key's own sums stay exact: {row:?}");
    }
    let (models, _) = server.ask(Bucket::Day, &[Dimension::Model]);
    assert!(models.len() <= 501);
    let mut server = server.kill_and_start("2026-11-28T10:30:00Z");
    assert!(server.ask(Bucket::Day, &Dimension::ALL).0 == cells, "the same cells");
}

#[test]
fn a_name_that_nothing_proved_is_other() {
    let mut server = Server::new("2026-11-28T10:00:00Z");
    let mut refused = |model: &str| {
        let names = CellNames { names: ["", "", model, "x"], kind: OperationKind::Completions, proven: false };
        let counts = UsageCounts { requests: 1, failed: 1, ..UsageCounts::default() };
        server.ledger.add(&names, &counts, moment_of(wall("2026-11-28T10:00:00Z"), &server.zone));
    };
    (0..1_000).for_each(|n| refused(&format!("no-such-model-{n}")));
    server.count("2026-11-28T10:00:00Z", CELL, 1);
    let (rows, _) = server.ask(Bucket::Day, &[Dimension::Model]);
    let rows: Vec<_> = rows.iter().map(|row| (row.names[2].as_deref().expect("a name"), row.counts.requests)).collect();
    assert_eq!(rows, [("m", 1), ("other", 1_000)]);
}

#[test]
fn a_damaged_block_is_no_panic() {
    let mut server = Server::new("2026-11-28T10:00:00Z");
    (0..9).for_each(|n| server.count("2026-11-28T10:00:00Z", ["team", "a", &format!("m{n}"), "curl"], 1 << (n * 6)));
    let block = server.ledger.page(UsageSpan::Day).block;
    for at in 0..block.len() {
        for byte in [0, 1, 0x7f, 0x80, 0xff] {
            let mut damaged = block.clone();
            damaged[at] = byte;
            if let Some(block) = crate::usage::UsageBlock::open(&damaged) {
                server.ledger.load(UsageSpan::Hour, &block);
            }
        }
        if let Some(cut) = crate::usage::UsageBlock::open(&block[..at]) {
            server.ledger.load(UsageSpan::Hour, &cut);
        }
    }
}
