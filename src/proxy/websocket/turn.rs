//! One turn: a message `response.create`, from the admission to the first content, over as many upstreams as it takes.
//!
//! The story is that of [`crate::proxy::dispatch()`], by the same rules for retries. The differences: an upstream may not speak
//! WebSockets, which is no failure; and once an upstream is chosen, no other is asked.

use std::collections::VecDeque;

use actix_web::web::Bytes;
use tokio::time::{Instant, timeout_at};
use transport::{SocketClose, SocketMessage};

use super::answer::TurnEvents;
use super::connection::SocketConnection;
use super::ending::{Ending, code, event};
use super::receive::{Received, lost};
use super::refusal::{FailedTurn, late, sent};
use super::{RequestMemory, SocketHost};
use crate::config::Config;
use crate::error::ApiError;
use crate::proxy::attempt_error::about_objects;
use crate::proxy::client_request::ClientRequest;
use crate::proxy::dispatch::{Exhausted, fail, refuse};
use crate::proxy::pool::Upstreams;
use crate::proxy::retry_state::object_home::TwoHomes;
use crate::proxy::retry_state::{FailedAttempt, Next, RetryState};
use crate::scheduler::AdmissionError;
use crate::types::{ApiId, Failure, FailureClass, Now, Phase, RequestTarget};
use crate::upstream::{Permit, Refusal};

/// How much of an answer is held before the first content, in bytes.
const MOST_HELD: usize = 256 << 10;

/// What is asked in a turn.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) request: &'a ClientRequest,
    pub(super) generates: bool,
}

/// A request on its way through the models of its name.
struct OpenQuestion<'a> {
    request: &'a mut ClientRequest,
    generates: bool,
}

/// Why a turn has no answer.
enum NoAnswer {
    /// As of a request over HTTP.
    Exhausted(Exhausted),
    /// No upstream of the model that speaks WebSockets is left.
    NoSockets,
}

impl<H: SocketHost> SocketConnection<H> {
    /// Serves one turn.
    ///
    /// # Errors
    /// When the connection has to end.
    ///
    /// # Cancel safety
    /// Dropping the future settles the permit, and ends the record.
    pub(super) async fn turn(&mut self, message: Bytes, generates: bool) -> Result<(), Ending> {
        let mut record = self.host.open_record();
        let config = self.host.config();
        let begun = (|| -> Result<_, ApiError> {
            let (slot, key) = self.host.admit()?;
            let mut memory = self.host.hold();
            memory.resize(message.len())?;
            let mut request = ClientRequest::parse(self.upgrade.route.route, &self.upgrade.headers, message)?;
            request.set_query(&self.upgrade.query)?;
            record.with(|record| {
                record.model = Some(request.profile.model.clone());
                record.route = Some(request.profile.route);
                record.stream = true;
            });
            request.use_key(&key)?;
            Ok((request, key, slot, memory))
        })();
        let (mut request, key, _slot, _memory) = match begun {
            Ok(begun) => begun,
            Err(error) => {
                let response = refuse(error, &mut record);
                self.client.send_text(event(response)).await;
                return Ok(());
            }
        };
        record.asked();
        if !self.admit_by_key(&key, &request, &mut record).await? {
            return Ok(());
        }
        if let Some(models) = config.aliases.get(&request.profile.model) {
            request.use_alias(models.clone());
        }
        let pool = self.pool.clone();
        let mut state = RetryState::new(&request, config.retry, pool.budget(), record);
        let mut told = VecDeque::new();
        let question = OpenQuestion { request: &mut request, generates };
        match self.serve_turn(question, &mut state, &mut told).await? {
            Ok((permit, events)) => self.answer(permit, state.record, events).await,
            Err(no_answer) => {
                let response = match no_answer {
                    NoAnswer::NoSockets => refuse(ApiError::NoWebSocket, &mut state.record),
                    NoAnswer::Exhausted(exhausted) => fail(exhausted, &request, state),
                };
                if told.is_empty() {
                    told.push_back(SocketMessage::Text(event(response)));
                }
                for message in told {
                    self.client.send(&message).await;
                }
                self.go_on()
            }
        }
    }

