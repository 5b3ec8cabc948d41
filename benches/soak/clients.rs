//! The clients: what each wants, and whether what it got is one of the allowed outcomes.

use std::collections::BTreeMap;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rand::Rng;
use serde_json::{Value, json};

use super::http::Connection;
use super::{KEY, story};

/// What a client wants. How often each is drawn: see [`Wish::draw`].
#[derive(Debug, Clone, Copy)]
enum Wish {
    /// An answer in one piece.
    Chat,
    /// A stream, to its end.
    Stream,
    /// A stream, left in the middle.
    Leave,
    /// An answer, left before it came.
    LeaveEarly,
    /// A long stream, read slowly.
    Dawdle,
    /// Something that is no request.
    Nonsense,
    /// A model that nobody serves.
    NoModel,
}

/// What the pool may say when no upstream could serve: limits, failures, time.
const REFUSALS: [u16; 6] = [429, 500, 502, 503, 504, 529];

/// What came of all requests so far.
#[derive(Default)]
pub struct Tally {
    counts: Mutex<BTreeMap<String, u64>>,
    broken: Mutex<Vec<String>>,
}

impl Tally {
    /// How many were not allowed.
    pub fn broken(&self) -> usize {
        self.broken.lock().map_or(usize::MAX, |broken| broken.len())
    }

    /// How many there were of each outcome.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        self.counts.lock().map(|counts| counts.clone()).unwrap_or_default()
    }

    fn add(&self, wish: Wish, outcome: Result<String, String>) {
        /// More need not be printed to be believed.
        const PRINTED: usize = 20;
        let counted = match &outcome {
            Ok(outcome) => format!("{wish:?}: {outcome}"),
            Err(_) => format!("{wish:?}: NOT ALLOWED"),
        };
        if let Ok(mut counts) = self.counts.lock() {
            *counts.entry(counted).or_default() += 1;
        }
        if let (Err(why), Ok(mut broken)) = (outcome, self.broken.lock()) {
            if broken.len() < PRINTED {
                println!("NOT ALLOWED: {wish:?}: {why}");
            }
            broken.push(why);
        }
    }
}

/// One client: asks, one request after the other, until it is told to stop.
pub fn run(port: u16, name: usize, stop: &AtomicBool, tally: &Tally) {
    let mut connection: Option<Connection> = None;
    let mut rng = rand::rng();
    for nth in 0_u64.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        thread::sleep(Duration::from_millis(rng.random_range(0..60)));
        let wish = Wish::draw(&mut rng);
        let id = match wish {
            Wish::Dawdle => format!("{}-{name}-{nth}", story::LONG),
            Wish::Chat | Wish::Stream | Wish::Leave | Wish::LeaveEarly | Wish::Nonsense | Wish::NoModel => {
                format!("c{name}-{nth}")
            }
        };
        let mut used = match connection.take().filter(Connection::is_free).map_or_else(|| Connection::open(port), Ok) {
            Ok(connection) => connection,
            Err(error) => {
                tally.add(wish, Err(format!("{id}: no connection: {error}")));
                continue;
            }
        };
        let outcome = wish.of(&mut used, &id).unwrap_or_else(|error| Err(format!("the connection broke: {error}")));
        tally.add(wish, outcome.map_err(|why| format!("{id}: {why}")));
        connection = Some(used);
    }
}

/// What an allowed outcome is called, or why it is not allowed.
type Outcome = Result<String, String>;

impl Wish {
    fn draw(rng: &mut impl Rng) -> Wish {
        match rng.random_range(0..100) {
            0..40 => Wish::Chat,
            40..70 => Wish::Stream,
            70..80 => Wish::Leave,
            80..86 => Wish::LeaveEarly,
            86..88 => Wish::Dawdle,
            88..95 => Wish::Nonsense,
            _ => Wish::NoModel,
        }
    }

    /// Has its wish, or not. An `Err` outside is a broken connection, which no client here deserves.
    fn of(self, connection: &mut Connection, id: &str) -> io::Result<Outcome> {
        match self {
            Wish::Chat => {
                connection.send("POST /v1/chat/completions", KEY, &request(id, "m", json!({})))?;
                let status = connection.head()?.status;
                let body = connection.rest()?;
                Ok(match status {
                    200 if body == story::answer(id).as_bytes() => Ok("whole".to_owned()),
                    200 => Err(format!("another answer than was given: {}", shown(&body))),
                    _ => refusal(status, &body, &REFUSALS),
                })
            }
            Wish::Stream | Wish::Leave | Wish::Dawdle => self.stream(connection, id),
            Wish::LeaveEarly => {
                connection.send("POST /v1/chat/completions", KEY, &request(id, "m", json!({ "stream": true })))?;
                thread::sleep(Duration::from_millis(rand::rng().random_range(0..30)));
                *connection = reopened(connection)?;
                Ok(Ok("left before the answer".to_owned()))
            }
            Wish::Nonsense => nonsense(connection),
            Wish::NoModel => {
                connection.send("POST /v1/chat/completions", KEY, &request(id, "nobody-has-this", json!({})))?;
                let status = connection.head()?.status;
                Ok(refusal(status, &connection.rest()?, &[404]))
            }
        }
    }

