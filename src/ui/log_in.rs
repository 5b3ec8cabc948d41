//! Log-in by a key or by a link, log-out, and the choice of language and colours.

use std::net::{IpAddr, Ipv4Addr};

use actix_web::http::StatusCode;
use actix_web::http::header::{ContentType, SET_COOKIE};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use maud::html;

use super::cookies::NewCookie;
use super::door::{cookie_of, door, give_session, is_forwarded};
use super::fields::SentFields;
use super::forms::is_token_right;
use super::frame::{bare_view, document, refused, see_other};
use super::messages::{CurrentSession, KeyOrigin, LogIn, LogInByLink, LogInRefused, LogOut};
use super::text::Language;
use super::view::Theme;
use crate::config::ApiKey;

/// A key has at most so many bytes.
const LONGEST_KEY: usize = 1_024;

/// How long the choice of language and colours is remembered: a year.
const REMEMBERED: u64 = 365 * 24 * 60 * 60;

/// Returns a page of ours, whatever was asked for: never a link to elsewhere.
fn own_page(to: Option<&str>) -> &str {
    let is_own = |to: &&str| to.starts_with("/ui/") && !to.contains(['\\', '\r', '\n']) && !to.contains("//");
    to.filter(is_own).unwrap_or("/ui/")
}

/// Shows the form.
pub(super) fn form(request: &HttpRequest) -> HttpResponse {
    let query = SentFields::of_query(request.query_string());
    log_in_page(request, StatusCode::OK, None, query.field("to"))
}

fn log_in_page(request: &HttpRequest, status: StatusCode, said: Option<String>, to: Option<&str>) -> HttpResponse {
    let view = bare_view(request);
    let content = html! {
        main id="main" class="alone" {
            h1 { span class="mark" aria-hidden="true" {} "api-together" }
            form method="post" action="/ui/login" class="log-in" {
                input type="hidden" name="to" value=(own_page(to));
                label for="key" { (view.t("login.key")) }
                input id="key" name="key" type="password" autocomplete="current-password" required autofocus
                    aria-describedby="about-key" aria-invalid=[said.as_ref().map(|_| "true")];
                @if let Some(said) = &said { p class="problem" role="alert" { (said) } }
                button type="submit" class="main" { (view.t("login.log_in")) }
                p id="about-key" class="faint" { (view.t("login.which_key")) }
            }
        }
    };
    let page = document(&view, view.t("login.log_in"), content);
    HttpResponse::build(status).content_type(ContentType::html()).body(page.into_string())
}

/// Begins a session.
pub(super) async fn log_in(request: HttpRequest, fields: SentFields) -> HttpResponse {
    let key = fields.field("key").unwrap_or_default().trim();
    let to = fields.field("to");
    let from = origin_of(&request);
    let Some(door) = door(&request) else { return refused(&request, "refused.session", &[]) };
    let key = ApiKey::new(key.get(..LONGEST_KEY).unwrap_or(key));
    // An earlier session of this browser ends: somebody else may know the cookie.
    if let Some(cookie) = cookie_of(&request) {
        let _ = door.dashboard.send(LogOut { cookie }).await;
    }
    let view = bare_view(&request);
    let (status, said) = match door.dashboard.send(LogIn { key, from }).await {
        Ok(Ok(cookie)) => return welcome(&request, cookie, own_page(to)),
        Ok(Err(LogInRefused::WrongKey)) => (StatusCode::FORBIDDEN, view.t("login.wrong_key").to_owned()),
        Ok(Err(LogInRefused::TooManyTries { seconds })) => {
            (StatusCode::TOO_MANY_REQUESTS, view.tr("login.too_many_tries", &[("seconds", &seconds.to_string())]))
        }
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, view.t("login.stopping").to_owned()),
    };
    log_in_page(&request, status, Some(said), to)
}

fn origin_of(request: &HttpRequest) -> KeyOrigin {
    let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip().to_canonical());
    if is_forwarded(request) { KeyOrigin::Proxy(peer) } else { KeyOrigin::Direct(peer) }
}

/// Begins a session by a link. The link works once.
pub(super) async fn by_link(request: HttpRequest) -> HttpResponse {
    let query = SentFields::of_query(request.query_string());
    let secret = query.field("once").unwrap_or_default().to_owned();
    let Some(door) = door(&request) else { return refused(&request, "refused.session", &[]) };
    match door.dashboard.send(LogInByLink { secret }).await {
        Ok(Some(cookie)) => welcome(&request, cookie, "/ui/"),
        Ok(None) | Err(_) => {
            let said = bare_view(&request).t("login.link_spent").to_owned();
            log_in_page(&request, StatusCode::FORBIDDEN, Some(said), None)
        }
    }
}

fn welcome(request: &HttpRequest, cookie: String, to: &str) -> HttpResponse {
    let mut response = see_other(to);
    give_session(request, &mut response, Some(&cookie));
    response
}

/// Ends the session.
pub(super) async fn log_out(request: HttpRequest, SentFields(fields): SentFields) -> HttpResponse {
    let session = request.extensions().get::<CurrentSession>().cloned();
    if !session.is_some_and(|session| is_token_right(&session, &fields)) {
        return refused(&request, "refused.form", &[]);
    }
    if let (Some(cookie), Some(door)) = (cookie_of(&request), door(&request)) {
        let _ = door.dashboard.send(LogOut { cookie }).await;
    }
    let mut response = see_other("/ui/login");
    give_session(&request, &mut response, None);
    response
}

/// Remembers the language and the colours.
pub(super) fn preferences(fields: &SentFields) -> HttpResponse {
    let mut response = see_other(own_page(fields.field("to")));
    let chosen = [
        ("ui-language", fields.field("language").and_then(Language::of_tag).map(Language::tag)),
        ("ui-theme", fields.field("theme").and_then(Theme::of_name).map(Theme::name)),
    ];
    for (name, value) in chosen {
        let Some(value) = value else { continue };
        let cookie = NewCookie { name, value, path: "/ui", is_secure: false, seconds: Some(REMEMBERED) };
        if let Some(header) = cookie.header() {
            response.headers_mut().append(SET_COOKIE, header);
        }
    }
    response
}
