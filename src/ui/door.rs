//! Lets visitors in, and adds the headers of every answer. A request has to pass in order:
//!
//! 1. Where there is no operator's key and the server listens beyond loopback, there is no dashboard.
//! 2. The named host must be one of ours ([`host`]).
//! 3. A form must come from one of our own pages: by the browser's word (`Sec-Fetch-Site`, `Origin`), and by the session's token.
//! 4. A session, by its cookie; without one the visitor is sent to the log-in.

use actix::Addr;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, ORIGIN, REFERRER_POLICY, SET_COOKIE,
    X_CONTENT_TYPE_OPTIONS,
};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpRequest, HttpResponse, ResponseError};

use super::actor::DashboardActor;
use super::cookies::{self, NewCookie};
use super::frame::{refused, see_other};
use super::host;
use super::messages::{CurrentSession, GetSession};
use super::view::address;
use super::visitor::Visitor;
use crate::error::ApiError;
use crate::http::{ListenerPort, Worker, worker};

/// Forbids files from elsewhere, scripts within a page, and frames of other sites around a page.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; \
     base-uri 'none'; frame-ancestors 'none'",
);

/// The headers of every answer, beside the policy.
static HEADERS: [(HeaderName, HeaderValue); 4] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// Where the updates of open pages are: these keep no session going.
const EVENTS: &str = "/ui/events";

/// What the paths below `/ui` know beside the worker.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) dashboard: Addr<DashboardActor>,
}

/// Lets a request in, or says why not.
pub(super) async fn handle(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let response = match enter(request.request()).await {
        Ok(()) => next.call(request).await?.map_into_boxed_body(),
        Err(answer) => request.into_response(answer),
    };
    Ok(with_headers(response))
}

async fn enter(request: &HttpRequest) -> Result<(), HttpResponse> {
    let worker = worker(request).map_err(|error| error.error_response())?;
    let config = worker.config();
    if !config.has_dashboard() {
        let asked = format!("{} {}", request.method(), request.path());
        let hint = "the dashboard wants a key in server.adminKeys or server.viewerKeys, as the server listens beyond this machine";
        return Err(ApiError::UnknownPath { asked, hint: hint.to_owned() }.error_response());
    }
    let named = request.connection_info().host().to_owned();
    let named = request.headers().get("host").and_then(|host| host.to_str().ok()).unwrap_or(&named);
    if !host::is_ours(named, &config) {
        return Err(refused(request, "refused.host", &[("host", named)]));
    }
    if request.method() == Method::POST && !is_from_our_pages(request, named) {
        return Err(refused(request, "refused.origin", &[]));
    }
    if is_public(request.path()) {
        return Ok(());
    }
    match session(request, worker).await {
        Some(session) => {
            request.extensions_mut().insert(session);
            Ok(())
        }
        None => Err(to_log_in(request)),
    }
}

/// Sends a visitor without a session to the log-in.
fn to_log_in(request: &HttpRequest) -> HttpResponse {
    let is_page = request.method() == "GET" && request.path() != EVENTS;
    if !is_page {
        return HttpResponse::Unauthorized().finish();
    }
    see_other(&address("/ui/login", &[("to", &request.uri().to_string())]))
}

/// Returns whether a path is for visitors without a session.
fn is_public(path: &str) -> bool {
    ["/ui/login", "/ui/link", "/ui/preferences"].contains(&path) || path.starts_with("/ui/assets/")
}

fn is_from_our_pages(request: &HttpRequest, host: &str) -> bool {
    let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap_or_default());
    let fetched = header("sec-fetch-site").is_none_or(|site| site == "same-origin");
    let origin = header(ORIGIN.as_str()).is_none_or(|origin| host::is_same_origin(origin, host));
    // Each browser of the last years sends at least one of the two headers.
    fetched && origin
}

/// Returns the session of a request.
async fn session(request: &HttpRequest, worker: &Worker) -> Option<CurrentSession> {
    if let Some(visitor) = Visitor::without_key(&worker.config()).filter(|_| !is_forwarded(request)) {
        return Some(CurrentSession { visitor, form_token: String::new() });
    }
    let cookie = cookie_of(request)?;
    let by_request = request.path() != EVENTS;
    door(request)?.dashboard.send(GetSession { cookie, by_request }).await.ok()?
}

/// Returns whether a proxy has passed the request on. The visitor may then be anywhere, and the address is the proxy's.
pub(super) fn is_forwarded(request: &HttpRequest) -> bool {
    ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"]
        .iter()
        .any(|name| request.headers().contains_key(*name))
}

/// Returns the addresses that the dashboard's paths know.
pub(super) fn door(request: &HttpRequest) -> Option<&Door> {
    request.app_data::<Door>()
}

/// Returns where clients reach the API, by the request's own word: [`enter`] has checked the host. A proxy in front may speak TLS.
pub(super) fn api_address(request: &HttpRequest) -> String {
    let info = request.connection_info();
    let scheme = if info.scheme() == "https" { "https" } else { "http" };
    let named = request.headers().get("host").and_then(|host| host.to_str().ok()).unwrap_or(info.host());
    match worker(request).map(|worker| worker.config()) {
        Ok(config) => format!("{scheme}://{}", host::of_api(named, &config.server)),
        Err(_) => format!("{scheme}://{named}"),
    }
}

/// Returns the name of the session's cookie. Browsers take the name with the prefix only over TLS, for this host alone. Cookies
/// know no ports: the listener's port is in the name, so that two servers of one host don't log each other's people out.
fn cookie_name(request: &HttpRequest) -> String {
    let prefix = if is_secure(request) { "__Host-" } else { "" };
    let port = request.conn_data::<ListenerPort>().map_or(0, |port| port.0);
    format!("{prefix}api-together-{port}")
}

/// Returns whether the listener speaks TLS. What a proxy in front says could be anybody's word.
fn is_secure(request: &HttpRequest) -> bool {
    worker(request).is_ok_and(|worker| worker.config().server.limits.tls.is_some())
}

/// Returns the value of the session's cookie.
pub(super) fn cookie_of(request: &HttpRequest) -> Option<String> {
    cookies::sent(request, &cookie_name(request))
}

/// Gives the browser the cookie of a new session, or takes it away.
pub(super) fn give_session(request: &HttpRequest, response: &mut HttpResponse, value: Option<&str>) {
    let (name, is_secure) = (cookie_name(request), is_secure(request));
    let seconds = value.is_none().then_some(0);
    let value = value.unwrap_or_default();
    let cookie = NewCookie { name: &name, value, path: "/", is_secure, seconds };
    if let Some(header) = cookie.header() {
        response.headers_mut().append(SET_COOKIE, header);
    }
}

fn with_headers(mut response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    for (name, value) in &HEADERS {
        headers.insert(name.clone(), value.clone());
    }
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}
