//! A pool for tests: the real supervisor and upstreams over a store in memory. Nothing is sent to anybody.

use std::sync::{Arc, Weak};
use std::time::Duration;

use actix::prelude::*;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::messages::{AdmissionError, Select};
use super::slow_path::{SelectSlow, Selected};
use super::supervisor::SupervisorActor;
use crate::config::ConfigChanged;
use crate::mailbox::LaunchActor;
use crate::testing::{MemoryStore, config};
use crate::types::{
    ApiId, Failure, FailureClass, Now, Outcome, ParameterSet, Phase, Profile, RequestTarget, RouteId, Settlement,
    TokenEstimate,
};
use crate::upstream::Permit;

pub(super) struct Pool {
    pub(super) supervisor: Addr<SupervisorActor>,
    pub(super) store: Arc<MemoryStore>,
}

impl Pool {
    /// Starts a pool of these entries of `apis`.
    pub(super) async fn start(apis: &[Value]) -> Pool {
        Pool::start_with(&json!({ "apis": apis })).await
    }

    pub(super) async fn start_with(configuration: &Value) -> Pool {
        let store = Arc::new(MemoryStore::default());
        let supervisor = SupervisorActor::new(store.start(), false).launch();
        let pool = Pool { supervisor, store };
        pool.configure(configuration).await;
        pool
    }

    pub(super) async fn configure(&self, configuration: &Value) {
        let changed = ConfigChanged(Arc::new(config(configuration)));
        self.supervisor.send(changed).await.expect("the supervisor lives");
    }

    /// Puts a selection into the supervisor's mailbox.
    pub(super) fn ask(&self, select: Select) -> oneshot::Receiver<Result<Selected, AdmissionError>> {
        let (reply, answer) = oneshot::channel();
        self.supervisor.do_send(SelectSlow { select, picked: None, reply });
        answer
    }

    pub(super) async fn select(&self, select: Select) -> Result<Permit, AdmissionError> {
        self.ask(select).await.expect("answered").map(|selected| selected.choice.permit)
    }

    /// Selects an upstream for a chat with the model `m`, which sends a whole answer. Returns the id of the upstream.
    pub(super) async fn serves(&self) -> Result<String, AdmissionError> {
        self.select(chat("m")).await.map(served)
    }

    /// Lets a chat fail so at the upstream that is selected.
    pub(super) async fn fails(&self, failure: Failure) {
        let permit = self.select(chat("m")).await.expect("admitted");
        settle(permit, Outcome::Failed(failure));
    }
}

/// A request for a chat with this model. It may wait, and its client is there.
pub(super) fn chat(model: &str) -> Select {
    by("chat/completions", model)
}

/// A request by this route.
pub(super) fn by(route: &'static str, model: &str) -> Select {
    let (route, estimate) = (RouteId::new(route), TokenEstimate::default());
    let profile =
        Profile { model: model.into(), route, estimate, session: None, parameters: ParameterSet::NONE, apis: None };
    Select {
        profile,
        target: RequestTarget::Any,
        excluded: Vec::new(),
        client: a_client(),
        may_queue: true,
        may_panic: true,
    }
}

/// A client that never leaves.
fn a_client() -> Weak<()> {
    thread_local!(static CLIENT: Arc<()> = Arc::new(()));
    CLIENT.with(Arc::downgrade)
}

/// The same request, after these upstreams have failed.
pub(super) fn after_failures_of(ids: &[&str], select: Select) -> Select {
    Select { excluded: ids.iter().map(|id| ApiId::from(*id)).collect(), ..select }
}

/// Ends a request that was sent.
pub(super) fn settle(permit: Permit, outcome: Outcome) {
    let now = Now::read_mono();
    permit.sent_at.begin(now);
    permit.sent_at.finish(now);
    permit.settle(Settlement::of(outcome, Duration::from_millis(1)));
}

/// Ends a request with an answer. Returns the id of the upstream.
pub(super) fn served(permit: Permit) -> String {
    let id = permit.endpoint().api.to_string();
    settle(permit, Outcome::Completed);
    id
}

pub(super) fn failure(class: FailureClass) -> Failure {
    Failure::new(class, Phase::Head, "as the test wants")
}
