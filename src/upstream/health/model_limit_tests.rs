//! Limits of single models.

use super::*;

#[test]
fn a_limit_of_one_model_rests_that_model_alone() {
    let now = Now { mono: 1_000, wall: 0 };
    let limited = Failure {
        retry_after: Some(Duration::from_secs(7)),
        ..Failure::new(FailureClass::RateLimited, Phase::Head, "")
    };
    let busy = Failure { class: FailureClass::Overloaded, ..limited.clone() };
    for failure in [&limited, &busy] {
        let told = Failure { limit_of_model: Some(true), ..failure.clone() };
        let of_account = Failure { limit_of_model: Some(false), ..failure.clone() };
        let wait = Some(Duration::from_secs(7));
        let by_config = signal(failure, 0, now, LimitsPer::Model);
        assert_eq!(by_config, Signal::Limited { wait, of_model: true });
        assert_eq!(signal(&told, 0, now, LimitsPer::Account), by_config);
        assert_eq!(signal(&of_account, 0, now, LimitsPer::Model), Signal::Limited { wait, of_model: false });
    }
    let other: Arc<str> = "other".into();
    for (wait, until) in [(None, 1_011), (Some(Duration::from_secs(7)), 7_011)] {
        let mut world = World::new();
        let began = world.ends(Signal::Limited { wait, of_model: true }, 10, 11);
        assert_eq!(began, Some(RestBegan { scope: Scope::ModelLimit, until }));
        assert!(!world.may_go(false, until - 1) && world.may_go(false, until));
        assert!(world.health.check(World::of(&other), false, 12).is_ok() && world.health.is_open());
        let backoffs = world.health.backoffs_of("m");
        assert_eq!(backoffs.iter().map(|backoff| backoff.open_from).collect::<Vec<_>>(), [until]);
        assert!(world.admit(until), "the probe");
        world.ends(SUCCESS, until, until + 1);
        assert!(world.health.backoffs_of("m").is_empty() && world.may_go(false, until + 1));
    }
}
