//! The test of an account, and a chat that an admin tries: what is shown, who may, whose limits hold, and what attacks come to.

use serde_json::{Value, json};

use super::visitor::{Visitor, form};
use super::{ADMIN, TEAM, VIEWER, operated};
use crate::helpers::{App, Client, Reply, Step, Upstream, eventually};

const MARKUP: &str = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&";

fn piece(text: &str) -> Step {
    Step::event(&json!({ "model": "m", "choices": [{ "index": 0, "delta": { "content": text } }] }).to_string())
}

/// A stream that says this in two pieces.
fn says(first: &str, second: Step) -> Reply {
    let usage = json!({ "prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7 });
    let end =
        json!({ "model": "m", "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }], "usage": usage });
    Reply::stream(vec![piece(first), second, Step::event(&end.to_string()), Step::event("[DONE]")], true)
}

fn start(reply: Reply) -> (Upstream, App, Visitor) {
    let upstream = Upstream::always(reply);
    let app = App::start(&operated(&[&upstream]));
    let visitor = Visitor::with_key(&app, ADMIN);
    (upstream, app, visitor)
}

const ASK: [(&str, &str); 2] = [("model", "m"), ("message", "x")];

/// The lines of a streamed trial, and what they say together: the text, and the markup of the facts.
fn streamed(visitor: &Visitor, fields: &[(&str, &str)]) -> (Vec<Value>, String, String) {
    let answer = visitor.send("/ui/try/stream", fields);
    assert_eq!(answer.status, 200);
    let all = answer.text();
    let lines: Vec<Value> = all.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of = |name: &str| lines.iter().filter_map(|line| line[name].as_str()).collect::<String>();
    let (text, html) = (of("text"), of("html"));
    (lines, text, html)
}

#[test]
fn a_trial_is_answered_on_the_page_with_the_facts() {
    let (upstream, _app, visitor) = start(says("Hel", piece("lo &")));
    assert!(visitor.page("/ui/try").contains("<option value=\"m\">"), "the models are offered");
    let answer = visitor.send("/ui/try/send", &ASK);
    assert_eq!(answer.status, 200);
    let page = answer.text();
    for part in ["Hello &amp;", "href=\"/ui/accounts/a\"", "First token", "3 → 4", "$0", "href=\"/ui/requests/"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let sent = upstream.received().pop().expect("a request").json();
    assert_eq!((&sent["model"], &sent["messages"][0]["content"]), (&json!("m"), &json!("x")));
    let (lines, text, html) = streamed(&visitor, &ASK);
    assert_eq!((text.as_str(), lines.len()), ("Hello &", 3), "two pieces, and the facts");
    for part in ["href=\"/ui/accounts/a\"", "First token", "3 → 4", "href=\"/ui/requests/"] {
        assert!(html.contains(part), "{part}: {html}");
    }
    let id = html.split("/ui/requests/").nth(1).and_then(|rest| rest.split('"').next()).expect("a link");
    let request = visitor.page(&format!("/ui/requests/{id}"));
    assert!(request.contains("dashboard"), "the key, and the program: {request}");
}

#[test]
fn only_an_admins_own_page_tries_and_tests() {
    let (upstream, app, admin) = start(Reply::chat("hi"));
    let (viewer, team) = (Visitor::with_key(&app, VIEWER), Visitor::with_key(&app, TEAM));
    assert_eq!((viewer.get("/ui/try").status, team.get("/ui/try").status), (403, 303));
    for path in ["/ui/try/send", "/ui/try/stream", "/ui/accounts/test"] {
        let fields = [("model", "m"), ("message", "x"), ("api", "a")];
        assert_eq!(viewer.send(path, &fields).status, 403, "{path}");
        assert_eq!(team.send(path, &fields).status, 403, "{path}");
        assert_eq!(form(&admin.client, path, &fields).status, 403, "{path}: without a token");
        let token = admin.token();
        let all = [&[("token", token.as_str())], &fields[..]].concat();
        let other = admin.client.clone().header("origin", "http://evil.example");
        assert_eq!(form(&other, path, &all).status, 403, "{path}: of another page");
        assert_eq!(form(&Client::new(app.port), path, &all).status, 401, "{path}: without a session");
        assert_eq!(admin.get(path).status, 404, "{path}: a link");
    }
    assert_eq!(upstream.calls(), 0);
}

#[test]
fn a_model_and_a_message_are_needed() {
    let (upstream, _app, visitor) = start(Reply::chat("hi"));
    for fields in [&[][..], &[("model", "m")], &[("model", " "), ("message", "x")], &[("model", "m"), ("message", "")]]
    {
        let answer = visitor.send("/ui/try/send", fields);
        assert_eq!(answer.status, 422);
        assert!(answer.text().contains("A model and a message are needed."));
        let (_, text, html) = streamed(&visitor, fields);
        assert!(text.is_empty() && html.contains("A model and a message are needed."), "{html}");
    }
    assert_eq!(upstream.calls(), 0);
}

#[test]
fn failures_are_told_in_the_upstreams_own_words_and_never_as_markup() {
    let secret = "sk-upstream-a-0123456789";
    let words = format!("{MARKUP} the key {secret}");
    let (_upstream, _app, visitor) = start(Reply::json(400, &json!({ "error": { "message": words, "code": MARKUP } })));
    let whole = visitor.send("/ui/try/send", &ASK).text();
    let (_, _, html) = streamed(&visitor, &ASK);
    visitor.send("/ui/accounts/test", &[("api", "a")]);
    let tested = visitor.page("/ui/accounts/a");
    let (_, _, unknown) = streamed(&visitor, &[("model", MARKUP), ("message", MARKUP)]);
    let again = visitor.send("/ui/try/send", &[("model", MARKUP), ("message", MARKUP)]).text();
    for page in [&whole, &html, &tested] {
        assert!(page.contains("&lt;script&gt;alert(1)"), "{page}");
    }
    for page in [&whole, &html, &tested, &unknown, &again] {
        for markup in ["<script>", "<img", secret] {
            assert!(!page.contains(markup), "{markup}: {page}");
        }
    }
    assert!(unknown.contains("model_not_found"), "{unknown}");
}

#[test]
fn what_a_model_says_is_text() {
    let (_upstream, _app, visitor) = start(says(MARKUP, piece(MARKUP)));
    let page = visitor.send("/ui/try/send", &ASK).text();
    assert!(page.contains("&lt;script&gt;") && !page.contains("<script>") && !page.contains("<img"), "{page}");
    let (_, text, _) = streamed(&visitor, &ASK);
    assert_eq!(text, MARKUP.repeat(2), "for the browser to show as text");
}

#[test]
fn the_limits_of_the_key_dashboard_hold() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = operated(&[&upstream]);
    config["keys"] = json!([{ "name": "dashboard", "key": "sk-dashboard-0123456789abcdef", "rpd": 1 }]);
    let app = App::start(&config);
    let visitor = Visitor::with_key(&app, ADMIN);
    assert!(visitor.send("/ui/try/send", &ASK).text().contains("hi"));
    let (_, text, html) = streamed(&visitor, &ASK);
    assert!(text.is_empty() && html.contains("class=\"problem\""), "{html}");
    visitor.send("/ui/accounts/test", &[("api", "a")]);
    assert!(visitor.page("/ui/accounts/a").contains("notice bad"));
    assert_eq!(upstream.calls(), 1);
}

#[test]
fn a_browser_that_leaves_stops_the_upstream() {
    let (upstream, _app, visitor) = start(says("Hel", Step::Hold));
    let token = visitor.token();
    let fields = [("token", token.as_str()), ("model", "m"), ("message", "x")];
    let mut answer = form(&visitor.client, "/ui/try/stream", &fields);
    let first = answer.next().expect("reads").expect("a piece");
    assert_eq!(first, b"{\"text\":\"Hel\"}\n", "the piece comes while the rest is awaited");
    drop(answer);
    eventually("the upstream is left", || upstream.hung_up() == 1);
}

#[test]
fn the_test_of_an_account_asks_that_one_once_and_is_written_down() {
    let (good, bad) = (Upstream::always(Reply::chat("hi")), Upstream::always(Reply::error(401, "no such key <b>")));
    let app = App::start(&operated(&[&good, &bad]));
    let visitor = Visitor::with_key(&app, ADMIN);
    let answer = visitor.send("/ui/accounts/test", &[("api", "a")]);
    assert_eq!((answer.status, answer.header("location")), (303, Some("/ui/accounts/a")));
    let page = visitor.page("/ui/accounts/a");
    for part in
        ["notice good", "m answered.", "Status 200", "First token", "Tokens 7", "Cost $0", "href=\"/ui/requests/"]
    {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert_eq!((good.calls(), bad.calls()), (1, 0));
    visitor.send("/ui/accounts/test", &[("api", "b"), ("model", "m")]);
    let page = visitor.page("/ui/accounts/b");
    for part in ["notice bad", "failed: unauthorized", "no such key &lt;b&gt;"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert_eq!((good.calls(), bad.calls()), (1, 1));
    visitor.send("/ui/accounts/test", &[("api", "none")]);
    let audit = visitor.page("/ui/system");
    for what in ["Test the account a", "Test the account b", "Test the account none"] {
        assert!(audit.contains(what), "{what}: {audit}");
    }
}

#[test]
fn an_account_that_rests_is_not_said_to_have_failed_again() {
    let upstream = Upstream::always(Reply::error(401, "no such key"));
    let app = App::start(&operated(&[&upstream]));
    let visitor = Visitor::with_key(&app, ADMIN);
    let test = || {
        visitor.send("/ui/accounts/test", &[("api", "a"), ("model", "m")]);
        visitor.page("/ui/accounts/a")
    };
    assert!(test().contains("The test of m failed: unauthorized"));
    let again = test();
    assert!(again.contains("was not asked for m") && !again.contains("The test of m failed"), "{again}");
    assert_eq!(upstream.calls(), 1);
}
