//! The dashboard's own chats, with real actors, and an upstream at the other end of a socket.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Mutex;
use std::time::Instant;

use actix::{Arbiter, System};
use serde_json::{Value, json};

use super::*;
use crate::config::ConfigChanged;
use crate::keys::KeysActor;
use crate::mailbox::LaunchActor;
use crate::proxy::pool::budget::RetryBudget;
use crate::records::{LogFormat, RecordReaders, RequestEnd};
use crate::scheduler::{ClearRest, RestUpstream, SchedulerActor};
use crate::testing::{MemoryStore, api, config};
use crate::types::FailureClass;

const EVENTS: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"Hello\"}}]}\n\n\
    data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
    data: {\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":2,\"total_tokens\":12}}\n\n\
    data: [DONE]\n\n";

/// An upstream that answers as told last, and keeps what was asked.
#[derive(Clone)]
struct Upstream {
    port: u16,
    reply: Arc<Mutex<(u16, &'static str, String)>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Upstream {
    fn start() -> Upstream {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let upstream = Upstream { port, reply: Arc::default(), asked: Arc::default() };
        upstream.says(200, "text/event-stream", EVENTS);
        let server = upstream.clone();
        std::thread::spawn(move || {
            listener.incoming().flatten().for_each(|mut connection| server.answer(&mut connection))
        });
        upstream
    }

    fn says(&self, status: u16, kind: &'static str, body: &str) {
        *self.reply.lock().expect("whole") = (status, kind, body.to_owned());
    }

    fn answer(&self, connection: &mut (impl Read + Write)) {
        let (mut request, mut piece) = (Vec::new(), [0; 4096]);
        loop {
            let text = String::from_utf8_lossy(&request).to_lowercase();
            let length =
                text.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse::<usize>().ok());
            if let Some((head, body)) = text.split_once("\r\n\r\n")
                && body.len() >= length.unwrap_or(0)
                && !head.is_empty()
            {
                break;
            }
            match connection.read(&mut piece) {
                Ok(read) if read > 0 => request.extend_from_slice(&piece[..read]),
                _ => return,
            }
        }
        self.asked.lock().expect("whole").push(String::from_utf8_lossy(&request).into_owned());
        let (status, kind, body) = self.reply.lock().expect("whole").clone();
        if status == 0 {
            return std::thread::sleep(Duration::from_secs(600));
        }
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
        );
        let _ = connection.write_all(format!("{head}{body}").as_bytes());
    }

    fn calls(&self) -> usize {
        self.asked.lock().expect("whole").len()
    }

    /// An entry of `apis` for this upstream, with a price of a dollar for each thousand tokens.
    fn entry(&self, id: &str, fields: &Value) -> Value {
        let mut entry = api(id, fields);
        entry["baseUrl"] = json!(format!("http://127.0.0.1:{}/v1", self.port));
        entry["prices"] = json!({ "*": { "input": 1_000, "output": 1_000 } });
        entry
    }
}

async fn client(configuration: &Value) -> OwnClient {
    let config = Arc::new(config(configuration));
    let (store, here) = (Arc::new(MemoryStore::default()), Arbiter::current());
    let supervisor = SupervisorActor::new(store.start(), false).launch();
    let keys = KeysActor::start_on(&here, store.start(), false, Default::default());
    supervisor.send(ConfigChanged(config.clone())).await.expect("the actor lives");
    keys.send(ConfigChanged(config.clone())).await.expect("the actor lives");
    let recorder =
        crate::records::RecorderActor::start_on(&here, RecordReaders { format: LogFormat::Text, usage: None });
    let pool = Pool {
        scheduler: SchedulerActor::new(supervisor.clone()).launch(),
        clients: Default::default(),
        budget: Arc::new(RetryBudget::default()),
        homes: Default::default(),
        secrets: Default::default(),
        copies: Arc::new(crate::proxy::FileCopies::open("no-such-folder".into())),
    };
    let (records, recorder) = (recorder.actor().clone(), Recorder::new(recorder, || false));
    OwnClient { pool: Rc::new(pool), keys: KeyGate::new(keys), recorder, records, supervisor, config, client: None }
}

/// Runs a test in the real time: bytes go over sockets.
fn on_sockets(test: impl Future<Output = ()>) {
    System::new().block_on(test);
}

