//! A connection to Redis or Valkey, for questions that no request waits long for.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use redis::{Client, Connection, FromRedisValue, Pipeline, RedisResult, from_redis_value};

use super::StoreError;

/// The deadline to connect, and of each answer.
const DEADLINE: Duration = Duration::from_millis(500);

/// The pause after a failure. Otherwise each of many requests would wait for the deadline.
const PAUSE: Duration = Duration::from_millis(900);

const FAILED: &str = "the shared store does not answer";

/// One connection, made when it is needed.
pub(super) struct RedisLink {
    client: Client,
    session: Mutex<LinkSession>,
}

#[derive(Default)]
struct LinkSession {
    connection: Option<Connection>,
    paused_until: Option<Instant>,
}

impl RedisLink {
    /// Creates a link to `url`. The first question connects.
    ///
    /// # Errors
    /// When the URL is not one of Redis.
    pub(super) fn new(url: &str) -> Result<RedisLink, StoreError> {
        let client = Client::open(url).map_err(|e| StoreError::new("store.url is not usable", e))?;
        Ok(RedisLink { client, session: Mutex::default() })
    }

    fn connect(&self) -> RedisResult<Connection> {
        let connection = self.client.get_connection_with_timeout(DEADLINE)?;
        connection.set_read_timeout(Some(DEADLINE))?;
        connection.set_write_timeout(Some(DEADLINE))?;
        Ok(connection)
    }

    /// Makes one round trip. An idle connection may have been closed: then once more over a new one.
    ///
    /// # Errors
    /// When the store does not answer, or did not a moment ago.
    pub(super) fn ask<T>(&self, question: impl Fn(&mut Connection) -> RedisResult<T>) -> Result<T, StoreError> {
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

    /// Sends commands together, and returns their answers. The first answer that does not come ends the wait: the library's own
    /// pipelines wait the deadline for every answer.
    ///
    /// # Errors
    /// As [`RedisLink::ask`].
    pub(super) fn ask_all<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<Vec<T>, StoreError> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        self.ask(|connection| {
            connection.send_packed_command(&commands.get_packed_pipeline())?;
            let mut answer = || Ok(from_redis_value(connection.recv_response()?.extract_error()?)?);
            (0..commands.len()).map(|_| answer()).collect()
        })
    }
}
