//! What somebody else's page, somebody else's name and odd bytes come to.

use serde_json::json;

use super::visitor::{Visitor, form};
use super::{ADMIN, TEAM, operated, started};
use crate::helpers::{App, Client, Reply, Upstream, eventually};

#[test]
fn a_form_of_another_page_does_nothing() {
    let (_upstream, _app, visitor) = started();
    let token = visitor.token();
    let fields = [("token", token.as_str()), ("api", "a"), ("hours", "1")];
    for (name, value) in [
        ("origin", "http://evil.example"),
        ("origin", "null"),
        ("origin", "http://localhost:1"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("sec-fetch-site", "none"),
    ] {
        let client = visitor.client.clone().header(name, value);
        assert_eq!(form(&client, "/ui/accounts/rest", &fields).status, 403, "{name}: {value}");
    }
    for token in ["", "0", &token[..63], &"0".repeat(64)] {
        let fields = [("token", token), ("api", "a"), ("hours", "1")];
        assert_eq!(form(&visitor.client, "/ui/accounts/rest", &fields).status, 403, "{token}");
    }
    let other = visitor.client.clone().header("content-type", "text/plain");
    assert_ne!(other.request("POST", "/ui/accounts/rest", format!("token={token}&api=a").as_bytes()).status, 303);
    assert_eq!(visitor.get("/ui/accounts/rest?api=a&hours=1").status, 404, "a link changes nothing");
    assert!(!visitor.page("/ui/accounts/a").contains("let rest by an operator"));
    let good = visitor.client.clone().header("origin", "http://localhost").header("sec-fetch-site", "same-origin");
    assert_eq!(form(&good, "/ui/accounts/rest", &fields).status, 303);
}

#[test]
fn another_name_for_this_machine_is_refused() {
    let (_upstream, app, visitor) = started();
    for (host, status) in [
        ("evil.example", 403),
        ("localhost.evil.example", 403),
        ("127.0.0.1.nip.example", 403),
        ("", 403),
        ("127.0.0.1", 200),
        ("[::1]:3001", 200),
        ("localhost:80", 200),
    ] {
        let request =
            format!("GET /ui/ HTTP/1.1\r\nhost: {host}\r\ncookie: {}\r\nconnection: close\r\n\r\n", visitor.cookie);
        let answer = Client::new(app.port).try_raw(request.as_bytes()).expect("an answer");
        assert_eq!(answer.status, status, "{host}");
    }
    let forwarded =
        visitor.client.clone().header("x-forwarded-host", "localhost").header("forwarded", "host=localhost");
    assert_eq!(forwarded.get("/ui/").status, 200);
    let request = format!(
        "GET /ui/ HTTP/1.1\r\nhost: evil.example\r\nx-forwarded-host: localhost\r\ncookie: {}\r\nconnection: close\r\n\r\n",
        visitor.cookie
    );
    assert_eq!(Client::new(app.port).try_raw(request.as_bytes()).expect("an answer").status, 403);
}

#[test]
fn a_session_is_never_the_clients_own_choice() {
    let (_upstream, app, _) = started();
    let chosen = Client::new(app.port).header("cookie", &format!("api-together-{}={}", app.port, "a".repeat(64)));
    assert_eq!(chosen.get("/ui/").status, 303);
    let answer = form(&chosen, "/ui/login", &[("key", ADMIN)]);
    let cookie = answer.header("set-cookie").expect("a cookie");
    assert!(!cookie.contains(&"a".repeat(64)), "a new one");
    assert_eq!(chosen.get("/ui/").status, 303, "the chosen one is no session");
    let before = Visitor::with_key(&app, TEAM);
    let again = form(&before.client, "/ui/login", &[("key", ADMIN)]);
    assert_eq!(again.status, 303);
    assert_eq!(before.get("/ui/me").status, 303, "a log-in ends the session before");
}

#[test]
fn the_log_in_leads_to_own_pages_only() {
    let (_upstream, app, _) = started();
    for (to, place) in [
        ("/ui/live?model=m", "/ui/live?model=m"),
        ("https://evil.example/", "/ui/"),
        ("//evil.example/", "/ui/"),
        ("/ui/..//evil.example", "/ui/"),
        ("/ui/\\evil.example", "/ui/"),
        ("/\\evil.example", "/ui/"),
        ("javascript:alert(1)", "/ui/"),
        ("/ui/\r\nset-cookie: a=b", "/ui/"),
        ("/v1/status", "/ui/"),
    ] {
        let answer = form(&Client::new(app.port), "/ui/login", &[("key", ADMIN), ("to", to)]);
        assert_eq!((answer.status, answer.header("location")), (303, Some(place)), "{to}");
        let chosen = form(&Client::new(app.port), "/ui/preferences", &[("language", "zh"), ("to", to)]);
        assert_eq!((chosen.status, chosen.header("location")), (303, Some(place)), "{to}");
    }
}

#[test]
fn every_answer_says_what_a_browser_may_do() {
    let (_upstream, app, visitor) = started();
    let fresh = Client::new(app.port);
    for answer in [
        visitor.get("/ui/"),
        visitor.get("/ui/assets/page.js"),
        visitor.get("/ui/none"),
        visitor.get("/ui/usage.csv?by=week"),
        fresh.get("/ui/login"),
        fresh.get("/ui/"),
        fresh.get("/ui/events?page=/ui/&seen="),
    ] {
        let policy = answer.header("content-security-policy").expect("a policy");
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'self'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe") && answer.header("x-content-type-options") == Some("nosniff"));
    }
}

#[test]
fn what_clients_and_upstreams_write_is_shown_and_never_markup() {
    const MARKUP: &str = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&";
    let upstream = Upstream::always(Reply::json(400, &json!({ "error": { "message": MARKUP, "code": MARKUP } })));
    let mut config = operated(&[&upstream]);
    config["apis"][0]["name"] = json!(MARKUP);
    config["apis"][0]["models"] = json!(["m", MARKUP]);
    config["aliases"] = json!({ "<b>alias</b>": "m" });
    let app = App::start(&config);
    let visitor = Visitor::with_key(&app, ADMIN);
    let client = app.client().header("user-agent", MARKUP).header("x-request-id", MARKUP);
    for model in [MARKUP, "m", "no-such-<b>"] {
        client
            .post("/v1/chat/completions", &json!({ "model": model, "messages": [{ "role": "user", "content": "x" }] }));
    }
    client.get("/v1/%3Cscript%3Ealert(1)%3C/script%3E");
    eventually("it is recorded", || visitor.page("/ui/live").contains("no-such-&lt;b&gt;"));
    let id = visitor
        .page("/ui/live")
        .split("/ui/requests/")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .expect("a request")
        .to_owned();
    let asked = "%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    for path in [
        "/ui/",
        "/ui/accounts/a",
        &format!("/ui/accounts/{asked}"),
        "/ui/models",
        &format!("/ui/models?model={asked}"),
        "/ui/live",
        &format!("/ui/live?key={asked}&id={asked}&app={asked}"),
        &format!("/ui/requests/{id}"),
        &format!("/ui/requests/{asked}"),
        "/ui/usage?group=app",
        "/ui/usage?group=model",
        &format!("/ui/usage?model={asked}&range={asked}"),
        "/ui/system",
        &format!("/ui/login?to={asked}"),
    ] {
        let answer = visitor.get(path);
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{path}");
        let page = answer.text();
        for markup in ["<script>", "<img", "<b>", "onerror=alert(1)>"] {
            assert!(!page.contains(markup), "{markup} in {path}: {page}");
        }
    }
    let csv = visitor.page("/ui/usage.csv?group=app,model");
    assert!(!csv.lines().any(|line| line.split(',').any(|cell| cell.starts_with(['=', '+', '@']))), "{csv}");
}