    fn stream(self, connection: &mut Connection, id: &str) -> io::Result<Outcome> {
        let asks = rand::rng().random_bool(0.5);
        let wish = if asks { json!({ "include_usage": true }) } else { Value::Null };
        let body = request(id, "m", json!({ "stream": true, "stream_options": wish }));
        connection.send("POST /v1/chat/completions", KEY, &body)?;
        let head = connection.head()?;
        if head.status != 200 || !head.is_stream {
            let body = connection.rest()?;
            return Ok(refusal(head.status, &body, &REFUSALS));
        }
        let events = story::events(id, asks);
        let leaves_after = matches!(self, Wish::Leave).then(|| rand::rng().random_range(0..events.len()));
        let mut seen = Vec::new();
        for nth in 0.. {
            if leaves_after.is_some_and(|last| nth > last) {
                *connection = reopened(connection)?;
                let seen = without_pings(&seen);
                let fits = events.concat().as_bytes().starts_with(&seen) || told_failure(&seen, &events);
                return Ok(if fits { Ok("left in the middle".to_owned()) } else { Err(shown(&seen)) });
            }
            if matches!(self, Wish::Dawdle) {
                thread::sleep(Duration::from_millis(rand::rng().random_range(0..8)));
            }
            match connection.next()? {
                Some(piece) => seen.extend(piece),
                None => break,
            }
        }
        let seen = without_pings(&seen);
        Ok(match seen == events.concat().as_bytes() {
            true => Ok("whole".to_owned()),
            false if told_failure(&seen, &events) => {
                // The connection ends behind it.
                *connection = reopened(connection)?;
                Ok("failure told in the stream".to_owned())
            }
            false => Err(format!("a stream that is neither whole nor tells an error: …{}", shown(&seen))),
        })
    }
}

/// The connection is dropped in the middle of an answer; the client comes back with another.
fn reopened(connection: &Connection) -> io::Result<Connection> {
    Connection::open(connection.port()?)
}

fn request(id: &str, model: &str, fields: Value) -> String {
    let mut body = json!({ "model": model, "messages": [{ "role": "user", "content": format!("#id:{id}#") }] });
    if let (Some(body), Value::Object(fields)) = (body.as_object_mut(), fields) {
        body.extend(fields.into_iter().filter(|(_, value)| !value.is_null()));
    }
    body.to_string()
}

/// A stream without the comments that keep it alive. One that stands in the middle of an event is left: it has no business there.
fn without_pings(seen: &[u8]) -> Vec<u8> {
    const PING: &[u8] = b": ping\n";
    let mut rest = seen;
    let mut without: Vec<u8> = Vec::with_capacity(seen.len());
    while let Some((line, tail)) = rest.iter().position(|byte| *byte == b'\n').map(|at| rest.split_at(at + 1)) {
        if line != PING || !(without.is_empty() || without.ends_with(b"\n\n")) {
            without.extend_from_slice(line);
        }
        rest = tail;
    }
    without.extend_from_slice(rest);
    without
}

/// Some whole events, then one that tells an error, and no `[DONE]`.
fn told_failure(seen: &[u8], events: &[String]) -> bool {
    let text = String::from_utf8_lossy(seen);
    let Some((before, error)) = text.trim_end().rsplit_once("data: ") else { return false };
    let mut whole = before;
    for event in events {
        whole = whole.strip_prefix(event.as_str()).unwrap_or(whole);
    }
    whole.is_empty() && !before.contains("[DONE]") && is_error(error.as_bytes())
}

fn is_error(body: &[u8]) -> bool {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |field: &str| body.pointer(&format!("/error/{field}")).is_some_and(Value::is_string);
    text("message") && text("type")
}

fn refusal(status: u16, body: &[u8], allowed: &[u16]) -> Outcome {
    match allowed.contains(&status) && is_error(body) {
        true => Ok(status.to_string()),
        false => Err(format!("{status}: {}", shown(body))),
    }
}

/// What can't be a request gets the error that it deserves.
fn nonsense(connection: &mut Connection) -> io::Result<Outcome> {
    let (line, key, body, deserved) = match rand::rng().random_range(0..5) {
        0 => ("POST /v1/chat/completions", KEY, r#"{"model":"m","messages":["#, 400),
        1 => ("POST /v1/chat/completions", KEY, r#"{"messages":[]}"#, 400),
        2 => ("POST /v1/chat/completions", "sk-wrong", "{}", 401),
        3 => ("POST /v1/nothing", KEY, "{}", 404),
        _ => ("PUT /v1/chat/completions", KEY, "{}", 405),
    };
    connection.send(line, key, body)?;
    let status = connection.head()?.status;
    Ok(refusal(status, &connection.rest()?, &[deserved]))
}

fn shown(body: &[u8]) -> String {
    const LONGEST: usize = 400;
    String::from_utf8_lossy(body.get(body.len().saturating_sub(LONGEST)..).unwrap_or(body)).into_owned()
}
