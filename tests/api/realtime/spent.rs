//! What an account takes beside the admitted responses, and at the end of a connection: counted as the account tells.

use serde_json::{Value, json};

use super::{asked, connect, create, created, done, event, pool, pool_with, speaking};
use crate::helpers::websocket::{CLOSE, TEXT, WsClient, WsFrame, WsUpstream};
use crate::helpers::{App, Client, config_at, eventually};
use crate::key_budgets::no_midnight_near;

const TEAM: &str = "sk-of-the-team-0123456789abcdef";
const TRANSCRIBED: &str = "conversation.item.input_audio_transcription.completed";

fn of_team(app: &App, query: &str) -> WsClient {
    asked(app, query, &format!("authorization: Bearer {TEAM}\r\n"))
}

fn total(app: &App) -> Value {
    app.client().get("/v1/token/stats").json()["summary"]["totalTokens"].clone()
}

/// The rows of `/v1/usage` by model.
fn by_model(app: &App) -> Value {
    app.client().get("/v1/usage?group=model").json()
}

fn row(app: &App, model: &str) -> Option<Value> {
    let usage = by_model(app);
    let rows = usage["usage"].as_array().cloned().unwrap_or_default();
    rows.into_iter().find(|row| row["model"] == model)
}

/// Begins a response for each message, and ends a cancelled one as OpenAI does.
fn cancelling() -> WsUpstream {
    WsUpstream::start(|served, frame| {
        if frame.code != TEXT {
            return frame.code != CLOSE;
        }
        match frame.json() {
            message if message["type"] == "response.cancel" => {
                let id = message["response_id"].as_str().unwrap_or("r").to_owned();
                let mut end = done(&id);
                end["response"]["status"] = json!("cancelled");
                served.send_json(&end)
            }
            message => served.send_json(&created(message["id"].as_str().unwrap_or("r"))),
        }
    })
}

#[test]
fn a_response_that_is_cancelled_for_want_of_room_counts_as_far_as_the_account_tells() {
    let upstream = cancelling();
    let app = pool_with(
        &upstream,
        &json!({ "rpd": 1, "tpd": 100_000, "prices": { "m": { "input": 1_000, "output": 1_000 } } }),
    );
    let mut client = connect(&app, "model=m");
    client.send_json(&create());
    event(&mut client, "response.created");
    client.send_json(&json!({ "type": "response.cancel", "response_id": "r" }));
    event(&mut client, "response.done");
    eventually("the first one counts", || total(&app) == 70);
    // Voice activity: the account begins by itself.
    client.send_json(&json!({ "type": "input_audio_buffer.commit", "id": "r2" }));
    assert_eq!(client.event()["status"], 429);
    assert_eq!(client.closed(), 1008);
    eventually("what was read counts", || total(&app) == 140);
    assert_eq!(app.usage_of("a").1, 1, "no request beyond the limit");
    eventually("it is in the usage", || row(&app, "m").is_some_and(|row| row["totalTokens"] == 140));
    eventually("and in the limit of tokens", || app.status_of("a")["usage"]["tpd"] == 140);
}

#[test]
fn a_response_whose_client_leaves_is_cancelled_and_counts_as_the_account_tells() {
    for how in ["close", "cut"] {
        let upstream = cancelling();
        let app = pool(&[&upstream]);
        let mut client = connect(&app, "model=m");
        client.send_json(&create());
        event(&mut client, "response.created");
        if how == "close" {
            client.send(&WsFrame::close(1000));
            assert_eq!(client.closed(), 1000);
        }
        drop(client);
        eventually(&format!("{how}: it counts"), || total(&app) == 70);
        assert_eq!(app.usage_of("a").1, 1);
        eventually("the place is free", || app.status_of("a")["inFlight"] == 0);
    }
}

#[test]
fn a_refusal_for_good_lets_the_response_under_way_end() {
    let upstream = WsUpstream::start(|served, frame| {
        if frame.code != TEXT {
            return frame.code != CLOSE;
        }
        let message = frame.json();
        match message["type"].as_str() {
            Some("response.create") => served.send_json(&created("r")),
            Some("finish") => served.send_json(&done("r")),
            _ => true,
        }
    });
    let mut config = config_at(&[upstream.url()]);
    config["keys"] = json!([{ "name": "team", "key": TEAM }]);
    // Each worker hears of a reload at a time of its own.
    config["actors"] = json!({ "workers": 1 });
    let app = App::start(&config);
    let mut client = of_team(&app, "model=m");
    client.send_json(&create());
    event(&mut client, "response.created");
    config["keys"][0]["enabled"] = json!(false);
    std::fs::write(app.config_file(), config.to_string()).expect("writes");
    let team = Client::new(app.port).key(TEAM);
    eventually("the key is refused", || team.get("/v1/models").status == 403);
    client.send_json(&create());
    assert_eq!(client.event()["status"], 403);
    client.send_json(&json!({ "type": "finish" }));
    event(&mut client, "response.done");
    assert_eq!(client.closed(), 1008);
    eventually("it counts", || total(&app) == 70);
}

/// Writes down each commit of audio, with the usage in the message.
fn writing_down() -> WsUpstream {
    WsUpstream::start(|served, frame| {
        if frame.code != TEXT {
            return frame.code != CLOSE;
        }
        let message = frame.json();
        let told = json!({ "type": TRANSCRIBED, "item_id": "i", "transcript": "hi", "usage": message["usage"] });
        message["type"] != "input_audio_buffer.commit" || served.send_json(&told)
    })
}

