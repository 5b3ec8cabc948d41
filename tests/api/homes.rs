//! Objects of the Responses API live on the account that made them. Follow-ups that name one go there, whatever happened in between.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::helpers::{App, Launch, Received, Redis, Reply, Step, Upstream, config_of, eventually};

/// An account that knows only its own objects.
struct Account {
    upstream: Upstream,
    /// The ids and secrets of its objects.
    objects: Arc<Mutex<HashSet<String>>>,
    is_down: Arc<AtomicBool>,
}

impl Account {
    fn start(name: &str) -> Account {
        let objects = Arc::new(Mutex::new(HashSet::new()));
        let (known, name, next) = (objects.clone(), name.to_owned(), AtomicUsize::new(0));
        let is_down = Arc::new(AtomicBool::new(false));
        let down = is_down.clone();
        let upstream = Upstream::start(move |request| {
            if down.load(Ordering::SeqCst) {
                return Reply::error(500, "down");
            }
            if let Some(refused) = refusal(&request.json(), &known.lock().expect("whole")) {
                return refused;
            }
            let nth = next.fetch_add(1, Ordering::SeqCst);
            answer(request, &format!("{name}{nth}"), &mut known.lock().expect("whole"))
        });
        Account { upstream, objects, is_down }
    }

    fn knows(&self, object: &str) -> bool {
        self.objects.lock().expect("whole").contains(object)
    }
}

/// The error of an account without an object that the request names, in OpenAI's words.
fn refusal(body: &Value, known: &HashSet<String>) -> Option<Reply> {
    let is_unknown = |id: &str| !known.contains(id);
    let error = |status, message: String, param: Value, code: Value| {
        let error = json!({ "message": message, "type": "invalid_request_error", "param": param, "code": code });
        Some(Reply::json(status, &json!({ "error": error })))
    };
    if let Some(id) = body["previous_response_id"].as_str().filter(|id| is_unknown(id)) {
        let message = format!("Previous response with id '{id}' not found.");
        return error(400, message, json!("previous_response_id"), json!("previous_response_not_found"));
    }
    let conversation = body["conversation"].as_str().or(body["conversation"]["id"].as_str());
    if let Some(id) = conversation.filter(|id| is_unknown(id)) {
        return error(404, format!("Conversation with id '{id}' not found."), Value::Null, Value::Null);
    }
    for item in body["input"].as_array().into_iter().flatten() {
        if let Some(secret) = item["encrypted_content"].as_str() {
            if is_unknown(secret) {
                let message = format!("The encrypted content {secret} could not be verified.");
                return error(400, message, Value::Null, json!("invalid_encrypted_content"));
            }
        } else if let Some(id) = item["id"].as_str().filter(|id| item["content"].is_null() && is_unknown(id)) {
            let message =
                format!("Item with id '{id}' not found. Items are not persisted when `store` is set to false.");
            return error(404, message, json!("input"), Value::Null);
        }
    }
    None
}

/// A response with reasoning and a message, whole or as a stream.
fn answer(request: &Received, nth: &str, known: &mut HashSet<String>) -> Reply {
    let id = |kind: &str| format!("{kind}_{nth}_{}", "0".repeat(24));
    let ids = [id("resp"), id("rs"), id("msg"), id("conv"), format!("gAAAA/{nth}+{}", "x".repeat(200))];
    known.extend(ids.iter().cloned());
    let [response, reasoning, message, conversation, secret] = ids;
    let reasoning = json!({ "type": "reasoning", "id": reasoning, "summary": [], "encrypted_content": secret });
    let text = json!([{ "type": "output_text", "text": "hi", "annotations": [] }]);
    let message = json!({ "type": "message", "id": message, "role": "assistant", "content": text });
    let whole = json!({
        "id": response, "object": "response", "status": "completed", "conversation": { "id": conversation },
        "output": [reasoning, message], "usage": { "input_tokens": 3, "output_tokens": 4, "total_tokens": 7 },
    });
    if request.json()["stream"] != json!(true) {
        return Reply::json(200, &whole);
    }
    let mut begun = whole.clone();
    begun["output"] = json!([]);
    begun["status"] = json!("in_progress");
    let events = [
        json!({ "type": "response.created", "response": begun }),
        json!({ "type": "response.output_item.done", "output_index": 0, "item": reasoning }),
        json!({ "type": "response.output_item.added", "output_index": 1, "item": { "type": "message", "id": message["id"] } }),
        json!({ "type": "response.output_text.delta", "item_id": message["id"], "delta": "hi" }),
        json!({ "type": "response.completed", "response": whole }),
    ];
    Reply::stream(events.iter().map(|event| Step::event(&event.to_string())).collect(), true)
}

