//! The ids of objects in any JSON: which a request names, and which an answer shows.
//!
//! 1. A member with one of a dialect's names holds an id, or a list of ids, at any depth. An object there is named by
//!    its `id`. Requests about objects name by more names than others ([`IdFields::of_objects`]).
//! 2. Some names hold an id or a word of everybody's (`skill_id`: `skill_1` or `pdf`). A prefix tells.
//! 3. What a client or a tool may fill with anything (`metadata`, arguments, schemas) is left out.
//! 4. Most chats name nothing: a search for a word finds out before anything is read.

mod reader;

use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde::Deserialize;
use serde::de::IgnoredAny;
use url::form_urlencoded;

pub(crate) use self::reader::IdPlace;
use self::reader::{Wanted, ids_in, is_id};
use super::reply_kind::ReplyKind;
use super::scanned_body::ScannedBody;
use super::{Dialect, WholeAnswer};
use crate::types::ObjectKey;

/// The words without which a body names no object.
pub(crate) type Needles = LazyLock<Vec<Finder<'static>>>;

/// In a chat.
pub(super) static CHAT_IDS: Needles = LazyLock::new(|| needles(&["\"file_id\""]));

/// In a request of the Responses API.
pub(super) static RESPONSES_IDS: Needles =
    LazyLock::new(|| needles(&["\"file_id", "\"vector_store_ids\"", "\"container"]));

/// In a request for speech: the id of a voice that was made.
pub(super) static SPEECH_IDS: Needles = LazyLock::new(|| needles(&["\"voice_"]));

/// In a message of Anthropic's API.
pub(super) static MESSAGES_IDS: Needles = LazyLock::new(|| needles(&["\"file_id\"", "\"container\""]));

/// The most ids of one request that count.
pub(crate) const MAX_NAMED: usize = 32;

/// The most ids of one answer that are remembered.
const MAX_LEARNED: usize = 256;

/// Which members of JSON hold ids.
#[derive(Debug)]
pub(crate) struct IdFields {
    /// In requests.
    pub(crate) naming: &'static [&'static str],
    /// In requests about objects, beside those.
    pub(crate) of_objects: &'static [&'static str],
    /// In all of them: a name, and how ids begin there.
    pub(crate) prefixed: &'static [(&'static str, &'static str)],
    /// In answers.
    pub(crate) learned: &'static [&'static str],
    /// Left out, with all below.
    pub(crate) skipped: &'static [&'static str],
}

