//! What a newcomer meets in the first hour: each stumble has a message with the place and the mend.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::explain::run_in;
use crate::helpers::{App, Client, Reply, Upstream, config_of, eventually, scratch};

/// Runs a command. Returns the code and all that was said.
fn run(folder: &Path, args: &[&str]) -> (Option<i32>, String) {
    let (code, told, wrong) = run_in(folder, &[], args);
    (code, told + &wrong)
}

#[test]
fn of_two_lines_of_a_dot_env_with_one_name_the_last_counts_and_each_command_says_so() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let folder = scratch();
    let lines =
        format!("DOUBLE_KEY=sk-old-4f9Qm2Zk7w\nGROQ_BASE_URL={}\nDOUBLE_KEY=sk-new-4f9Qm2Zk7w\n", upstream.url());
    fs::write(folder.join(".env"), lines).expect("writes");
    let config = json!({
        "server": { "apiKey": "sk-pool-0123456789" },
        "apis": [{ "id": "a", "baseUrl": upstream.url(), "apiKey": "${DOUBLE_KEY}" }],
    });
    fs::write(folder.join("apis.json"), config.to_string()).expect("writes");
    for args in [&["check", "-c", "apis.json", "--online"][..], &["init", "--yes", "-o", "new.json"]] {
        let (_, told) = run(&folder, args);
        let says = ".env:3: line 1 sets the same variable; the last line counts";
        assert!(told.contains(says) && !told.contains("4f9Qm2Zk7w"), "{told}");
    }
    let asked = upstream.received().pop().expect("asked for the models");
    assert_eq!(asked.header("authorization"), Some("Bearer sk-new-4f9Qm2Zk7w"));
}

#[test]
fn a_mistyped_command_says_what_to_type() {
    let folder = scratch();
    fs::create_dir(folder.join("pool")).expect("made");
    for (args, says) in [
        (&["-c", "my.json", "status"][..], "write options behind the command: status --config <FILE>"),
        (&["--port", "3999", "status"], "write options behind the command: status --port <PORT>"),
        (&["init", "-o", "pool"], "pool is a folder, and a file is to be written; name one: -o pool/apis.json"),
        (&["keys", "new", "--name", "a", "--rpm", "-5"], "invalid value '…' for '--rpm <N>'"),
        (&["keys", "new", "--name", "a", "-c", "nope.json"], "nope.json: there is no configuration"),
    ] {
        let (code, told) = run(&folder, args);
        assert!(code == Some(2) && told.contains(says), "{args:?}: {told}");
    }
    let (_, told) = run(&folder, &["import", "--from", "litellm", "a.json", "b.json"]);
    assert!(!told.contains("-c FILE"), "import has no -c: {told}");
}

#[test]
fn a_new_key_takes_no_name_that_is_there_whether_it_is_written_or_not() {
    let folder = scratch();
    let new = ["keys", "new", "--name", "team"];
    assert_eq!(run(&folder, &new).0, Some(0), "there need be no configuration at the usual place");
    fs::create_dir(folder.join("config")).expect("made");
    fs::write(folder.join("config/apis.json"), r#"{"keys": [{"name": "team", "key": "k"}]}"#).expect("writes");
    let (code, told) = run(&folder, &new);
    assert!(code == Some(2) && told.contains("a key has the name team already"), "{told}");
    assert!(!told.contains("sk-at-"), "{told}");
}

#[test]
fn an_input_that_is_no_dot_env_is_told_in_a_line() {
    let folder = scratch();
    let yaml: String = (0..80).map(|i| format!("- name_{i}: x\n")).collect();
    fs::write(folder.join("config.yaml"), yaml + "A=1\n").expect("writes");
    let (code, told) = run(&folder, &["import", "--from", "env", "config.yaml"]);
    assert!(code == Some(2) && told.contains("is this a .env?") && told.lines().count() == 1, "{told}");
}

#[test]
fn an_account_id_that_is_none_is_doubted() {
    let account = |id: &str| {
        let folder = scratch();
        let api = json!({ "id": "a", "provider": "cloudflare", "apiKey": "k-4f9Qm2Zk7w", "account": id });
        fs::write(folder.join("apis.json"), json!({ "apis": [api] }).to_string()).expect("writes");
        run(&folder, &["check", "-c", "apis.json"]).1
    };
    let says = "apis[0].account: must be the id of your Cloudflare account (32 hexadecimal digits)";
    assert!(account("my-account").contains(says));
    assert!(!account("0123456789abcdef0123456789abcdef").contains(says));
}

#[test]
fn the_last_failure_stands_beside_the_reason_until_the_entry_changes() {
    let mut config = config_of(&[&Upstream::always(Reply::chat("hi"))]);
    config["apis"][0].as_object_mut().expect("an object").remove("models");
    config["apis"][0]["baseUrl"] = json!("http://no-such-host.invalid/v1");
    let app = App::start(&config);
    eventually("the list was asked for", || !app.status_of("a")["lastError"].is_null());
    let port = app.port.to_string();
    let ask = |args: &[&str]| run(&app.folder, &[args, &["-c", "apis.json", "-p", &port]].concat()).1;
    assert!(app.chat().text().contains("a (models_unknown: connect until "));
    let told = ask(&["explain", "m"]);
    assert!(told.contains("no: models_unknown") && told.contains("a, last error: connect: GET http"), "{told}");
    assert!(ask(&["status"]).contains("a: connect: GET http"));

    let good = Upstream::always(Reply::json(200, &json!({ "object": "list", "data": [{ "id": "m" }] })));
    config["apis"][0]["baseUrl"] = json!(format!("{}/v1", good.url()));
    fs::write(app.config_file(), config.to_string()).expect("writes");
    eventually("the new address is in use", || app.status_of("a")["available"] == true);
    assert!(app.status_of("a")["lastError"].is_null(), "{}", app.status_of("a"));
}

#[test]
fn an_accounts_key_is_told_where_clients_keys_are() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = config_of(&[&upstream]);
    config["apis"][0]["apiKey"] = json!("sk-account-0123456789");
    config["keys"] = json!([{ "name": "team", "key": "sk-team-0123456789" }]);
    let app = App::start(&config);
    let sent = Client::new(app.port).key("sk-account-0123456789").get("/v1/models");
    assert!(sent.text().contains("send one of keys, server.apiKey or server.apiKeys"));
}
