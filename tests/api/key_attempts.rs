//! A request counts once for its key, whatever becomes of the attempts, and costs what all attempts took together.

use serde_json::json;

use crate::helpers::websocket::{TEXT, WsClient, WsFrame, WsUpstream};
use crate::helpers::{App, Client, Reply, Step, Upstream, config_at, eventually};
use crate::key_budgets::{TEAM, answer, ask, dollars_for, no_midnight_near, reporting, team, with_key};

#[test]
fn failover_and_hedges_are_one_request_of_the_key() {
    let (failing, silent) = (Upstream::always(Reply::error(500, "no")), Upstream::always(answer(1, 1).held()));
    for (first, retry) in [(&failing, json!({})), (&silent, json!({ "hedgeAfterMs": 20 }))] {
        let second = Upstream::start(reporting(100));
        let mut config = with_key(&[first, &second], &json!({ "rpd": 2 }));
        config["apis"][1]["priority"] = json!(1);
        config["retry"] = retry;
        let app = App::start(&config);
        let statuses = [(); 3].map(|()| ask(&team(&app)).status);
        assert_eq!(statuses, [200, 200, 429]);
        assert_eq!(second.calls(), 2);
    }
    assert!(failing.calls() > 0 && silent.calls() > 0);
}

#[test]
fn a_request_that_reaches_no_upstream_takes_nothing_of_the_key() {
    let mut config = with_key(&[], &json!({ "rpd": 1 }));
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port();
    config["apis"] = config_at(&[format!("http://127.0.0.1:{port}")])["apis"].clone();
    let app = App::start(&config);
    for _ in 0..5 {
        let refused = ask(&team(&app));
        assert!([502, 503].contains(&refused.status), "{}", refused.status);
    }
    let unknown = json!({ "model": "nobody-has-it", "messages": [] });
    assert_eq!(team(&app).post("/v1/chat/completions", &unknown).status, 404);
    assert_eq!(team(&app).post("/v1/messages/count_tokens", &unknown).status, 404, "free of the key's limits");
}

#[test]
fn a_stream_costs_what_it_reports_and_one_that_the_client_cuts_what_came() {
    let delta = r#"{"id":"1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"hi"}}]}"#;
    let stream = json!({ "model": "m", "messages": [], "max_tokens": 24, "stream": true });
    let upstream = Upstream::start(move |_| Reply::stream(vec![Step::event(delta), Step::Hold], true));
    // One that is cut after a word leaves nearly all of what was reserved.
    let app = App::start(&with_key(&[&upstream], &json!({ "budgets": [{ "usd": dollars_for(2), "per": "day" }] })));
    for _ in 0..4 {
        let mut cut = team(&app).post("/v1/chat/completions", &stream);
        assert_eq!(cut.status, 200);
        assert!(cut.next().expect("reads").is_some());
        let before = upstream.hung_up();
        drop(cut);
        eventually("the upstream is hung up on", || upstream.hung_up() > before);
    }
    let usage =
        r#"{"id":"1","choices":[],"usage":{"prompt_tokens":1000,"completion_tokens":2000,"total_tokens":3000}}"#;
    let upstream = Upstream::start(move |_| {
        Reply::stream(vec![Step::event(delta), Step::event(usage), Step::event("[DONE]")], true)
    });
    let app = App::start(&with_key(&[&upstream], &json!({ "budgets": [{ "usd": dollars_for(9), "per": "day" }] })));
    assert!(team(&app).post("/v1/chat/completions", &stream).text().contains("DONE"));
    eventually("all of it is spent", || ask(&team(&app)).status == 402);
}

#[test]
fn each_format_and_each_endpoint_counts_and_hears_of_the_limit_in_its_own_form() {
    let upstream = Upstream::start(reporting(100));
    let limits = json!({ "rpd": 1, "budgets": [{ "usd": 100, "per": "month" }] });
    let app = App::start(&with_key(&[&upstream], &limits));
    let embeddings = json!({ "model": "m", "input": "words" });
    assert_eq!(team(&app).post("/v1/embeddings", &embeddings).status, 200);
    for path in ["/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses"] {
        let refused = team(&app).post(path, &json!({ "model": "m", "input": "words", "messages": [] }));
        assert_eq!(refused.status, 429, "{path}");
        let error = refused.json()["error"].clone();
        assert_eq!((&error["code"], &error["type"]), (&json!("key_rpd"), &json!("rate_limit_error")), "{path}");
        let detail = &error["details"][0];
        assert_eq!((&detail["key"], &detail["reason"]), (&json!("team"), &json!("key_rpd")), "{error}");
    }
    let client = Client::new(app.port).header("x-api-key", TEAM).header("anthropic-version", "2023-06-01");
    let message = json!({ "model": "m", "max_tokens": 9, "messages": [] });
    let refused = client.post("/v1/messages", &message);
    assert_eq!((refused.status, refused.header("x-should-retry")), (429, Some("false")), "midnight is far");
    let body = refused.json();
    assert_eq!((&body["type"], &body["error"]["type"]), (&json!("error"), &json!("rate_limit_error")), "{body}");
    assert_eq!(body["error"]["details"][0]["reason"], "key_rpd", "{body}");
    assert_eq!(upstream.calls(), 1);
}

#[test]
fn a_request_that_costs_more_than_the_whole_budget_is_refused_and_a_cheaper_one_served() {
    let upstream = Upstream::start(reporting(100));
    let app = App::start(&with_key(&[&upstream], &json!({ "budgets": [{ "usd": dollars_for(3), "per": "month" }] })));
    let dear = json!({ "model": "m", "messages": [], "max_tokens": 100_000 });
    let refused = team(&app).post("/v1/chat/completions", &dear);
    assert_eq!(
        (refused.status, refused.header("x-should-retry"), refused.header("retry-after")),
        (402, Some("false"), None)
    );
    assert!(refused.json()["error"]["message"].to_string().contains("max_tokens"));
    assert_eq!(upstream.calls(), 0);
    assert_eq!(ask(&team(&app)).status, 200);
    // In Anthropic's form.
    let client = Client::new(app.port).header("x-api-key", TEAM).header("anthropic-version", "2023-06-01");
    while ask(&team(&app)).status == 200 {}
    let refused = client.post("/v1/messages", &json!({ "model": "m", "max_tokens": 24, "messages": [] }));
    assert_eq!((refused.status, refused.json()["error"]["type"].clone()), (402, json!("billing_error")));
}

#[test]
fn each_turn_of_a_websocket_is_a_request_of_the_key() {
    let upstream = WsUpstream::answering();
    let mut config = config_at(&[upstream.url()]);
    config["keys"] = json!([{ "name": "team", "key": TEAM, "rpd": 2, "reset": no_midnight_near() }]);
    let app = App::start(&config);
    let mut client = WsClient::with(&app, &format!("authorization: Bearer {TEAM}\r\n"));
    for _ in 0..2 {
        client.create();
        client.response();
    }
    client.send(&WsFrame::new(TEXT, r#"{"type":"response.create","model":"m"}"#));
    let refused = client.next().expect("an event").json();
    assert_eq!((&refused["type"], &refused["status"]), (&json!("error"), &json!(429)), "{refused}");
    assert_eq!(refused["error"]["code"], "key_rpd", "{refused}");
}