#[test]
fn no_path_leads_out_of_the_pages() {
    let (_upstream, _app, visitor) = started();
    for path in [
        "/ui/assets/../../Cargo.toml",
        "/ui/assets/..%2f..%2fapis.json",
        "/ui/assets/%2e%2e/apis.json",
        "/ui/assets/apis.json",
        "/ui//etc/passwd",
        "/ui/events?page=/v1/status&seen=",
        "/ui/events?page=https://evil.example/&seen=",
    ] {
        let answer = visitor.get(path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(!answer.text().contains("apiKey"), "{path}");
    }
}

#[test]
fn an_account_of_any_name_has_its_page() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = operated(&[&upstream]);
    let entry = config["apis"][0].clone();
    let odd = ["a/b", "a b", "50%", "%2F", "a%20b", "x+y", "ü-中文", "a&b=c", "..", "rest", "<i>", "a\"b", "#1", "?"];
    let entries = odd.iter().map(|id| {
        let mut entry = entry.clone();
        entry["id"] = json!(id);
        entry["name"] = json!(format!("named {id}"));
        entry
    });
    config["apis"] = entries.collect();
    let app = App::start(&config);
    let visitor = Visitor::with_key(&app, ADMIN);
    let now = visitor.page("/ui/");
    let links: Vec<&str> =
        now.split("href=\"/ui/accounts/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(links.len(), odd.len(), "{links:?}");
    for (link, id) in links.iter().zip(odd) {
        let page = visitor.page(&format!("/ui/accounts/{}", link.replace("&amp;", "&")));
        let shown = format!("named {id}")
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&quot;");
        assert!(page.contains(&shown), "{id}: {link}: {page}");
    }
}