fn chat(model: &str) -> OwnChat {
    let body = json!({ "model": model, "messages": [{ "role": "user", "content": "Hi" }], "stream": true });
    OwnChat { format: WireFormat::OpenAi, model: model.to_owned(), body: body.to_string().into() }
}

async fn test(client: &OwnClient, id: &str) -> TestReport {
    client.test_account(&id.into(), None).await.expect("there is something to ask")
}

fn reason(report: &TestReport) -> Option<&'static str> {
    report.failure.as_ref().map(|failure| failure.reason)
}

#[test]
fn a_test_asks_this_account_alone_and_counts_at_its_limits() {
    on_sockets(async {
        let (upstream, other) = (Upstream::start(), Upstream::start());
        let entries = [
            other.entry("a", &json!({})),
            upstream.entry("b", &json!({ "rpd": 2, "priority": 9, "models": ["text-embedding-3", "m"] })),
        ];
        let client = client(&json!({ "apis": entries, "retry": { "sameUpstream": 3, "hedgeAfterMs": 1 } })).await;
        let report = test(&client, "b").await;
        assert_eq!((report.failure, &*report.model, &*report.text), (None, "m", "Hello"));
        let total = report.usage.map(|usage| usage.total);
        assert_eq!(
            (report.status, total, report.cost.to_string()),
            (Some(StatusCode::OK), Some(12), "0.012".to_owned())
        );
        assert!(report.first_token.expect("it came") <= report.total && report.total > Duration::ZERO);
        let kept = client.found(&report.id).await.expect("it is kept");
        assert_eq!(kept.record.key.as_ref().map(|key| key.as_str()), Some("dashboard"));
        assert_eq!((kept.record.app.as_str(), &*kept.record.path), ("dashboard", "/v1/chat/completions"));
        assert_eq!(reason(&test(&client, "b").await), None);
        let full = test(&client, "b").await;
        assert_eq!((reason(&full), full.status.map(|status| status.as_u16())), (Some("rpd"), Some(429)));
        assert_eq!((upstream.calls(), other.calls()), (2, 0));
        assert_eq!(client.test_account(&"x".into(), None).await.err(), Some(TestError::UnknownApi("x".into())));
    });
}

