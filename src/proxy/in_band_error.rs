//! The errors of upstreams as the dialect needs them: what a success tells in place of an answer. The one place where the
//! dialect knows how errors are classified.

use super::classify::error_in_200;
use super::no_model::Asked;
use super::told::Told;
use crate::dialect::SentRequest;
use crate::types::Failure;

/// An error that came with a 200, or as an event.
#[derive(Debug)]
pub(crate) struct FoundError {
    /// What it means.
    pub(crate) failure: Failure,
    /// Whether it stands where OpenAI's clients look for it.
    pub(crate) is_openai_shaped: bool,
}

/// Returns the error in the body of a success, or in the data of an event. `named`: the event is called an error, so that
/// all of its data is about one.
pub(crate) fn error_in(data: &[u8], named: bool, sent: SentRequest<'_>) -> Option<FoundError> {
    let told = Told::in_answer(data).or_else(|| named.then(|| Told::in_refusal(data)))?;
    let failure = error_in_200(&told, Asked { model: sent.model, client: sent.body });
    Some(FoundError { failure, is_openai_shaped: told.in_its_place })
}
