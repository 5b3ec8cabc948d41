//! The objects of the Responses API that live on the account that made them.
//!
//! 1. A request names objects by `previous_response_id`, by `conversation`, and by items of its `input` without content of their own:
//!    a reference, or reasoning by id. Encrypted content is opened by nobody else, and names itself.
//! 2. An item with its content in the request is no reference, even with an id: any account can read the item.
//! 3. An answer makes objects: the response, the items of its output, their encrypted content, and the conversation.
//! 4. Most requests and events name nothing. A scan for two words finds out before anything is parsed.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialect::json_text::TextLength;
use crate::dialect::{NamedObjects, NamingFields, sse};
use crate::types::ObjectKey;

static TYPE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"type\""));
static ID: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"id\""));
static ENCRYPTED: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"encrypted_content\""));

/// The most objects of a request that count, the last ones. All of one request live on one account.
const MAX_NAMED: usize = 32;

/// The most objects of one answer that are remembered.
const MAX_MADE: usize = 256;

/// Events that show a response or an item as a whole.
const MAKERS: [&str; 6] = [
    "response.created",
    "response.output_item.added",
    "response.output_item.done",
    "response.completed",
    "response.incomplete",
    "response.failed",
];

/// An item of a request's input.
#[derive(Deserialize)]
struct InputItem<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    encrypted_content: Option<&'a RawValue>,
    #[serde(default)]
    content: TextLength,
}

/// A response, an item, or an event around one.
#[derive(Deserialize)]
struct MadeObject<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    encrypted_content: Option<&'a RawValue>,
    #[serde(borrow)]
    conversation: Option<&'a RawValue>,
    #[serde(borrow)]
    output: Option<&'a RawValue>,
    #[serde(borrow)]
    response: Option<&'a RawValue>,
    #[serde(borrow)]
    item: Option<&'a RawValue>,
}

/// Returns the objects that a request names, the last one first.
pub(super) fn named(fields: NamingFields<'_>) -> NamedObjects {
    let mut named = Vec::new();
    named.extend(text(fields.previous_response_id).map(|id| ObjectKey::of_id(&id)));
    named.extend(conversation(fields.conversation));
    let firm = named.len();
    let input = fields.input.get();
    if !input.starts_with('[') || !may_name(input) {
        return NamedObjects { objects: named, firm };
    }
    let items: Vec<&RawValue> = serde_json::from_str(input).unwrap_or_default();
    for item in items.iter().rev().map(|item| item.get()).filter(|item| may_name(item)) {
        if named.len() >= MAX_NAMED {
            break;
        }
        named_by_item(item, &mut named);
    }
    NamedObjects { objects: named, firm }
}

/// Returns the objects of a whole answer.
pub(super) fn made(answer: &[u8]) -> Vec<ObjectKey> {
    let mut made = Vec::new();
    if let Ok(response) = serde_json::from_slice::<MadeObject<'_>>(answer) {
        made_by(&response, &mut made);
    }
    made
}

/// Adds the objects of one event.
pub(super) fn made_by_event(event: &[u8], made: &mut Vec<ObjectKey>) {
    // The first type in an event may be an item's.
    let is_other = |name: &str| name.starts_with("response.") && !MAKERS.contains(&name);
    if response_event_name(event).is_none_or(is_other) || ID.find(event).is_none() {
        return;
    }
    let data = sse::data(event).unwrap_or_default();
    let Ok(event) = serde_json::from_slice::<MadeObject<'_>>(&data) else { return };
    for object in [event.response, event.item].into_iter().flatten() {
        if let Ok(object) = serde_json::from_str::<MadeObject<'_>>(object.get()) {
            made_by(&object, made);
        }
    }
}

/// Returns the first `type` in an event of the Responses API. Most events begin with their own.
pub(super) fn response_event_name(event: &[u8]) -> Option<&str> {
    let at = TYPE.find(event)?;
    let behind = event.get(at + TYPE.needle().len()..)?.trim_ascii_start().strip_prefix(b":")?;
    let name = behind.trim_ascii_start().strip_prefix(b"\"")?;
    std::str::from_utf8(name.get(..memchr::memchr(b'"', name)?)?).ok()
}

