//! Messages say what is wrong, where, and what to do.

use std::fs;
use std::process::{Output, Stdio};

use serde_json::{Value, json};

use crate::helpers::{App, Client, KEY, Launch, OPEN_FILES, Reply, Upstream, config_of, eventually};

/// Starts the program, which has to end by itself. Returns the exit code and what it says.
fn refused(launch: &Launch, args: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } =
        launch.command().args(["--config", "apis.json", "--port", "0"]).args(args).output().expect("ran");
    (status.code(), String::from_utf8_lossy(&stderr).into_owned())
}

#[test]
fn a_data_folder_that_cannot_be_used_is_named_in_full_with_the_mend() {
    let launch = Launch::new(&config_of(&[&Upstream::always(Reply::chat("hi"))]));
    fs::write(launch.folder.join("file"), "").expect("writes");
    let (code, told) = refused(&launch, &["--data", "file"]);
    let folder = launch.folder.canonicalize().expect("is there").join("file");
    assert!(
        code == Some(1) && told.contains(&format!("{}: the data folder can't be used", folder.display())),
        "{told}"
    );
    assert!(told.contains("there is a file in the folder's place"), "{told}");
    let (code, told) = refused(&launch, &["--data", "file/below"]);
    assert!(code == Some(1) && told.contains("there is a file in the folder's place"), "{told}");
}

/// A sound folder was once taken for a damaged one, and moved aside, when the process could open no more files.
#[test]
fn without_files_to_open_a_data_folder_is_not_taken_for_damaged() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = config_of(&[&upstream]);
    config["apis"][0]["rpd"] = json!(2);
    let app = App::start(&config);
    assert_eq!(app.chat().status, 200);
    let launch = app.stop();
    let mut told = Vec::new();
    // With fewer nothing starts, with more the folder opens.
    for files in 10..=14 {
        let again = Launch { folder: launch.folder.clone(), args: Vec::new(), env: Vec::new() };
        let again = again.env(OPEN_FILES, &files.to_string());
        let mut command = again.command();
        command.args(["--config", "apis.json", "--port", "0", "--data", "data"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("starts");
        eventually("it ends by itself", || child.try_wait().expect("asked").is_some());
        let output = child.wait_with_output().expect("ended");
        told.push(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    assert!(told.iter().any(|told| told.contains("let the process open more files")), "{told:#?}");
    assert!(!told.iter().any(|told| told.contains("is damaged")), "{told:#?}");
    let app = launch.start();
    assert_eq!((app.usage_of("a").1, app.chat().status, app.chat().status), (1, 200, 429));
}

#[test]
fn the_key_of_an_account_in_a_clients_hand_is_called_so() {
    let app = App::on(&[&Upstream::always(Reply::chat("hi"))]);
    let told = |key: &str| {
        let answer = Client::new(app.port).key(key).get("/v1/models");
        {
            let status = answer.status;
            (status, answer.json()["error"]["message"].as_str().expect("a text").to_owned())
        }
    };
    let (status, message) = told("sk-upstream-a-0123456789");
    assert!(status == 401 && message.starts_with("this is the key of an account behind this pool"), "{message}");
    assert!(message.contains("server.apiKey") && !message.contains("upstream-a"), "{message}");
    assert_eq!(told("sk-nobody-0123456789"), (401, "incorrect API key provided".to_owned()));
}

#[test]
fn a_path_of_openai_that_the_pool_has_not_is_called_so() {
    let app = App::on(&[&Upstream::always(Reply::chat("hi"))]);
    for path in ["/v1/engines", "/v1/fine-tunes", "/v1/organization/users", "/v1/projects"] {
        let answer = app.client().post(path, &json!({}));
        let (status, message) = (answer.status, answer.json()["error"]["message"].clone());
        let wanted = format!("OpenAI's {} is not supported by this pool", path.trim_end_matches("/users"));
        assert!(status == 404 && message.as_str().is_some_and(|m| m.contains(&wanted)), "{message}");
    }
}

#[test]
fn a_reload_says_what_changed_and_a_refused_one_which_configuration_goes_on() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = config_of(&[&upstream, &upstream]);
    config["apis"][0]["rpm"] = json!(60);
    let app = App::start(&config);
    let write = |config: &Value| fs::write(app.config_file(), format!("{config:#}")).expect("writes");
    config["apis"][0]["rpm"] = json!(5);
    config["apis"].as_array_mut().expect("a list").pop();
    config["server"] = json!({ "apiKeys": [KEY, "sk-another-0123456789"], "port": 4001 });
    write(&config);
    app.logged("configuration: reloaded, a: rpm 60 → 5; b removed; 1 client key more");
    fs::write(app.config_file(), "{\n  // mine\n}").expect("writes");
    app.logged("apis.json:2:3: not valid JSON: comments are not allowed; the configuration of ");
    let line = app.log().lines().find(|line| line.contains("comments are")).expect("there").to_owned();
    assert!(line.ends_with("Z stays in force"), "{line}");
    write(&config);
    eventually("all is well again", || app.client().get("/v1/status").json()["config"]["lastError"].is_null());
}

#[test]
fn a_port_is_new_only_if_it_is_not_the_one_that_is_listened_on() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = config_of(&[&upstream]);
    config["server"]["host"] = json!("127.0.0.1");
    let app = App::start(&config);
    let restart = "a new server.host, server.port or server.admin takes effect after a restart";
    let told = || app.log().matches(restart).count();
    let mut reload = |host: &str, name: &str| {
        config["server"]["host"] = json!(host);
        config["server"]["name"] = json!(name);
        fs::write(app.config_file(), format!("{config:#}")).expect("writes");
        eventually("it is in force", || app.client().get("/health").json()["service"] == name);
    };
    reload("localhost", "one");
    eventually("it is told", || told() == 1);
    reload("localhost", "two");
    reload("127.0.0.1", "three");
    app.logged("reloaded, server changed");
    assert_eq!(told(), 1, "{}", app.log());
}

#[test]
fn a_key_file_that_is_not_there_was_looked_for_in_a_folder_with_a_name() {
    let mut config = config_of(&[&Upstream::always(Reply::chat("hi"))]);
    let api = config["apis"][0].as_object_mut().expect("an API");
    api.remove("apiKey");
    api.insert("apiKeyFile".to_owned(), json!("backup.key"));
    let launch = Launch::new(&config);
    let (code, told) = refused(&launch, &["--data", "data"]);
    let file = std::path::absolute(launch.folder.join("backup.key")).expect("a path");
    let id = config["apis"][0]["id"].as_str().expect("an id");
    let wanted =
        format!("apis[0].apiKeyFile: {id}: the file does not exist; put the key into that file: {}", file.display());
    assert!(code == Some(2) && told.contains(&wanted), "{told}");
}
