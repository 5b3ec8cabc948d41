//! What an upstream's actor and the workers share: the published state, read without a lock; the queue of reports (`events`);
//! the credits (`model_credits`).

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

pub(super) use self::events::{ConfirmedRefusal, UpstreamEvent};
pub(super) use self::model_credits::{CreditsByQuota, ModelCredits};
use super::Endpoint;
use crate::config::StreamUsage;
use crate::quotas::EventQueue;

mod events;
mod model_credits;

/// The published state of an upstream under one entry of the configuration. A changed entry makes a new one.
#[derive(Debug)]
pub(super) struct SharedState {
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) events: Arc<EventQueue<UpstreamEvent>>,
    /// See [`AdmissionMode`]: 0 is `Local`, anything else the moment of `AskActorFrom`.
    admission: AtomicU64,
    /// See [`StreamOptions`].
    stream_options: AtomicU8,
    /// Tokens of an answer whose request bounds none.
    expected_completion: AtomicU64,
}

/// The place of admission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AdmissionMode {
    /// Any worker.
    Local,
    /// The actor alone, from this moment on (ms, monotonic); nobody before.
    AskActorFrom(u64),
}

/// What is known of an upstream's way with the proxy's `stream_options`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum StreamOptions {
    /// Nothing yet.
    Unknown,
    /// A stream reported the usage asked for. No later refusal raises a doubt again.
    Accepted,
    /// A refused request was served without `stream_options`, or the configuration says that nobody has to ask.
    Refused,
}

impl SharedState {
    /// Creates a state with admission by the actor.
    pub(super) fn new(endpoint: Arc<Endpoint>, events: Arc<EventQueue<UpstreamEvent>>) -> SharedState {
        let stream_options = match endpoint.quirks.stream_usage {
            StreamUsage::Ask => StreamOptions::Unknown,
            StreamUsage::Unasked | StreamUsage::Never => StreamOptions::Refused,
        };
        SharedState {
            endpoint,
            events,
            admission: AtomicU64::new(packed(AdmissionMode::AskActorFrom(0))),
            stream_options: AtomicU8::new(stream_options as u8),
            expected_completion: AtomicU64::new(0),
        }
    }

    /// Publishes the place of admission. An unchanged value is not written: each write takes the cache line from every worker.
    pub(super) fn publish_state(&self, admission: AdmissionMode) {
        let admission = packed(admission);
        if self.admission.load(Ordering::Relaxed) != admission {
            self.admission.store(admission, Ordering::Release);
        }
    }

    /// Publishes the tokens of an answer whose request bounds none.
    pub(super) fn set_expected_completion(&self, tokens: u64) {
        if self.expected_completion.load(Ordering::Relaxed) != tokens {
            self.expected_completion.store(tokens, Ordering::Relaxed);
        }
    }

    /// Returns the tokens of an answer whose request bounds none.
    pub(super) fn expected_completion(&self) -> u64 {
        self.expected_completion.load(Ordering::Relaxed)
    }

    /// Returns the place of admission: the actor, as long as a blocking event is not applied.
    pub(super) fn admission(&self) -> AdmissionMode {
        if self.events.pending_blocking() > 0 {
            return AdmissionMode::AskActorFrom(0);
        }
        match self.admission.load(Ordering::Acquire) {
            0 => AdmissionMode::Local,
            from => AdmissionMode::AskActorFrom(from),
        }
    }

    /// Returns what is known of the way with `stream_options`.
    pub(super) fn stream_options(&self) -> StreamOptions {
        match self.stream_options.load(Ordering::Relaxed) {
            accepted if accepted == StreamOptions::Accepted as u8 => StreamOptions::Accepted,
            refused if refused == StreamOptions::Refused as u8 => StreamOptions::Refused,
            _ => StreamOptions::Unknown,
        }
    }

    /// Records that a stream reported the usage asked for.
    pub(super) fn accept_stream_options(&self) {
        if self.stream_options() != StreamOptions::Accepted {
            self.stream_options.store(StreamOptions::Accepted as u8, Ordering::Relaxed);
        }
    }

    /// Records that a refused request was served without `stream_options`. Ignored if an earlier stream proved the opposite.
    pub(super) fn refuse_stream_options(&self) {
        let (unknown, refused) = (StreamOptions::Unknown as u8, StreamOptions::Refused as u8);
        let changed = self.stream_options.compare_exchange(unknown, refused, Ordering::Relaxed, Ordering::Relaxed);
        if changed.is_ok() {
            log::warn!("{}: does not take stream_options; the usage of its streams is estimated", self.endpoint.api);
        }
    }
}

fn packed(admission: AdmissionMode) -> u64 {
    match admission {
        AdmissionMode::Local => 0,
        AdmissionMode::AskActorFrom(from) => from.max(1),
    }
}
