//! Refusals: of the request, and of the account, the model or the place.

use super::*;
use crate::upstream::testing::TestUpstream;

#[test]
fn the_callers_own_mistake_passes_after_one_call() {
    for status in [400, 413, 415, 422] {
        let mut world = World::new(&["a", "b"]);
        world.script("a", [Reply::error(status, "bad role")]);
        let answer = world.run(&chat());
        assert_eq!((answer.status.as_u16(), world.calls()), (status, "a".to_owned()));
        assert!(answer.text.contains("bad role"), "{}", answer.text);
    }
}

#[test]
fn a_400_that_is_no_apis_error_is_served_by_another_and_passes_unchanged_if_nobody_serves() {
    for body in ["", "{}", "<html>a firewall</html>", "Invalid hostname"] {
        for status in [400, 413, 415, 422] {
            let mut world = World::new(&["a", "b"]);
            world.script("a", [Reply::json(status, body)]);
            assert_eq!(served_by(&world.run(&chat())), "b", "{status} {body}");
            let mut world = World::new(&["a"]);
            world.script("a", [Reply::json(status, body)]);
            let answer = world.run(&chat());
            assert_eq!((answer.status.as_u16(), &*answer.text), (status, body));
        }
    }
}

#[test]
fn failures_of_trouble_are_paid_from_the_budget_and_refusals_are_not() {
    let none = BudgetConfig { percent: 0, per_second: 0 };
    for (reply, goes_on) in [
        (Reply::error(500, "x"), false),
        (Reply::refused(), false),
        (Reply::error(400, "model m is not loaded"), false),
        (Reply::json(413, ""), false),
        (Reply::error(429, "Request too large"), false),
        (Reply::error(429, "x"), true),
        (Reply::error(401, "x"), true),
        (Reply::error(401, "not for this model"), true),
        (Reply::error(403, "x"), true),
        (Reply::error(404, "x"), true),
        (Reply::error(405, "x"), true),
    ] {
        let mut world = World::new(&["a", "b"]);
        world.retry.budget = none;
        world.script("a", [reply.clone()]);
        world.run(&chat());
        assert_eq!(world.calls().contains(' '), goes_on, "{reply:?}");
    }
}

#[test]
fn a_refusal_in_doubt_counts_when_another_upstream_serves_the_request() {
    for (reply, confirmed) in [
        (Reply::error(404, "x"), 1),
        (Reply::error(403, "x"), 1),
        (Reply::error(400, "model m is not loaded"), 0),
        (Reply::error(422, "This model's maximum context length is 4096 tokens"), 0),
        (Reply::error(401, "x"), 0),
        (Reply::error(500, "x"), 0),
    ] {
        let mut world = World::new(&["a", "b"]);
        world.script("a", [reply.clone()]);
        world.run(&chat());
        assert_eq!(world.upstream("a").reports().confirmed.len(), confirmed, "{reply:?}");
        let mut world = World::new(&["a", "b"]);
        world.all(&reply);
        world.run(&chat());
        assert!(world.upstream("a").reports().confirmed.is_empty(), "nobody served: {reply:?}");
    }
}

#[test]
fn a_rejection_in_doubt_is_tried_once_for_each_address_and_model() {
    let here = r#""baseUrl": "http://127.0.0.1:1""#;
    let there = r#""baseUrl": "http://127.0.0.1:2""#;
    let (same, renamed) = (r#""models": ["m"]"#, r#""models": ["m"], "modelMapping": { "m": "other" }"#);
    let entries = [("a", here, same), ("b", here, same), ("c", here, same), ("d", here, renamed), ("e", there, same)];
    let upstreams = entries.map(|(id, address, models)| {
        let fields = format!(r#"{address}, {models}, "retryRejected": true"#);
        (id.to_owned(), TestUpstream::with(id, &fields))
    });
    let mut world = World::of(upstreams.into());
    world.retry.max_attempts = 10;
    world.all(&Reply::error(400, "bad role"));
    let answer = world.run(&chat());
    assert_eq!((answer.status.as_u16(), world.calls()), (400, "a d e".to_owned()));
    assert!(answer.text.contains("bad role"), "{}", answer.text);
    world.script("e", [Reply::ok("e")]);
    assert_eq!(served_by(&world.run(&chat())), "e", "another request asks anew");
}
