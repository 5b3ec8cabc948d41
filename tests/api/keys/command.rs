//! `api-together keys`: a key is shown once, its digest is kept, and the file of the person stays as it was written.

use std::fs;

use serde_json::{Value, json};

use super::{KEY, TEAM, ask, digest_of, team, with_keys};
use crate::explain::run_in;
use crate::helpers::{App, Client, Launch, Reply, Upstream, scratch, within};

/// A configuration as a person writes one.
const TYPED: &str = r#"{
  "server": {"port": 3001,   "apiKey": "${POOL_KEY_THAT_IS_NOT_SET}"},
  "apis": [
      {"id": "a", "baseUrl": "http://127.0.0.1:9", "apiKey": "${NOT_SET_EITHER}", "models": ["m"]}
  ],

  "keys": [
    {"name": "first", "key": "sk-first-0123456789", "rpm": 3}
  ],
  "retry": {"maxAttempts": 2}
}
"#;

/// Returns the key that was printed.
fn printed(told: &str) -> String {
    let line = told.lines().map(str::trim).find(|line| line.starts_with("sk-at-")).unwrap_or_else(|| panic!("{told}"));
    line.to_owned()
}

fn backups(folder: &std::path::Path) -> Vec<String> {
    let files = fs::read_dir(folder).expect("reads").map(|file| file.expect("a file").file_name());
    files.map(|name| name.to_string_lossy().into_owned()).filter(|name| name.ends_with(".bak")).collect()
}

#[test]
fn a_new_key_is_written_with_its_digest_and_all_else_stays() {
    let folder = scratch();
    let file = folder.join("apis.json");
    fs::write(&file, TYPED).expect("writes");
    let new = |args: &[&str]| run_in(&folder, &[], &[&["keys", "new", "-c", "apis.json"], args].concat());
    let limits = [
        "--rpm",
        "30",
        "--budget",
        "2/day",
        "--budget",
        "$30/month",
        "--models",
        "gpt-4*,m",
        "--expires",
        "2099-03-01",
    ];
    let (code, told, wrong) = new(&[&["--name", "team-a", "--write"], &limits[..]].concat());
    assert_eq!(code, Some(0), "{told}{wrong}");
    let key = printed(&told);
    assert_eq!((key.len(), told.matches("sk-at-").count()), (6 + 43, 1), "{told}");
    let text = fs::read_to_string(&file).expect("reads");
    assert!(!text.contains(&key) && text.contains(&digest_of(&key)), "{text}");
    for line in TYPED.lines().filter(|line| !line.contains("first") && !line.trim().is_empty()) {
        assert!(text.contains(line), "{line:?} is gone from\n{text}");
    }
    let written: Value = serde_json::from_str(&text).expect("JSON");
    let wanted = json!({
        "name": "team-a", "key": digest_of(&key), "models": ["gpt-4*", "m"], "rpm": 30,
        "budgets": [{ "usd": 2, "per": "day" }, { "usd": 30, "per": "month" }], "expires": "2099-03-01",
    });
    assert_eq!((&written["keys"][1], written["keys"].as_array().expect("a list").len()), (&wanted, 2));
    let kept = backups(&folder);
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(fs::read_to_string(folder.join(&kept[0])).expect("reads"), TYPED);

    let (code, told, wrong) = new(&["--name", "team-a", "--write"]);
    assert!(code == Some(2) && wrong.contains("a key has the name team-a already"), "{told}{wrong}");
    assert_eq!((fs::read_to_string(&file).expect("reads"), backups(&folder).len()), (text, 1), "nothing was changed");
}

#[test]
fn without_write_the_entry_is_printed_and_no_file_is_needed() {
    let folder = scratch();
    let (code, told, _) =
        run_in(&folder, &[], &["keys", "new", "--name", "ci", "--max-concurrent", "2", "--apis", "a,b*"]);
    assert_eq!(code, Some(0), "{told}");
    let entry: Value = serde_json::from_str(&told[told.find('{').expect("an entry")..]).expect("JSON");
    let key = printed(&told);
    assert_eq!(entry, json!({ "name": "ci", "key": digest_of(&key), "apis": ["a", "b*"], "maxConcurrent": 2 }));
    let (_, told, _) = run_in(&folder, &[], &["keys", "new", "--name", "ci", "--json"]);
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(told["entry"]["key"], digest_of(told["key"].as_str().expect("a key")));
    assert_ne!(told["key"], key, "each key is new");
    assert_eq!(fs::read_dir(&folder).expect("reads").count(), 0, "no file was made");
}

