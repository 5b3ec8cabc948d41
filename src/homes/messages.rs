//! What can be asked of the [`super::HomesActor`].

use std::time::Duration;

use actix::prelude::*;
use tokio::time::timeout;

use super::HomesActor;
use crate::mailbox::{ActorKind, refused};
use crate::types::{ApiId, ObjectKey};

/// How long a request waits for a home, in case that the shared store is asked. Then the upstreams are asked.
const FIND_WITHIN: Duration = Duration::from_secs(1);

/// Return the home of each of these objects, in their order. Sent by the data path for a request that names objects, and
/// awaited. If lost, the upstreams are asked one after the other.
#[derive(Debug, Message)]
#[rtype(result = "Vec<Option<ApiId>>")]
pub struct FindHomes {
    /// The objects.
    pub objects: Vec<ObjectKey>,
    /// The homes of the first so many are all wanted. Of the others, any will do.
    pub firm: usize,
}

/// These objects are gone. Sent by the data path when an upstream has removed them. If lost, a question for one goes to the former home
/// first.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Forget(pub Vec<ObjectKey>);

/// These objects live on this upstream. Sent by the data path before the client sees the end of the answer. If lost, the
/// upstreams are asked one after the other.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Remember {
    /// The objects.
    pub objects: Vec<ObjectKey>,
    /// Their home.
    pub api: ApiId,
}

/// Say whether this object is known to be gone. Sent by the data path for a list behind an unknown object, and awaited. If lost, the
/// client learns that the object is unknown.
#[derive(Debug, Message)]
#[rtype(result = "bool")]
pub struct IsGone(pub ObjectKey);

/// Return how many homes are kept. Sent by the handler of `/v1/status`.
#[derive(Debug, Message)]
#[rtype(result = "HomesReport")]
pub struct GetHomes;

/// What is kept of homes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, MessageResponse)]
pub struct HomesReport {
    /// Objects with a known home.
    pub kept: usize,
}

/// The process stops: hand the last homes over to the store. Sent by the app before the store is flushed. A lost one costs the
/// homes of a moment.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct FlushHomes;

/// The data path's way to the homes. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Homes(Option<Addr<HomesActor>>);

impl Homes {
    /// Returns the way to this actor. The default is a way to nowhere: no home is known.
    pub fn of(actor: Addr<HomesActor>) -> Homes {
        Homes(Some(actor))
    }

    /// Returns the home of each of these objects, if the answer comes in time. The homes of the first `firm` objects are all wanted.
    pub async fn find(&self, objects: &[ObjectKey], firm: usize) -> Vec<Option<ApiId>> {
        let Some(actor) = &self.0 else { return Vec::new() };
        let asked = actor.send(FindHomes { objects: objects.to_vec(), firm });
        timeout(FIND_WITHIN, asked).await.ok().and_then(Result::ok).unwrap_or_default()
    }

    /// Returns whether this object is known to be gone.
    pub async fn is_gone(&self, object: ObjectKey) -> bool {
        let Some(actor) = &self.0 else { return false };
        timeout(FIND_WITHIN, actor.send(IsGone(object))).await.is_ok_and(|answer| answer.unwrap_or(false))
    }

    /// Forgets the home of these objects.
    pub fn forget(&self, objects: Vec<ObjectKey>) {
        if let Some(actor) = &self.0
            && actor.try_send(Forget(objects)).is_err()
        {
            refused(ActorKind::Homes, 1);
        }
    }

    /// Returns how many objects have a known home, if the answer comes in time.
    pub async fn kept(&self) -> Option<usize> {
        let report = timeout(FIND_WITHIN, self.0.as_ref()?.send(GetHomes)).await.ok()?.ok()?;
        Some(report.kept)
    }

    /// Remembers the home of these objects. The next [`Homes::find`] of this process knows.
    pub fn remember(&self, objects: Vec<ObjectKey>, api: &ApiId) {
        if let Some(actor) = self.0.as_ref().filter(|_| !objects.is_empty()) {
            // With a full mailbox the homes are found by asking.
            if actor.try_send(Remember { objects, api: api.clone() }).is_err() {
                refused(ActorKind::Homes, 1);
            }
        }
    }
}
