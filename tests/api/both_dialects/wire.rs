//! A dialect, as far as the table of cases needs one: requests, answers, events and errors.

use serde_json::{Value, json};

use crate::helpers::Reply;

/// A dialect.
pub struct Wire {
    pub path: &'static str,
    pub base_url: &'static str,
    is_anthropic: bool,
}

pub static OPENAI: Wire = Wire { path: "/v1/chat/completions", base_url: "baseUrl", is_anthropic: false };
pub static ANTHROPIC: Wire = Wire { path: "/v1/messages", base_url: "anthropicBaseUrl", is_anthropic: true };

/// How an answer ends.
#[derive(Clone, Copy)]
pub enum Ending {
    Normal,
    /// By a bound.
    Bound,
    /// By a failure of the upstream's, as a reason.
    Failure,
    Open,
}

impl Wire {
    pub fn request(&self, model: &str, stream: bool) -> Value {
        let messages = json!([{ "role": "user", "content": "hello" }]);
        let mut request = json!({ "model": model, "stream": stream, "max_tokens": 100, "messages": messages });
        if stream && !self.is_anthropic {
            // Otherwise the server would ask, and try once more without the wish.
            request["stream_options"] = json!({ "include_usage": true });
        }
        request
    }

    fn reason(&self, ending: Ending) -> Value {
        match (ending, self.is_anthropic) {
            (Ending::Normal, true) => json!("end_turn"),
            (Ending::Normal, false) => json!("stop"),
            (Ending::Bound, true) => json!("max_tokens"),
            (Ending::Bound, false) => json!("length"),
            (Ending::Failure, _) => json!("network_error"),
            (Ending::Open, _) => Value::Null,
        }
    }

    /// Counts of a prompt and an answer, as they stand in a usage.
    pub fn usage(&self, prompt: &Value, completion: &Value) -> Value {
        if self.is_anthropic {
            json!({ "input_tokens": prompt, "output_tokens": completion })
        } else {
            json!({ "prompt_tokens": prompt, "completion_tokens": completion })
        }
    }

    /// A whole answer.
    pub fn whole(&self, text: &str, ending: Ending, usage: &Value) -> Value {
        let reason = self.reason(ending);
        if self.is_anthropic {
            json!({
                "id": "msg_1", "type": "message", "role": "assistant", "model": "m",
                "content": [{ "type": "text", "text": text }], "stop_reason": reason, "usage": usage,
            })
        } else {
            let message = json!({ "role": "assistant", "content": text });
            json!({
                "id": "c", "object": "chat.completion", "model": "m", "usage": usage,
                "choices": [{ "index": 0, "message": message, "finish_reason": reason }],
            })
        }
    }

    /// The events before any content.
    pub fn frames(&self) -> String {
        if self.is_anthropic {
            let message = json!({ "id": "msg_1", "type": "message", "role": "assistant", "content": [],
                "usage": { "input_tokens": 3, "output_tokens": 1 } });
            let block = json!({ "index": 0, "content_block": { "type": "text", "text": "" } });
            [
                event("message_start", json!({ "message": message })),
                event("ping", json!({})),
                event("content_block_start", block),
            ]
            .concat()
        } else {
            chunk(&json!([{ "index": 0, "delta": { "role": "assistant", "content": "" } }]), &Value::Null)
        }
    }

    /// An event with a piece of text.
    pub fn word(&self, text: &str) -> String {
        if self.is_anthropic {
            event("content_block_delta", json!({ "index": 0, "delta": { "type": "text_delta", "text": text } }))
        } else {
            chunk(&json!([{ "index": 0, "delta": { "content": text } }]), &Value::Null)
        }
    }

    /// The events with the reason to finish, and the usage.
    pub fn finish(&self, ending: Ending, usage: &Value) -> String {
        let reason = self.reason(ending);
        if self.is_anthropic {
            [
                event("content_block_stop", json!({ "index": 0 })),
                event("message_delta", json!({ "delta": { "stop_reason": reason }, "usage": usage })),
            ]
            .concat()
        } else {
            chunk(&json!([{ "index": 0, "delta": {}, "finish_reason": reason }]), usage)
        }
    }

