//! The homes of objects in Redis or Valkey, for servers that share them: a key for each object, with a time to live.
//!
//! The connection is one of its own: a question about a home must not wait behind the quotas, nor the reverse.

use super::StoreError;
use super::redis_link::RedisLink;
use super::shared::SharedHomes;
use crate::types::{LedgerId, ObjectKey};

/// How long a home is kept, in seconds: as long as OpenAI keeps the object.
const KEPT_SECS: u64 = 30 * 86_400;

/// A connection for homes.
pub struct RedisHomes {
    link: RedisLink,
    prefix: String,
}

impl RedisHomes {
    /// Creates the homes at `url`, with the prefix of all keys. The first question connects.
    ///
    /// # Errors
    /// When the URL is not one of Redis.
    pub fn new(url: &str, prefix: &str) -> Result<RedisHomes, StoreError> {
        Ok(RedisHomes { link: RedisLink::new(url)?, prefix: prefix.to_owned() })
    }

    fn key(&self, object: &ObjectKey) -> String {
        format!("{}:home:{:032x}", self.prefix, u128::from_be_bytes(*object.as_bytes()))
    }
}

impl SharedHomes for RedisHomes {
    fn keep(&self, homes: &[(ObjectKey, LedgerId)]) -> Result<(), StoreError> {
        let mut pipe = ::redis::pipe();
        for (object, api) in homes {
            pipe.cmd("SET").arg((self.key(object), api.as_str(), "EX", KEPT_SECS));
        }
        self.link.ask_all::<String>(&pipe).map(drop)
    }

    fn find(&self, objects: &[ObjectKey]) -> Result<Vec<(ObjectKey, LedgerId)>, StoreError> {
        let mut pipe = ::redis::pipe();
        for object in objects {
            pipe.cmd("GET").arg(self.key(object));
        }
        let found: Vec<Option<String>> = self.link.ask_all(&pipe)?;
        let homes =
            objects.iter().zip(found).filter_map(|(object, api)| Some((*object, LedgerId::from(api?.as_str()))));
        Ok(homes.collect())
    }
}
