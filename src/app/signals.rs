//! The signals that stop the process: SIGINT and SIGTERM.

use std::time::Duration;

use tokio::time::sleep;

/// Some supervisors, and some people, send two signals for one wish to stop.
const ONE_WISH: Duration = Duration::from_secs(1);

/// Begins to listen for signals to stop, at once, and resolves with the first one.
pub(super) fn stop_signal() -> impl Future<Output = ()> {
    #[cfg(unix)]
    let signals = {
        use tokio::signal::unix::{SignalKind, signal};
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    };
    async move {
        #[cfg(unix)]
        if let (Ok(mut terminate), Ok(mut interrupt)) = signals {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            return;
        }
        let _ = tokio::signal::ctrl_c().await;
    }
}

/// Resolves with a second signal to stop. A signal within [`ONE_WISH`] belongs to the first.
pub(super) async fn second_stop_signal() {
    sleep(ONE_WISH).await;
    stop_signal().await;
}
