//! The members of OpenAI's objects with a meaning for the proxy. All others are skipped, not copied.

use serde::de::value::MapAccessDeserializer;
use serde::de::{IgnoredAny, MapAccess, SeqAccess};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::finish::Finish;
use crate::dialect::IdFields;
use crate::dialect::json_text::{TextLength, is_hollow, plain_text};
use crate::dialect::lenient::{Lenient, lenient};
use crate::dialect::usage::ReportedUsage;

/// What names objects that live on one account.
pub(super) static ID_FIELDS: IdFields = IdFields {
    naming: &[
        "assistant_id",
        "batch_id",
        "container",
        "container_id",
        "conversation",
        "eval_id",
        "file_id",
        "file_ids",
        "input_file_id",
        "previous_response_id",
        "run_id",
        "thread_id",
        "training_file",
        "validation_file",
        "vector_store_id",
        "vector_store_ids",
        "video_id",
    ],
    of_objects: &["agent_id", "consent", "environment_id", "environment_template_id", "session_id", "vault_ids"],
    prefixed: &[("skill_id", "skill_"), ("voice", "voice_")],
    learned: &[
        "agent_id",
        "assistant_id",
        "container_id",
        "conversation",
        "environment_id",
        "error_file_id",
        "eval_id",
        "file_id",
        "file_ids",
        "id",
        "input_file_id",
        "output_file_id",
        "result_files",
        "run_id",
        "session_id",
        "thread_id",
        "training_file",
        "validation_file",
        "vector_store_id",
        "vector_store_ids",
    ],
    skipped: &["arguments", "metadata", "parameters", "schema"],
};

/// The members of a whole answer, or of one event of a stream.
#[derive(Deserialize)]
pub(super) struct TopLevel<'a> {
    error: Option<IgnoredAny>,
    errors: Option<IgnoredAny>,
    #[serde(rename = "Error")]
    capital_error: Option<IgnoredAny>,
    message: Option<IgnoredAny>,
    detail: Option<IgnoredAny>,
    msg: Option<IgnoredAny>,
    success: Option<IgnoredAny>,
    error_msg: Option<IgnoredAny>,
    error_code: Option<IgnoredAny>,
    base_resp: Option<IgnoredAny>,
    #[serde(borrow)]
    object: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(default)]
    pub(super) choices: Choices,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(super) usage: Option<&'a RawValue>,
    /// Groq's own member: the usage of a stream stands within.
    #[serde(borrow)]
    pub(super) x_groq: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(super) output: Option<&'a RawValue>,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) response: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) item: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) part: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) delta: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) text: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    results: Option<&'a RawValue>,
    #[serde(borrow)]
    embeddings: Option<&'a RawValue>,
    #[serde(borrow)]
    images: Option<&'a RawValue>,
    #[serde(borrow)]
    pages: Option<&'a RawValue>,
}

/// States of a response that has failed.
pub(super) const FAILED_STATUSES: [&str; 3] = ["failed", "cancelled", "canceled"];

/// Reads a present member, even null.
fn present<'de, D: Deserializer<'de>>(field: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(field).map(Some)
}

impl TopLevel<'_> {
    /// Returns whether an error may stand here: then all members are worth reading.
    pub(super) fn may_tell_an_error(&self) -> bool {
        let of_errors = [self.error, self.errors, self.capital_error, self.error_msg, self.error_code, self.base_resp];
        let of_words = [self.message, self.detail, self.msg, self.success];
        of_errors.iter().chain(&of_words).any(Option::is_some)
            || self.object.is_some_and(|object| object.get() == r#""error""#)
            || ["error", "response.failed"].contains(&self.kind())
            || self.choices.has_error
    }

    /// Returns whether one of the lists of answers holds something: vectors, images, pages, or verdicts.
    pub(super) fn has_a_full_list(&self) -> bool {
        let lists = [self.data, self.results, self.embeddings, self.images, self.pages, self.output];
        let is_full = |list: &&RawValue| list.get().starts_with('[') && !is_hollow(list.get());
        lists.iter().flatten().any(is_full) || self.choices.text > 0
    }

    /// Returns the `type`, or nothing.
    pub(super) fn kind(&self) -> &str {
        plain_text(self.kind)
    }

    /// Returns the `status`, or nothing.
    pub(super) fn status(&self) -> &str {
        plain_text(self.status)
    }
}

/// Returns whether this JSON is null, or a list or object without anything in it.
pub(super) fn is_nothing(json: &[u8]) -> bool {
    let inside = |open: u8, close: u8| json.strip_prefix(&[open]).and_then(|rest| rest.strip_suffix(&[close]));
    json == b"null" || inside(b'[', b']').or(inside(b'{', b'}')).is_some_and(|inside| inside.trim_ascii().is_empty())
}

