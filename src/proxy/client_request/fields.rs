//! The members of a body that are looked at.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialect::ModelPlace;
use crate::types::ParameterSet;

/// The fields of interest. Borrowed: a body of many MB is scanned once and copied never.
#[derive(Deserialize)]
pub(super) struct RequestFields<'a> {
    #[serde(borrow)]
    pub(super) model: Option<&'a RawValue>,
    #[serde(default)]
    pub(super) stream: Option<bool>,
    #[serde(borrow, default = "absent")]
    pub(super) max_output_tokens: &'a RawValue,
    #[serde(borrow, default = "absent")]
    pub(super) prompt_cache_key: &'a RawValue,
    #[serde(borrow, default = "absent")]
    pub(super) previous_response_id: &'a RawValue,
    #[serde(borrow, default = "absent")]
    pub(super) conversation: &'a RawValue,
    #[serde(borrow, default = "absent")]
    pub(super) input: &'a RawValue,
    #[serde(borrow, default = "absent")]
    pub(super) messages: &'a RawValue,
    #[serde(borrow, default = "absent")]
    pub(super) session: &'a RawValue,
    #[serde(borrow, default = "absent")]
    pub(super) frequency_penalty: &'a RawValue,
    #[serde(borrow, default = "absent")]
    pub(super) logit_bias: &'a RawValue,
    #[serde(borrow, default = "absent")]
    pub(super) logprobs: &'a RawValue,
    #[serde(borrow, default = "absent")]
    pub(super) max_completion_tokens: &'a RawValue,
    #[serde(borrow, default = "absent")]
    pub(super) max_tokens: &'a RawValue,
    #[serde(borrow, default = "absent")]
    pub(super) metadata: &'a RawValue,
    #[serde(borrow, default = "absent")]
    pub(super) min_p: &'a RawValue,
    #[serde(borrow, default = "absent")]
    pub(super) modalities: &'a RawValue,
    #[serde(borrow, default = "absent")]
    pub(super) n: &'a RawValue,
    #[serde(borrow, default = "absent")]
    pub(super) parallel_tool_calls: &'a RawValue,
    #[serde(borrow, default = "absent")]
    pub(super) presence_penalty: &'a RawValue,
    #[serde(borrow, default = "absent")]
    pub(super) reasoning_effort: &'a RawValue,
    #[serde(borrow, default = "absent")]
    pub(super) response_format: &'a RawValue,
    #[serde(borrow, default = "absent")]
    pub(super) seed: &'a RawValue,
    #[serde(borrow, default = "absent")]
    pub(super) service_tier: &'a RawValue,
    #[serde(borrow, default = "absent")]
    pub(super) stop: &'a RawValue,
    #[serde(borrow, default = "absent")]
    pub(super) store: &'a RawValue,
    #[serde(borrow, default = "absent")]
    pub(super) stream_options: &'a RawValue,
    #[serde(borrow, default = "absent")]
    pub(super) temperature: &'a RawValue,
    #[serde(borrow, default = "absent")]
    pub(super) tool_choice: &'a RawValue,
    #[serde(borrow, default = "absent")]
    pub(super) tools: &'a RawValue,
    #[serde(borrow, default = "absent")]
    pub(super) top_k: &'a RawValue,
    #[serde(borrow, default = "absent")]
    pub(super) top_logprobs: &'a RawValue,
    #[serde(borrow, default = "absent")]
    pub(super) top_p: &'a RawValue,
    #[serde(borrow, default = "absent")]
    pub(super) user: &'a RawValue,
}

/// The configuration of a realtime session.
#[derive(Deserialize)]
struct RealtimeSession<'a> {
    #[serde(borrow)]
    model: Option<&'a RawValue>,
}

/// Returns the model of a realtime session, as it stands.
fn model_in(session: &RawValue) -> Option<&str> {
    let object = Some(session.get()).filter(|json| json.starts_with('{'))?;
    serde_json::from_str::<RealtimeSession<'_>>(object).ok()?.model.map(RawValue::get)
}

/// Stands for a missing member.
pub(super) fn absent() -> &'static RawValue {
    RawValue::NULL
}

impl<'a> RequestFields<'a> {
    /// Returns the model, as it stands at this place.
    pub(super) fn model_at(&self, place: ModelPlace) -> Option<&'a str> {
        match place {
            ModelPlace::Body | ModelPlace::BodyOrNowhere => self.model.map(RawValue::get),
            ModelPlace::BodyOrSession => self.model.map(RawValue::get).or_else(|| model_in(self.session)),
            ModelPlace::Nowhere | ModelPlace::Path | ModelPlace::Unread | ModelPlace::QueryOrNowhere => None,
        }
    }

    /// Returns the optional parameters of the request. Null is none.
    pub(super) fn parameters(&self) -> ParameterSet {
        // In the order of `ParameterSet::NAMES`.
        let members = [
            self.frequency_penalty,
            self.logit_bias,
            self.logprobs,
            self.max_completion_tokens,
            self.max_tokens,
            self.metadata,
            self.min_p,
            self.modalities,
            self.n,
            self.parallel_tool_calls,
            self.presence_penalty,
            self.reasoning_effort,
            self.response_format,
            self.seed,
            self.service_tier,
            self.stop,
            self.store,
            self.stream_options,
            self.temperature,
            self.tool_choice,
            self.tools,
            self.top_k,
            self.top_logprobs,
            self.top_p,
            self.user,
        ];
        ParameterSet::where_true(members.map(|member| member.get() != "null"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_parameter_is_found_by_its_name() {
        for name in ParameterSet::NAMES {
            let found = |body: &str| serde_json::from_str::<RequestFields<'_>>(body).expect("valid").parameters();
            assert_eq!(found(&format!(r#"{{"x":{{"{name}":1}},"{name}":0}}"#)), ParameterSet::of(name).expect("known"));
            assert_eq!(found(&format!(r#"{{"x":{{"{name}":1}},"{name}":null}}"#)), ParameterSet::NONE);
        }
    }
}
