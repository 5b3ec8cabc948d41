//! The recorder's part about usage: when usage is told, and who may ask.

use std::time::Duration;

use actix::prelude::*;

use super::RecorderActor;
use crate::mailbox::{Context, LaterReply};
use crate::records::usage::{AskUsage, UsageAnswer, UsageError};

/// How often other servers are told what is new.
const TELL: Duration = Duration::from_secs(1);

/// How often the end of an hour or a day is looked for.
const LOOK: Duration = Duration::from_secs(10);

impl RecorderActor {
    /// Tells other servers in time, and ends hours and days without a request.
    pub(super) fn look_at_clock(&self, ctx: &mut Context<Self>) {
        ctx.run_interval(TELL, |actor, _| {
            if let Some(usage) = &mut actor.usage {
                usage.tell();
            }
        });
        ctx.run_interval(LOOK, |actor, _| {
            if let Some(usage) = &mut actor.usage {
                usage.look_at_clock();
            }
        });
    }
}

impl Handler<AskUsage> for RecorderActor {
    type Result = LaterReply<Result<UsageAnswer, UsageError>>;

    fn handle(&mut self, AskUsage(query): AskUsage, _: &mut Self::Context) -> Self::Result {
        self.read_queue();
        match &mut self.usage {
            Some(usage) => usage.answer(query),
            None => LaterReply::of(async { Err(UsageError::Stopping) }),
        }
    }
}
