//! The model of a request whose name is an alias.

use std::sync::Arc;

use super::ClientRequest;
use crate::proxy::client_request::alias::AliasedModels;
use crate::scheduler::AdmissionError;
use crate::upstream::Endpoint;

impl ClientRequest {
    /// Takes the asked name for an alias of these models. Begins with the first.
    pub fn use_alias(&mut self, models: Arc<[Arc<str>]>) {
        if let Some(first) = models.first().cloned() {
            let alias = std::mem::replace(&mut self.profile.model, first);
            self.alias = Some(Box::new(AliasedModels::new(alias, models)));
        }
    }

    /// Returns the name that the client wrote.
    pub(in crate::proxy) fn asked_model(&self) -> &Arc<str> {
        self.alias.as_ref().map_or(&self.profile.model, |alias| alias.alias())
    }

    /// Returns the name that answers get as their model, if not the upstream's.
    pub(in crate::proxy) fn echo(&self) -> Option<Arc<str>> {
        self.echo_model.then(|| self.asked_model().clone())
    }

    /// Returns the models behind the name, if it is an alias.
    pub(in crate::proxy) fn alias(&mut self) -> Option<&mut AliasedModels> {
        self.alias.as_deref_mut()
    }

    /// Returns whether no other model is left for the request.
    pub(in crate::proxy) fn is_last_resort(&self) -> bool {
        self.alias.as_ref().is_none_or(|alias| alias.is_last_resort())
    }

    /// Returns whether the alias has a model that was not tried yet.
    pub(in crate::proxy) fn has_next_model(&self) -> bool {
        self.alias.as_ref().is_some_and(|alias| alias.has_next())
    }

    /// Returns the pool's refusal: of all models, if the name is an alias.
    pub(in crate::proxy) fn refusal_of_all(&self, last: AdmissionError) -> AdmissionError {
        match (last, &self.alias) {
            (
                AdmissionError::ModelNotFound(_)
                | AdmissionError::OtherFormat { .. }
                | AdmissionError::ClosedToKey(_)
                | AdmissionError::NoneAvailable { .. },
                Some(alias),
            ) => alias.refusal_of_all(),
            (last, _) => last,
        }
    }

    /// Returns the name of the model for an upstream, if there is another than the client's.
    pub(in crate::proxy) fn sent_model<'a>(&'a self, endpoint: &'a Endpoint) -> Option<&'a Arc<str>> {
        // There is no name to change.
        if self.profile.model.is_empty() {
            return None;
        }
        let of_alias = self.alias.as_ref().map(|alias| alias.alias());
        let renamed = || of_alias.filter(|alias| **alias != self.profile.model).map(|_| &self.profile.model);
        endpoint.upstream_model(&self.profile.model).or_else(renamed)
    }
}
