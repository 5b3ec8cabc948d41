//! What the transport needs to know of an upstream.

use std::rc::Rc;

use transport::{ClientCache, Target, UpstreamClient};

use crate::dialect::Dialect;
use crate::dialect::openai::OpenAi;
use crate::upstream::Endpoint;

/// Returns this worker's client of an endpoint.
pub(in crate::proxy) fn client_of(clients: &ClientCache, endpoint: &Endpoint) -> Rc<UpstreamClient> {
    clients.get(endpoint.serial, || target_of(endpoint))
}

fn target_of(endpoint: &Endpoint) -> Target {
    Target {
        id: endpoint.api.to_string(),
        base: endpoint.base.clone(),
        tls: endpoint.tls,
        http2: endpoint.http2,
        // A key with characters that no header takes is not sent at all: the upstream then says what is missing.
        credentials: OpenAi.credentials(&endpoint.key),
        connect_timeout: endpoint.timeouts.connect,
    }
}
