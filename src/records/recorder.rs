//! Receives the record of every request for all readers.
//!
//! 1. Workers put records into a queue; no request waits for the actor.
//! 2. The first record after a silence wakes the actor. Later ones are read together, [`BATCH_INTERVAL`] later at most: what a
//!    `kill -9` under load may cost the log.
//! 3. The queue has a bound, the mailbox of [`ActorKind::Recorder`]. Records beyond the bound are dropped and counted.

mod recent;
mod usage;

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

use actix::prelude::*;

use self::recent::RecentLog;
use super::access_log::{self, LogFormat};
use super::request_cells::RequestCells;
use super::request_record::RequestRecord;
use super::usage::UsageRecorder;
use crate::config::ConfigChanged;
#[cfg(doc)]
use crate::mailbox::BATCH_INTERVAL;
use crate::mailbox::{ActorKind, Context, LaunchActor, LivesInMailbox, QueueGauge, ReadsInBatches};
use crate::types::Now;

pub use self::recent::{FindRecent, GetRecent, KEPT_REQUESTS, RecentFilter, RecentRequest, RecentRequests};

/// Owns what ended requests add up to.
pub struct RecorderActor {
    queue: mpsc::Receiver<Box<RequestRecord>>,
    shared: Arc<QueueState>,
    format: LogFormat,
    pub(super) usage: Option<UsageRecorder>,
    is_reading: bool,
    cells: RequestCells,
    recent: RecentLog,
}

/// Who reads the records.
pub struct RecordReaders {
    /// The form of the log's lines.
    pub format: LogFormat,
    /// Sums up who used what.
    pub usage: Option<UsageRecorder>,
}

struct QueueState {
    /// The actor reads the queue by itself, and need not be woken.
    awake: AtomicBool,
    queue: QueueGauge,
    dropped: AtomicUsize,
}

/// There are records in the queue. Sent by a [`Recorder`]; a lost one leaves them there until the next.
#[derive(Message)]
#[rtype(result = "()")]
struct Wake;

/// Read all records that are in the queue. Sent by the application when the server has ended, and awaited; a lost one
/// costs the last lines of the log and the usage of the last moment.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct FlushRecords;

/// Return what the ended requests add up to. Sent by the handler of `/metrics`.
#[derive(Debug, Message)]
#[rtype(result = "Box<RequestCells>")]
pub struct GetRequestCells;

/// Where records are sent to. Cheap to clone, on every thread.
#[derive(Clone)]
pub struct RecorderHandle {
    actor: Addr<RecorderActor>,
    queue: mpsc::Sender<Box<RequestRecord>>,
    shared: Arc<QueueState>,
}

/// The recorder of one worker.
#[derive(Clone)]
pub struct Recorder(Rc<Local>);

struct Local {
    send: Box<dyn Fn(Box<RequestRecord>)>,
    cutting_off: Box<dyn Fn() -> bool>,
}

impl RecorderActor {
    /// Starts the actor on this arbiter.
    pub fn start_on(arbiter: &ArbiterHandle, readers: RecordReaders) -> RecorderHandle {
        let RecordReaders { format, usage } = readers;
        let (sender, queue) = mpsc::channel();
        let shared = Arc::new(QueueState {
            awake: AtomicBool::new(false),
            queue: QueueGauge::new(ActorKind::Recorder),
            dropped: AtomicUsize::new(0),
        });
        let state = shared.clone();
        let actor = RecorderActor::launch_on(arbiter, move |_| RecorderActor {
            queue,
            shared: state,
            format,
            usage,
            is_reading: false,
            cells: RequestCells::default(),
            recent: RecentLog::default(),
        });
        RecorderHandle { actor, queue: sender, shared }
    }

    /// Hands every queued record to the readers. Returns whether there was any.
    pub(super) fn read_queue(&mut self) -> bool {
        let mut now = None;
        while let Ok(record) = self.queue.try_recv() {
            let now = *now.get_or_insert_with(Now::read);
            self.shared.queue.leave();
            access_log::write(&record, self.format);
            self.cells.count(&record);
            if let Some(usage) = &mut self.usage {
                usage.count(&record, now);
            }
            self.recent.keep(record, now.wall);
        }
        let dropped = self.shared.dropped.swap(0, Ordering::Relaxed);
        self.cells.dropped += dropped as u64;
        if dropped > 0 {
            log::error!("{dropped} requests were not recorded: too many had ended at once (actors.mailboxes.recorder)");
        }
        now.is_some()
    }
}

