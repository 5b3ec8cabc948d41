//! Budgets in dollars hold by what is billed beside tokens, whatever the crowd does.

use std::io::Write;
use std::net::TcpStream;

use serde_json::json;

use super::billed::{BOUNDARY, billed, form, images, priced};
use crate::helpers::{App, Reply, Upstream, eventually};
use crate::key_budgets::{TEAM, no_midnight_near, team};

#[test]
fn of_50_at_once_as_many_images_are_made_as_the_budget_pays_for() {
    for path in ["/v1/images/generations", "/v1/images/edits"] {
        let upstream = Upstream::always(Reply::json(200, &images(3)));
        let mut config = priced(&[&upstream]);
        // Seven requests for three images cost 0.84 dollars.
        let budgets = json!([{ "usd": 0.9, "per": "day" }]);
        config["keys"] = json!([{ "name": "team", "key": TEAM, "reset": no_midnight_near(), "budgets": budgets }]);
        let app = App::start(&config);
        let barrier = std::sync::Barrier::new(50);
        let one = || {
            let client = team(&app);
            barrier.wait();
            let answer = if path.ends_with("edits") {
                let client = client.header("content-type", &format!("multipart/form-data; boundary=\"{BOUNDARY}\""));
                client.request("POST", path, &form(&[("model", "m"), ("n", "3"), ("prompt", "p")]))
            } else {
                client.post(path, &json!({ "model": "m", "prompt": "p", "n": 3 }))
            };
            answer.status
        };
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..50).map(|_| scope.spawn(one)).collect();
            threads.into_iter().map(|thread| thread.join().expect("answered")).collect()
        });
        let served = statuses.iter().filter(|status| **status == 200).count();
        assert_eq!((served, upstream.calls()), (7, 7), "{path}: {statuses:?}");
        assert!(statuses.iter().all(|status| [200, 402, 429].contains(status)), "{path}: {statuses:?}");
        assert_eq!(billed(&app, "images", 21), 840_000, "{path}");
    }
}

/// An upstream makes what was asked for, whoever waits.
#[test]
fn a_client_that_leaves_before_its_image_comes_has_spent_it() {
    let upstream = Upstream::always(Reply::json(200, &images(1)).held());
    let mut config = priced(&[&upstream]);
    // Five images.
    let budgets = json!([{ "usd": 0.2, "per": "day" }]);
    config["keys"] = json!([{ "name": "team", "key": TEAM, "reset": no_midnight_near(), "budgets": budgets }]);
    let app = App::start(&config);
    let body = json!({ "model": "m", "prompt": "p", "n": 1 }).to_string();
    for left in 1..=5 {
        let mut socket = TcpStream::connect(("127.0.0.1", app.port)).expect("connects");
        let head = format!(
            "POST /v1/images/generations HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TEAM}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        socket.write_all(format!("{head}{body}").as_bytes()).expect("writes");
        eventually("the upstream is asked", || upstream.calls() == left);
        drop(socket);
        eventually("the upstream is told", || upstream.hung_up() == left);
    }
    let refused = team(&app).request("POST", "/v1/images/generations", body.as_bytes());
    assert!([402, 429].contains(&refused.status), "{}", refused.status);
    assert_eq!(upstream.calls(), 5);
    assert_eq!(billed(&app, "images", 5), 200_000);
}

#[test]
fn an_account_with_a_limit_in_dollars_makes_no_more_images_than_it_pays_for() {
    let upstream = Upstream::always(Reply::json(200, &images(2)));
    let mut config = priced(&[&upstream]);
    config["apis"][0]["limits"] = json!([{ "usd": 0.2, "per": "day" }]);
    let app = App::start(&config);
    let body = json!({ "model": "m", "prompt": "p", "n": 2 });
    let served = (0..5).filter(|_| app.client().post("/v1/images/generations", &body).status == 200).count();
    assert_eq!((served, upstream.calls()), (2, 2));
}
