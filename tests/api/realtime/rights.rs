//! The rights of a key hold while a connection is open: a reload may take the model or the account away.

use serde_json::{Value, json};

use super::{asked, config_by_priority, create, event, speaking};
use crate::helpers::App;
use crate::helpers::websocket::WsClient;

const TEAM: &str = "sk-of-the-team-0123456789abcdef";

fn of_team(app: &App) -> WsClient {
    let mut client = asked(app, "model=m", &format!("authorization: Bearer {TEAM}\r\n"));
    assert!(client.head.starts_with("http/1.1 101"), "{}", client.head);
    event(&mut client, "session.created");
    client
}

fn reload(app: &App, config: &Value) {
    std::fs::write(app.config_file(), config.to_string()).expect("writes");
}

/// Asks for responses up to the refusal of one. A worker hears of new limits a moment later.
fn refusal(client: &mut WsClient) -> Value {
    for _ in 0..100 {
        client.send_json(&create());
        loop {
            let event = client.event();
            match event["type"].as_str() {
                Some("error") => return event,
                Some("response.done") => break,
                _ => {}
            }
        }
    }
    panic!("no limit holds");
}

#[test]
fn a_key_that_loses_the_model_or_the_account_loses_its_connections() {
    for (field, now) in [
        ("models", json!(["other"])),
        ("apis", json!(["b"])),
        ("enabled", json!(false)),
        ("expires", json!("2020-01-01")),
    ] {
        let (first, second) = (speaking(), speaking());
        let mut config = config_by_priority(&[&first, &second]);
        config["keys"] = json!([{ "name": "team", "key": TEAM }]);
        let app = App::start(&config);
        let mut client = of_team(&app);
        config["keys"][0][field] = now;
        reload(&app, &config);
        let told = client.event();
        assert_eq!((&told["type"], &told["status"]), (&json!("error"), &json!(403)), "{field}: {told}");
        assert_eq!(client.closed(), 1008, "{field}");
    }
}

#[test]
fn a_key_that_keeps_its_rights_keeps_its_connection() {
    let (first, second) = (speaking(), speaking());
    let mut config = config_by_priority(&[&first, &second]);
    config["keys"] = json!([{ "name": "team", "key": TEAM }]);
    let app = App::start(&config);
    let mut client = of_team(&app);
    config["keys"][0]["models"] = json!(["m", "other"]);
    config["keys"][0]["apis"] = json!(["a"]);
    config["keys"][0]["rpd"] = json!(1);
    reload(&app, &config);
    app.logged("configuration: reloaded");
    assert_eq!(refusal(&mut client)["error"]["code"], "key_rpd", "new limits hold");
}

#[test]
fn a_disabled_account_ends_its_connections_and_a_changed_limit_holds() {
    let upstream = speaking();
    let mut config = config_by_priority(&[&upstream]);
    let app = App::start(&config);
    let mut client = super::connect(&app, "model=m");
    event(&mut client, "session.created");
    config["apis"][0]["rpd"] = json!(1);
    reload(&app, &config);
    app.logged("configuration: reloaded");
    assert_eq!(refusal(&mut client)["status"], 429);
    config["apis"][0]["enabled"] = json!(false);
    reload(&app, &config);
    assert_eq!(client.event()["status"], 503);
    assert_eq!(client.closed(), 1001);
}