#[test]
fn what_cannot_be_a_key_is_refused_and_nothing_is_written() {
    let folder = scratch();
    let file = folder.join("apis.json");
    fs::write(&file, TYPED).expect("writes");
    for (args, said) in [
        (&["--name", "a b"][..], "name: must be of letters"),
        (&["--name", "default"], "name: is the name of the keys in server.apiKey"),
        (&["--name", "a", "--expires", "soon"], "expires: must be a day"),
        (&["--name", "a", "--reset", "Mars"], "reset: must be an IANA time zone"),
        (&["--name", "a", "--budget", "2"], "--budget <USD/PERIOD>"),
        (&["--name", "a", "--budget", "0/day"], "--budget <USD/PERIOD>"),
        (&["--rpm", "3"], "--name <NAME>"),
        (&["--name", "a", "-c", "nowhere.json"], "there is no configuration"),
    ] {
        let (code, told, wrong) =
            run_in(&folder, &[], &[&["keys", "new", "-c", "apis.json", "--write"], args].concat());
        // clap takes the last of two.
        let is_twice = args.contains(&"-c");
        assert!(code == Some(2) && !told.contains("sk-at-"), "{args:?}: {told}{wrong}");
        assert!(is_twice || wrong.contains(said), "{args:?}: {wrong}");
    }
    fs::write(folder.join("broken.json"), "{ \"apis\": [ ").expect("writes");
    let (code, _, wrong) = run_in(&folder, &[], &["keys", "new", "--name", "a", "--write", "-c", "broken.json"]);
    assert!(code == Some(2) && wrong.contains("no JSON"), "{wrong}");
    assert_eq!(fs::read_to_string(&file).expect("reads"), TYPED);
    assert_eq!(backups(&folder), Vec::<String>::new());
}

#[test]
fn what_a_server_would_refuse_is_not_written_and_a_key_that_cannot_be_used_is_warned_of() {
    let folder = scratch();
    let file = folder.join("apis.json");
    let run = |text: &str, args: &[&str]| {
        fs::write(&file, text).expect("writes");
        let (code, told, wrong) = run_in(&folder, &[], &[&["keys"], args, &["-c", "apis.json"]].concat());
        (code, told, wrong, fs::read_to_string(&file).expect("reads") == text)
    };
    let broken = TYPED.replace("\"maxAttempts\": 2", "\"maxAttempts\": -2");
    for (args, exit) in [(&["disable", "first"][..], 1), (&["new", "--name", "b", "--write"], 1)] {
        let (code, told, wrong, is_same) = run(&broken, args);
        assert!(code == Some(exit) && is_same && told.is_empty(), "{args:?}: {told}");
        assert!(wrong.contains("nothing was changed") && wrong.contains("retry.maxAttempts: "), "{wrong}");
    }
    let (code, told, wrong, is_same) = run(TYPED, &["new", "--name", "b", "--apis", "nosuch", "--write"]);
    assert!(code == Some(2) && is_same && told.is_empty(), "{told}");
    assert!(wrong.contains(": apis[0]: is the id of no API"), "{wrong}");
    let off = TYPED.replace("\"rpm\": 3", "\"rpm\": 3, \"enabled\": false, \"models\": \"m\"");
    let (code, _, wrong, is_same) = run(&off, &["enable", "first"]);
    assert!(code == Some(1) && is_same && wrong.contains("keys[0].models: "), "{wrong}");
    assert_eq!(backups(&folder), Vec::<String>::new());
    for (limit, said) in [(["--expires", "2020-01-01"], "expires is over"), (["--rpm", "0"], "a limit is 0")] {
        let (code, told, wrong, is_same) = run(TYPED, &[&["new", "--name", "b", "--write"], &limit[..]].concat());
        assert!(code == Some(0) && !is_same, "{told}{wrong}");
        assert!((told + &wrong).contains(&format!("b will be refused: {said}")), "{wrong}");
    }
}

