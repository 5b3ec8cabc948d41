//! The homes in memory.
//!
//! 1. Homes are kept in *generations*: one for each day, and another whenever one is full.
//! 2. A generation is forgotten as a whole: after [`DAYS_KEPT`], or as the oldest of more than [`MAX_HOMES`]. Nothing is ever swept.
//! 3. A record on disk belongs to one generation. The oldest record that still counts is known, and all before may be removed.
//!
//! No actix, no clock: functions of the homes and of the day.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

use super::home_record::HomeRecord;
use crate::types::{LedgerId, ObjectKey};

/// For how many days a home is kept, as long as OpenAI keeps the object.
pub const DAYS_KEPT: u32 = 30;

/// The most homes of all. Beyond, the oldest generation is forgotten.
pub const MAX_HOMES: usize = 1_000_000;

/// The most homes of one generation: what a table of 2^17 places holds before it grows.
const GENERATION: usize = 114_688;

/// The most upstreams with a home. Configurations have fewer.
const MAX_UPSTREAMS: usize = u16::MAX as usize;

/// An upstream's place in [`KnownHomes::apis`].
type Place = u16;

/// Takes a key as its own hash: a key is one.
#[derive(Debug, Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, part: u64) {
        self.0 = part;
    }
}

#[derive(Debug)]
struct Generation {
    day: u32,
    /// The number of the first record on disk.
    first_record: u64,
    homes: HashMap<ObjectKey, Place, BuildHasherDefault<KeyHasher>>,
}

/// The homes of one process.
#[derive(Debug, Default)]
pub struct KnownHomes {
    /// The oldest first.
    generations: VecDeque<Generation>,
    /// Every upstream with a home.
    apis: Vec<LedgerId>,
    /// Remembered since the last record, all in the newest generation.
    unsaved: Vec<(ObjectKey, Place)>,
    next_record: u64,
}

/// A record for the disk, with its number.
pub type NumberedRecord = (u64, Vec<u8>);

impl KnownHomes {
    /// Returns the homes of these records, in order of their numbers. What can't be read is left out.
    pub fn restore(records: impl IntoIterator<Item = (u64, Vec<u8>)>, today: u32) -> KnownHomes {
        let mut known = KnownHomes::default();
        for (number, bytes) in records {
            known.next_record = number;
            if let Some(HomeRecord { day, homes }) =
                HomeRecord::decode(&bytes).filter(|record| is_kept(record.day, today))
            {
                for (key, api) in homes {
                    known.insert(key, &api, day);
                }
                known.unsaved.clear();
            }
            known.next_record = number + 1;
        }
        known
    }

    /// Returns the home of an object. One that is gone lives nowhere.
    pub fn find(&self, object: &ObjectKey, today: u32) -> Option<&LedgerId> {
        let kept = self.generations.iter().rev().filter(|generation| is_kept(generation.day, today));
        let place = kept.filter_map(|generation| generation.homes.get(object)).next()?;
        self.apis.get(usize::from(*place))
    }

    /// Remembers the home of these objects. Returns the new objects, and the records of full generations.
    pub fn remember(
        &mut self,
        objects: Vec<ObjectKey>,
        api: &LedgerId,
        today: u32,
    ) -> (Vec<ObjectKey>, Vec<NumberedRecord>) {
        let mut records = Vec::new();
        let mut new = objects;
        new.retain(|object| self.find(object, today) != Some(api));
        for object in &new {
            if self.needs_generation(today) {
                records.extend(self.take_record());
            }
            self.insert(*object, api, today);
        }
        self.forget(today);
        (new, records)
    }

    /// Returns the record of what is not saved yet, if there is anything.
    pub fn take_record(&mut self) -> Option<NumberedRecord> {
        let day = self.generations.back()?.day;
        if self.unsaved.is_empty() {
            return None;
        }
        let homes = std::mem::take(&mut self.unsaved).into_iter();
        let homes = homes.filter_map(|(key, place)| Some((key, self.apis.get(usize::from(place))?.clone())));
        let record = HomeRecord { day, homes: homes.collect() }.encode();
        let number = self.next_record;
        self.next_record += 1;
        Some((number, record))
    }

    /// Returns the number of the first record that counts. All before are forgotten.
    pub fn first_record(&self) -> u64 {
        self.generations.front().map_or(self.next_record, |oldest| oldest.first_record)
    }

    /// Returns how many homes are known.
    pub fn len(&self) -> usize {
        self.generations.iter().map(|generation| generation.homes.len()).sum()
    }

    /// Returns whether no home is known.
    pub fn is_empty(&self) -> bool {
        self.generations.is_empty()
    }

    fn needs_generation(&self, day: u32) -> bool {
        self.generations.back().is_none_or(|newest| newest.day < day || newest.homes.len() >= GENERATION)
    }