impl ReadsInBatches for RecorderActor {
    fn read_batch(&mut self) -> bool {
        self.read_queue()
    }

    fn save_batches(&mut self) {
        if let Some(usage) = &mut self.usage {
            usage.save();
        }
    }

    fn is_reading(&mut self) -> &mut bool {
        &mut self.is_reading
    }

    fn set_awake(&mut self, awake: bool) {
        // A swap rather than a store: a record put before is read right after; a later one wakes the actor.
        self.shared.awake.swap(awake, Ordering::AcqRel);
    }
}

impl RecorderHandle {
    /// The actor itself.
    pub fn actor(&self) -> &Addr<RecorderActor> {
        &self.actor
    }

    fn send(&self, record: Box<RequestRecord>) {
        if !self.shared.queue.enter() {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        // The actor drops its end when it ends: the process is stopping.
        if self.queue.send(record).is_ok() && !self.shared.awake.swap(true, Ordering::AcqRel) {
            self.actor.do_send(Wake);
        }
    }
}

impl Recorder {
    /// Creates a worker's recorder. `cutting_off` says whether the stopping server cuts off running answers.
    pub fn new(handle: RecorderHandle, cutting_off: impl Fn() -> bool + 'static) -> Self {
        Recorder::of(move |record| handle.send(record), cutting_off)
    }

    fn of(send: impl Fn(Box<RequestRecord>) + 'static, cutting_off: impl Fn() -> bool + 'static) -> Self {
        Recorder(Rc::new(Local { send: Box::new(send), cutting_off: Box::new(cutting_off) }))
    }

    /// Creates a recorder that keeps the records of parts of a request.
    pub(super) fn keeping_parts(&self, parts: Rc<RefCell<Vec<RequestRecord>>>) -> Recorder {
        let whole = self.clone();
        Recorder::of(move |record| parts.borrow_mut().push(*record), move || whole.is_cutting_off())
    }

    /// Creates a recorder that keeps the records, and returns where.
    #[cfg(test)]
    pub(crate) fn keeping() -> (Self, Rc<RefCell<Vec<RequestRecord>>>) {
        let kept: Rc<RefCell<Vec<RequestRecord>>> = Rc::default();
        let into = kept.clone();
        (Recorder::of(move |record| into.borrow_mut().push(*record), || false), kept)
    }

    pub(super) fn is_cutting_off(&self) -> bool {
        (self.0.cutting_off)()
    }

    pub(super) fn record(&self, record: Box<RequestRecord>) {
        (self.0.send)(record);
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recorder")
    }
}

impl LivesInMailbox for RecorderActor {
    const KIND: ActorKind = ActorKind::Recorder;
}

impl Actor for RecorderActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.look_at_clock(ctx);
    }
}

impl Handler<Wake> for RecorderActor {
    type Result = ();

    fn handle(&mut self, _: Wake, ctx: &mut Self::Context) {
        self.wake(ctx);
    }
}

impl Handler<FlushRecords> for RecorderActor {
    type Result = ();

    fn handle(&mut self, _: FlushRecords, _: &mut Self::Context) {
        self.read_queue();
        if let Some(usage) = &mut self.usage {
            usage.save();
            usage.tell();
        }
    }
}

impl Handler<GetRequestCells> for RecorderActor {
    type Result = MessageResult<GetRequestCells>;

    /// A copy of ten thousand cells takes a millisecond.
    fn handle(&mut self, _: GetRequestCells, _: &mut Self::Context) -> Self::Result {
        self.read_queue();
        MessageResult(Box::new(self.cells.clone()))
    }
}

impl Handler<ConfigChanged> for RecorderActor {
    type Result = ();

    fn handle(&mut self, ConfigChanged(config): ConfigChanged, _: &mut Self::Context) {
        self.cells.configure(&config);
    }
}

#[cfg(test)]
mod tests;
