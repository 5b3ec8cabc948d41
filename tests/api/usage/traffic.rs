//! Thousands of requests of every kind, and a book of what the upstreams reported for them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::answers::{chat, report, tokens, word};
use crate::helpers::{App, Client, KEY, Received, Reply, Step, Upstream};

/// The names of the keys, and the keys.
pub const KEYS: [(&str, &str); 4] = [
    ("default", KEY),
    ("ann", "sk-of-ann-0123456789abcdef"),
    ("bob", "sk-of-bob-0123456789abcdef"),
    ("ci", "sk-of-ci-0123456789abcdef"),
];

/// The clients that ask at the same time.
const CLIENTS: u64 = 16;

/// How long a hedge waits: far longer than any prompt answer takes on a busy machine.
const HEDGE_MS: u64 = 2_500;

/// Tokens by kind: input, cached, written for 5 minutes, written for an hour, output, reasoning.
pub type Kinds = [u64; 6];

/// Where tokens count: key, API, model.
pub type Place = [String; 3];

/// What the upstreams reported, and what they did.
#[derive(Default)]
pub struct Book {
    pub reported: Mutex<BTreeMap<Place, Kinds>>,
    /// Requests that were seen before: the second attempt.
    seen: Mutex<BTreeSet<u64>>,
    /// The statuses 429 and 500 that were answered.
    pub refused: [AtomicU64; 2],
}

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Plain,
    Stream,
    Messages,
    MessagesStream,
    Embeddings,
    /// The upstream fails first: 500.
    Failing,
    /// The upstream refuses first: 429.
    Refused,
    /// The first upstream is silent: hedged.
    Hedged,
    /// An answer without a usage.
    Silent,
    /// The upstream cuts the stream.
    Cut,
    /// The client leaves in the middle of a stream.
    Left,
}

/// The kinds in turn. A hedge takes seconds, so [`Kind::of`] makes most of these plain.
const TURN: [Kind; 20] = [
    Kind::Plain,
    Kind::Stream,
    Kind::Messages,
    Kind::Embeddings,
    Kind::Cut,
    Kind::Plain,
    Kind::Stream,
    Kind::Failing,
    Kind::MessagesStream,
    Kind::Silent,
    Kind::Plain,
    Kind::Left,
    Kind::Stream,
    Kind::Embeddings,
    Kind::Refused,
    Kind::Plain,
    Kind::Stream,
    Kind::Hedged,
    Kind::Messages,
    Kind::Silent,
];

impl Kind {
    fn of(n: u64) -> Kind {
        let kind = TURN[(n % 20) as usize];
        if kind == Kind::Hedged && n % 200 >= 20 { Kind::Plain } else { kind }
    }

    fn model(self, n: u64) -> &'static str {
        match self {
            Kind::Plain | Kind::Stream => ["small", "large"][(n / 20 % 2) as usize],
            Kind::Messages | Kind::MessagesStream => "claude",
            Kind::Embeddings => "embedding",
            Kind::Failing => "failing",
            Kind::Refused => "refused",
            Kind::Hedged => "hedged",
            Kind::Silent | Kind::Cut | Kind::Left => "unsaid",
        }
    }

    fn is_stream(self) -> bool {
        matches!(self, Kind::Stream | Kind::MessagesStream | Kind::Cut | Kind::Left)
    }

    /// Returns whether the answer ends as it should.
    pub fn is_whole(self) -> bool {
        !matches!(self, Kind::Cut | Kind::Left)
    }
}

/// Returns how many of the requests from `from` to `to` fail.
pub fn failures(from: u64, to: u64) -> u64 {
    (from..to).filter(|n| !Kind::of(*n).is_whole()).count() as u64
}

/// Returns picodollars for a token of each kind, at the API in this place of the configuration.
pub fn prices(api: usize) -> Kinds {
    let of_api = [
        [150_000, 15_000, 187_500, 300_000, 600_000, 700_000],
        [3_000_000, 300_000, 3_750_000, 6_000_000, 15_000_000, 1],
    ];
    of_api[api % 2].map(|price| price + api as u64)
}

/// The APIs with their models. The first fails first, the fourth refuses first, and rests then; the third is Anthropic's.
pub const APIS: [(&str, &[&str]); 5] = [
    ("a", &["small", "large", "embedding", "failing", "unsaid"]),
    ("b", &["small", "large", "embedding", "failing", "unsaid", "refused", "hedged"]),
    ("c", &["claude"]),
    ("d", &["refused"]),
    ("e", &["hedged"]),
];