    fn insert(&mut self, object: ObjectKey, api: &LedgerId, day: u32) {
        let Some(place) = self.place(api) else { return };
        if self.needs_generation(day) {
            let (first_record, homes) = (self.next_record, HashMap::default());
            self.generations.push_back(Generation { day, first_record, homes });
        }
        if let Some(newest) = self.generations.back_mut() {
            newest.homes.insert(object, place);
            self.unsaved.push((object, place));
        }
    }

    fn place(&mut self, api: &LedgerId) -> Option<Place> {
        let known = self.apis.iter().position(|known| known == api);
        let place = known.or_else(|| {
            (self.apis.len() < MAX_UPSTREAMS).then(|| {
                self.apis.push(api.clone());
                self.apis.len() - 1
            })
        });
        place.and_then(|place| Place::try_from(place).ok())
    }

    /// Forgets generations beyond the bounds.
    fn forget(&mut self, today: u32) {
        while self.generations.len() > 1
            && (self.len() > MAX_HOMES || self.generations.front().is_some_and(|oldest| !is_kept(oldest.day, today)))
        {
            self.generations.pop_front();
        }
    }
}

fn is_kept(day: u32, today: u32) -> bool {
    day + DAYS_KEPT >= today
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(n: usize) -> ObjectKey {
        ObjectKey::of_id(&format!("rs_{n}"))
    }

    fn api(id: &str) -> LedgerId {
        LedgerId::from(id)
    }

    #[test]
    fn a_newer_home_replaces_an_older_one() {
        let mut known = KnownHomes::default();
        assert_eq!(known.remember(vec![object(1), object(2)], &api("a"), 7).0.len(), 2);
        assert_eq!(known.find(&object(2), 7), Some(&api("a")));
        assert_eq!(known.find(&object(9), 7), None);
        assert_eq!(known.remember(vec![object(1)], &api("a"), 8).0, [], "nothing new");
        assert_eq!(known.remember(vec![object(1)], &api("b"), 9).0, [object(1)]);
        assert_eq!(known.find(&object(1), 9), Some(&api("b")));
    }

    #[test]
    fn a_home_is_forgotten_after_thirty_days_and_its_record_as_well() {
        let mut known = KnownHomes::default();
        known.remember(vec![object(1)], &api("a"), 100);
        assert_eq!(known.take_record().map(|(number, _)| number), Some(0));
        known.remember(vec![object(2)], &api("a"), 130);
        assert_eq!((known.find(&object(1), 130), known.first_record()), (Some(&api("a")), 0));
        known.take_record();
        assert_eq!(known.find(&object(1), 131), None, "although nothing was swept");
        known.remember(vec![object(3)], &api("a"), 131);
        assert_eq!((known.len(), known.first_record()), (2, 1));
    }

    #[test]
    fn homes_are_the_same_after_a_restart() {
        let mut known = KnownHomes::default();
        let mut records = Vec::new();
        for (n, id, day) in [(1, "a", 5), (2, "b", 5), (1, "b", 6)] {
            records.extend(known.remember(vec![object(n)], &api(id), day).1);
        }
        records.extend(known.take_record());
        assert_eq!(records.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [0, 1], "a record a day");
        records.push((2, b"damaged".to_vec()));
        let mut again = KnownHomes::restore(records.clone(), 6);
        assert_eq!(again.len(), 3);
        for n in [1, 2] {
            assert_eq!(again.find(&object(n), 6), Some(&api("b")));
        }
        assert_eq!(again.take_record(), None, "all is saved");
        again.remember(vec![object(3)], &api("a"), 6);
        assert_eq!(again.take_record().map(|(number, _)| number), Some(3), "numbers go on");
        let old = KnownHomes::restore(records, 60);
        assert!(old.is_empty() && old.first_record() == 3, "too old, and so are the records");
    }

    #[test]
    fn beyond_the_bound_the_oldest_generation_goes_with_its_records() {
        let mut known = KnownHomes::default();
        let mut taken = 0;
        for chunk in 0..=MAX_HOMES / 1_000 {
            let objects = (chunk * 1_000..(chunk + 1) * 1_000).map(object).collect();
            let (_, records) = known.remember(objects, &api("a"), 1);
            taken += records.len() + usize::from(known.take_record().is_some());
            assert!(known.len() <= MAX_HOMES);
        }
        assert_eq!(known.len(), MAX_HOMES + 1_000 - GENERATION);
        assert_eq!((known.find(&object(0), 1), known.find(&object(MAX_HOMES), 1)), (None, Some(&api("a"))));
        let before = known.first_record() as usize;
        assert!((114..=116).contains(&before) && before < taken, "{before} of {taken}");
    }
}
