//! A second attempt beside a silent one.

use std::time::Duration;

use super::client::{chat, served_by};
use super::script::{Reply, World};
use crate::config::BudgetConfig;
use crate::records::AttemptResult;

#[test]
fn the_first_answer_wins_a_hedge_and_the_other_attempt_is_stopped() {
    let mut world = World::new(&["a", "b"]);
    world.retry.hedge_after = Some(Duration::from_secs(1));
    world.script("a", [Reply::ok("a").after(5)]);
    world.script("b", [Reply::ok("b").after(1)]);
    let answer = world.run(&chat());
    assert_eq!((served_by(&answer).as_str(), answer.took.as_secs()), ("b", 2));
    assert_eq!(world.upstream("a").reports().abandoned(), 1);
    let mut world = World::new(&["a", "b"]);
    world.retry.hedge_after = Some(Duration::from_secs(1));
    world.script("a", [Reply::ok("a").after(2)]);
    world.script("b", [Reply::error(500, "x")]);
    assert_eq!(served_by(&world.run(&chat())), "a", "the hedge failed, and the first goes on");
    assert_eq!(world.upstream("b").reports().failures().len(), 1);
}

#[test]
fn a_quick_answer_is_not_hedged() {
    let mut world = World::new(&["a", "b"]);
    world.retry.hedge_after = Some(Duration::from_secs(1));
    world.run(&chat());
    assert_eq!(world.calls(), "a");
}

#[test]
fn a_hedge_is_paid_from_the_budget_and_needs_another_upstream() {
    let slow = || [Reply::ok("a").after(5)];
    let mut world = World::new(&["a", "b"]);
    world.retry.hedge_after = Some(Duration::from_secs(1));
    world.retry.budget = BudgetConfig { percent: 0, per_second: 0 };
    world.script("a", slow());
    assert_eq!((served_by(&world.run(&chat())), world.calls()), ("a".to_owned(), "a".to_owned()), "without budget");
    let mut world = World::new(&["a"]);
    world.retry.hedge_after = Some(Duration::from_secs(1));
    world.script("a", slow());
    assert_eq!(
        (served_by(&world.run(&chat())), world.calls()),
        ("a".to_owned(), "a".to_owned()),
        "nobody else is there"
    );
}

#[test]
fn the_record_has_both_attempts_of_a_hedge() {
    let mut world = World::new(&["a", "b"]);
    world.retry.hedge_after = Some(Duration::from_secs(1));
    world.script("a", [Reply::ok("a").after(5)]);
    world.run(&chat());
    let results: Vec<AttemptResult> = world.record().attempts.into_iter().map(|attempt| attempt.result).collect();
    assert!(matches!(results[..], [AttemptResult::Open, AttemptResult::Served]), "{results:?}");
}

#[test]
fn both_attempts_of_a_hedge_may_fail_and_the_request_goes_on() {
    let mut world = World::new(&["a", "b", "c"]);
    world.retry.hedge_after = Some(Duration::from_secs(1));
    world.script("a", [Reply::error(500, "x").after(2)]);
    world.script("b", [Reply::error(500, "x").after(3)]);
    assert_eq!(served_by(&world.run(&chat())), "c");
}
