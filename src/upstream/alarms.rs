//! Which rests of an upstream people are told of. Pure: functions of the rests and of what was told.
//!
//! 1. A refused key is told at once. A rest of the service is told once it lasts [`DOWN_MS`], one of a limit [`LIMITED_MS`].
//! 2. Each is told once, until the upstream serves again or its entry changes.
//! 3. That the upstream serves again is told if anything was told before, and once an answer proves it.

use super::health::{Scope, mend_of_class};
use crate::alerts::{Alert, AlertFacts};
use crate::types::{AlertEvent, ApiId, FailureClass, Now};

/// How long a rest of the service must last: shorter ones come and go.
const DOWN_MS: u64 = 30_000;

/// How long a rest of a limit must last: those of a minute come and go.
const LIMITED_MS: u64 = 600_000;

/// A rest of a scope of all attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RestOf {
    pub(super) scope: Scope,
    pub(super) reason: FailureClass,
    /// ms, monotonic.
    pub(super) until: u64,
}

/// What was told of one upstream.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    told: Vec<AlertEvent>,
    /// The upstream has to serve again, for all that was told.
    owes_end: bool,
}

impl Alarms {
    /// Returns what is to be told. `proven`: the upstream has answered since its entry changed.
    pub(super) fn judge(&mut self, (api, proven): (&ApiId, bool), rests: &[RestOf], now: Now) -> Vec<Alert> {
        let facts = || AlertFacts { api: Some(api.to_string()), ..AlertFacts::default() };
        if rests.is_empty() {
            self.told.clear();
            let ends = proven && std::mem::take(&mut self.owes_end);
            return ends.then(|| Alert::new(AlertEvent::UpstreamUp, now.wall, facts())).into_iter().collect();
        }
        let mut news = Vec::new();
        for RestOf { scope, reason, until } in rests {
            let Some(event) = event_of(*scope, until.saturating_sub(now.mono)) else { continue };
            if self.told.contains(&event) {
                continue;
            }
            self.told.push(event);
            self.owes_end = true;
            let facts = AlertFacts {
                reason: Some(reason.as_str().to_owned()),
                detail: Some(mend_of_class(*reason).to_owned()),
                until: Some(now.wall_at(*until)),
                ..facts()
            };
            news.push(Alert::new(event, now.wall, facts));
        }
        news
    }

    /// Forgets what was told: the entry has changed. Whether the upstream serves again stays to be told.
    pub(super) fn rearm(&mut self) {
        self.told.clear();
    }
}

/// Returns the event of a rest that lasts so long, if people are told of the rest.
fn event_of(scope: Scope, lasts_ms: u64) -> Option<AlertEvent> {
    match scope {
        Scope::Service if lasts_ms >= DOWN_MS => Some(AlertEvent::UpstreamDown),
        Scope::Limit if lasts_ms >= LIMITED_MS => Some(AlertEvent::UpstreamLimited),
        Scope::Key => Some(AlertEvent::KeyRefused),
        Scope::Service | Scope::Limit | Scope::Model | Scope::ModelLimit => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Now = Now { mono: 1_000, wall: 0 };

    fn rest(scope: Scope, lasts_ms: u64) -> RestOf {
        RestOf { scope, reason: FailureClass::ServerError, until: NOW.mono + lasts_ms }
    }

    fn events(alarms: &mut Alarms, rests: &[RestOf], proven: bool) -> Vec<AlertEvent> {
        alarms.judge((&ApiId::from("a"), proven), rests, NOW).into_iter().map(|alert| alert.event).collect()
    }

    #[test]
    fn a_rest_is_told_once_when_it_lasts_and_its_end_once() {
        let mut alarms = Alarms::default();
        assert_eq!(events(&mut alarms, &[rest(Scope::Service, DOWN_MS - 1)], true), []);
        assert_eq!(events(&mut alarms, &[], true), [], "nothing was told, so nothing ends");
        assert_eq!(events(&mut alarms, &[rest(Scope::Service, DOWN_MS)], true), [AlertEvent::UpstreamDown]);
        assert_eq!(events(&mut alarms, &[rest(Scope::Service, 2 * DOWN_MS)], true), []);
        let both = [rest(Scope::Service, DOWN_MS), rest(Scope::Key, 1)];
        assert_eq!(events(&mut alarms, &both, true), [AlertEvent::KeyRefused]);
        assert_eq!(events(&mut alarms, &[], true), [AlertEvent::UpstreamUp]);
        assert_eq!(events(&mut alarms, &[], true), []);
        assert_eq!(events(&mut alarms, &[rest(Scope::Limit, LIMITED_MS)], true), [AlertEvent::UpstreamLimited]);
    }

    #[test]
    fn a_changed_entry_is_told_anew_and_serves_again_once_it_has_answered() {
        let mut alarms = Alarms::default();
        assert_eq!(events(&mut alarms, &[rest(Scope::Key, 1)], false), [AlertEvent::KeyRefused]);
        alarms.rearm();
        assert_eq!(events(&mut alarms, &[], false), [], "not proven");
        assert_eq!(events(&mut alarms, &[rest(Scope::Key, 1)], false), [AlertEvent::KeyRefused], "the new key, too");
        alarms.rearm();
        assert_eq!(events(&mut alarms, &[], true), [AlertEvent::UpstreamUp]);
    }
}
