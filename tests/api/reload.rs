//! A change of the configuration takes effect by itself, in whatever way it is made, and costs nothing.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::edge::descriptors;
use crate::helpers::{App, Launch, Reply, Upstream, config_of, config_with, eventually, within};

fn write(path: &Path, config: &Value) {
    fs::write(path, format!("{config:#}")).expect("writes");
}

fn takes_effect(app: &App, name: &str) {
    within(Duration::from_secs(2), &format!("{name} takes effect"), || {
        app.client().get("/health").json()["service"] == name
    });
}

fn named(config: &Value, name: &str) -> Value {
    let mut config = config.clone();
    config["server"]["name"] = json!(name);
    config
}

#[test]
fn a_change_in_place_by_rename_and_again_takes_effect_within_two_seconds() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let config = config_of(&[&upstream]);
    let app = App::start(&config);
    let file = app.config_file();
    for round in 0..3 {
        let name = format!("in place {round}");
        write(&file, &named(&config, &name));
        takes_effect(&app, &name);

        let name = format!("by rename {round}");
        write(&app.folder.join("new.json"), &named(&config, &name));
        fs::rename(app.folder.join("new.json"), &file).expect("renames");
        takes_effect(&app, &name);

        let name = format!("removed and made anew {round}");
        fs::remove_file(&file).expect("removes");
        std::thread::sleep(Duration::from_millis(300));
        write(&file, &named(&config, &name));
        takes_effect(&app, &name);
    }
}

#[test]
fn a_configmaps_symlink_swap_takes_effect() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let config = config_of(&[&upstream]);
    let launch = Launch::new(&config);
    let folder = launch.folder.clone();
    let publish = |version: &str, name: &str| {
        fs::create_dir_all(folder.join(version)).expect("makes");
        write(&folder.join(version).join("apis.json"), &named(&config, name));
        symlink(version, folder.join("..data_tmp")).expect("links");
        fs::rename(folder.join("..data_tmp"), folder.join("..data")).expect("swaps");
    };
    fs::remove_file(folder.join("apis.json")).expect("removes");
    publish("..v1", "one");
    symlink("..data/apis.json", folder.join("apis.json")).expect("links");
    let app = launch.start();
    takes_effect(&app, "one");
    for version in 2..5 {
        publish(&format!("..v{version}"), &format!("version {version}"));
        fs::remove_dir_all(folder.join(format!("..v{}", version - 1))).expect("removes the old");
        takes_effect(&app, &format!("version {version}"));
    }
}

#[test]
fn a_change_behind_a_link_that_no_event_tells_of_takes_effect() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let config = config_of(&[&upstream]);
    let launch = Launch::new(&config);
    let elsewhere = crate::helpers::scratch().join("real.json");
    write(&elsewhere, &config);
    fs::remove_file(launch.folder.join("apis.json")).expect("removes");
    symlink(&elsewhere, launch.folder.join("apis.json")).expect("links");
    let app = launch.start();
    write(&elsewhere, &named(&config, "unseen"));
    takes_effect(&app, "unseen");
}

#[test]
fn a_bad_file_leaves_the_old_one_serving_and_says_why() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let config = config_of(&[&upstream]);
    let app = App::start(&config);
    let told = |what: &str| {
        let what = what.to_owned();
        move |app: &App| {
            let status = app.client().get("/v1/status").json();
            let error = status["config"]["lastError"].as_str().unwrap_or_default().to_owned();
            error.contains(&what) && app.log().contains(&what)
        }
    };
    let mut misspelt = config.clone();
    misspelt["apis"][0]["modelMaping"] = json!({});
    for (text, what) in [
        (String::new(), "apis.json:1:1: is empty"),
        ("{\n  \"apis\": [\n".to_owned(), "apis.json:3"),
        (misspelt.to_string(), "apis[0].modelMaping: unknown field, did you mean modelMapping?"),
    ] {
        fs::write(app.config_file(), text).expect("writes");
        let told = told(what);
        eventually(what, || told(&app));
        assert_eq!(app.chat().status, 200, "{what}");
    }
    fs::remove_file(app.config_file()).expect("removes");
    let gone = told("can't be read");
    eventually("the file is gone", || gone(&app));
    assert_eq!(app.chat().status, 200);
    write(&app.config_file(), &config);
    eventually("all is well again", || app.client().get("/v1/status").json()["config"]["lastError"].is_null());
}

#[test]
fn sighup_reloads() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::on(&[&upstream]);
    app.signal("HUP");
    eventually("it is read again", || app.log().contains("read again, nothing changed"));
    assert_eq!(app.chat().status, 200);
}

#[test]
fn counts_survive_a_reload_and_a_removal_and_a_new_limit_counts_at_once() {
    let (first, second) = (Upstream::always(Reply::chat("1")), Upstream::always(Reply::chat("2")));
    let mut config = config_of(&[&first, &second]);
    config["apis"][0]["rpd"] = json!(10);
    config["apis"][1]["priority"] = json!(1);
    let app = App::start(&config);
    for _ in 0..4 {
        assert_eq!(app.chat().status, 200);
    }
    config["apis"][0]["rpd"] = json!(3);
    write(&app.config_file(), &config);
    eventually("the day is over its new limit", || app.status_of("a")["unavailableReason"] == "rpd");

    let mut without = config.clone();
    without["apis"].as_array_mut().expect("a list").remove(0);
    write(&app.config_file(), &without);
    eventually("a is gone", || {
        app.client().get("/v1/status").json()["apis"].as_array().is_some_and(|apis| apis.len() == 1)
    });
    assert_eq!(app.chat().status, 200);
    config["apis"][0]["rpd"] = json!(6);
    write(&app.config_file(), &config);
    eventually("a is back", || {
        app.client().get("/v1/status").json()["apis"].as_array().is_some_and(|apis| apis.len() == 2)
    });
    assert_eq!(app.status_of("a")["usage"]["rpd"], 4);
    for _ in 0..5 {
        assert_eq!(app.chat().status, 200);
    }
    assert_eq!((first.calls(), second.calls()), (6, 4));
}

