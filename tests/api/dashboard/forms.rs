//! What forms do and say: a new key is never lost, nothing that was typed is lost, and nothing is written that nobody typed.

use serde_json::{Value, json};

use super::visitor::{Visitor, file, form, hidden, place, send};
use super::{ADMIN, TEAM, operated, started};
use crate::helpers::{App, Client, Launch, Reply, Upstream};

#[test]
fn a_new_key_is_said_by_its_own_page_whatever_else_is_asked_and_sent_meanwhile() {
    let (_upstream, _app, visitor) = started();
    let page = visitor.page("/ui/keys");
    let (token, seen) = (hidden(&page, "token"), hidden(&page, "seen"));
    let fields = [("token", token.as_str()), ("seen", seen.as_str()), ("name", "new")];
    assert_eq!(place(&form(&visitor.client, "/ui/keys/make", &fields)), "/ui/keys");
    // Pressed twice, and other pages meanwhile.
    assert!(place(&form(&visitor.client, "/ui/keys/make", &fields)).starts_with("/ui/keys?"));
    visitor.get("/ui/usage.csv");
    assert!(!visitor.page("/ui/").contains("class=\"secret\""));
    let update = visitor.client.clone().header("x-update", "1").get("/ui/keys").text();
    assert!(!update.contains("class=\"secret\""), "an open page that is made again was told before");
    let told = visitor.page("/ui/keys");
    assert!(told.contains("class=\"secret\"") && told.contains("has the name new already"), "{told}");
    assert!(!visitor.page("/ui/keys").contains("class=\"secret\""), "shown this once");
}

#[test]
fn a_taken_name_loses_nothing_of_the_form() {
    let (_upstream, _app, visitor) = started();
    let fields = [("name", "team-a"), ("models", "m"), ("rpm", "17"), ("usd", "3"), ("per", "week")];
    let to = place(&send(&visitor, "/ui/keys", ("/ui/keys/make", &fields)));
    assert!(to.ends_with("#make"), "{to}");
    let page = visitor.page(to.trim_end_matches("#make"));
    for kept in ["name=\"rpm\" type=\"number\" value=\"17\"", "value=\"3\"", "value=\"team-a\"", "\"week\" selected"] {
        assert!(page.contains(kept), "{kept}: {page}");
    }
}

#[test]
fn secrets_of_a_refused_form_are_not_in_an_address() {
    let (_upstream, _app, visitor) = started();
    for url in [
        "https://me:pass-word-1@upstream.example/v1 x",
        "https://upstream.example/v1?key=pass-word-1",
        "sk-pass-word-1",
    ] {
        let fields = [("id", "new one"), ("baseUrl", url), ("key", "sk-pass-word-1"), ("rpm", "-3")];
        let to = place(&send(&visitor, "/ui/add", ("/ui/accounts/add", &fields)));
        assert!(to.contains("new+one") && !to.contains("pass-word-1"), "{to}");
    }
    let fields = [("id", "b"), ("baseUrl", "https://upstream.example/v1"), ("models", "@cf/x"), ("rpm", "-3")];
    let to = place(&send(&visitor, "/ui/add", ("/ui/accounts/add", &fields)));
    assert!(to.contains("upstream.example") && to.contains("%40cf"), "{to}");
}

#[test]
fn saving_an_account_writes_what_was_typed_and_nothing_else() {
    let (_upstream, app, visitor) = started();
    let page = visitor.page("/ui/accounts/a");
    let shown: Vec<(String, String)> = ["weight", "priority", "rpm", "rpd", "tpm", "tpd"]
        .iter()
        .map(|name| ((*name).to_owned(), hidden(&page, &format!("shown-{name}"))))
        .collect();
    let before: Value = serde_json::from_str(&file(&app)).expect("JSON");
    let sent = |rpm: &str| {
        let mut fields: Vec<(String, String)> = vec![("api".to_owned(), "a".to_owned())];
        for (name, value) in &shown {
            fields.push((format!("shown-{name}"), value.clone()));
            fields.push((name.clone(), if name == "rpm" { rpm.to_owned() } else { value.clone() }));
        }
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        place(&send(&visitor, "/ui/accounts/a", ("/ui/accounts/set", &fields)));
        serde_json::from_str::<Value>(&file(&app)).expect("JSON")
    };
    assert_eq!(sent(&shown[2].1), before);
    let mut wanted = before.clone();
    wanted["apis"][0]["rpm"] = json!(77);
    assert_eq!(sent("77"), wanted);
    assert_eq!(
        place(&send(&visitor, "/ui/accounts/a", ("/ui/accounts/set", &[("api", "a"), ("rpm", "-7")]))),
        "/ui/accounts/a?rpm=-7"
    );
}

#[test]
fn an_edit_of_the_text_keeps_the_ends_of_lines() {
    let (_upstream, app, visitor) = started();
    let unix = file(&app);
    // The lines end in turn with LF, CR LF and CR.
    let ends = ["\n", "\r\n", "\r"].into_iter().cycle();
    let mixed: String = unix.lines().zip(ends).map(|(line, end)| format!("{line}{end}")).collect();
    for (text, other) in [(unix.replace('\n', "\r\n"), "CR LF"), (unix.clone(), "LF"), (mixed, "mixed")] {
        std::fs::write(app.config_file(), &text).expect("writes");
        let shown = visitor.page("/ui/configuration");
        let shown = shown.split("autocomplete=\"off\">\n").nth(1).and_then(|rest| rest.split("</textarea>").next());
        let shown = shown.expect("a text").replace("&quot;", "\"").replace("&amp;", "&");
        // As browsers send a text.
        let typed = shown.replace("\r\n", "\n").replace('\r', "\n").replace("\"rpm\": 30", "\"rpm\": 31");
        let typed = typed.replace('\n', "\r\n");
        place(&send(&visitor, "/ui/configuration", ("/ui/configuration/save", &[("text", &typed)])));
        let now = file(&app);
        assert_eq!(now, text.replace("\"rpm\": 30", "\"rpm\": 31"), "{other:?}");
    }
}

