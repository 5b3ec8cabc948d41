//! The fields of a form or of an address, as a browser sends them.

use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::error::{ErrorPayloadTooLarge, ErrorRequestTimeout, ErrorUnsupportedMediaType};
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use tokio::time::timeout;
use url::form_urlencoded;

use super::messages::CurrentSession;

/// The largest form of a visitor with a session, in bytes: a configuration of 16 MiB, in which some letters take three bytes.
const LARGEST: usize = 24 << 20;

/// The largest form of another visitor: a key.
const LARGEST_OF_OTHERS: usize = 16 << 10;

/// How long a form may take to come.
const WITHIN: Duration = Duration::from_secs(60);

/// The fields of a form or of an address, in the order of the page.
#[derive(Debug, Default)]
pub(super) struct SentFields(pub(super) Vec<(String, String)>);

impl SentFields {
    /// Reads the query of an address.
    pub(super) fn of_query(query: &str) -> SentFields {
        SentFields(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// Returns a field. An empty field counts as none.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str());
        found.filter(|value| !value.is_empty())
    }
}

impl FromRequest for SentFields {
    type Error = actix_web::Error;
    type Future = LocalBoxFuture<'static, Result<SentFields, actix_web::Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let is_form = kind.split(';').next() == Some("application/x-www-form-urlencoded");
        let is_known = request.extensions().contains::<CurrentSession>();
        let most = if is_known { LARGEST } else { LARGEST_OF_OTHERS };
        let payload = payload.take();
        Box::pin(async move {
            if !is_form {
                return Err(ErrorUnsupportedMediaType("only forms are taken here"));
            }
            let body = timeout(WITHIN, read(payload, most)).await.map_err(|_| ErrorRequestTimeout("too slow"))??;
            Ok(SentFields(form_urlencoded::parse(&body).into_owned().collect()))
        })
    }
}

async fn read(mut payload: Payload, most: usize) -> Result<Vec<u8>, actix_web::Error> {
    let mut body = Vec::new();
    while let Some(piece) = payload.next().await {
        let piece = piece?;
        if body.len() + piece.len() > most {
            return Err(ErrorPayloadTooLarge("this form is too large"));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}
