//! The shared store: Redis or Valkey lends parts of each quota to each server.
//!
//! 1. One script (`lend.lua`) does everything, by the store's own clock.
//! 2. Each server keeps a row in a quota's hash: its counts, its loan, and the end of the loan. The script adds the
//!    rows up and grants what fits.
//! 3. The row of a departed server stays as long as it matters. The loan counts as used at its end.
//! 4. A store without its rows has another *epoch*, a name given at the first use. Every server then reports the last known
//!    totals, and the store grants nothing until the minute before the loss has passed.
//! 5. A restarted store may have forgotten the last second. For the time of a lease the store grants nothing, and every
//!    server reports its row again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use ::redis::{Connection, ErrorKind, RedisError, RedisResult, ServerErrorKind};

use super::redis_link::{FAILED, PAUSE, RedisAddress, ask_all};
use super::replica_row::{LEARN_MS, LastKnownTotals, RowState, replica_row};
use super::script_reply::{LEASE_MS, ScriptReply};
use super::{Ask, GrantResult, SharedBackend, StoreError, redis_ledgers};
use crate::types::{LedgerId, LedgerRecord, QuotaId};

/// The most rounds of one call: the epoch may turn out to be another, and then a row to be missing.
const MAX_ROUNDS: usize = 3;

/// How long a store grants nothing after a restart with all its saved data (ms).
const RESTART_MS: u64 = LEASE_MS;

const GREET: &str = include_str!("greet.lua");

const LEND: &str = include_str!("lend.lua");

/// A connection to the store, and this server's memory of the store.
pub struct RedisStore {
    address: RedisAddress,
    prefix: String,
    /// The name of this server's rows. Each start makes a new one, because nobody knows for sure what the process before held.
    holder: String,
    session: Mutex<Session>,
}

#[derive(Default)]
struct Session {
    link: Option<Link>,
    /// The store's last epoch.
    epoch: Option<String>,
    /// The serial of the last answer in this epoch.
    serial: u64,
    /// Numbers the asks: a delayed ask must not undo a later one.
    asked: u64,
    totals: HashMap<QuotaId, LastKnownTotals>,
    /// Whether the names of the ledgers are known.
    knows_ledgers: bool,
    /// The end of the pause after a failure.
    paused_until: Option<Instant>,
}

impl Session {
    fn set_epoch(&mut self, epoch: String) {
        if self.epoch.as_ref() != Some(&epoch) {
            self.epoch = Some(epoch);
            self.serial = 0;
        }
    }
}

struct Link {
    connection: Connection,
    script: String,
}

impl RedisStore {
    /// Creates a store at `url`, with the prefix of all keys. The first ask connects.
    ///
    /// # Errors
    /// When the URL is not one of Redis.
    pub fn new(url: &str, prefix: &str) -> Result<RedisStore, StoreError> {
        let (address, holder) = (RedisAddress::new(url)?, unique_name("server"));
        Ok(RedisStore { address, prefix: prefix.to_owned(), holder, session: Mutex::default() })
    }

    fn epoch_key(&self) -> String {
        format!("{}:epoch", self.prefix)
    }

    /// Connects, and returns the connection and the epoch.
    fn connect(&self, known: Option<&str>, serial: u64) -> RedisResult<(Link, String)> {
        let mut connection = self.address.connect()?;
        let mut first = ::redis::pipe();
        first.cmd("INFO").arg("server").cmd("SCRIPT").arg(("LOAD", LEND));
        let mut first = ask_all::<String>(&mut connection, &first)?.into_iter();
        // Without the right to ask for the run id every run looks the same: a restart without any loss goes unnoticed.
        let info = first.next().and_then(Result::ok).unwrap_or_default();
        let script = first.next().transpose()?.unwrap_or_default();
        let run = info.lines().find_map(|line| line.strip_prefix("run_id:")).unwrap_or_default().trim().to_owned();
        let mut greet = ::redis::pipe();
        greet.cmd("EVAL").arg((GREET, 1, self.epoch_key()));
        greet.arg((known.unwrap_or_default(), run, unique_name("epoch"), LEARN_MS, RESTART_MS, serial));
        let epoch = ask_all::<String>(&mut connection, &greet)?.pop().transpose()?.unwrap_or_default();
        Ok((Link { connection, script }, epoch))
    }

