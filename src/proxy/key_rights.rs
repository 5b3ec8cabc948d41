//! What a client's key may ask for.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::header::{AUTHORIZATION, HeaderValue};

use super::client_request::ClientRequest;
use super::dispatch::refuse;
use super::headers;
use crate::config::{Affinity, ApiKey, KeyConfig};
use crate::dialect::ModelPlace;
use crate::error::KeyRefusal;
use crate::keys::KeyAdmissionError;
use crate::records::OpenRecord;
use crate::types::{ApiId, NameList, ObjectKey, SessionHash};

impl ClientRequest {
    /// Bounds a request by the rights of its key: the model by the name in the request (an alias counts by the alias's own name),
    /// and the APIs. To be called before the models of an alias are known.
    ///
    /// # Errors
    /// When the model is not among the key's.
    pub fn use_key(&mut self, key: &KeyConfig) -> Result<(), KeyRefusal> {
        let model = &self.profile.model;
        if model.is_empty() {
            if let Some(models) = key.models.as_ref().filter(|_| self.route.objects.is_blind && !self.has_secret()) {
                return Err(KeyRefusal::ModelUnseen {
                    key: key.name.clone(),
                    allowed: models.iter().collect::<Vec<_>>().join(", "),
                });
            }
            self.profile.apis.clone_from(&key.apis);
            return Ok(());
        }
        check_model(key, model)?;
        self.profile.apis.clone_from(&key.apis);
        self.models.clone_from(&key.models);
        Ok(())
    }

    /// Checks the rights of what is open again: since the begin, the key may have lost the model or the account.
    ///
    /// # Errors
    /// When one of both is not among the key's.
    pub fn check_rights(&self, key: &KeyConfig, api: &ApiId) -> Result<(), KeyRefusal> {
        let model = self.asked_model();
        if !model.is_empty() {
            check_model(key, model)?;
        }
        let is_closed = key.apis.as_ref().is_some_and(|apis| !apis.has(api.as_str()));
        if is_closed { Err(KeyRefusal::NoApiAllowed(String::new())) } else { Ok(()) }
    }

    /// Bounds a request for an unknown path to the account of all such requests.
    ///
    /// # Errors
    /// When the account is closed to the key.
    pub fn pass_to(&mut self, api: Option<&ApiId>) -> Result<(), KeyRefusal> {
        let Some(api) = api.filter(|_| self.route.model == ModelPlace::Unread) else { return Ok(()) };
        if !self.profile.may_use(api) {
            return Err(KeyRefusal::NoApiAllowed(String::new()));
        }
        self.profile.apis = Some(Arc::new(NameList::only(api.as_str())));
        Ok(())
    }

    /// Chooses the session whose upstream is preferred. With affinity off no session counts. What makes an object goes by the key, if no
    /// session is named: objects that are used together live together.
    pub fn choose_session(&mut self, key: &KeyConfig, affinity: Affinity) {
        let named = self.profile.session.filter(|_| affinity != Affinity::Off);
        let by_key = || SessionHash::of(key.name.as_str().as_bytes());
        self.profile.session = named.or_else(|| self.route.objects.makes.then(by_key));
    }
}

impl ClientRequest {
    /// Returns whether the request came in by a secret: the model was known when the secret was made.
    fn has_secret(&self) -> bool {
        self.headers.iter().any(|(name, _)| *name == AUTHORIZATION)
    }

    /// Binds a request to the account that made its secret, and sends the secret up in the place of the account's key.
    pub fn use_secret(&mut self, secret: &ApiKey) {
        let at = self.objects.firm;
        self.objects.objects.insert(at, ObjectKey::of_id(secret.expose()));
        self.objects.firm += 1;
        if let Ok(mut bearer) = HeaderValue::try_from(format!("Bearer {}", secret.expose())) {
            bearer.set_sensitive(true);
            self.headers.push((AUTHORIZATION, bearer));
        }
    }
}

/// Checks that a key may use a model.
fn check_model(key: &KeyConfig, model: &str) -> Result<(), KeyRefusal> {
    match key.models.as_ref().filter(|models| !models.has(model)) {
        Some(models) => Err(KeyRefusal::ModelNotAllowed {
            key: key.name.clone(),
            model: model.to_owned(),
            allowed: models.iter().collect::<Vec<_>>().join(", "),
        }),
        None => Ok(()),
    }
}

/// Returns whether a client's key is still in force at this wall time (ms).
///
/// # Errors
/// When the key is over or disabled.
pub fn key_in_force(key: &KeyConfig, now: impl FnOnce() -> i64) -> Result<(), KeyRefusal> {
    match key.expires {
        Some(end) if end <= now() => Err(KeyRefusal::Expired { key: key.name.clone(), end }),
        Some(_) | None if !key.enabled => Err(KeyRefusal::Disabled(key.name.clone())),
        Some(_) | None => Ok(()),
    }
}

/// Answers a request that the key's own limits refuse.
pub fn refuse_by_limits(error: KeyAdmissionError, record: &mut OpenRecord) -> HttpResponse {
    let rate = error.rate();
    let mut response = refuse(error.into(), record);
    headers::set_rate_limit(response.headers_mut(), rate);
    response
}
