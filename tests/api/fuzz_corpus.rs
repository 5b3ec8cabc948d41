//! What fuzzing found holds for good: every file of `fuzz/corpus/` against the property of its target.

use std::fs;
use std::path::Path;

#[path = "../../fuzz/src/lib.rs"]
mod properties;

fn each(target: &str, holds: impl Fn(&[u8]) + std::panic::RefUnwindSafe) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let files: Vec<_> = fs::read_dir(&folder).expect("a corpus").map(|entry| entry.expect("reads").path()).collect();
    assert!(files.len() > 5, "{} files in {}", files.len(), folder.display());
    for file in files {
        let input = fs::read(&file).expect("reads");
        let held = std::panic::catch_unwind(|| holds(&input));
        assert!(held.is_ok(), "the property of {target} does not hold for {}", file.display());
    }
}

#[test]
fn however_a_stream_is_cut_the_same_comes_out_and_only_usage_is_taken_out() {
    each("events", properties::events::holds);
}

#[test]
fn what_goes_upstream_differs_in_the_model_and_the_wish_for_usage_alone() {
    each("splice", properties::splice::holds);
}

#[test]
fn whatever_an_upstream_says_there_is_a_verdict_and_a_bounded_wait() {
    each("classify", properties::classify::holds);
}

#[test]
fn frames_are_read_alike_in_pieces_and_no_message_is_larger_than_the_bound() {
    each("frames", properties::frames::holds);
}

#[test]
fn a_form_is_read_alike_in_pieces_and_the_model_stands_where_it_says() {
    each("forms", properties::forms::holds);
}

#[test]
fn any_configuration_is_refused_without_its_keys_or_means_the_same_in_any_layout() {
    each("config", properties::config::holds);
}