    /// Asks in rounds: the first may reveal another epoch, or a missing row.
    fn grant_in_rounds(&self, session: &mut Session, asks: &[Ask]) -> Result<Vec<GrantResult>, RedisError> {
        let mut results = Vec::new();
        results.resize_with(asks.len(), || Err(StoreError::new("the shared store", "changed while it was asked")));
        let mut open: Vec<usize> = (0..asks.len()).collect();
        for _ in 0..MAX_ROUNDS {
            let replies = self.ask(session, asks, &open)?;
            let mut again = Vec::new();
            for (i, reply) in open.iter().copied().zip(replies) {
                let (Some(ask), Some(result)) = (asks.get(i), results.get_mut(i)) else { continue };
                let reply = reply.map_err(|e| StoreError::new(FAILED, e)).and_then(|text| ScriptReply::parse(&text));
                match reply {
                    Ok(reply) if session.epoch.as_ref() != Some(&reply.epoch) && !reply.epoch.is_empty() => {
                        session.set_epoch(reply.epoch);
                        again.push(i);
                    }
                    Ok(reply) => {
                        let totals = session.totals.entry(ask.id.clone()).or_default();
                        session.serial = session.serial.max(reply.serial);
                        match totals.record_reply(ask, &reply) {
                            RowState::Known(reported) => *result = Ok(reply.into_grant(&ask.request.limits, reported)),
                            RowState::Missing => again.push(i),
                        }
                    }
                    Err(why) => *result = Err(why),
                }
            }
            open = again;
            if open.is_empty() {
                break;
            }
        }
        Ok(results)
    }

    /// Makes one round trip for all `open` asks.
    fn ask(&self, session: &mut Session, asks: &[Ask], open: &[usize]) -> Result<Vec<RedisResult<String>>, RedisError> {
        let mut link = match session.link.take() {
            Some(link) => link,
            None => {
                let remembered = asks.iter().find_map(|ask| ask.remembered.as_ref()?.epoch.clone());
                let known = session.epoch.clone().or(remembered);
                let (link, epoch) = self.connect(known.as_deref(), session.serial)?;
                session.set_epoch(epoch);
                link
            }
        };
        let epoch = session.epoch.clone().unwrap_or_default();
        let mut pipe = ::redis::pipe();
        for ask in open.iter().filter_map(|i| asks.get(*i)) {
            let totals = session.totals.entry(ask.id.clone()).or_insert_with(|| LastKnownTotals::of(ask));
            session.asked += 1;
            let row = replica_row(ask, totals, &epoch, session.asked).to_string();
            let key = format!("{}:{}", self.prefix, ask.id.key());
            pipe.cmd("EVALSHA").arg((&link.script, 2, key, self.epoch_key(), &self.holder, &epoch));
            pipe.arg((unique_name("epoch"), row));
        }
        // After an error the connection is dropped: the next call makes a new one. A refusal of one quota's key is only that quota's.
        let answered = ask_all::<String>(&mut link.connection, &pipe)?;
        if let Some(Err(flushed)) = answered.iter().find(|one| one.as_ref().is_err_and(is_script_missing)) {
            return Err(flushed.clone());
        }
        session.link = Some(link);
        Ok(answered)
    }
}

impl SharedBackend for RedisStore {
    fn grant(&self, asks: &[Ask]) -> Vec<GrantResult> {
        // One thread asks at a time. A panic in another leaves at most a connection too many.
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        if session.paused_until.is_some_and(|until| Instant::now() < until) {
            return asks.iter().map(|_| Err(StoreError::new(FAILED, "it did not a moment ago"))).collect();
        }
        if !session.knows_ledgers {
            return asks.iter().map(|_| Err(StoreError::new(FAILED, "the ledgers are not known yet"))).collect();
        }
        let mut results = self.grant_in_rounds(&mut session, asks);
        // An idle connection may have been closed, and scripts may have been flushed: neither costs a request.
        if results.as_ref().is_err_and(|e| is_script_missing(e) || e.is_connection_dropped() && !e.is_timeout()) {
            results = self.grant_in_rounds(&mut session, asks);
        }
        session.paused_until = results.is_err().then(|| Instant::now() + PAUSE);
        results.unwrap_or_else(|e| asks.iter().map(|_| Err(StoreError::new(FAILED, &e))).collect())
    }

    fn ledgers(&self, own: &[(LedgerId, LedgerRecord)]) -> Result<Vec<(LedgerId, LedgerRecord)>, StoreError> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        if session.paused_until.is_some_and(|until| Instant::now() < until) {
            return Err(StoreError::new(FAILED, "it did not a moment ago"));
        }
        let known = redis_ledgers::share(&self.address, &self.prefix, own);
        session.paused_until = known.is_err().then(|| Instant::now() + PAUSE);
        session.knows_ledgers |= known.is_ok();
        known
    }
}

fn is_script_missing(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}

fn unique_name(of: &str) -> String {
    format!("{of}-{:016x}", rand::random::<u64>())
}
