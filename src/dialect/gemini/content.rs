//! What one `GenerateContentResponse` says, be it whole or a piece of a stream.
//!
//! 1. A part with some text, a thought, a call or data is content. A signature alone is not.
//! 2. `STOP` ends an answer. Any other `finishReason` ends an answer, too, and tells the client why no more text comes.
//! 3. A `blockReason` ends an answer before its first word: the prompt itself was refused.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::usage;
use crate::dialect::billed::searches;
use crate::dialect::json_text::{TextLength, plain_text};
use crate::dialect::openai::finish::Finish;
use crate::dialect::usage::ReportedUsage;

/// The reasons that say nothing.
const UNSPECIFIED: [&str; 2] = ["FINISH_REASON_UNSPECIFIED", "BLOCK_REASON_UNSPECIFIED"];

/// The members with a meaning for the proxy.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ContentFields<'a> {
    #[serde(borrow, default)]
    candidates: Option<Vec<AnswerCandidate<'a>>>,
    #[serde(borrow)]
    prompt_feedback: Option<PromptFeedback<'a>>,
    #[serde(borrow)]
    usage_metadata: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnswerCandidate<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    finish_reason: Option<&'a RawValue>,
    #[serde(borrow)]
    grounding_metadata: Option<&'a RawValue>,
}

/// What an answer is grounded on.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct GroundingMetadata<'a> {
    #[serde(borrow)]
    web_search_queries: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PromptFeedback<'a> {
    #[serde(borrow)]
    block_reason: Option<&'a RawValue>,
}

impl ContentFields<'_> {
    /// Returns how much text there is.
    pub(super) fn text(&self) -> usize {
        let contents = self.candidates.iter().flatten().filter_map(|candidate| candidate.content);
        contents.map(|content| TextLength::of(content.get())).sum()
    }

    /// Returns how the answer ended, if it did.
    pub(super) fn finish(&self) -> Finish {
        let reasons = self.candidates.iter().flatten().map(|candidate| finish(candidate.finish_reason));
        let block = self.prompt_feedback.as_ref().and_then(|feedback| feedback.block_reason);
        reasons.max().unwrap_or_default().max(finish(block))
    }

    /// Returns the report of the tokens, and the searches in the web that the answer names.
    pub(super) fn usage(&self) -> ReportedUsage {
        let grounded = self.candidates.iter().flatten().filter_map(|candidate| candidate.grounding_metadata);
        let queries = grounded.map(queries).sum();
        ReportedUsage { billed: searches(queries), ..usage::read(self.usage_metadata) }
    }
}

/// Returns the number of queries that were sent to the web.
fn queries(grounding: &RawValue) -> u64 {
    let grounding: GroundingMetadata<'_> = serde_json::from_str(grounding.get()).unwrap_or_default();
    let queries =
        grounding.web_search_queries.and_then(|list| serde_json::from_str::<Vec<IgnoredAny>>(list.get()).ok());
    queries.map_or(0, |queries| queries.len() as u64)
}

fn finish(reason: Option<&RawValue>) -> Finish {
    let reason = plain_text(reason);
    if UNSPECIFIED.contains(&reason) {
        return Finish::Open;
    }
    match Finish::of_text(reason) {
        Finish::Stopped if !reason.eq_ignore_ascii_case("STOP") => Finish::Limited,
        finish @ (Finish::Open | Finish::Stopped | Finish::Limited | Finish::Failed) => finish,
    }
}
