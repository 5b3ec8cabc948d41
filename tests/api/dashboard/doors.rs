//! Log-in, log-out, lock-out, rights, and the end of a session.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::visitor::{Visitor, form, log_in};
use super::{ADMIN, TEAM, VIEWER, operated};
use crate::helpers::{App, Client, KEY, Launch, Reply, Upstream, config_of, eventually};

fn start() -> (Upstream, App) {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::start(&operated(&[&upstream]));
    (upstream, app)
}

#[test]
fn a_right_key_logs_in_and_a_log_out_ends_the_session() {
    let (_upstream, app) = start();
    let asked = Client::new(app.port).get("/ui/live?model=m");
    assert_eq!((asked.status, asked.header("location")), (303, Some("/ui/login?to=%2Fui%2Flive%3Fmodel%3Dm")));
    let answer = log_in(&app, ADMIN);
    let cookie = answer.header("set-cookie").expect("a cookie");
    for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains(ADMIN));
    let visitor = Visitor::with_key(&app, ADMIN);
    assert!(visitor.page("/ui/").contains("1 of 1 accounts can serve"));
    assert_eq!(visitor.send("/ui/logout", &[]).status, 303);
    assert_eq!(visitor.get("/ui/").status, 303, "the cookie is worth nothing any more");
    app.logged("dashboard: ops logged in");
    assert!(!app.log().contains(ADMIN));
}

#[test]
fn a_wrong_key_is_refused_and_after_five_the_right_one_as_well() {
    let (_upstream, app) = start();
    for _ in 0..5 {
        let answer = log_in(&app, "sk-wrong-0123456789");
        assert_eq!(answer.status, 403);
        let page = answer.text();
        assert!(page.contains("not in the configuration") && !page.contains("sk-wrong"), "{page}");
    }
    let answer = log_in(&app, ADMIN);
    assert_eq!(answer.status, 429);
    assert!(answer.text().contains("Try again in"));
    assert_eq!(log_in(&app, TEAM).status, 429);
}

#[test]
fn wrong_keys_by_a_proxy_lock_nobody_else_out() {
    let (_upstream, app) = start();
    for header in ["x-forwarded-for", "forwarded", "x-real-ip", "via"] {
        let proxied = Client::new(app.port).header(header, "for=203.0.113.7");
        let try_key = |key: &str| form(&proxied, "/ui/login", &[("key", key)]).status;
        let told: Vec<u16> = (0..6).map(|_| try_key("sk-wrong-0123456789")).collect();
        assert_eq!(told.last(), Some(&429), "{header}: {told:?}");
        assert_eq!((try_key(ADMIN), try_key(TEAM)), (303, 303), "{header}");
        assert_eq!(log_in(&app, ADMIN).status, 303, "{header}: this machine is another visitor");
    }
    // The last log-in is written down behind all wrong keys.
    let log_ins = || app.log().matches("ops logged in").count();
    eventually("each log-in is in the log", || log_ins() == 8);
    let warnings = app.log().matches("a wrong key from the proxy at 127.0.0.1").count();
    assert_eq!(warnings, 5, "further wrong keys are not written down");
}

#[test]
fn each_key_sees_and_does_what_it_may() {
    let (_upstream, app) = start();
    let (admin, viewer, team) =
        (Visitor::with_key(&app, ADMIN), Visitor::with_key(&app, VIEWER), Visitor::with_key(&app, TEAM));
    for path in ["/ui/", "/ui/models", "/ui/live", "/ui/usage", "/ui/system", "/ui/accounts/a", "/ui/usage.csv?by=day"]
    {
        assert_eq!((admin.get(path).status, viewer.get(path).status), (200, 200), "{path}");
        let refused = team.get(path);
        assert!([303, 403].contains(&refused.status), "{path}");
        assert!(!refused.text().contains("API a"), "{path}");
    }
    let own = team.page("/ui/me");
    assert!(own.contains("team-a") && own.contains("$2.00") && !own.contains("API a"), "{own}");
    assert_eq!(viewer.send("/ui/accounts/rest", &[("api", "a"), ("hours", "1")]).status, 403);
    assert_eq!(team.send("/ui/accounts/rest", &[("api", "a"), ("hours", "1")]).status, 403);
    assert_eq!(admin.send("/ui/accounts/rest", &[("api", "a"), ("hours", "1")]).status, 303);
    assert!(viewer.page("/ui/accounts/a").contains("let rest by an operator"));
    assert_eq!(app.chat().status, 503, "no account is left");
    assert_eq!(admin.send("/ui/accounts/wake", &[("api", "a")]).status, 303);
    assert_eq!(app.chat().status, 200);
    let audit = admin.page("/ui/system");
    for what in ["Let the account a rest (20", "End every rest of the account a", "ops", "127.0.0.1"] {
        assert!(audit.contains(what), "{what}: {audit}");
    }
    let file = std::fs::read_to_string(app.folder.join("data/audit.jsonl")).expect("an audit log");
    assert_eq!(file.lines().count(), 2, "{file}");
}

#[test]
fn a_key_that_leaves_the_file_ends_its_sessions_and_a_new_role_holds_at_once() {
    let (_upstream, app) = start();
    let (admin, viewer) = (Visitor::with_key(&app, ADMIN), Visitor::with_key(&app, VIEWER));
    let mut config: Value = serde_json::from_slice(&std::fs::read(app.config_file()).expect("reads")).expect("JSON");
    config["server"]["adminKeys"] = json!([{ "name": "eyes", "key": VIEWER }]);
    config["server"].as_object_mut().expect("fields").remove("viewerKeys");
    std::fs::write(app.config_file(), config.to_string()).expect("written");
    eventually("the session is over", || admin.get("/ui/").status == 303);
    assert_eq!(viewer.send("/ui/accounts/wake", &[("api", "a")]).status, 303, "an admin now");
}

