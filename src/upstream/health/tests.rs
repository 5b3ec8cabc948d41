//! The rule in readable cases.

#[path = "model_limit_tests.rs"]
mod model_limits;

use std::time::Duration;

use super::*;
use crate::config::LimitsPer;
use crate::types::{Failure, LimitSpan, Now, Outcome, Phase, RouteId, Settlement};

const SUCCESS: Signal = Signal::Success { whole: true };
const BEGUN: Signal = Signal::Success { whole: false };
const LIMITED: Signal = Signal::Limited { wait: None, of_model: false };
const MINUTE: u64 = 60_000;

/// An upstream, asked for one model by one route.
struct World {
    health: Health,
    model: Arc<str>,
}

impl World {
    fn new() -> World {
        World { health: Health::default(), model: "m".into() }
    }

    fn of(model: &Arc<str>) -> ModelRoute<'_> {
        ModelRoute { model, route: RouteId::new("chat/completions") }
    }

    /// Ends an attempt with this signal.
    fn ends(&mut self, signal: Signal, sent: u64, now: u64) -> Option<RestBegan> {
        let report = Reported { of: World::of(&self.model), times: Times { sent, now } };
        self.health.failure(signal, FailureClass::RateLimited, report)
    }

    /// Another upstream serves at once what was refused here.
    fn confirmed(&mut self, class: FailureClass, has_served: bool, sent: u64) -> Option<Scope> {
        let report = Reported { of: World::of(&self.model), times: Times { sent, now: sent + 1 } };
        self.health.confirmed(class, has_served, report).next().map(|began| began.scope)
    }

    /// Ends each attempt a millisecond after its sending.
    fn all_end(&mut self, signal: Signal, sent: impl IntoIterator<Item = u64>) -> Option<u64> {
        sent.into_iter().filter_map(|sent| self.ends(signal, sent, sent + 1)).last().map(|began| began.until)
    }

    fn may_go(&self, panic: bool, now: u64) -> bool {
        self.health.check(World::of(&self.model), panic, now).is_ok()
    }

    fn admit(&mut self, now: u64) -> bool {
        self.health.admit(World::of(&self.model), now)
    }
}

#[test]
fn the_service_rests_after_three_failures_in_a_row_and_each_rest_is_twice_as_long() {
    let mut world = World::new();
    assert_eq!(world.all_end(Signal::Failure, [10, 20]), None);
    world.ends(SUCCESS, 25, 26);
    assert_eq!(world.all_end(Signal::Failure, [30, 40]), None, "the success cleared the count");
    assert_eq!(world.all_end(Signal::Failure, [50]), Some(10_051));
    for rest in [20_000, 40_000, 80_000, 160_000, 320_000, 600_000, 600_000] {
        let probe = world.health.check_common(0).expect_err("it rests").until;
        assert!(!world.may_go(false, probe - 1) && world.may_go(false, probe));
        assert_eq!(world.all_end(Signal::Failure, [probe]), Some(probe + 1 + rest));
    }
}

#[test]
fn an_attempt_that_was_sent_before_a_rest_neither_grows_nor_ends_it() {
    let mut world = World::new();
    world.all_end(Signal::Failure, [10, 20, 30]);
    assert_eq!(world.ends(Signal::Failure, 31, 5_000), None, "it was sent when the rest began");
    world.ends(SUCCESS, 31, 5_001);
    assert!(!world.may_go(false, 10_030) && world.may_go(false, 10_031));
    world.ends(SUCCESS, 32, 5_002);
    assert!(world.may_go(false, 5_003), "it was sent later");
}

#[test]
fn a_success_ends_a_rest_and_one_that_only_began_keeps_the_next_one_long() {
    for (first, rest) in [(SUCCESS, 10_000), (BEGUN, 20_000)] {
        let mut world = World::new();
        world.all_end(Signal::Failure, [10, 20, 30]);
        assert!(world.admit(10_031));
        world.ends(first, 10_031, 10_040);
        assert!(world.may_go(false, 10_041) && !world.admit(10_041), "others go, and are no probes");
        assert_eq!(world.all_end(Signal::Failure, [10_050, 10_060]), None, "three in a row again");
        assert_eq!(world.all_end(Signal::Failure, [10_070]), Some(10_071 + rest));
    }
}

#[test]
fn streams_that_begin_and_then_break_rest_their_upstream() {
    let mut world = World::new();
    let mut until = None;
    for sent in [10, 20, 30] {
        // Another one always begins just before this one breaks.
        world.ends(BEGUN, sent + 5, sent + 6);
        until = world.ends(Signal::Failure, sent, sent + 8);
    }
    assert_eq!(until, Some(RestBegan { scope: Scope::Service, until: 10_038 }));
    world.ends(BEGUN, 36, 39);
    assert!(!world.may_go(false, 40), "it may break as the others did");
}

