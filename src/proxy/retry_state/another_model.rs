//! From one model of an alias to another.

use super::RetryState;
use crate::proxy::client_request::ClientRequest;
use crate::proxy::client_request::alias::{AliasedModels, NextModel};
use crate::scheduler::AdmissionError;
use crate::types::Now;

impl RetryState<'_> {
    /// Passes over a model of an alias that no upstream can serve. Returns whether another model is asked for.
    pub(in crate::proxy) fn pass_over_model(&mut self, request: &mut ClientRequest, refused: &AdmissionError) -> bool {
        let is_about_the_model = match refused {
            AdmissionError::ModelNotFound(_)
            | AdmissionError::OtherFormat { .. }
            | AdmissionError::ClosedToKey(_)
            | AdmissionError::NoneAvailable { .. } => true,
            AdmissionError::NotInTime | AdmissionError::Overloaded | AdmissionError::Stopping => false,
        };
        let Some(alias) = request.alias().filter(|_| is_about_the_model) else { return false };
        let next = alias.pass_over(refused.clone(), self.excluded.clone(), Now::read_mono());
        self.go_on_with(request, next)
    }

    /// Goes on with the next model of the alias, of which there is one.
    pub(in crate::proxy) fn go_on_with_next_model(&mut self, request: &mut ClientRequest) {
        let next = request.alias().and_then(AliasedModels::next);
        self.go_on_with(request, next);
    }

    /// Goes on with a model of an alias. Returns whether there is one.
    fn go_on_with(&mut self, request: &mut ClientRequest, next: Option<NextModel>) -> bool {
        let Some(NextModel { model, excluded }) = next else { return false };
        request.profile.model = model;
        self.excluded = excluded;
        self.without_stream_options = None;
        self.suspicions.clear();
        true
    }
}
