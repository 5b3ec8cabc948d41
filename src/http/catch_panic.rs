//! A panic costs its own request, and no other.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;

/// The work ended in a panic.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Panicked;

/// Returns the outcome of `work`, or a panic. What the work owned is dropped then, as at any other end, and so
/// permits are settled.
///
/// What the work shares with other requests is the worker's state. No part of the state is half done across a call able to
/// panic.
pub(super) async fn catch_panic<T>(mut work: Pin<&mut impl Future<Output = T>>) -> Result<T, Panicked> {
    poll_fn(|cx| match catch_panic_in(|| work.as_mut().poll(cx)) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(done)) => Poll::Ready(Ok(done)),
        Err(panicked) => Poll::Ready(Err(panicked)),
    })
    .await
}

/// Returns the outcome of a single step, or a panic.
pub(super) fn catch_panic_in<T>(step: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(step)).map_err(|_| Panicked)
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::rc::Rc;

    use actix_web::rt::System;

    use super::*;

    #[test]
    fn a_panic_is_an_outcome_and_what_was_owned_is_given_back() {
        System::new().block_on(async {
            let owned = Rc::new(());
            let held = owned.clone();
            let fails = async move {
                actix_web::rt::task::yield_now().await;
                let _held = held;
                panic!("a defect, on purpose");
            };
            assert_eq!(catch_panic::<()>(pin!(fails)).await, Err(Panicked));
            assert_eq!(Rc::strong_count(&owned), 1);
            assert_eq!(catch_panic(pin!(async { 7 })).await, Ok(7));
        });
    }
}
