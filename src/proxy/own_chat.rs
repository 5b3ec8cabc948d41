//! Chats of the dashboard's own: one that somebody tries, and the test of one account.
//!
//! 1. Such a chat takes the way of any client's request, as the key [`DASHBOARD_KEY`]. An entry of `keys` with this name bounds the
//!    chat by its limits and rights; without one there is no bound. The accounts' own limits hold in any case.
//! 2. What came of a chat is its record, found by id among the last ones: nothing else is measured.

mod pieces;
mod test_report;

use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::web::Bytes;
use actix_web::{HttpResponse, ResponseError};
use tokio::time::timeout;

pub use self::pieces::OwnPieces;
pub use self::test_report::{TestError, TestFailure, TestReport};
use super::client_request::ClientRequest;
use super::dispatch::{dispatch, refuse};
use super::key_rights::{key_in_force, refuse_by_limits};
use super::model_list::ANTHROPIC_VERSION;
use super::pool::Pool;
use super::trial::stream_query;
use crate::config::{Config, DASHBOARD_KEY, KeyConfig, RetryConfig};
use crate::dialect::said::{SaidInStream, said_in};
use crate::dialect::{CalledRoute, Route, chat_route};
use crate::error::ApiError;
use crate::keys::KeyGate;
use crate::records::{FindRecent, OpenRecord, RecentRequest, Recorder, RecorderActor};
use crate::scheduler::SupervisorActor;
use crate::types::{ApiId, AppName, NameList, Now, RequestId, WireFormat};

/// The most of an answer that is read, in bytes: a page shows no more.
const MOST_ANSWER: usize = 4 << 20;

/// How long an answer that is read here may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(300);

/// How long the recorder may take to find a record, from memory.
const FIND_WITHIN: Duration = Duration::from_secs(2);

/// The name of the program behind these chats, as a `User-Agent` would have it.
const PROGRAM: &[u8] = b"dashboard";

/// What the dashboard's own chats need of a worker.
pub struct OwnClient {
    /// The way to the accounts.
    pub pool: Rc<Pool>,
    /// Admits by the limits of the dashboard's key.
    pub keys: KeyGate,
    /// Takes the records.
    pub recorder: Recorder,
    /// Has the last records.
    pub records: Addr<RecorderActor>,
    /// Knows the accounts.
    pub supervisor: Addr<SupervisorActor>,
    /// In force now.
    pub config: Arc<Config>,
    /// Where the person at the dashboard is.
    pub client: Option<IpAddr>,
}

/// A chat to send.
#[derive(Debug, Clone)]
pub struct OwnChat {
    /// The format of the body.
    pub format: WireFormat,
    /// The model, for a format with the model in the path.
    pub model: String,
    /// The request, as a client would send it.
    pub body: Bytes,
}

/// An answer that was read to its end.
#[derive(Debug, Clone)]
pub struct OwnAnswer {
    /// The name of the request.
    pub id: RequestId,
    /// `None` if no head came in time.
    pub status: Option<StatusCode>,
    /// What the model says, from an object or a stream.
    pub text: String,
    /// What came, if that is no success: an error's body.
    pub error: Option<Bytes>,
    /// Who served, the first token, the tokens, the cost. `None` if the record was lost: too many requests ended at once.
    pub request: Option<Box<RecentRequest>>,
}

/// A chat on its way.
struct OwnRequest<'a> {
    id: RequestId,
    chat: OwnChat,
    /// Nobody else is asked, and nothing is tried again.
    only: Option<&'a ApiId>,
}

impl OwnClient {
    /// Sends a chat, and returns its name and the answer, which may be a stream. [`OwnClient::found`] has the facts once the body has
    /// ended.
    pub async fn chat(&self, chat: OwnChat) -> (RequestId, HttpResponse) {
        let id = RequestId::generate();
        (id, self.send(OwnRequest { id, chat, only: None }).await)
    }

    /// Sends a chat, and reads the answer to its end.
    pub async fn ask(&self, chat: OwnChat) -> OwnAnswer {
        self.read(OwnRequest { id: RequestId::generate(), chat, only: None }, ANSWER_WITHIN).await
    }

    /// Returns what is known of a chat that has ended.
    pub async fn found(&self, id: &RequestId) -> Option<Box<RecentRequest>> {
        timeout(FIND_WITHIN, self.records.send(FindRecent(id.to_string()))).await.ok()?.ok()?
    }

