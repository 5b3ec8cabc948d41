//! Connections to Redis or Valkey. All commands go through [`ask_all`]: a store that hangs costs a batch one deadline.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use redis::{Client, Connection, FromRedisValue, IntoConnectionInfo, Pipeline, RedisResult, Value, from_redis_value};

use super::StoreError;

/// The deadline to connect, and of the answers to a batch of commands together.
pub(super) const DEADLINE: Duration = Duration::from_millis(500);

/// How many answers of a large batch share a deadline. The next ones get another deadline, as long as the store answers.
const ANSWERS_PER_DEADLINE: usize = 128;

/// The pause after a failure. Otherwise each of many callers would wait for the deadline.
pub(super) const PAUSE: Duration = Duration::from_millis(900);

pub(super) const FAILED: &str = "the shared store does not answer";

/// Where the store is, and how to sign in.
pub(super) struct RedisAddress {
    client: Client,
    database: i64,
}

impl RedisAddress {
    /// Reads a URL.
    ///
    /// # Errors
    /// When the URL is not one of Redis.
    pub(super) fn new(url: &str) -> Result<RedisAddress, StoreError> {
        let open = || -> RedisResult<RedisAddress> {
            let info = url.into_connection_info()?;
            let settings = info.redis_settings().clone();
            let database = settings.db();
            // The library waits the deadline for each command of its greeting. What remains is the password at most.
            let info = info.set_redis_settings(settings.set_db(0).set_skip_set_lib_name());
            Ok(RedisAddress { client: Client::open(info)?, database })
        };
        open().map_err(|e| StoreError::new("store.url is not usable", e))
    }

    /// Makes a connection to the database of the URL.
    ///
    /// # Errors
    /// When the store does not answer, or refuses the password or the database.
    pub(super) fn connect(&self) -> RedisResult<Connection> {
        let mut connection = self.client.get_connection_with_timeout(DEADLINE)?;
        connection.set_write_timeout(Some(DEADLINE))?;
        if self.database != 0 {
            let mut select = redis::pipe();
            select.cmd("SELECT").arg(self.database);
            ask_all::<()>(&mut connection, &select)?.into_iter().collect::<RedisResult<()>>()?;
        }
        Ok(connection)
    }
}

/// Sends commands together, and returns the answer or the refusal of each. The library's own pipelines wait the deadline for each
/// answer.
///
/// # Errors
/// When an answer does not come in time. The connection must then be dropped: a late answer would look like the next one.
pub(super) fn ask_all<T: FromRedisValue>(
    connection: &mut Connection,
    commands: &Pipeline,
) -> RedisResult<Vec<RedisResult<T>>> {
    let mut ends = Instant::now() + DEADLINE;
    if !commands.is_empty() {
        connection.send_packed_command(&commands.get_packed_pipeline())?;
    }
    let mut answers = Vec::with_capacity(commands.len());
    for i in 0..commands.len() {
        if i > 0 && i % ANSWERS_PER_DEADLINE == 0 {
            ends = Instant::now() + DEADLINE;
        }
        let answer = receive(connection, ends)?;
        answers.push(answer.extract_error().and_then(|value| Ok(from_redis_value(value)?)));
    }
    Ok(answers)
}

/// Returns the next answer, if one comes in time.
fn receive(connection: &mut Connection, ends: Instant) -> RedisResult<Value> {
    loop {
        let left = ends.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::Error::from(io::ErrorKind::TimedOut).into());
        }
        connection.set_read_timeout(Some(left))?;
        let answer = connection.recv_response()?;
        // A push is news, and no answer.
        if !matches!(answer, Value::Push { .. }) {
            return Ok(answer);
        }
    }
}

/// One connection, made when it is needed, for questions that no request waits long for.
pub(super) struct RedisLink {
    address: RedisAddress,
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
        Ok(RedisLink { address: RedisAddress::new(url)?, session: Mutex::default() })
    }

    /// Sends commands together, and returns their answers. An idle connection may have been closed: then once more over a new one.
    ///
    /// # Errors
    /// When the store does not answer, refuses one of the commands, or did not answer a moment ago.
    pub(super) fn ask_all<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<Vec<T>, StoreError> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        if session.paused_until.is_some_and(|until| Instant::now() < until) {
            return Err(StoreError::new(FAILED, "it did not a moment ago"));
        }
        let kept = session.connection.take();
        let was_kept = kept.is_some();
        let ask = |connection: Option<Connection>| {
            let mut connection = connection.map_or_else(|| self.address.connect(), Ok)?;
            let answers = ask_all(&mut connection, commands)?.into_iter().collect::<RedisResult<Vec<T>>>()?;
            Ok((connection, answers))
        };
        let mut answered: RedisResult<(Connection, Vec<T>)> = ask(kept);
        if was_kept && answered.as_ref().is_err_and(|e| e.is_connection_dropped() && !e.is_timeout()) {
            answered = ask(None);
        }
        session.paused_until = answered.is_err().then(|| Instant::now() + PAUSE);
        let (connection, answers) = answered.map_err(|e| StoreError::new(FAILED, e))?;
        session.connection = Some(connection);
        Ok(answers)
    }
}
