//! What the forms of a key's page write, and what they don't.

use serde_json::{Value, json};

use super::visitor::{Visitor, file, hidden, place, send};
use super::{ADMIN, operated, started};
use crate::helpers::{App, Launch, Reply, Response, Upstream};

/// Sends the form of a key's page as a browser does: what is shown, and in place of that what is typed.
fn save_key(visitor: &Visitor, page: &str, typed: &[(&str, &str)]) -> Response {
    let shown = visitor.page(page);
    let names = shown.split("name=\"shown-").skip(1).filter_map(|rest| rest.split('"').next());
    let mut fields = vec![("name".to_owned(), "team-a".to_owned())];
    for name in names {
        let holds = hidden(&shown, &format!("shown-{name}"));
        let now = typed.iter().find(|(field, _)| *field == name).map_or(holds.as_str(), |(_, value)| value);
        fields.extend([(format!("shown-{name}"), holds.clone()), (name.to_owned(), now.to_owned())]);
    }
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    send(visitor, page, ("/ui/keys/set", &fields))
}

#[test]
fn saving_a_key_writes_what_was_typed_and_nothing_else() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = operated(&[&upstream]);
    config["keys"][0]["rpd"] = json!(-1);
    config["keys"][0]["budgets"] =
        json!([{ "usd": 2.50, "per": "day", "pacing": "spread" }, { "usd": 9, "per": "5h" }]);
    let app = App::start(&config);
    let visitor = Visitor::with_key(&app, ADMIN);
    let page = "/ui/keys/team-a";
    let keys = || serde_json::from_str::<Value>(&file(&app)).expect("JSON")["keys"].clone();
    let before = keys();
    assert_eq!(place(&save_key(&visitor, page, &[])), page);
    assert_eq!(keys(), before);
    let mut wanted = before;
    for (typed, field, value) in [
        (vec![("rpm", "31")], "rpm", json!(31)),
        (vec![("tpd", "5000")], "tpd", json!(5000)),
        (vec![("models", "m, n*")], "models", json!(["m", "n*"])),
        (vec![("expires", "2099-12-31")], "expires", json!("2099-12-31")),
        (
            vec![("usd-0", "$3")],
            "budgets",
            json!([{ "usd": 3, "per": "day", "pacing": "spread" }, { "usd": 9, "per": "5h" }]),
        ),
        (
            vec![("usd-2", "0.5"), ("per-2", "week"), ("per-1", "month")],
            "budgets",
            json!([{ "usd": 3, "per": "day", "pacing": "spread" }, { "usd": 9, "per": "month" }, { "usd": 0.5, "per": "week" }]),
        ),
        (vec![("usd-0", ""), ("usd-2", "")], "budgets", json!([{ "usd": 9, "per": "month" }])),
    ] {
        wanted[0][field] = value;
        assert_eq!(place(&save_key(&visitor, page, &typed)), page, "{typed:?}");
        assert_eq!(keys(), wanted, "{typed:?}");
    }
    assert_eq!(place(&save_key(&visitor, page, &[("usd-0", "")])), page);
    assert_eq!(keys()[0].get("budgets"), None);
    // A mistake changes nothing, and loses nothing.
    let before = file(&app);
    let to = place(&save_key(&visitor, page, &[("rpm", "-7"), ("usd-0", "two")]));
    let told = visitor.page(&to);
    assert!(
        told.contains("value=\"-7\"") && told.contains("value=\"two\"") && told.contains("budgets[0].usd"),
        "{told}"
    );
    assert_eq!(file(&app), before);
}

#[test]
fn a_variable_in_a_keys_entry_stays_as_it_is_written() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = operated(&[&upstream]);
    config["keys"][0]["name"] = json!("${TEAM_NAME_OF_TEST}");
    config["keys"][0]["expires"] = json!("${TEAM_END_OF_TEST}");
    let launch = Launch::new(&config).env("TEAM_NAME_OF_TEST", "team-a").env("TEAM_END_OF_TEST", "2099-12-31");
    let app = launch.start();
    let visitor = Visitor::with_key(&app, ADMIN);
    place(&save_key(&visitor, "/ui/keys/team-a", &[("rpm", "31")]));
    config["keys"][0]["rpm"] = json!(31);
    assert_eq!(serde_json::from_str::<Value>(&file(&app)).expect("JSON")["keys"], config["keys"]);
}

#[test]
fn nothing_is_taken_away_without_a_tick() {
    let (_upstream, app, visitor) = started();
    let before = file(&app);
    let dangers = [
        ("/ui/keys/team-a", "/ui/keys/disable", ("name", "team-a")),
        ("/ui/keys/team-a", "/ui/keys/end-old", ("name", "team-a")),
        ("/ui/keys/team-a", "/ui/keys/remove", ("name", "team-a")),
        ("/ui/accounts/a", "/ui/accounts/disable", ("api", "a")),
        ("/ui/accounts/a", "/ui/accounts/remove", ("api", "a")),
    ];
    for (page, path, field) in dangers {
        let refused = send(&visitor, page, (path, &[field]));
        assert_eq!(refused.status, 403, "{path}");
        assert!(refused.text().contains("tick the box"), "{path}");
        assert_eq!(file(&app), before, "{path}");
    }
    // The last account stays, as a pool without any is none; the page says why.
    let to = place(&send(&visitor, "/ui/accounts/a", ("/ui/accounts/remove", &[("api", "a"), ("sure", "1")])));
    assert_eq!((to.as_str(), file(&app)), ("/ui/accounts/a", before));
    let told = visitor.page("/ui/accounts/a");
    assert!(told.contains("notice bad") && told.contains("apis"), "{told}");
    let to = place(&send(&visitor, "/ui/keys/team-a", ("/ui/keys/remove", &[("name", "team-a"), ("sure", "1")])));
    assert_eq!((to.as_str(), file(&app).contains("team-a")), ("/ui/keys", false));
    assert_eq!(visitor.get("/ui/keys/team-a").status, 404);
}

#[test]
fn a_form_beside_a_broken_file_tells_the_mistake_and_not_of_somebody_else() {
    const RACED: &str = "Somebody else has changed";
    let (_upstream, app, visitor) = started();
    let page = "/ui/keys/team-a";
    let fields = [("name", "team-a"), ("rpm", "31"), ("shown-rpm", "30")];
    let seen = visitor.page(page);
    let good = file(&app);
    for broken in [good.replacen('[', "[ oops ", 1), good[..good.len() / 2].to_owned()] {
        std::fs::write(app.config_file(), &broken).expect("writes");
        // A page from before, and one from after the mistake.
        for shown in [seen.clone(), visitor.page(page)] {
            let seen = hidden(&shown, "seen");
            let fields = [fields.as_slice(), &[("seen", seen.as_str())]].concat();
            let told = visitor.page(&place(&visitor.send("/ui/keys/set", &fields)));
            assert!(!told.contains(RACED) && told.contains("not valid JSON"), "{told}");
        }
        assert_eq!(file(&app), broken, "nothing was written");
    }
    std::fs::write(app.config_file(), &good).expect("writes");
    assert_eq!(place(&save_key(&visitor, page, &[("rpm", "31")])), page);
}
