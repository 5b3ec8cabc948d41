//! The paths below `/ui`.

use std::sync::Arc;

use actix::Addr;
use actix_web::guard;
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};

use super::actor::DashboardActor;
use super::door::{self, Door};
use super::show::{self, show};
use super::table::PAGES;
use super::{actions, assets, frame, live, log_in, trial};
use crate::http::MorePages;

/// Returns what adds the dashboard to a worker's routes.
pub fn configure(dashboard: Addr<DashboardActor>) -> MorePages {
    Arc::new(move |routes: &mut ServiceConfig| add(routes, dashboard.clone()))
}

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
    below = below
        .route("/login", web::get().to(log_in::form))
        .route("/login", web::post().to(log_in::log_in))
        .route("/link", web::get().to(log_in::by_link))
        .route("/logout", web::post().to(log_in::log_out))
        .route("/preferences", web::post().to(log_in::preferences))
        .route("/usage.csv", web::get().to(show::usage_csv))
        .route("/try/stream", web::post().to(trial::pieces))
        .route("/events", web::get().to(live::events))
        .route("/assets/{name}", web::get().to(assets::serve))
        .route("", web::get().to(async || frame::see_other("/ui/")))
        .default_service(web::to(frame::unknown));
    routes.service(below);
}
