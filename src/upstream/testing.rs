//! Upstreams for tests in this process: permits without an actor, and what was reported about them.

use std::sync::{Arc, mpsc};

use actix::dev::channel::channel;
use actix::{Addr, Recipient};
use quota::Demand;

use super::permit::ReservedTokens;
use super::shared_state::{SharedState, UpstreamEvent};
use super::{Endpoint, Permit, UpstreamActor};
use crate::config::{ApiConfig, ConfigSource, Overrides, parse};
use crate::quotas::{Drain, EventQueue};
use crate::types::{Failure, Outcome, SentAt, Settlement};

/// An entry of a configuration.
pub(crate) fn entry(id: &str) -> Arc<ApiConfig> {
    entry_with(id, r#""baseUrl": "http://127.0.0.1:1", "models": ["m"]"#)
}

/// An entry with these fields.
fn entry_with(id: &str, fields: &str) -> Arc<ApiConfig> {
    let text = format!(r#"{{"apis": [{{"id": "{id}", "apiKey": "sk-upstream-0123", {fields}}}]}}"#);
    let source = ConfigSource { path: "x.json".into(), overrides: Overrides::default() };
    let config = parse(&text, &source, |_| Ok(String::new())).expect("a configuration");
    config.apis.first().expect("an entry").clone()
}

/// An actor that does nothing.
pub(super) fn actor() -> Recipient<Drain> {
    Addr::<UpstreamActor>::new(channel(1).0).recipient()
}

/// An upstream whose actor is the test.
pub(crate) struct TestUpstream {
    shared: Arc<SharedState>,
    reported: mpsc::Receiver<UpstreamEvent>,
}

impl TestUpstream {
    pub(crate) fn new(id: &str) -> TestUpstream {
        TestUpstream::of(&entry(id))
    }

    /// An upstream of an entry with these fields.
    pub(crate) fn with(id: &str, fields: &str) -> TestUpstream {
        TestUpstream::of(&entry_with(id, fields))
    }

    fn of(config: &ApiConfig) -> TestUpstream {
        let (events, reported) = EventQueue::new(actor());
        TestUpstream { shared: Arc::new(SharedState::new(Arc::new(Endpoint::new(config)), events)), reported }
    }

    pub(crate) fn permit(&self) -> Permit {
        let reserved = ReservedTokens { demand: Demand::of_tokens(10), tightest: None };
        Permit::new(self.shared.clone(), reserved, SentAt::default(), 0)
    }

    /// Returns what was reported since the last look.
    pub(crate) fn reports(&self) -> Reports {
        let mut reports = Reports::default();
        for event in self.reported.try_iter() {
            match event {
                UpstreamEvent::Settled { settlement, .. } => reports.settled.push(settlement),
                UpstreamEvent::Confirmed(refusal) => reports.confirmed.push(refusal.failure),
                UpstreamEvent::Admitted { .. }
                | UpstreamEvent::Refunded { .. }
                | UpstreamEvent::Responded { .. }
                | UpstreamEvent::Spent { .. } => {}
            }
        }
        reports
    }
}

/// What the data path reported about an upstream.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    pub(crate) settled: Vec<Settlement>,
    pub(crate) confirmed: Vec<Failure>,
}

impl Reports {
    /// Returns the failures among the ends of attempts.
    pub(crate) fn failures(&self) -> Vec<&Failure> {
        self.settled.iter().filter_map(Settlement::failure).collect()
    }

    /// Returns how many attempts were given up.
    pub(crate) fn abandoned(&self) -> usize {
        self.settled.iter().filter(|settlement| settlement.outcome == Outcome::Abandoned).count()
    }
}

/// Ends an upstream's actor, as a defect would.
pub(crate) struct End;

impl actix::Message for End {
    type Result = ();
}

impl actix::Handler<End> for UpstreamActor {
    type Result = ();

    fn handle(&mut self, _: End, ctx: &mut Self::Context) {
        actix::ActorContext::stop(ctx);
    }
}
