//! What every test needs: the program under test, scripted upstreams, and a client that shows what is on the wire.

mod app;
mod client;
mod clock;
mod demo;
mod frames;
mod http2;
mod prometheus;
mod proxies;
mod raw;
mod redis;
mod tls;
mod upstream;
pub mod websocket;

pub use app::{App, KEY, Launch, OPEN_FILES, config_at, config_of, config_with, first_then_second, scratch};
pub use client::{Client, Response};
pub use clock::{WallClock, hurried};
pub use demo::Demo;
pub use frames::{FrameKind, Frames};
pub use http2::{Ask, Http2};
pub use prometheus::{Metrics, Prometheus, promtool};
pub use proxies::{PROXY_LOGIN, RealProxy, assert_no_proxy_login};
pub use raw::{Answer, Raw, post};
pub use redis::Redis;
pub use tls::{Connection, Identity, Tls, Wild};
pub use upstream::{Received, Reply, Step, Upstream};

use std::time::{Duration, Instant};

/// Polls until `check` says yes, for at most ten seconds: no test sleeps and hopes.
pub fn eventually(what: &str, mut check: impl FnMut() -> bool) {
    within(Duration::from_secs(10), what, &mut check);
}

/// Polls until `check` says yes, for at most `limit`.
pub fn within(limit: Duration, what: &str, mut check: impl FnMut() -> bool) {
    let until = Instant::now() + limit;
    while !check() {
        assert!(Instant::now() < until, "within {limit:?} it did not happen: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
