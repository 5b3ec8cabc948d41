//! The table: what an upstream answers, and what is made of the answer.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Value, json};

use super::wire::{Ending, Wire};
use crate::helpers::{Reply, Step};

/// One odd answer.
pub struct Case {
    pub name: &'static str,
    /// Is a stream asked for?
    pub stream: bool,
    pub reply: fn(&Wire) -> Reply,
    /// With a good upstream behind.
    pub expected: Expected,
    /// The status without another upstream, if it is worth a look.
    pub alone: Option<u16>,
    /// The counted tokens of the odd upstream.
    pub tokens: Option<RangeInclusive<u64>>,
}

#[derive(Clone, Copy)]
pub enum Expected {
    /// The odd upstream's answer is shown, whole.
    Served,
    /// The good upstream's answer is shown.
    MovedOn,
    /// The odd upstream's own refusal, unchanged.
    Passed(u16),
    /// The beginning of the odd upstream's answer, and then an error.
    ErrorEvent,
}

use Expected::{ErrorEvent, MovedOn, Passed, Served};

const fn whole(name: &'static str, expected: Expected, reply: fn(&Wire) -> Reply) -> Case {
    Case { name, stream: false, reply, expected, alone: None, tokens: None }
}

const fn stream(name: &'static str, expected: Expected, reply: fn(&Wire) -> Reply) -> Case {
    Case { name, stream: true, reply, expected, alone: None, tokens: None }
}

impl Case {
    const fn alone(mut self, status: u16) -> Case {
        self.alone = Some(status);
        self
    }

    const fn tokens(mut self, from: u64, to: u64) -> Case {
        self.tokens = Some(RangeInclusive::new(from, to));
        self
    }
}

fn counted(wire: &Wire, prompt: &Value, completion: &Value) -> Reply {
    Reply::json(200, &wire.whole("odd", Ending::Normal, &wire.usage(prompt, completion)))
}

fn labelled(label: &str, body: &str) -> Reply {
    let headers: &[(&str, &str)] = if label.is_empty() { &[] } else { &[("content-type", label)] };
    Reply::text(200, headers, body)
}

fn sound(wire: &Wire) -> String {
    wire.whole("odd", Ending::Normal, &wire.usage(&json!(3), &json!(4))).to_string()
}

fn refusal(wire: &Wire, status: u16, kind: &str, message: &str) -> Reply {
    Reply::json(status, &wire.error(kind, message))
}

fn ended(wire: &Wire, prompt: &Value, completion: &Value) -> Reply {
    let usage = wire.usage(prompt, completion);
    Reply::events(&[&[wire.frames(), wire.word("odd"), wire.finish(Ending::Normal, &usage), wire.stop()].concat()])
}

