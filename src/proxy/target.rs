//! What the transport needs to know of an upstream.

use std::rc::Rc;

use actix_web::http::header::{self, HeaderValue};
use transport::{ClientCache, Target, UpstreamClient};

use crate::upstream::Endpoint;

/// Returns this worker's client of an endpoint.
pub(super) fn client_of(clients: &ClientCache, endpoint: &Endpoint) -> Rc<UpstreamClient> {
    clients.get(endpoint.serial, || target_of(endpoint))
}

fn target_of(endpoint: &Endpoint) -> Target {
    // A key with characters that no header takes is not sent at all: the upstream then says what is missing.
    let credentials = HeaderValue::try_from(format!("Bearer {}", endpoint.key.expose())).ok().map(|mut value| {
        value.set_sensitive(true);
        (header::AUTHORIZATION, value)
    });
    Target {
        id: endpoint.api.to_string(),
        base: endpoint.base.clone(),
        tls: endpoint.tls,
        http2: endpoint.http2,
        credentials,
        connect_timeout: endpoint.timeouts.connect,
    }
}