#[test]
fn one_probe_goes_each_ten_seconds_until_a_success() {
    let mut world = World::new();
    world.all_end(Signal::Failure, [10, 20, 30]);
    for probe in [10_031, 20_031, 30_031] {
        assert!(!world.may_go(false, probe - 1) && !world.may_go(true, probe - 1));
        assert!(world.may_go(false, probe) && world.admit(probe), "the one before may take long");
    }
    assert_eq!(world.ends(Signal::Nothing, 30_031, 30_032), None);
    assert!(!world.may_go(true, 40_030), "a probe that says nothing is one all the same");
    world.ends(SUCCESS, 10_031, 30_033);
    assert!(world.may_go(false, 30_034), "the first one was only slow");
}

#[test]
fn in_panic_mode_an_inferred_rest_is_no_obstacle_and_an_explicit_one_is() {
    let mut world = World::new();
    let probes = [10, 1_011, 3_012, 7_013, 15_014, 31_015];
    let until = world.all_end(LIMITED, probes).expect("a rest");
    assert_eq!(until, 31_016 + 32_000);
    assert!(!world.may_go(true, 41_015) && world.may_go(true, 41_016), "ten seconds of an inferred rest are kept");
    let wait = Signal::Limited { wait: Some(Duration::from_secs(15)), of_model: false };
    world.ends(wait, 9, 31_020);
    assert!(!world.may_go(true, 46_019) && world.may_go(true, 46_020), "an attempt of before brought the wait");
    assert!(!world.may_go(false, until - 1), "a shorter wait shortens nothing");
    let refusal = world.health.check_common(31_021).expect_err("it rests");
    assert_eq!((refusal.until, refusal.panic_from), (until, 46_020));
}

#[test]
fn a_429_without_a_time_rests_a_second_and_doubles_up_to_a_minute() {
    let mut world = World::new();
    let mut sent = 10;
    for rest in [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, MINUTE, MINUTE] {
        assert_eq!(world.all_end(LIMITED, [sent]), Some(sent + 1 + rest));
        assert_eq!(world.all_end(LIMITED, [sent - 1]), None, "of a spike, all that was under way is one refusal");
        sent += rest + 1;
    }
    world.ends(BEGUN, sent, sent + 1);
    assert_eq!(world.all_end(LIMITED, [sent + 2]), Some(sent + 1_003), "an answer has begun: the limit is over");
}

#[test]
fn a_wait_is_kept_for_an_hour_at_most_and_then_probed() {
    let mut world = World::new();
    world.ends(Signal::Limited { wait: Some(Duration::from_secs(86_400)), of_model: false }, 10, 11);
    assert!(!world.may_go(true, 3_600_010) && world.may_go(false, 3_600_011));
    assert!(world.admit(3_600_011) && !world.may_go(false, 3_600_012));
    world.ends(SUCCESS, 3_600_011, 3_600_013);
    assert!(world.may_go(false, 3_600_014));
}

#[test]
fn a_refused_key_rests_ten_minutes_and_an_unpaid_account_an_hour() {
    for (unpaid, rest) in [(false, 600_000), (true, 3_600_000)] {
        let mut world = World::new();
        let began = world.ends(Signal::KeyRefused { unpaid }, 10, 11);
        assert_eq!(began, Some(RestBegan { scope: Scope::Key, until: 11 + rest }));
        assert!(!world.may_go(true, 10 + rest), "whoever else is left");
    }
}

#[test]
fn three_confirmed_refusals_rest_the_model_by_the_route_whatever_they_are_about() {
    for class in [
        FailureClass::Unauthorized,
        FailureClass::PaymentRequired,
        FailureClass::Forbidden,
        FailureClass::ModelNotFound,
    ] {
        let mut world = World::new();
        let confirmed = [10, 20, 30].map(|sent| world.confirmed(class, true, sent));
        assert_eq!(confirmed, [None, None, Some(Scope::Model)], "{class:?}");
        assert!(!world.may_go(false, 60_030) && world.may_go(false, 60_031), "a minute: {class:?}");
        assert!(world.may_go(true, 10_031), "the rest is inferred: {class:?}");
        assert!(world.health.check_common(31).is_ok(), "other models and routes go on: {class:?}");
    }
}

#[test]
fn a_success_clears_the_confirmed_refusals_before_it() {
    let mut world = World::new();
    assert_eq!([10, 20].map(|sent| world.confirmed(FailureClass::Forbidden, false, sent)), [None, None]);
    world.ends(SUCCESS, 25, 26);
    assert_eq!([30, 40].map(|sent| world.confirmed(FailureClass::Forbidden, false, sent)), [None, None]);
    assert_eq!(world.confirmed(FailureClass::Forbidden, false, 50), Some(Scope::Service));
}

