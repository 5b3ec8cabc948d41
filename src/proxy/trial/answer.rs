//! The answer to a trial: a stream of events, or one object.

use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::web::Bytes;
use futures_util::StreamExt;
use tokio::time::{Instant, timeout_at};

use super::{AccountTrial, TrialFailure, TrialReport};
use crate::dialect::first_bytes::Shape;
use crate::dialect::said::{SaidInStream, said_in, words_of_error};
use crate::dialect::{EventStream, Route, WholeAnswer};
use crate::types::{Failure, FailureClass, Phase};

/// The largest answer in bytes. A word takes a thousandth.
const LARGEST_ANSWER: usize = 4 << 20;

/// An answer that comes.
pub(super) struct TrialAnswer<'a> {
    pub(super) trial: &'a AccountTrial<'a>,
    pub(super) route: &'static Route,
    pub(super) started: Instant,
    pub(super) prompt_bytes: usize,
}

impl TrialAnswer<'_> {
    /// Reads the answer to its end, and shows the text.
    pub(super) async fn read(
        &self,
        mut pieces: Pieces,
        show: &mut impl FnMut(&str),
    ) -> Result<TrialReport, TrialFailure> {
        let mut body = Vec::new();
        while let Some(piece) = pieces.next().await? {
            body.extend_from_slice(&piece);
            if Shape::of(&body) == Shape::Events {
                return self.stream(body.into(), pieces, show).await;
            }
            if body.len() > LARGEST_ANSWER {
                return Err(broken("its answer is too long").into());
            }
        }
        let total = self.started.elapsed();
        let answer = WholeAnswer { kind: self.route.reply, body: &body, prompt_bytes: self.prompt_bytes };
        let usage = self.route.dialect.answer(answer, self.trial.sent());
        let words = || words_of_error(&body, &self.trial.endpoint.key);
        let usage = usage.map_err(|failure| TrialFailure { failure, words: words() })?;
        let said = said_in(&body);
        show(&said.text);
        Ok(TrialReport { streamed: false, first: total, total, usage, answered_as: said.model, without_options: false })
    }

    async fn stream(
        &self,
        beginning: Bytes,
        mut pieces: Pieces,
        show: &mut impl FnMut(&str),
    ) -> Result<TrialReport, TrialFailure> {
        let endpoint = self.trial.endpoint;
        let mut events =
            EventStream::new(self.route, false).of_upstream(self.trial.model, Bytes::new(), endpoint.key.clone());
        let mut text = SaidInStream::new();
        let (mut first, mut answered_as) = (None, None);
        let mut length = 0;
        let mut next = Some(beginning);
        while let Some(piece) = next {
            length += piece.len();
            if length > LARGEST_ANSWER {
                return Err(broken("its answer is too long").into());
            }
            events.feed(&piece, &mut Vec::new());
            let said = text.feed(&piece);
            show(&said.text);
            answered_as = answered_as.or(said.model);
            if let Some(failed) = events.progress.failed() {
                let words = words_of_error(&failed.event, &endpoint.key);
                return Err(TrialFailure { failure: failed.failure.clone(), words });
            }
            if events.progress.began() {
                first.get_or_insert_with(|| self.started.elapsed());
            }
            next = if events.progress.closed() { None } else { pieces.next().await? };
        }
        let total = self.started.elapsed();
        drop(events.finish());
        if !events.progress.is_whole() {
            return Err(broken("the stream ended before its end").into());
        }
        if !events.progress.began() && !events.progress.generated() {
            return Err(Failure::new(FailureClass::EmptyResponse, Phase::Body, "200 with nothing in it").into());
        }
        let usage = events.progress.usage(self.prompt_bytes);
        let first = first.unwrap_or(total);
        Ok(TrialReport { streamed: true, first, total, usage, answered_as, without_options: false })
    }
}

fn broken(detail: &str) -> Failure {
    Failure::new(FailureClass::Protocol, Phase::Body, detail)
}

/// A body in pieces, each with a deadline.
pub(super) struct Pieces {
    body: Payload,
    idle: Duration,
    deadline: Instant,
}

impl Pieces {
    pub(super) fn new(body: Payload, idle: Duration, deadline: Instant) -> Self {
        Pieces { body, idle, deadline }
    }

    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        let until = self.deadline.min(Instant::now() + self.idle);
        let in_time = |_| {
            let detail = "the answer stopped, and nothing more came in time";
            Failure::new(FailureClass::Timeout, Phase::Body, detail)
        };
        let piece = timeout_at(until, self.body.next()).await.map_err(in_time)?;
        piece.transpose().map_err(|e| broken(&format!("the answer broke off ({e})")))
    }
}
