//! Cells as bytes. A block stands alone: its names are in it.
//!
//! 1. A block is a *piece* of a period, which adds to others, or *whole*: all of the period so far. Blocks have numbers; a period is its
//!    last whole block, and all later pieces.
//! 2. The form: whole or not; for each dimension the names; the cells by place of the names. All numbers are of variable length
//!    (seven bits a byte), and sums that are zero take no byte.
//! 3. A block may begin with *folds*: for each dimension a block with the sums of its names, whatever the other names are. A year
//!    of days is summed from folds ten times as fast as from cells.
//! 4. What is billed beside tokens stands behind the cells, as further cells with a number for each unit, if there is any. A program
//!    of before reads the cells alone.
//! 5. The store puts a version and a checksum before each block.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use super::cell::{CellKey, Dimension, OperationKind, PlaceHasher};
use super::counts::UsageCounts;
use super::names::{NONE_PLACE, UsageNames};
use crate::types::BilledSums;

/// Begins a block with folds: their lengths and bytes come next, then the block without folds. That one begins with 1 if it is whole,
/// else with 0.
const FOLDED: u8 = 3;

/// The most names in a dimension of a block. Bounds what a damaged one can ask for.
const MOST_NAMES: u64 = 1 << 16;

/// The kind of operation stands above the bits of the numbers.
const KIND_SHIFT: u16 = 12;

/// The bits of the numbers.
const NUMBERS: u16 = (1 << KIND_SHIFT) - 1;

/// Writes cells as a whole block with folds.
pub(super) fn write_folded(names: &UsageNames, cells: &mut [(CellKey, UsageCounts)]) -> Vec<u8> {
    let mut bytes = vec![FOLDED];
    for dimension in 0..Dimension::ALL.len() {
        let mut sums: HashMap<CellKey, UsageCounts, BuildHasherDefault<PlaceHasher>> = HashMap::default();
        for (key, counts) in cells.iter() {
            let mut folded = CellKey { places: [NONE_PLACE; 4], ..*key };
            if let (Some(to), Some(from)) = (folded.places.get_mut(dimension), key.places.get(dimension)) {
                *to = *from;
            }
            sums.entry(folded).or_default().add(counts);
        }
        let fold = write_block(true, names, &mut sums.into_iter().collect::<Vec<_>>());
        put(&mut bytes, fold.len() as u64);
        bytes.extend(fold);
    }
    bytes.extend(write_block(true, names, cells));
    bytes
}

/// Writes cells as a block without folds.
pub(super) fn write_block(whole: bool, names: &UsageNames, cells: &mut [(CellKey, UsageCounts)]) -> Vec<u8> {
    cells.sort_unstable_by_key(|(key, _)| *key);
    let mut bytes = Vec::with_capacity(64 + 24 * cells.len());
    put(&mut bytes, whole.into());
    let mut local: [Vec<u16>; 4] = Default::default();
    for (dimension, places) in local.iter_mut().enumerate() {
        let used = cells.iter().filter_map(|(key, _)| key.places.get(dimension));
        places.extend(used);
        places.sort_unstable();
        places.dedup();
        put(&mut bytes, places.len() as u64);
        for place in places.iter() {
            let name = names.of(dimension).map_or("", |table| table.name(*place));
            put(&mut bytes, name.len() as u64);
            bytes.extend_from_slice(name.as_bytes());
        }
    }
    put(&mut bytes, cells.len() as u64);
    for (key, counts) in cells.iter() {
        put_cell(&mut bytes, key, &local, counts.to_array());
    }
    let billed = || cells.iter().filter_map(|(key, counts)| Some((key, counts.billed.as_deref()?)));
    let units = billed().count();
    if units > 0 {
        put(&mut bytes, units as u64);
        billed().for_each(|(key, sums)| put_cell(&mut bytes, key, &local, sums.to_array()));
    }
    bytes
}

fn put_cell<const N: usize>(bytes: &mut Vec<u8>, key: &CellKey, local: &[Vec<u16>; 4], numbers: [u64; N]) {
    let bits = numbers.iter().rev().fold(0_u16, |bits, number| bits << 1 | u16::from(*number > 0));
    bytes.extend_from_slice(&(bits | key.kind.number() << KIND_SHIFT).to_le_bytes());
    for (place, places) in key.places.iter().zip(local) {
        put(bytes, places.binary_search(place).unwrap_or_default() as u64);
    }
    numbers.into_iter().filter(|number| *number > 0).for_each(|number| put(bytes, number));
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number.to_le_bytes().first().copied().unwrap_or_default() | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes().first().copied().unwrap_or_default());
}

