//! What a million homes of objects take: `cargo bench --bench homes`. 10,000 sessions of 25 turns, each turn with four objects (a
//! response, a reasoning item with its secret, a message), are remembered, saved, restored, and shared by way of a real `redis-server`.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a bench prints, and ends by panicking")]

mod redis_server;

use std::path::Path;
use std::time::{Duration, Instant};

use api_together::homes::{KnownHomes, MAX_HOMES};
use api_together::persistence::{Change, RedisHomes, SharedHomes, SledStore, Store};
use api_together::types::{LedgerId, ObjectKey};

const SESSIONS: usize = 10_000;
const OBJECTS: usize = 4;
const TURNS: usize = MAX_HOMES / SESSIONS / OBJECTS;
const DAY: u32 = 20_000;

fn main() {
    let folder = std::env::temp_dir().join(format!("api-together-homes-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    memory();
    // A busy server saves some turns together. On a quiet one, each turn is a record of its own.
    for turns_a_record in [10, 1] {
        disk(&folder.join(turns_a_record.to_string()), turns_a_record);
    }
    redis();
    std::fs::remove_dir_all(&folder).expect("ours to remove");
}

/// The objects of one turn.
fn turn(session: usize, turn: usize) -> Vec<ObjectKey> {
    let id = |kind: &str| ObjectKey::of_id(&format!("{kind}_{session:016}{turn:032}"));
    vec![id("resp"), id("rs"), id("msg"), ObjectKey::of_content(&format!("gAAAA{session:0200}{turn:0200}"))]
}

fn api(session: usize) -> LedgerId {
    LedgerId::from(format!("account-{}", session % 20).as_str())
}

fn turns() -> impl Iterator<Item = (usize, usize)> {
    (0..TURNS).flat_map(|turn| (0..SESSIONS).map(move |session| (session, turn)))
}

fn memory() {
    let before = resident();
    let mut known = KnownHomes::default();
    let mut took = Duration::ZERO;
    for (session, nth) in turns() {
        let (objects, api) = (turn(session, nth), api(session));
        let start = Instant::now();
        known.remember(objects, &api, DAY);
        known.take_record();
        took += start.elapsed();
    }
    println!("{} homes in memory: {} MB", known.len(), (resident() - before) >> 20);
    println!("  to remember a turn of {OBJECTS} objects: {:.2} µs", micros(took, TURNS * SESSIONS));
    let asked = 100_000;
    for (name, shift) in [("known", 0), ("unknown", SESSIONS)] {
        let keys: Vec<_> = (0..asked).map(|n| turn(n % SESSIONS + shift, n % TURNS)).collect();
        let start = Instant::now();
        let found = keys.iter().filter(|keys| keys.iter().any(|key| known.find(key, DAY).is_some())).count();
        println!("  to find an {name} home of {OBJECTS} objects: {:.2} µs ({found})", micros(start.elapsed(), asked));
    }
}

fn disk(folder: &Path, turns_a_record: usize) {
    let before = resident();
    let store = SledStore::open(folder, false).expect("opens");
    let mut known = KnownHomes::default();
    let mut changes = Vec::new();
    let start = Instant::now();
    for (n, (session, nth)) in turns().enumerate() {
        let (_, full) = known.remember(turn(session, nth), &api(session), DAY);
        changes.extend(full.into_iter().map(|(number, record)| Change::Homes(number, record)));
        if n % turns_a_record == turns_a_record - 1 {
            changes.extend(known.take_record().map(|(number, record)| Change::Homes(number, record)));
        }
        // The server commits ten times a second at most. Here more goes into one commit, for the bench to end.
        if changes.len() >= 100 {
            store.commit(&changes).expect("commits");
            changes.clear();
        }
    }
    store.commit(&changes).expect("commits");
    let took = start.elapsed();
    let records = store.homes().len();
    println!("{MAX_HOMES} homes in {records} records: {} MB on disk, written in {took:.1?}", on_disk(folder) >> 20);
    println!("  with memory and the cache of the store: {} MB", (resident() - before) >> 20);
    drop(known);
    let start = Instant::now();
    let again = KnownHomes::restore(store.homes(), DAY);
    println!("  restored at a start in {:.0?} ({} homes)", start.elapsed(), again.len());
    let forget = [Change::ForgetHomes(u64::MAX)];
    let start = Instant::now();
    store.commit(&forget).expect("commits");
    let took = start.elapsed();
    println!("  one commit forgets {} records, in {took:.1?}", records - store.homes().len());
}

fn redis() {
    let (mut server, port) = redis_server::start();
    let url = format!("redis://127.0.0.1:{port}");
    let store = RedisHomes::new(&url, "api-together").expect("a URL");
    let before = used(port);
    let mut took = Duration::ZERO;
    for (session, nth) in turns() {
        let homes: Vec<_> = turn(session, nth).into_iter().map(|object| (object, api(session))).collect();
        let start = Instant::now();
        store.keep(&homes).expect("kept");
        took += start.elapsed();
    }
    println!("{MAX_HOMES} homes in Redis: {} MB", (used(port) - before) >> 20);
    println!("  to keep a turn of {OBJECTS} objects: {:.0} µs", micros(took, TURNS * SESSIONS));
    let asked = 5_000;
    let start = Instant::now();
    for n in 0..asked {
        assert!(!store.find(&turn(n % SESSIONS, n % TURNS)).expect("answers").is_empty(), "known");
    }
    println!("  to find a home of {OBJECTS} objects: {:.0} µs", micros(start.elapsed(), asked));
    server.kill().expect("killed");
    server.wait().expect("reaped");
}

fn micros(took: Duration, n: usize) -> f64 {
    took.as_secs_f64() * 1e6 / n as f64
}

/// The memory of this process, in bytes.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: usize = pages.split(' ').nth(1).expect("a second number").parse().expect("a number");
    pages * 4_096
}

fn on_disk(folder: &Path) -> u64 {
    let size = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(found) if found.is_dir() => on_disk(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    };
    std::fs::read_dir(folder).expect("a folder").map_while(Result::ok).map(size).sum()
}

/// The memory of the server, in bytes.
fn used(port: u16) -> usize {
    let mut redis =
        redis::Client::open(format!("redis://127.0.0.1:{port}")).expect("a URL").get_connection().expect("connects");
    let info: String = redis::cmd("INFO").arg("memory").query(&mut redis).expect("answers");
    let used = info.lines().find_map(|line| line.strip_prefix("used_memory:")).expect("used_memory");
    used.trim().parse().expect("a number")
}
