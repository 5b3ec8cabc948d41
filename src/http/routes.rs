//! The table of paths. What is not in it is a 404, and a wrong method a 405, both as OpenAI writes them.

use actix_web::dev::HttpServiceFactory;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpRequest, Resource, Route, web};
use actix_web::{body::MessageBody, dev::ServiceFactory, dev::ServiceRequest, dev::ServiceResponse};

use super::{Worker, auth, forward, health, middleware, models, status, tokens};
use crate::dialect::ROUTES;
use crate::error::ApiError;

/// The application of one worker.
pub fn routes(
    worker: Worker,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = actix_web::Error,
        InitError = (),
    >,
> {
    App::new()
        .service(resource("/health", "GET, HEAD", web::get().to(health::health)).route(web::head().to(health::health)))
        .service(v1())
        .default_service(web::to(unknown_path))
        .wrap(from_fn(middleware::handle))
        .app_data(worker)
}

fn v1() -> impl HttpServiceFactory {
    let mut scope = web::scope("/v1");
    // They are tried in this order: what is asked most stands first, and what is found by a pattern last.
    for route in &ROUTES {
        let handler = web::post().to(move |request, payload| forward::forward(route, request, payload));
        scope = scope.service(resource(&format!("/{}", route.id.path()), "POST", handler));
    }
    scope
        .service(resource("/models", "GET", web::get().to(models::list)))
        .service(resource("/status", "GET", web::get().to(status::status)))
        .service(resource("/token/stats", "GET", web::get().to(tokens::stats)))
        .service(resource("/token/reset", "POST", web::post().to(tokens::reset)))
        // A model's name may hold slashes.
        .service(resource("/models/{id:.+}", "GET", web::get().to(models::one)))
        .default_service(web::to(unknown_path))
        // Who has no key learns nothing of what is here.
        .wrap(from_fn(auth::require_key))
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
    Err(ApiError::UnknownPath { method: request.method().to_string(), path: request.path().to_owned() })
}
