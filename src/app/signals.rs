//! The signals that stop the process: SIGINT and SIGTERM.

use std::time::Duration;

use tokio::time::sleep;

/// Some supervisors, and some people, send two signals for one wish to stop.
const ONE_WISH: Duration = Duration::from_secs(1);

/// Resolves with a signal to stop.
pub(super) async fn stop_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

/// Resolves with a second signal to stop. A signal within [`ONE_WISH`] belongs to the first.
pub(super) async fn second_stop_signal() {
    sleep(ONE_WISH).await;
    stop_signal().await;
}
