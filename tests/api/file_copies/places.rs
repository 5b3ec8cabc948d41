//! Which requests, files and accounts.

use serde_json::json;

use super::*;

#[test]
fn responses_and_messages_name_files_as_well() {
    for (path, body) in [
        (
            "/v1/responses",
            json!({ "model": "m", "input": [{ "role": "user", "content": [{ "type": "input_file", "file_id": "F" }] }],
                "tools": [{ "type": "code_interpreter", "container": { "type": "auto", "file_ids": ["F"] } }],
                "metadata": { "file_id": "F" } }),
        ),
        (
            "/v1/messages?beta=true",
            json!({ "model": "m", "max_tokens": 9, "messages": [{ "role": "user", "content": [
                { "type": "document", "source": { "type": "file", "file_id": "F" } },
                { "type": "tool_use", "id": "t", "name": "n", "input": { "file_id": "F" } }] }] }),
        ),
    ] {
        let accounts = accounts(2);
        let app = App::start(&config(&accounts, 1));
        let client = match path.contains("messages") {
            true => {
                app.client().header("anthropic-version", "2023-06-01").header("anthropic-beta", "files-api-2025-04-14")
            }
            false => app.client(),
        };
        let query = path.split_once('?').map_or(String::new(), |(_, query)| format!("?{query}"));
        let answer = send(&client, &format!("/v1/files{query}"), b"bytes").json();
        let file = answer["id"].as_str().expect("an id").to_owned();
        let body = body.to_string().replace("\"F\"", &format!("\"{file}\""));
        for _ in 0..3 {
            let answer = client.request("POST", path, body.as_bytes());
            let status = answer.status;
            assert_eq!(status, 200, "{path}: {}", answer.text());
        }
        let uploads = accounts[1].uploads();
        assert_eq!((uploads.len(), accounts[1].chats().len()), (1, 2), "{path}");
        assert_eq!(uploads[0].path, format!("/v1/files{query}"));
        let first = &accounts[0].uploads()[0];
        for name in ["anthropic-version", "anthropic-beta", "content-type"] {
            assert_eq!(uploads[0].header(name), first.header(name), "{path}");
        }
        // Once for each part that names the file, and never in what is the client's own.
        let sent = accounts[1].last_chat();
        let (copies, originals) = (sent.matches("file-b0").count(), sent.matches(&file).count());
        assert_eq!((copies, originals), if path.contains("messages") { (1, 1) } else { (2, 1) }, "{sent}");
    }
}

#[test]
fn a_stream_with_a_mapped_model_and_a_wish_for_usage_has_all_changes_at_once() {
    let accounts = accounts(2);
    let mut config = config(&accounts, 1);
    config["apis"][1]["models"] = json!(["theirs"]);
    config["apis"][1]["modelMapping"] = json!({ "m": "theirs" });
    let app = App::start(&config);
    let file = upload(&app.client(), b"bytes");
    assert_eq!(chat(&app, &[&file]), 200);
    let body = format!(
        r#"{{"messages":[{{"role":"user","content":[{{"file":{{"file_id":"{file}"}}}}]}}],"stream":true,"model":"m"}}"#
    );
    app.client().request("POST", "/v1/chat/completions", body.as_bytes());
    let sent = accounts[1].last_chat();
    let value: Value = serde_json::from_str(&sent).expect("JSON");
    assert_eq!((&value["model"], &value["stream_options"]["include_usage"]), (&json!("theirs"), &json!(true)));
    assert_eq!(value["messages"][0]["content"][0]["file"]["file_id"], "file-b0");
}

#[test]
fn files_of_two_homes_meet_at_one_of_them() {
    let accounts = accounts(2);
    let mut config = config(&accounts, 100);
    config["apis"][1]["priority"] = json!(0);
    let app = App::start(&config);
    let files: Vec<String> = (0..12)
        .map(|nth| upload(&app.client().header("session-id", &nth.to_string()), nth.to_string().as_bytes()))
        .collect();
    let of = |account: &FileAccount| files.iter().find(|file| account.knows(file)).expect("sessions spread").clone();
    let (one, other) = (of(&accounts[0]), of(&accounts[1]));
    let before: usize = accounts.iter().map(|account| account.uploads().len()).sum();
    for _ in 0..3 {
        assert_eq!(chat(&app, &[&one, &other]), 200);
    }
    let uploads: usize = accounts.iter().map(|account| account.uploads().len()).sum();
    assert_eq!(uploads, before + 1, "one copy, at the home of the first");
    assert_eq!(accounts[0].chats().len(), 3);
    // What else is named has no copies: there the files go.
    let store = app.client().post("/v1/vector_stores", &json!({ "file_ids": [other] }));
    assert_ne!(store.status, 409);
    let two = json!({ "file_ids": [one, other] });
    assert_eq!(app.client().post("/v1/vector_stores", &two).status, 409, "of what is made, the files stay at home");
}

#[test]
fn a_response_that_lives_elsewhere_gets_the_file() {
    let accounts = accounts(2);
    let mut config = config(&accounts, 1);
    let app = App::start(&config);
    let file = upload(&app.client(), b"bytes");
    let ask = |fields: Value| {
        let mut body = json!({ "model": "m", "input": [{ "role": "user", "content": [
            { "type": "input_file", "file_id": file }] }] });
        body.as_object_mut().expect("an object").extend(fields.as_object().expect("fields").clone());
        app.client().post("/v1/responses", &body)
    };
    assert_eq!(ask(json!({})).status, 200);
    let second = ask(json!({})).json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(accounts[1].chats().len(), 1);
    // The home of the file could serve again, and that of the response is another one.
    config["apis"][0]["rpd"] = json!(100);
    std::fs::write(app.config_file(), config.to_string()).expect("writes");
    eventually("the limit is another one", || app.status_of("a")["limits"].to_string().contains("100"));
    assert_eq!(ask(json!({ "previous_response_id": second })).status, 200);
    assert_eq!((accounts[0].chats().len(), accounts[1].chats().len(), accounts[1].uploads().len()), (1, 2, 1));
    assert_eq!(ask(json!({})).status, 200);
    assert_eq!(accounts[0].chats().len(), 2, "the home comes first");
}

#[test]
fn a_home_that_fails_or_does_not_serve_the_model_is_passed_by() {
    let accounts = accounts(2);
    let mut config = config(&accounts, 100);
    config["apis"][1]["models"] = json!(["m", "b-only"]);
    let app = App::start(&config);
    let file = upload(&app.client(), b"bytes");
    let mut other = about(&[&file]);
    other["model"] = json!("b-only");
    assert_eq!(app.client().post("/v1/chat/completions", &other).status, 200);
    assert_eq!((accounts[0].chats().len(), accounts[1].uploads().len()), (0, 1));
    accounts[0].is_down.store(true, Ordering::SeqCst);
    assert_eq!(chat(&app, &[&file]), 200);
    assert_eq!((accounts[0].chats().len(), accounts[1].uploads().len()), (1, 1));
    // An entry that has left the configuration is no home any more.
    let mut without = config.clone();
    without["apis"].as_array_mut().expect("a list").remove(0);
    std::fs::write(app.config_file(), without.to_string()).expect("writes");
    eventually("the entry is gone", || {
        app.client().get("/v1/status").json()["apis"].as_array().is_some_and(|apis| apis.len() == 1)
    });
    assert_eq!(chat(&app, &[&file]), 200);
    assert_eq!(accounts[1].uploads().len(), 1);
}
