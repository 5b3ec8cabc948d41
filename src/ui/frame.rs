//! The HTML document around every page, and pages with a single message.

use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT_LANGUAGE, ContentType};
use actix_web::{HttpRequest, HttpResponse};
use maud::{DOCTYPE, Markup, html};

use super::assets::asset;
use super::cookies;
use super::messages::CurrentSession;
use super::text::Language;
use super::view::{Theme, View, ViewStart};
use super::visitor::{Rights, Visitor};
use crate::error::ApiError;
use crate::types::KeyName;

/// Returns the view's first values for a request.
pub(super) fn view_start(request: &HttpRequest, session: &CurrentSession, url: String) -> ViewStart {
    let cookie = |name: &str| cookies::sent(request, name);
    let header = request.headers().get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let language = cookie("ui-language").and_then(|tag| Language::of_tag(&tag));
    let theme = cookie("ui-theme").and_then(|name| Theme::of_name(&name));
    ViewStart {
        language: language.or_else(|| Language::accepted(header?)).unwrap_or(Language::English),
        theme: theme.unwrap_or(Theme::System),
        visitor: session.visitor.clone(),
        url,
    }
}

/// Returns a redirect after a form, or to another page.
pub(super) fn see_other(to: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header(("location", to)).finish()
}

/// Returns a whole HTML document.
pub(super) fn document(view: &View, title: &str, body: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(view.language.tag()) data-theme=(view.theme.name()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · api-together" }
                link rel="stylesheet" href=(asset("style.css"));
                link rel="icon" href=(asset("icon.svg")) type="image/svg+xml";
                script type="module" src=(asset("page.js")) {}
            }
            body { (body) }
        }
    }
}

/// Refuses a request, with the reason.
pub(super) fn refused(request: &HttpRequest, why: &str, values: &[(&str, &str)]) -> HttpResponse {
    message(request, StatusCode::FORBIDDEN, |view| view.tr(why, values))
}

pub(super) fn failed(request: &HttpRequest, error: &ApiError) -> HttpResponse {
    let status = actix_web::ResponseError::status_code(error);
    message(request, status, |_| error.to_string())
}

/// Answers a request for an unknown page.
pub(super) async fn unknown(request: HttpRequest) -> HttpResponse {
    message(&request, StatusCode::NOT_FOUND, |view| view.t("refused.unknown").to_owned())
}

/// Answers with a page with a single message.
fn message(request: &HttpRequest, status: StatusCode, text: impl Fn(&View) -> String) -> HttpResponse {
    let view = bare_view(request);
    let content = html! {
        main id="main" class="alone" {
            h1 { (status.as_u16()) }
            p { (text(&view)) }
            p { a href="/ui/" { (view.t("frame.back")) } }
        }
    };
    HttpResponse::build(status)
        .content_type(ContentType::html())
        .body(document(&view, status.as_str(), content).into_string())
}

/// Returns a view for a page without a visitor.
pub(super) fn bare_view(request: &HttpRequest) -> View {
    let visitor = Visitor { name: KeyName::from(""), rights: Rights::Client };
    let session = CurrentSession { visitor, form_token: String::new() };
    View::new(view_start(request, &session, request.uri().to_string()), String::new(), None)
}
