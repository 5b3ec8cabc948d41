//! Which pages may call the pool from a browser: none, unless `server.cors` names them.

use actix_cors::Cors;

use super::Worker;

/// Answers preflights and marks answers, for the origins in the configuration in force.
pub(super) fn cors(worker: &Worker) -> Cors {
    let worker = worker.clone();
    Cors::default()
        .allowed_origin_fn(move |origin, _| {
            let config = worker.config();
            config.server.cors.iter().any(|allowed| allowed == "*" || allowed.as_bytes() == origin.as_bytes())
        })
        // An origin that is not named gets its answer without the marks, and the browser keeps it from the page.
        .block_on_origin_mismatch(false)
        .allowed_methods(["GET", "POST"])
        .allow_any_header()
        .expose_any_header()
        .max_age(600)
}
