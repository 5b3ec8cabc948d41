//! The single writer of homes.
//!
//! 1. What is remembered counts for the next question at once. Disk and shared store learn soon.
//! 2. Memory is asked first. Only what memory does not know is asked of the shared store.
//! 3. Homes are kept by ledger: a renamed entry keeps its objects. The data path knows ids, and the actor translates.
//! 4. A removed object is remembered as one that lives nowhere: an older record says no more where it lived.
//! 5. Without a store, disk or shared, the homes in memory go on. What nobody knows is found by asking the upstreams.

use std::time::Duration;

use actix::prelude::*;

use super::known::{KnownHomes, NumberedRecord};
use super::messages::{FindHomes, FlushHomes, Forget, GetHomes, HomesReport, IsGone, Remember};
use crate::mailbox::{ActorKind, Context, LivesInMailbox};
use crate::persistence::{FindSharedHomes, LedgersChanged, PersistenceActor, SaveHomes, ShareHomes};
use crate::types::{ApiId, LedgerId, Now, ObjectKey};

/// How long homes gather before one record of all is written.
const GATHER: Duration = Duration::from_millis(100);

/// The length of a day in ms.
const DAY_MS: i64 = 86_400_000;

/// Owns the homes.
pub struct HomesActor {
    known: KnownHomes,
    persistence: Addr<PersistenceActor>,
    /// The configured entries.
    ledgers: Vec<(ApiId, LedgerId)>,
    /// Several servers share the homes.
    shared: bool,
    /// A record will be written after [`GATHER`].
    gathers: bool,
}

impl HomesActor {
    /// Creates the actor of these homes. `shared`: other servers share what they know.
    pub fn new(known: KnownHomes, persistence: Addr<PersistenceActor>, shared: bool) -> HomesActor {
        HomesActor { known, persistence, ledgers: Vec::new(), shared, gathers: false }
    }

    /// Returns the present day since the Unix epoch.
    pub fn today() -> u32 {
        u32::try_from(Now::read().wall / DAY_MS).unwrap_or(0)
    }

    /// Returns the ledger of an entry.
    fn ledger(&self, api: &ApiId) -> LedgerId {
        let known = self.ledgers.iter().find(|(id, _)| id == api);
        known.map_or_else(|| LedgerId::first_of(api), |(_, ledger)| ledger.clone())
    }

    /// Returns the entry of a ledger, if one is configured.
    fn api(&self, home: &LedgerId) -> Option<ApiId> {
        self.ledgers.iter().find(|(_, ledger)| ledger == home).map(|(id, _)| id.clone())
    }

    /// Remembers a home. Returns the objects that are new.
    fn remember(&mut self, objects: Vec<ObjectKey>, home: &LedgerId, ctx: &mut Context<Self>) -> Vec<ObjectKey> {
        let (new, records) = self.known.remember(objects, home, HomesActor::today());
        self.save(records);
        if !new.is_empty() && !self.gathers {
            self.gathers = true;
            ctx.run_later(GATHER, |actor, _| actor.save_all());
        }
        new
    }

    /// Remembers a home, also for the other servers.
    fn keep(&mut self, objects: Vec<ObjectKey>, home: LedgerId, ctx: &mut Context<Self>) {
        let objects = self.remember(objects, &home, ctx);
        if self.shared && !objects.is_empty() {
            self.persistence.do_send(ShareHomes { objects, home });
        }
    }

    /// Returns the home of each object, as far as known here.
    fn find(&self, objects: &[ObjectKey]) -> Vec<Option<ApiId>> {
        let today = HomesActor::today();
        objects.iter().map(|object| self.known.find(object, today).and_then(|home| self.api(home))).collect()
    }

    fn save_all(&mut self) {
        self.gathers = false;
        let records = self.known.take_record().into_iter().collect();
        self.save(records);
    }

    fn save(&self, records: Vec<NumberedRecord>) {
        if !records.is_empty() {
            self.persistence.do_send(SaveHomes { records, forget_before: self.known.first_record() });
        }
    }
}

impl LivesInMailbox for HomesActor {
    const KIND: ActorKind = ActorKind::Homes;
}

impl Actor for HomesActor {
    type Context = Context<Self>;
}

impl Handler<FindHomes> for HomesActor {
    type Result = ActorResponse<Self, Vec<Option<ApiId>>>;

    fn handle(&mut self, FindHomes { objects, firm }: FindHomes, _: &mut Self::Context) -> Self::Result {
        let found = self.find(&objects);
        let is_known = |place: usize| found.get(place).is_some_and(Option::is_some);
        let is_enough = (0..objects.len()).any(is_known) && (0..firm).all(is_known);
        if is_enough || !self.shared {
            return ActorResponse::reply(found);
        }
        let unknown =
            objects.iter().zip(&found).filter(|(_, home)| home.is_none()).map(|(object, _)| *object).collect();
        let asked = self.persistence.send(FindSharedHomes(unknown)).into_actor(self);
        ActorResponse::r#async(asked.map(move |answer, actor, ctx| {
            for (object, home) in answer.unwrap_or_default() {
                // The shared store keeps its own time.
                actor.remember(vec![object], &home, ctx);
            }
            actor.find(&objects)
        }))
    }
}

impl Handler<Remember> for HomesActor {
    type Result = ();

    fn handle(&mut self, Remember { objects, api }: Remember, ctx: &mut Self::Context) {
        let home = self.ledger(&api);
        self.keep(objects, home, ctx);
    }
}

impl Handler<Forget> for HomesActor {
    type Result = ();

    fn handle(&mut self, Forget(objects): Forget, ctx: &mut Self::Context) {
        self.keep(objects, LedgerId::nowhere(), ctx);
    }
}

impl Handler<IsGone> for HomesActor {
    type Result = bool;

    fn handle(&mut self, IsGone(object): IsGone, _: &mut Self::Context) -> Self::Result {
        self.known.find(&object, HomesActor::today()).is_some_and(|home| *home == LedgerId::nowhere())
    }
}

impl Handler<LedgersChanged> for HomesActor {
    type Result = ();

    fn handle(&mut self, LedgersChanged(ledgers): LedgersChanged, _: &mut Self::Context) {
        self.ledgers = ledgers;
    }
}

impl Handler<GetHomes> for HomesActor {
    type Result = HomesReport;

    fn handle(&mut self, _: GetHomes, _: &mut Self::Context) -> Self::Result {
        HomesReport { kept: self.known.len() }
    }
}

impl Handler<FlushHomes> for HomesActor {
    type Result = ();

    fn handle(&mut self, _: FlushHomes, _: &mut Self::Context) {
        self.save_all();
    }
}
