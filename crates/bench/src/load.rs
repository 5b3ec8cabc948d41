//! The loads: as fast as possible, at a constant rate, and many streams at once.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use memchr::memmem;

use super::client::{Go, LoadConnection};
use super::mock::{self, SENT_AT, spawn};
use super::target::BenchTarget;

/// How long a load runs before the count begins: connections are opened, caches warm.
const WARM_UP: Duration = Duration::from_millis(500);

/// What a load did while counted.
#[derive(Debug, Default)]
pub(crate) struct LoadResult {
    /// Requests, or events of streams.
    pub(crate) count: u64,
    /// Requests without a 200.
    pub(crate) failed: u64,
    pub(crate) seconds: f64,
    /// CPU time of the target, on this machine.
    pub(crate) cpu: Option<Duration>,
    /// Resident memory of the target at the end, in bytes.
    pub(crate) memory: Option<u64>,
    /// Microseconds: of a request, from the due time to the answer; of an event, from sending to receiving.
    pub(crate) times: Vec<u64>,
}

/// What the threads of a load share.
#[derive(Default)]
struct LoadState {
    count: AtomicU64,
    failed: AtomicU64,
    counting: AtomicBool,
    over: AtomicBool,
    times: Mutex<Vec<u64>>,
}

impl LoadState {
    fn goes_on(&self) -> bool {
        !self.over.load(Ordering::Relaxed)
    }

    fn add(&self, mut times: Vec<u64>) {
        self.times.lock().unwrap_or_else(PoisonError::into_inner).append(&mut times);
    }

    fn note(&self, answered: &io::Result<u16>) {
        self.count.fetch_add(1, Ordering::Relaxed);
        if !matches!(answered, Ok(200)) {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Counts what happens in `time`, and then ends the load.
fn count(target: &BenchTarget, shared: &LoadState, threads: Vec<JoinHandle<()>>, time: Duration) -> LoadResult {
    thread::sleep(WARM_UP);
    let before = (shared.count.load(Ordering::Relaxed), shared.failed.load(Ordering::Relaxed), target.cpu());
    shared.counting.store(true, Ordering::Relaxed);
    let started = Instant::now();
    thread::sleep(time);
    let seconds = started.elapsed().as_secs_f64();
    let cpu = target.cpu().zip(before.2).map(|(after, before)| after.saturating_sub(before));
    let count = shared.count.load(Ordering::Relaxed) - before.0;
    let failed = shared.failed.load(Ordering::Relaxed) - before.1;
    let memory = target.memory();
    shared.counting.store(false, Ordering::Relaxed);
    shared.over.store(true, Ordering::Relaxed);
    for thread in threads {
        // A panic has been printed already.
        let _ = thread.join();
    }
    let times = std::mem::take(&mut *shared.times.lock().unwrap_or_else(PoisonError::into_inner));
    LoadResult { count, failed, seconds, cpu, memory, times }
}

/// Keeps so many connections busy: each sends the next request with the last answer.
pub(crate) fn as_fast_as_it_goes(
    target: &BenchTarget,
    body: &str,
    connections: usize,
    time: Duration,
) -> io::Result<LoadResult> {
    let shared = Arc::new(LoadState::default());
    let request: Arc<[u8]> = target.request(body).into();
    let mut threads = Vec::new();
    for _ in 0..connections {
        let (shared, request, address) = (shared.clone(), request.clone(), target.address);
        threads.push(spawn(move || {
            let mut connection = LoadConnection::open(address);
            while shared.goes_on() {
                let answered = ask(&mut connection, &request, |_| Go::On);
                if answered.is_err() {
                    connection = LoadConnection::open(address);
                }
                shared.note(&answered);
            }
        })?);
    }
    Ok(count(target, &shared, threads, time))
}

fn ask(connection: &mut io::Result<LoadConnection>, request: &[u8], each: impl FnMut(&[u8]) -> Go) -> io::Result<u16> {
    match connection {
        Ok(connection) => connection.ask(request, each),
        Err(error) => {
            // A server that refuses connections is not asked a million times a second.
            thread::sleep(Duration::from_millis(10));
            Err(error.kind().into())
        }
    }
}

/// Sends so many requests a second, each at a fixed time, whether the others are answered or not. A connection may still wait
/// for an earlier answer: the next request is late then, and the delay counts.
pub(crate) fn at_a_rate(target: &BenchTarget, body: &str, rate: u32, time: Duration) -> io::Result<LoadResult> {
    /// Enough connections for no wait, unless the server is stuck.
    const CONNECTIONS: u32 = 16;
    let shared = Arc::new(LoadState::default());
    let request: Arc<[u8]> = target.request(body).into();
    let gap = Duration::from_secs(1) / rate.max(1);
    let start = Instant::now();
    let mut threads = Vec::new();
    for nth in 0..CONNECTIONS {
        let (shared, request, address) = (shared.clone(), request.clone(), target.address);
        threads.push(spawn(move || {
            let mut connection = LoadConnection::open(address);
            let (mut due, mut times) = (start + gap * nth, Vec::new());
            while shared.goes_on() {
                let free = Instant::now();
                thread::sleep(due.saturating_duration_since(free));
                // With a free connection, a late timer is our own fault, not the server's.
                let since = if free < due { Instant::now() } else { due };
                let answered = ask(&mut connection, &request, |_| Go::On);
                if answered.is_err() {
                    connection = LoadConnection::open(address);
                }
                if shared.counting.load(Ordering::Relaxed) {
                    times.push(u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX));
                }
                shared.note(&answered);
                due += gap * CONNECTIONS;
            }
            shared.add(times);
        })?);
    }
    Ok(count(target, &shared, threads, time))
}

/// So many streams at once, of an event every `gap` each; when one ends, the next begins. What is counted are events.
pub(crate) fn streams(target: &BenchTarget, many: usize, gap: Duration, time: Duration) -> io::Result<LoadResult> {
    /// As long as an answer may be.
    const EVENTS: u32 = 100;
    let shared = Arc::new(LoadState::default());
    let body = super::stream_body(EVENTS, gap);
    let request: Arc<[u8]> = target.request(&body).into();
    let mut threads = Vec::new();
    for nth in 0..many {
        let (shared, request, address) = (shared.clone(), request.clone(), target.address);
        // Not all at the same time: users don't.
        let begin = WARM_UP.mul_f64(nth as f64 / many as f64 / 2.0);
        threads.push(spawn(move || {
            thread::sleep(begin);
            let mut times = Vec::new();
            while shared.goes_on() {
                let mut connection = LoadConnection::open(address);
                let answered = ask(&mut connection, &request, |piece| {
                    for sent in sent_at(piece) {
                        shared.count.fetch_add(1, Ordering::Relaxed);
                        if shared.counting.load(Ordering::Relaxed) {
                            times.push(mock::micros().saturating_sub(sent));
                        }
                    }
                    if shared.goes_on() { Go::On } else { Go::Stop }
                });
                if !matches!(answered, Ok(200)) {
                    shared.failed.fetch_add(1, Ordering::Relaxed);
                }
            }
            shared.add(times);
        })?);
    }
    Ok(count(target, &shared, threads, time))
}

/// Returns the times of sending in a piece of a stream.
fn sent_at(piece: &[u8]) -> impl Iterator<Item = u64> {
    memmem::find_iter(piece, SENT_AT.as_bytes()).filter_map(|at| {
        let text = piece.get(at + SENT_AT.len()..)?;
        let digits = text.get(..memchr::memchr(b'@', text)?)?;
        std::str::from_utf8(digits).ok()?.parse().ok()
    })
}