pub static CASES: &[Case] = &[
    // Counts.
    whole("a sound answer", Served, |wire| counted(wire, &json!(3), &json!(4))).tokens(7, 7),
    whole("zeros beside a text", Served, |wire| counted(wire, &json!(0), &json!(0))).tokens(10, 200),
    whole("counts as text, and with a fraction", Served, |wire| counted(wire, &json!("30"), &json!(4.5)))
        .tokens(35, 35),
    whole("a negative count", Served, |wire| counted(wire, &json!(-1), &json!(40))).tokens(50, 240),
    whole("no usage", Served, |wire| Reply::json(200, &wire.whole("odd", Ending::Normal, &Value::Null)))
        .tokens(10, 200),
    stream("a sound stream", Served, |wire| ended(wire, &json!(3), &json!(4))).tokens(7, 7),
    stream("zeros at the end of a stream", Served, |wire| ended(wire, &json!(0), &json!(0))).tokens(4, 200),
    stream("odd counts at the end of a stream", Served, |wire| ended(wire, &json!("30"), &json!(4.5))).tokens(35, 35),
    // Labels.
    whole("JSON with the label of a text", Served, |wire| labelled("text/plain", &sound(wire))),
    whole("JSON without a label", Served, |wire| labelled("", &sound(wire))),
    whole("JSON behind a byte order mark", Served, |wire| {
        labelled("application/json", &format!("\u{feff}{}", sound(wire)))
    }),
    whole("a coding that is none", Served, |wire| Reply::text(200, &[("content-encoding", "none")], &sound(wire))),
    whole("events in the place of an object", MovedOn, |wire| Reply::events(&[&wire.stream("odd")])).alone(200),
    stream("events with the label of JSON", Served, |wire| labelled("application/json", &wire.stream("odd"))),
    stream("events without a label", Served, |wire| labelled("", &wire.stream("odd"))),
    stream("an object in the place of events", Served, |wire| labelled("application/json", &sound(wire))),
    stream("an object with the label of events", Served, |wire| labelled("text/event-stream", &sound(wire))),
    // Nothing.
    whole("an empty body", MovedOn, |_| labelled("application/json", "")).alone(502),
    whole("an empty object", MovedOn, |_| labelled("application/json", "{}")).alone(502),
    whole("null", MovedOn, |_| labelled("application/json", "null")).alone(502),
    whole("a page", MovedOn, |_| labelled("text/html", "<html>odd</html>")).alone(502),
    whole("an answer of another API", MovedOn, |_| labelled("application/json", r#"{"object":"list","data":[]}"#)),
    whole("a text of nothing", MovedOn, |wire| {
        Reply::json(200, &wire.whole("", Ending::Normal, &wire.usage(&json!(3), &json!(0))))
    }),
    stream("a stream without an event", MovedOn, |_| Reply::events(&[])).alone(502),
    stream("nothing but a frame, and an end", MovedOn, |wire| {
        let usage = wire.usage(&json!(3), &json!(0));
        Reply::events(&[&[wire.frames(), wire.finish(Ending::Normal, &usage), wire.stop()].concat()])
    })
    .alone(502),
    stream("nothing but comments", MovedOn, |_| Reply::events(&[": wait\n\n", ": wait\n\n"])),
    // Cuts.
    whole("an object cut by the connection", MovedOn, |wire| {
        Reply::raw(format!("HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n{}", sound(wire)))
    })
    .alone(502),
    whole("half an object", MovedOn, |wire| labelled("application/json", &sound(wire)[..40])),
    stream("a cut before the first content", MovedOn, |wire| {
        Reply::stream(vec![Step::chunk(wire.frames().as_bytes())], false)
    }),
    stream("a first event of half JSON", MovedOn, |wire| {
        let half = wire.word("odd");
        Reply::events(&[&format!("{}\n\n", half.trim_end().trim_end_matches('}'))])
    }),
    stream("a cut behind content", ErrorEvent, |wire| {
        Reply::stream(
            vec![
                Step::chunk([wire.frames(), wire.word("odd")].concat().as_bytes()),
                Step::Pause(Duration::from_millis(20)),
            ],
            false,
        )
    }),
    stream("an end without an end mark or a reason", ErrorEvent, |wire| {
        Reply::events(&[&[wire.frames(), wire.word("odd")].concat()])
    }),
    stream("an end with a reason and without a mark", Served, |wire| {
        let usage = wire.usage(&json!(3), &json!(4));
        Reply::events(&[&[wire.frames(), wire.word("odd"), wire.finish(Ending::Normal, &usage)].concat()])
    }),
    stream("silence behind a frame", MovedOn, |wire| {
        Reply::stream(vec![Step::chunk(wire.frames().as_bytes()), Step::Pause(Duration::from_secs(10))], false)
    }),
    // Reasons to finish.
    whole("a bound", Served, |wire| Reply::json(200, &wire.whole("odd", Ending::Bound, &Value::Null))),
    whole("a failure as the reason", MovedOn, |wire| Reply::json(200, &wire.whole("", Ending::Failure, &Value::Null))),
    stream("a failure as the reason of a stream", MovedOn, |wire| {
        Reply::events(&[&[wire.frames(), wire.finish(Ending::Failure, &Value::Null), wire.stop()].concat()])
    }),
    stream("a failure as the reason behind content", ErrorEvent, |wire| {
        Reply::events(&[
            &[wire.frames(), wire.word("odd"), wire.finish(Ending::Failure, &Value::Null), wire.stop()].concat()
        ])
    }),
    stream("a reason of nothing", ErrorEvent, |wire| {
        Reply::events(&[&[wire.frames(), wire.word("odd"), wire.finish(Ending::Open, &Value::Null)].concat()])
    }),
    // Errors in a success.
    whole("an error in a 200", MovedOn, |wire| refusal(wire, 200, "api_error", "odd")).alone(502),
    whole("an overload in a 200", MovedOn, |wire| refusal(wire, 200, "overloaded_error", "odd")).alone(502),
    stream("an error as the first event", MovedOn, |wire| Reply::events(&[&wire.error_event("overloaded_error")]))
        .alone(502),
    stream("an error behind a frame", MovedOn, |wire| {
        Reply::events(&[&[wire.frames(), wire.error_event("api_error")].concat()])
    }),
    stream("an error behind content", ErrorEvent, |wire| {
        Reply::events(&[&[wire.frames(), wire.word("odd"), wire.error_event("overloaded_error")].concat()])
    }),
    // Refusals.
    whole("a wrong request", Passed(400), |wire| refusal(wire, 400, "invalid_request_error", "messages: odd")),
    whole("a request that is too large", Passed(413), |wire| refusal(wire, 413, "request_too_large", "odd")),
    stream("a wrong request for a stream", Passed(400), |wire| {
        refusal(wire, 400, "invalid_request_error", "messages: odd")
    }),
    whole("no money", MovedOn, |wire| {
        refusal(wire, 400, "invalid_request_error", "Your credit balance is too low to access the odd API.")
    })
    .alone(502),
    whole("a refused key", MovedOn, |wire| refusal(wire, 401, "authentication_error", "odd")).alone(502),
    whole("an unpaid account", MovedOn, |wire| refusal(wire, 402, "billing_error", "odd")).alone(502),
    whole("a missing permission", MovedOn, |wire| refusal(wire, 403, "permission_error", "odd")).alone(502),
    whole("a missing model", MovedOn, |wire| refusal(wire, 404, "not_found_error", "model: odd")).alone(404),
    whole("a place with nothing", MovedOn, |_| Reply::text(404, &[], "")),
    whole("a page at a wrong place", MovedOn, |_| {
        Reply::text(404, &[("content-type", "text/html")], "<html>odd</html>")
    }),
    whole("a model at its end", MovedOn, |wire| refusal(wire, 410, "not_found_error", "odd")),
    whole("a limit", MovedOn, |wire| refusal(wire, 429, "rate_limit_error", "odd")).alone(429),
    whole("a failure of the server", MovedOn, |wire| refusal(wire, 500, "api_error", "odd")).alone(500),
    whole("an overload", MovedOn, |wire| refusal(wire, 529, "overloaded_error", "odd")).alone(529),
    whole("a redirect", MovedOn, |_| Reply::text(302, &[("location", "https://odd.example/")], "")).alone(502),
    stream("an overload instead of a stream", MovedOn, |wire| refusal(wire, 529, "overloaded_error", "odd")).alone(529),
];
