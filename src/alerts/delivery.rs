//! The delivery of one message: tries with pauses between them, up to a deadline.

use std::time::Duration;

use actix_web::web::Bytes;
use tokio::time::sleep;
use transport::ClientCache;

use super::post::{PostFailure, post};
use super::receiver::Outgoing;
use crate::config::AlertConfig;
use crate::types::Now;

/// The first pause. Each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How long after its event a message is worth a try.
const DELIVER_WITHIN: Duration = Duration::from_secs(3_600);

/// Delivers a message. Calls `failed` after each failed try.
///
/// # Errors
/// When the receiver refuses the message, or the time is up.
pub(super) async fn deliver(
    clients: &ClientCache,
    receiver: (&AlertConfig, u64),
    message: &Outgoing,
    failed: impl Fn(&PostFailure),
) -> Result<(), PostFailure> {
    let body = Bytes::from(message.body.clone());
    let deadline = message.raised_at + u64::try_from(DELIVER_WITHIN.as_millis()).unwrap_or(u64::MAX);
    for tries in 0.. {
        let Err(failure) = post(clients, receiver, body.clone()).await else { return Ok(()) };
        failed(&failure);
        let pause = pause_after(tries, failure.retry_after);
        let next = Now::read_mono() + u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        if !failure.may_pass || next > deadline {
            return Err(failure);
        }
        sleep(pause).await;
    }
    Ok(())
}

/// Returns the pause after so many tries. A receiver that names a time is not asked before.
fn pause_after(tries: u32, asked: Option<Duration>) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1_u32.checked_shl(tries).unwrap_or(u32::MAX));
    doubled.min(LONGEST_PAUSE).max(asked.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute_and_a_receiver_may_ask_for_longer_ones() {
        let seconds = |tries, asked: Option<u64>| pause_after(tries, asked.map(Duration::from_secs)).as_secs();
        assert_eq!([0, 1, 2, 5, 6, 40].map(|tries| seconds(tries, None)), [1, 2, 4, 32, 60, 60]);
        assert_eq!([seconds(0, Some(90)), seconds(6, Some(5))], [90, 60]);
    }
}
