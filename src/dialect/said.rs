//! The text of a chat's answer and the words of an error, for a person at a terminal. Pure.

use serde_json::Value;

use super::openai::error_body::ErrorBody;
use super::redact::redacted_error;
use super::sse::{EventCutter, data};
use crate::config::ApiKey;

/// So much of an error's words is shown, in characters.
const LONGEST_WORDS: usize = 300;

/// Where events and objects have their text, in OpenAI's format and Anthropic's.
const TEXTS: [&str; 4] =
    ["/choices/0/delta/content", "/choices/0/message/content", "/delta/text", "/content_block/text"];

/// Where events and objects name the model.
const MODELS: [&str; 3] = ["/model", "/message/model", "/modelVersion"];

/// What one event or object says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) text: String,
    /// The name of the model, by the upstream.
    pub(crate) model: Option<String>,
}

/// Reads the text out of a stream, in pieces of any size.
#[derive(Debug)]
pub(crate) struct SaidInStream {
    buffer: Vec<u8>,
    cutter: EventCutter,
}

impl SaidInStream {
    pub(crate) fn new() -> Self {
        SaidInStream { buffer: Vec::new(), cutter: EventCutter::new() }
    }

    /// Returns what the events say that end in this piece.
    pub(crate) fn feed(&mut self, piece: &[u8]) -> Said {
        self.buffer.extend_from_slice(piece);
        let mut said = Said::default();
        while let Some(end) = self.cutter.next_end(&self.buffer) {
            let event: Vec<u8> = self.buffer.drain(..end).collect();
            let of_event = data(&event).map(|data| said_in(&data)).unwrap_or_default();
            said.text.push_str(&of_event.text);
            said.model = said.model.or(of_event.model);
        }
        said
    }
}

/// Returns what an object, or the data of an event, says.
pub(crate) fn said_in(json: &[u8]) -> Said {
    let object: Value = serde_json::from_slice(json).unwrap_or_default();
    let text_at = |place: &str| object.pointer(place).and_then(Value::as_str);
    let blocks = object.get("content").and_then(Value::as_array).into_iter().flatten();
    let of_blocks: String = blocks.filter_map(|block| block.get("text")?.as_str()).collect();
    // Of Gemini's parts, thoughts are not said.
    let parts = object.pointer("/candidates/0/content/parts").and_then(Value::as_array).into_iter().flatten();
    let said_parts = parts.filter(|part| part.get("thought") != Some(&Value::Bool(true)));
    let of_parts: String = said_parts.filter_map(|part| part.get("text")?.as_str()).collect();
    let text = TEXTS.iter().find_map(|place| text_at(place)).map_or(of_blocks + &of_parts, str::to_owned);
    let model = MODELS.iter().find_map(|place| text_at(place)).map(shown);
    Said { text: text.chars().filter(|c| !c.is_control() || *c == '\n').collect(), model }
}

/// Returns an error's words for people, without the key; `None` if there are none.
pub(crate) fn words_of_error(body: &[u8], key: &ApiKey) -> Option<String> {
    let event = data(body).map(|data| data.into_owned());
    let message = ErrorBody::from_error_response(event.as_deref().unwrap_or(body)).message;
    let message = redacted_error(message.into_bytes().into(), key);
    let words = shown(String::from_utf8_lossy(&message).trim());
    (!words.is_empty()).then_some(words)
}

/// Returns a text on one line, and not too long.
fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_WORDS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_found_in_both_formats_however_it_is_cut() {
        let said = |text: &str, model: Option<&str>| Said { text: text.to_owned(), model: model.map(str::to_owned) };
        for (json, wanted) in [
            (r#"{"model":"m","choices":[{"delta":{"content":"Hi"}}]}"#, said("Hi", Some("m"))),
            (r#"{"choices":[{"message":{"content":"a\u001b[2Jb"}}]}"#, said("a[2Jb", None)),
            (r#"{"type":"message_start","message":{"model":"c","content":[]}}"#, said("", Some("c"))),
            (r#"{"type":"content_block_delta","delta":{"type":"text_delta","text":"Hi"}}"#, said("Hi", None)),
            (r#"{"model":"c","content":[{"type":"text","text":"Hi"}]}"#, said("Hi", Some("c"))),
            (
                r#"{"candidates":[{"content":{"parts":[{"text":"hm","thought":true},{"text":"Hi"}]}}],"modelVersion":"g"}"#,
                said("Hi", Some("g")),
            ),
            ("[DONE]", said("", None)),
        ] {
            assert_eq!(said_in(json.as_bytes()), wanted, "{json}");
        }
        let stream = b"data: {\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"H\"}}]}\n\n: x\n\n\
            data: {\"choices\":[{\"delta\":{\"content\":\"i\"}}]}\n\ndata: [DONE]\n\n";
        for size in [1, 7, stream.len()] {
            let mut reader = SaidInStream::new();
            let text: String = stream.chunks(size).map(|piece| reader.feed(piece).text).collect();
            assert_eq!(text, "Hi");
        }
    }

    #[test]
    fn an_errors_words_are_shown_without_the_key() {
        let key = ApiKey::new("sk-secret-0123");
        for (body, words) in [
            (r#"{"error":{"message":"bad key sk-secret-0123\nhelp"}}"#, Some("bad key *** help")),
            (r#"{"type":"error","error":{"type":"x","message":"no credit"}}"#, Some("no credit")),
            ("data: {\"error\":{\"message\":\"late\"}}\n\n", Some("late")),
            ("Not Found", Some("Not Found")),
            ("<html>", None),
            ("{}", None),
        ] {
            assert_eq!(words_of_error(body.as_bytes(), &key).as_deref(), words, "{body}");
        }
    }
}
