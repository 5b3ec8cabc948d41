//! Once more to the upstreams that have failed.

use tokio::time::sleep;

use super::RetryState;
use crate::proxy::pool::budget::backoff;

impl RetryState<'_> {
    /// Returns whether failed upstreams may be asked once more, as no other is left (`retry.sameUpstream`).
    pub(in crate::proxy) fn may_retry_same_upstream(&self) -> bool {
        let in_trouble = self.last.as_ref().is_some_and(|last| last.error.failure.class.counts_as_unhealthy());
        in_trouble && self.same_upstream_retries < self.config.same_upstream
    }

    /// Waits before the same upstreams are asked again, and excludes no upstream any more.
    pub(in crate::proxy) async fn wait_before_retry(&mut self) {
        let pause = backoff(self.config.backoff, self.same_upstream_retries, rand::random());
        self.same_upstream_retries += 1;
        self.excluded.clear();
        sleep(pause).await;
    }
}
