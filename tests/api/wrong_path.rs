//! Bodies of the Responses API that come to the path for chats, as Cursor sends them.

use serde_json::{Value, json};

use crate::helpers::{App, Received, Reply, Upstream};

const CHAT: &str = "/v1/chat/completions";

fn response() -> Reply {
    Reply::json(
        200,
        &json!({
            "id": "resp_1", "object": "response", "status": "completed", "model": "m",
            "output": [{ "type": "message", "role": "assistant", "content": [{ "type": "output_text", "text": "hi" }] }],
            "usage": { "input_tokens": 3, "output_tokens": 4, "total_tokens": 7 },
        }),
    )
}

/// Serves chats, and the Responses API if `has_responses`.
fn account(has_responses: bool) -> Upstream {
    Upstream::start(move |asked: &Received| match asked.path.as_str() {
        CHAT => Reply::chat("hi"),
        _ if has_responses => response(),
        _ => Reply::error(404, "Not Found"),
    })
}

fn cursor() -> Value {
    json!({ "model": "m", "input": [{ "role": "user", "content": "hi" }] })
}

#[test]
fn a_body_of_the_responses_api_is_served_as_one_where_an_upstream_has_it() {
    let (without, with) = (account(false), account(true));
    let app = App::on(&[&without, &with]);
    for _ in 0..10 {
        let answer = app.client().post(CHAT, &cursor());
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json()["object"], "response");
    }
    assert!(with.received().iter().all(|asked| asked.path == "/v1/responses" && asked.json() == cursor()));
    let both = json!({ "model": "m", "input": "hi", "messages": [] });
    let neither = json!({ "model": "m", "input": null });
    for chat in [both, neither, json!({ "model": "m", "messages": [] })] {
        assert_eq!(app.client().post(CHAT, &chat).json()["object"], "chat.completion", "{chat}");
    }
    // Elsewhere, input is what it always was.
    assert_eq!(app.client().post("/v1/responses", &cursor()).json()["object"], "response");
}

#[test]
fn a_stream_of_the_responses_api_is_served_by_the_path_for_chats() {
    let upstream = Upstream::always(Reply::events(&[
        "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"hi\"}\n\n",
        "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"status\":\"completed\"}}\n\n",
    ]));
    let app = App::on(&[&upstream]);
    let mut asked = cursor();
    asked["stream"] = json!(true);
    let events = app.client().post(CHAT, &asked).text();
    assert!(events.contains("response.completed") && !events.contains("[DONE]"), "{events}");
    assert_eq!(upstream.received()[0].json(), asked, "nothing is asked for that the API does not know");
}

#[test]
fn a_body_of_the_responses_api_is_a_400_that_says_so_where_nobody_has_it() {
    let (first, second) = (account(false), account(false));
    let app = App::on(&[&first, &second]);
    let refused = app.client().post(CHAT, &cursor());
    let error = refused.json()["error"].clone();
    assert_eq!((&error["code"], &error["param"]), (&json!("responses_not_served"), &json!("messages")));
    assert!(error["message"].as_str().expect("a text").contains("send messages"), "{error}");
    assert_eq!(app.client().post(CHAT, &cursor()).status, 400);
    assert_eq!(app.chat().status, 200, "the accounts are sound");
    // By its own path, the upstream's word passes.
    assert_eq!(app.client().post("/v1/responses", &cursor()).status, 404);
}

#[test]
fn an_upstream_in_trouble_is_no_missing_path() {
    let (missing, broken) = (account(false), Upstream::always(Reply::error(500, "no")));
    let app = App::on(&[&missing, &broken]);
    let statuses: Vec<u16> = (0..4).map(|_| app.client().post(CHAT, &cursor()).status).collect();
    assert!(statuses.iter().all(|status| [404, 500].contains(status)), "{statuses:?}");
    assert_eq!(app.client().post(CHAT, &json!({ "model": "none", "input": "hi" })).error().0, 404);
}