    async fn read(&self, request: OwnRequest<'_>, within: Duration) -> OwnAnswer {
        let id = request.id;
        let answer = async {
            let response = self.send(request).await;
            let status = response.status();
            (status, collect(response.into_body()).await)
        };
        // Without an end in time, the drop ends the record.
        let answer = timeout(within, Box::pin(answer)).await.ok();
        let request = self.found(&id).await;
        let Some((status, body)) = answer else {
            return OwnAnswer { id, status: None, text: String::new(), error: None, request };
        };
        let text = if status.is_success() { text_of(&body) } else { String::new() };
        OwnAnswer { id, status: Some(status), text, error: (!status.is_success()).then_some(body), request }
    }

    async fn send(&self, OwnRequest { id, chat, only }: OwnRequest<'_>) -> HttpResponse {
        let Some(route) = chat_route(chat.format) else { return ApiError::Internal.error_response() };
        let key = self.key();
        let mut record = self.open_record(id, route, &key);
        let called = CalledRoute::of_row(route).for_model(&chat.model);
        let asked = ClientRequest::parse_called(called, &headers_of(chat.format), chat.body);
        let query = stream_query(chat.format);
        let mut asked = match asked.and_then(|mut asked| asked.set_query(query).map(|()| asked)) {
            Ok(asked) => asked,
            Err(invalid) => return refuse(invalid.into(), &mut record),
        };
        record.with(|record| {
            record.model = Some(asked.profile.model.clone());
            record.stream = asked.stream;
        });
        record.asked();
        let retry = match only {
            Some(api) => {
                asked.profile.apis = Some(Arc::new(NameList::only(api.as_str())));
                once(self.config.retry)
            }
            None => {
                let in_force = key_in_force(&key, || Now::read().wall);
                if let Err(refused) = in_force.and_then(|()| asked.use_key(&key)) {
                    return refuse(refused.into(), &mut record);
                }
                self.config.retry
            }
        };
        match self.keys.admit(&key, &asked.profile, &self.config).await {
            Ok(permit) => record.admitted_by_key(permit),
            Err(refused) => return refuse_by_limits(refused, &mut record),
        }
        if only.is_none() {
            self.apply_config(&mut asked);
        }
        Box::pin(dispatch(self.pool.clone(), asked, retry, record)).await
    }

    /// Applies what the configuration says of every client's request.
    fn apply_config(&self, asked: &mut ClientRequest) {
        asked.choose_session(&self.key(), self.config.affinity);
        asked.echo_model = self.config.server.echo_model;
        if let Some(models) = self.config.aliases.get(&asked.profile.model) {
            asked.use_alias(models.clone());
        }
    }

    /// Returns the key of the dashboard: the entry of `keys`, or one without limits.
    fn key(&self) -> Arc<KeyConfig> {
        let configured = self.config.keys.iter().find(|key| key.name.as_str() == DASHBOARD_KEY).cloned();
        configured.unwrap_or_else(|| Arc::new(KeyConfig::unlimited(DASHBOARD_KEY)))
    }

    fn open_record(&self, id: RequestId, route: &'static Route, key: &KeyConfig) -> OpenRecord {
        let path = format!("{}{}", route.id.root(), route.id.path()).into();
        let mut record = OpenRecord::new(self.recorder.clone(), id, Method::POST, path);
        record.with(|record| {
            record.client = self.client;
            record.key = Some(key.name.clone());
            record.app = AppName::of(Some(PROGRAM), None);
            record.route = Some(route.id);
        });
        record
    }
}

/// Returns the rules of a request that is made once.
pub(super) fn once(retry: RetryConfig) -> RetryConfig {
    RetryConfig { max_attempts: 1, same_upstream: 0, hedge_after: None, ..retry }
}

fn headers_of(format: WireFormat) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if format == WireFormat::Anthropic {
        let (name, value) = ANTHROPIC_VERSION;
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers
}

/// Returns what comes of a body. One that breaks off has its reason in the record.
pub(super) async fn collect(body: BoxBody) -> Bytes {
    let (mut body, mut all) = (pin!(body), Vec::new());
    while let Some(Ok(piece)) = poll_fn(|cx| body.as_mut().poll_next(cx)).await {
        if all.len() + piece.len() > MOST_ANSWER {
            break;
        }
        all.extend_from_slice(&piece);
    }
    all.into()
}

/// Returns what an answer says, be it an object or a stream.
fn text_of(body: &[u8]) -> String {
    if body.trim_ascii_start().starts_with(b"{") { said_in(body).text } else { SaidInStream::new().feed(body).text }
}

#[cfg(test)]
mod tests;
