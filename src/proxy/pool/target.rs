//! What the transport needs to know of an upstream.

use std::rc::Rc;

use actix_web::http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use transport::{ClientCache, Target, UpstreamClient};

use crate::config::{ApiKey, AuthScheme};
use crate::types::WireFormat;
use crate::upstream::{Endpoint, Reach};

/// Returns this worker's client of one of an endpoint's addresses.
pub(in crate::proxy) fn client_of(clients: &ClientCache, endpoint: &Endpoint, reach: &Reach) -> Rc<UpstreamClient> {
    clients.get(reach.serial, || target_of(endpoint, reach))
}

/// Returns what the transport needs to know of one of an endpoint's addresses.
pub(in crate::proxy) fn target_of(endpoint: &Endpoint, reach: &Reach) -> Target {
    let fixed = endpoint
        .headers
        .iter()
        .filter_map(|(name, value)| Some((HeaderName::try_from(&**name).ok()?, sensitive(value.expose())?)));
    Target {
        // No id of an API has control characters.
        id: match reach.format {
            WireFormat::OpenAi => endpoint.api.to_string(),
            WireFormat::Anthropic | WireFormat::Gemini => format!("{}\n{}", endpoint.api, reach.format),
        },
        base: reach.base.clone(),
        tls: reach.tls,
        http2: endpoint.http2,
        proxy: reach.proxy.clone(),
        // A key with characters that no header takes is not sent at all: the upstream then says what is missing.
        headers: credentials(reach.auth, &endpoint.key).into_iter().chain(fixed).collect(),
        connect_timeout: endpoint.timeouts.connect,
    }
}

/// Returns the header with an account's key, if the key fits into a header.
fn credentials(auth: AuthScheme, key: &ApiKey) -> Option<(HeaderName, HeaderValue)> {
    let key = key.expose();
    match auth {
        AuthScheme::Bearer => Some((AUTHORIZATION, sensitive(&format!("Bearer {key}"))?)),
        AuthScheme::XApiKey => Some((HeaderName::from_static("x-api-key"), sensitive(key)?)),
        AuthScheme::ApiKey => Some((HeaderName::from_static("api-key"), sensitive(key)?)),
        AuthScheme::XGoogApiKey => Some((HeaderName::from_static("x-goog-api-key"), sensitive(key)?)),
    }
}

fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}
