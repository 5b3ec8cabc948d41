//! The last requests, for people who look at what just happened.
//!
//! 1. The last [`KEPT_REQUESTS`] records are kept, each with a running number and the time of its end. Only requests for models
//!    are kept: requests without a key (wrong paths, wrong keys), and of programs that watch, would push all others out. The log has all.
//! 2. A kept record has a bound, see [`RequestRecord::bounded`]: together at most some 40 MB, of usual requests 1 MB.
//! 3. A record is kept as it comes. Copies are made only of the records that a page asks for.

use std::collections::VecDeque;

use actix::prelude::*;

use super::RecorderActor;
use crate::mailbox::Context;
use crate::records::request_cells::StatusLabel;
use crate::records::request_end::RequestEnd;
use crate::records::request_record::{AttemptRecord, AttemptResult, RequestRecord};
use crate::types::FailureClass;

/// So many requests are kept.
pub const KEPT_REQUESTS: usize = 1_000;

/// Return the last requests, the newest first. Sent by the pages of the dashboard; a lost one leaves a page as it was.
#[derive(Debug, Default, Message)]
#[rtype(result = "Box<RecentRequests>")]
pub struct GetRecent {
    /// Only requests with a larger number. A number that this process has not given yet is of a process before, and all requests are new.
    pub after: Option<u64>,
    /// Which requests.
    pub filter: RecentFilter,
    /// At most so many, and at most [`KEPT_REQUESTS`].
    pub most: usize,
}

/// Return the request of this name: ours, or the upstream's. Sent by the pages of the dashboard; a lost one leaves a page as it was.
#[derive(Debug, Message)]
#[rtype(result = "Option<Box<RecentRequest>>")]
pub struct FindRecent(pub String);

/// Which requests are asked for. A request must fit every field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecentFilter {
    /// The name of the client's key.
    pub key: Option<String>,
    /// An upstream that was asked.
    pub api: Option<String>,
    /// The model, by the client's name or by an upstream's own.
    pub model: Option<String>,
    /// The client's program.
    pub app: Option<String>,
    /// The kind of the status.
    pub status: Option<StatusLabel>,
    /// How one of the attempts failed.
    pub class: Option<FailureClass>,
    /// The code with which the pool itself refused.
    pub refused: Option<&'static str>,
    /// The begin of the id: ours, or the upstream's.
    pub id: Option<String>,
    /// Without a whole answer for the client.
    pub failed: bool,
}

/// The last requests that were asked for.
#[derive(Debug, Clone, Default)]
pub struct RecentRequests {
    /// The number of the last request that is kept, for the next question.
    pub last: u64,
    /// The newest first.
    pub requests: Vec<RecentRequest>,
    /// Older requests fit, too.
    pub has_more: bool,
}

/// A request that has ended.
#[derive(Debug, Clone)]
pub struct RecentRequest {
    /// Counted from 1, since the start of the process.
    pub number: u64,
    /// The time of the end: ms, wall, at most a moment late.
    pub ended_at: i64,
    /// All that is known.
    pub record: Box<RequestRecord>,
}

/// The requests that are kept.
#[derive(Debug, Default)]
pub(super) struct RecentLog {
    /// The oldest first.
    kept: VecDeque<RecentRequest>,
    last: u64,
}

impl RecentLog {
    /// Keeps a request. `now`: ms, wall.
    pub(super) fn keep(&mut self, record: Box<RequestRecord>, now: i64) {
        if record.route.is_none() {
            return;
        }
        if self.kept.len() >= KEPT_REQUESTS {
            self.kept.pop_front();
        }
        self.last += 1;
        self.kept.push_back(RecentRequest { number: self.last, ended_at: now, record: record.bounded() });
    }

    fn requests(&self, asked: &GetRecent) -> RecentRequests {
        let after = asked.after.filter(|after| *after <= self.last).unwrap_or_default();
        let new = self.kept.iter().rev().take_while(|request| request.number > after);
        let mut found = new.filter(|request| asked.filter.has(&request.record));
        let requests = found.by_ref().take(asked.most.min(KEPT_REQUESTS)).cloned().collect();
        RecentRequests { last: self.last, requests, has_more: found.next().is_some() }
    }

    fn find(&self, id: &str) -> Option<RecentRequest> {
        let is_named = |request: &&RecentRequest| {
            let record = &request.record;
            record.id.as_str() == id || record.upstream_id.as_deref() == Some(id)
        };
        self.kept.iter().rev().find(is_named).cloned()
    }
}

impl RecentFilter {
    fn has(&self, record: &RequestRecord) -> bool {
        let wants = |wanted: &Option<String>, is: &dyn Fn(&str) -> bool| wanted.as_deref().is_none_or(is);
        let any = |is: &dyn Fn(&AttemptRecord) -> bool| record.attempts.iter().any(is);
        let failed_so = |class: FailureClass| {
            any(&|attempt| match &attempt.result {
                AttemptResult::Failed(failure) => failure.class == class,
                AttemptResult::Open | AttemptResult::Served => false,
            })
        };
        let has_model = |model: &str| {
            record.model.as_deref() == Some(model) || any(&|attempt| attempt.model.as_deref() == Some(model))
        };
        let begins = |id: &str| {
            record.id.as_str().starts_with(id) || record.upstream_id.as_ref().is_some_and(|of| of.starts_with(id))
        };
        wants(&self.key, &|key| record.key.as_ref().is_some_and(|of| of.as_str() == key))
            && wants(&self.api, &|api| any(&|attempt| attempt.api.as_str() == api))
            && wants(&self.model, &has_model)
            && wants(&self.app, &|app| record.app.as_str() == app)
            && self.status.is_none_or(|status| StatusLabel::of(record.status) == status)
            && self.class.is_none_or(failed_so)
            && self.refused.is_none_or(|code| record.end.refused_by() == Some(code))
            && wants(&self.id, &begins)
            && !(self.failed && is_fine(record))
    }
}

/// Returns whether nothing went wrong for the client. A client that left is no failure.
fn is_fine(record: &RequestRecord) -> bool {
    let is_whole = match record.end {
        RequestEnd::Answered | RequestEnd::ClientLeft => true,
        RequestEnd::Refused { .. } | RequestEnd::Failed(_) | RequestEnd::Stopped | RequestEnd::Defect => false,
    };
    is_whole && matches!(StatusLabel::of(record.status), StatusLabel::Fine | StatusLabel::ClientLeft)
}

impl Handler<GetRecent> for RecorderActor {
    type Result = MessageResult<GetRecent>;

    /// A copy of a thousand usual records takes half a millisecond.
    fn handle(&mut self, asked: GetRecent, _: &mut Context<Self>) -> Self::Result {
        self.read_queue();
        MessageResult(Box::new(self.recent.requests(&asked)))
    }
}

impl Handler<FindRecent> for RecorderActor {
    type Result = MessageResult<FindRecent>;

    fn handle(&mut self, FindRecent(id): FindRecent, _: &mut Context<Self>) -> Self::Result {
        self.read_queue();
        MessageResult(self.recent.find(&id).map(Box::new))
    }
}

#[cfg(test)]
mod tests;
