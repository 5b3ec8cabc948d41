//! The end of a connection, told to both sides.

use std::time::Duration;

use tokio::time::timeout;
use transport::{SocketClose, SocketMessage};

use super::RequestMemory;
use super::client_side::ClientSide;
use super::ending::{Ending, code};
use super::upstream_side::UpstreamSide;

/// How long the client may take to answer a close of ours.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);

/// Tells both sides that the connection ends.
pub(super) async fn close_both<M: RequestMemory>(
    client_side: &mut ClientSide<M>,
    upstream_side: Option<UpstreamSide>,
    ending: Ending,
) {
    let normal = || SocketClose::new(code::NORMAL, "");
    let is_answer = matches!(ending, Ending::Client(_));
    let (client, upstream) = match ending {
        Ending::Client(close) => (Some(close.clone()), close),
        Ending::ClientGone => (None, normal()),
        Ending::Upstream(close) => (Some(close), normal()),
        Ending::Ours(close) => (Some(close.clone()), close),
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