    /// Ends the connection if the state of its earlier turns is gone, or will not be served any more.
    fn go_on(&self) -> Result<(), Ending> {
        if self.is_chosen && self.upstream.is_none() {
            return Err(Ending::upstream_lost());
        }
        if self.chosen_is_gone(&self.host.config()).is_some() {
            let why = "the API behind this connection has left the configuration";
            return Err(Ending::Ours(SocketClose::new(code::GOING_AWAY, why)));
        }
        Ok(())
    }

    async fn serve_turn(
        &mut self,
        OpenQuestion { request, generates }: OpenQuestion<'_>,
        state: &mut RetryState<'_>,
        told: &mut VecDeque<SocketMessage>,
    ) -> Result<Result<(Permit, TurnEvents), NoAnswer>, Ending> {
        let pool = self.pool.clone();
        if let Err(two) = self.find_target(request, state).await? {
            return Ok(Err(NoAnswer::Exhausted(Exhausted::TwoHomes(two))));
        }
        loop {
            let config = self.host.config();
            if let Some(gone) = self.chosen_is_gone(&config) {
                let model = request.asked_model().clone();
                let refused =
                    AdmissionError::NoneAvailable { model, refusals: vec![(gone, Refusal::Retiring)], rate: None };
                return Ok(Err(NoAnswer::Exhausted(Exhausted::Refused(refused))));
            }
            let mut select = state.selection(request);
            let without = self.host.evidence().without(&config);
            let has_barred = !without.is_empty();
            select.excluded.extend(without);
            let selected = self.client.beside(pool.select(select)).await?;
            let mut permit = match state.admitted(selected) {
                Ok(permit) => permit,
                Err(refused) => match self.refused_for_good(request, state, refused).await? {
                    None => continue,
                    Some(refused) if has_barred && state.failures == 0 && is_nobody(&refused) => {
                        return Ok(Err(NoAnswer::NoSockets));
                    }
                    Some(refused) => return Ok(Err(NoAnswer::Exhausted(Exhausted::Refused(refused)))),
                },
            };
            let question = Question { request, generates };
            let deadline = Instant::now() + permit.endpoint().timeouts.first_token;
            let failed = match self.connect(&permit, request, deadline).await? {
                // The permit is dropped, which gives it back.
                Ok(false) => continue,
                Ok(true) => {
                    let place = state.begin_attempt(request, &mut permit);
                    match self.attempt(&permit, question, deadline).await? {
                        Ok(events) => {
                            self.is_chosen = true;
                            state.record_success(&permit, place, true);
                            state.home.served_by(&permit.endpoint().api, pool.homes(), request);
                            return Ok(Ok((permit, events)));
                        }
                        Err(failed) => (place, failed),
                    }
                }
                Err(failed) => (state.begin_attempt(request, &mut permit), failed),
            };
            let (place, FailedTurn { error, told: events }) = failed;
            *told = events;
            let next = if self.is_chosen { Next::GiveUp } else { state.should_retry(request, &error) };
            state.record_failure(request, FailedAttempt { permit, place, error }, next);
            if !self.is_chosen {
                self.leave_upstream().await?;
            }
            match next {
                Next::Replay | Next::AnotherUpstream => {}
                Next::AnotherModel => state.go_on_with_next_model(request),
                Next::GiveUp => return Ok(Err(NoAnswer::Exhausted(Exhausted::Failed))),
            }
        }
    }

    /// Returns the pool's refusal, if there is no other model, and no upstream to be asked again.
    async fn refused_for_good(
        &mut self,
        request: &mut ClientRequest,
        state: &mut RetryState<'_>,
        refused: AdmissionError,
    ) -> Result<Option<AdmissionError>, Ending> {
        if state.pass_over_model(request, &refused) {
            return Ok(None);
        }
        if !self.is_chosen && state.may_retry_same_upstream() {
            self.client.beside(state.wait_before_retry()).await?;
            return Ok(None);
        }
        Ok(Some(request.refusal_of_all(refused)))
    }

