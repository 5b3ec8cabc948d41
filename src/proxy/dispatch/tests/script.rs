//! A scripted world: upstreams in order, and what each answers to one call after the other.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};
use actix_web::web::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep};
use transport::{ConnectionLost, IncomingHead, IncomingResponse, OutgoingBody, SendError, SendErrorKind};

use super::super::dispatch;
use super::client::{Answer, Asked};
use crate::config::{BudgetConfig, RetryConfig};
use crate::dialect::ROUTES;
use crate::homes::Homes;
use crate::proxy::client_request::ClientRequest;
use crate::proxy::pool::budget::RetryBudget;
use crate::proxy::pool::{OutgoingRequest, Upstreams};
use crate::records::{OpenRecord, Recorder, RequestRecord};
use crate::scheduler::{AdmissionError, Admitted, Select};
use crate::types::{ClassSet, RequestId};
use crate::upstream::testing::TestUpstream;
use crate::upstream::{Endpoint, Reach};

/// What an upstream answers to one call.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    delay: Duration,
    head: Head,
    encoding: Option<&'static str>,
    pieces: Vec<Bytes>,
    end: End,
}

#[derive(Debug, Clone, Copy)]
enum Head {
    Status(u16, &'static str),
    Error(SendErrorKind),
    Lost,
    Never,
}

#[derive(Debug, Clone, Copy)]
enum End {
    Whole,
    Cut,
    Never,
}

impl Reply {
    pub(super) fn json(status: u16, body: &str) -> Reply {
        let pieces = vec![Bytes::copy_from_slice(body.as_bytes())];
        let head = Head::Status(status, "application/json");
        Reply { delay: Duration::ZERO, head, encoding: None, pieces, end: End::Whole }
    }

    /// A success of this kind.
    pub(super) fn bytes(kind: &'static str, body: &str) -> Reply {
        Reply { head: Head::Status(200, kind), ..Reply::json(200, body) }
    }

    pub(super) fn encoded(self, encoding: &'static str) -> Reply {
        Reply { encoding: Some(encoding), ..self }
    }

