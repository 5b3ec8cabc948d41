//! What the workers tell an upstream's actor: at once, without waking it for each word.
//!
//! News are laid down in order. The first end of an attempt after a silence wakes the actor; what follows it closely is taken up
//! together, [`GATHER`] later at most, or as soon as anybody asks the actor anything. So it knows every word that was laid
//! down before it decides, and a load costs it 50 wakes a second. That an attempt began wakes nobody: what it took counts already.
//!
//! Pressing news (a failure, a limit that an answer tells of) hold from when they are laid down: until the actor has acted on them,
//! its door is out of date, and every attempt asks it.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use actix::prelude::*;

use super::UpstreamActor;
use super::lane::{Door, Lane};
use super::state::Sent;
use crate::types::{Failure, Now, Operation, SentAt, Settlement};

/// How long news may lie: also what a `kill -9` under load may cost the statistics.
pub(super) const GATHER: Duration = Duration::from_millis(20);

/// A word of a worker's.
#[derive(Debug)]
pub(super) enum News {
    /// An attempt was admitted through a lane. It demands so many tokens.
    Began { lane: Arc<Lane>, of: Operation, stamp: SentAt, demand: u64 },
    /// It was not: of the lane's quotas the last ones had nothing. What these first ones gave is theirs again.
    Returned { lane: Arc<Lane>, quotas: usize, demand: u64 },
    /// A failure was the upstream's, that had been blamed on its request. It happened at this time (ms, monotonic), behind this door;
    /// to one that was `sent` as a probe, maybe.
    Testified { door: Arc<Door>, sent: Option<Sent>, failure: Failure, at: u64 },
    /// This stamp's attempt had an answer for its client by then. `closed_for`: in which the upstream says that it has nothing left for
    /// so long.
    Answered { stamp: SentAt, at: Now, closed_for: Option<Duration> },
    /// The account of this stamp's attempt is to be closed.
    Ended { stamp: SentAt, settlement: Settlement },
}

/// How soon news are to be taken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Haste {
    /// With the next: whoever asks the actor makes it take up all of them first.
    None,
    /// Soon: they are to be saved.
    Soon,
    /// Now: somebody may wait for them.
    Now,
    /// Now, and until then nobody goes past the actor: they change what the next request is told.
    Pressing,
}

/// There are news. Sent by whoever laid them down; a lost one leaves them until the next.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct TakeUp;

/// Where news are laid down; one for each actor.
#[derive(Debug)]
pub(super) struct Inbox {
    actor: Addr<UpstreamActor>,
    news: mpsc::Sender<News>,
    /// The actor takes them up by itself.
    awake: AtomicBool,
    /// So many pressing news the actor has not acted on yet.
    pressing: AtomicU32,
}

impl Inbox {
    /// The inbox of an actor, and the end that it reads from.
    pub(super) fn new(actor: Addr<UpstreamActor>) -> (Arc<Inbox>, mpsc::Receiver<News>) {
        let (news, read) = mpsc::channel();
        (Arc::new(Inbox { actor, news, awake: AtomicBool::new(false), pressing: AtomicU32::new(0) }), read)
    }

    /// Lays news down.
    pub(super) fn tell(&self, news: News, haste: Haste) {
        // The actor drops its end when it ends: then nobody is to be told.
        let _ = self.news.send(news);
        let wakes = match haste {
            Haste::None => false,
            Haste::Soon => !self.awake.swap(true, Ordering::AcqRel),
            Haste::Now => true,
            Haste::Pressing => {
                // Counted when they are there to be read, so that whoever has read the count reads them.
                self.pressing.fetch_add(1, Ordering::AcqRel);
                true
            }
        };
        if wakes {
            self.actor.do_send(TakeUp);
        }
    }

    /// How many pressing news are there? The actor reads this first, then takes up all news, acts on them, and says so.
    pub(super) fn pressing(&self) -> u32 {
        self.pressing.load(Ordering::Acquire)
    }

    /// The actor has acted on so many pressing news: what it shows the workers has them in.
    pub(super) fn acted_on(&self, pressing: u32) {
        // Where there were none, the line is left in the workers' caches.
        if pressing > 0 {
            self.pressing.fetch_sub(pressing, Ordering::AcqRel);
        }
    }

    /// Does the actor look by itself for what comes (`true`), or is it to be woken?
    pub(super) fn set_awake(&self, awake: bool) {
        // A swap: whoever lays news down before it is heard after it, whoever does so later sees it.
        self.awake.swap(awake, Ordering::AcqRel);
    }
}