    /// Finds the upstream that has to serve the turn, if only one can.
    async fn find_target(
        &mut self,
        request: &ClientRequest,
        state: &mut RetryState<'_>,
    ) -> Result<Result<(), TwoHomes>, Ending> {
        match self.chosen() {
            // A connection whose upstream is gone ends.
            Some(_) if self.chosen_is_gone(&self.host.config()).is_some() => Ok(Ok(())),
            Some(chosen) => {
                state.home.target = RequestTarget::Home(chosen.clone());
                Ok(Ok(()))
            }
            None if request.objects.objects.is_empty() => Ok(Ok(())),
            None => self.client.beside(state.home.find(self.pool.homes(), &request.objects)).await,
        }
    }

    /// Returns the upstream of the connection, if one is chosen.
    fn chosen(&self) -> Option<&ApiId> {
        self.upstream.as_ref().filter(|_| self.is_chosen).map(|upstream| &upstream.endpoint.api)
    }

    /// Returns the upstream of the connection, if it has left the configuration.
    fn chosen_is_gone(&self, config: &Config) -> Option<ApiId> {
        let is_there = |id: &ApiId| config.apis.iter().any(|api| api.id == *id && api.enabled);
        self.chosen().filter(|id| !is_there(id)).cloned()
    }

    /// Asks the connected upstream, and waits for the first content. Returns the events up to there.
    async fn attempt(
        &mut self,
        permit: &Permit,
        question: Question<'_>,
        deadline: Instant,
    ) -> Result<Result<TurnEvents, FailedTurn>, Ending> {
        let Question { request, generates } = question;
        let endpoint = permit.endpoint();
        let Some(upstream) = &mut self.upstream else { return Ok(Err(lost("no connection").into())) };
        if !permit.sent_at.begin(Now::read_mono()) {
            let failure = Failure::new(FailureClass::Connect, Phase::Connect, "it took too long to connect");
            return Ok(Err(failure.into()));
        }
        let own = request.sent_model(endpoint).map(|own| &**own);
        upstream.queue(&SocketMessage::Text(request.body_for(own, false)));
        let written = self.client.beside(timeout_at(deadline, upstream.flush())).await?;
        if !matches!(written, Ok(Ok(()))) {
            self.upstream = None;
            return Ok(Err(lost("the connection broke").into()));
        }
        permit.sent_at.finish(Now::read_mono());
        let mut events = TurnEvents::new(self.upgrade.route.route, request, endpoint, generates);
        while !events.is_committed(MOST_HELD) {
            match self.receive(deadline).await? {
                Received::Data(SocketMessage::Text(text)) => {
                    if let Some(mut error) = self.error_event(&text, sent(request, endpoint)) {
                        error.failure = about_objects(error.failure, request);
                        return Ok(Err(error.into()));
                    }
                    events.take(text);
                    if let Some(failure) = events.failed_before_content() {
                        return Ok(Err(FailedTurn { error: failure.into(), told: events.held }));
                    }
                }
                Received::Data(other) => events.hold(other),
                Received::Ended(failure, _) => return Ok(Err(failure.into())),
                Received::Late => {
                    self.upstream = None;
                    return Ok(Err(late().into()));
                }
            }
        }
        if events.is_empty() {
            let failure = Failure::new(FailureClass::EmptyResponse, Phase::Body, "a response without content");
            return Ok(Err(failure.into()));
        }
        Ok(Ok(events))
    }
}

/// Returns whether no upstream was left to be asked.
fn is_nobody(refused: &AdmissionError) -> bool {
    matches!(refused, AdmissionError::NoneAvailable { refusals, .. } if refusals.is_empty())
}
