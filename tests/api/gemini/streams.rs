//! Streams in Gemini's format: as events (`alt=sse`), and as a JSON list.

use serde_json::{Value, json};

use super::{api, asked, client, config, error, generation, tokens_are};
use crate::helpers::{App, KEY, Received, Reply, Response, Step, Upstream};

const EVENTS: &str = "/v1beta/models/gemini-x:streamGenerateContent?alt=sse";
const LIST: &str = "/v1beta/models/gemini-x:streamGenerateContent";

/// A piece of a stream, which counts the tokens so far.
fn piece(text: &str, tokens: u64, finish: Option<&str>) -> Value {
    let mut candidate = json!({ "content": { "parts": [{ "text": text }], "role": "model" }, "index": 0 });
    if let Some(finish) = finish {
        candidate["finishReason"] = json!(finish);
    }
    let usage = json!({ "promptTokenCount": 10, "candidatesTokenCount": tokens, "totalTokenCount": 10 + tokens });
    json!({ "candidates": [candidate], "usageMetadata": usage })
}

fn pieces() -> [Value; 3] {
    [piece("Grüße, ", 2, None), piece("世界 🎉", 5, None), piece("", 7, Some("STOP"))]
}

fn as_events(pieces: &[Value]) -> String {
    pieces.iter().map(|piece| format!("data: {piece}\r\n\r\n")).collect()
}

/// A list as Google writes one: over many lines, with commas between the elements.
fn as_list(pieces: &[Value]) -> String {
    let elements: Vec<String> = pieces.iter().map(|piece| format!("{piece:#}")).collect();
    format!("[{}\n]\n", elements.join("\n,\r\n"))
}

fn in_the_form(request: &Received, pieces: &[Value]) -> String {
    if request.path.contains("alt=sse") { as_events(pieces) } else { as_list(pieces) }
}

/// A stream in pieces of seven bytes.
fn shredded(text: &str, whole: bool) -> Reply {
    Reply::stream(text.as_bytes().chunks(7).map(Step::chunk).collect(), whole)
}

fn stream(app: &App, path: &str) -> Response {
    client(app).post(path, &asked())
}

#[test]
fn a_stream_is_passed_on_byte_for_byte_in_both_forms_and_the_last_count_holds() {
    let upstream = Upstream::start(|request: &Received| shredded(&in_the_form(request, &pieces()), true));
    let app = App::start(&config(&upstream, &json!({})));
    for (path, kind, wanted, used) in [
        (EVENTS, "text/event-stream", as_events(&pieces()), (10, 7, 17)),
        (LIST, "application/json", as_list(&pieces()), (20, 14, 34)),
    ] {
        let answer = stream(&app, path);
        assert!(answer.header("content-type").is_some_and(|found| found.starts_with(kind)), "{path}");
        assert_eq!((answer.status, answer.text()), (200, wanted), "{path}");
        tokens_are(&app, used);
    }
    let paths: Vec<String> = upstream.received().into_iter().map(|sent| sent.path).collect();
    assert_eq!(paths, [EVENTS, LIST]);
}

#[test]
fn an_element_of_a_list_arrives_before_the_next_one_is_there() {
    let list = as_list(&pieces());
    let (first, rest) = list.split_at(list.find("\n,").expect("two"));
    let steps = vec![Step::chunk(first.as_bytes()), Step::Hold, Step::chunk(rest.as_bytes())];
    let upstream = Upstream::always(Reply::stream(steps, true));
    let app = App::start(&config(&upstream, &json!({})));
    let mut answer = stream(&app, LIST);
    let mut seen = Vec::new();
    while seen.len() < first.len() {
        seen.extend(answer.next().expect("readable").expect("more"));
    }
    assert_eq!(String::from_utf8_lossy(&seen), first);
    upstream.release();
    assert_eq!(answer.text(), rest);
}

#[test]
fn a_failure_before_the_first_content_is_another_accounts_turn() {
    let busy = json!({ "error": { "code": 503, "message": "busy", "status": "UNAVAILABLE" } });
    let empty = piece("", 0, Some("STOP"));
    for (what, beginning, whole) in [
        ("an error", vec![busy.clone()], true),
        ("a piece without content, and an error", vec![piece("", 0, None), busy], true),
        ("an end without content", vec![empty], true),
        ("nothing", vec![], true),
        ("a cut", vec![piece("", 0, None)], false),
    ] {
        for path in [EVENTS, LIST] {
            let beginning = beginning.clone();
            let bad = Upstream::start(move |request: &Received| {
                let text = in_the_form(request, &beginning);
                shredded(if whole { &text } else { text.trim_end().trim_end_matches(']') }, whole)
            });
            let good = Upstream::start(|request: &Received| shredded(&in_the_form(request, &pieces()), true));
            let apis = json!([api("a", &bad, &json!({})), api("b", &good, &json!({ "priority": 1 }))]);
            let app = App::start(&json!({ "server": { "apiKey": KEY }, "apis": apis }));
            let answer = stream(&app, path);
            let wanted = if path == EVENTS { as_events(&pieces()) } else { as_list(&pieces()) };
            assert_eq!((answer.status, answer.text()), (200, wanted), "{what} at {path}");
            assert_eq!((bad.calls(), good.calls()), (1, 1), "{what} at {path}");
        }
    }
}