fn accounts(n: usize) -> Vec<Account> {
    ["a", "b", "c", "d", "e"][..n].iter().map(|name| Account::start(name)).collect()
}

fn config(accounts: &[Account]) -> Value {
    config_of(&accounts.iter().map(|account| &account.upstream).collect::<Vec<_>>())
}

fn calls(accounts: &[Account]) -> usize {
    accounts.iter().map(|account| account.upstream.calls()).sum()
}

/// Asks, and returns the response of the answer, whole or streamed.
fn ask(app: &App, fields: &Value) -> Value {
    let (status, body) = try_ask(app, fields);
    assert_eq!(status, 200, "{fields}: {body}");
    body
}

fn try_ask(app: &App, fields: &Value) -> (u16, Value) {
    let mut body = json!({ "model": "m", "input": "hi" });
    body.as_object_mut().expect("an object").extend(fields.as_object().expect("fields").clone());
    let answer = app.client().post("/v1/responses", &body);
    let status = answer.status;
    let text = answer.text();
    let last = text.lines().filter_map(|line| line.strip_prefix("data: ")).rfind(|data| data.contains("completed"));
    match last {
        Some(event) => (status, serde_json::from_str::<Value>(event).expect("JSON")["response"].clone()),
        None => (status, serde_json::from_str(&text).expect("JSON")),
    }
}

/// The ways to name an object of a response.
const CARRIERS: [&str; 7] =
    ["reference", "reasoning", "secret", "secret with id", "previous", "conversation", "object"];

/// The fields of a follow-up to a response.
fn follow_up(carrier: &str, response: &Value) -> Value {
    let [reasoning, message] = [&response["output"][0], &response["output"][1]];
    let user = json!({ "role": "user", "content": "go on" });
    let input = |item: Value| json!({ "input": [item, user] });
    let (id, secret) = (&reasoning["id"], &reasoning["encrypted_content"]);
    match carrier {
        "reference" => input(json!({ "type": "item_reference", "id": message["id"] })),
        "reasoning" => input(json!({ "type": "reasoning", "id": id, "summary": [] })),
        "secret" => input(json!({ "type": "reasoning", "summary": [], "encrypted_content": secret })),
        "secret with id" => input(json!({ "type": "reasoning", "id": id, "summary": [], "encrypted_content": secret })),
        "previous" => json!({ "previous_response_id": response["id"], "stream": true }),
        "conversation" => json!({ "conversation": response["conversation"]["id"] }),
        "object" => json!({ "conversation": response["conversation"] }),
        other => panic!("{other}"),
    }
}

/// Asks twenty times, half of them by streams.
fn twenty(app: &App) -> Vec<Value> {
    (0..20).map(|nth| ask(app, &json!({ "stream": nth % 2 == 0 }))).collect()
}

/// Follows each response up by each carrier. Returns the calls beyond one for each.
fn follow_all(app: &App, accounts: &[Account], responses: &[Value]) -> usize {
    let before = calls(accounts);
    for carrier in CARRIERS {
        for response in responses {
            ask(app, &follow_up(carrier, response));
        }
    }
    calls(accounts) - before - responses.len() * CARRIERS.len()
}