#[test]
fn a_failed_test_says_what_the_upstream_said_without_the_key() {
    on_sockets(async {
        let upstream = Upstream::start();
        let other = Upstream::start();
        let entries = [upstream.entry("a", &json!({})), other.entry("b", &json!({}))];
        let client = client(&json!({ "apis": entries })).await;
        for (status, body, class, words) in [
            (500, r#"{"error":{"message":"oops sk-a-0123456789"}}"#, FailureClass::ServerError, "oops ***"),
            (400, r#"{"error":{"message":"bad field","param":"messages"}}"#, FailureClass::Rejected, "bad field"),
            (401, r#"{"error":{"message":"no such key sk-a-0123456789"}}"#, FailureClass::Unauthorized, "no such key"),
        ] {
            upstream.says(status, "application/json", body);
            let before = upstream.calls();
            let failure = test(&client, "a").await.failure.expect("it failed");
            assert_eq!(failure.reason, class.as_str(), "{failure:?}");
            assert!(failure.words.contains(words) && !failure.words.contains("sk-a-"), "{failure:?}");
            assert!(upstream.calls() - before <= 2, "with and without stream_options: {}", upstream.calls() - before);
        }
        upstream.says(200, "text/event-stream", "data: {\"choices\":[{\"delta\":{\"content\":\"He\"}}]}\n\n");
        client.supervisor.send(ClearRest { api: "a".into() }).await.expect("a reply").expect("known");
        let cut = test(&client, "a").await;
        let words = cut.failure.as_ref().map(|failure| (failure.reason, &*failure.words));
        assert_eq!((words, &*cut.text), (Some(("protocol", "the stream broke off")), "He"), "{cut:?}");
        upstream.says(401, "application/json", "{}");
        assert_eq!(reason(&test(&client, "a").await), Some("unauthorized"));
        let resting = test(&client, "a").await;
        assert_eq!(reason(&resting), Some("unauthorized"), "a certain rest is kept: {resting:?}");
        let calls = upstream.calls();
        let now = Now::read().wall;
        client.supervisor.send(ClearRest { api: "a".into() }).await.expect("a reply").expect("known");
        upstream.says(200, "text/event-stream", EVENTS);
        assert_eq!((reason(&test(&client, "a").await), upstream.calls()), (None, calls + 1));
        let rest = RestUpstream { api: "a".into(), until: now + 600_000 };
        client.supervisor.send(rest).await.expect("a reply").expect("known");
        assert_eq!((reason(&test(&client, "a").await), other.calls()), (Some("rested_by_operator"), 0));
    });
}

#[test]
fn a_test_goes_to_an_account_whose_rest_is_only_inferred() {
    on_sockets(async {
        let upstream = Upstream::start();
        let client =
            client(&json!({ "apis": [upstream.entry("a", &json!({})), upstream.entry("b", &json!({}))] })).await;
        upstream.says(429, "application/json", r#"{"error":{"message":"slow down"}}"#);
        assert_eq!(reason(&test(&client, "a").await), Some("rate_limited"));
        let since = Instant::now();
        assert_eq!(reason(&test(&client, "a").await), Some("cooldown"), "it rests for a second");
        upstream.says(200, "text/event-stream", EVENTS);
        while reason(&test(&client, "a").await).is_some() {
            assert!(since.elapsed() < Duration::from_secs(9), "nobody probed");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(reason(&test(&client, "a").await), None, "and the rest has ended");
    });
}

#[test]
fn a_chat_is_served_as_any_clients_and_its_record_says_by_whom() {
    on_sockets(async {
        let upstream = Upstream::start();
        let configuration = json!({ "apis": [upstream.entry("a", &json!({}))], "aliases": { "smart": ["m"] } });
        let client = client(&configuration).await;
        let answer = client.ask(chat("smart")).await;
        let record = answer.request.expect("it is kept").record;
        assert_eq!((answer.status, &*answer.text, answer.error), (Some(StatusCode::OK), "Hello", None));
        assert_eq!((record.attempts[0].api.as_str(), record.model.as_deref()), ("a", Some("smart")));
        assert_eq!((record.cost().to_string(), record.end), ("0.012".to_owned(), RequestEnd::Answered));
        let (id, response) = client.chat(chat("m")).await;
        assert!(client.found(&id).await.is_none(), "it is under way");
        drop(response);
        assert!(client.found(&id).await.is_some());
        let unknown = client.ask(chat("x")).await;
        assert_eq!(unknown.status, Some(StatusCode::NOT_FOUND));
        assert!(unknown.error.is_some() && unknown.request.is_some());
        for body in ["", "{}", "[]", r#"{"model":7}"#] {
            let broken = OwnChat { body: Bytes::from_static(body.as_bytes()), ..chat("m") };
            assert_eq!(client.ask(broken).await.status, Some(StatusCode::BAD_REQUEST), "{body}");
        }
    });
}

#[test]
fn an_entry_of_the_dashboards_name_bounds_its_chats() {
    on_sockets(async {
        let upstream = Upstream::start();
        let with = |fields: Value| {
            let mut key = json!({ "name": "dashboard", "key": "sk-of-the-dashboard-0123456789" });
            key.as_object_mut().expect("fields").extend(fields.as_object().expect("fields").clone());
            let apis = ["a", "b"].map(|id| upstream.entry(id, &json!({ "models": ["m", "n"] })));
            json!({ "apis": apis, "keys": [key] })
        };
        let limited = client(&with(json!({ "rpd": 2 }))).await;
        assert_eq!(limited.ask(chat("m")).await.status, Some(StatusCode::OK));
        assert_eq!(reason(&test(&limited, "b").await), None);
        assert_eq!(limited.ask(chat("m")).await.status, Some(StatusCode::TOO_MANY_REQUESTS));
        assert_eq!(reason(&test(&limited, "b").await), Some("key_rpd"), "a test counts there, too");
        let bounded = client(&with(json!({ "models": ["n"], "apis": ["a"] }))).await;
        assert_eq!(bounded.ask(chat("m")).await.status, Some(StatusCode::FORBIDDEN));
        assert_eq!(bounded.ask(chat("n")).await.request.expect("kept").record.attempts[0].api.as_str(), "a");
        assert_eq!(reason(&test(&bounded, "b").await), None, "whoever operates tests any account");
        let off = client(&with(json!({ "enabled": false }))).await;
        assert_eq!(off.ask(chat("m")).await.status, Some(StatusCode::FORBIDDEN));
    });
}
