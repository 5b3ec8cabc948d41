//! Usage in a data folder: where blocks are, damage, kills between two steps, and folders of before.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::UsageTree;
use crate::persistence::Change;
use crate::persistence::record::seal;
use crate::types::{UsageChange, UsagePeriod, UsageSpan};

const DAY: UsagePeriod = UsagePeriod { span: UsageSpan::Day, start: 86_400_000 };
const HOUR: UsagePeriod = UsagePeriod { span: UsageSpan::Hour, start: 86_400_000 };
const ALL: Range<i64> = 0..i64::MAX;

/// A data folder of a test, removed at the end.
struct Data(PathBuf);

impl Data {
    fn new(name: &str) -> Data {
        let folder = std::env::temp_dir().join(format!("api-together-usage-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        Data(folder)
    }

    /// Opens sled. Its own threads may hold the lock for some milliseconds more after an end.
    fn sled(&self) -> sled::Db {
        let begun = std::time::Instant::now();
        loop {
            match sled::open(self.0.join("sled")) {
                Err(_) if begun.elapsed().as_secs() < 10 => std::thread::sleep(std::time::Duration::from_millis(5)),
                opened => return opened.expect("opens"),
            }
        }
    }

    fn open(&self) -> UsageTree {
        UsageTree::open(&self.sled(), &self.0).expect("opens")
    }

    /// The names of the files, in order.
    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.join("usage")).expect("reads").map_while(Result::ok);
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn put(period: UsagePeriod, number: u64, whole: bool) -> Change {
    Change::Usage(UsageChange::Put { period, number, block: block(number, whole) })
}

fn block(number: u64, whole: bool) -> Vec<u8> {
    [&[u8::from(whole)], number.to_string().as_bytes()].concat()
}

fn replace(period: UsagePeriod, before: u64) -> Change {
    Change::Usage(UsageChange::Replace { period, before })
}

fn forget(period: UsagePeriod) -> Change {
    Change::Usage(UsageChange::Forget(period))
}

/// The begins and numbers of the blocks that are shown. The contents have to be those of the number.
fn shown(tree: &UsageTree, span: UsageSpan, starts: Range<i64>) -> Vec<(i64, u64)> {
    let mut shown = Vec::new();
    tree.show(span, starts, &mut |start, number, bytes| {
        assert!([true, false].map(|whole| block(number, whole)).iter().any(|block| block == bytes), "{bytes:?}");
        shown.push((start, number));
    });
    shown
}

#[test]
fn whole_blocks_are_files_and_pieces_are_not_and_readers_see_one_order() {
    let data = Data::new("order");
    let later = UsagePeriod { start: 2 * DAY.start, ..DAY };
    let tree = data.open();
    let changes = [put(HOUR, 1, false), put(HOUR, 2, true), put(HOUR, 3, false), put(DAY, 4, true), put(DAY, 5, false)];
    tree.apply(&changes).expect("writes");
    tree.apply(&[put(later, 6, true)]).expect("writes");
    assert_eq!(data.files(), ["day-172800000-6", "day-86400000-4", "hour-86400000-2"]);
    let start = DAY.start;
    assert_eq!(shown(&tree, UsageSpan::Hour, ALL), [(start, 1), (start, 2), (start, 3)]);
    assert_eq!(shown(&tree, UsageSpan::Day, ALL), [(start, 4), (start, 5), (2 * start, 6)]);
    assert_eq!(shown(&tree, UsageSpan::Day, start..start + 1), [(start, 4), (start, 5)]);
    assert_eq!(tree.number(), 6);
    tree.apply(&[put(HOUR, 7, true), replace(HOUR, 7), forget(later)]).expect("writes");
    drop(tree);
    let tree = data.open();
    assert_eq!(shown(&tree, UsageSpan::Hour, ALL), [(start, 7)]);
    assert_eq!(shown(&tree, UsageSpan::Day, ALL), [(2 * start, 6)]);
    assert_eq!(data.files(), ["day-172800000-6", "hour-86400000-7"]);
    tree.apply(&[forget(UsagePeriod { start: i64::MAX, ..later })]).expect("writes");
    drop(tree);
    assert_eq!((data.files(), data.open().number()), (vec!["hour-86400000-7".to_owned()], 7));
}

#[test]
fn a_damaged_file_is_set_aside_under_its_name_and_the_rest_is_read() {
    let data = Data::new("damage");
    let tree = data.open();
    tree.apply(&[put(DAY, 1, true), put(DAY, 2, false), put(HOUR, 3, true)]).expect("writes");
    let [path, aside] = ["day-86400000-1", "day-86400000-1.damaged"].map(|name| data.0.join("usage").join(name));
    let whole = fs::read(&path).expect("reads");
    let flipped = (0..whole.len() * 8).map(|bit| {
        let mut damaged = whole.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        damaged
    });
    let cut = (0..whole.len()).map(|length| whole[..length].to_vec());
    for damaged in flipped.chain(cut).chain([[&whole[..], b"x"].concat()]) {
        fs::write(&path, &damaged).expect("writes");
        assert_eq!(shown(&tree, UsageSpan::Day, ALL), [(DAY.start, 2)], "{damaged:?}");
        assert!(!path.exists());
        assert_eq!(fs::read(&aside).expect("kept for people"), damaged);
        assert_eq!(shown(&tree, UsageSpan::Hour, ALL), [(HOUR.start, 3)]);
    }
    // What is no block of ours is neither read nor removed.
    for name in ["notes", "day-1", "day-x-1", "week-1-2", "day-1-2-3", "day-86400000-9.bak"] {
        fs::write(data.0.join("usage").join(name), "mine").expect("writes");
    }
    tree.apply(&[forget(UsagePeriod { start: i64::MAX, ..DAY })]).expect("writes");
    assert_eq!((shown(&tree, UsageSpan::Day, ALL).len(), data.files().len()), (0, 8));
}

#[test]
fn a_kill_leaves_a_half_written_file_or_both_the_old_and_the_new() {
    let data = Data::new("kill");
    let tree = data.open();
    tree.apply(&[put(HOUR, 1, true), put(HOUR, 2, false)]).expect("writes");
    drop(tree);
    // Killed in the middle of a file.
    fs::write(data.0.join("usage/hour-86400000-3.part"), &seal(&block(3, true))[..4]).expect("writes");
    let tree = data.open();
    assert_eq!(data.files(), ["hour-86400000-1"]);
    assert_eq!(shown(&tree, UsageSpan::Hour, ALL), [(HOUR.start, 1), (HOUR.start, 2)]);
    drop(tree);
    // Killed behind the file: its number is used, and the last whole block is the one that counts.
    fs::write(data.0.join("usage/hour-86400000-3"), seal(&block(3, true))).expect("writes");
    let tree = data.open();
    assert_eq!(tree.number(), 3);
    assert_eq!(shown(&tree, UsageSpan::Hour, ALL), [(HOUR.start, 1), (HOUR.start, 2), (HOUR.start, 3)]);
    tree.apply(&[put(HOUR, 4, true), replace(HOUR, 4)]).expect("writes");
    assert_eq!((shown(&tree, UsageSpan::Hour, ALL), data.files().len()), (vec![(HOUR.start, 4)], 1));
}

#[test]
fn whole_blocks_wait_for_a_disk_that_can_not_be_written() {
    let data = Data::new("full");
    let tree = data.open();
    let folder = data.0.join("usage");
    fs::remove_dir(&folder).expect("is empty");
    fs::write(&folder, "no folder").expect("writes");
    let why = tree.apply(&[put(HOUR, 1, false), put(DAY, 2, true), replace(DAY, 2)]).expect_err("no folder");
    assert!(why.to_string().contains("usage/day-86400000-2"), "{why}");
    for number in 3..200 {
        tree.apply(&[put(HOUR, number, true)]).expect_err("no folder");
    }
    fs::remove_file(&folder).and_then(|()| fs::create_dir(&folder)).expect("a folder");
    tree.apply(&[put(HOUR, 200, false)]).expect("writes");
    let hours = shown(&tree, UsageSpan::Hour, ALL);
    assert_eq!((hours.len(), hours.first().copied()), (121, Some((HOUR.start, 80))), "bounded");
    tree.apply(&[put(DAY, 201, true)]).expect("writes");
    assert_eq!(data.files().len(), 121);
}

#[test]
fn whole_blocks_of_a_folder_of_before_become_files_and_the_name_stays() {
    let data = Data::new("before");
    let name = {
        let tree = data.sled().open_tree("usage").expect("opens");
        for (kind, number, whole) in [(b'd', 1_u64, true), (b'd', 2, false), (b'h', 3, true)] {
            let key = [&[kind][..], &DAY.start.to_be_bytes(), &number.to_be_bytes()].concat();
            tree.insert(key, seal(&block(number, whole))).expect("writes");
        }
        tree.insert(b"n", &9_u64.to_be_bytes()).expect("writes");
        tree.insert(b"s", b"0123456789abcdef").expect("writes");
        tree.flush().expect("writes");
        "0123456789abcdef"
    };
    for _ in 0..2 {
        let tree = data.open();
        assert_eq!(shown(&tree, UsageSpan::Day, ALL), [(DAY.start, 1), (DAY.start, 2)]);
        assert_eq!(shown(&tree, UsageSpan::Hour, ALL), [(DAY.start, 3)]);
        assert_eq!((tree.number(), tree.server().as_str()), (9, name));
    }
    assert_eq!(data.files(), ["day-86400000-1", "hour-86400000-3", "server"]);
}

#[test]
fn the_name_of_a_server_is_beside_its_days() {
    let data = Data::new("name");
    let name = data.open().server();
    assert_eq!((name.len(), data.open().server()), (16, name.clone()));
    // sled was damaged and moved aside: days and name are still one server's.
    fs::remove_dir_all(data.0.join("sled")).expect("removes");
    assert_eq!(data.open().server(), name);
    let path: &Path = &data.0.join("usage/server");
    fs::write(path, "half").expect("writes");
    assert_ne!(data.open().server(), name);
    assert!(path.with_extension("damaged").exists());
}
