//! Answers with a page: asked of the actors, made as markup, and framed.

use actix_web::http::StatusCode;
use actix_web::http::header::ContentType;
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use maud::{Markup, html};

use super::door::{cookie_of, door};
use super::frame::{document, failed, refused, see_other, view_start};
use super::live;
use super::messages::{CurrentSession, TakeNotices};
use super::notices::Notice;
use super::page::{LoadedPage, Making, PageRow};
use super::table::PAGES;
use super::text::Language;
use super::view::{Facts, Theme, View};
use crate::error::ApiError;
use crate::http::{csv_response, worker};
use crate::mailbox::blocking;

/// The header of an open page's request for the page's new content.
const UPDATE: &str = "x-update";

/// Answers with a page.
pub(super) async fn show(page: &'static PageRow, request: HttpRequest) -> HttpResponse {
    let Some(session) = request.extensions().get::<CurrentSession>().cloned() else {
        return refused(&request, "refused.session", &[]);
    };
    if !page.audience.admits(&session.visitor) {
        // A client's key has one page.
        return match session.visitor.is_operator() {
            true => refused(&request, "refused.rights", &[]),
            false => see_other("/ui/me"),
        };
    }
    let start = view_start(&request, &session, request.uri().to_string());
    let loaded = match LoadedPage::load(page, &request, &start, Making::Whole).await {
        Ok(loaded) => loaded,
        Err(error) => return failed(&request, &error),
    };
    let status = if loaded.facts.is_there() { StatusCode::OK } else { StatusCode::NOT_FOUND };
    let notices = notices_for(&request).await;
    answer(&request, status, loaded, View::new(start, session.form_token, notices)).await
}

/// Takes the notices of a page. A request for new content gets none: the page has the notices already, or is in another tab.
async fn notices_for(request: &HttpRequest) -> Vec<Notice> {
    let (Some(cookie), Some(door)) = (cookie_of(request), door(request)) else { return Vec::new() };
    if request.headers().contains_key(UPDATE) {
        return Vec::new();
    }
    let page = request.uri().path().to_owned();
    door.dashboard.send(TakeNotices { cookie, page }).await.unwrap_or_default()
}

/// Answers a form with the form's page and the typed values.
pub(super) async fn show_again(
    page: &'static PageRow,
    request: &HttpRequest,
    session: CurrentSession,
    (is_good, facts): (bool, Box<dyn Facts>),
) -> HttpResponse {
    let status = if is_good { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    match LoadedPage::of(page, request, &session.visitor, facts).await {
        Ok(loaded) => {
            let start = view_start(request, &session, page.path.to_owned());
            answer(request, status, loaded, View::new(start, session.form_token, None)).await
        }
        Err(error) => failed(request, &error),
    }
}

/// Makes a page from the facts.
async fn answer(request: &HttpRequest, status: StatusCode, loaded: LoadedPage, view: View) -> HttpResponse {
    // A large page takes some milliseconds, in which this thread serves others.
    let made = blocking(move || framed(&loaded, &view)).await;
    match made {
        Ok(markup) => HttpResponse::build(status).content_type(ContentType::html()).body(markup.into_string()),
        Err(_) => failed(request, &ApiError::Stopping),
    }
}

/// Answers an operator with usage as CSV.
pub(super) async fn usage_csv(request: HttpRequest) -> HttpResponse {
    let is_operator = request.extensions().get::<CurrentSession>().is_some_and(|session| session.visitor.is_operator());
    if !is_operator {
        return refused(&request, "refused.rights", &[]);
    }
    let answer = match worker(&request) {
        Ok(worker) => csv_response(worker, request.query_string()).await,
        Err(error) => Err(error),
    };
    answer.unwrap_or_else(|error| failed(&request, &error))
}

/// Puts a page into the frame.
fn framed(loaded: &LoadedPage, view: &View) -> Markup {
    let page = loaded.row;
    let content = loaded.render(view);
    let title = loaded.facts.about().unwrap_or_else(|| view.t(page.title).to_owned());
    let seen = live::digest(&view.take_pieces());
    document(
        view,
        &title,
        html! {
            (header(page, view))
            main id="main" data-page=(view.url) data-seen=(seen) data-live[page.refresh.is_some()]
                data-news=(view.t("frame.news")) {
                @for notice in &view.notices { (told(view, notice)) }
                h1 { (title) }
                (content)
            }
            (footer(view))
        },
    )
}

fn told(view: &View, notice: &Notice) -> Markup {
    html! {
        div class={ "notice " (if notice.is_good { "good" } else { "bad" }) } role="status" {
            @if let Some(secret) = &notice.secret {
                p { code class="secret" data-copy=(view.t("frame.copy")) { (secret.expose()) } }
                p { (view.t("keys.shown_once")) }
            }
            p { (notice.text) }
            @if let Some(link) = &notice.link { p { a href=(link.to) { (view.t(link.words)) } } }
        }
    }
}

fn header(current: &'static PageRow, view: &View) -> Markup {
    let pages = PAGES.iter().filter(|page| page.in_navigation && page.audience.admits(&view.visitor));
    html! {
        a class="skip" href="#main" { (view.t("frame.skip")) }
        header class="top" {
            a class="brand" href="/ui/" { span class="mark" aria-hidden="true" {} "api-together" }
            nav aria-label=(view.t("frame.pages")) {
                ul {
                    @for page in pages {
                        @let is_current = std::ptr::eq(page, current).then_some("page");
                        li { a href=(page.path) aria-current=[is_current] { (view.t(page.title)) } }
                    }
                }
            }
            span class="live" id="live-state" data-live=(view.t("frame.live")) data-paused=(view.t("frame.paused"))
                data-off=(view.t("frame.no_updates")) hidden {}
            span class="who" { (view.visitor.name) }
            @if !view.form_token.is_empty() { (view.button("/ui/logout", view.t("frame.log_out"), &[])) }
        }
    }
}

fn footer(view: &View) -> Markup {
    html! {
        footer {
            form method="post" action="/ui/preferences" class="inline" {
                input type="hidden" name="to" value=(view.url);
                label { (view.t("frame.language")) " "
                    select name="language" { @for language in Language::ALL {
                        option value=(language.tag()) selected[language == view.language] { (language.own_name()) }
                    } }
                }
                label { (view.t("frame.theme")) " "
                    select name="theme" { @for theme in Theme::ALL {
                        option value=(theme.name()) selected[theme == view.theme] { (view.t(match theme {
                            Theme::System => "frame.theme_system",
                            Theme::Light => "frame.theme_light",
                            Theme::Dark => "frame.theme_dark",
                        })) }
                    } }
                }
                button type="submit" { (view.t("frame.apply")) }
            }
            span class="version" { "api-together " (env!("CARGO_PKG_VERSION")) }
        }
    }
}
