//! The cells of the open hour and the open day, and what of them goes to disk.
//!
//! 1. What is new goes to disk as a small piece of the hour. When the pieces outgrow it, the hour is written whole and replaces them.
//! 2. A day is the sum of its hours until its end. Then the day is written whole, once, and stands alone from then on: its *seal*.
//! 3. What ends in an earlier hour, as clocks are set back, becomes a piece of that hour, and of that day if it is sealed.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasherDefault;

use super::block::{UsageBlock, write_block, write_folded};
use super::cell::{CellKey, CellNames, PlaceHasher};
use super::counts::UsageCounts;
use super::names::{OTHER_PLACE, UsageNames};
use crate::types::{DAYS_KEPT_MS, HOURS_KEPT_MS, Moment, UsageChange, UsagePeriod, UsageSpan};

/// How long the days of usage are kept, in ms.
const DAYS_OF_USAGE_MS: i64 = DAYS_KEPT_MS + 34 * 86_400_000;

/// The most cells of a day. Beyond, a client key has one more cell for each kind of operation, with `other` for the rest.
const MOST_CELLS: usize = 10_000;

/// The most cells of a piece: some KB. The store on disk is made for small values.
const CELLS_OF_PIECE: usize = 64;

/// Pieces below this size, in bytes, do not make an hour be written whole.
const FEW_BYTES: usize = 64 << 10;

/// The open hour and day.
#[derive(Debug)]
pub struct UsageLedger {
    names: UsageNames,
    cells: HashMap<CellKey, OpenCell, BuildHasherDefault<PlaceHasher>>,
    hour: i64,
    day: i64,
    /// Whether the day is on disk by itself, and not as its hours.
    sealed: bool,
    next_number: u64,
    /// Cells with something that is not on disk yet.
    unsaved: Vec<CellKey>,
    /// What ended in earlier hours, likewise, by hour and day.
    late: BTreeMap<(i64, i64), Vec<(CellKey, UsageCounts)>>,
    /// Bytes of the hour's pieces since it was written whole, and of the whole.
    pieces: usize,
    whole: usize,
    changes: Vec<UsageChange>,
}

#[derive(Debug, Default)]
struct OpenCell {
    day: UsageCounts,
    hour: UsageCounts,
    unsaved: UsageCounts,
}

/// An open period, so far.
#[derive(Debug, Clone)]
pub struct LedgerPage {
    /// The period.
    pub period: UsagePeriod,
    /// All of it, as a block.
    pub block: Vec<u8>,
}

impl UsageLedger {
    /// Opens the hour and the day of `moment`, without any usage. Blocks get numbers from `next_number` on. `sealed`: the day is on
    /// disk by itself, as the clock was in a later day before.
    pub fn open(moment: Moment, next_number: u64, sealed: bool) -> UsageLedger {
        UsageLedger {
            names: UsageNames::default(),
            cells: HashMap::default(),
            hour: moment.hour,
            day: moment.day,
            sealed,
            next_number,
            unsaved: Vec::new(),
            late: BTreeMap::new(),
            pieces: 0,
            whole: 0,
            changes: Vec::new(),
        }
    }

    /// Opens the hour of `moment` in the same day, with other numbers of blocks.
    pub fn go_on(&mut self, moment: Moment, next_number: u64) {
        (self.hour, self.next_number) = (moment.hour, next_number);
    }

    /// Adds a block from disk to the open hour or the open day.
    pub fn load(&mut self, span: UsageSpan, block: &UsageBlock<'_>) {
        if span == UsageSpan::Hour {
            self.pieces += block.size();
        }
        block.cells(|places, kind, counts| {
            let name = |of: &Vec<&'_ str>, place: usize| of.get(place).copied().unwrap_or_default().to_owned();
            let [key, api, model, app] = &block.names;
            let [a, b, c, d] = places;
            let names = [name(key, a), name(api, b), name(model, c), name(app, d)];
            let names = CellNames { names: names.each_ref().map(String::as_str), kind, proven: true };
            // The bound was kept when the cells were counted.
            let open = self.cells.entry(self.names.cell(&names)).or_default();
            match span {
                UsageSpan::Hour => open.hour.add(&counts),
                UsageSpan::Day => open.day.add(&counts),
            }
        });
    }

    /// Counts something that ended at `moment`.
    pub fn add(&mut self, names: &CellNames<'_>, counts: &UsageCounts, moment: Moment) {
        if moment.hour > self.hour {
            self.begin(moment);
        }
        let key = self.cell(names);
        if moment.hour < self.hour {
            self.late.entry((moment.hour, moment.day)).or_default().push((key, counts.clone()));
            if moment.day == self.day {
                self.cells.entry(key).or_default().day.add(counts);
            }
            return;
        }
        let cell = self.cells.entry(key).or_default();
        if cell.unsaved.is_empty() {
            self.unsaved.push(key);
        }
        [&mut cell.day, &mut cell.hour, &mut cell.unsaved].into_iter().for_each(|sums| sums.add(counts));
    }