#[test]
fn no_request_is_dropped_by_a_reload() {
    let first = Upstream::always(Reply::chat("1").after(Duration::from_millis(30)));
    let second = Upstream::always(Reply::chat("2").after(Duration::from_millis(30)));
    let (one, two) = (config_of(&[&first]), config_of(&[&second, &first]));
    let app = App::start(&one);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut served = 0;
                    while !stop.load(Ordering::SeqCst) {
                        assert_eq!(app.chat().status, 200);
                        served += 1;
                    }
                    served
                })
            })
            .collect();
        for round in 0..6 {
            let name = format!("round {round}");
            write(&app.config_file(), &named(if round % 2 == 0 { &two } else { &one }, &name));
            takes_effect(&app, &name);
        }
        stop.store(true, Ordering::SeqCst);
        let served: u32 = threads.into_iter().map(|thread| thread.join().expect("all were served")).sum();
        assert!(served > 20, "{served}");
    });
}

#[test]
fn keys_and_models_of_the_new_configuration_count_at_once() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = config_of(&[&upstream]);
    let app = App::start(&config);
    config["server"]["apiKey"] = json!("sk-another-key-0123456789");
    config["apis"][0]["models"] = json!(["n"]);
    write(&app.config_file(), &config);
    let client = app.client().key("sk-another-key-0123456789");
    eventually("the new key opens", || client.get("/v1/models").status == 200);
    assert_eq!(app.client().get("/v1/models").status, 401, "the old one does not");
    assert_eq!(client.post("/v1/chat/completions", &json!({ "model": "n" })).status, 200);
    assert_eq!(client.post("/v1/chat/completions", &json!({ "model": "m" })).status, 404);
}

#[test]
fn a_key_file_that_changes_is_read_again() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = config_of(&[&upstream]);
    config["apis"][0].as_object_mut().expect("an object").remove("apiKey");
    config["apis"][0]["apiKeyFile"] = json!("secret.txt");
    let launch = Launch::new(&config);
    fs::write(launch.folder.join("secret.txt"), "sk-from-a-file-1\n").expect("writes");
    let app = launch.start();
    assert_eq!(app.chat().status, 200);
    fs::write(app.folder.join("secret.txt"), "sk-from-a-file-2\n").expect("writes");
    eventually("it is reloaded", || app.log().contains("configuration: reloaded"));
    assert_eq!(app.chat().status, 200);
    let keys: Vec<_> = upstream.received().iter().map(|r| r.header("authorization").map(str::to_owned)).collect();
    assert_eq!(keys, [Some("Bearer sk-from-a-file-1".to_owned()), Some("Bearer sk-from-a-file-2".to_owned())]);
}

#[test]
fn a_limit_that_changes_under_load_holds_on_every_thread_at_once() {
    let upstream = Upstream::always(Reply::chat("hi").kept());
    let mut config = config_with(&upstream, &json!({ "rpm": 1_000_000 }));
    config["actors"] = json!({ "workers": 4 });
    let app = App::start(&config);
    let (stop, refused) = (AtomicBool::new(false), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while !stop.load(Ordering::SeqCst) {
                    match app.chat().status {
                        429 => refused.fetch_add(1, Ordering::SeqCst),
                        status => u32::from(status != 200),
                    };
                }
            });
        }
        eventually("all threads admit by themselves", || upstream.calls() > 300);
        config["apis"][0]["rpm"] = json!(50);
        write(&app.config_file(), &config);
        eventually("the limit is known", || refused.load(Ordering::SeqCst) > 0);
        let passed = upstream.calls();
        // Six threads go on asking: what was admitted before the first refusal may still arrive, and nothing else.
        let before = refused.load(Ordering::SeqCst);
        eventually("many more are refused", || refused.load(Ordering::SeqCst) > before + 300);
        let late = upstream.calls() - passed;
        assert!(late <= 6, "{late} passed a limit that was used up");

        let passed = upstream.calls();
        config["apis"][0]["rpm"] = json!(passed + 20);
        write(&app.config_file(), &config);
        eventually("there is room again", || upstream.calls() == passed + 20);
        let before = refused.load(Ordering::SeqCst);
        eventually("and it is used up", || refused.load(Ordering::SeqCst) > before + 300);
        assert_eq!(upstream.calls(), passed + 20);
        stop.store(true, Ordering::SeqCst);
    });
}

#[test]
fn apis_that_leave_leave_no_connections_behind_and_idle_ones_are_closed() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = config_of(&[&upstream]);
    config["actors"] = json!({ "workers": 1 });
    let app = App::start(&config);
    let before = descriptors(app.pid());
    for round in 0..5 {
        let name = format!("guest {round}");
        config["apis"][0]["id"] = json!(format!("guest-{round}"));
        write(&app.config_file(), &named(&config, &name));
        takes_effect(&app, &name);
        std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(|| assert_eq!(app.chat().status, 200)))));
    }
    assert!(descriptors(app.pid()) > before + 5, "connections are kept for a while");
    within(Duration::from_secs(20), "all are closed", || descriptors(app.pid()) <= before + 1);
}
