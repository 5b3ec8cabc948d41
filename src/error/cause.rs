//! What stood in a request's way, in one word, for counts.

use super::ApiError;

impl ApiError {
    /// Returns what stood in the way: the reason of the upstream that will be free first, else the code.
    pub fn cause(&self) -> &'static str {
        let refusals = self.refusals().unwrap_or_default();
        let first = refusals.iter().min_by_key(|(_, refusal)| refusal.retry_at_in_panic().unwrap_or(u64::MAX));
        first.map_or(self.code(), |(_, refusal)| refusal.reason())
    }
}
