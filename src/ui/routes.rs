//! The paths below `/ui`.

use std::sync::Arc;

use actix::Addr;
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, guard};
use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, ready};

use super::actor::DashboardActor;
use super::door::{self, Door};
use super::fields::SentFields;
use super::show::{self, show};
use super::table::PAGES;
use super::{actions, assets, frame, live, log_in, trial};
use crate::http::MorePages;

/// Returns what adds the dashboard to a worker's routes.
pub fn configure(dashboard: Addr<DashboardActor>) -> MorePages {
    Arc::new(move |routes: &mut ServiceConfig| add(routes, dashboard.clone()))
}

/// Answers a request for an address beside the pages.
type AddressAnswer = fn(HttpRequest) -> LocalBoxFuture<'static, HttpResponse>;

/// Answers a form without a page of its own.
type FormAnswer = fn(HttpRequest, SentFields) -> LocalBoxFuture<'static, HttpResponse>;

/// The addresses beside the pages, as rows: a handler with a type of its own costs some KB of the program.
const READS: [(&str, AddressAnswer); 6] = [
    ("/login", |request| ready(log_in::form(&request)).boxed_local()),
    ("/link", |request| log_in::by_link(request).boxed_local()),
    ("/usage.csv", |request| show::usage_csv(request).boxed_local()),
    ("/events", |request| ready(live::events(request)).boxed_local()),
    ("/assets/{name}", |request| ready(assets::serve(&request)).boxed_local()),
    ("", |_| ready(frame::see_other("/ui/")).boxed_local()),
];

/// The forms without a page of their own.
const WRITES: [(&str, FormAnswer); 4] = [
    ("/login", |request, fields| log_in::log_in(request, fields).boxed_local()),
    ("/logout", |request, fields| log_in::log_out(request, fields).boxed_local()),
    ("/preferences", |_, fields| ready(log_in::preferences(&fields)).boxed_local()),
    ("/try/stream", |request, fields| trial::pieces(request, fields).boxed_local()),
];

fn add(routes: &mut ServiceConfig, dashboard: Addr<DashboardActor>) {
    let mut below = web::scope("/ui").app_data(Door { dashboard }).wrap(from_fn(door::handle));
    for page in &PAGES {
        // A name may hold slashes.
        let path = page.path.strip_prefix("/ui").unwrap_or(page.path).replace("{name}", "{name:.+}");
        let asked = web::route().guard(guard::Any(guard::Get()).or(guard::Head()));
        below = below.route(&path, asked.to(move |request| show(page, request)));
        for action in page.forms {
            let path = action.path.strip_prefix("/ui").unwrap_or(action.path);
            below = below.route(path, web::post().to(move |request, form| actions::act(page, action, request, form)));
        }
    }
    for (path, read) in READS {
        below = below.route(path, web::get().to(read));
    }
    for (path, write) in WRITES {
        below = below.route(path, web::post().to(write));
    }
    routes.service(below.default_service(web::to(frame::unknown)));
}
