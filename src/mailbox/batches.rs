//! Actors that read a queue of their own in batches: whoever puts something into the queue need not wake the actor each time.
//!
//! 1. The first entry after a silence wakes the actor, which reads and saves at once.
//! 2. From then on the actor reads at each tick, and saves with every fifth one, until there was nothing between two saves.
//! 3. The ticks of all actors are the same moments, so a thread wakes once for all of its actors.

use std::sync::OnceLock;
use std::time::Duration;

use actix::AsyncContext;
use tokio::time::Instant;

use super::context::{Context, LivesInMailbox};

/// The time between two ticks: how long an entry may wait.
pub const BATCH_INTERVAL: Duration = Duration::from_millis(20);

/// How many ticks there are from one save to the next. The store commits no oftener.
const TICKS_A_SAVE: u32 = 5;

/// An actor that reads a queue in batches.
pub trait ReadsInBatches: LivesInMailbox {
    /// Reads all that is queued. Returns whether there was anything.
    fn read_batch(&mut self) -> bool;

    /// Has saved what changed.
    fn save_batches(&mut self);

    /// Returns whether the actor reads by itself, to be changed by this trait alone.
    fn is_reading(&mut self) -> &mut bool;

    /// Tells those who fill the queue whether the actor reads by itself (`true`), or is to be woken. Orders this before all that follows.
    fn set_awake(&mut self, awake: bool);

    /// Reads the queue, and goes on as long as there is something. Called when an entry has woken the actor.
    fn wake(&mut self, ctx: &mut Context<Self>) {
        let any = self.read_batch();
        if !*self.is_reading() {
            self.save_batches();
            self.set_awake(true);
            self.read_while_busy((1, any), ctx);
        }
    }

    /// Reads at the next tick: the `nth` since the last save. `any`: whether there was anything since.
    fn read_while_busy(&mut self, (nth, any): (u32, bool), ctx: &mut Context<Self>) {
        *self.is_reading() = true;
        ctx.run_later(until_next_tick(), move |actor, ctx| {
            let any = actor.read_batch() || any;
            if nth < TICKS_A_SAVE {
                return actor.read_while_busy((nth + 1, any), ctx);
            }
            actor.save_batches();
            if any {
                return actor.read_while_busy((1, false), ctx);
            }
            *actor.is_reading() = false;
            actor.set_awake(false);
            // An entry in between woke nobody.
            if actor.read_batch() {
                actor.set_awake(true);
                actor.read_while_busy((1, true), ctx);
            }
        });
    }
}

/// Returns the time until the next tick. The ticks of the process begin with the first question.
fn until_next_tick() -> Duration {
    static FIRST: OnceLock<Instant> = OnceLock::new();
    until_tick_after(Instant::now().saturating_duration_since(*FIRST.get_or_init(Instant::now)))
}

/// Returns the time until the next tick, so long after a tick.
fn until_tick_after(passed: Duration) -> Duration {
    let of_this_one = passed.as_nanos() % BATCH_INTERVAL.as_nanos();
    BATCH_INTERVAL - Duration::from_nanos(u64::try_from(of_this_one).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actors_that_begin_at_different_moments_read_at_the_same() {
        let tick_after = |passed: Duration| passed + until_tick_after(passed);
        for micros in [0, 1_234, 8_237, 19_999] {
            assert_eq!(tick_after(Duration::from_micros(micros)), BATCH_INTERVAL, "{micros}");
        }
        assert_eq!(tick_after(BATCH_INTERVAL), 2 * BATCH_INTERVAL, "never at once");
    }
}
