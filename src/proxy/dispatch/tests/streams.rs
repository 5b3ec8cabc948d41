//! Streams: the commit point is the first content.

use actix_web::http::StatusCode;

use super::client::stream;
use super::script::{Reply, World};
use super::{CONTENT, DONE, ROLE};
use crate::types::FailureClass;

#[test]
fn before_its_first_content_a_stream_may_be_replaced_and_after_it_never() {
    let mut world = World::new(&["a", "b"]);
    world.script("a", [Reply::events(&[ROLE]).cut()]);
    world.script("b", [Reply::events(&[ROLE, CONTENT, DONE])]);
    let answer = world.run(&stream());
    assert_eq!(world.calls(), "a b");
    assert_eq!(answer.text.matches("assistant").count(), 1, "{}", answer.text);
    let mut world = World::new(&["a", "b"]);
    let begun = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
    world.script("a", [Reply::events(&[begun]).cut()]);
    let answer = world.run(&stream());
    assert_eq!(world.calls(), "a");
    assert!(answer.text.contains("\"error\"") && !answer.text.contains("[DONE]"), "{}", answer.text);
}

#[test]
fn a_stream_whose_first_content_is_late_is_replaced() {
    let mut world = World::new(&["a", "b"]);
    world.script("a", [Reply::events(&[ROLE]).then_silent()]);
    world.script("b", [Reply::events(&[CONTENT, DONE])]);
    let answer = world.run(&stream());
    assert_eq!((answer.status, world.calls()), (StatusCode::OK, "a b".to_owned()));
    assert_eq!(world.upstream("a").reports().failures()[0].class, FailureClass::Timeout);
}

#[test]
fn a_stream_whose_head_is_late_is_replaced() {
    let mut world = World::new(&["a", "b"]);
    let timeouts = world.upstream("a").permit().endpoint().timeouts;
    world.script("a", [Reply::silent()]);
    world.script("b", [Reply::events(&[CONTENT, DONE])]);
    assert_eq!(world.run(&stream()).took, timeouts.first_token);
    assert!(timeouts.first_token < timeouts.stream_total);
}
