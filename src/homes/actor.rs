//! The single writer of homes.
//!
//! 1. What is remembered counts for the next question at once. Disk and shared store learn soon.
//! 2. Memory is asked first. Only what memory does not know is asked of the shared store.
//! 3. Without a store, disk or shared, the homes in memory go on. What nobody knows is found by asking the upstreams.

use std::time::Duration;

use actix::prelude::*;

use super::known::{KnownHomes, NumberedRecord};
use super::messages::{FindHome, FlushHomes, GetHomes, HomesReport, Remember};
use crate::persistence::{FindSharedHome, PersistenceActor, SaveHomes, ShareHomes};
use crate::types::{ApiId, Now};

/// How long homes gather before one record of all is written.
const GATHER: Duration = Duration::from_millis(100);

/// The most messages that wait. Beyond, homes are found by asking.
const MAILBOX: usize = 10_000;

/// The length of a day in ms.
const DAY_MS: i64 = 86_400_000;

/// Owns the homes.
pub struct HomesActor {
    known: KnownHomes,
    persistence: Addr<PersistenceActor>,
    /// Several servers share the homes.
    shared: bool,
    /// A record will be written after [`GATHER`].
    gathers: bool,
}

impl HomesActor {
    /// Creates the actor of these homes. `shared`: other servers share what they know.
    pub fn new(known: KnownHomes, persistence: Addr<PersistenceActor>, shared: bool) -> HomesActor {
        HomesActor { known, persistence, shared, gathers: false }
    }

    /// Returns the present day since the Unix epoch.
    pub fn today() -> u32 {
        u32::try_from(Now::read().wall / DAY_MS).unwrap_or(0)
    }

    fn remember(&mut self, Remember { objects, api }: Remember, share: bool, ctx: &mut Context<Self>) {
        let (new, records) = self.known.remember(objects, &api, HomesActor::today());
        if new.is_empty() {
            return;
        }
        self.save(records);
        if self.shared && share {
            self.persistence.do_send(ShareHomes { objects: new, api });
        }
        if !self.gathers {
            self.gathers = true;
            ctx.run_later(GATHER, |actor, _| actor.save_all());
        }
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

impl Actor for HomesActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
    }
}

impl Handler<FindHome> for HomesActor {
    type Result = ActorResponse<Self, Option<ApiId>>;

    fn handle(&mut self, FindHome(objects): FindHome, _: &mut Self::Context) -> Self::Result {
        let known = self.known.find(&objects, HomesActor::today()).cloned();
        if known.is_some() || !self.shared {
            return ActorResponse::reply(known);
        }
        let asked = self.persistence.send(FindSharedHome(objects)).into_actor(self);
        ActorResponse::r#async(asked.map(|found, actor, ctx| {
            let (object, api) = found.ok().flatten()?;
            // The shared store keeps its own time.
            actor.remember(Remember { objects: vec![object], api: api.clone() }, false, ctx);
            Some(api)
        }))
    }
}

impl Handler<Remember> for HomesActor {
    type Result = ();

    fn handle(&mut self, remember: Remember, ctx: &mut Self::Context) {
        self.remember(remember, true, ctx);
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