fn needles(words: &[&'static str]) -> Vec<Finder<'static>> {
    words.iter().map(|word| Finder::new(*word)).collect()
}

/// Returns whether one of the words stands in a body.
pub(crate) fn is_found(needles: &Needles, body: ScannedBody<'_>) -> bool {
    body.parts().any(|part| needles.iter().any(|needle| needle.find(part).is_some()))
}

/// Returns the objects that a body names.
pub(crate) fn named_ids(dialect: &dyn Dialect, body: &[u8]) -> Vec<ObjectKey> {
    ids_in(body, named_anywhere(dialect)).keys
}

/// Returns each place where a body names an object.
pub(crate) fn id_places(dialect: &dyn Dialect, body: &[u8]) -> Vec<IdPlace> {
    ids_in(body, named_anywhere(dialect)).places
}

fn named_anywhere(dialect: &dyn Dialect) -> Wanted {
    let &IdFields { naming, prefixed, skipped, .. } = dialect.id_fields();
    Wanted { fields: [naming, &[]], prefixed, skipped, most: MAX_NAMED }
}

/// Returns the objects that the body of a request about objects names.
pub(crate) fn named_beside(dialect: &dyn Dialect, body: &[u8]) -> Vec<ObjectKey> {
    let &IdFields { naming, of_objects, prefixed, skipped, .. } = dialect.id_fields();
    ids_in(body, Wanted { fields: [naming, of_objects], prefixed, skipped, most: MAX_NAMED }).keys
}

/// Returns the objects that a query names.
pub(crate) fn named_in_query(dialect: &dyn Dialect, query: &str) -> Vec<ObjectKey> {
    let &IdFields { naming, of_objects, .. } = dialect.id_fields();
    let is_named = |name: &str| naming.contains(&name) || of_objects.contains(&name);
    let parts = form_urlencoded::parse(query.as_bytes());
    let named = parts.filter(|(name, id)| is_named(name.trim_end_matches("[]")) && is_id(id));
    named.map(|(_, id)| ObjectKey::of_id(&id)).take(MAX_NAMED).collect()
}

/// Returns the objects that an answer shows, if such an answer is about objects.
pub(crate) fn learned_ids(dialect: &dyn Dialect, answer: WholeAnswer<'_>) -> Vec<ObjectKey> {
    if answer.kind != ReplyKind::Object {
        return Vec::new();
    }
    let &IdFields { learned, prefixed, skipped, .. } = dialect.id_fields();
    ids_in(answer.body, Wanted { fields: [learned, &[]], prefixed, skipped, most: MAX_LEARNED }).keys
}

/// Returns whether an answer about an object is an error, and no object with an error.
pub(crate) fn is_error_alone(answer: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Members {
        error: Option<IgnoredAny>,
        id: Option<IgnoredAny>,
        object: Option<IgnoredAny>,
        data: Option<IgnoredAny>,
    }
    answer.starts_with(b"{")
        && serde_json::from_slice(answer).is_ok_and(|members: Members| {
            members.error.is_some() && members.id.is_none() && members.object.is_none() && members.data.is_none()
        })
}

#[cfg(test)]
mod tests {
    use super::super::anthropic::Anthropic;
    use super::super::openai::OpenAi;
    use super::*;

    fn keys(ids: &[&str]) -> Vec<ObjectKey> {
        ids.iter().map(|id| ObjectKey::of_id(id)).collect()
    }

    #[test]
    fn a_body_names_objects_by_the_names_of_its_members_at_any_depth() {
        for (body, ids) in [
            (r#"{"input_file_id":"file-1","endpoint":"/v1/chat/completions"}"#, &["file-1"][..]),
            (r#"{"training_file":"file-1","validation_file":"file-2","model":"m"}"#, &["file-1", "file-2"]),
            (r#"{"messages":[{"content":[{"type":"file","file":{"file_id":"file-1"}}]}]}"#, &["file-1"]),
            (r#"{"tools":[{"type":"file_search","vector_store_ids":["vs_1","vs_2"]}]}"#, &["vs_1", "vs_2"]),
            (r#"{"tool_resources":{"code_interpreter":{"file_ids":["file-1"]}}}"#, &["file-1"]),
            (r#"{"tools":[{"type":"code_interpreter","container":"cntr_1"}]}"#, &["cntr_1"]),
            (r#"{"container":{"type":"auto","file_ids":["file-1"]}}"#, &["file-1"]),
            (r#"{"conversation":{"id":"conv_1"}}"#, &["conv_1"]),
            (r#"{"data_source":{"source":{"id":"file-1","type":"file_id"}}}"#, &["file-1"]),
            (r#"{"file_id":"file\u002d1"}"#, &["file-1"]),
            (r#"{"file_ids":["file-1","file-1"]}"#, &["file-1"]),
            (r#"{"metadata":{"file_id":"file-1"},"id":"x"}"#, &[]),
            (r#"{"tools":[{"function":{"parameters":{"properties":{"file_id":{"type":"string"}}}}}]}"#, &[]),
            (r#"{"content":"\"file_id\":\"file-1\""}"#, &[]),
            (r#"{"file_id":null,"file_ids":[1,true,{"x":"y"}],"assistant_id":""}"#, &[]),
            (r#"[1"#, &[]),
        ] {
            assert_eq!(named_ids(&OpenAi, body.as_bytes()), keys(ids), "{body}");
        }
        let tool = br#"{"messages":[{"content":[{"type":"tool_use","input":{"file_id":"a"}},{"source":{"file_id":"file_1"}}]}]}"#;
        assert_eq!(named_ids(&Anthropic, tool), keys(&["file_1"]));
        let many: Vec<String> = (0..100).map(|i| format!("\"f{i}\"")).collect();
        let body = format!(r#"{{"file_ids":[{}]}}"#, many.join(","));
        assert_eq!(named_ids(&OpenAi, body.as_bytes()).len(), MAX_NAMED);
    }

    #[test]
    fn the_places_of_ids_are_those_between_the_quotes_wherever_an_id_binds() {
        let body = r#"{"metadata":{"file_id":"file-1"},"input":[{"type":"input_file","file_id":"file-1"},
            {"text":"file-1","file_id" : "file-1"},{"file_ids":["file-2","file\u002d1"]}]}"#;
        let places = id_places(&OpenAi, body.as_bytes());
        let found: Vec<Option<&str>> = places.iter().map(|place| Some(&body[place.at.clone()?])).collect();
        assert_eq!(found, [Some("file-1"), Some("file-1"), Some("file-2"), None]);
        let of = |id: &str| ObjectKey::of_id(id);
        let objects: Vec<ObjectKey> = places.iter().map(|place| place.object).collect();
        assert_eq!(objects, [of("file-1"), of("file-1"), of("file-2"), of("file-1")]);
        let starts: Vec<usize> = places.iter().filter_map(|place| Some(place.at.clone()?.start)).collect();
        assert!(starts.is_sorted() && starts[0] > body.find("input_file").expect("there"), "{starts:?}");
    }

    #[test]
    fn an_answer_shows_its_own_id_and_those_of_what_it_made() {
        let batch = br#"{"id":"batch_1","object":"batch","input_file_id":"file-1","output_file_id":"file-2",
            "error_file_id":null,"metadata":{"id":"no"},"request_counts":{"total":1}}"#;
        let answer = WholeAnswer { kind: ReplyKind::Object, body: batch, prompt_bytes: 0 };
        assert_eq!(learned_ids(&OpenAi, answer), keys(&["batch_1", "file-1", "file-2"]));
        assert_eq!(learned_ids(&OpenAi, WholeAnswer { kind: ReplyKind::Json, ..answer }), []);
    }

    #[test]
    fn a_query_names_objects_likewise() {
        let named = |query| named_in_query(&OpenAi, query);
        assert_eq!(named("limit=2&run_id=run_1&file_ids[]=file-1&after=x"), keys(&["run_1", "file-1"]));
        assert_eq!(named("run_id=run%5F1"), keys(&["run_1"]));
        assert_eq!(named("run_id=&limit=20"), []);
    }
}
