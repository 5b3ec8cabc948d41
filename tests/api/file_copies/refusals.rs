//! What is not copied, and accounts that do not take a file.

use super::*;

#[test]
fn without_the_option_a_file_stays_at_its_home_and_nothing_is_kept() {
    let accounts = accounts(2);
    let mut config = config(&accounts, 1);
    config["server"]["replicateFiles"] = json!(false);
    let app = App::start(&config);
    let file = upload(&app.client(), b"bytes");
    assert_eq!(chat(&app, &[&file]), 200);
    let refused = app.client().post("/v1/chat/completions", &about(&[&file]));
    assert_eq!(refused.error(), (429, "insufficient_quota".to_owned()));
    assert_eq!(accounts[1].upstream.calls(), 0);
    assert!(!app.config_file().with_file_name("data").join("files").exists());
}

#[test]
fn a_large_file_is_not_kept_and_one_beyond_the_memory_for_forms_is() {
    let accounts = accounts(2);
    let app = App::start(&config(&accounts, 1));
    let folder = app.config_file().parent().expect("a folder").to_owned();
    let large = upload(&app.client(), &vec![b'x'; 16 << 20]);
    assert!(kept(&folder).is_empty());
    let spooled = upload(&app.client(), &vec![b'y'; 9 << 20]);
    assert_eq!(kept(&folder).len(), 2);
    assert_eq!(chat(&app, &[&large]), 200);
    assert_eq!(chat(&app, &[&large]), 429);
    assert_eq!(chat(&app, &[&large, &spooled]), 429, "one of them can't go");
    assert_eq!(accounts[1].upstream.calls(), 0);
    assert_eq!(chat(&app, &[&spooled]), 200);
    assert!(accounts[1].uploads()[0].body == accounts[0].uploads()[1].body);
}

#[test]
fn an_account_that_does_not_take_the_file_is_passed_by_and_nothing_is_held_against_it() {
    let accounts = accounts(3);
    let app = App::start(&config(&accounts, 1));
    let file = upload(&app.client(), b"bytes");
    assert_eq!(chat(&app, &[&file]), 200);
    accounts[1].refuses.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        assert_eq!(chat(&app, &[&file]), 200);
    }
    assert_eq!((accounts[1].uploads().len(), accounts[1].chats().len()), (1, 0));
    assert_eq!((accounts[2].uploads().len(), accounts[2].chats().len()), (1, 3));
    assert_eq!(app.chat().status, 200);
    assert_eq!(accounts[1].chats().len(), 1, "it serves what names no file");
    // Nobody takes the file: the client gets the reason of the home.
    accounts[2].refuses.store(true, Ordering::SeqCst);
    let second = upload(&app.client(), b"others");
    let refused = app.client().post("/v1/chat/completions", &about(&[&second]));
    assert_eq!(refused.error(), (429, "insufficient_quota".to_owned()));
}

#[test]
fn a_copy_that_the_account_has_lost_is_made_again() {
    let accounts = accounts(2);
    let app = App::start(&config(&accounts, 1));
    let file = upload(&app.client(), b"bytes");
    for _ in 0..2 {
        assert_eq!(chat(&app, &[&file]), 200);
    }
    accounts[1].forget();
    assert_eq!(chat(&app, &[&file]), 200);
    assert_eq!(accounts[1].uploads().len(), 2);
    assert!(accounts[1].last_chat().contains("file-b1"));
    // Once in ten minutes: the answer may be about something else.
    accounts[1].forget();
    for _ in 0..3 {
        assert_eq!(chat(&app, &[&file]), 429);
    }
    assert_eq!(accounts[1].uploads().len(), 2);
}

#[test]
fn a_file_that_is_gone_at_its_home_comes_back_nowhere() {
    let accounts = accounts(2);
    let app = App::start(&config(&accounts, 100));
    let folder = app.config_file().parent().expect("a folder").to_owned();
    let file = upload(&app.client(), b"bytes");
    accounts[0].forget();
    assert_eq!(chat(&app, &[&file]), 404);
    assert_eq!(accounts[1].uploads().len(), 0);
    assert!(kept(&folder).is_empty());
}

#[test]
fn a_key_that_may_not_use_the_home_gets_no_copy() {
    let accounts = accounts(2);
    let mut config = config(&accounts, 100);
    config["keys"] = json!([{ "name": "k", "key": "client-key-0123456789", "apis": ["b"] }]);
    let app = App::start(&config);
    let file = upload(&app.client(), b"bytes");
    let client = Client::new(app.port).key("client-key-0123456789");
    let refused = client.post("/v1/chat/completions", &about(&[&file]));
    assert_ne!(refused.status, 200);
    assert_eq!(accounts[1].upstream.calls(), 0);
}

#[test]
fn a_second_server_knows_the_home_and_copies_nothing_that_it_has_not_taken() {
    let (redis, accounts) = (Redis::start(), accounts(2));
    let mut config = config(&accounts, 1);
    config["store"] = json!({ "url": redis.url(), "prefix": "pool" });
    let (first, second) = (App::start(&config), App::start(&config));
    let file = upload(&first.client(), b"bytes");
    eventually("Redis has the home", || {
        redis.ask("DBSIZE").trim_start_matches(':').parse::<usize>().is_ok_and(|n| n >= 1)
    });
    assert_eq!(chat(&second, &[&file]), 200);
    assert_eq!((accounts[0].chats().len(), accounts[1].upstream.calls()), (1, 0));
    assert_eq!(chat(&second, &[&file]), 429, "its home alone");
    assert_eq!(accounts[1].upstream.calls(), 0);
    assert_eq!(chat(&first, &[&file]), 200);
    assert_eq!(accounts[1].uploads().len(), 1);
}
