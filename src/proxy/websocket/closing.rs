//! The end of a connection, told to both sides.

use std::time::Duration;

use tokio::time::timeout;
use transport::SocketMessage;

use super::RequestMemory;
use super::client_side::ClientSide;
use super::ending::Ending;
use super::upstream_side::UpstreamSide;

/// How long the client may take to answer a close of ours.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);

/// Tells both sides that the connection ends.
pub(super) async fn close_both<M: RequestMemory>(
    client_side: &mut ClientSide<M>,
    upstream_side: Option<UpstreamSide>,
    ending: Ending,
) {
    let upstream = ending.for_upstream();
    let is_answer = matches!(ending, Ending::Client(_));
    let client = match ending {
        Ending::Client(close) | Ending::Upstream(close) | Ending::Ours(close) => Some(close),
        Ending::ClientGone => None,
    };
    if let Some(upstream_side) = upstream_side {
        upstream_side.close(upstream).await;
    }
    let Some(close) = client else { return };
    client_side.send(&SocketMessage::Close(Some(close))).await;
    if !is_answer {
        // The client's own close, or its end.
        let _ = timeout(CLOSE_WITHIN, async { while client_side.read().await.is_ok() {} }).await;
    }
}