#[test]
fn twenty_follow_ups_of_each_carrier_are_good_over_two_and_five_accounts_also_after_a_restart() {
    for n in [2, 5] {
        let accounts = accounts(n);
        let app = App::start(&config(&accounts));
        let responses = twenty(&app);
        assert!(accounts.iter().filter(|account| account.upstream.calls() > 0).count() > 1, "more than one made some");
        assert_eq!(follow_all(&app, &accounts, &responses), 0, "each went straight to its home");
        let app = app.stop_and_restart();
        assert_eq!(follow_all(&app, &accounts, &responses), 0, "after a clean stop");
        // Homes are written a moment later.
        std::thread::sleep(std::time::Duration::from_millis(400));
        let app = app.kill_and_restart();
        assert_eq!(follow_all(&app, &accounts, &responses), 0, "after a crash");
        assert!(app.status_of("a")["lastError"].is_null(), "nothing is held against anybody");
        let homes = app.client().get("/v1/status").json()["homes"].clone();
        assert!(homes["kept"].as_u64().expect("a count") >= 100 && homes["most"] == 1_000_000, "{homes}");
    }
}

#[test]
fn twenty_follow_ups_of_each_carrier_are_good_at_another_server_by_way_of_redis() {
    for n in [2, 5] {
        let (redis, accounts) = (Redis::start(), accounts(n));
        let mut config = config(&accounts);
        config["store"] = json!({ "url": redis.url(), "prefix": "pool" });
        let apps = [App::start(&config), App::start(&config)];
        let responses = twenty(&apps[0]);
        // Seven names for each response, five of them keys.
        eventually("Redis has the homes", || {
            redis.ask("DBSIZE").trim_start_matches(':').parse::<usize>().is_ok_and(|n| n >= 100)
        });
        assert_eq!(follow_all(&apps[1], &accounts, &responses), 0, "each went straight to its home");
        let ttl = redis.ask("EVAL \"return redis.call('TTL',redis.call('KEYS','pool:home:*')[1])\" 0");
        let ttl: u64 = ttl.trim_start_matches(':').parse().expect("a time");
        assert!((29 * 86_400..=30 * 86_400).contains(&ttl), "{ttl}");
    }
}

#[test]
fn servers_find_homes_by_asking_while_redis_is_down() {
    let (mut redis, accounts) = (Redis::start(), accounts(2));
    let mut config = config(&accounts);
    config["store"] = json!({ "url": redis.url(), "prefix": "pool" });
    let apps = [App::start(&config), App::start(&config)];
    redis.kill();
    let responses: Vec<Value> = (0..6).map(|_| ask(&apps[0], &json!({}))).collect();
    assert_eq!(follow_all(&apps[0], &accounts, &responses), 0, "the server itself remembers");
    follow_all(&apps[1], &accounts, &responses);
    assert_eq!(follow_all(&apps[1], &accounts, &responses), 0, "what was found is remembered");
}

#[test]
fn an_unknown_home_is_found_by_asking_and_nothing_is_held_against_anybody() {
    let accounts = accounts(5);
    let mut config = config(&accounts);
    // Asking is no retry.
    config["retry"] = json!({ "maxAttempts": 1, "budget": { "percent": 0, "perSecond": 0 } });
    let app = App::start(&config);
    let responses = twenty(&app);
    let mut launch = app.stop();
    launch = {
        std::fs::remove_dir_all(launch.folder.join("data")).expect("removed");
        launch
    };
    let app = launch.start();
    for carrier in CARRIERS {
        for response in &responses {
            ask(&app, &follow_up(carrier, response));
        }
    }
    assert_eq!(follow_all(&app, &accounts, &responses), 0, "the one that accepts is remembered");
    for id in ["a", "b", "c", "d", "e"] {
        let status = app.status_of(id);
        assert!(
            status["lastError"].is_null() && status["errorCount"] == 0 && status["available"] == true,
            "{status:#}"
        );
    }
}

