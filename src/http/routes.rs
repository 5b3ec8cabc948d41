//! The paths that the router knows: those that clients ask for most, and the pool's own. Any other is looked up in the route table.

use actix_web::middleware::from_fn;
use actix_web::{App, HttpRequest, Resource, Route, guard, web};
use actix_web::{body::MessageBody, dev::ServiceFactory, dev::ServiceRequest, dev::ServiceResponse};

use super::endpoints::OWN_ENDPOINTS;
use super::{MorePages, Worker, forward, middleware, objects, websocket};
use crate::dialect::{CalledRoute, ROUTES, SocketRoute, SocketUse};

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
        let handler =
            web::post().to(move |request, payload| forward::forward(CalledRoute::of_row(route), request, payload));
        let mut resource = resource(&format!("/v1/{}", route.id.path()), "POST", handler);
        if let Some(SocketUse::Turns(turns)) = &route.websocket {
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
    app.default_service(web::to(objects::by_table)).wrap(from_fn(middleware::handle)).app_data(worker)
}

fn resource(path: &str, allow: &'static str, route: Route) -> Resource {
    let other_method = move |request: HttpRequest, payload: web::Payload| objects::by_table_or(allow, request, payload);
    web::resource(path).route(route).default_service(web::to(other_method))
}