    /// Returns the cell of these names. Beyond the bound, only the client key is kept apart.
    fn cell(&mut self, names: &CellNames<'_>) -> CellKey {
        let key = self.names.cell(names);
        if self.cells.len() < MOST_CELLS || self.cells.contains_key(&key) {
            return key;
        }
        let [client, ..] = key.places;
        CellKey { places: [client, OTHER_PLACE, OTHER_PLACE, OTHER_PLACE], kind: key.kind }
    }

    /// Begins the hour of `moment`, and the day if it is another. To be called now and then, so that a day ends without a request.
    pub fn begin(&mut self, moment: Moment) {
        if moment.hour <= self.hour {
            return;
        }
        self.save();
        if self.pieces > 0 {
            self.write_whole(UsageSpan::Hour);
        }
        if moment.day > self.day {
            if !self.cells.is_empty() {
                self.write_whole(UsageSpan::Day);
            }
            self.names = UsageNames::default();
            self.cells = HashMap::default();
            self.day = moment.day;
            self.sealed = false;
            self.changes.push(forget(UsageSpan::Day, moment.day - DAYS_OF_USAGE_MS));
        }
        self.cells.values_mut().for_each(|cell| cell.hour = UsageCounts::default());
        (self.hour, self.pieces, self.whole) = (moment.hour, 0, 0);
        self.changes.push(forget(UsageSpan::Hour, moment.hour - HOURS_KEPT_MS));
    }

    /// Returns what has to be written for all so far to be on disk.
    pub fn take_changes(&mut self) -> Vec<UsageChange> {
        self.save();
        if self.pieces > FEW_BYTES.max(2 * self.whole) {
            self.write_whole(UsageSpan::Hour);
        }
        std::mem::take(&mut self.changes)
    }

    /// Writes what is new as pieces.
    fn save(&mut self) {
        let take = |key: CellKey| (key, self.cells.get_mut(&key).map(|cell| std::mem::take(&mut cell.unsaved)));
        let mut cells: Vec<_> =
            self.unsaved.drain(..).map(take).filter_map(|(key, counts)| Some((key, counts?))).collect();
        if !cells.is_empty() {
            self.pieces += self.put(UsageSpan::Hour, self.hour, &mut cells);
            if self.sealed {
                self.put(UsageSpan::Day, self.day, &mut cells);
            }
        }
        for ((hour, day), mut cells) in std::mem::take(&mut self.late) {
            self.put(UsageSpan::Hour, hour, &mut cells);
            if day != self.day || self.sealed {
                self.put(UsageSpan::Day, day, &mut cells);
            }
        }
    }

    /// Puts pieces of a period. Returns the size in bytes.
    fn put(&mut self, span: UsageSpan, start: i64, cells: &mut [(CellKey, UsageCounts)]) -> usize {
        let mut size = 0;
        for cells in cells.chunks_mut(CELLS_OF_PIECE) {
            let block = write_block(false, &self.names, cells);
            size += block.len();
            let period = UsagePeriod { span, start };
            self.changes.push(UsageChange::Put { period, number: self.next_number, block });
            self.next_number += 1;
        }
        size
    }

    fn write_whole(&mut self, span: UsageSpan) {
        let LedgerPage { period, block } = match span {
            UsageSpan::Hour => self.page(span),
            UsageSpan::Day => {
                let block = write_folded(&self.names, &mut self.cells_of(span));
                LedgerPage { period: UsagePeriod { span, start: self.day }, block }
            }
        };
        if span == UsageSpan::Hour {
            (self.pieces, self.whole) = (0, block.len());
        }
        self.changes.push(UsageChange::Put { period, number: self.next_number, block });
        self.changes.push(UsageChange::Replace { period, before: self.next_number });
        self.next_number += 1;
    }

    /// Returns all of the open hour or day.
    pub fn page(&self, span: UsageSpan) -> LedgerPage {
        let start = match span {
            UsageSpan::Hour => self.hour,
            UsageSpan::Day => self.day,
        };
        let block = write_block(true, &self.names, &mut self.cells_of(span));
        LedgerPage { period: UsagePeriod { span, start }, block }
    }

    fn cells_of(&self, span: UsageSpan) -> Vec<(CellKey, UsageCounts)> {
        let of: fn(&OpenCell) -> UsageCounts = match span {
            UsageSpan::Hour => |cell| cell.hour.clone(),
            UsageSpan::Day => |cell| cell.day.clone(),
        };
        self.cells.iter().map(|(key, cell)| (*key, of(cell))).filter(|(_, counts)| !counts.is_empty()).collect()
    }

    /// Returns the sums of an open day as the whole block of that day, to seal a day that ended without this process.
    pub fn seal(mut self) -> Vec<UsageChange> {
        self.write_whole(UsageSpan::Day);
        self.changes
    }
}

fn forget(span: UsageSpan, start: i64) -> UsageChange {
    UsageChange::Forget(UsagePeriod { span, start })
}
