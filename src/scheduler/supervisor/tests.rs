//! The supervisor with real upstreams, on a clock that jumps.

mod panic_mode;
mod steering;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use serde_json::json;
use tokio::time::sleep;

use crate::scheduler::messages::{AdmissionError, GetModels, GetReports, ModelsFound, ModelsUnavailable, Select};
use crate::scheduler::model_names::ModelNames;
use crate::scheduler::testing::{Pool, after_failures_of, by, chat, failure, served, settle};
use crate::testing::{api, on_paused_clock};
use crate::types::{ApiId, Failure, FailureClass, Now, Outcome, ParameterSet, QuotaKind, RequestTarget, WireFormat};
use crate::upstream::testing::End;
use crate::upstream::{Refusal, UpstreamActor};

const NO_MORE: serde_json::Value = serde_json::Value::Null;

/// Returns the refusal of each upstream.
fn refusals(error: AdmissionError) -> Vec<(String, Refusal)> {
    let AdmissionError::NoneAvailable { refusals, .. } = error else { panic!("{error:?}") };
    refusals.into_iter().map(|(api, refusal)| (api.to_string(), refusal)).collect()
}

/// Returns the word for each upstream's refusal.
fn reasons(error: AdmissionError) -> Vec<(String, &'static str)> {
    refusals(error).into_iter().map(|(api, refusal)| (api, refusal.reason())).collect()
}

#[test]
fn the_lowest_priority_number_is_asked_first_and_a_full_upstream_is_passed_over() {
    on_paused_clock(async {
        let first = api("a", &json!({ "priority": 0, "rpm": 2 }));
        let pool = Pool::start(&[api("b", &json!({ "priority": 1 })), first]).await;
        let mut served = Vec::new();
        for _ in 0..4 {
            served.push(pool.serves().await.expect("admitted"));
        }
        assert_eq!(served, ["a", "a", "b", "b"]);
    });
}

#[test]
fn a_refusal_names_every_upstream_with_its_own_reason() {
    on_paused_clock(async {
        let disabled = api("off", &json!({ "enabled": false, "priority": 0 }));
        let none = api("none", &json!({ "rpd": 0, "priority": 1 }));
        let limited = api("limited", &json!({ "rpm": 1, "priority": 2 }));
        let pool = Pool::start(&[disabled, none, limited]).await;
        served(pool.select(chat("m")).await.expect("one is free"));
        let refused = reasons(pool.select(chat("m")).await.expect_err("no more"));
        let expected = [("off", "disabled"), ("none", "disabled"), ("limited", "rpm")];
        assert_eq!(refused, expected.map(|(id, reason)| (id.to_owned(), reason)));
    });
}

#[test]
fn an_upstream_that_has_failed_the_request_is_not_asked_for_it_again() {
    on_paused_clock(async {
        let pool = Pool::start(&[api("a", &json!({ "priority": 0 })), api("b", &json!({ "priority": 1 }))]).await;
        let second = pool.select(after_failures_of(&["a"], chat("m"))).await.expect("b is left");
        assert_eq!(served(second), "b");
        let nobody = pool.select(after_failures_of(&["a", "b"], chat("m"))).await.expect_err("both have failed");
        assert_eq!(reasons(nobody), []);
    });
}

#[test]
fn while_another_upstream_can_serve_no_resting_one_is_asked() {
    on_paused_clock(async {
        let pool = Pool::start(&[api("a", &json!({ "priority": 0 })), api("b", &json!({ "priority": 1 }))]).await;
        for _ in 0..4 {
            pool.fails(failure(FailureClass::ServerError)).await;
        }
        assert_eq!(pool.serves().await, Ok("b".to_owned()));
        sleep(Duration::from_millis(10_001)).await;
        let probe = pool.select(chat("m")).await.expect("admitted");
        assert_eq!(pool.serves().await, Ok("b".to_owned()), "one probe at a time");
        assert_eq!(served(probe), "a");
        assert_eq!(pool.serves().await, Ok("a".to_owned()));
    });
}

#[test]
fn an_upstream_whose_actor_has_ended_is_skipped_and_started_again() {
    on_paused_clock(async {
        let pool = Pool::start(&[api("a", &json!({ "rpd": 2 }))]).await;
        served(pool.select(chat("m")).await.expect("admitted"));
        let upstream: Addr<UpstreamActor> = pool.supervisor.send(GetUpstream("a".into())).await.expect("a reply").0;
        let _ = upstream.send(End).await;
        assert_eq!(reasons(pool.serves().await.expect_err("it has ended")), []);
        assert_eq!(pool.serves().await, Ok("a".to_owned()));
        assert_eq!(reasons(pool.serves().await.expect_err("two a day")), [("a".to_owned(), "rpd")], "counts are kept");
    });
}