#[test]
fn an_object_that_nobody_knows_is_the_last_accounts_own_error() {
    let accounts = accounts(3);
    let app = App::start(&config(&accounts));
    for (fields, status, word) in [
        (json!({ "previous_response_id": "resp_none" }), 400, "previous_response_not_found"),
        (json!({ "input": [{ "type": "item_reference", "id": "rs_none" }] }), 404, "Item with id 'rs_none' not found."),
        (json!({ "input": [{ "type": "reasoning", "encrypted_content": "none" }] }), 400, "invalid_encrypted_content"),
        (json!({ "conversation": "conv_none" }), 404, "Conversation with id 'conv_none'"),
    ] {
        let before = calls(&accounts);
        let (answered, body) = try_ask(&app, &fields);
        assert_eq!(answered, status, "{body}");
        assert!(body.to_string().contains(word), "{body}");
        assert_eq!(calls(&accounts) - before, 3, "each was asked once");
    }
    assert_eq!(app.client().get("/v1/status").json()["retry"]["budget"]["denied"], 0);
}

#[test]
fn a_message_with_its_content_goes_anywhere_and_is_asked_for_where_an_account_wants_it() {
    let accounts = accounts(2);
    let app = App::start(&config(&accounts));
    let response = ask(&app, &json!({}));
    let history = json!({ "input": [response["output"][1], { "role": "user", "content": "go on" }], "store": false });
    for _ in 0..40 {
        ask(&app, &history);
    }
    assert!(accounts.iter().all(|account| account.upstream.calls() > 5), "any account can read it");
}

#[test]
fn a_home_without_room_is_a_429_with_a_time_and_never_another_account() {
    let accounts = accounts(2);
    let mut config = config(&accounts);
    for api in config["apis"].as_array_mut().expect("a list") {
        api["rpm"] = json!(2);
    }
    let app = App::start(&config);
    let response = ask(&app, &json!({}));
    let home = accounts.iter().position(|account| account.knows(response["id"].as_str().expect("an id"))).expect("one");
    let follow = follow_up("previous", &response);
    ask(&app, &follow);
    let before = calls(&accounts);
    let mut body = json!({ "model": "m", "input": "hi" });
    body.as_object_mut().expect("an object").extend(follow.as_object().expect("fields").clone());
    let refused = app.client().post("/v1/responses", &body);
    assert_eq!(refused.status, 429);
    let wait: u64 = refused.header("retry-after").expect("a time").parse().expect("seconds");
    assert!((50..=61).contains(&wait), "{wait}");
    let error = refused.json()["error"].clone();
    assert_eq!(error["code"], "rate_limit_exceeded");
    let id = ["a", "b"][home];
    assert!(error["message"].as_str().expect("a text").contains(&format!("lives on the API {id} alone")), "{error}");
    assert_eq!(calls(&accounts), before, "nobody was called");
    // Other requests have the other account.
    ask(&app, &json!({}));
}

