//! Days with folds: the same answers as from cells, and no panic over damage.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use super::*;
use crate::types::{BilledSums, BilledUnit, Moment, TokenKinds, UsageChange, UsageSpan};

const DAY_MS: i64 = 86_400_000;

/// The begin of a day, and its blocks by their numbers.
type DayOnDisk = (i64, Vec<(u64, Vec<u8>)>);

/// The sealed block of a day in which every name meets many others.
fn day(nth: i64) -> Vec<u8> {
    let mut ledger = UsageLedger::open(Moment { wall: 0, hour: nth * DAY_MS, day: nth * DAY_MS }, 1, false);
    let moment = Moment { wall: 0, hour: nth * DAY_MS, day: nth * DAY_MS };
    for cell in 0..600_u64 {
        let names = [cell % 7, cell % 5, cell % 11, cell % 3].map(|name| format!("n{name}"));
        let mut names = names.each_ref().map(String::as_str);
        if cell % 13 == 0 {
            names = ["", "", "other", ""];
        }
        let kind = [OperationKind::Completions, OperationKind::Embeddings][usize::from(cell % 4 == 0)];
        let tokens = TokenKinds { input: cell * 31, output: cell % 2, ..TokenKinds::default() };
        let counts = UsageCounts { requests: 1 + cell % 3, tokens, ..UsageCounts::default() };
        let units = if cell % 9 == 0 { cell } else { 0 };
        let counts = counts.with_billed(BilledSums::of(BilledUnit::Search, units));
        ledger.add(&CellNames { names, kind, proven: true }, &counts, moment);
    }
    let mut blocks = ledger.seal().into_iter().filter_map(|change| match change {
        UsageChange::Put { period, block, .. } => (period.span == UsageSpan::Day).then_some(block),
        UsageChange::Replace { .. } | UsageChange::Forget(_) => None,
    });
    blocks.next_back().expect("a day")
}

fn query(by: Bucket, group: &[Dimension], wanted: Option<Dimension>, kind: Option<OperationKind>) -> UsageQuery {
    let mut filters: [Vec<String>; 4] = Default::default();
    for (dimension, names) in Dimension::ALL.into_iter().zip(&mut filters) {
        if wanted == Some(dimension) {
            *names = vec!["n1".to_owned(), "n2".to_owned(), "".to_owned()];
        }
    }
    UsageQuery { from: 0, to: 90 * DAY_MS, by, group: group.to_vec(), filters, kind, zone: TimeZone::UTC }
}

fn rows(query: &UsageQuery, days: &[DayOnDisk], fold: Option<Dimension>) -> Vec<UsageRow> {
    let mut sum = UsageSum::new(query.clone());
    for (start, blocks) in days {
        read_period(blocks, fold).try_for_each(|block| sum.add(*start, &block)).expect("few rows");
    }
    sum.rows().0
}

#[test]
fn folds_answer_every_question_as_cells_do() {
    let days = [0, 1, 40].map(|nth| (nth * DAY_MS, vec![(1, day(nth))]));
    let mut asked = BTreeMap::new();
    let wanted = Dimension::ALL.into_iter().map(Some).chain([None]);
    for wanted in wanted {
        for kind in [None, Some(OperationKind::Completions), Some(OperationKind::Embeddings)] {
            for groups in 0..16 {
                let group = Dimension::ALL.into_iter().enumerate().filter(|(nth, _)| groups >> nth & 1 == 1);
                let group: Vec<Dimension> = group.map(|(_, dimension)| dimension).collect();
                for by in [Bucket::Day, Bucket::Month] {
                    let query = query(by, &group, wanted, kind);
                    *asked.entry(query.fold().map(Dimension::as_str)).or_insert(0) += 1;
                    let cells = rows(&query, &days, None);
                    assert!(!cells.is_empty());
                    assert_eq!(rows(&query, &days, query.fold()), cells, "{query:?}");
                }
            }
        }
    }
    // One dimension, asked for twice or once: three questions, for three kinds, by day and month. Without any, the folds of apps.
    let expected = [(None, 402), (Some("api"), 18), (Some("app"), 24), (Some("key"), 18), (Some("model"), 18)];
    assert_eq!(asked.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn a_damaged_block_with_folds_is_no_panic() {
    let block = day(0);
    for fold in Dimension::ALL.into_iter().map(Some).chain([None]) {
        for at in (0..block.len().min(3_000)).step_by(7) {
            for byte in [0, 3, 0x80, 0xff] {
                let mut damaged = block.clone();
                damaged[at] = byte;
                for bytes in [&damaged, &damaged[..=at]] {
                    if let Some(opened) = UsageBlock::open_fold(bytes, fold) {
                        let _ = opened.cells(|_, _, _| {});
                    }
                }
            }
        }
    }
}

/// One cell of a day, with so many images.
fn one_cell(images: u64) -> Vec<u8> {
    let moment = Moment { wall: 0, hour: 0, day: 0 };
    let mut ledger = UsageLedger::open(moment, 1, false);
    let names = CellNames { names: ["k", "a", "m", "x"], kind: OperationKind::Images, proven: true };
    let tokens = TokenKinds { input: 70, ..TokenKinds::default() };
    let counts = UsageCounts { requests: 5, tokens, ..UsageCounts::default() };
    ledger.add(&names, &counts.with_billed(BilledSums::of(BilledUnit::Image, images)), moment);
    ledger.page(UsageSpan::Day).block
}

#[test]
fn a_block_without_units_is_as_before_and_units_stand_behind_its_cells() {
    let without = one_cell(0);
    // Of kind 3: a program of before read others.
    let before = [1, 1, 1, b'k', 1, 1, b'a', 1, 1, b'm', 1, 1, b'x', 1, 0b101, 3 << 4, 0, 0, 0, 0, 5, 70];
    assert_eq!(without, before);
    let with = one_cell(300);
    assert_eq!(with.strip_prefix(&before), Some(&[1, 1, 3 << 4, 0, 0, 0, 0, 0xac, 2][..]));
    let mut sum = UsageSum::new(query(Bucket::Day, &[], None, Some(OperationKind::Images)));
    for block in [&without, &with] {
        sum.add(0, &UsageBlock::open(block).expect("a block")).expect("few rows");
    }
    let (_, total) = sum.rows();
    assert_eq!((total.requests, total.tokens.input), (10, 140));
    assert_eq!(total.billed(), BilledSums::of(BilledUnit::Image, 300));
    let (cut, _) = with.split_at(with.len() - 1);
    assert!(!UsageBlock::open(cut).expect("a head").cells(|_, _, _| {}), "a cut block says so");
}
