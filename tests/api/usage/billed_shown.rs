//! What is billed beside tokens has a column where operators look, if there is any.

use serde_json::json;

use super::billed::images;
use crate::dashboard::visitor::Visitor;
use crate::dashboard::{ADMIN, operated};
use crate::explain::run_in;
use crate::helpers::{App, Reply, Upstream, eventually};

#[test]
fn the_dashboard_and_the_command_have_a_column_of_each_unit_that_was_used() {
    let upstream = Upstream::always(Reply::json(200, &images(3)));
    let app = App::start(&operated(&[&upstream]));
    let visitor = Visitor::with_key(&app, ADMIN);
    let table = |words: &str| {
        let page = visitor.client.clone().header("accept-language", words).get("/ui/usage").text();
        [">images<", ">searches<", ">图片<", ">搜索次数<"].map(|head| page.contains(head))
    };
    assert_eq!(table("en"), [false; 4]);
    assert_eq!(app.client().post("/v1/images/generations", &json!({ "model": "m", "prompt": "p" })).status, 200);
    let client = crate::helpers::Client::new(app.port).key(ADMIN);
    eventually("counted", || client.get("/v1/usage").json()["total"]["images"] == 3);
    eventually("shown", || table("en") == [true, false, false, false]);
    eventually("shown in Chinese", || table("zh") == [false, false, true, false]);
    let port = app.port.to_string();
    let (code, told, _) = run_in(&app.folder, &[("API_TOGETHER_KEY", ADMIN)], &["usage", "-p", &port, "--by", "model"]);
    let lines: Vec<Vec<&str>> = told.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(code, Some(0), "{told}");
    assert!(lines.iter().any(|line| line == &["model", "requests", "images"]), "{told}");
    assert!(lines.iter().any(|line| line.first() == Some(&"m") && line.last() == Some(&"3")), "{told}");
}
