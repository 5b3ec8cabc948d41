//! Errors in place of an answer, within a success, for the dialect. The one place where the
//! dialect knows how errors are classified.

use super::classify::error_in_200;
use super::no_model::Asked;
use super::told::Told;
use crate::dialect::SentRequest;
use crate::types::Failure;

/// An error in a 200, or in an event.
#[derive(Debug)]
pub(crate) struct FoundError {
    /// The meaning of the error.
    pub(crate) failure: Failure,
    /// Whether the error stands where OpenAI's clients look for errors.
    pub(crate) is_openai_shaped: bool,
}

/// Returns the error in the body of a success, or in the data of an event. `named`: the event is called an error, so that
/// all data is about an error.
pub(crate) fn error_in(data: &[u8], named: bool, sent: SentRequest<'_>) -> Option<FoundError> {
    let told = Told::in_answer(data).or_else(|| named.then(|| Told::in_refusal(data)))?;
    let failure = error_in_200(&told, Asked { model: sent.model, client: sent.body });
    Some(FoundError { failure, is_openai_shaped: told.in_its_place })
}
