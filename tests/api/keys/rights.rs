//! What a key may ask for: models by the name in the request, and the accounts that may serve.

use serde_json::{Value, json};

use super::{KEY, OTHER, TEAM, ask, ask_anthropic, team, with_keys};
use crate::helpers::websocket::{WsClient, WsUpstream};
use crate::helpers::{App, Client, Reply, Upstream, config_at, config_of, eventually};

/// The names that `/v1/models` shows a key.
fn models(app: &App, key: &str) -> Vec<String> {
    let list = Client::new(app.port).key(key).get("/v1/models").json();
    let names = list["data"].as_array().expect("a list").iter();
    names.map(|model| model["id"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn a_key_asks_for_its_models_alone_and_sees_no_others() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let keys = team(&json!({ "models": ["gpt-4*", "smart", "claude-*"] }));
    let mut config = with_keys(&[&upstream], &keys);
    config["apis"][0]["models"] = json!(["gpt-4o", "gpt-4o-mini", "gpt-5", "claude-opus-4", "m"]);
    config["apis"][0]["anthropicBaseUrl"] = json!(upstream.url());
    config["aliases"] = json!({ "smart": ["gpt-5"], "gpt-4-fast": "m", "cheap": "gpt-4o" });
    let app = App::start(&config);
    // An alias counts by its own name, whatever it stands for.
    for model in ["gpt-4o", "gpt-4o-mini", "smart", "gpt-4-fast", "claude-opus-4"] {
        assert_eq!(ask(&app, TEAM, model).status, 200, "{model}");
    }
    let calls = upstream.calls();
    for model in ["gpt-5", "m", "cheap", "GPT-4o", "made-up", ""] {
        let refused = ask(&app, TEAM, model);
        let status = refused.status;
        let body = refused.json();
        if model.is_empty() {
            assert_eq!(status, 400, "{body}");
            continue;
        }
        assert_eq!((status, &body["error"]["code"]), (403, &json!("model_not_allowed")), "{model}: {body}");
        assert_eq!(body["error"]["param"], "model");
        let told = body["error"]["message"].as_str().expect("a message");
        assert!(told.contains("team-a") && told.contains("gpt-4*"), "{told}");
    }
    let refused = ask_anthropic(&app, TEAM, "gpt-5");
    assert_eq!(refused.status, 403);
    let body = refused.json();
    assert_eq!((&body["type"], &body["error"]["type"]), (&json!("error"), &json!("permission_error")), "{body}");
    assert_eq!(upstream.calls(), calls, "nobody was asked");
    app.logged("POST /v1/chat/completions gpt-5 from 127.0.0.1 key=team-a attempts=0 status=403");

    assert_eq!(models(&app, TEAM), ["claude-opus-4", "gpt-4-fast", "gpt-4o", "gpt-4o-mini", "smart"]);
    assert_eq!(models(&app, KEY).len(), 8);
    let client = Client::new(app.port).key(TEAM);
    assert_eq!(client.get("/v1/models/gpt-4o").status, 200);
    assert_eq!(client.get("/v1/models/gpt-5").error(), (404, "model_not_found".to_owned()));
    // A name that is near is named only if the key may know it.
    let told = ask(&app, TEAM, "gpt-4p").text();
    assert!(told.contains("gpt-4o") && !told.contains("gpt-5"), "{told}");
    assert_eq!(ask(&app, KEY, "gpt-5").status, 200);
}

#[test]
fn other_accounts_than_the_keys_are_never_tried() {
    let (failing, other) = (Upstream::always(Reply::error(500, "no")), Upstream::always(Reply::chat("b")));
    let keys = json!([
        { "name": "team-a", "key": TEAM, "apis": ["a"] },
        { "name": "team-b", "key": OTHER, "apis": ["b*"] },
    ]);
    let mut config = with_keys(&[&failing, &other], &keys);
    config["apis"][0]["models"] = json!(["m", "only-a"]);
    config["apis"][1]["models"] = json!(["m", "only-b"]);
    config["apis"][1]["priority"] = json!(1);
    config["retry"] = json!({ "backoffMs": 1 });
    let app = App::start(&config);
    for _ in 0..3 {
        assert!(ask(&app, TEAM, "m").status >= 500, "nobody else is asked");
    }
    assert_eq!(other.calls(), 0);
    let failed = failing.calls();
    for _ in 0..20 {
        assert_eq!(ask(&app, OTHER, "m").status, 200);
    }
    assert_eq!((failing.calls(), other.calls()), (failed, 20));
    for (key, model) in [(TEAM, "only-b"), (OTHER, "only-a")] {
        assert_eq!(ask(&app, key, model).error(), (403, "model_not_allowed".to_owned()), "{model}");
    }
    assert_eq!(ask(&app, TEAM, "nobodys").error(), (404, "model_not_found".to_owned()));
    assert_eq!(
        (models(&app, TEAM), models(&app, OTHER)),
        (vec!["m".into(), "only-a".into()], vec!["m".into(), "only-b".into()])
    );
    assert_eq!(other.calls(), 20);
    assert_eq!(ask(&app, KEY, "m").status, 200, "the pool's key goes on to b");
}

#[test]
fn an_alias_goes_on_to_a_model_of_an_open_account() {
    let (one, two) = (Upstream::always(Reply::chat("a")), Upstream::always(Reply::chat("b")));
    let mut config = with_keys(&[&one, &two], &team(&json!({ "apis": ["b"] })));
    config["apis"][0]["models"] = json!(["first"]);
    config["apis"][1]["models"] = json!(["second"]);
    config["aliases"] = json!({ "smart": ["first", "second"], "closed": ["first"] });
    let app = App::start(&config);
    assert_eq!(ask(&app, TEAM, "smart").status, 200);
    assert_eq!(ask(&app, TEAM, "closed").error(), (403, "model_not_allowed".to_owned()));
    assert_eq!((one.calls(), two.calls()), (0, 1));
}

#[test]
fn a_waiting_request_is_served_by_an_open_account_only() {
    let (one, two) = (Upstream::always(Reply::chat("a")), Upstream::start(|_| Reply::chat("b")));
    let mut config = with_keys(&[&one, &two], &team(&json!({ "apis": ["a"] })));
    config["apis"][0]["burst"] = json!({ "requests": 1, "seconds": 1 });
    config["apis"][1]["priority"] = json!(1);
    config["queue"] = json!({ "maxWaitMs": 5000 });
    let app = App::start(&config);
    for _ in 0..3 {
        assert_eq!(ask(&app, TEAM, "m").status, 200);
    }
    assert_eq!((one.calls(), two.calls()), (3, 0));
}

#[test]
fn an_object_of_a_closed_account_is_out_of_reach() {
    let response = |id: &str| {
        Reply::json(
            200,
            &json!({
                "id": id, "object": "response", "status": "completed", "model": "m",
                "output": [{ "type": "message", "id": format!("msg_{id}"), "role": "assistant", "content": [{ "type": "output_text", "text": "hi" }] }],
                "usage": { "input_tokens": 1, "output_tokens": 1, "total_tokens": 2 },
            }),
        )
    };
    let (one, two) = (Upstream::always(response("resp_a")), Upstream::always(response("resp_b")));
    let mut config = with_keys(&[&one, &two], &team(&json!({ "apis": ["b"] })));
    config["apis"][1]["priority"] = json!(1);
    let app = App::start(&config);
    let create = |key: &str, body: &Value| Client::new(app.port).key(key).post("/v1/responses", body);
    assert_eq!(create(KEY, &json!({ "model": "m", "input": "hi" })).json()["id"], "resp_a");
    let next = json!({ "model": "m", "input": "more", "previous_response_id": "resp_a" });
    let refused = create(TEAM, &next);
    assert_eq!(refused.error(), (403, "model_not_allowed".to_owned()));
    assert_eq!((one.calls(), two.calls()), (1, 0));
    assert_eq!(create(KEY, &next).status, 200);
    assert_eq!(create(TEAM, &json!({ "model": "m", "input": "hi" })).json()["id"], "resp_b");
}

#[test]
fn each_turn_of_a_websocket_has_the_rights_of_its_key() {
    let (one, two) = (WsUpstream::answering(), WsUpstream::answering());
    let mut config = config_at(&[one.url(), two.url()]);
    config["apis"][0]["models"] = json!(["m", "x"]);
    config["keys"] = team(&json!({ "models": ["m"], "apis": ["b"] }));
    let app = App::start(&config);
    let mut client =
        WsClient::with(&app, &format!("sec-websocket-protocol: realtime, openai-insecure-api-key.{TEAM}\r\n"));
    assert!(client.head.starts_with("http/1.1 101"), "{}", client.head);
    client.send_json(&json!({ "type": "response.create", "model": "x", "input": "hi" }));
    let (_, refused) = client.response();
    assert_eq!(
        (&refused["status"], &refused["error"]["code"]),
        (&json!(403), &json!("model_not_allowed")),
        "{refused}"
    );
    for _ in 0..5 {
        client.create();
        client.response();
    }
    assert_eq!((one.messages().len(), two.messages().len()), (0, 5));
    app.logged("WS /v1/responses m → b from 127.0.0.1 key=team-a attempts=1 status=200");
    eventually("it is logged", || app.log().contains("model_not_allowed"));
}

#[test]
fn a_model_that_only_a_closed_account_might_list_is_not_awaited() {
    let slow = Upstream::always(Reply::error(500, "no list"));
    let open = Upstream::always(Reply::chat("hi"));
    let mut config = config_of(&[&open, &slow]);
    config["apis"][1].as_object_mut().expect("an API").remove("models");
    config["keys"] = team(&json!({ "apis": ["a"] }));
    let app = App::start(&config);
    assert_eq!(ask(&app, TEAM, "other").error(), (404, "model_not_found".to_owned()));
}