/// A block, opened: the names are read, and the cells follow.
#[derive(Debug)]
pub struct UsageBlock<'a> {
    /// Whether this is all of the period so far.
    pub whole: bool,
    /// The names of each dimension.
    pub(super) names: [Vec<&'a str>; 4],
    cells: u64,
    rest: &'a [u8],
}

impl<'a> UsageBlock<'a> {
    /// Opens a block. `None` if the bytes are none.
    pub fn open(bytes: &'a [u8]) -> Option<UsageBlock<'a>> {
        UsageBlock::open_fold(bytes, None)
    }

    /// Opens the fold of this dimension, if one is wanted and the block has folds, else the block with all cells. `None` if the bytes
    /// are none.
    pub fn open_fold(bytes: &'a [u8], of: Option<Dimension>) -> Option<UsageBlock<'a>> {
        let mut rest = bytes;
        if let Some(after) = bytes.strip_prefix(&[FOLDED]) {
            rest = after;
            for dimension in Dimension::ALL {
                let length = usize::try_from(take(&mut rest)?).ok()?;
                let (fold, after) = rest.split_at_checked(length)?;
                if of == Some(dimension) {
                    return UsageBlock::open_plain(fold);
                }
                rest = after;
            }
        }
        UsageBlock::open_plain(rest)
    }

    fn open_plain(mut rest: &'a [u8]) -> Option<UsageBlock<'a>> {
        let whole = take(&mut rest)? == 1;
        let mut names: [Vec<&str>; 4] = Default::default();
        for names in &mut names {
            for _ in 0..take(&mut rest).filter(|count| *count <= MOST_NAMES)? {
                let length = usize::try_from(take(&mut rest)?).ok()?;
                let (name, after) = rest.split_at_checked(length)?;
                names.push(std::str::from_utf8(name).ok()?);
                rest = after;
            }
        }
        let cells = take(&mut rest)?;
        Some(UsageBlock { whole, names, cells, rest })
    }

    /// Returns about how many bytes the block has.
    pub(super) fn size(&self) -> usize {
        self.rest.len()
    }

    /// Shows every cell: the places in [`Self::names`], the kind, and the sums. What is billed beside tokens is shown as further
    /// cells. Returns whether all cells could be read.
    pub(super) fn cells(&self, mut show: impl FnMut([usize; 4], OperationKind, UsageCounts)) -> bool {
        let mut rest = self.rest;
        for _ in 0..self.cells {
            let Some((places, kind, sums)) = cell(&mut rest) else { return false };
            show(places, kind, UsageCounts::from_array(sums));
        }
        let units = if rest.is_empty() { Some(0) } else { take(&mut rest) };
        let Some(units) = units else { return false };
        for _ in 0..units {
            let Some((places, kind, numbers)) = cell(&mut rest) else { return false };
            show(places, kind, UsageCounts::default().with_billed(BilledSums::from_array(numbers)));
        }
        true
    }
}

/// Takes a cell with its first `N` numbers. A later program may have written more.
#[inline]
fn cell<const N: usize>(rest: &mut &[u8]) -> Option<([usize; 4], OperationKind, [u64; N])> {
    let (head, after) = rest.split_first_chunk::<2>()?;
    *rest = after;
    let head = u16::from_le_bytes(*head);
    let mut places = [0; 4];
    for place in &mut places {
        *place = usize::try_from(take(rest)?).ok()?;
    }
    let mut numbers = [0; N];
    let mut bits = head & NUMBERS;
    while bits != 0 {
        let number = take(rest)?;
        if let Some(place) = numbers.get_mut(bits.trailing_zeros() as usize) {
            *place = number;
        }
        bits &= bits - 1;
    }
    Some((places, OperationKind::of_number(head >> KIND_SHIFT), numbers))
}

/// Takes a number from the begin.
#[inline]
fn take(rest: &mut &[u8]) -> Option<u64> {
    let (first, after) = rest.split_first()?;
    *rest = after;
    if *first < 0x80 {
        return Some((*first).into());
    }
    let mut number = u64::from(first & 0x7f);
    for shift in (7..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// Returns the blocks that make up a period, of all that are kept with their numbers, in order of the numbers: the folds of a
/// dimension where one is wanted, and there are some.
pub fn read_period(blocks: &[(u64, Vec<u8>)], fold: Option<Dimension>) -> impl Iterator<Item = UsageBlock<'_>> {
    let opened: Vec<UsageBlock<'_>> =
        blocks.iter().filter_map(|(_, bytes)| UsageBlock::open_fold(bytes, fold)).collect();
    let first = opened.iter().rposition(|block| block.whole).unwrap_or(0);
    opened.into_iter().skip(first)
}
