//! Which key may call which path. The pool's own endpoints say it in their table, a row each.
//!
//! | Audience | Admin | Viewer | Client of `keys` | Client of `server.apiKey(s)` |
//! |---|---|---|---|---|
//! | any key | yes | yes | yes | yes |
//! | clients | no | no | yes | yes |
//! | readers | yes | yes | no | where there is no operator's key |
//! | admins | yes | no | no | where there is no operator's key, and no entry in `keys` |

use super::endpoints::{Audience, OWN_ENDPOINTS};
use crate::config::{Config, Identity};
use crate::dialect::{GeminiPath, ROUTES, VERSIONS, is_route};
use crate::error::KeyRefusal;
use crate::proxy::key_in_force;

impl Audience {
    /// Returns who may call a path. Below `/v1`, and below Gemini's versions, a path without a row is for any key: there is nothing, which the answer says.
    pub(super) fn of(path: &str) -> Audience {
        let is_at = |pattern: &str| match pattern.split_once('{') {
            Some((begin, _)) => path.starts_with(begin),
            None => path == pattern,
        };
        let is_version = |version: &str| VERSIONS.contains(&version);
        let is_below_v1 = || path.strip_prefix('/').and_then(|path| path.split('/').next()).is_some_and(is_version);
        if ROUTES.iter().any(|route| route.id.is_at(path)) || GeminiPath::is_served(path) {
            return Audience::Clients;
        }
        match OWN_ENDPOINTS.iter().find(|endpoint| is_at(endpoint.path)) {
            Some(endpoint) => endpoint.audience,
            None if path.strip_prefix("/v1/").is_some_and(is_route) => Audience::Clients,
            None if is_below_v1() => Audience::AnyKey,
            None => Audience::Everybody,
        }
    }

    /// Lets a caller pass, or says why not.
    pub(super) fn admit(self, caller: &Identity, config: &Config, now: impl FnOnce() -> i64) -> Result<(), KeyRefusal> {
        if let Identity::Client(key) = caller {
            key_in_force(key, now)?;
        }
        let are_open = !config.access.has_operators();
        let is_alone = config.keys.len() == 1;
        match (self, caller) {
            (Audience::Everybody | Audience::AnyKey, _)
            | (Audience::Clients, Identity::Client(_))
            | (Audience::Readers, Identity::Admin(_) | Identity::Viewer(_))
            | (Audience::Admins, Identity::Admin(_)) => Ok(()),
            (Audience::Clients, Identity::Admin(name) | Identity::Viewer(name)) => {
                Err(KeyRefusal::OperatorKey(name.clone()))
            }
            (Audience::Readers, Identity::Client(key)) if key.is_default() && are_open => Ok(()),
            (Audience::Readers, Identity::Client(key)) => Err(KeyRefusal::OperatorsOnly(key.name.clone())),
            (Audience::Admins, Identity::Client(key)) if key.is_default() && are_open && is_alone => Ok(()),
            (Audience::Admins, Identity::Client(key)) => Err(KeyRefusal::AdminsOnly(key.name.clone())),
            (Audience::Admins, Identity::Viewer(name)) => Err(KeyRefusal::AdminsOnly(name.clone())),
        }
    }
}