#[test]
fn a_home_that_is_disabled_is_a_409_and_a_renamed_one_is_the_same() {
    let accounts = accounts(2);
    let mut config = config(&accounts);
    let app = App::start(&config);
    let response = ask(&app, &json!({}));
    let home = accounts.iter().position(|account| account.knows(response["id"].as_str().expect("an id"))).expect("one");
    let reload = |config: &Value| {
        let hash = || app.client().get("/v1/status").json()["config"]["hash"].clone();
        let before = hash();
        std::fs::write(app.config_file(), config.to_string()).expect("written");
        eventually("the new configuration is in force", || hash() != before);
    };
    config["apis"][home]["enabled"] = json!(false);
    reload(&config);
    let before = calls(&accounts);
    let (status, body) = try_ask(&app, &follow_up("reference", &response));
    assert_eq!((status, &body["error"]["code"]), (409, &json!("object_home_unavailable")), "{body}");
    assert!(body["error"]["message"].as_str().expect("a text").contains("disabled"), "{body}");
    assert_eq!(calls(&accounts), before, "nobody was called");

    config["apis"][home]["enabled"] = json!(true);
    config["apis"][home]["models"] = json!(["other"]);
    reload(&config);
    let (status, body) = try_ask(&app, &follow_up("reference", &response));
    assert_eq!((status, &body["error"]["code"]), (409, &json!("object_home_unavailable")), "{body}");
    assert!(body["error"]["message"].as_str().expect("a text").contains("does not serve the model"), "{body}");

    // Under another id, a home is the same.
    config["apis"][home]["models"] = json!(["m"]);
    config["apis"][home]["id"] = json!("again");
    reload(&config);
    let before = calls(&accounts);
    ask(&app, &follow_up("reference", &response));
    assert_eq!(calls(&accounts), before + 1, "nobody else was asked");
    let app = app.kill_and_restart();
    ask(&app, &follow_up("previous", &response));
    assert_eq!(calls(&accounts), before + 2, "nor after a restart");
    config["apis"][home]["id"] = json!("other");
    config["apis"][home]["was"] = json!("again");
    config["apis"][home]["apiKey"] = json!("sk-another-0123456789");
    std::fs::write(app.config_file(), config.to_string()).expect("written");
    let app = app.stop_and_restart();
    ask(&app, &follow_up("previous", &response));
    assert_eq!(calls(&accounts), before + 3, "nor with another key");
}

#[test]
fn a_home_in_trouble_tells_its_own_error_and_is_a_409_with_a_time_while_it_rests() {
    let accounts = accounts(2);
    let app = App::start(&config(&accounts));
    let response = ask(&app, &json!({}));
    let home = accounts.iter().position(|account| account.knows(response["id"].as_str().expect("an id"))).expect("one");
    accounts[home].is_down.store(true, Ordering::SeqCst);
    let before = calls(&accounts);
    let follow = follow_up("secret", &response);
    for _ in 0..3 {
        assert_eq!(try_ask(&app, &follow).0, 500);
    }
    let mut body = json!({ "model": "m" });
    body.as_object_mut().expect("an object").extend(follow.as_object().expect("fields").clone());
    let refused = app.client().post("/v1/responses", &body);
    let wait: u64 = refused.header("retry-after").expect("a time").parse().expect("seconds");
    assert!(refused.status == 409 && (1..=10).contains(&wait), "{} {wait}", refused.status);
    assert_eq!(calls(&accounts) - before, 3, "the other account was not asked");
    // Others have the other account.
    ask(&app, &json!({}));
}

#[test]
fn a_request_waits_in_the_queue_for_its_home() {
    let accounts = accounts(2);
    let mut config = config(&accounts);
    config["queue"] = json!({ "maxWaitMs": 5_000 });
    for api in config["apis"].as_array_mut().expect("a list") {
        api["maxConcurrent"] = json!(1);
    }
    let app = App::start(&config);
    let response = ask(&app, &json!({}));
    let home = accounts.iter().position(|account| account.knows(response["id"].as_str().expect("an id"))).expect("one");
    let before: Vec<usize> = accounts.iter().map(|account| account.upstream.calls()).collect();
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| ask(&app, &follow_up("previous", &response)));
        }
    });
    let grown: Vec<usize> =
        accounts.iter().zip(&before).map(|(account, before)| account.upstream.calls() - before).collect();
    assert_eq!(grown[home], 6, "{grown:?}");
}

#[test]
fn an_account_that_rests_may_have_the_object_so_the_client_is_told_to_come_again() {
    let accounts = accounts(2);
    let limited = Upstream::always(Reply::text(429, &[("retry-after", "30")], r#"{"error":{"message":"slow down"}}"#));
    let config = config_of(&[&limited, &accounts[1].upstream]);
    let app = Launch::new(&config).start();
    // The first one learns that it has to rest.
    eventually("it rests", || {
        ask(&app, &json!({}));
        app.status_of("a")["available"] == false
    });
    let (status, body) = try_ask(&app, &json!({ "previous_response_id": "resp_elsewhere" }));
    assert_eq!(status, 429, "{body}");
}