#[test]
fn a_running_server_takes_up_a_new_key_and_refuses_a_disabled_one() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::start(&with_keys(&[&upstream], &team(&json!({}))));
    let keys = |args: &[&str]| run_in(&app.folder, &[], &[&["keys"], args].concat());
    let (code, told, wrong) = keys(&["new", "--name", "fresh", "--write", "-c", "apis.json"]);
    assert_eq!(code, Some(0), "{wrong}");
    let key = printed(&told);
    within(std::time::Duration::from_secs(2), "the key comes in", || ask(&app, &key, "m").status == 200);
    let (code, told, _) = keys(&["disable", "team-a", "-c", "apis.json"]);
    assert!(code == Some(0) && told.contains("team-a is disabled"), "{told}");
    within(std::time::Duration::from_secs(2), "the key is refused", || ask(&app, TEAM, "m").status == 403);
    assert!(keys(&["disable", "team-a", "-c", "apis.json"]).1.contains("already"), "a second time changes nothing");
    let (code, _, wrong) = keys(&["disable", "team-x", "-c", "apis.json"]);
    assert!(code == Some(2) && wrong.contains("did you mean team-a?"), "{wrong}");
    let (code, _, wrong) = keys(&["disable", "default", "-c", "apis.json"]);
    assert!(code == Some(2) && wrong.contains("server.apiKey"), "{wrong}");
    assert_eq!(keys(&["disable", KEY, "-c", "apis.json"]).2.matches(KEY).count(), 0, "a key in a name's place");
    assert_eq!(keys(&["enable", "team-a", "-c", "apis.json"]).0, Some(0));
    within(std::time::Duration::from_secs(2), "the key is back", || ask(&app, TEAM, "m").status == 200);
}

#[test]
fn the_list_has_every_key_and_no_secret_with_and_without_a_server() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let keys = json!([
        { "name": "team-a", "key": TEAM, "models": ["m"], "apis": ["*"], "rpm": 30, "budgets": [{ "usd": 2, "per": "day" }], "expires": "2099-03-01" },
        { "name": "off", "key": "sk-off-0123456789", "enabled": false },
    ]);
    let launch = Launch::new(&with_keys(&[&upstream], &keys));
    let folder = launch.folder.clone();
    let list = |more: &[&str]| run_in(&folder, &[], &[&["keys", "list", "-c", "apis.json", "-p", "1"], more].concat());
    let (code, told, wrong) = list(&[]);
    assert_eq!(code, Some(0), "{wrong}");
    for wanted in ["default (server.apiKey)", "team-a", "rpm 30", "$2 a day", "2099-03-01", "disabled"] {
        assert!(told.contains(wanted), "no {wanted:?} in\n{told}");
    }
    let app = launch.start();
    assert_eq!(ask(&app, TEAM, "m").status, 200);
    let port = app.port.to_string();
    let (code, told_running, _) = run_in(&folder, &[], &["keys", "list", "-c", "apis.json", "-p", &port]);
    assert_eq!(code, Some(0));
    let (_, object, _) = run_in(&folder, &[], &["keys", "list", "-c", "apis.json", "-p", &port, "--json"]);
    let parsed: Value = serde_json::from_str(&object).expect("JSON");
    assert_eq!(parsed["keys"][0]["name"], "team-a");
    for secret in [TEAM, KEY, "sk-off-0123456789"] {
        assert!(!told.contains(secret) && !told_running.contains(secret) && !object.contains(secret));
    }
}

#[test]
fn commands_choose_the_key_for_their_purpose() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = with_keys(&[&upstream], &team(&json!({})));
    config["server"]["adminKeys"] = json!([{ "name": "ops", "key": "sk-admin-0123456789" }]);
    let app = App::start(&config);
    let port = app.port.to_string();
    for command in [&["status"][..], &["explain", "m"]] {
        let (code, told, wrong) = run_in(&app.folder, &[], &[command, &["-c", "apis.json", "-p", &port]].concat());
        assert_eq!(code, Some(0), "{told}{wrong}");
    }
    let (code, _, wrong) = run_in(&app.folder, &[], &["status", "-c", "apis.json", "-p", &port, "--key", TEAM]);
    assert!(code == Some(1) && wrong.contains("server.adminKeys") && !wrong.contains(TEAM), "{wrong}");
    let env = [("API_TOGETHER_KEY", "sk-admin-0123456789")];
    assert_eq!(run_in(&app.folder, &env, &["status", "-u", &format!("localhost:{port}")]).0, Some(0));
    let (code, told, wrong) = run_in(&app.folder, &[], &["agent", "codex", "-c", "apis.json", "-p", &port]);
    assert_eq!(code, Some(0), "a client's key for models: {told}{wrong}");
    assert_eq!(run_in(&app.folder, &[], &["health", "-c", "apis.json", "-p", &port]).0, Some(0));
    // Only a digest of the admin's key is there.
    config["server"]["adminKeys"] = json!([digest_of("sk-admin-0123456789")]);
    fs::write(app.config_file(), config.to_string()).expect("writes");
    let (code, _, wrong) = run_in(&app.folder, &[], &["status", "-c", "apis.json", "-p", &port]);
    assert!(code == Some(2) && wrong.contains("API_TOGETHER_KEY"), "{wrong}");
    assert_eq!(Client::new(app.port).key(KEY).get("/v1/status").status, 403);
}