#[test]
fn a_model_is_missing_only_if_every_list_of_models_is_known() {
    on_paused_clock(async {
        let listed = api("listed", &NO_MORE);
        let mut asked = api("asked", &NO_MORE);
        asked.as_object_mut().expect("an object").remove("models");
        let pool = Pool::start(&[listed, asked]).await;
        let unknown = refusals(pool.select(chat("x")).await.expect_err("nobody is known to serve it"));
        assert!(matches!(&unknown[..], [(id, Refusal::ModelsUnknown { .. })] if id == "asked"), "{unknown:?}");
        let retry_at = Now::read_mono() + 7_000;
        let unavailable = ModelsUnavailable {
            api: "asked".into(),
            retry_at,
            class: FailureClass::ServerError,
            detail: "GET http://host/v1/models: 500".to_owned(),
        };
        pool.supervisor.send(unavailable).await.expect("taken");
        let reports = pool.supervisor.send(GetReports).await.expect("a reply");
        let (_, class, detail) = reports[1].status.last_failure.as_ref().expect("the status shows the failure");
        assert_eq!((*class, &**detail), (FailureClass::ServerError, "GET http://host/v1/models: 500"));
        assert_eq!(reports[1].models_at, Some(retry_at), "explain is told the same");
        assert_eq!(reports[0].models_at, None);
        let unknown = refusals(pool.select(chat("x")).await.expect_err("not yet"));
        assert_eq!(unknown[0].1.until(), Some(retry_at), "the client is told when to try again");
        let models = ModelNames::These([Arc::from("y")].into());
        pool.supervisor.send(ModelsFound { api: "asked".into(), models }).await.expect("taken");
        assert_eq!(pool.select(chat("x")).await.err(), Some(AdmissionError::ModelNotFound("x".into())));
        assert_eq!(served(pool.select(chat("y")).await.expect("listed now")), "asked");
        let names = pool.supervisor.send(GetModels { format: WireFormat::OpenAi, apis: None }).await.expect("a reply");
        assert_eq!(names, [Arc::from("m"), Arc::from("y")]);
    });
}

/// One account with a dead key made a 503 of each mistyped name, for ever.
#[test]
fn a_refused_list_of_models_is_an_answer_and_no_name_waits_for_the_list() {
    on_paused_clock(async {
        let without_list = |key: &str| {
            let mut asked = api("asked", &json!({ "apiKey": key }));
            asked.as_object_mut().expect("an object").remove("models");
            json!({ "apis": [asked] })
        };
        let pool = Pool::start_with(&without_list("dead")).await;
        let list_failed = async |class| {
            let retry_at = Now::read_mono() + 7_000;
            let failed = ModelsUnavailable { api: "asked".into(), retry_at, class, detail: String::new() };
            pool.supervisor.send(failed).await.expect("taken");
            pool.select(chat("x")).await.expect_err("nobody is known to serve it")
        };
        let not_found = AdmissionError::ModelNotFound("x".into());
        for class in [
            FailureClass::Unauthorized,
            FailureClass::Forbidden,
            FailureClass::PaymentRequired,
            FailureClass::ModelNotFound,
            FailureClass::Rejected,
        ] {
            assert_eq!(list_failed(class).await, not_found, "{class:?}");
        }
        assert_eq!(pool.supervisor.send(GetReports).await.expect("a reply")[0].models_at, None);
        for class in
            [FailureClass::Timeout, FailureClass::ServerError, FailureClass::Connect, FailureClass::RateLimited]
        {
            assert_ne!(list_failed(class).await, not_found, "{class:?}");
        }
        assert_eq!(list_failed(FailureClass::Unauthorized).await, not_found);
        pool.configure(&without_list("alive")).await;
        assert_ne!(pool.select(chat("x")).await.err(), Some(not_found), "the new key is not asked yet");
    });
}

