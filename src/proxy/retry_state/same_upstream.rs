//! Once more to the upstreams that have failed.

use tokio::time::sleep;

use super::RetryState;
use crate::proxy::client_request::ClientRequest;
use crate::proxy::pool::budget::backoff;
use crate::scheduler::AdmissionError;

impl RetryState<'_> {
    /// Prepares the next selection after a refusal: of the next place of files, of the next model of an alias, or after a pause of the
    /// same upstreams.
    ///
    /// # Errors
    /// With the refusal of all models, when nobody is left to be asked.
    pub(in crate::proxy) async fn go_on_after(
        &mut self,
        request: &mut ClientRequest,
        refused: AdmissionError,
    ) -> Result<(), AdmissionError> {
        if self.home.go_on_after(&refused) {
            return Ok(());
        }
        if self.pass_over_model(request, &refused) {
            return Ok(());
        }
        if self.may_retry_same_upstream() {
            self.wait_before_retry().await;
            return Ok(());
        }
        Err(request.refusal_of_all(refused))
    }

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
