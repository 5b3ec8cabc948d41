//! Requests: what goes upstream is what the client sent, but for its model's name and the wish for usage.

use actix_web::http::header::HeaderMap;
use actix_web::web::Bytes;
use api_together::dialect::{ROUTES, Route};
use api_together::proxy::ClientRequest;
use api_together::proxy::fuzzing::lacks_usage;

use serde_json::{Value, json};

/// An upstream's name for a model that has all in it that JSON must escape.
const OWN: &str = "o\"w\\n/\u{1}é";

/// Holds for any body.
pub fn holds(input: &[u8]) {
    for route in &ROUTES {
        let Some(request) = parse(route, input) else { continue };
        for (own, ask) in [(None, false), (None, true), (Some(OWN), false), (Some(OWN), true)] {
            // Without a model there is no name to change.
            let own = own.filter(|_| !request.profile.model.is_empty());
            let sent = request.body_for(own, ask);
            let asks = ask && lacks_usage(&request);
            if own.is_none() && !asks {
                assert_eq!(sent, input, "there was nothing to change");
                continue;
            }
            let again = parse(route, &sent).expect("what goes upstream can be read");
            assert_eq!(&*again.profile.model, own.unwrap_or(&request.profile.model));
            assert_eq!(again.stream, request.stream);
            assert_eq!(lacks_usage(&again), lacks_usage(&request) && !asks);
            // Numbers too large and lists too deep to be held are no business of ours.
            let Ok(mut meant) = serde_json::from_slice::<Value>(input) else { continue };
            if own.is_some() {
                meant["model"] = json!(OWN);
            }
            if asks {
                // Where there are none, or null, this makes an object of them.
                meant["stream_options"]["include_usage"] = json!(true);
            }
            assert_eq!(serde_json::from_slice::<Value>(&sent).expect("JSON"), meant);
        }
    }
}

fn parse(route: &'static Route, body: &[u8]) -> Option<ClientRequest> {
    ClientRequest::parse(route, &HeaderMap::new(), Bytes::copy_from_slice(body)).ok()
}
