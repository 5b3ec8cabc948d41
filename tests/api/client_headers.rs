//! What a client writes beside the body, its query and its headers, rests no upstream.

use crate::helpers::{App, Reply, Upstream};

#[test]
fn a_query_or_a_header_that_an_upstream_refuses_rests_nobody() {
    for status in [406, 409, 411, 412, 414, 416, 417, 431] {
        let refusing = || {
            Upstream::start(move |request| {
                let is_odd = request.path.contains("odd=1") || request.header("x-codex-odd").is_some();
                if is_odd { Reply::json(status, &serde_json::Value::Null) } else { Reply::chat("hi") }
            })
        };
        let (a, b) = (refusing(), refusing());
        let app = App::on(&[&a, &b]);
        let chat = serde_json::json!({ "model": "m", "messages": [] });
        for _ in 0..8 {
            assert_eq!(app.client().post("/v1/chat/completions?odd=1", &chat).status, status);
            let client = app.client().header("x-codex-odd", "1");
            assert_eq!(client.post("/v1/chat/completions", &chat).status, status);
        }
        for id in ["a", "b"] {
            assert_eq!(app.status_of(id)["available"], true, "{status}: {:#}", app.status_of(id));
        }
        assert_eq!(app.chat().status, 200, "{status}");
    }
}
