//! The queues by themselves: who is tried, and who may overtake.

use std::sync::Arc;

use super::*;
use crate::types::{ParameterSet, RouteId, TokenEstimate, WireFormat};

type Answer = oneshot::Receiver<Result<ChosenUpstream, AdmissionError>>;

const START: Now = Now { mono: 1_000, wall: 0 };

fn refused() -> AdmissionError {
    AdmissionError::NoneAvailable { model: "m".into(), refusals: Vec::new(), rate: None }
}

/// A model by a route of OpenAI's.
fn of(model: &str) -> ModelKey {
    ModelKey { format: WireFormat::OpenAi, model: model.into() }
}

/// A request for the model `m` until this deadline, after failures of these upstreams.
fn waiter(excluded: &[&str], deadline: u64, client: &Arc<()>) -> (Waiter, Answer) {
    let profile = Profile {
        model: "m".into(),
        route: RouteId::new("chat/completions"),
        estimate: TokenEstimate::default(),
        session: None,
        parameters: ParameterSet::NONE,
        apis: None,
    };
    let (reply, answer) = oneshot::channel();
    let excluded = excluded.iter().map(|id| ApiId::from(*id)).collect();
    (Waiter { profile, excluded, since: 0, deadline, client: Arc::downgrade(client), reply }, answer)
}

/// Queues of requests that have failed at these upstreams, in their order.
fn queues(excluded: &[&[&str]], client: &Arc<()>) -> (WaitQueues, Vec<Answer>) {
    let mut queues = WaitQueues::default();
    let mut answers = Vec::new();
    for excluded in excluded {
        let (waiter, answer) = waiter(excluded, 2_000, client);
        queues.join(waiter, refused());
        answers.push(answer);
    }
    (queues, answers)
}

fn ids(trials: &[Trial]) -> Vec<u64> {
    trials.iter().map(|trial| trial.id).collect()
}

#[test]
fn only_the_first_request_is_tried_and_again_after_a_trial_in_vain() {
    let client = Arc::default();
    let (mut queues, _answers) = queues(&[&[], &[], &["a"]], &client);
    assert_eq!(ids(&queues.trials(START)), [1]);
    assert!(queues.trials(START).is_empty(), "its trial is under way");
    queues.refused(&of("m"), 1, refused());
    assert_eq!(ids(&queues.trials(START)), [1]);
    assert!(queues.served(&of("m"), 1).is_some());
    assert_eq!((ids(&queues.trials(START)), queues.len()), (vec![2], 2));
}

#[test]
fn a_later_request_is_tried_where_every_earlier_one_has_failed() {
    let client = Arc::default();
    let (mut queues, _answers) = queues(&[&["a", "b"], &["a"], &[]], &client);
    let trials = queues.trials(START);
    assert_eq!(ids(&trials), [1, 2, 3]);
    let allowed = |nth: usize| ["a", "b", "c"].map(|id| trials[nth].allowed.allows(&ApiId::from(id)));
    assert_eq!(allowed(0), [false, false, true]);
    assert_eq!(allowed(1), [false, true, false], "b, which the first may not use");
    assert_eq!(allowed(2), [true, false, false], "a, which neither may use");
    let overtaking = queues.overtaking(&of("m")).expect("others wait");
    assert!(overtaking.upstreams.is_empty(), "the third may use all");
    assert_eq!(queues.overtaking(&of("x")), None);
}

#[test]
fn a_request_is_refused_at_its_deadline_and_one_without_a_client_is_dropped() {
    let client = Arc::new(());
    let (mut queues, mut answers) = queues(&[&[], &[]], &client);
    let leaves = Arc::new(());
    let (gone, mut dropped) = waiter(&[], 9_000, &leaves);
    queues.join(gone, refused());
    drop(leaves);
    assert_eq!(queues.len(), 2);
    queues.trials(START);
    assert!(dropped.try_recv().expect("a reply").is_err());
    let end = Now { mono: 2_000, wall: 0 };
    queues.trials(end);
    assert!(answers[1].try_recv().expect("a reply").is_err());
    assert!(answers[0].try_recv().is_err(), "its trial is under way");
    queues.refused(&of("m"), 1, refused());
    assert!(queues.trials(end).is_empty());
    assert!(answers[0].try_recv().expect("a reply").is_err());
    assert_eq!(queues.overtaking(&of("m")), None, "nobody waits any more");
}