#[test]
fn a_failure_behind_the_first_content_is_an_error_in_the_form_of_the_stream() {
    let cut = [pieces()[0].clone()];
    let error = json!({ "error": { "code": 500, "message": "oops", "status": "INTERNAL" } });
    for (what, sent, own) in
        [("a cut", cut.to_vec(), None), ("an error", vec![cut[0].clone(), error.clone()], Some(error))]
    {
        for path in [EVENTS, LIST] {
            let sent = sent.clone();
            let upstream = Upstream::start(move |request: &Received| {
                let text = in_the_form(request, &sent);
                shredded(if sent.len() > 1 { &text } else { text.trim_end().trim_end_matches(']') }, sent.len() > 1)
            });
            let app = App::start(&config(&upstream, &json!({})));
            let text = stream(&app, path).text();
            let last: Value = if path == EVENTS {
                let events: Vec<&str> = text.split("data: ").collect();
                serde_json::from_str(events.last().expect("an event").trim()).expect("JSON")
            } else {
                let list: Vec<Value> =
                    serde_json::from_str(&text).unwrap_or_else(|why| panic!("{what}: {why}: {text}"));
                assert_eq!(list.len(), 2, "{text}");
                list[1].clone()
            };
            match &own {
                Some(own) => assert_eq!(last, *own, "{what} at {path}"),
                None => assert_eq!(last["error"]["status"], "UNAVAILABLE", "{what} at {path}: {last}"),
            }
            assert!(app.status_of("a")["lastError"]["class"].is_string(), "{what} at {path}");
        }
    }
}

#[test]
fn a_stream_without_a_reason_to_finish_was_cut_even_if_its_bytes_end_well() {
    let upstream = Upstream::start(|request: &Received| shredded(&in_the_form(request, &pieces()[..2]), true));
    let app = App::start(&config(&upstream, &json!({})));
    assert!(stream(&app, EVENTS).text().contains("\"error\""));
    assert_eq!(app.status_of("a")["lastError"]["class"], "protocol");
}

#[test]
fn a_blocked_prompt_and_a_bound_end_a_stream_well() {
    for last in [
        json!({ "promptFeedback": { "blockReason": "SAFETY" }, "usageMetadata": { "promptTokenCount": 10, "totalTokenCount": 10 } }),
        json!({ "candidates": [{ "finishReason": "MAX_TOKENS", "index": 0 }], "usageMetadata": { "promptTokenCount": 10 } }),
    ] {
        let sent = last.clone();
        let upstream = Upstream::start(move |request: &Received| {
            shredded(&in_the_form(request, std::slice::from_ref(&sent)), true)
        });
        let app = App::start(&config(&upstream, &json!({})));
        let answer = stream(&app, EVENTS);
        assert_eq!((answer.status, answer.text()), (200, as_events(&[last])));
        assert!(app.status_of("a")["lastError"].is_null());
    }
}

#[test]
fn one_json_text_in_the_place_of_events_becomes_events_and_the_reverse_is_refused() {
    let whole = generation("hi");
    let list = as_list(&pieces());
    let events = Upstream::always(Reply::text(200, &[("content-type", "application/json")], &list));
    let app = App::start(&config(&events, &json!({})));
    let text = stream(&app, EVENTS).text();
    assert_eq!(text.matches("data: {").count(), 3, "{text}");
    let object = Upstream::always(Reply::json(200, &whole));
    let app = App::start(&config(&object, &json!({})));
    assert_eq!(stream(&app, EVENTS).text(), format!("data: {whole}\n\n"));
    assert_eq!(stream(&app, LIST).json(), json!([whole]));
    let wrong = Upstream::always(shredded(&as_events(&pieces()), true));
    let app = App::start(&config(&wrong, &json!({})));
    assert_eq!(error(stream(&app, LIST)).0, 502);
}

#[test]
fn events_are_kept_alive_by_comments_and_a_list_is_not() {
    let upstream = Upstream::start(|request: &Received| {
        shredded(&in_the_form(request, &pieces()), true).after(std::time::Duration::from_millis(400))
    });
    let mut config = config(&upstream, &json!({}));
    config["server"]["streamPingMs"] = json!(100);
    let app = App::start(&config);
    assert!(stream(&app, EVENTS).text().starts_with(": ping\n"));
    assert_eq!(stream(&app, LIST).text(), as_list(&pieces()));
}