/// The form of a `choices` member.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ChoicesForm {
    #[default]
    Missing,
    /// Null, or an empty list.
    Empty,
    /// A list of objects, or of null, without any of the members that choices have.
    Bare,
    /// A list of choices.
    List,
    /// Anything else.
    Unknown,
}

/// What the choices of an answer, or of a chunk, say together.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Choices {
    pub(super) form: ChoicesForm,
    /// The bytes of text.
    pub(super) text: usize,
    /// The reason with the most weight.
    pub(super) finish: Finish,
    /// Whether an error stands in one of the choices.
    has_error: bool,
    /// A usage within a choice, as Moonshot writes usage.
    pub(super) usage: ReportedUsage,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Choice<'a> {
    delta: Option<TextLength>,
    message: Option<TextLength>,
    text: Option<TextLength>,
    finish_reason: Option<Finish>,
    error: Option<IgnoredAny>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

/// An entry of the choices; `None` if the entry is no object.
#[derive(Default)]
struct ChoiceItem<'a>(Option<Choice<'a>>);

impl<'de> Lenient<'de> for ChoiceItem<'de> {
    fn from_null() -> Self {
        ChoiceItem(Some(Choice::default()))
    }

    fn from_object<A: MapAccess<'de>>(members: A) -> Result<Self, A::Error> {
        Choice::deserialize(MapAccessDeserializer::new(members)).map(|choice| ChoiceItem(Some(choice)))
    }
}

impl<'de> Deserialize<'de> for ChoiceItem<'de> {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        lenient(value)
    }
}

impl<'de> Lenient<'de> for Choices {
    fn from_scalar() -> Self {
        Choices { form: ChoicesForm::Unknown, ..Choices::default() }
    }

    fn from_null() -> Self {
        Choices { form: ChoicesForm::Empty, ..Choices::default() }
    }

    fn from_list<A: SeqAccess<'de>>(mut entries: A) -> Result<Self, A::Error> {
        let mut all = Choices { form: ChoicesForm::Empty, ..Choices::default() };
        while let Some(ChoiceItem(choice)) = entries.next_element()? {
            let Some(choice) = choice else {
                all.form = ChoicesForm::Unknown;
                continue;
            };
            let pieces = [choice.delta, choice.message, choice.text];
            let is_bare = pieces.iter().all(Option::is_none) && choice.finish_reason.is_none();
            all.form = all.form.max(if is_bare { ChoicesForm::Bare } else { ChoicesForm::List });
            all.text += pieces.iter().flatten().map(|text| text.0).sum::<usize>();
            all.finish = all.finish.max(choice.finish_reason.unwrap_or_default());
            all.has_error |= choice.error.is_some();
            all.usage.update(ReportedUsage::of_member(choice.usage));
        }
        Ok(all)
    }
}

impl<'de> Deserialize<'de> for Choices {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        lenient(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Choices {
        serde_json::from_str(json).expect(json)
    }

    #[test]
    fn choices_are_read_whatever_stands_in_them() {
        for (json, form, text, finish) in [
            ("null", ChoicesForm::Empty, 0, Finish::Open),
            ("[]", ChoicesForm::Empty, 0, Finish::Open),
            ("[{}]", ChoicesForm::Bare, 0, Finish::Open),
            ("[null]", ChoicesForm::Bare, 0, Finish::Open),
            (r#"[{"index":0},{"message":null}]"#, ChoicesForm::Bare, 0, Finish::Open),
            (r#"[{"delta":null,"message":{},"text":""}]"#, ChoicesForm::List, 0, Finish::Open),
            (r#"[{"delta":{"role":"assistant","content":"","tool_calls":null}}]"#, ChoicesForm::List, 0, Finish::Open),
            (
                r#"[{"delta":{"content":"ab"}},{"delta":{"refusal":"c"},"finish_reason":"length"}]"#,
                ChoicesForm::List,
                3,
                Finish::Limited,
            ),
            (r#"[{"text":"ab","finish_reason":"stop"},{"finish_reason":""}]"#, ChoicesForm::List, 2, Finish::Stopped),
            ("[[]]", ChoicesForm::Unknown, 0, Finish::Open),
            ("7", ChoicesForm::Unknown, 0, Finish::Open),
            (r#"{"a":[1]}"#, ChoicesForm::Unknown, 0, Finish::Open),
            (r#"["a",true,{"text":"b"}]"#, ChoicesForm::Unknown, 1, Finish::Open),
        ] {
            let choices = read(json);
            assert_eq!((choices.form, choices.text, choices.finish), (form, text, finish), "{json}");
        }
    }

    #[test]
    fn a_usage_and_an_error_within_a_choice_are_seen() {
        let choices = read(r#"[{"delta":{},"usage":{"total_tokens":9}},{"error":{"code":1}}]"#);
        assert_eq!((choices.usage.total, choices.has_error), (Some(9), true));
        assert!(!read(r#"[{"error":null}]"#).has_error);
    }
}
