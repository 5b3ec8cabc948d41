//! Idle connections of one upstream, kept for further requests.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use clock::Now;

use super::io::UpstreamIo;

/// How long an idle connection is kept: less than by upstreams (uvicorn: 5 s), so few are found stale.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(4);

/// How long a connection is used: a later one may find another address of the same name.
const LIFETIME: Duration = Duration::from_secs(75);

/// Idle connections, the last used one at the end. Clones share the connections.
#[derive(Clone, Default)]
pub(super) struct IdleConnections(Rc<RefCell<VecDeque<IdleConnection>>>);

struct IdleConnection {
    io: UpstreamIo,
    /// Since when (ms, monotonic).
    since: u64,
}

impl IdleConnections {
    /// Takes the connection that was used last: the system's caches know the last one best, and the others grow old and end.
    pub(super) async fn take(&self) -> Option<UpstreamIo> {
        poll_fn(|cx| {
            let now = Now::read_mono();
            while let Some(mut idle) = self.pop() {
                if idle.is_young(now) && idle.io.is_quiet(cx) {
                    return Poll::Ready(Some(idle.io));
                }
            }
            Poll::Ready(None)
        })
        .await
    }

    /// Keeps a connection, and closes those that nobody took in time.
    pub(super) fn put(&self, io: UpstreamIo) {
        let now = Now::read_mono();
        let mut kept = self.0.borrow_mut();
        while kept.front().is_some_and(|oldest| !oldest.is_young(now)) {
            kept.pop_front();
        }
        kept.push_back(IdleConnection { io, since: now });
    }

    fn pop(&self) -> Option<IdleConnection> {
        self.0.borrow_mut().pop_back()
    }
}

impl IdleConnection {
    fn is_young(&self, now: u64) -> bool {
        let is_within = |since: u64, limit: Duration| u128::from(now.saturating_sub(since)) < limit.as_millis();
        is_within(self.since, KEEP_ALIVE) && is_within(self.io.made_at(), LIFETIME)
    }
}
