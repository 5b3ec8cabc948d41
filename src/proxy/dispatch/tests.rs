//! The loop, against upstreams and a transport that a test scripts, on a clock that jumps from one event to the next.

mod client;
mod hedges;
mod refusals;
mod script;
mod streams;

use std::time::Duration;

use actix_web::http::StatusCode;

use self::client::{chat, served_by, speech, stream};
use self::script::{Reply, World};
use crate::config::BudgetConfig;
use crate::records::{AttemptResult, RequestEnd};
use crate::types::{FailureClass, Outcome};

const CONTENT: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}\n\n";
const ROLE: &str = "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\n";
const DONE: &str = "data: [DONE]\n\n";

#[test]
fn a_failure_is_served_by_the_next_upstream() {
    for reply in [
        Reply::error(500, "broken"),
        Reply::error(503, "busy"),
        Reply::error(429, "slow down"),
        Reply::error(401, "no key"),
        Reply::error(404, "not here"),
        Reply::error(405, ""),
        Reply::error(410, "gone"),
        Reply::error(418, ""),
        Reply::json(200, "{}"),
        Reply::json(200, "{\"choices\":[{\"mess"),
        Reply::refused(),
        Reply::json(200, "").cut(),
    ] {
        let mut world = World::new(&["a", "b"]);
        world.script("a", [reply.clone()]);
        let answer = world.run(&chat());
        assert_eq!((answer.status, world.calls()), (StatusCode::OK, "a b".to_owned()), "{reply:?}");
        assert_eq!(served_by(&answer), "b", "{reply:?}");
    }
}

#[test]
fn no_more_than_max_attempts_fail_for_one_request() {
    let mut world = World::new(&["a", "b", "c", "d", "e"]);
    world.retry.max_attempts = 3;
    world.all(&Reply::error(500, "broken"));
    let answer = world.run(&chat());
    assert_eq!((answer.status.as_u16(), world.calls()), (500, "a b c".to_owned()));
}

#[test]
fn only_the_first_failure_that_the_request_may_have_caused_counts() {
    let mut world = World::new(&["a", "b", "c"]);
    world.all(&Reply::error(500, "x"));
    world.run(&chat());
    let counted: Vec<bool> = ["a", "b", "c"].map(|id| world.upstream(id).reports().failures()[0].counted).into();
    assert_eq!(counted, [true, false, false]);
    let mut world = World::new(&["a", "b"]);
    world.all(&Reply::refused());
    world.run(&chat());
    for id in ["a", "b"] {
        assert!(world.upstream(id).reports().failures()[0].counted, "{id}: no request refuses a connection");
    }
}

#[test]
fn a_closed_connection_is_replayed_and_is_no_failure() {
    let mut world = World::new(&["a"]);
    world.script("a", [Reply::stale(), Reply::stale(), Reply::stale()]);
    assert_eq!(world.run(&chat()).status, StatusCode::OK);
    assert_eq!(world.calls(), "a a a a");
    let mut world = World::new(&["a", "b"]);
    world.script("a", [Reply::stale(), Reply::stale(), Reply::stale(), Reply::stale()]);
    assert_eq!(served_by(&world.run(&chat())), "b", "three replays, and then another");
}

#[test]
fn a_replay_after_a_lost_shared_connection_is_paid_from_the_budget() {
    for (percent, calls) in [(100, "a a"), (0, "a")] {
        let mut world = World::new(&["a"]);
        world.retry.budget = BudgetConfig { percent, per_second: 0 };
        world.script("a", [Reply::lost()]);
        world.run(&chat());
        assert_eq!(world.calls(), calls, "{percent} %");
    }
    let mut world = World::new(&["a", "b"]);
    world.script("a", [Reply::lost(), Reply::lost()]);
    assert_eq!(served_by(&world.run(&chat())), "b", "once, and then another");
}

#[test]
fn a_redirect_is_followed_by_nobody() {
    let mut world = World::new(&["a"]);
    world.script("a", [Reply::json(307, "{}")]);
    assert_eq!(world.run(&chat()).status, StatusCode::BAD_GATEWAY);
}

#[test]
fn stream_options_are_left_out_once_if_they_may_be_what_is_refused() {
    let mut world = World::new(&["a"]);
    world.script("a", [Reply::error(400, "Unrecognized: stream_options"), Reply::events(&[CONTENT, DONE])]);
    assert_eq!(world.run(&stream()).status, StatusCode::OK);
    let asked: Vec<bool> = world.bodies().iter().map(|body| body.contains("stream_options")).collect();
    assert_eq!(asked, [true, false]);
    let mut world = World::new(&["a"]);
    world.script("a", [Reply::error(400, "bad role"), Reply::error(400, "bad role")]);
    assert_eq!(world.run(&stream()).status.as_u16(), 400, "it was for something else");
    assert_eq!(world.calls(), "a a");
}

