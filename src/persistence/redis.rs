//! The store that servers share: Redis or Valkey, which lends parts of each quota to each server.
//!
//! One script (`lend.lua`) does it all, by the store's own clock. Each server keeps a row in a quota's hash: what it has
//! counted, what it holds, and until when. The script adds the rows up and grants what fits. A server that is gone keeps
//! its row until it no longer matters; what it held then counts as used.
//!
//! A store that has forgotten its rows is known by its *epoch*, a name that it was given when it was first used. Then
//! every server tells what it last knew the sum to be, and nothing is granted until the minute of before has passed. A
//! store that was started anew may have forgotten the last second: nothing is granted for a lease's time, in which every
//! server tells its row again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ::redis::{Client, Connection, ErrorKind, RedisError, RedisResult, ServerErrorKind};

use super::redis_row::{Learned, Memory, Reply, row};
use super::{Ask, Lender, Lent, StoreError};
use crate::types::QuotaId;

/// The store is taken for unreachable when it does not connect, or answer, within this.
const WITHIN: Duration = Duration::from_millis(500);

/// After a failure nobody waits for it for so long: each of many quotas would find out by itself.
const AWAY: Duration = Duration::from_millis(900);

/// An epoch may turn out to be another, and then a row to be missing.
const MOST_ROUNDS: usize = 3;

/// How long what was lent may be used without asking again (ms). After a crash it is as long that nobody may use it.
pub(super) const LEASE_MS: u64 = 5_000;

/// How long a store that has lost everything grants nothing (ms): what was lent by its earlier life is used up by then,
/// and has left every minute.
pub(super) const LEARN_MS: u64 = LEASE_MS + 61_000;

/// How long a store that was started anew with what it had saved grants nothing (ms).
const RESTART_MS: u64 = LEASE_MS;

const FAILED: &str = "the shared store does not answer";

const GREET: &str = include_str!("greet.lua");

const LEND: &str = include_str!("lend.lua");

/// A connection to the store, and what this server remembers of it.
pub struct RedisStore {
    client: Client,
    prefix: String,
    /// Names this server's rows; a new one with each start, as what an earlier life held is not known for sure.
    holder: String,
    session: Mutex<Session>,
}

#[derive(Default)]
struct Session {
    link: Option<Link>,
    /// The life of the store that was last seen.
    epoch: Option<String>,
    /// How much that life had counted when it last answered.
    serial: u64,
    /// Numbers the asks, so that one that was on its way for long does not undo a later one.
    asked: u64,
    memories: HashMap<QuotaId, Memory>,
    /// It did not answer: until then nobody waits for it again.
    away_until: Option<Instant>,
}

struct Link {
    connection: Connection,
    script: String,
}

impl RedisStore {
    /// A store at `url`, with keys that begin with `prefix`. It connects when it is first asked.
    ///
    /// # Errors
    /// When the URL is none of Redis.
    pub fn new(url: &str, prefix: &str) -> Result<RedisStore, StoreError> {
        let client = Client::open(url).map_err(|e| StoreError::new("store.url is not usable", e))?;
        let holder = name("server");
        Ok(RedisStore { client, prefix: prefix.to_owned(), holder, session: Mutex::default() })
    }

    fn epoch_key(&self) -> String {
        format!("{}:epoch", self.prefix)
    }

    /// Connects and learns the epoch.
    fn connect(&self, known: Option<&str>, serial: u64) -> RedisResult<(Link, String)> {
        let mut connection = self.client.get_connection_with_timeout(WITHIN)?;
        connection.set_read_timeout(Some(WITHIN))?;
        connection.set_write_timeout(Some(WITHIN))?;
        // Who may not ask for it takes every run for the same: a restart with all that was kept goes unnoticed.
        let info: RedisResult<String> = ::redis::cmd("INFO").arg("server").query(&mut connection);
        let info = match info {
            Err(e) if e.is_io_error() => return Err(e),
            told => told.unwrap_or_default(),
        };
        let run = info.lines().find_map(|line| line.strip_prefix("run_id:")).unwrap_or_default().trim().to_owned();
        let epoch: String = ::redis::cmd("EVAL")
            .arg((GREET, 1, self.epoch_key()))
            .arg((known.unwrap_or_default(), run, name("epoch"), LEARN_MS, RESTART_MS, serial))
            .query(&mut connection)?;
        let script: String = ::redis::cmd("SCRIPT").arg(("LOAD", LEND)).query(&mut connection)?;
        Ok((Link { connection, script }, epoch))
    }

