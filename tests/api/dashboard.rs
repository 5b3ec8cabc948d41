//! The dashboard from outside: who comes in, what each may do, and what attacks come to. `browser` has the pages in a browser.

mod attacks;
mod browser;
mod doors;
mod forms;
mod key_forms;
mod reasons;
mod recipes;
mod trials;
pub mod visitor;

use serde_json::{Value, json};

use self::visitor::Visitor;
use crate::helpers::{App, KEY, Reply, Upstream, config_of};

/// The key of an admin.
pub const ADMIN: &str = "sk-admin-0123456789abcdef";
/// The key of a viewer.
pub const VIEWER: &str = "sk-viewer-0123456789abcdef";
/// The key of a client.
pub const TEAM: &str = "sk-team-a-0123456789abcdef";

/// A pool with people who operate it, and a client's key with limits.
pub fn operated(upstreams: &[&Upstream]) -> Value {
    let mut config = config_of(upstreams);
    config["server"] = json!({
        "apiKey": KEY, "adminKeys": [{ "name": "ops", "key": ADMIN }], "viewerKeys": [{ "name": "eyes", "key": VIEWER }],
    });
    config["keys"] = json!([{ "name": "team-a", "key": TEAM, "rpm": 30, "budgets": [{ "usd": 2, "per": "day" }] }]);
    config
}

/// Such a pool of one upstream, and an admin who has logged in.
pub fn started() -> (Upstream, App, Visitor) {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::start(&operated(&[&upstream]));
    let visitor = Visitor::with_key(&app, ADMIN);
    (upstream, app, visitor)
}