fn may_name(json: &str) -> bool {
    ID.find(json.as_bytes()).is_some() || ENCRYPTED.find(json.as_bytes()).is_some()
}

fn named_by_item(json: &str, named: &mut Vec<ObjectKey>) {
    let Ok(item) = serde_json::from_str::<InputItem<'_>>(json) else { return };
    let encrypted = item.encrypted_content.and_then(text);
    let is_reasoning = item.kind.is_some_and(|kind| kind.get() == r#""reasoning""#) && item.content.0 == 0;
    if encrypted.is_some() || is_reasoning || TextLength::of(json) == 0 {
        named.extend(item.id.and_then(text).map(|id| ObjectKey::of_id(&id)));
    }
    named.extend(encrypted.map(|content| ObjectKey::of_content(&content)));
}

fn made_by(object: &MadeObject<'_>, made: &mut Vec<ObjectKey>) {
    add(object, made);
    let items: Vec<MadeObject<'_>> =
        object.output.and_then(|output| serde_json::from_str(output.get()).ok()).unwrap_or_default();
    items.iter().for_each(|item| add(item, made));
}

fn add(object: &MadeObject<'_>, made: &mut Vec<ObjectKey>) {
    let id = object.id.and_then(text).map(|id| ObjectKey::of_id(&id));
    let content = object.encrypted_content.and_then(text).map(|content| ObjectKey::of_content(&content));
    for key in [id, content, object.conversation.and_then(conversation)].into_iter().flatten() {
        if made.len() < MAX_MADE && !made.contains(&key) {
            made.push(key);
        }
    }
}

/// Returns the key of a conversation, by its id or as an object.
fn conversation(value: &RawValue) -> Option<ObjectKey> {
    let object = value.get().starts_with('{').then(|| serde_json::from_str::<MadeObject<'_>>(value.get()).ok());
    let id = object.flatten().and_then(|object| object.id).unwrap_or(value);
    text(id).map(|id| ObjectKey::of_id(&id))
}

/// Returns the text of a string, if there is one.
fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    let inside = value.get().strip_prefix('"')?.strip_suffix('"')?;
    let text = match memchr::memchr(b'\\', inside.as_bytes()) {
        None => Cow::Borrowed(inside),
        Some(_) => Cow::Owned(serde_json::from_str(value.get()).ok()?),
    };
    Some(text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).expect("JSON")
    }

    fn of_input(input: &str) -> Vec<ObjectKey> {
        let (nothing, input) = (raw("null"), raw(input));
        named(NamingFields { previous_response_id: &nothing, conversation: &nothing, input: &input }).objects
    }

    fn ids(ids: &[&str]) -> Vec<ObjectKey> {
        ids.iter().map(|id| ObjectKey::of_id(id)).collect()
    }

    #[test]
    fn a_request_names_a_response_and_a_conversation() {
        let nothing = raw("null");
        for (previous, conversation, named_ids) in [
            (r#""resp_1""#, "null", &["resp_1"][..]),
            ("null", r#""conv_1""#, &["conv_1"]),
            ("null", r#"{"id":"conv_\u0031"}"#, &["conv_1"]),
            (r#""""#, r#"{}"#, &[]),
            ("7", "[]", &[]),
        ] {
            let (previous, conversation) = (raw(previous), raw(conversation));
            let fields = NamingFields { previous_response_id: &previous, conversation: &conversation, input: &nothing };
            let named = named(fields);
            assert_eq!((named.firm, named.objects), (named_ids.len(), ids(named_ids)));
        }
    }

    #[test]
    fn items_without_content_of_their_own_are_references() {
        for (input, named_ids) in [
            (r#""what is \"id\"?""#, &[][..]),
            (r#"[{"role":"user","content":"hi"}]"#, &[]),
            (r#"[{"type":"item_reference","id":"msg_1"},{"type":"item_reference","id":"rs_2"}]"#, &["rs_2", "msg_1"]),
            (r#"[{"id":"fc_1"}]"#, &["fc_1"]),
            (r#"[{"type":"reasoning","id":"rs_1","summary":[]}]"#, &["rs_1"]),
            (r#"[{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"so"}]}]"#, &["rs_1"]),
            (r#"[{"type":"reasoning","id":"rs_1","content":[{"type":"reasoning_text","text":"so"}]}]"#, &[]),
            (
                r#"[{"type":"message","id":"msg_1","role":"assistant","content":[{"type":"output_text","text":"a"}]}]"#,
                &[],
            ),
            (r#"[{"type":"function_call","id":"fc_1","call_id":"call_1","name":"f","arguments":"{}"}]"#, &[]),
            (r#"[{"type":"image_generation_call","id":"ig_1","status":"completed"}]"#, &["ig_1"]),
            (r#"[{"type":"item_reference","id":null}, 7, null, "id"]"#, &[]),
            (r#"[{"id":1"#, &[]),
        ] {
            assert_eq!(of_input_text(input), ids(named_ids), "{input}");
        }
    }

    /// Even of an input that is no JSON, as no request has.
    fn of_input_text(input: &str) -> Vec<ObjectKey> {
        RawValue::from_string(input.to_owned()).map(|_| of_input(input)).unwrap_or_default()
    }

    #[test]
    fn encrypted_content_names_itself_and_its_item() {
        let content = ObjectKey::of_content("gAAA/x");
        for (input, keys) in [
            (r#"[{"type":"reasoning","summary":[],"encrypted_content":"gAAA\/x"}]"#, vec![content]),
            (
                r#"[{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"gAAA/x"}]"#,
                vec![ObjectKey::of_id("rs_1"), content],
            ),
            (r#"[{"type":"compaction","encrypted_content":"gAAA/x"}]"#, vec![content]),
            (r#"[{"type":"reasoning","summary":[],"encrypted_content":null}]"#, vec![]),
        ] {
            assert_eq!(of_input(input), keys, "{input}");
        }
    }

    #[test]
    fn of_many_references_the_last_ones_count() {
        let items: Vec<String> = (0..100).map(|i| format!(r#"{{"type":"item_reference","id":"rs_{i}"}}"#)).collect();
        let named = of_input(&format!("[{}]", items.join(",")));
        assert_eq!(named.len(), MAX_NAMED);
        assert_eq!(named.first(), Some(&ObjectKey::of_id("rs_99")));
    }

    #[test]
    fn an_answer_makes_the_response_the_items_their_secrets_and_the_conversation() {
        let response = r#"{"id":"resp_1","object":"response","conversation":{"id":"conv_1"},"output":[
            {"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"secret"},
            {"type":"message","id":"msg_1","content":[{"type":"output_text","text":"a","id":"no"}]}]}"#;
        let mut wanted = ids(&["resp_1", "conv_1", "rs_1"]);
        wanted.extend([ObjectKey::of_content("secret"), ObjectKey::of_id("msg_1")]);
        assert_eq!(made(response.as_bytes()), wanted);
        let event = format!(
            "event: x\ndata: {{\"type\":\"response.completed\",\"response\":{}}}\n\n",
            response.replace('\n', "")
        );
        let mut by_event = Vec::new();
        made_by_event(event.as_bytes(), &mut by_event);
        assert_eq!(by_event, wanted);
        assert_eq!(made(b"[1]"), []);
    }

    #[test]
    fn events_with_a_whole_item_make_objects_and_pieces_make_none() {
        let mut made = Vec::new();
        for event in [
            r#"{"type":"response.created","response":{"id":"resp_1","output":[]}}"#,
            r#"{"type":"response.in_progress","response":{"id":"no"}}"#,
            r#"{"type":"response.output_text.delta","item_id":"no","delta":"\"id\":\"no\""}"#,
            r#"{"item":{"type":"function_call","id":"fc_1"},"type":"response.output_item.added"}"#,
            r#"{"type":"response.output_item.done","item":{"type":"reasoning","id":"rs_1","encrypted_content":"s"}}"#,
            r#"{"type":"response.content_part.done","item_id":"msg_1","part":{"id":"no"}}"#,
            "[DONE]",
        ] {
            made_by_event(format!("data: {event}\n\n").as_bytes(), &mut made);
        }
        let mut wanted = ids(&["resp_1", "fc_1", "rs_1"]);
        wanted.push(ObjectKey::of_content("s"));
        assert_eq!(made, wanted);
    }
}
