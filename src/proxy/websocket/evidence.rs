//! Which upstreams speak WebSockets, by their answers to handshakes.
//!
//! 1. An upstream that opened one speaks them, until an answer says otherwise.
//! 2. An answer such as 404, 405, 426 or 200 is a no for [`NO_FOR`]. An answer about the key, a limit or trouble, or none in time, says
//!    nothing, and is asked for again after [`UNCLEAR_FOR`].
//! 3. A client's upgrade is accepted if one upstream speaks them. When nobody knows, all are asked at the same time, and the client
//!    waits [`ASK_WITHIN`]: agents go on over HTTP at once when the upgrade is refused. A handshake is no request, and not counted.
//! 4. A client's query and headers may be the reason of a no. So only handshakes without them count as one.
//! 5. A changed configuration forgets all.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::http::StatusCode;
use futures_util::StreamExt;
use futures_util::stream::iter;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::upstream_side::{NotOpened, Opening, UpstreamSide};
use crate::config::{ApiConfig, Config};
use crate::dialect::SocketRoute;
use crate::mailbox::spawn;
use crate::types::ApiId;
use crate::upstream::Endpoint;

/// How long a no counts.
const NO_FOR: Duration = Duration::from_secs(600);

/// How long an upstream without a clear answer is taken for one that speaks no WebSockets.
const UNCLEAR_FOR: Duration = Duration::from_secs(60);

/// How long a client's upgrade waits for the answers.
const ASK_WITHIN: Duration = Duration::from_secs(1);

/// How long an upstream may take for its answer, while no client waits any more.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// So many upstreams are asked at the same time.
const MOST_AT_ONCE: usize = 16;

/// What is known of all upstreams, on all threads.
#[derive(Debug, Default)]
pub struct SocketEvidence {
    known: Mutex<Known>,
    /// Held while upstreams are asked: others wait for the same answers.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Known {
    /// The configuration's hash.
    config: String,
    /// One entry for each upstream of the configuration, at most.
    upstreams: BTreeMap<ApiId, Speaks>,
}

/// Whether an upstream speaks WebSockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaks {
    /// It opened one.
    Yes,
    /// It is taken for one that doesn't, until then.
    NotUntil(Instant),
}

impl Speaks {
    /// Returns what an answer without an upgrade says.
    pub(super) fn by_refusal(status: StatusCode) -> Speaks {
        if is_unclear(status) { Speaks::unclear() } else { Speaks::no() }
    }

    /// Returns a clear no.
    pub(super) fn no() -> Speaks {
        Speaks::NotUntil(Instant::now() + NO_FOR)
    }

    fn unclear() -> Speaks {
        Speaks::NotUntil(Instant::now() + UNCLEAR_FOR)
    }
}

/// Returns whether an answer says nothing of WebSockets: about the key, a limit, or trouble.
pub(super) fn is_unclear(status: StatusCode) -> bool {
    match status.as_u16() {
        401..=403 | 408 | 409 | 425 | 429 => true,
        501 | 505 => false,
        status => status >= 500,
    }
}

impl SocketEvidence {
    /// Records what a handshake said. Returns whether that is news.
    pub(super) fn note(&self, config: &Config, api: &ApiId, speaks: Speaks) -> bool {
        self.with(config, |upstreams| {
            let before = upstreams.insert(api.clone(), speaks);
            !matches!(
                (before, speaks),
                (Some(Speaks::Yes), Speaks::Yes) | (Some(Speaks::NotUntil(_)), Speaks::NotUntil(_))
            )
        })
    }

    /// Returns the upstreams that are known not to speak WebSockets now.
    pub(super) fn without(&self, config: &Config) -> Vec<ApiId> {
        let now = Instant::now();
        let is_no = |speaks: &Speaks| matches!(speaks, Speaks::NotUntil(until) if *until > now);
        self.with(config, |known| {
            known.iter().filter(|(_, speaks)| is_no(speaks)).map(|(api, _)| api.clone()).collect()
        })
    }

    fn speak(&self, config: &Config) -> bool {
        let enabled = |api: &ApiId| config.apis.iter().any(|other| other.id == *api && other.enabled);
        self.with(config, |known| known.iter().any(|(api, speaks)| *speaks == Speaks::Yes && enabled(api)))
    }

