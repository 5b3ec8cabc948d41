//! One prompt of an agent that retries on and on, by the rules of Codex 0.171, against accounts that are down.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::helpers::{App, Launch, Reply, Upstream, config_of, hurried};

/// The program's minute takes six seconds.
const HURRY: u32 = 10;

/// Tries of one stream, and streams of one prompt.
const TRIES: u32 = 5;
const STREAMS: u32 = 6;

/// Waits by the program's clock.
fn wait(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms) / HURRY);
}

/// Asks as Codex does: 0.2 s, doubling, after each failure; as long as a 503 or a 429 says. Returns the number of requests in a minute.
fn prompt(app: &App) -> u32 {
    let begun = Instant::now();
    let mut requests = 0;
    let asked = json!({ "model": "m", "input": "hi", "stream": true, "store": false });
    let client = app.client().header("session-id", "s");
    for stream in 0..STREAMS {
        for attempt in 0..TRIES {
            if begun.elapsed() * HURRY > Duration::from_secs(60) {
                return requests;
            }
            let answer = client.post("/v1/responses", &asked);
            requests += 1;
            let told = answer.header("retry-after").and_then(|after| after.parse::<u64>().ok());
            let obeyed = told.filter(|_| matches!(answer.status, 429 | 503)).map(|seconds| seconds * 1_000);
            if attempt + 1 < TRIES {
                wait(obeyed.unwrap_or(200 << attempt));
            }
        }
        wait(200 << stream);
    }
    requests
}

#[test]
fn a_prompt_that_is_retried_on_and_on_spares_accounts_that_are_down() {
    // With a session, one account is always asked first; without affinity, either.
    for affinity in ["session", "off"] {
        let down = || Upstream::always(Reply::error(500, "no"));
        let (first, second) = (down(), down());
        let mut config = config_of(&[&first, &second]);
        config["affinity"] = json!(affinity);
        let app = hurried(Launch::new(&config), HURRY).start();
        let requests = prompt(&app);
        let calls = first.calls() + second.calls();
        // Five or six requests to open both breakers, and then one probe each ten seconds.
        assert!(calls <= 18, "{affinity}: {calls} calls of {requests} requests");
        assert!(first.calls().min(second.calls()) >= 5, "{affinity}: both are probed, one after the other");
    }
}
