//! The part of the supervisor for servers that share quotas: an entry renamed on one server has the same ledger on all.

use std::time::Duration;

use actix::prelude::*;

use super::{Resolved, SupervisorActor};
use crate::mailbox::Context;
use crate::persistence::ShareLedgers;
use crate::types::{LedgerId, LedgerRecord};

/// When a shared store without an answer is asked again for the ledgers of other servers.
const LEARNS_AGAIN: Duration = Duration::from_secs(1);

/// Whether the typed entries are in force already, with the ledgers that this server knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entries {
    /// They are not.
    New,
    /// They are.
    Adopted,
}

impl SupervisorActor {
    /// Learns what other servers know of ledgers, then adopts the entries and tells of their ledgers. Without an answer new entries are
    /// adopted all the same, and the store is asked again: until then the store lends nothing.
    pub(super) fn adopt_with_shared_ledgers(&mut self, entries: Entries, ctx: &mut Context<Self>) {
        if let Some(handle) = self.learns_again.take() {
            ctx.cancel_future(handle);
        }
        let asked = self.persistence.send(ShareLedgers(Vec::new())).into_actor(self);
        let adopted = asked.map(move |known, actor, ctx| {
            let known = known.ok().and_then(Result::ok);
            let is_known = known.is_some();
            if is_known || entries == Entries::New {
                actor.adopt_with_ledgers_of_others(known);
            }
            if !is_known {
                let again = |actor: &mut Self, ctx: &mut Context<Self>| {
                    actor.adopt_with_shared_ledgers(Entries::Adopted, ctx);
                };
                actor.learns_again = Some(ctx.run_later(LEARNS_AGAIN, again));
            }
        });
        match entries {
            // The mailbox waits, for the deadline of the store at most.
            Entries::New => adopted.wait(ctx),
            Entries::Adopted => adopted.spawn(ctx),
        }
    }

    /// Without the others' ledgers nothing is recorded: a ledger begun now might be one too many for its account.
    fn adopt_with_ledgers_of_others(&mut self, others: Option<Vec<(LedgerId, LedgerRecord)>>) {
        let Some(others) = others else {
            let Resolved { apis, .. } = self.ledgers.clone().resolve(&self.typed);
            return self.adopt(&apis);
        };
        self.ledgers.learn(others);
        self.adopt_typed();
        self.persistence.do_send(ShareLedgers(self.ledgers.of(&self.apis)));
    }
}
