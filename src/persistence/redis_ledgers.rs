//! Whose ledgers there are, for servers that share quotas: a hash with a record for each ledger. A server that never saw the former
//! id of an entry finds the ledger there.

use redis::{RedisResult, Value, from_redis_value};

use super::StoreError;
use super::redis_link::{RedisAddress, ask_all};
use crate::types::{LedgerId, LedgerRecord};

/// How long the records outlive the last start or reload of a server, in seconds.
const KEPT_SECS: u64 = 400 * 86_400;

/// Keeps `own`, and returns all records that can be read. Connects each time: starts and reloads are rare.
///
/// # Errors
/// When the store does not answer, or has something else under the key.
pub(super) fn share(
    address: &RedisAddress,
    prefix: &str,
    own: &[(LedgerId, LedgerRecord)],
) -> Result<Vec<(LedgerId, LedgerRecord)>, StoreError> {
    let key = format!("{prefix}:ledgers");
    let texts = own.iter().map(|(ledger, record)| Ok((ledger.as_str(), serde_json::to_string(record)?)));
    let texts: Vec<(&str, String)> = texts
        .collect::<Result<_, serde_json::Error>>()
        .map_err(|e| StoreError::new("the record of a ledger can't be written", e))?;
    let mut pipe = redis::pipe();
    if !texts.is_empty() {
        pipe.hset_multiple(&key, &texts).expire(&key, KEPT_SECS.cast_signed());
    }
    pipe.hgetall(&key);
    let exchange = || -> RedisResult<Vec<(String, String)>> {
        let answers = ask_all::<Value>(&mut address.connect()?, &pipe)?;
        let last = answers.into_iter().collect::<RedisResult<Vec<Value>>>()?.pop();
        Ok(from_redis_value(last.unwrap_or(Value::Nil))?)
    };
    let known = exchange()
        .map_err(|e| StoreError::new("the shared store does not answer, asked whose ledgers there are", e))?;
    let read =
        |(ledger, text): (String, String)| Some((LedgerId::from(ledger.as_str()), serde_json::from_str(&text).ok()?));
    Ok(known.into_iter().filter_map(read).collect())
}