/// Returns the upstreams, and a configuration.
pub fn pool(book: &Arc<Book>) -> (Vec<Upstream>, Value) {
    let start = |(api, _)| {
        let book = book.clone();
        Upstream::start(move |request| book.answer(api, request))
    };
    let upstreams: Vec<Upstream> = APIS.map(start).into();
    let api_of = |(nth, (id, models)): (usize, &(&str, &[&str]))| {
        let [input, read, written, hour, output, reasoning] = prices(nth).map(|price| price as f64 / 1e6);
        let price = json!({ "input": input, "cacheRead": read, "cacheWrite": written, "cacheWrite1h": hour,
            "output": output, "reasoning": reasoning });
        let url = if *id == "c" { "anthropicBaseUrl" } else { "baseUrl" };
        json!({ "id": id, "apiKey": format!("sk-upstream-{id}-0123456789"), "models": models,
            "prices": { "*": price }, url: upstreams[nth].url() })
    };
    let apis: Vec<Value> = APIS.iter().enumerate().map(api_of).collect();
    let keys: Vec<Value> = KEYS[1..].iter().map(|(name, key)| json!({ "name": name, "key": key })).collect();
    let retry = json!({ "hedgeAfterMs": HEDGE_MS });
    let config = json!({ "server": { "apiKey": KEY }, "keys": keys, "apis": apis, "retry": retry });
    (upstreams, config)
}

/// Sends the requests `from` to `to`, to each server in turn, each with the key in turn.
pub fn send(apps: &[&App], from: u64, to: u64) {
    let next = AtomicU64::new(from);
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= to {
                        break;
                    }
                    ask(apps[(n / 7) as usize % apps.len()], n);
                }
            });
        }
    });
}

/// Returns the number of a request's key.
fn key_of(n: u64) -> usize {
    (n / 3) as usize % KEYS.len()
}

fn ask(app: &App, n: u64) {
    let kind = Kind::of(n);
    let client = Client::new(app.port).key(KEYS[key_of(n)].1);
    let (model, text) = (kind.model(n), n.to_string());
    let messages = json!([{ "role": "user", "content": text }]);
    let mut response = if kind == Kind::Embeddings {
        client.post("/v1/embeddings", &json!({ "model": model, "input": text }))
    } else {
        let body = json!({ "model": model, "max_tokens": 900, "stream": kind.is_stream(), "messages": messages });
        client.post(if model == "claude" { "/v1/messages" } else { "/v1/chat/completions" }, &body)
    };
    assert_eq!(response.status, 200, "{kind:?} {n}");
    if kind == Kind::Left {
        assert!(response.next().expect("an event").is_some(), "{n}");
        return;
    }
    let ended = response.try_bytes();
    assert!(ended.is_ok() || kind == Kind::Cut, "{kind:?} {n}: {ended:?}");
}

impl Book {
    /// Returns the answer of an API, and writes down the tokens that the answer reports.
    fn answer(&self, api: &str, request: &Received) -> Reply {
        let body = request.json();
        let text = body["messages"][0]["content"].as_str().or(body["input"].as_str()).expect("the number");
        let n: u64 = text.parse().expect("a number");
        let kind = Kind::of(n);
        if let Some(reply) = self.unreported(kind, api, n) {
            return reply;
        }
        let tokens = tokens(kind, n);
        let place = [KEYS[key_of(n)].0, api, kind.model(n)].map(str::to_owned);
        let mut reported = self.reported.lock().expect("whole");
        let sum = reported.entry(place).or_default();
        sum.iter_mut().zip(tokens).for_each(|(sum, tokens)| *sum += tokens);
        drop(reported);
        report(kind, tokens)
    }

    /// Returns the answer of a request that reports no tokens.
    fn unreported(&self, kind: Kind, api: &str, n: u64) -> Option<Reply> {
        let is_first = || self.seen.lock().expect("whole").insert(n);
        match kind {
            Kind::Failing if api == "a" && is_first() => {
                self.refused[1].fetch_add(1, Ordering::Relaxed);
                Some(Reply::error(500, "failing"))
            }
            Kind::Refused if api == "d" && is_first() => {
                self.refused[0].fetch_add(1, Ordering::Relaxed);
                let body = json!({ "error": { "message": "slow down", "type": "t", "code": null } }).to_string();
                Some(Reply::text(429, &[("content-type", "application/json"), ("retry-after", "1")], &body))
            }
            Kind::Hedged if is_first() => Some(Reply::chat("late").after(Duration::from_secs(30))),
            Kind::Silent => Some(Reply::json(200, &chat(None))),
            Kind::Cut => Some(Reply::stream(vec![word(), word()], false)),
            Kind::Left => Some(Reply::stream(vec![word(), Step::Hold], false)),
            Kind::Plain | Kind::Stream | Kind::Messages | Kind::MessagesStream => None,
            Kind::Embeddings | Kind::Failing | Kind::Refused | Kind::Hedged => None,
        }
    }
}