    pub(super) fn error(status: u16, message: &str) -> Reply {
        Reply::json(status, &format!(r#"{{"error":{{"message":"{message}"}}}}"#))
    }

    pub(super) fn ok(id: &str) -> Reply {
        Reply::json(200, &format!(r#"{{"id":"{id}","choices":[{{"message":{{"content":"hi"}}}}]}}"#))
    }

    pub(super) fn events(events: &[&str]) -> Reply {
        let pieces = events.iter().map(|event| Bytes::copy_from_slice(event.as_bytes())).collect();
        Reply { head: Head::Status(200, "text/event-stream"), pieces, ..Reply::json(200, "") }
    }

    pub(super) fn refused() -> Reply {
        Reply { head: Head::Error(SendErrorKind::Connect), ..Reply::json(200, "") }
    }

    pub(super) fn stale() -> Reply {
        Reply { head: Head::Error(SendErrorKind::StaleConnection), ..Reply::json(200, "") }
    }

    /// The connection breaks, with other requests on it.
    pub(super) fn lost() -> Reply {
        Reply { head: Head::Lost, ..Reply::json(200, "") }
    }

    pub(super) fn silent() -> Reply {
        Reply { head: Head::Never, ..Reply::json(200, "") }
    }

    /// After so many seconds.
    pub(super) fn after(self, seconds: u64) -> Reply {
        Reply { delay: Duration::from_secs(seconds), ..self }
    }

    pub(super) fn cut(self) -> Reply {
        Reply { end: End::Cut, ..self }
    }

    pub(super) fn then_silent(self) -> Reply {
        Reply { end: End::Never, ..self }
    }

    async fn send(self) -> Result<IncomingResponse, SendError> {
        sleep(self.delay).await;
        let (status, kind) = match self.head {
            Head::Status(status, kind) => (status, kind),
            Head::Error(kind) => return Err(SendError { kind, connection_lost: None, detail: "scripted".to_owned() }),
            Head::Lost => {
                let (kind, connection_lost) = (SendErrorKind::Broken, Some(ConnectionLost::First));
                return Err(SendError { kind, connection_lost, detail: "scripted".to_owned() });
            }
            Head::Never => std::future::pending().await,
        };
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        if let Some(encoding) = self.encoding {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        let head = IncomingHead::Http2(StatusCode::from_u16(status).expect("a status"), headers);
        let pieces = stream::iter(self.pieces.into_iter().filter(|piece| !piece.is_empty()).map(Ok));
        let payload: Pin<Box<dyn Stream<Item = Result<Bytes, PayloadError>>>> = match self.end {
            End::Whole => Box::pin(once_to_the_end(pieces)),
            End::Cut => Box::pin(pieces.chain(stream::iter([Err(PayloadError::Incomplete(None))]))),
            End::Never => Box::pin(pieces.chain(stream::pending())),
        };
        Ok(IncomingResponse { head, body: Payload::Stream { payload } })
    }
}

/// Holds that nobody polls behind the end, which a real connection takes for a defect.
fn once_to_the_end<S: Stream + Unpin>(mut pieces: S) -> impl Stream<Item = S::Item> {
    let mut has_ended = false;
    stream::poll_fn(move |cx| {
        assert!(!has_ended, "polled behind the end");
        let next = std::task::ready!(pieces.poll_next_unpin(cx));
        has_ended = next.is_none();
        Poll::Ready(next)
    })
}

/// Upstreams, asked in their order.
pub(super) struct World {
    pub(super) retry: RetryConfig,
    script: Rc<Script>,
    recorder: Recorder,
    records: Rc<RefCell<Vec<RequestRecord>>>,
}

struct Script {
    upstreams: Vec<(String, TestUpstream)>,
    replies: RefCell<BTreeMap<String, VecDeque<Reply>>>,
    for_all: RefCell<Option<Reply>>,
    calls: RefCell<Vec<(String, String)>>,
    budget: RetryBudget,
    homes: Homes,
}

impl Upstreams for Script {
    async fn select(&self, select: Select) -> Result<Admitted, AdmissionError> {
        let free =
            self.upstreams.iter().find(|(id, _)| !select.excluded.iter().any(|excluded| excluded.as_str() == id));
        match free {
            Some((_, upstream)) => Ok(Admitted { permit: upstream.permit(), rate: None, waited: Duration::ZERO }),
            None => Err(AdmissionError::NoneAvailable { model: "m".into(), refusals: Vec::new(), rate: None }),
        }
    }

    async fn send(
        &self,
        (endpoint, _): (&Endpoint, &Reach),
        request: OutgoingRequest<'_>,
    ) -> Result<IncomingResponse, SendError> {
        let id = endpoint.api.to_string();
        let OutgoingBody::Bytes(body) = request.body else { panic!("no script sends a stream") };
        let body = String::from_utf8(body.to_vec()).expect("UTF-8");
        self.calls.borrow_mut().push((id.clone(), body));
        let scripted = self.replies.borrow_mut().get_mut(&id).and_then(VecDeque::pop_front);
        let reply = scripted.or_else(|| self.for_all.borrow().clone()).unwrap_or_else(|| Reply::ok(&id));
        reply.send().await
    }

    fn budget(&self) -> &RetryBudget {
        &self.budget
    }

    fn homes(&self) -> &Homes {
        &self.homes
    }
}

impl World {
    pub(super) fn new(ids: &[&str]) -> World {
        World::of(ids.iter().map(|id| ((*id).to_owned(), TestUpstream::new(id))).collect())
    }

    pub(super) fn of(upstreams: Vec<(String, TestUpstream)>) -> World {
        let (recorder, records) = Recorder::keeping();
        let retry = RetryConfig {
            max_attempts: 5,
            retry_on: ClassSet::ELSEWHERE,
            budget: BudgetConfig { percent: 20, per_second: 10 },
            same_upstream: 0,
            backoff: Duration::from_millis(200),
            hedge_after: None,
        };
        let script = Script {
            upstreams,
            replies: RefCell::default(),
            for_all: RefCell::default(),
            calls: RefCell::default(),
            budget: RetryBudget::default(),
            homes: Homes::default(),
        };
        World { retry, script: Rc::new(script), recorder, records }
    }

    /// An upstream's answers, one call after the other. Behind the last one it serves.
    pub(super) fn script<const N: usize>(&mut self, id: &str, replies: [Reply; N]) {
        self.script.replies.borrow_mut().insert(id.to_owned(), replies.into());
    }

    /// Every upstream answers this.
    pub(super) fn all(&mut self, reply: &Reply) {
        *self.script.for_all.borrow_mut() = Some(reply.clone());
    }

    /// Serves one request to the end of its answer.
    pub(super) fn run(&self, asked: &Asked) -> Answer {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        LocalSet::new().block_on(&runtime.expect("a runtime"), async {
            let since = Instant::now();
            let body = Bytes::from_static(asked.body.as_bytes());
            let route = ROUTES.iter().find(|route| route.id.to_string().ends_with(asked.path)).expect("a route");
            let request = ClientRequest::parse(route, &asked.headers, body).expect("valid");
            let path = "/v1/chat/completions".into();
            let record =
                OpenRecord::new(self.recorder.clone(), RequestId::generate(), actix_web::http::Method::POST, path);
            let response = dispatch(self.script.clone(), request, self.retry, record).await;
            let status = response.status();
            let took = since.elapsed();
            let mut body = Box::pin(stream::unfold(response.into_body(), |mut body| async {
                let piece = std::future::poll_fn(|cx| actix_web::body::MessageBody::poll_next(Pin::new(&mut body), cx));
                piece.await.map(|piece| (piece.unwrap_or_default(), body))
            }));
            let mut text = Vec::new();
            while let Some(piece) = body.next().await {
                text.extend_from_slice(&piece);
            }
            Answer { status, text: String::from_utf8(text).expect("UTF-8"), took }
        })
    }

    pub(super) fn upstream(&self, id: &str) -> &TestUpstream {
        &self.script.upstreams.iter().find(|(known, _)| known == id).expect("an upstream").1
    }

    /// Returns the upstreams that were called, in order.
    pub(super) fn calls(&self) -> String {
        let calls = self.script.calls.borrow();
        calls.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// Returns what was sent with each call.
    pub(super) fn bodies(&self) -> Vec<String> {
        self.script.calls.borrow().iter().map(|(_, body)| body.clone()).collect()
    }

    /// Returns the record of the only request.
    pub(super) fn record(&self) -> RequestRecord {
        let mut records = self.records.borrow_mut();
        assert_eq!(records.len(), 1);
        records.pop().expect("a record")
    }
}
