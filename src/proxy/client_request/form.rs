//! A request whose body is a form.

use std::sync::Arc;

use actix_web::http::header::{CONTENT_TYPE, HeaderMap};

use super::body::{FormBody, FormSource, RequestBody};
use super::fields::absent;
use super::session::{SessionFields, session_of};
use super::{ClientRequest, InvalidRequest, all_named, checked_model, client_timeout};
use crate::dialect::billed::billed_by_request;
use crate::dialect::scanned_body::ScannedBody;
use crate::dialect::{CalledRoute, ModelPlace, NamedObjects};
use crate::proxy::headers::client_headers;
use crate::proxy::upload::{FormBytes, FormFields, ReceivedForm};
use crate::types::{ObjectKey, ParameterSet, Profile, TokenEstimate};

impl ClientRequest {
    /// Understands a form.
    ///
    /// # Errors
    /// When the form names no model where one is needed.
    pub fn of_form(called: CalledRoute, headers: &HeaderMap, form: ReceivedForm) -> Result<Self, InvalidRequest> {
        let CalledRoute { route, path, ids, .. } = called;
        let ReceivedForm { content_type, fields, bytes } = form;
        let FormFields { model, stream, n } = fields;
        let model = model.filter(|_| route.model != ModelPlace::Nowhere);
        let is_absent = model.is_none();
        let (model, model_at) = model.unwrap_or_default();
        let model = checked_model(route, Some(model.into()), is_absent)?;
        let mut passed = client_headers(headers, route.id.format());
        passed.push((CONTENT_TYPE, content_type));
        let none = absent();
        let session = session_of(&passed, &SessionFields { prompt_cache_key: none, metadata: none, user: none });
        // What is attached costs tokens by its seconds or pixels, not by its bytes.
        let billed = billed_by_request(route.billed, n.as_deref().unwrap_or_default().trim(), none);
        let estimate = TokenEstimate { completion: Some(0), billed, ..TokenEstimate::default() };
        let profile = Profile { model, route: route.id, estimate, session, parameters: ParameterSet::NONE, apis: None };
        let bytes = match bytes {
            FormBytes::Memory(bytes) => FormSource::Memory(bytes),
            FormBytes::Disk(file) => FormSource::Disk(Arc::new(file)),
        };
        Ok(ClientRequest {
            route,
            is_moved: false,
            profile,
            models: None,
            stream,
            in_list: false,
            client_timeout: client_timeout(headers),
            query: String::new(),
            last_id: ids.last().map(|id| ObjectKey::of_id(id)),
            objects: all_named(route, &ids, NamedObjects::default(), ScannedBody::new("{}")),
            path,
            base: None,
            headers: passed,
            alias: None,
            echo_model: false,
            replicates: false,
            files: None,
            body: RequestBody::Form(FormBody { model_at, bytes }),
        })
    }
}