    /// The event that ends a stream.
    pub fn stop(&self) -> String {
        if self.is_anthropic { event("message_stop", json!({})) } else { "data: [DONE]\n\n".to_owned() }
    }

    /// A whole stream with this text.
    pub fn stream(&self, text: &str) -> String {
        let usage = self.usage(&json!(3), &json!(4));
        [self.frames(), self.word(text), self.finish(Ending::Normal, &usage), self.stop()].concat()
    }

    /// An event with an error of this type.
    pub fn error_event(&self, kind: &str) -> String {
        let name = if self.is_anthropic { "event: error\n" } else { "" };
        format!("{name}data: {}\n\n", self.error(kind, "odd"))
    }

    /// The body of an error.
    pub fn error(&self, kind: &str, message: &str) -> Value {
        if self.is_anthropic {
            json!({ "type": "error", "error": { "type": kind, "message": message } })
        } else {
            json!({ "error": { "message": message, "type": kind, "param": null, "code": null } })
        }
    }

    pub fn good(&self, stream: bool, text: &str) -> Reply {
        if stream {
            return Reply::events(&[&self.stream(text)]);
        }
        Reply::json(200, &self.whole(text, Ending::Normal, &self.usage(&json!(3), &json!(4))))
    }

    /// The body that a reply of the table has, if it is an error.
    pub fn error_of(&self, reply: fn(&Wire) -> Reply) -> String {
        let bytes = reply(self).bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
    }

    /// The text of an answer.
    pub fn text(&self, stream: bool, body: &str) -> String {
        let objects = if stream { events(body) } else { serde_json::from_str(body).into_iter().collect() };
        let pointers: &[&str] = match (self.is_anthropic, stream) {
            (true, true) => &["/delta/text"],
            (true, false) => &["/content/0/text"],
            (false, true) => &["/choices/0/delta/content"],
            (false, false) => &["/choices/0/message/content"],
        };
        let of = |object: &Value| {
            pointers.iter().filter_map(|at| object.pointer(at)?.as_str().map(str::to_owned)).collect::<String>()
        };
        objects.iter().map(of).collect()
    }

    /// Whether clients of the dialect find an error in a body or a stream.
    pub fn has_error(&self, body: &str) -> bool {
        let objects: Vec<Value> = match serde_json::from_str(body) {
            Ok(object) => vec![object],
            Err(_) => events(body),
        };
        objects.iter().any(|object| self.is_error(object))
    }

    fn is_error(&self, object: &Value) -> bool {
        object["error"]["message"].is_string()
            && object["error"]["type"].is_string()
            && (!self.is_anthropic || object["type"] == "error")
    }

    /// Whether the last event is an error, in the place where clients look for one.
    pub fn ends_in_an_error(&self, body: &str) -> bool {
        let last = body.trim_end().rsplit("\n\n").next().unwrap_or_default();
        let is_named = !self.is_anthropic || last.starts_with("event: error\n");
        is_named && events(body).last().is_some_and(|last| self.is_error(last))
    }
}

/// An event of Anthropic's.
fn event(name: &str, mut data: Value) -> String {
    data["type"] = json!(name);
    format!("event: {name}\ndata: {data}\n\n")
}

/// A chunk of OpenAI's.
fn chunk(choices: &Value, usage: &Value) -> String {
    let chunk = json!({ "id": "c", "object": "chat.completion.chunk", "choices": choices, "usage": usage });
    format!("data: {chunk}\n\n")
}

/// The JSON objects in the data of all events.
fn events(body: &str) -> Vec<Value> {
    let data = body.lines().filter_map(|line| line.strip_prefix("data: "));
    data.filter_map(|data| serde_json::from_str(data).ok()).collect()
}
