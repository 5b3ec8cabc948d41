//! The counts of each kind.

use std::sync::atomic::{AtomicIsize, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::kind::ActorKind;

/// The number of kinds.
const KINDS: usize = ActorKind::ALL.len();

/// The counts of one kind: on one thread, or of all threads.
#[derive(Debug)]
pub(super) struct Gauge {
    depth: AtomicIsize,
    deepest: AtomicUsize,
}

type GaugeBlock = [Gauge; KINDS];

impl Gauge {
    const fn empty() -> Gauge {
        Gauge { depth: AtomicIsize::new(0), deepest: AtomicUsize::new(0) }
    }
}

/// Of kinds with few instances.
static COMMON: GaugeBlock = [const { Gauge::empty() }; KINDS];

/// The blocks of threads and queues, of which there are few. None is ever given back.
static THREADS: Mutex<Vec<&'static GaugeBlock>> = Mutex::new(Vec::new());

static REFUSED: [AtomicU64; KINDS] = [const { AtomicU64::new(0) }; KINDS];

/// The capacity in force; 0: the usual one.
static CAPACITY: [AtomicUsize; KINDS] = [const { AtomicUsize::new(0) }; KINDS];

thread_local! {
    static OWN: &'static GaugeBlock = new_block();
}

fn new_block() -> &'static GaugeBlock {
    let block: &'static GaugeBlock = Box::leak(Box::new([const { Gauge::empty() }; KINDS]));
    THREADS.lock().unwrap_or_else(PoisonError::into_inner).push(block);
    block
}

impl Gauge {
    /// Returns the gauge of a kind.
    fn of(block: &'static GaugeBlock, kind: ActorKind) -> &'static Gauge {
        // A kind is a place in the block.
        block.get(kind as usize).unwrap_or(&SPARE)
    }

    /// Counts one more. Returns how many wait now.
    fn enter(&self) -> usize {
        let depth = usize::try_from(self.depth.fetch_add(1, Ordering::Relaxed) + 1).unwrap_or(0);
        if depth > self.deepest.load(Ordering::Relaxed) {
            self.deepest.fetch_max(depth, Ordering::Relaxed);
        }
        depth
    }

    fn leave(&self) {
        self.depth.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A place in a mailbox, until the drop.
#[derive(Debug)]
pub(super) struct MailboxPlace(&'static Gauge);

impl MailboxPlace {
    /// Counts a message that goes into a mailbox.
    pub(super) fn take(kind: ActorKind) -> MailboxPlace {
        let block = if kind.is_per_thread() { OWN.with(|own| *own) } else { &COMMON };
        let gauge = Gauge::of(block, kind);
        gauge.enter();
        MailboxPlace(gauge)
    }
}

static SPARE: Gauge = Gauge::empty();

impl Drop for MailboxPlace {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// Counts what waits in a queue beside an actor's mailbox. One for each queue, for the life of the process.
#[derive(Debug, Clone, Copy)]
pub struct QueueGauge {
    kind: ActorKind,
    gauge: &'static Gauge,
}

impl QueueGauge {
    /// Creates the gauge of a queue.
    pub fn new(kind: ActorKind) -> QueueGauge {
        QueueGauge { kind, gauge: Gauge::of(new_block(), kind) }
    }

    /// Counts one more, if there is room; else counts a refusal.
    pub fn enter(self) -> bool {
        let has_room =
            self.gauge.depth.load(Ordering::Relaxed) < isize::try_from(in_force(self.kind)).unwrap_or(isize::MAX);
        if has_room {
            self.gauge.enter();
        } else {
            refused(self.kind, 1);
        }
        has_room
    }

    /// Counts one less.
    pub fn leave(self) {
        self.gauge.leave();
    }

    /// Returns how many wait.
    pub fn depth(self) -> usize {
        usize::try_from(self.gauge.depth.load(Ordering::Relaxed)).unwrap_or(0)
    }
}

/// The mailboxes of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MailboxReport {
    /// The kind.
    pub kind: ActorKind,
    /// Messages that wait, in all of them.
    pub depth: usize,
    /// The most that ever waited; where each thread has one of its own, in any of them.
    pub deepest: usize,
    /// Messages refused, as there was no room.
    pub refused: u64,
    /// How many messages one takes; `None` if any number.
    pub capacity: Option<usize>,
}

/// Returns the state of all mailboxes.
pub fn mailbox_reports() -> Vec<MailboxReport> {
    let threads = THREADS.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let blocks: Vec<&GaugeBlock> = threads.into_iter().chain([&COMMON]).collect();
    let report = |kind: ActorKind| {
        let gauges = || blocks.iter().filter_map(|block| block.get(kind as usize));
        let depth: isize = gauges().map(|gauge| gauge.depth.load(Ordering::Relaxed)).sum();
        MailboxReport {
            kind,
            depth: usize::try_from(depth).unwrap_or(0),
            deepest: gauges().map(|gauge| gauge.deepest.load(Ordering::Relaxed)).max().unwrap_or(0),
            refused: REFUSED.get(kind as usize).map_or(0, |refused| refused.load(Ordering::Relaxed)),
            capacity: capacity(kind),
        }
    };
    ActorKind::ALL.into_iter().map(report).collect()
}

/// Counts messages that a full mailbox refused.
pub fn refused(kind: ActorKind, messages: u64) {
    if let Some(refused) = REFUSED.get(kind as usize) {
        refused.fetch_add(messages, Ordering::Relaxed);
    }
}

/// Sets how many messages a mailbox of this kind takes; `None`: as many as usual. Each mailbox takes the number up with its next
/// message.
pub fn set_capacity(kind: ActorKind, capacity: Option<usize>) {
    if let Some(place) = CAPACITY.get(kind as usize) {
        place.store(capacity.unwrap_or(0), Ordering::Relaxed);
    }
}

/// Returns how many messages a mailbox of this kind takes; `None` if any number.
pub(super) fn capacity(kind: ActorKind) -> Option<usize> {
    let most = in_force(kind);
    (most < super::kind::UNBOUNDED).then_some(most)
}

/// Returns the capacity in force.
pub(super) fn in_force(kind: ActorKind) -> usize {
    let set = CAPACITY.get(kind as usize).map_or(0, |capacity| capacity.load(Ordering::Relaxed));
    if set == 0 { kind.usual_capacity() } else { set }
}