#[test]
fn every_page_of_an_operator_says_that_the_file_has_mistakes() {
    const SAID: &str = "file is not in force as it stands";
    let (_upstream, app) = start();
    let (admin, viewer, team) =
        (Visitor::with_key(&app, ADMIN), Visitor::with_key(&app, VIEWER), Visitor::with_key(&app, TEAM));
    let good = std::fs::read_to_string(app.config_file()).expect("a file");
    let pages = [
        "/ui/",
        "/ui/accounts/a",
        "/ui/models",
        "/ui/live",
        "/ui/usage",
        "/ui/keys",
        "/ui/recipes",
        "/ui/configuration",
        "/ui/system",
    ];
    std::fs::write(app.config_file(), good.replace("\"rpm\": 30", "\"rpm\": -3")).expect("writes");
    eventually("the mistake is seen", || viewer.page("/ui/models").contains(SAID));
    for page in pages {
        assert_eq!((admin.page(page).matches(SAID).count(), viewer.page(page).matches(SAID).count()), (1, 1), "{page}");
    }
    for page in ["/ui/try", "/ui/add"] {
        assert!(admin.page(page).contains(SAID), "{page}");
    }
    // A form that shows its page again says so as well.
    let again = admin.send("/ui/try/send", &[]);
    assert!(again.status == 422 && again.text().contains(SAID));
    assert!(!team.page("/ui/me").contains(SAID));
    std::fs::write(app.config_file(), &good).expect("writes");
    eventually("the mistake is over", || !viewer.page("/ui/models").contains(SAID));
    std::fs::remove_file(app.config_file()).expect("removed");
    eventually("a missing file is seen", || pages.iter().all(|page| admin.page(page).contains(SAID)));
}

#[test]
fn without_an_operators_key_the_dashboard_is_on_this_machine_alone() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::start(&config_of(&[&upstream]));
    let visitor = Visitor::with_key(&app, KEY);
    assert_eq!(visitor.send("/ui/accounts/rest", &[("api", "a"), ("hours", "1")]).status, 303, "the key is an admin's");
    let mut config = config_of(&[&upstream]);
    config["server"]["host"] = json!("0.0.0.0");
    let app = Launch::new(&config).start();
    for path in ["/ui/", "/ui/login", "/ui/assets/page.js", "/ui/events?page=/ui/&seen="] {
        let answer = Client::new(app.port).get(path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.text().contains("server.adminKeys"), "{path}");
    }
}

#[test]
fn where_no_key_is_wanted_everybody_on_this_machine_looks_and_nobody_changes() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = config_of(&[&upstream]);
    config["server"] = json!({});
    let app = App::start(&config);
    let client = Client::new(app.port);
    let page = client.get("/ui/");
    assert_eq!(page.status, 200);
    assert!(!page.text().contains("name=\"token\""));
    let answer = super::visitor::form(&client, "/ui/accounts/rest", &[("api", "a"), ("token", "")]);
    assert_eq!(answer.status, 403);
}

#[test]
fn an_open_page_holds_no_stop_and_none_outlives_its_session() {
    let (_upstream, mut app) = start();
    let viewer = Visitor::with_key(&app, VIEWER);
    let mut slow = viewer.get("/ui/events?page=%2Fui%2Fusage&seen=");
    assert_eq!(slow.status, 200);
    let began = Instant::now();
    assert_eq!(viewer.send("/ui/logout", &[]).status, 303);
    let rest = slow.try_bytes().expect("a whole body");
    assert!(String::from_utf8_lossy(&rest).contains("event: over"));
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    let admin = Visitor::with_key(&app, ADMIN);
    let mut open = admin.get("/ui/events?page=%2Fui%2F&seen=");
    assert_eq!(open.status, 200);
    let began = Instant::now();
    app.signal("TERM");
    assert!(open.try_bytes().is_ok());
    assert!(app.wait().success() && began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}

#[test]
fn an_open_pool_behind_a_proxy_shows_nobody_its_pages() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = config_of(&[&upstream]);
    config["server"] = json!({});
    let app = App::start(&config);
    for name in ["x-forwarded-for", "forwarded", "via", "x-real-ip"] {
        let forwarded = Client::new(app.port).header(name, "203.0.113.7");
        assert_eq!(forwarded.get("/ui/configuration").status, 303, "{name}");
    }
}

#[test]
fn there_are_pages_for_what_is_not_there() {
    let (_upstream, app) = start();
    let visitor = Visitor::with_key(&app, ADMIN);
    assert_eq!((visitor.get("/ui").status, visitor.get("/ui").header("location")), (303, Some("/ui/")));
    let none = visitor.get("/ui/none");
    assert_eq!((none.status, none.header("content-type")), (404, Some("text/html; charset=utf-8")));
    assert_eq!(visitor.client.request("HEAD", "/ui/", b"").status, 200);
    assert_eq!(visitor.send("/ui/accounts/rest", &[("api", "a"), ("hours", "-5")]).status, 303);
    assert!(visitor.page("/ui/accounts/a").contains("744 hours at most"));
}

#[test]
fn a_browser_is_sent_to_the_dashboard_and_a_program_is_not() {
    let (_upstream, app) = start();
    let browser = Client::new(app.port).header("accept", "text/html,application/xhtml+xml");
    let answer = browser.get("/");
    assert_eq!((answer.status, answer.header("location")), (303, Some("/ui/")));
    assert_eq!(Client::new(app.port).get("/").json()["service"], "OpenAI API代理服务");
}
