//! The homes of objects in Redis or Valkey, for servers that share them: a key for each object, with a time to live.
//!
//! The connection is one of its own: a question about a home must not wait behind the quotas, nor the reverse.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use redis::{Client, Connection, RedisResult};

use super::StoreError;
use super::shared::SharedHomes;
use crate::types::{LedgerId, ObjectKey};

/// The deadline to connect, and of each answer.
const DEADLINE: Duration = Duration::from_millis(500);

/// The pause after a failure. Otherwise each of many requests would wait for the deadline.
const PAUSE: Duration = Duration::from_millis(900);

/// How long a home is kept, in seconds: as long as OpenAI keeps the object.
const KEPT_SECS: u64 = 30 * 86_400;

const FAILED: &str = "the shared store does not answer";

/// A connection for homes.
pub struct RedisHomes {
    client: Client,
    prefix: String,
    session: Mutex<HomesSession>,
}

#[derive(Default)]
struct HomesSession {
    connection: Option<Connection>,
    paused_until: Option<Instant>,
}

impl RedisHomes {
    /// Creates the homes at `url`, with the prefix of all keys. The first question connects.
    ///
    /// # Errors
    /// When the URL is not one of Redis.
    pub fn new(url: &str, prefix: &str) -> Result<RedisHomes, StoreError> {
        let client = Client::open(url).map_err(|e| StoreError::new("store.url is not usable", e))?;
        Ok(RedisHomes { client, prefix: prefix.to_owned(), session: Mutex::default() })
    }

    fn key(&self, object: &ObjectKey) -> String {
        format!("{}:home:{:032x}", self.prefix, u128::from_be_bytes(*object.as_bytes()))
    }

    fn connect(&self) -> RedisResult<Connection> {
        let connection = self.client.get_connection_with_timeout(DEADLINE)?;
        connection.set_read_timeout(Some(DEADLINE))?;
        connection.set_write_timeout(Some(DEADLINE))?;
        Ok(connection)
    }

    /// Makes one round trip. An idle connection may have been closed: then once more over a new one.
    fn ask<T>(&self, question: impl Fn(&mut Connection) -> RedisResult<T>) -> Result<T, StoreError> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        if session.paused_until.is_some_and(|until| Instant::now() < until) {
            return Err(StoreError::new(FAILED, "it did not a moment ago"));
        }
        let kept = session.connection.take();
        let was_kept = kept.is_some();
        let ask = |connection: Option<Connection>| {
            let mut connection = connection.map_or_else(|| self.connect(), Ok)?;
            let answer = question(&mut connection)?;
            Ok((connection, answer))
        };
        let mut answered: RedisResult<(Connection, T)> = ask(kept);
        if was_kept && answered.as_ref().is_err_and(|e| e.is_connection_dropped() && !e.is_timeout()) {
            answered = ask(None);
        }
        session.paused_until = answered.is_err().then(|| Instant::now() + PAUSE);
        let (connection, answer) = answered.map_err(|e| StoreError::new(FAILED, e))?;
        session.connection = Some(connection);
        Ok(answer)
    }
}

impl SharedHomes for RedisHomes {
    fn keep(&self, homes: &[(ObjectKey, LedgerId)]) -> Result<(), StoreError> {
        let mut pipe = ::redis::pipe();
        for (object, api) in homes {
            pipe.cmd("SET").arg((self.key(object), api.as_str(), "EX", KEPT_SECS)).ignore();
        }
        self.ask(|connection| pipe.query(connection))
    }

    fn find(&self, objects: &[ObjectKey]) -> Result<Option<(ObjectKey, LedgerId)>, StoreError> {
        let mut question = ::redis::cmd("MGET");
        for object in objects {
            question.arg(self.key(object));
        }
        let found: Vec<Option<String>> = self.ask(|connection| question.query(connection))?;
        let homes =
            objects.iter().zip(found).filter_map(|(object, api)| Some((*object, LedgerId::from(api?.as_str()))));
        Ok(homes.into_iter().next())
    }
}