    fn unknown(&self, config: &Config) -> Vec<Arc<ApiConfig>> {
        let without = self.without(config);
        config.apis.iter().filter(|api| api.enabled && !without.contains(&api.id)).cloned().collect()
    }

    fn with<T>(&self, config: &Config, look: impl FnOnce(&mut BTreeMap<ApiId, Speaks>) -> T) -> T {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.config != config.hash {
            *known = Known { config: config.hash.clone(), upstreams: BTreeMap::new() };
        }
        look(&mut known.upstreams)
    }
}

/// Returns whether an upstream of the pool speaks WebSockets. Asks them if nobody knows.
pub async fn any_upstream_speaks(evidence: &Arc<SocketEvidence>, config: &Arc<Config>, route: SocketRoute) -> bool {
    if evidence.speak(config) {
        return true;
    }
    if evidence.unknown(config).is_empty() {
        return false;
    }
    // Another's answers are as good.
    let ask = async {
        let _asking = evidence.asking.lock().await;
        if !evidence.speak(config) {
            ask_all(evidence, config, route).await;
        }
    };
    if timeout(ASK_WITHIN, ask).await.is_err() {
        // The next client need not wait. A late answer still counts.
        for api in evidence.unknown(config) {
            evidence.note(config, &api.id, Speaks::unclear());
        }
    }
    evidence.speak(config)
}

/// Asks all upstreams of which nothing is known, and returns when one says yes or all have answered. The
/// asking goes on without the caller.
async fn ask_all(evidence: &Arc<SocketEvidence>, config: &Arc<Config>, route: SocketRoute) {
    let unknown = evidence.unknown(config);
    let (done, mut is_done) = watch::channel(false);
    let (evidence, config) = (evidence.clone(), config.clone());
    spawn(async move {
        let asked = unknown.iter().map(|api| async move { (api, ask(&Arc::new(Endpoint::new(api)), route).await) });
        let mut answers = iter(asked).buffer_unordered(MOST_AT_ONCE);
        while let Some((api, speaks)) = answers.next().await {
            if evidence.note(&config, &api.id, speaks) {
                log::info!("{}: speaks {}WebSockets", api.id, if speaks == Speaks::Yes { "" } else { "no " });
            }
            if speaks == Speaks::Yes {
                done.send_replace(true);
            }
        }
        done.send_replace(true);
    });
    // The sender goes with the task.
    let _ = is_done.wait_for(|done| *done).await;
}

/// Asks an upstream by a handshake in which nothing is a client's.
pub(super) async fn ask(endpoint: &Arc<Endpoint>, route: SocketRoute) -> Speaks {
    match timeout(ANSWER_WITHIN, UpstreamSide::open(endpoint, Opening::bare(route.route.id))).await {
        Ok(Ok(upstream)) => {
            upstream.close(UpstreamSide::not_needed()).await;
            Speaks::Yes
        }
        Ok(Err(NotOpened::Refused(refusal))) => Speaks::by_refusal(refusal.status),
        Ok(Err(NotOpened::NoAddress)) => Speaks::no(),
        Ok(Err(NotOpened::Failed(_))) | Err(_) => Speaks::unclear(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing;

    fn config(name: &str) -> Config {
        let apis = [testing::api("a", &json!({})), testing::api("b", &json!({}))];
        testing::config(&json!({ "server": { "name": name }, "apis": apis }))
    }

    #[test]
    fn a_no_counts_for_a_while_and_for_one_configuration() {
        testing::on_paused_clock(async {
            let (one, other) = (config("one"), config("other"));
            let evidence = SocketEvidence::default();
            let (a, b) = (ApiId::from("a"), ApiId::from("b"));
            assert!(evidence.note(&one, &a, Speaks::by_refusal(StatusCode::NOT_FOUND)));
            assert!(!evidence.note(&one, &a, Speaks::by_refusal(StatusCode::OK)));
            evidence.note(&one, &b, Speaks::by_refusal(StatusCode::TOO_MANY_REQUESTS));
            assert_eq!(evidence.without(&one), [a.clone(), b.clone()]);
            tokio::time::advance(UNCLEAR_FOR).await;
            assert_eq!(evidence.without(&one), [a]);
            tokio::time::advance(NO_FOR).await;
            assert!(evidence.without(&one).is_empty() && !evidence.speak(&one));
            evidence.note(&one, &b, Speaks::Yes);
            assert!(evidence.speak(&one) && !evidence.speak(&other), "a reload forgets");
        });
    }
}
