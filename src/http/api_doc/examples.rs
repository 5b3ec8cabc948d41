//! docs/api-examples.md: a command for each row of the route table. tests/api/examples.rs runs them all.

use std::fmt::Write;

use super::bodies::{ANTHROPIC_BODIES, GEMINI_BODIES, OPENAI_BODIES};
use crate::dialect::{Route, SocketUse, all_routes};
use crate::types::{Verb, WireFormat};

const BEGINNING: &str = "\
# An example for each path

This page is made from the program's own tables, as [api.md](api.md) is. A test runs each command, and looks at what reaches the account.

```sh
POOL=http://localhost:3001 KEY=sk-123
```
";

/// Ids as providers write them, by the part of the path in front. Any other is made of that part.
const IDS: &[(&str, &str)] = &[
    ("batches", "batch_abc123"),
    ("characters", "char_abc123"),
    ("chat/completions", "chatcmpl-abc123"),
    ("conversations", "conv_abc123"),
    ("files", "file-abc123"),
    ("fine_tuning/jobs", "ftjob-abc123"),
    ("fine_tuning/checkpoints", "ft:gpt-4o-mini:org::abc123"),
    ("messages", "msg_abc123"),
    ("models", "ft:gpt-4o-mini:org::abc123"),
    ("realtime/calls", "rtc_abc123"),
    ("responses", "resp_abc123"),
    ("vector_stores", "vs_abc123"),
];

/// The models of Gemini's paths.
const MODEL: &str = "gemini-2.5-flash";
const EMBEDDING_MODEL: &str = "gemini-embedding-001";

/// Returns the page.
pub(super) fn page() -> String {
    let mut page = BEGINNING.to_owned();
    let mut groups: Vec<String> = Vec::new();
    for heading in all_routes().filter(is_over_http).map(heading) {
        if !groups.contains(&heading) {
            groups.push(heading);
        }
    }
    for group in groups {
        let rows = all_routes().filter(is_over_http).filter(|route| heading(route) == group);
        let commands: Vec<String> = rows.map(command).collect();
        let _ = write!(page, "\n## {group}\n\n```sh\n{}\n```\n", commands.join("\n\n"));
    }
    page
}

/// Returns whether a row is asked by a request, and not by a WebSocket alone.
fn is_over_http(route: &&'static Route) -> bool {
    !matches!(route.websocket, Some(SocketUse::Realtime(_)))
}

/// Returns the link to the example of a row.
pub(super) fn link(route: &'static Route) -> String {
    if !is_over_http(&route) {
        return "[more](endpoints.md#realtime)".to_owned();
    }
    format!("[curl](api-examples.md#{})", heading(route).to_lowercase().replace(' ', "-"))
}

/// Returns the heading of a row's group: the first part of the path, and whose format the group has, if not OpenAI's.
fn heading(route: &Route) -> String {
    let group = route.id.path().split('/').next().unwrap_or_default();
    match route.id.format() {
        WireFormat::OpenAi => group.to_owned(),
        WireFormat::Anthropic => format!("{group} of {}", route.dialect.name()),
        WireFormat::Gemini => format!("models of {}", route.dialect.name()),
    }
}

fn command(route: &Route) -> String {
    let query = match route.objects.list {
        Some(_) => "?limit=2",
        None if route.is_stream => "?alt=sse",
        None => "",
    };
    let key = match route.id.format() {
        WireFormat::OpenAi => r#"-H "authorization: Bearer $KEY""#,
        WireFormat::Anthropic => r#"-H "x-api-key: $KEY" -H "anthropic-version: 2023-06-01""#,
        WireFormat::Gemini => r#"-H "x-goog-api-key: $KEY""#,
    };
    let url = format!(r#""$POOL{}{}{query}" {key}"#, route.id.root(), called(route.id.path()));
    match (route.id.verb(), body(route)) {
        (Verb::Get, _) => format!("curl {url}"),
        (Verb::Post, Some(json)) if json.starts_with('{') => format!("curl {url} \\\n  -d '{json}'"),
        (Verb::Post, Some(form)) => {
            let fields: Vec<String> = form.split("; ").map(|field| format!("-F '{field}'")).collect();
            format!("curl {url} \\\n  {}", fields.join(" "))
        }
        (verb, _) => format!("curl -X {} {url}", verb.as_str()),
    }
}

fn body(route: &Route) -> Option<&'static str> {
    let bodies = match route.id.format() {
        WireFormat::OpenAi => OPENAI_BODIES,
        WireFormat::Anthropic => ANTHROPIC_BODIES,
        WireFormat::Gemini => GEMINI_BODIES,
    };
    let own = bodies.iter().find(|(path, _)| route.id.verb() == Verb::Post && *path == route.id.path());
    own.map(|(_, body)| *body)
}

/// Returns a path as called, with ids.
fn called(path: &str) -> String {
    let mut called = String::new();
    for part in path.split('/') {
        let front = if called.is_empty() { "" } else { "/" };
        let part = match part {
            "{id}" => id_behind(&called),
            "{version}" => "1".to_owned(),
            part => part.replace("{model}", if part.contains("mbed") { EMBEDDING_MODEL } else { MODEL }),
        };
        let _ = write!(called, "{front}{part}");
    }
    called
}

fn id_behind(path: &str) -> String {
    match IDS.iter().find(|(front, _)| path.ends_with(front)) {
        Some((_, id)) => (*id).to_owned(),
        None => format!("{}_abc123", path.rsplit('/').next().unwrap_or_default().trim_end_matches('s')),
    }
}

#[test]
fn each_body_belongs_to_a_row_and_each_row_that_makes_something_has_one() {
    for (format, bodies) in [
        (WireFormat::OpenAi, OPENAI_BODIES),
        (WireFormat::Anthropic, ANTHROPIC_BODIES),
        (WireFormat::Gemini, GEMINI_BODIES),
    ] {
        for (path, body) in bodies {
            let is_own = |route: &&Route| route.id.format() == format && route.id.path() == *path;
            let mut rows = all_routes().filter(is_own).filter(|route| route.id.verb() == Verb::Post);
            let row = rows.next().unwrap_or_else(|| panic!("{path} is no row"));
            if body.starts_with('{') {
                assert!(serde_json::from_str::<serde_json::Value>(body).is_ok(), "{path}: {body}");
            } else {
                assert!(row.takes_forms && body.contains('='), "{path}: {body}");
            }
        }
    }
    let makes = |route: &&Route| route.id.verb() == Verb::Post && !route.id.path().contains('{');
    for route in all_routes().filter(makes) {
        assert!(body(route).is_some(), "{}", route.id);
    }
}