#[test]
fn an_upstream_that_has_served_nobody_rests_as_a_whole_after_three_confirmed_refusals() {
    let mut world = World::new();
    let confirmed = [10, 20, 30].map(|sent| world.confirmed(FailureClass::Unauthorized, false, sent));
    assert_eq!(confirmed, [None, None, Some(Scope::Service)]);
    let all = |at: u64| Reported { of: World::of(&world.model), times: Times { sent: at, now: at + 1 } };
    let mut again = Health::default();
    let mut began = [10, 20, 30].map(|sent| again.confirmed(FailureClass::Unauthorized, false, all(sent)).collect());
    let both: Vec<RestBegan> = std::mem::take(&mut began[2]);
    let scopes: Vec<Scope> = both.iter().map(|began| began.scope).collect();
    assert_eq!(scopes, [Scope::Service, Scope::Model], "both are logged");
    assert!(world.health.check_common(10_030).is_err() && world.health.check_common(10_031).is_ok());
    world.ends(SUCCESS, 60_031, 60_032);
    assert!(world.may_go(false, 60_033));
}

#[test]
fn a_model_refused_by_a_code_rests_ten_minutes_alone() {
    let mut world = World::new();
    assert_eq!(world.ends(Signal::ModelRefused, 10, 11).map(|began| began.until), Some(600_011));
    assert!(world.health.is_open() && !world.may_go(true, 600_010));
}

#[test]
fn each_class_gives_its_signal() {
    use FailureClass::*;
    let seconds = |secs| Some(Duration::from_secs(secs));
    let now = Now { mono: 1_000, wall: 0 };
    let of = |class, retry_after, limit| {
        let failure = Failure { retry_after, limit, ..Failure::new(class, Phase::Head, "") };
        signal(&failure, 901_000, now, LimitsPer::Account)
    };
    for (class, retry_after, limit, expected) in [
        (RateLimited, None, None, LIMITED),
        (RateLimited, seconds(7), None, Signal::Limited { wait: seconds(7), of_model: false }),
        (RateLimited, seconds(7), Some(LimitSpan::Day), Signal::Limited { wait: seconds(900), of_model: false }),
        (RateLimited, seconds(99), Some(LimitSpan::Minute), Signal::Limited { wait: seconds(60), of_model: false }),
        (RateLimited, None, Some(LimitSpan::Minute), LIMITED),
        (Overloaded, None, None, Signal::Failure),
        (Overloaded, seconds(7), None, Signal::Limited { wait: seconds(7), of_model: false }),
        (ServerError, seconds(7), None, Signal::Failure),
        (Timeout, None, None, Signal::Failure),
        (Connect, None, None, Signal::Failure),
        (Protocol, None, None, Signal::Failure),
        (EmptyResponse, None, None, Signal::Failure),
        (Unauthorized, None, None, Signal::KeyRefused { unpaid: false }),
        (PaymentRequired, None, None, Signal::KeyRefused { unpaid: true }),
        (Forbidden, None, None, Signal::Nothing),
        (ModelNotFound, None, None, Signal::Nothing),
        (Rejected, None, None, SUCCESS),
        (TooLarge, None, None, Signal::Nothing),
        (LocalSocketLimit, None, None, Signal::Nothing),
        (StaleConnection, None, None, Signal::Nothing),
        (WrongForm, None, None, Signal::Nothing),
    ] {
        assert_eq!(of(class, retry_after, limit), expected, "{class:?} {retry_after:?} {limit:?}");
    }
    let doubtful = Failure { certain: false, ..Failure::new(Unauthorized, Phase::Head, "") };
    assert_eq!(signal(&doubtful, 0, now, LimitsPer::Account), Signal::Nothing, "the words may be about the request");
    let day_is_over =
        Failure { limit: Some(LimitSpan::Day), ..Failure::new(FailureClass::RateLimited, Phase::Head, "") };
    assert_eq!(signal(&day_is_over, 0, now, LimitsPer::Account), Signal::Limited { wait: seconds(1), of_model: false });
    let uncounted = Failure { counted: false, ..Failure::new(ServerError, Phase::Head, "") };
    assert_eq!(signal(&uncounted, 0, now, LimitsPer::Account), Signal::Nothing, "the request had failed before");
}

#[test]
fn an_attempt_that_its_client_gave_up_is_a_timeout_after_thirty_seconds() {
    for (outcome, secs, is_hung) in [
        (Outcome::Abandoned, 30, true),
        (Outcome::Abandoned, 29, false),
        (Outcome::ClientClosed, 600, false),
        (Outcome::Completed, 600, false),
    ] {
        let settlement = Settlement::of(outcome, Duration::from_secs(secs));
        assert_eq!(
            hung(&settlement).map(|failure| failure.class),
            is_hung.then_some(FailureClass::Timeout),
            "{secs} s"
        );
    }
}