#[test]
fn a_draft_can_be_saved_over_what_somebody_else_has_changed() {
    let (_upstream, app, visitor) = started();
    let page = visitor.page("/ui/configuration");
    let (token, seen) = (hidden(&page, "token"), hidden(&page, "seen"));
    let before = file(&app);
    std::fs::write(app.config_file(), before.replace("\"rpm\": 30", "\"rpm\": 41")).expect("writes");
    let draft = before.replace("\"rpm\": 30", "\"rpm\": 52");
    let save = |over: Option<&str>| {
        let mut fields = vec![("token", token.as_str()), ("seen", seen.as_str()), ("text", draft.as_str())];
        fields.extend(over.map(|over| ("over", over)));
        form(&visitor.client, "/ui/configuration/save", &fields)
    };
    let refused = save(None);
    assert_eq!(refused.status, 422);
    let told = refused.text();
    assert!(told.contains("Somebody else"), "{told}");
    let differs = |sign: char, number: u32| {
        told.lines().any(|line| line.contains(&format!(">{sign}")) && line.contains(&format!("rpm&quot;: {number}")))
    };
    assert!(differs('-', 41) && differs('+', 52), "{told}");
    let over = hidden(&told, "over");
    assert_eq!(place(&save(Some(&over))), "/ui/configuration");
    assert_eq!(file(&app), draft);
    assert_eq!(save(Some(&over)).status, 422, "over what was shown alone");
}

#[test]
fn two_pools_of_one_host_have_a_session_each() {
    let (_upstream, app, visitor) = started();
    let other_upstream = Upstream::always(Reply::chat("hi"));
    let other_app = App::start(&operated(&[&other_upstream]));
    let other = Visitor::with_key(&other_app, ADMIN);
    let name = |visitor: &Visitor| visitor.cookie.split('=').next().unwrap_or_default().to_owned();
    assert_ne!(name(&visitor), name(&other));
    let both = format!("{}; {}", visitor.cookie, other.cookie);
    for port in [app.port, other_app.port] {
        assert_eq!(Client::new(port).header("cookie", &both).get("/ui/").status, 200);
    }
}

#[test]
fn another_secret_leaves_a_reference_as_it_is_written_and_a_key_has_three_at_most() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = operated(&[&upstream]);
    config["keys"][0]["key"] = json!("${TEAM_KEY_OF_TEST}");
    let app = Launch::new(&config).env("TEAM_KEY_OF_TEST", TEAM).start();
    let visitor = Visitor::with_key(&app, ADMIN);
    let keys = || serde_json::from_str::<Value>(&file(&app)).expect("JSON")["keys"][0]["key"].clone();
    let rotate = || place(&send(&visitor, "/ui/keys", ("/ui/keys/rotate", &[("name", "team-a")])));
    rotate();
    let two = keys();
    assert_eq!(two[0], "${TEAM_KEY_OF_TEST}");
    assert!(two[1].as_str().is_some_and(|digest| digest.starts_with("sha256:")), "{two}");
    rotate();
    let three = keys();
    rotate();
    assert_eq!((keys(), three.as_array().map(Vec::len)), (three.clone(), Some(3)));
    let told = visitor.page("/ui/keys/team-a");
    assert!(told.contains("3 secrets already"), "{told}");
    place(&send(&visitor, "/ui/keys", ("/ui/keys/end-old", &[("name", "team-a"), ("sure", "1")])));
    assert_eq!(keys(), three[2], "the newest, as it was written");
}

#[test]
fn where_the_file_is_read_only_a_new_key_is_shown_with_what_to_put_into_the_file() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let launch = Launch::new(&operated(&[&upstream]));
    // As Kubernetes mounts a ConfigMap.
    std::fs::create_dir(launch.folder.join("..v1")).expect("creates");
    std::fs::rename(launch.folder.join("apis.json"), launch.folder.join("..v1/apis.json")).expect("moves");
    std::os::unix::fs::symlink("..v1/apis.json", launch.folder.join("apis.json")).expect("links");
    let app = launch.start();
    let visitor = Visitor::with_key(&app, ADMIN);
    let before = file(&app);
    for (path, name) in [("/ui/keys/make", "new"), ("/ui/keys/rotate", "team-a")] {
        let to = place(&send(&visitor, "/ui/keys", (path, &[("name", name)])));
        let told = visitor.page(&to);
        assert!(told.contains("class=\"secret\"") && told.contains("sha256:"), "{told}");
    }
    assert_eq!(file(&app), before);
}

#[test]
fn a_save_tells_what_the_configuration_warns_of_now_and_did_not_before() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = operated(&[&upstream]);
    config["apis"][0]["rpm"] = json!(100);
    config["apis"][0]["rpd"] = json!(10);
    let app = App::start(&config);
    let visitor = Visitor::with_key(&app, ADMIN);
    assert!(visitor.page("/ui/configuration").contains("are the two swapped?"));
    place(&send(&visitor, "/ui/keys", ("/ui/keys/disable", &[("name", "team-a"), ("sure", "1")])));
    let told = visitor.page("/ui/keys/team-a");
    let said = told.split("class=\"notice").nth(1).and_then(|rest| rest.split("</p>").next()).expect("a notice");
    assert!(!said.contains("swapped"), "{said}");
}
