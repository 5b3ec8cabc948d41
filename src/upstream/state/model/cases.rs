//! What chance would hardly hit.

use super::*;

fn failed(class: FailureClass, blame: Blame) -> Failure {
    Failure { blame, ..Failure::new(class, Phase::Head, "") }
}

fn trouble() -> Outcome {
    Outcome::Failed(failed(FailureClass::ServerError, Blame::Unclear))
}

/// An upstream that rests for three failures; the first one that was asked besides is still out.
fn resting() -> World {
    let mut world = World::new(true);
    (0..4).for_each(|_| world.ask(false));
    (0..3).for_each(|_| world.end(1, &trouble()));
    assert!(!world.serves(false));
    world
}

/// A third failure would rest it.
fn fails_twice(world: &mut World) {
    world.now += 1;
    for _ in 0..2 {
        world.ask(false);
        world.end(world.out.len() - 1, &trouble());
    }
}

#[test]
fn streams_that_begin_and_then_break_rest_it_though_one_begins_after_the_others_broke() {
    let mut world = resting();
    world.now += 1;
    world.answer(0, None);
    assert!(!world.serves(false), "it may break as the others did");
    world.end(0, &Outcome::Completed);
    assert!(world.serves(false), "it did not");
}

/// The last one that went out fails as its request had before. Returns when, and how it was sent.
fn fails_as_before(world: &mut World, class: FailureClass) -> (u64, Option<Sent>) {
    let sent = world.out.last().map(|out| out.sent);
    world.end(world.out.len() - 1, &Outcome::Failed(failed(class, Blame::Request)));
    (world.now, sent)
}

/// Another upstream served what had failed here so, then; to one that was sent as a probe, or not.
fn testify(world: &mut World, class: FailureClass, at: u64, sent: Option<Sent>) {
    let failure = failed(class, Blame::Unclear);
    world.state.testified((&failure, at), (sent, world.now()), || DAY_ENDS);
}

/// However long a probe takes, the last one left is asked again; what is told is kept.
#[test]
fn a_slow_probe_does_not_keep_all_others_out() {
    let limited = |secs: Option<u64>| {
        let failure = failed(FailureClass::RateLimited, Blame::Upstream);
        Outcome::Failed(Failure { retry_after: secs.map(Duration::from_secs), ..failure })
    };
    let refused = Outcome::Failed(failed(FailureClass::Unauthorized, Blame::Upstream));
    for (outcome, times, rest) in
        [(trouble(), 3, 10_000), (limited(None), 1, 1_000), (limited(Some(30)), 1, 30_000), (refused, 1, 600_000)]
    {
        let mut world = World::new(true);
        (0..times).for_each(|_| world.ask(false));
        (0..times).for_each(|_| world.end(0, &outcome));
        world.now += rest;
        world.ask(false);
        assert_eq!(world.out.len(), 1, "{outcome:?}");
        for (later, last_resort) in [(9_999, false), (1, true)] {
            world.now += later;
            assert_eq!((world.serves(false), world.serves(true)), (false, last_resort), "{outcome:?}");
        }
        world.ask(true);
        assert!(world.out.len() == 2 && !world.serves(true), "one more: {outcome:?}");
        world.answer(1, None);
        assert!(world.serves(false), "{outcome:?}");
    }
}

#[test]
fn a_last_resort_that_tells_nothing_ends_no_rest() {
    let lost = [
        Outcome::ClientClosed,
        Outcome::Failed(failed(FailureClass::ServerError, Blame::Request)),
        Outcome::Failed(failed(FailureClass::ModelNotFound, Blame::Upstream)),
    ];
    for outcome in lost {
        let mut world = resting();
        world.now += 10_000;
        world.ask(false);
        world.end(1, &trouble());
        world.now += 10_000;
        assert!(!world.serves(false), "its rest is twice as long");
        world.ask(true);
        world.end(1, &outcome);
        assert_eq!((world.serves(false), world.serves(true)), (false, true), "{outcome:?}");
        world.now += 10_000;
        assert!(world.serves(false), "{outcome:?}");
    }
}

/// The probe of a rest that ended otherwise is nobody's probe any more.
#[test]
fn a_slow_probe_makes_no_second_one_and_lengthens_no_other_rest() {
    let rest_of = |world: &World| world.state.health(world.now()).err().and_then(|refusal| refusal.until());
    let mut world = resting();
    world.now += 10_000;
    world.ask(false);
    // What was begun before is answered meanwhile: so it is well, and then it is not.
    world.end(0, &Outcome::Completed);
    (0..3).for_each(|_| world.ask(false));
    (0..3).for_each(|_| world.end(1, &trouble()));
    let until = rest_of(&world);
    world.now += 5_000;
    world.end(0, &trouble());
    assert_eq!(rest_of(&world), until, "it was the probe of the rest before");
    world.now += 5_000;
    world.ask(false);
    assert_eq!(world.out.len(), 1, "the probe of this one");
    world.ask(false);
    assert_eq!(world.out.len(), 1, "and the only one");
}

#[test]
fn a_testimony_is_nothing_against_a_probe_that_was_answered_since() {
    let mut world = resting();
    let at = world.now;
    world.end(0, &Outcome::Failed(failed(FailureClass::ServerError, Blame::Request)));
    world.now += 10_000;
    world.ask(false);
    world.answer(0, None);
    fails_twice(&mut world);
    testify(&mut world, FailureClass::ServerError, at, None);
    assert!(world.serves(false), "{:?}", world.state.health(world.now()));
}

#[test]
fn a_testimony_against_a_lost_probe_counts_only_until_the_next_is_answered() {
    for answered in [false, true] {
        let mut world = resting();
        world.now += 10_000;
        world.ask(false);
        let (at, sent) = fails_as_before(&mut world, FailureClass::ServerError);
        if answered {
            world.now += 1;
            world.ask(false);
            world.answer(1, None);
            fails_twice(&mut world);
        }
        testify(&mut world, FailureClass::ServerError, at, sent);
        assert_eq!(world.serves(false), answered, "{:?}", world.state.health(world.now()));
    }
}

#[test]
fn a_testimony_takes_nobodys_wait_away() {
    let limited = |blame| Outcome::Failed(failed(FailureClass::RateLimited, blame));
    let mut world = World::new(true);
    world.ask(false);
    world.end(0, &limited(Blame::Upstream));
    world.now += 1_000;
    world.ask(false);
    let (at, sent) = fails_as_before(&mut world, FailureClass::ServerError);
    world.ask(false);
    assert!(world.out.len() == 1 && !world.serves(false), "another probe is out");
    testify(&mut world, FailureClass::ServerError, at, sent);
    assert!(!world.serves(false), "and still is");
}

#[test]
fn a_testimony_of_a_refused_key_takes_no_probe_away() {
    let mut world = resting();
    world.now += 10_000;
    world.ask(false);
    let (at, sent) = fails_as_before(&mut world, FailureClass::Unauthorized);
    world.ask(false);
    assert!(world.out.len() == 2 && !world.serves(true), "another probe is out");
    testify(&mut world, FailureClass::Unauthorized, at, sent);
    world.now += 1;
    assert!(!world.serves(true), "and still is");
}
