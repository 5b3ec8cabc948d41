//! The table of paths. Any other path is a 404, and a wrong method a 405, both as OpenAI writes them.

use actix_web::middleware::from_fn;
use actix_web::{App, HttpRequest, Resource, Route, guard, web};
use actix_web::{body::MessageBody, dev::ServiceFactory, dev::ServiceRequest, dev::ServiceResponse};

use super::endpoints::OWN_ENDPOINTS;
use super::{MorePages, Worker, forward, middleware, unknown_paths, websocket};
use crate::dialect::{ROUTES, SocketRoute};
use crate::error::ApiError;

/// Builds the application of one worker.
///
/// There is no scope for `/v1`: the router would be asked twice for each request. The middleware requires the key there.
pub fn routes(
    worker: Worker,
    more: Option<MorePages>,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = actix_web::Error,
        InitError = (),
    >,
> {
    let mut app = App::new();
    // Paths are tried in this order: the most frequent stands first, and a pattern last.
    for route in &ROUTES {
        let handler = web::post().to(move |request, payload| forward::forward(route, request, payload));
        let mut resource = resource(&format!("/v1/{}", route.id.path()), "POST", handler);
        if let Some(turns) = &route.websocket {
            let handler = web::get().guard(guard::fn_guard(|request| websocket::is_asked_for(request.head())));
            let upgrade = move |request, payload| websocket::upgrade(SocketRoute { route, turns }, request, payload);
            resource = resource.route(handler.to(upgrade));
        }
        app = app.service(resource);
    }
    for endpoint in &OWN_ENDPOINTS {
        let route = (endpoint.handled)(endpoint.method.route());
        app = app.service(resource(endpoint.path, endpoint.method.allow(), route));
    }
    app = app.configure(|routes| more.iter().for_each(|more| more(routes)));
    app.default_service(web::to(unknown_path)).wrap(from_fn(middleware::handle)).app_data(worker)
}

fn resource(path: &str, allow: &'static str, route: Route) -> Resource {
    let wrong_method = move |request: HttpRequest| async move {
        Err::<String, _>(ApiError::WrongMethod {
            method: request.method().to_string(),
            path: request.path().to_owned(),
            allow,
        })
    };
    web::resource(path).route(route).default_service(web::to(wrong_method))
}

async fn unknown_path(request: HttpRequest) -> Result<String, ApiError> {
    let asked = format!("{} {}", request.method(), request.path());
    Err(ApiError::UnknownPath { asked, hint: unknown_paths::hint(request.path()) })
}
