//! The forwarded endpoints: the body is read, looked into, and handed to the data path.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, ResponseError, web};

use super::auth::{client, presented_secret, worker};
use super::body::read_body;
use super::concurrency::BodyMemory;
use super::form::{form_type, read_form};
use super::{Worker, request_id};
use crate::config::{ApiConfig, Config};
use crate::dialect::{CalledRoute, ReplyKind};
use crate::error::ApiError;
use crate::proxy::{ClientRequest, dispatch, merged_list, refuse, refuse_by_limits, with_pings};
use crate::records::OpenRecord;
use crate::types::{ApiId, Profile, RequestId};

/// Forwards one request: named, and recorded with all that the data path learns.
pub(super) async fn forward(called: CalledRoute, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let id = RequestId::generate();
    let mut response = match worker(&request) {
        Ok(worker) => {
            let mut record = request_id::open_record(worker, &request, id);
            record.with(|record| record.route = Some(called.route.id));
            tokio::select! {
                biased;
                served = serve(worker, ForwardedRequest { called, record }, &request, payload) => served,
                // A request whose answer has not begun when the server ends can be sent again, to another server.
                () = worker.shutdown.clone().over() => ApiError::Stopping.error_response(),
            }
        }
        Err(error) => error.error_response(),
    };
    request_id::name(response.headers_mut(), &id);
    response
}

/// A request that is to be forwarded.
struct ForwardedRequest {
    called: CalledRoute,
    record: OpenRecord,
}

async fn serve(
    worker: &Worker,
    forwarded: ForwardedRequest,
    request: &HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    let ForwardedRequest { called, mut record } = forwarded;
    let route = called.route;
    let key = match client(request) {
        Ok(key) => key,
        Err(error) => return refuse(error, &mut record),
    };
    let read = read_request(worker, called, request, payload).await.and_then(|(mut asked, held)| {
        asked.set_query(request.query_string())?;
        asked.choose_session(&key, worker.config().affinity);
        if route.takes_secrets()
            && let Some(presented) = presented_secret(worker, request.path(), request.headers(), request.query_string())
        {
            asked.use_secret(&presented.secret);
        }
        Ok((asked, held))
    });
    match read {
        Ok((mut asked, held)) => {
            record.with(|record| {
                record.model = Some(asked.profile.model.clone()).filter(|model| !model.is_empty());
                record.route = Some(asked.profile.route);
                record.stream = asked.stream;
            });
            record.asked();
            let config = worker.config();
            if let Err(refused) = asked.use_key(&key).and_then(|()| asked.pass_to(config.server.passthrough.as_ref())) {
                return refuse(refused.into(), &mut record);
            }
            match worker.keys.admit(&key, &asked.profile, &config).await {
                Ok(permit) => record.admitted_by_key(permit),
                Err(refused) => return refuse_by_limits(refused, &mut record),
            }
            asked.echo_model = config.server.echo_model;
            asked.replicates = config.server.replicate_files;
            asked.base = (route.reply == ReplyKind::Object).then(|| base_of(request)).flatten();
            if let Some(models) = config.aliases.get(&asked.profile.model) {
                asked.use_alias(models.clone());
            }
            // A comment would be no JSON.
            let ping = config.server.stream_ping.filter(|_| asked.stream && !asked.in_list);
            let (pool, retry) = (worker.pool.clone(), config.retry);
            let accounts = asked.is_list().then(|| accounts(&config, &asked.profile)).filter(|all| all.len() > 1);
            // Boxed: three small futures cost less than one large one.
            let answer = Box::pin(async move {
                let _held = held;
                match accounts {
                    Some(accounts) => merged_list(pool, asked, (retry, accounts), record).await,
                    None => dispatch(pool, asked, retry, record).await,
                }
            });
            match ping {
                Some(every) => with_pings(answer, every, route.id.format()).await,
                None => answer.await,
            }
        }
        Err(error) => refuse(error, &mut record),
    }
}

/// Returns where the client reaches the pool, by the request's own word. A proxy in front may speak TLS.
fn base_of(request: &HttpRequest) -> Option<Box<str>> {
    let info = request.connection_info();
    let scheme = if info.scheme() == "https" { "https" } else { "http" };
    let is_of_host = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']');
    let host = info.host();
    host.bytes().all(is_of_host).then(|| format!("{scheme}://{host}").into())
}

/// Returns the accounts that a list is made of.
fn accounts(config: &Config, of: &Profile) -> Vec<ApiId> {
    let may_serve = |api: &&Arc<ApiConfig>| api.enabled && api.offers(of.route.format()) && of.may_use(&api.id);
    config.apis.iter().filter(may_serve).map(|api| api.id.clone()).collect()
}

/// Reads the whole body of a request, and understands it: JSON, or a form where the route takes forms.
async fn read_request(
    worker: &Worker,
    called: CalledRoute,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<(ClientRequest, BodyMemory), ApiError> {
    if called.route.takes_forms
        && let Some(content_type) = form_type(request)
    {
        // Boxed: few requests are forms.
        let (form, held) = Box::pin(read_form(worker, request, payload, content_type)).await?;
        return Ok((ClientRequest::of_form(called, request.headers(), form)?, held));
    }
    let limit = worker.config().server.body_limit;
    let (body, held) = read_body(worker, request, payload, limit).await?;
    Ok((ClientRequest::parse_called(called, request.headers(), body)?, held))
}
