//! docs/api.md and docs/api-examples.md, made from the tables of routes, endpoints and errors. `UPDATE_DOCS=1 cargo
//! test --lib api_doc` writes the files; without the variable the test compares.

mod bodies;
mod examples;

use std::fmt::Write;
use std::path::Path;

use super::endpoints::{OWN_ENDPOINTS, OwnMethod};
use crate::dialect::{ModelPlace, ReplyKind, Route, all_routes};
use crate::error::ERRORS;
use crate::types::{BilledUnit, UnitNames};

const BEGINNING: &str = "\
# HTTP API

This page is made from the program's own tables (`UPDATE_DOCS=1 cargo test --lib api_doc`), and a test holds it.

Base URL: `http://HOST:PORT/v1`, or `http://HOST:PORT` for Anthropic's and Gemini's clients. The key is needed below `/v1`, `/v1beta` and
`/v1alpha`. A base URL typed otherwise is answered as if right: `/v1` missing or twice, doubled slashes, a slash at the end, Azure's
`/openai/v1` and `/openai/deployments/NAME`.

## Forwarded endpoints

The body goes upstream as it is, except the model's name where the upstream has another. So does the query, byte for byte, except `key`.
A body with `input` and without `messages` that comes to `/v1/chat/completions` is served as `/v1/responses` (Cursor sends such bodies).
Streams: `stream: true` in the body is answered with server-sent events.

Objects (files, batches, responses, threads …) live on the account that made them, their *home*. An id in the path, in
the query or in the body binds a request to the home. An id that is not known yet is asked for at each account in turn.
An object that names no other is made on the account of the client's session, else of the client's key. Ids in
`metadata` bind nothing, and two homes at once are a 409. Every key that may use an account sees all objects there.
With `server.replicateFiles` a file goes to the account that needs the file ([files](endpoints.md#files)).

A list of *all accounts* is ordered by time of creation, account and id. `limit` (20), `after`, `before` and `order` are
OpenAI's; `limit`, `after_id` or `page`, and `before_id` Anthropic's. If an account fails, `x-api-together-partial` names the account,
and the list is that of the others. What counts, counts against `rpm` and `rpd`; what is free counts against no limit.
A unit behind that is [billed beside tokens](usage.md#billed-beside-tokens).

A name in braces other than `{id}` means something within the object alone. What belongs to the administration of an organization has no row
(OpenAI's `/v1/organization`, `/v1/projects` and webhooks, Anthropic's `/v1/organizations` and `/v1/compliance`): an account of the pool has no rights there.

Gemini's paths may begin with `/v1/` or `/v1alpha/`, too, or with no version. A stream without `alt=sse` in the query is a JSON list
([gemini.md](gemini.md)).

Any other path below `/v1/` is a 404, or goes to the account of `server.passthrough` as it is.

| Method | Path | Dialect | Goes by | Counts | Streams | WebSocket | The upstream needs | Example |
|---|---|---|---|---|---|---|---|---|
";

const OWN: &str = "
## The pool's own endpoints

| Method | Path | Query | |
|---|---|---|---|
";

const ERRORS_HEAD: &str = "
## Errors

An error of the pool's own has the form of the path's dialect. The last column is what the answer says about another try.

| Status | `type` | `code` | When | Another try |
|---|---|---|---|---|
";

const END: &str = "
| as the upstream | `invalid_request_error` | `upstream_refused` | The upstream refused the request (400, …), and the text of its reason did not arrive whole within 64 KiB and 2 s, or came compressed. | as the upstream |

A wait of more than two minutes comes with `x-should-retry: false`, and a 5xx then names no time. The last upstream's own 5xx comes with
`x-should-retry: false`, too, if several upstreams were tried.
";

/// Says which accounts a request goes to.
fn target(route: &Route) -> String {
    let by_model = match route.model {
        ModelPlace::Body => "the model",
        ModelPlace::BodyOrNowhere if route.id.likely_models().is_empty() => "the model, if named",
        ModelPlace::BodyOrNowhere => "the model, else one with such a model",
        ModelPlace::BodyOrSession => "the model, also of `session`, else one with such a model",
        ModelPlace::QueryOrNowhere => "the model in the query, else one with such a model",
        ModelPlace::Path => return "the model in the path".to_owned(),
        ModelPlace::Nowhere | ModelPlace::Unread => "",
    };
    let by_object = if route.objects.list.is_some() {
        "all accounts"
    } else if route.id.path().contains('{') {
        "the object's home"
    } else if route.objects.makes {
        "the home of what is named, else the session's or key's account"
    } else {
        ""
    };
    [by_object, by_model].iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join("; ")
}

/// Says by what requests and answers count.
fn counting(route: &Route) -> String {
    let counts = if route.id.is_free() { "free" } else { "yes" };
    let unit = |unit: &UnitNames| format!("{counts}; {}", unit.column.replace('_', " "));
    let names = BilledUnit::TABLE.iter().find(|names| route.billed == Some(names.unit));
    names.map_or_else(|| counts.to_owned(), unit)
}

fn page() -> String {
    let mut page = BEGINNING.to_owned();
    for route in all_routes() {
        let streams = match route.reply {
            ReplyKind::Chat | ReplyKind::Completion | ReplyKind::Responses | ReplyKind::Messages => "yes",
            ReplyKind::Generation if route.is_stream => "always",
            ReplyKind::Generation => "no",
            ReplyKind::Object => "as the upstream",
            ReplyKind::Json | ReplyKind::Bytes | ReplyKind::Transcript | ReplyKind::File => "no",
        };
        let websocket = if route.websocket.is_some() { "yes" } else { "426" };
        let path = route.id.path();
        let _ = writeln!(
            page,
            "| {} | `{}{path}` | {} | {} | {} | {streams} | {websocket} | `{path}` below `{}` | {} |",
            route.id.verb().as_str(),
            route.id.root(),
            route.dialect.name(),
            target(route),
            counting(route),
            route.id.format().base_url_field(),
            examples::link(route)
        );
    }
    page.push_str(OWN);
    for endpoint in &OWN_ENDPOINTS {
        let method = match endpoint.method {
            OwnMethod::Get => "GET, HEAD",
            OwnMethod::Post => "POST",
        };
        let path = endpoint.path.replace("{id:.+}", "{id}");
        let _ = writeln!(page, "| {method} | `{path}` | {} | {} |", endpoint.query, endpoint.about);
    }
    page.push_str(ERRORS_HEAD);
    let mut rows: Vec<_> = ERRORS.iter().collect();
    rows.sort_by_key(|row| row.status);
    let each = rows.iter().map(|row| {
        let (status, kind, code) = (row.status.as_u16(), row.kind, row.code);
        format!("| {status} | `{kind}` | `{code}` | {} | {} |", row.when, row.again.as_headers())
    });
    page.push_str(&each.collect::<Vec<_>>().join("\n"));
    page.push_str(END);
    page
}

#[test]
fn docs_api_md_and_its_examples_are_made_from_the_tables() {
    for (name, page) in [("docs/api.md", page()), ("docs/api-examples.md", examples::page())] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&file, &page).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        let written = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(written == page, "{name} is old: run UPDATE_DOCS=1 cargo test --lib api_doc");
    }
}