    fn lend_within(&self, session: &mut Session, asks: &[Ask]) -> Result<Vec<Lent>, RedisError> {
        let mut lent = Vec::new();
        lent.resize_with(asks.len(), || Err(StoreError::new("the shared store", "changed while it was asked")));
        let mut open: Vec<usize> = (0..asks.len()).collect();
        // In later rounds it is known that the epoch is another, or that a row is missing.
        for _ in 0..MOST_ROUNDS {
            let replies = self.ask(session, asks, &open)?;
            let mut again = Vec::new();
            for (i, told) in open.iter().copied().zip(replies) {
                let (Some(ask), Some(slot)) = (asks.get(i), lent.get_mut(i)) else { continue };
                let told = told.map_err(|e| StoreError::new(FAILED, e)).and_then(|text| Reply::parse(&text));
                match told {
                    Ok(told) if session.epoch.as_ref() != Some(&told.epoch) && !told.epoch.is_empty() => {
                        (session.epoch, session.serial) = (Some(told.epoch), 0);
                        again.push(i);
                    }
                    Ok(told) => {
                        let memory = session.memories.entry(ask.id.clone()).or_default();
                        session.serial = session.serial.max(told.serial);
                        match memory.learned(ask, &told) {
                            Learned::Known(requests, tokens) => *slot = Ok(told.into_grant((requests, tokens))),
                            Learned::Missing => again.push(i),
                        }
                    }
                    Err(why) => *slot = Err(why),
                }
            }
            open = again;
            if open.is_empty() {
                break;
            }
        }
        Ok(lent)
    }

    /// One round trip for all that are `open`.
    fn ask(&self, session: &mut Session, asks: &[Ask], open: &[usize]) -> Result<Vec<RedisResult<String>>, RedisError> {
        let mut link = match session.link.take() {
            Some(link) => link,
            None => {
                let remembered = asks.iter().find_map(|ask| ask.remembered.as_ref()?.epoch.clone());
                let known = session.epoch.clone().or(remembered);
                let (link, epoch) = self.connect(known.as_deref(), session.serial)?;
                if session.epoch.as_ref() != Some(&epoch) {
                    (session.epoch, session.serial) = (Some(epoch), 0);
                }
                link
            }
        };
        let epoch = session.epoch.clone().unwrap_or_default();
        let mut pipe = ::redis::pipe();
        // What is wrong with one quota's key is no matter of the others.
        pipe.ignore_errors();
        for ask in open.iter().filter_map(|i| asks.get(*i)) {
            let memory = session.memories.entry(ask.id.clone()).or_insert_with(|| Memory::of(ask));
            session.asked += 1;
            let text = row(ask, memory, (&epoch, session.asked)).to_string();
            let key = format!("{}:{}", self.prefix, ask.id.key());
            pipe.cmd("EVALSHA").arg((&link.script, 2, key, self.epoch_key(), &self.holder, &epoch));
            pipe.arg((name("epoch"), text));
        }
        let answered: Vec<RedisResult<String>> = pipe.query(&mut link.connection)?;
        // After any error what is still to come on the connection is not known: the next call makes a new one.
        if let Some(Err(flushed)) = answered.iter().find(|one| one.as_ref().is_err_and(is_script_missing)) {
            return Err(flushed.clone());
        }
        session.link = Some(link);
        Ok(answered)
    }
}

impl Lender for RedisStore {
    fn lend(&self, asks: &[Ask]) -> Vec<Lent> {
        // One thread lends at a time; a panic in another leaves at most a connection too many.
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        if session.away_until.is_some_and(|until| Instant::now() < until) {
            return asks.iter().map(|_| Err(StoreError::new(FAILED, "it did not a moment ago"))).collect();
        }
        let mut lent = self.lend_within(&mut session, asks);
        // A connection that was idle may have been closed, and scripts may have been flushed: that costs no request.
        if lent.as_ref().is_err_and(|e| is_script_missing(e) || e.is_connection_dropped() && !e.is_timeout()) {
            lent = self.lend_within(&mut session, asks);
        }
        session.away_until = lent.is_err().then(|| Instant::now() + AWAY);
        lent.unwrap_or_else(|e| asks.iter().map(|_| Err(StoreError::new(FAILED, &e))).collect())
    }
}

fn is_script_missing(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}

/// A name that nobody else has.
fn name(of: &str) -> String {
    format!("{of}-{:016x}", rand::random::<u64>())
}
