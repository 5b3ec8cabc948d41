//! The kinds of actors, as a table.

/// A kind of actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActorKind {
    /// The owner of the configuration in force.
    Config,
    /// The supervisor of the upstreams.
    Supervisor,
    /// The scheduler of a worker.
    Scheduler,
    /// The writer of one upstream's facts.
    Upstream,
    /// The writer of what clients' keys have used.
    Keys,
    /// The writer of the store.
    Persistence,
    /// The writer of homes.
    Homes,
    /// The reader of the records of requests.
    Recorder,
    /// Who asks upstreams for their models.
    Discovery,
    /// The owner of webhooks' receivers.
    Alerts,
    /// The owner of the dashboard's sessions.
    Dashboard,
    /// A worker's copy of the configuration.
    Follower,
}

/// What a full mailbox means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenFull {
    /// Requests are refused (503).
    Refuses,
    /// What is sent is left out, and counted as refused.
    LeavesOut,
    /// Who asks waits for room.
    Waits,
    /// It is never full: nothing there may be lost or wait.
    Never,
}

/// What is known of a kind.
struct KindRow {
    name: &'static str,
    capacity: usize,
    when_full: WhenFull,
    /// There is one on each worker, mostly asked from the same thread.
    is_per_thread: bool,
}

/// As many messages as no memory holds: actix's bound for a capacity.
pub(super) const UNBOUNDED: usize = usize::MAX >> 8;

const fn row(name: &'static str, capacity: usize, when_full: WhenFull) -> KindRow {
    KindRow { name, capacity, when_full, is_per_thread: false }
}

impl KindRow {
    const fn on_each_worker(self) -> KindRow {
        KindRow { is_per_thread: true, ..self }
    }
}

impl ActorKind {
    /// Every kind.
    pub const ALL: [ActorKind; 12] = [
        ActorKind::Config,
        ActorKind::Supervisor,
        ActorKind::Scheduler,
        ActorKind::Upstream,
        ActorKind::Keys,
        ActorKind::Persistence,
        ActorKind::Homes,
        ActorKind::Recorder,
        ActorKind::Discovery,
        ActorKind::Alerts,
        ActorKind::Dashboard,
        ActorKind::Follower,
    ];

    const fn row(self) -> KindRow {
        match self {
            ActorKind::Config => row("config", 1_000, WhenFull::Waits),
            ActorKind::Supervisor => row("supervisor", 10_000, WhenFull::Refuses),
            ActorKind::Scheduler => row("scheduler", 10_000, WhenFull::Waits).on_each_worker(),
            ActorKind::Upstream => row("upstream", 10_000, WhenFull::Waits),
            ActorKind::Keys => row("keys", 10_000, WhenFull::Refuses),
            ActorKind::Persistence => row("persistence", UNBOUNDED, WhenFull::Never),
            ActorKind::Homes => row("homes", 10_000, WhenFull::LeavesOut),
            ActorKind::Recorder => row("recorder", 65_536, WhenFull::LeavesOut),
            ActorKind::Discovery => row("discovery", 1_000, WhenFull::Waits),
            ActorKind::Alerts => row("alerts", 1_000, WhenFull::LeavesOut),
            ActorKind::Dashboard => row("dashboard", 1_000, WhenFull::Waits),
            ActorKind::Follower => row("follower", 1_000, WhenFull::Waits).on_each_worker(),
        }
    }

    /// Returns the name, as in `actors.mailboxes` and in metrics.
    pub const fn as_str(self) -> &'static str {
        self.row().name
    }

    /// Returns how many messages the mailbox takes unless the configuration says otherwise.
    pub const fn usual_capacity(self) -> usize {
        self.row().capacity
    }

    /// Returns what a full mailbox means.
    pub const fn when_full(self) -> WhenFull {
        self.row().when_full
    }

    pub(super) const fn is_per_thread(self) -> bool {
        self.row().is_per_thread
    }
}
