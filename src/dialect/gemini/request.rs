//! What a body of Gemini's format says to the proxy. The model stands in the path, and some bodies name the model as well.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialect::reply_kind::ReplyKind;
use crate::dialect::scanned_body::ScannedBody;
use crate::dialect::token_estimate::{CompletionBounds, estimate};
use crate::types::TokenEstimate;

/// The members of interest. Google reads both spellings.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GeminiFields<'a> {
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    /// Of a count of tokens.
    #[serde(borrow, alias = "generate_content_request")]
    generate_content_request: Option<&'a RawValue>,
    /// Of several embeddings.
    #[serde(borrow)]
    requests: Option<&'a RawValue>,
    #[serde(borrow, alias = "generation_config")]
    generation_config: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct NestedRequest<'a> {
    #[serde(borrow)]
    model: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct GenerationConfig<'a> {
    #[serde(borrow, alias = "max_output_tokens")]
    max_output_tokens: Option<&'a RawValue>,
    #[serde(borrow, alias = "candidate_count")]
    candidate_count: Option<&'a RawValue>,
}

/// A body.
#[derive(Debug)]
pub(crate) struct GeminiRequest<'a> {
    /// All names of models, as they stand there.
    pub(crate) models: Vec<&'a RawValue>,
    /// What the request may cost.
    pub(crate) estimate: TokenEstimate,
}

impl<'a> GeminiRequest<'a> {
    /// Reads a body, which must be an object.
    ///
    /// # Errors
    /// When the body is no valid JSON.
    pub(crate) fn read(kind: ReplyKind, body: ScannedBody<'a>) -> Result<Self, serde_json::Error> {
        let fields: GeminiFields<'a> = serde_json::from_str(body.text())?;
        let whole: NestedRequest<'a> = fields.generate_content_request.map(nested).unwrap_or_default();
        let several: Vec<NestedRequest<'a>> = fields.requests.map(nested).unwrap_or_default();
        let named = [fields.model, whole.model].into_iter().chain(several.iter().map(|request| request.model));
        let models = named.flatten().filter(|model| model.get() != "null").collect();
        let config: GenerationConfig<'a> = fields.generation_config.map(nested).unwrap_or_default();
        let typed = |value: Option<&'a RawValue>| value.map_or("null", RawValue::get);
        let tokens = [typed(config.max_output_tokens), "null", "null"];
        let bounds = CompletionBounds { tokens, n: typed(config.candidate_count) };
        Ok(GeminiRequest { models, estimate: estimate(kind, body, bounds) })
    }
}

/// Reads a member. One of another form names nothing, and the upstream will say so.
fn nested<'a, T: Default + Deserialize<'a>>(raw: &'a RawValue) -> T {
    serde_json::from_str(raw.get()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_a_model_is_found_and_the_bound_in_both_spellings() {
        for (body, models, longest) in [
            (r#"{"contents":[{"parts":[{"text":"\"model\":1"}]}]}"#, &[][..], None),
            (r#"{"model":"models/m","generationConfig":{"maxOutputTokens":70}}"#, &[r#""models/m""#], Some(70)),
            (r#"{"generation_config":{"max_output_tokens":70,"candidate_count":2}}"#, &[], Some(140)),
            (r#"{"generateContentRequest":{"model":"m","contents":[]}}"#, &[r#""m""#], None),
            (
                r#"{"requests":[{"model":"a"},{"content":{"model":"no"}},{"model":null},{"model":"b"}]}"#,
                &[r#""a""#, r#""b""#],
                None,
            ),
            (r#"{"requests":7,"generationConfig":[],"model":null}"#, &[], None),
        ] {
            let request = GeminiRequest::read(ReplyKind::Generation, ScannedBody::new(body)).expect("valid");
            let found: Vec<&str> = request.models.iter().map(|model| model.get()).collect();
            assert_eq!((found.as_slice(), request.estimate.longest), (models, longest), "{body}");
        }
        assert!(GeminiRequest::read(ReplyKind::Generation, ScannedBody::new(r#"{"contents":"#)).is_err());
    }
}