#[test]
fn an_upstream_that_leaves_the_configuration_and_comes_back_keeps_its_counts() {
    on_paused_clock(async {
        let with = |apis: &[serde_json::Value]| json!({ "apis": apis });
        let (a, b) = (api("a", &json!({ "rpd": 1, "priority": 0 })), api("b", &json!({ "priority": 1 })));
        let pool = Pool::start_with(&with(&[a.clone(), b.clone()])).await;
        assert_eq!(pool.serves().await, Ok("a".to_owned()));
        pool.configure(&with(std::slice::from_ref(&b))).await;
        assert_eq!(pool.serves().await, Ok("b".to_owned()));
        pool.configure(&with(&[a, b])).await;
        assert_eq!(pool.serves().await, Ok("b".to_owned()), "the one request of a's day is spent");
    });
}

/// Requests for what an upstream does not do must not close what the upstream does. A pool whose only chat upstream had served
/// before answered 503 here for ten seconds, while every confirmed refusal counted against the service.
#[test]
fn refused_embeddings_do_not_close_an_upstream_that_serves_chats() {
    on_paused_clock(async {
        let pool = Pool::start(&[api("a", &NO_MORE)]).await;
        served(pool.select(chat("m")).await.expect("admitted"));
        for _ in 0..3 {
            let permit = pool.select(by("embeddings", "m")).await.expect("admitted");
            let refused = Failure { status: Some(404), ..failure(FailureClass::ModelNotFound) };
            let suspicion = permit.suspicion(&refused, &by("embeddings", "m").profile).expect("in doubt");
            settle(permit, Outcome::Failed(refused));
            suspicion.confirm();
        }
        let refused = reasons(pool.select(by("embeddings", "m")).await.expect_err("three times"));
        assert_eq!(refused, [("a".to_owned(), "model_not_found")]);
        assert_eq!(pool.serves().await, Ok("a".to_owned()));
    });
}

#[test]
fn the_limits_of_a_refusal_say_what_is_left_of_the_pool() {
    on_paused_clock(async {
        let pool = Pool::start(&[api("a", &json!({ "rpd": 1 }))]).await;
        served(pool.select(chat("m")).await.expect("admitted"));
        let AdmissionError::NoneAvailable { rate, refusals, .. } = pool.serves().await.expect_err("one a day") else {
            panic!("another error")
        };
        let rate = rate.expect("the limit of a day");
        assert_eq!((rate.limit, rate.remaining), (1, 0));
        assert!(matches!(refusals[..], [(_, Refusal::QuotaExhausted { which: QuotaKind::Rpd, .. })]));
    });
}

/// The address of an upstream's actor.
struct GetUpstream(ApiId);

struct Upstream(Addr<UpstreamActor>);

impl Message for GetUpstream {
    type Result = Upstream;
}

impl<A: Actor, M: Message<Result = Self>> dev::MessageResponse<A, M> for Upstream {
    fn handle(self, _: &mut A::Context, reply: Option<dev::OneshotSender<Self>>) {
        if let Some(reply) = reply {
            let _ = reply.send(self);
        }
    }
}

impl Handler<GetUpstream> for super::SupervisorActor {
    type Result = Upstream;

    fn handle(&mut self, GetUpstream(id): GetUpstream, _: &mut Self::Context) -> Upstream {
        Upstream(self.upstream(&id).expect("configured").clone())
    }
}

#[test]
fn who_refuses_a_parameter_is_passed_over_while_another_is_there() {
    on_paused_clock(async {
        let picky = api("a", &json!({ "unsupportedParameters": ["seed"], "priority": -1 }));
        let pool = Pool::start(&[picky.clone(), api("b", &json!({ "rpm": 1 }))]).await;
        let asks = || {
            let mut select = chat("m");
            select.profile.parameters = ParameterSet::of("seed").expect("known");
            select
        };
        assert_eq!(pool.serves().await, Ok("a".to_owned()));
        assert_eq!(pool.select(asks()).await.map(served), Ok("b".to_owned()));
        let full = pool.select(asks()).await.expect_err("the other is full");
        assert!(matches!(full, AdmissionError::NoneAvailable { refusals, .. } if refusals.len() == 1));
        let at_home = Select { target: RequestTarget::Home(ApiId::from("a")), ..asks() };
        assert_eq!(pool.select(at_home).await.map(served), Ok("a".to_owned()), "nobody else knows the object");
        pool.configure(&json!({ "apis": [picky, api("b", &json!({ "enabled": false }))] })).await;
        assert_eq!(pool.select(asks()).await.map(served), Ok("a".to_owned()), "nobody else is there");
    });
}