#[test]
fn a_silent_upstream_ends_at_its_deadline_and_another_is_asked() {
    let mut world = World::new(&["a", "b"]);
    world.script("a", [Reply::silent()]);
    let answer = world.run(&chat());
    assert_eq!(served_by(&answer), "b");
    assert!(answer.took >= Duration::from_secs(30), "{:?}", answer.took);
    assert_eq!(world.upstream("a").reports().failures()[0].class, FailureClass::Timeout);
}

#[test]
fn a_client_that_says_how_long_it_waits_is_answered_by_then() {
    let mut world = World::new(&["a", "b"]);
    world.script("a", [Reply::silent()]);
    let answer = world.run(&chat().with_header("x-stainless-timeout", "2"));
    assert_eq!(answer.status, StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(answer.took.as_secs(), 2);
    assert_eq!(world.upstream("a").reports().abandoned(), 1, "that says nothing of the upstream yet");
}

#[test]
fn the_same_upstreams_are_asked_again_after_a_pause_that_doubles() {
    let mut world = World::new(&["a"]);
    world.retry.same_upstream = 2;
    world.retry.max_attempts = 10;
    world.retry.backoff = Duration::from_secs(4);
    world.script("a", [Reply::error(500, "x"), Reply::error(500, "x")]);
    let answer = world.run(&chat());
    assert_eq!((answer.status, world.calls()), (StatusCode::OK, "a a a".to_owned()));
    assert!((6..=12).contains(&answer.took.as_secs()), "a half of each pause is random: {:?}", answer.took);
}

#[test]
fn tokens_of_an_answer_in_the_wrong_form_count() {
    let mut world = World::new(&["a", "b"]);
    let usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2,\"total_tokens\":9}}\n\n";
    world.script("a", [Reply::events(&[CONTENT, usage, DONE])]);
    assert_eq!(served_by(&world.run(&chat())), "b");
    let usage = world.upstream("a").reports().settled[0].usage.expect("usage");
    assert_eq!(usage.total, 9);
}

#[test]
fn a_short_body_of_bytes_is_read_to_its_end_once() {
    for (kind, body) in [("audio/mpeg", "{PCM"), ("audio/mpeg", "[PCM"), ("audio/mpeg", "  \n")] {
        let mut world = World::new(&["a"]);
        world.script("a", [Reply::bytes(kind, body)]);
        let answer = world.run(&speech());
        assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, body));
    }
    for body in ["da", "id", "data", "  \n"] {
        let mut world = World::new(&["a"]);
        world.script("a", [Reply::json(200, body).encoded("br")]);
        assert_eq!(world.run(&chat()).text, body);
    }
}

#[test]
fn a_permit_is_settled_once_with_the_end_of_its_answer() {
    let mut world = World::new(&["a"]);
    world.script("a", [Reply::events(&[CONTENT, DONE])]);
    world.run(&stream());
    let settled = world.upstream("a").reports().settled;
    assert_eq!(settled.len(), 1);
    assert_eq!(settled[0].outcome, Outcome::Completed);
}

#[test]
fn the_record_has_every_attempt_with_the_upstreams_own_words() {
    let mut world = World::new(&["a", "b"]);
    world.script("a", [Reply::error(401, "Key sk-upstream-0123 has expired")]);
    world.run(&chat());
    let record = world.record();
    assert_eq!((record.status, &record.end), (Some(StatusCode::OK), &RequestEnd::Answered));
    let [first, second] = &record.attempts[..] else { panic!("two attempts: {:?}", record.attempts) };
    let AttemptResult::Failed(failure) = &first.result else { panic!("the first failed: {first:?}") };
    assert_eq!((first.api.as_str(), second.api.as_str()), ("a", "b"));
    assert_eq!(failure.to_string(), "unauthorized: 401 \"Key *** has expired\"");
    assert!(matches!(second.result, AttemptResult::Served));
}

#[test]
fn the_client_reads_the_upstreams_words_if_an_accounts_refusal_is_the_last() {
    let mut world = World::new(&["a"]);
    world.script("a", [Reply::error(401, "API key expired. Please renew.")]);
    let answer = world.run(&chat());
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY, "the client's own key is right");
    assert!(answer.text.contains("API key expired. Please renew."), "{}", answer.text);
    let mut world = World::new(&["a"]);
    world.script("a", [Reply::json(403, r#"{"error":{"message":"x","code":"rate_limit_exceeded"}}"#)]);
    assert_eq!(world.run(&chat()).status, StatusCode::BAD_GATEWAY, "a limit, and no missing right of the client");
    assert_eq!(world.upstream("a").reports().failures()[0].class, FailureClass::RateLimited);
}

#[test]
fn nobody_left_is_told_with_the_last_upstreams_own_error() {
    let mut world = World::new(&["a", "b"]);
    world.script("a", [Reply::error(500, "first")]);
    world.script("b", [Reply::error(404, "second")]);
    let answer = world.run(&chat());
    assert_eq!(answer.status.as_u16(), 404);
    assert!(answer.text.contains("second"), "{}", answer.text);
}