#[test]
fn what_is_written_down_beside_a_conversation_is_usage_of_the_model_that_wrote() {
    let upstream = writing_down();
    let mut config = config_at(&[upstream.url()]);
    config["apis"][0]["rpd"] = json!(1);
    config["apis"][0]["tpd"] = json!(100_000);
    config["apis"][0]["prices"] = json!({
        "m": { "input": 1, "output": 1 }, "gpt-4o-transcribe": { "input": 1_000, "output": 10_000 },
        "whisper-1": { "input": 0, "output": 0, "perAudioSecond": 0.5 },
    });
    let budgets = json!([{ "usd": 3.5, "per": "day" }]);
    config["keys"] = json!([{ "name": "team", "key": TEAM, "reset": no_midnight_near(), "budgets": budgets }]);
    let app = App::start(&config);
    let mut client = of_team(&app, "model=m");
    assert!(client.head.starts_with("http/1.1 101"), "{}", client.head);
    let mut say = |session: Option<Value>, usage: Value| {
        if let Some(session) = session {
            client.send_json(&json!({ "type": "session.update", "session": session }));
        }
        client.send_json(&json!({ "type": "input_audio_buffer.commit", "usage": usage }));
        assert_eq!(client.event()["usage"], usage, "the event passes");
    };
    let tokens = json!({ "type": "tokens", "input_tokens": 20, "output_tokens": 5, "total_tokens": 25 });
    say(None, tokens.clone());
    let transcription = json!({ "transcription": { "model": "gpt-4o-transcribe" } });
    say(Some(json!({ "type": "realtime", "audio": { "input": transcription } })), tokens.clone());
    say(None, tokens);
    let beta = json!({ "input_audio_transcription": { "model": "whisper-1" } });
    say(Some(beta), json!({ "type": "duration", "seconds": 5.5 }));
    say(None, Value::Null);
    for (model, field, number) in
        [("m", "totalTokens", 25), ("gpt-4o-transcribe", "totalTokens", 50), ("whisper-1", "audioSeconds", 6)]
    {
        eventually(&format!("{model} is counted"), || row(&app, model).is_some_and(|row| row[field] == number));
    }
    let usage = by_model(&app);
    assert_eq!(app.usage_of("a").1, 0, "no request is counted");
    eventually("the tokens count", || total(&app) == 75);
    eventually("also in the limit", || app.status_of("a")["usage"]["tpd"] == 75);
    // 2 × (0.02 $ + 0.05 $) for one model, 3 $ for the other.
    let cost = |model: &str| row(&app, model).expect("a row")["costUsd"].as_f64().expect("a cost");
    assert!((cost("gpt-4o-transcribe") - 0.14).abs() < 1e-9 && (cost("whisper-1") - 3.0).abs() < 1e-9, "{usage:#}");
    // 0.36 $ are left, and a response sets nearly nothing aside; 1 $ more is too much.
    client.send_json(&json!({ "type": "input_audio_buffer.commit", "usage": { "type": "duration", "seconds": 2 } }));
    client.event();
    eventually("it is counted", || row(&app, "whisper-1").is_some_and(|row| row["audioSeconds"] == 8));
    client.send_json(&create());
    assert_eq!(client.event()["status"], 402, "the budget is spent");
    assert_eq!(client.closed(), 1008);
}

#[test]
fn a_session_that_the_account_names_tells_the_model_too() {
    let session = json!({ "type": "transcription", "audio": { "input": { "transcription": { "model": "gpt-4o-mini-transcribe" } } } });
    let usage = json!({ "type": "tokens", "input_tokens": 20, "output_tokens": 5, "total_tokens": 25 });
    let upstream =
        WsUpstream::greeting(&json!({ "type": "session.created", "session": session }), move |served, frame| {
            frame.code == TEXT && served.send_json(&json!({ "type": TRANSCRIBED, "usage": usage }))
        });
    for query in ["model=m", "intent=transcription&model=m"] {
        let app = pool_with(
            &upstream,
            &json!({ "prices": { "gpt-4o-mini-transcribe": { "input": 1_000, "output": 1_000 } } }),
        );
        let mut client = connect(&app, query);
        event(&mut client, "session.created");
        client.send_json(&json!({ "type": "input_audio_buffer.commit" }));
        event(&mut client, TRANSCRIBED);
        let is_told = || {
            row(&app, "gpt-4o-mini-transcribe").is_some_and(|row| row["totalTokens"] == 25 && row["costUsd"] == 0.025)
        };
        eventually(query, is_told);
    }
}

#[test]
fn usage_equals_what_the_account_reported() {
    let upstream = speaking();
    let app = pool(&[&upstream]);
    let mut clients: Vec<WsClient> = (0..3).map(|_| connect(&app, "model=m")).collect();
    for _ in 0..4 {
        for client in &mut clients {
            client.send_json(&create());
        }
        for client in &mut clients {
            event(client, "response.done");
        }
    }
    eventually("all are counted", || row(&app, "m").is_some_and(|row| row["requests"] == 12));
    let told = row(&app, "m").expect("a row");
    assert_eq!(
        (&told["totalTokens"], &told["inputTokens"], &told["cachedTokens"]),
        (&json!(840), &json!(264), &json!(96)),
        "{told}"
    );
}
